package app

import (
	"context"
	"math"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/segment"
)

// startSegments keeps the segments of readers from here on, and log time going
// while something is due.
func (n *node) startSegments(ctx context.Context) error {
	n.segments = segment.New(segment.Config{Engine: n.engine, Programs: n.programs, Logger: n.cfg.Logger})
	n.stops.add("segments", n.segments.Close)
	if err := n.segments.Start(ctx); err != nil {
		return err
	}
	for _, site := range n.engine.Sites() {
		// Whoever waited for it to be ready is gone.
		if _, ok := n.engine.Fact(event.FactPrepare, site.ID, ""); ok {
			if err := n.mustWrite(ctx, program.Abandon(site.ID)); err != nil {
				return err
			}
		}
	}
	t := &ticker{due: n.engine.Due, logTime: n.engine.LogTime, now: n.cfg.Now, tick: func(ctx context.Context) error {
		_, err := n.facts.CommitFacts(ctx, event.Fact{Kind: factTick})
		return err
	}}
	n.background("ticks", t.run)
	return nil
}

// ticker appends a message to the log when something is due and nobody writes:
// log time moves on by messages alone, and what happens by itself, such as that a
// reader leaves a segment, has its place in the log like everything else.
type ticker struct {
	due     func() int64 // log time at which something happens, math.MaxInt64 if nothing does
	logTime func() int64
	now     func() time.Time
	tick    func(context.Context) error
}

const (
	// ticksApart is how far apart ticks are at least: about a second, and a little
	// less so that nothing is a second late.
	ticksApart = 900 * time.Millisecond
	// lookEvery is how often it is looked whether something is due.
	lookEvery = 50 * time.Millisecond
)

// run works until ctx ends.
func (t *ticker) run(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		due, now := t.due(), t.now().UnixMilli()
		if due == math.MaxInt64 || due > now || now-t.logTime() < ticksApart.Milliseconds() {
			continue
		}
		if t.tick(ctx) != nil {
			// The log takes nothing now; it says why elsewhere.
			select {
			case <-ctx.Done():
				return
			case <-time.After(ticksApart):
			}
		}
	}
}
