package app

import (
	"context"
	"log/slog"
	"runtime/metrics"
	"time"

	"github.com/readership/readership/internal/hugepage"
)

// A huge page that is touched for the first time holds up whoever touches it: 0.2 ms
// where the system has the memory and sets it to zero, 4 to 10 ms on a virtual machine
// whose host has yet to give it. So the pages that the heap grows to next are touched
// before it does, and a reader's request seldom has to.
const (
	// mostAhead is how much lies ready: what 0.2 s of 10,000 commits/s take. aheadPart
	// bounds it, as part of --memory.
	mostAhead  = 16 << 20
	aheadPart  = 64
	touchEvery = 100 * time.Millisecond
)

// growth follows the heap through the pages that were reserved for it.
type growth struct {
	ahead    uint64
	touch    func() (more bool, err error) // the next page
	released func() uint64                 // bytes of the heap's addresses that are no memory
	begun    uint64                        // of them, when the pages were reserved
	logger   *slog.Logger
}

// reserve reserves huge pages for a process that may take memory bytes, 0 for any; nil
// if the system gives none, or gives them without being asked.
func reserve(memory int64, logger *slog.Logger) *growth {
	pages := hugepage.Reserve(hugeHeap(memory))
	if pages == nil {
		return nil
	}
	return &growth{ahead: ahead(memory), touch: pages.Touch, released: releasedBytes, begun: releasedBytes(), logger: logger}
}

func ahead(memory int64) uint64 {
	if memory == 0 {
		return mostAhead
	}
	return uint64(min(memory/aheadPart, mostAhead))
}

func releasedBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// run touches pages until all are touched or ctx ends.
//
// How far the heap has come is told by what it has taken of the addresses that were no
// memory. Some lie below the reserved ones: then a little more is touched than is said
// here. What is given back and taken again is not touched ahead: it was given back on
// purpose. And what no longer fits, lies elsewhere and is let go of, hides as much
// growth: then the heap has to touch pages itself.
func (g *growth) run(ctx context.Context) {
	tick := time.NewTicker(touchEvery)
	defer tick.Stop()
	for touched := uint64(0); ; {
		grown := g.begun - min(g.begun, g.released())
		for ctx.Err() == nil && touched < grown+g.ahead {
			more, err := g.touch()
			if err != nil {
				g.logger.Debug("the heap has to touch its pages itself", "error", err)
			}
			if !more {
				return
			}
			touched += hugepage.Size
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
