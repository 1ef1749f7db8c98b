package engine_test

import (
	"context"
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
