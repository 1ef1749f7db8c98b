package app

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/readership/readership/internal/hugepage"
)

// Pages are touched a step ahead of the heap, no more; when it shrinks and grows again
// within what was touched nothing is; and the last ends it.
func TestPagesAreTouchedAheadOfTheHeap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pages, begun, ahead = 100, 1 << 30, 8
		var released atomic.Uint64
		var touched atomic.Int64
		released.Store(begun)
		g := growth{
			ahead: ahead * hugepage.Size, released: released.Load, begun: begun, logger: slog.New(slog.DiscardHandler),
			touch: func() (bool, error) {
				if touched.Load() == pages {
					return false, nil
				}
				touched.Add(1)
				return true, nil
			},
		}
		ended := make(chan struct{})
		go func() { g.run(t.Context()); close(ended) }()
		for _, step := range []struct{ grown, want int64 }{
			{0, ahead}, {0, ahead}, {hugepage.Size, ahead + 1}, {10*hugepage.Size - 1, ahead + 10}, {0, ahead + 10},
			{10 * hugepage.Size, ahead + 10}, {-50 * hugepage.Size, ahead + 10}, {40 * hugepage.Size, ahead + 40},
		} {
			released.Store(uint64(begun - step.grown))
			time.Sleep(touchEvery)
			synctest.Wait()
			if n := touched.Load(); n != step.want {
				t.Fatalf("of a heap that has grown by %d bytes %d pages are touched, want %d", step.grown, n, step.want)
			}
		}
		released.Store(1 << 20)
		<-ended
		if n := touched.Load(); n != pages {
			t.Errorf("touched %d of %d pages", n, pages)
		}
	})
}

// Touching ends with the program, also between two pages, and at a fault.
func TestTouchingEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		touch func(n int, stop func()) (bool, error)
		want  int
	}{
		{"told to between pages", func(n int, stop func()) (bool, error) {
			if n == 3 {
				stop()
			}
			return true, nil
		}, 3},
		{"told to while it waits", func(int, func()) (bool, error) { return true, nil }, 4},
		{"a fault", func(n int, _ func()) (bool, error) { return false, errors.New("no memory") }, 1},
		{"none left", func(n int, _ func()) (bool, error) { return n < 3, nil }, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				n := 0
				g := growth{ahead: 4 * hugepage.Size, released: func() uint64 { return 0 }, logger: slog.New(slog.DiscardHandler)}
				g.touch = func() (bool, error) { n++; return c.touch(n, stop) }
				ended := make(chan struct{})
				go func() { g.run(ctx); close(ended) }()
				time.Sleep(time.Minute)
				stop()
				<-ended
				if n != c.want {
					t.Errorf("touched %d times, want %d", n, c.want)
				}
			})
		})
	}
}

// Of a small --memory little lies ready.
func TestWhatLiesReadyIsBounded(t *testing.T) {
	for memory, want := range map[int64]uint64{0: 16 << 20, 64 << 20: 1 << 20, 512 << 20: 8 << 20, 64 << 30: 16 << 20} {
		if got := ahead(memory); got != want {
			t.Errorf("of %d bytes %d lie ready, want %d", memory, got, want)
		}
	}
}
