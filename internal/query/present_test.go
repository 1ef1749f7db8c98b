package query

import (
	"fmt"
	"testing"
	"time"

	"github.com/readership/readership/internal/event"
)

// TestFiltersOfSealedBlocks: a sealed block is skipped only where no row of it
// passes; rows without the column are missing values.
func TestFiltersOfSealedBlocks(t *testing.T) {
	const day = 24 * 3600_000
	f := newFeed(t, 1, event.Site{ID: "news", Timezone: "UTC"})
	id := uint64(0)
	send := func(stamp, at int64, items ...string) {
		f.enc.Reset(stamp)
		for i, item := range items {
			var ev event.Event
			ev.Time, ev.Device = at+int64(i), fmt.Sprint("d", i)
			ev.Columns[event.ColType], ev.Columns[event.ColItem] = event.TypePageView, item
			id++
			f.enc.Add("news", &ev, id, 0)
		}
		f.send()
	}
	send(t0, t0-6*day, "a", "b", "", "a") // rows without item among others
	send(t0, t0-5*day, "b", "c")          // none without
	send(t0, t0-4*day, "c", "d", "")      // the last is without
	send(t0+day, t0, "a", "d")            // open; those before are sealed by now
	blocks := f.view("news").Shards[0].Blocks
	for i, b := range blocks {
		if sealed := b.ColumnAt(int(event.ColItem)).Present != nil; sealed != (i < 3) {
			t.Fatalf("block %d of %d: codes are known: %v", i, len(blocks), sealed)
		}
	}
	span := fmt.Sprintf(`"date_range":[%q,%q]`, time.UnixMilli(t0-7*day).UTC().Format(time.RFC3339), time.UnixMilli(t0+day).UTC().Format(time.RFC3339))
	for filter, want := range map[string]float64{
		`["is","item",["a"]]`:                                   3,
		`["is","item",["c"]]`:                                   2,
		`["is","item",["d"]]`:                                   2,
		`["is","item",["a","d"]]`:                               5,
		`["is","item",["(none)"]]`:                              2,
		`["is","item",["(none)","c"]]`:                          4,
		`["is_not","item",["a","b"]]`:                           6,
		`["is","item",["nowhere"]]`:                             0,
		`["contains","item",["d"]]`:                             2,
		`["not",["is","item",["c"]]]`:                           9,
		`["or",[["is","item",["b"]],["is","item",["d"]]]]`:      4,
		`["and",[["is_not","item",["b"]],["is","item",["c"]]]]`: 2,
	} {
		res := ask(t, f, `{"metrics":["page_views"],`+span+`,"filters":[`+filter+`]}`)
		if got := res.Rows[0].Metrics[0]; got != want {
			t.Errorf("%s: %v page views, want %v", filter, got, want)
		}
	}
}
