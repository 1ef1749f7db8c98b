package incremental

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// A meter that is brought up to date is the one that is worked out from all
// burns, whatever was burned and carried over before: every window and merge,
// limits that stick, days with a change of clocks.
func TestMeterAsOfAllBurns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		calendar := value.Calendar{Zone: rapid.SampledFrom(zones).Draw(t, "zone"), WeekStart: rapid.SampledFrom([]time.Weekday{time.Monday, time.Sunday}).Draw(t, "week")}
		b := plan.NewBuilder(nil, calendar, 30*day)
		limit := b.Expr(plan.Expr{Op: plan.ReaderTrait, Name: "limit", Type: value.Int})
		m := &plan.Meter{Name: "m", Limit: limit, Sticky: rapid.Bool().Draw(t, "sticky"), Merge: plan.Merge(rapid.IntRange(0, len(plan.Merges)-1).Draw(t, "merge"))}
		switch span := rapid.SampledFrom([]int64{hour, day, 3 * day}).Draw(t, "span"); rapid.IntRange(0, 2).Draw(t, "window") {
		case 0:
			m.Window.Last = span
		case 1:
			m.FromFirst = span
		default:
			m.Window.Periods = plan.Periods(0).With(value.Period(rapid.IntRange(0, int(value.NumPeriods)-1).Draw(t, "period")))
		}
		b.AddMeter(m)
		p := b.Program()
		kept, all := NewMeters(p)[0], memory.Burns{}
		if rapid.Bool().Draw(t, "used before") {
			kept.Burn("z", 5, 5)
			kept.Reset()
		}
		items := rapid.SampledFrom([]int{3, 60}).Draw(t, "items")
		// Berlin and São Paulo have changed their clocks on these days.
		now := rapid.SampledFrom([]int64{1774400400, 1792700400, 1507690800, 5}).Draw(t, "start") * 1000
		last := now // since when the next device was not carried over
		for n := range rapid.IntRange(0, 80).Draw(t, "steps") {
			now += rapid.SampledFrom([]int64{0, 1, minute, hour - 1, hour, 7 * hour, day - 1, day}).Draw(t, "wait")
			if rapid.IntRange(0, 9).Draw(t, "carry over") == 0 {
				var burns []fold.Burn
				for range rapid.IntRange(0, 3).Draw(t, "burns") {
					at := rapid.Int64Range(last, now).Draw(t, "time")
					burns = append(burns, fold.Burn{Item: fmt.Sprint("a", rapid.IntRange(1, items).Draw(t, "item")), Time: at, Limit: rapid.Int64Range(1, 5).Draw(t, "their limit"),
						Rule: m.Rule, Start: rapid.SampledFrom([]int64{at, last}).Draw(t, "opened")})
				}
				slices.SortStableFunc(burns, func(a, b fold.Burn) int { return int(a.Time - b.Time) })
				device := rapid.SampledFrom([]string{"d", "e"}).Draw(t, "device")
				kept.Carry(device, burns, now)
				for _, one := range burns {
					one.Device, one.Joined = device, now
					all.Add("m", one)
				}
				last = now
			}
			today := rapid.Int64Range(0, 6).Draw(t, "limit")
			v := &fold.View{Program: p, Now: now, Profile: &memory.Profile{Traits: map[string]value.Value{"limit": value.OfInt(today)}}, Burns: all}
			want := v.Meter(0)
			kept.At(now)
			if diff := cmp.Diff(want.Entries, kept.set[kept.lo:], cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("set (-want +got):\n%s", diff)
			}
			if kept.Used() != want.Used() || kept.Limit(today) != want.Limit || kept.ResetsAt(now) != want.ResetsAt {
				t.Fatalf("used %d of %d until %s, want %d of %d until %s", kept.Used(), kept.Limit(today), kept.ResetsAt(now), want.Used(), want.Limit, want.ResetsAt)
			}
			item := fmt.Sprint("a", 1+(n+rapid.IntRange(0, 3).Draw(t, "skip"))%items)
			if kept.Has(item) != want.Has(item) {
				t.Fatalf("%s is in the set: %v", item, kept.Has(item))
			}
			if !want.Has(item) && rapid.IntRange(0, 3).Draw(t, "burn") > 0 {
				one := v.Burn(0, item)
				kept.Burn(item, now, today)
				all.Add("m", one)
				if diff := cmp.Diff(all["m"], kept.Burns()); diff != "" {
					t.Fatalf("burns (-want +got):\n%s", diff)
				}
			}
		}
	})
}
