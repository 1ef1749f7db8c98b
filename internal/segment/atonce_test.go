package segment

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/readership/readership/internal/event"
)

// TestAtOnceWhileEventsArrive: what is told at once while messages arrive holds at one
// place of the log: not before what was queued when it was asked for, and not after what
// was when it was told.
func TestAtOnceWhileEventsArrive(t *testing.T) {
	const limits, askers = 120, 3
	site := event.Site{ID: "news", Window: "7d"}.WithDefaults()
	w := newScript(t)
	var text strings.Builder
	for k := 2; k <= limits; k++ {
		fmt.Fprintf(&text, "s%d = events |> last 7d |> count >= %d\nsegment ", k, k)
	}
	w.site(site, text.String()+"s1")
	var begun, queued, told atomic.Int64 // page views of d1
	begun.Store(1)
	queued.Store(1)
	var asking sync.WaitGroup
	var over atomic.Bool
	for range askers {
		asking.Go(func() {
			for !over.Load() && !t.Failed() {
				least := queued.Load()
				got, ok := w.s.OfAtOnce(&site, "device:d1", scriptNow)
				if n := int64(len(got.Segments)); ok && (n < least || n > begun.Load()) {
					t.Errorf("%d segments, of %d to %d page views", n, least, begun.Load())
				}
				if ok {
					told.Add(1)
				}
			}
		})
	}
	for queued.Load() < limits && !t.Failed() {
		begun.Add(1)
		w.view("d1")
		before := told.Load()
		queued.Add(1)
		for told.Load() == before && !t.Failed() { // at rest some are sure to be told
			runtime.Gosched()
		}
	}
	over.Store(true)
	asking.Wait()
}

// TestAtOnceIsAMomentsWork: who is in very many segments is not told of at once.
func TestAtOnceIsAMomentsWork(t *testing.T) {
	for _, n := range []int{momentSegments, momentSegments + 1} {
		site := event.Site{ID: "news", Window: "7d"}.WithDefaults()
		w := newScript(t)
		var text strings.Builder
		for k := 2; k <= n; k++ {
			fmt.Fprintf(&text, "s%d = events |> last 7d |> count >= 1\nsegment ", k)
		}
		w.site(site, text.String()+"s1")
		want, err := w.s.Of(t.Context(), &site, "device:d1", scriptNow) // and it is settled
		if err != nil || len(want.Segments) != n {
			t.Fatalf("%d segments, %v, want %d", len(want.Segments), err, n)
		}
		for got, ok := w.s.OfAtOnce(&site, "device:d1", scriptNow); ok != (n <= momentSegments); got, ok = w.s.OfAtOnce(&site, "device:d1", scriptNow) {
			if ok {
				t.Fatalf("told of %d segments at once", len(got.Segments))
			}
			runtime.Gosched() // until the shard rests
		}
	}
}
