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
// those seen last. One takes about 60 bytes.
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
// UTC: they keep the identity of the day on which it began, so that the new salt
// cuts no visit. A reader is remembered from the last half hour of a day on, for as
// long as the visit lasts, but not over a second midnight.
//
// It is memory of this process alone: identities, and when they were seen. What is
// forgotten (a restart that cannot ask the engine, a reader who comes to another
// edge, more readers than maxCrossing, an event that arrives before the one it
// follows) begins a new visit at midnight, as it would without.
type crossing struct {
	n     atomic.Int64 // readers remembered: at most hours of the day nobody is
	mu    sync.Mutex
	young map[hash]int64 // event time they were seen last, Unix milliseconds
	old   map[hash]int64
	turn  int64 // wall clock from which young is old, Unix milliseconds
}

// identity returns the cookieless identity of a connection at a time of its
// events, Unix milliseconds. noted says that an event is stored under it, now
// being the wall clock.
func (c *Collector) identity(site *siteInfo, connection []byte, at int64, noted bool, now int64) hash {
	day := at / dayMillis
	if c.crossing.n.Load() > 0 {
		if before := hashOf(site.saltOf(day-1), connection); c.crossing.open(before, at, noted, now) {
			return before
		}
	}
	today := hashOf(site.saltOf(day), connection)
	if noted && at%dayMillis >= dayMillis-visitGap {
		c.crossing.note(today, at, now)
	}
	return today
}

// open says whether a visit of an identity goes on at a time, and notes it.
func (c *crossing) open(h hash, at int64, noted bool, now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now >= c.turn+visitGap {
		c.young, c.old = nil, nil
		c.n.Store(0)
		return false
	}
	last, known := c.young[h]
	if !known {
		last, known = c.old[h]
	}
	if !known || at-last > visitGap {
		return false
	}
	if noted {
		c.put(h, max(at, last), now)
	}
	return true
}

// note notes that an identity was seen.
func (c *crossing) note(h hash, at, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(h, max(at, c.young[h], c.old[h]), now)
}

// put remembers an identity. Who was not seen for half an hour of the wall clock
// is forgotten within another, and the older half of too many at once.
func (c *crossing) put(h hash, at, now int64) {
	if now >= c.turn || len(c.young) >= maxCrossing/2 {
		c.old, c.young, c.turn = c.young, map[hash]int64{}, now+visitGap
	}
	c.young[h] = at
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
	c.crossing.note(hash(raw), last, c.now().UnixMilli())
}

// VisitGap is how long before a start a visit may have been seen last that
// Continue is for.
const VisitGap = visitGap * time.Millisecond
