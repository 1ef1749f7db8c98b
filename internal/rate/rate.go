// Package rate limits how often things happen by key: token buckets in a table of
// a fixed size. A take is a hash look-up under a lock of few sets, allocates
// nothing and reads no clock.
//
// A bucket is one number, the instant at which it is full again (the generic cell
// rate algorithm): taking tokens moves it away, time brings it back. So a bucket
// that is full is the same as none. Where a key finds its set taken by others,
// the one that is full soonest goes, forgiven at most what a bucket holds: memory
// stays bounded, and a flood of keys takes the limit from some rather than
// service from all. (auth.Limiter, over passwords, refuses instead.)
package rate

import (
	"hash/maphash"
	"sync"
	"time"
)

// Rate is how many tokens there are a second, and at once.
type Rate struct {
	every int64 // nanoseconds a token
	holds int64 // nanoseconds that a full bucket's tokens take to come
}

// Of makes the rate of perSecond tokens a second, 1 to 1e9, of which as many as
// come within span can be taken at once. With perSecond 0 everything is allowed.
func Of(perSecond int, span time.Duration) Rate {
	if perSecond <= 0 {
		return Rate{}
	}
	every := int64(time.Second) / int64(perSecond)
	return Rate{every: max(every, 1), holds: max(int64(span), every)}
}

// Buckets are buckets by key. Safe for concurrent use.
type Buckets struct {
	seed maphash.Seed
	mask uint64
	sets []set
	mu   [stripes]struct {
		sync.Mutex
		_ [56]byte // each in a cache line of its own
	}
}

// Buckets of a set lie in one cache line. A lock guards every set whose number
// has its remainder by stripes.
const (
	ways    = 4
	stripes = 64
)

type set [ways]bucket

type bucket struct {
	key  uint64
	full int64 // when, Unix nanoseconds; 0: nobody's
}

// New makes buckets for about so many keys at once, of 16 bytes each.
func New(keys int) *Buckets {
	n := 1
	for n < keys/ways || n < stripes {
		n *= 2
	}
	return &Buckets{seed: maphash.MakeSeed(), mask: uint64(n - 1), sets: make([]set, n)}
}

// Key hashes what is limited; kind keeps apart what may be spelled alike.
func (b *Buckets) Key(kind byte, name string) uint64 {
	return mix(maphash.String(b.seed, name), kind)
}

// KeyOf is Key for bytes.
func (b *Buckets) KeyOf(kind byte, name []byte) uint64 {
	return mix(maphash.Bytes(b.seed, name), kind)
}

func mix(hash uint64, kind byte) uint64 { return hash ^ uint64(kind)*0x9e3779b97f4a7c15 }

// Take takes tokens, 1 or more, from the bucket of a key at an instant in Unix
// nanoseconds. Of more than the bucket can hold it takes all that it holds. If
// there are too few it takes none: wait says after how long there will be enough.
func (b *Buckets) Take(key uint64, r Rate, tokens, now int64) (wait time.Duration, ok bool) {
	if r.every == 0 {
		return 0, true
	}
	at := key & b.mask
	mu := &b.mu[at%stripes]
	mu.Lock()
	defer mu.Unlock()
	own := b.sets[at].find(key)
	full := now
	if own.key == key {
		// No bucket is further from full than empty: a clock that was set back
		// does not lock anybody out for longer.
		own.full = min(own.full, now+r.holds)
		full = max(full, own.full)
	}
	full += min(tokens*r.every, r.holds)
	if excess := full - now - r.holds; excess > 0 {
		return time.Duration(excess), false
	}
	own.key, own.full = key, full
	return 0, true
}

// give puts tokens back.
func (b *Buckets) give(key uint64, r Rate, tokens int64) {
	at := key & b.mask
	mu := &b.mu[at%stripes]
	mu.Lock()
	defer mu.Unlock()
	if own := b.sets[at].find(key); own.key == key && own.full != 0 {
		own.full = max(1, own.full-min(tokens*r.every, r.holds))
	}
}

// find returns the bucket of a key, else the one that is to be given to it.
func (s *set) find(key uint64) *bucket {
	soonest := &s[0]
	for i := range s {
		if s[i].key == key && s[i].full != 0 {
			return &s[i]
		}
		if s[i].full < soonest.full {
			soonest = &s[i]
		}
	}
	return soonest
}
