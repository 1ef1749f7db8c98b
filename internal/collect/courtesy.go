package collect

import (
	"context"
	"sync"
	"time"

	"github.com/readership/readership/internal/event"
)

// courtesy has imports give way to requests of readers. Nothing in the process can
// be given a lower priority, so while readers ask, an import works on small blocks,
// one at a time, until they are applied, and then rests for restFactor times as long
// as that took. The busier the process is, the longer a block takes, and the longer
// is the rest.
type courtesy struct {
	others  func() uint64 // requests of readers so far; nil: imports never give way
	applied func(context.Context, event.Position) error

	turn chan struct{} // has a value while a block of any import is worked on

	mu     sync.Mutex
	last   uint64    // others as it was counted last
	at     time.Time // when that was
	polite time.Time // until when imports give way
}

const (
	// politeFrom is how many requests of readers a second imports give way to,
	// politeTime for how long after they were seen, lookTime how often they are
	// counted at most.
	politeFrom = 50
	politeTime = time.Second
	lookTime   = 20 * time.Millisecond

	politeBytes = 64 << 10 // of a block, more than longLine
	politeLines = 256
	restFactor  = 6
	longestRest = 250 * time.Millisecond
)

func newCourtesy(others func() uint64, applied func(context.Context, event.Position) error) *courtesy {
	return &courtesy{others: others, applied: applied, turn: make(chan struct{}, 1)}
}

// asked says whether imports have to give way.
func (c *courtesy) asked(now time.Time) bool {
	if c.others == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	since := now.Sub(c.at)
	if since < lookTime {
		return now.Before(c.polite)
	}
	n := c.others()
	came := float64(n - c.last)
	c.last, c.at = n, now
	switch {
	case since > politeTime: // nobody has counted for long: one block tells
		c.polite = now.Add(lookTime)
	case came >= politeFrom*since.Seconds():
		c.polite = now.Add(politeTime)
	}
	return now.Before(c.polite)
}

// giveWay works one block off in its turn and rests.
func (im *importer) giveWay(b *block) {
	c := im.x.c.courtesy
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-im.stop:
		im.free <- b
		return
	}
	begun := time.Now()
	im.hand(b)
	im.wait()
	if c.applied != nil && im.failure == nil {
		_ = c.applied(im.ctx, im.x.out.Position) // else the engine has stopped, which the next block is told
	}
	rest := time.NewTimer(min(restFactor*time.Since(begun), longestRest))
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-im.stop:
	}
}
