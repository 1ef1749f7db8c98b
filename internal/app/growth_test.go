package app

import (
	"context"
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
		const ahead = touchAhead / hugepage.Size
		const pages = 100
		var released atomic.Uint64
		var touched atomic.Int64
		released.Store(1 << 30)
		g := growth{touch: func() bool { return touched.Add(1) < pages }, released: released.Load}
		ended := make(chan struct{})
		go func() { g.run(t.Context()); close(ended) }()
		for _, step := range []struct {
			grown uint64
			want  int64
		}{{0, ahead}, {0, ahead}, {hugepage.Size, ahead + 1}, {10*hugepage.Size - 1, ahead + 10}, {0, ahead + 10}, {10 * hugepage.Size, ahead + 10}, {40 * hugepage.Size, ahead + 40}} {
			released.Store(1<<30 - step.grown)
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

func TestTouchingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		g := growth{touch: func() bool { return true }, released: func() uint64 { return 0 }}
		ended := make(chan struct{})
		go func() { g.run(ctx); close(ended) }()
		time.Sleep(time.Minute)
		stop()
		<-ended
	})
}
