package visit_test

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/visit"
)

// TestSeen: in whatever order a reader's events come, the last page view or
// engagement of each recent visit is known.
func TestSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const begin = int64(20000) * block.DayMillis // midnight: visits move to the day before
		table := visit.NewTable()
		var all []visit.Point
		head, now := visit.ID(0), begin
		rowTime := func(r block.RowID) int64 { return all[r].Time }
		for i := range rapid.IntRange(1, 30).Draw(t, "events") {
			p := visit.Point{Time: begin + rapid.Int64Range(-120, 120).Draw(t, "minute")*60_000, Row: block.RowID(i)}
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				p.PageView = true
			case 1:
				p.Row = visit.NoRow
			}
			now = max(now, p.Time)
			table.Advance(now)
			all = append(all, p)
			head, _ = table.Add(head, &p, rowTime)
			if rapid.Bool().Draw(t, "restart") {
				table.RestoreSeen(table.Seen())
			}
		}
		type run struct{ start, end, seen int64 }
		var want []run
		sorted := slices.Clone(all)
		slices.SortStableFunc(sorted, func(a, b visit.Point) int { return cmp.Compare(a.Time, b.Time) })
		for _, p := range sorted {
			if n := len(want); n == 0 || p.Time-want[n-1].end > visit.Gap {
				want = append(want, run{start: p.Time})
			}
			r := &want[len(want)-1]
			r.end = p.Time
			if p.PageView || p.Row == visit.NoRow {
				r.seen = p.Time
			}
		}
		var got []run
		at := table.Seen()
		for _, c := range table.Snapshot() {
			for i, v := range c.Visits {
				if v.Flags&visit.Dead != 0 {
					continue
				}
				start := int64(c.Day)*block.DayMillis + int64(v.Start)
				r := run{start, start + int64(v.Duration), start + int64(v.Duration)}
				if seen, ok := at[c.ID(i)]; ok {
					r.seen = seen
				}
				got = append(got, r)
			}
		}
		slices.SortFunc(got, func(a, b run) int { return cmp.Compare(a.start, b.start) })
		// What lies further back than Recent is one and the same.
		for _, runs := range [][]run{want, got} {
			for i := range runs {
				runs[i].seen = max(runs[i].seen, now-visit.Recent)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("visits %v, want %v", got, want)
		}
	})
}
