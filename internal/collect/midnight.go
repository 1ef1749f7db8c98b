package collect

import (
	"encoding/base64"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dchest/siphash"
)

// visitGap is the longest silence inside a visit, in milliseconds of event time.
const visitGap = 30 * 60 * 1000

// maxCrossing bounds the readers that are remembered over midnight, half of them
// those seen last. One takes about 80 bytes.
const maxCrossing = 512 << 10

// hash is a cookieless identity as bytes.
type hash [16]byte

// hashOf makes the cookieless identity of a connection under a salt.
func hashOf(key salt, connection []byte) (h hash) {
	h0, h1 := siphash.Hash128(key.k0, key.k1, connection)
	for i := range 8 {
		h[i], h[8+i] = byte(h0>>(8*i)), byte(h1>>(8*i))
	}
	return h
}

// append appends the device of the identity.
func (h hash) append(dst []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(append(dst, cookielessMark...), h[:])
}

// crossing remembers the cookieless readers whose visit may go on after midnight
// UTC: they keep the identity of the day on which it began, so that no new salt
// cuts a visit. A reader is remembered from the last half hour of a day on, under
// the identity of that day, for as long as the visit lasts.
//
// It is memory of this process alone: identities, and when they were seen. What is
// forgotten (a restart that cannot ask the engine, a reader who comes to another
// edge, more readers than maxCrossing, an event that arrives before the one it
// follows, a restart after a second midnight of the visit) begins a new visit at
// midnight, as it would without.
type crossing struct {
	n     atomic.Int64 // readers remembered: at most hours of the day nobody is
	mu    sync.Mutex
	young map[hash]crosser // by the identity of the day before
	old   map[hash]crosser
	turn  int64 // wall clock from which young is old, Unix milliseconds
}

// crosser is a reader whose visit may go on.
type crosser struct {
	device hash  // the identity that the visit keeps
	last   int64 // event time it was seen last, Unix milliseconds
}

// identity returns the cookieless identity of a connection at a time of its
// events, Unix milliseconds. noted says that an event is stored under it, now
// being the wall clock.
func (c *Collector) identity(site *siteInfo, connection []byte, at int64, noted bool, now int64) hash {
	day := at / dayMillis
	late := noted && at%dayMillis >= dayMillis-visitGap
	if c.crossing.n.Load() > 0 {
		if device, ok := c.crossing.open(hashOf(site.saltOf(day-1), connection), at, noted, now); ok {
			if late { // the next midnight looks for it by today's
				c.crossing.note(hashOf(site.saltOf(day), connection), crosser{device, at}, now)
			}
			return device
		}
	}
	today := hashOf(site.saltOf(day), connection)
	if late {
		c.crossing.note(today, crosser{today, at}, now)
	}
	return today
}

// open returns the identity that a visit keeps which goes on at a time, by that of
// the day before, and notes that it does.
func (c *crossing) open(before hash, at int64, noted bool, now int64) (device hash, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now >= c.turn+visitGap {
		c.young, c.old = nil, nil
		c.n.Store(0)
		return hash{}, false
	}
	r, known := c.find(before)
	if !known || at-r.last > visitGap {
		return hash{}, false
	}
	if noted {
		c.put(before, crosser{r.device, max(at, r.last)}, now)
	}
	return r.device, true
}

// note notes that a reader was seen, under the identity of a day.
func (c *crossing) note(today hash, r crosser, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.find(today); ok {
		r.last = max(r.last, known.last)
	}
	c.put(today, r, now)
}

// find returns what is remembered under an identity.
func (c *crossing) find(h hash) (r crosser, known bool) {
	if r, known = c.young[h]; !known {
		r, known = c.old[h]
	}
	return r, known
}

// put remembers an identity. Who was not seen for half an hour of the wall clock
// is forgotten within another, and the older half of too many at once.
func (c *crossing) put(h hash, r crosser, now int64) {
	if now >= c.turn || len(c.young) >= maxCrossing/2 {
		c.old, c.young, c.turn = c.young, map[hash]crosser{}, now+visitGap
	}
	c.young[h] = r
	c.n.Store(int64(len(c.young) + len(c.old)))
}

// Continue remembers a visit of a cookieless device that was seen at a time,
// Unix milliseconds, before this process began. Other devices are left out.
func (c *Collector) Continue(device string, last int64) {
	text, ok := strings.CutPrefix(device, cookielessMark)
	if !ok {
		return
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != len(hash{}) {
		return
	}
	c.crossing.note(hash(raw), crosser{hash(raw), last}, c.now().UnixMilli())
}

// VisitGap is how long before a start a visit may have been seen last that
// Continue is for.
const VisitGap = visitGap * time.Millisecond
