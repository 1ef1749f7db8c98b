package collect

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/readership/readership/internal/event"
)

// TestImportsGiveWay: while readers ask, an import works on one small block at a
// time, until it is applied, and rests; else it does not. It stores the same.
func TestImportsGiveWay(t *testing.T) {
	const lines = 30_000
	for _, asked := range []bool{false, true} {
		t.Run(fmt.Sprint(asked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var others atomic.Uint64
				var waited int
				w := newWorld(t)
				w.c.now = time.Now
				w.c.courtesy = newCourtesy(others.Load, func(context.Context, event.Position) error {
					waited++
					time.Sleep(time.Millisecond)
					return nil
				})
				stop := make(chan struct{})
				defer close(stop)
				go func() {
					for asked {
						select {
						case <-time.After(time.Millisecond):
							others.Add(1)
						case <-stop:
							return
						}
					}
				}()
				w.c.courtesy.asked(time.Now()) // somebody has counted
				time.Sleep(2 * lookTime)
				begun := time.Now()
				body := strings.Repeat(`{"type":"page_view","device":"d1","item":"a1"}`+"\n", lines)
				if a := w.imports("news", body); a.Status != 200 || *a.verdict.Accepted != lines || len(w.memory.events) != lines {
					t.Fatalf("%d %.300s", a.Status, a.Body)
				}
				blocks := (lines + politeLines - 1) / politeLines
				switch took := time.Since(begun); {
				case !asked && (waited > 0 || took > 0):
					t.Errorf("an import alone waited %d times, %v", waited, took)
				case asked && (waited < blocks || took < time.Duration(blocks)*restFactor*time.Millisecond):
					t.Errorf("an import waited %d times for %d blocks and took %v", waited, blocks, took)
				}
			})
		})
	}
}
