package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// TestReadersSeeWholeMessages: readers beside the writer see messages whole,
// what they hold never changes, and each sees all that was applied before it
// asked.
func TestReadersSeeWholeMessages(t *testing.T) {
	const messages, perMessage = 300, 40
	f := newFeed(t, engine.Config{Shards: 2, Dir: t.TempDir()}, event.Site{ID: "news"})
	ctx, stop := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for last := 0; ctx.Err() == nil; {
				at := f.e.Position()
				v, err := f.e.View(ctx, "news", at)
				if err != nil {
					return
				}
				if v.Position < at {
					t.Errorf("view at %s, asked for %s", v.Position, at)
				}
				rows, views, engaged := 0, 0, 0
				for _, s := range v.Shards {
					for _, b := range s.Blocks {
						rows += b.N
						for _, n := range b.Views {
							views += int(n)
						}
						for i := range b.N {
							engaged += int(b.EngagedMillis(i))
						}
					}
				}
				if rows%perMessage != 0 || views != rows || engaged != rows/2*1000 || rows < last {
					t.Errorf("%d rows, %d views, %d ms engaged after %d rows", rows, views, engaged, last)
					return
				}
				last = rows
			}
		})
	}
	readers.Go(func() {
		for ctx.Err() == nil {
			if err := f.e.Checkpoint(ctx); err != nil {
				return
			}
		}
	})
	id := uint64(1)
	for m := range messages {
		f.enc.Reset(t0 + int64(m))
		for i := range perMessage {
			device := fmt.Sprint("d", (m*7+i)%90)
			e := pageView(t0+int64(m*1000+i), device, fmt.Sprint("a", i))
			id++
			f.enc.Add("news", &e, id, id)
			if i%2 == 0 {
				engaged := event.Event{Time: e.Time + 1, Device: device, EngagedMillis: 1000}
				engaged.Columns[event.ColType] = event.TypeEngagement
				f.enc.Add("news", &engaged, 0, id)
			}
		}
		f.send()
	}
	f.view("news")
	stop()
	readers.Wait()
}
