package rate

import (
	"sync/atomic"
	"time"
)

// Limit bounds how often requests of one kind come from one sender. A nil Limit
// bounds nothing. Safe for concurrent use.
type Limit struct {
	rate    Rate
	buckets *Buckets
	now     func() time.Time
	refused atomic.Uint64
}

// NewLimit bounds requests to perSecond a second, of which as many as come within
// span can come at once, for about so many senders. It is nil with perSecond 0.
func NewLimit(perSecond int, span time.Duration, senders int, now func() time.Time) *Limit {
	if perSecond <= 0 {
		return nil
	}
	return &Limit{rate: Of(perSecond, span), buckets: New(senders), now: now}
}

// tokenBytes is how much of a body counts as one request more.
const tokenBytes = 16 << 10

// Tokens is as how many requests one with a body counts; of a body of unknown length
// (-1) as one.
func Tokens(bodyBytes int64) int64 { return 1 + max(0, bodyBytes)/tokenBytes }

// Take counts a request of a sender as so many, 1 or more; kind keeps apart senders
// whose names may be alike. If it may not be now, wait says after how long it may;
// Refuse counts that it was refused.
func (l *Limit) Take(kind byte, sender string, tokens int64) (wait time.Duration, ok bool) {
	if l == nil {
		return 0, true
	}
	return l.buckets.Take(l.buckets.Key(kind, sender), l.rate, tokens, l.now().UnixNano())
}

// Give takes back what Take counted of a request that somebody else will count.
func (l *Limit) Give(kind byte, sender string, tokens int64) {
	if l != nil {
		l.buckets.give(l.buckets.Key(kind, sender), l.rate, tokens)
	}
}

// Refuse counts a request that was refused.
func (l *Limit) Refuse() { l.refused.Add(1) }

// Refused returns how many requests were refused.
func (l *Limit) Refused() uint64 {
	if l == nil {
		return 0
	}
	return l.refused.Load()
}
