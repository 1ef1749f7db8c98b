package engine_test

import (
	"fmt"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// TestPropertiesAreOfTheSite numbers the same properties in every shard, the
// first of the log, whoever brings them.
func TestPropertiesAreOfTheSite(t *testing.T) {
	var names [][]string
	for _, shards := range []int{1, 2, 3} {
		f := newFeed(t, engine.Config{Shards: shards}, event.Site{ID: "news"})
		for message := range 4 {
			f.enc.Reset(t0 + int64(message))
			for i := range 150 {
				n := 150*message + i
				e := pageView(t0+int64(n), fmt.Sprint("d", n), "a1")
				e.Properties = []event.Property{{Name: fmt.Sprint("p", n%500), Value: "x"}}
				if i%7 == 0 {
					e.Columns[event.ColAccount] = fmt.Sprint("account", n)
				}
				f.enc.Add("news", &e, uint64(n+1), 0)
				if i%11 == 0 { // brings no row, and so no column
					e.Columns[event.ColType], e.Properties[0].Name = event.TypeEngagement, fmt.Sprint("engaged", n)
					f.enc.Add("news", &e, uint64(10_000+n), uint64(n))
				}
			}
			f.send()
		}
		for _, s := range f.view("news").Shards {
			var own []string
			for _, c := range s.Columns[event.NumColumns:] {
				own = append(own, c.Name)
			}
			names = append(names, own)
		}
	}
	if n := engine.MaxColumns - int(event.NumColumns); len(names[0]) != n || names[0][0] != "p0" || names[0][n-1] != fmt.Sprint("p", n-1) {
		t.Fatalf("%d properties: %v", len(names[0]), names[0])
	}
	for i, own := range names[1:] {
		if fmt.Sprint(own) != fmt.Sprint(names[0]) {
			t.Errorf("shard view %d has other properties: %v", i+1, own)
		}
	}
}

// TestRowsFromBeforeTheWindow are counted as gone: the window was shorter once,
// and what it held then is not there.
func TestRowsFromBeforeTheWindow(t *testing.T) {
	f := newFeed(t, engine.Config{Shards: 2}, event.Site{ID: "news", Window: "5d"})
	add := func(stamp, time int64, device string) {
		f.enc.Reset(stamp)
		e := pageView(time, device, "a1")
		f.enc.Add("news", &e, uint64(time), 0)
		f.send()
	}
	add(t0, t0, "d1")
	f.site(t0+1, event.Site{ID: "news", Window: "30d"})
	add(t0+2, t0-10*day, "d2")
	add(t0+3, t0-4*day, "d3")
	rows := 0
	v := f.view("news")
	for _, s := range v.Shards {
		for _, b := range s.Blocks {
			rows += b.N
		}
	}
	if rows != 2 {
		t.Errorf("%d rows, want 2", rows)
	}
	losses := f.e.Losses("news", 0, t0+day)
	if len(losses) != 1 || losses[0].Verdict != "left" || losses[0].Reason != "window" || losses[0].N != 1 {
		t.Errorf("the ledger says %+v", losses)
	}
}
