package engine_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// worker is a Watcher with so many steps of work left.
type worker struct {
	left  engine.Left
	steps int
	done  int // steps
}

func (w *worker) Follows() bool                         { return true }
func (w *worker) Applied(*engine.Live, *engine.Changes) {}
func (w *worker) Due() int64                            { return 1 << 62 }
func (w *worker) Bytes() int64                          { return 0 }
func (w *worker) Work(*engine.Live) (left engine.Left) {
	if w.done == w.steps {
		return engine.LeftNothing
	}
	w.done++
	return w.left
}

// TestPace: work that can wait is done at the pace that is set, and messages do
// not wait for it; other work is done at once.
func TestPace(t *testing.T) {
	for _, left := range []engine.Left{engine.LeftAtLeisure, engine.LeftAtOnce} {
		synctest.Test(t, func(t *testing.T) {
			const steps = 20
			next := make(chan time.Time)
			f := newFeed(t, engine.Config{Pace: func() func() <-chan time.Time {
				return func() <-chan time.Time { return next }
			}}, event.Site{ID: "news"})
			defer func() { _ = f.e.Close() }()
			w := &worker{left: left, steps: steps}
			if err := f.e.Watch(context.Background(), func(int, string) engine.Watcher { return w }); err != nil {
				t.Fatal(err)
			}
			done := func(want int) {
				t.Helper()
				if synctest.Wait(); w.done != want {
					t.Fatalf("%d steps are done, want %d", w.done, want)
				}
			}
			if left == engine.LeftAtOnce {
				done(steps)
				return
			}
			done(2) // as it begins, and the first between messages
			f.events(t0, pageView(t0, "d1", "a1"))
			f.readers(t)
			done(3) // with the message
			next <- time.Time{}
			done(4)
		})
	}
}

// TestCheckpointPaced: a checkpoint rests at the pace that is set, so many times at
// most, not once its time is over, and the last one never; messages do not wait for it.
func TestCheckpointPaced(t *testing.T) {
	asked, next := make(chan struct{}, 1000), make(chan time.Time)
	cfg := engine.Config{Dir: t.TempDir(), Pace: func() func() <-chan time.Time {
		return func() <-chan time.Time { asked <- struct{}{}; return next }
	}}
	f := newFeed(t, cfg, event.Site{ID: "news"})
	f.events(t0, pageView(t0, "d1", "a1"), pageView(t0, "d2", "a1"))
	ctx, end := context.WithCancel(context.Background())
	saved := make(chan error, 1)
	begin := func() { go func() { saved <- f.e.Checkpoint(ctx) }() }

	begin()
	<-asked // it rests after its first part
	f.events(t0, pageView(t0, "d3", "a1"))
	f.readers(t)
	if len(saved) > 0 {
		t.Fatal("it did not rest")
	}
	next <- time.Time{}
	<-asked // after its second
	end()
	if err := <-saved; err != nil {
		t.Fatal(err)
	}
	if n := len(asked); n > 0 {
		t.Fatalf("it would rest %d times more after the end", n)
	}

	// Each fact is a part, and there are more of them than rests.
	close(next)
	var facts []event.Fact
	for i := range 200 {
		facts = append(facts, event.Fact{Kind: event.FactItem, Site: "news", Key: fmt.Sprint("i", i), Value: []byte("{}")})
	}
	f.facts(t0, facts...)
	f.readers(t)
	ctx = context.Background()
	begin()
	if err := <-saved; err != nil || len(asked) != 100 {
		t.Fatalf("%d rests, error %v", len(asked), err)
	}
	for len(asked) > 0 {
		<-asked
	}
	f.events(t0, pageView(t0, "d4", "a1"))
	if err := f.e.Close(); err != nil || len(asked) > 0 {
		t.Fatalf("the last one has rested %d times, error %v", len(asked), err)
	}
}
