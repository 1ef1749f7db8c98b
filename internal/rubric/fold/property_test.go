package fold_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

const streamsText = `
let a = events |> where type == "a"
let b = events |> where type == "b"
let c = events |> where type == "c"
segment s1 = a |> last 2d |> count >= 2
segment s2 = events |> where type in ["a", "b"] |> distinct item |> last_item
segment s3 = a |> then b within 1d |> last 2d |> any
segment s4 = a |> last 2d |> then b within 1d |> any
segment s5 = a |> unless b within 1d |> per week |> count >= 2
segment s6 = a |> then (b |> unless c within 12h) within 1d |> last 3d |> distinct item |> any
segment s7 = a |> last 2d |> distinct item, day |> count >= 2
segment s8 = a |> unless (b |> then c within 1d) within 1d |> last 4d |> any
let last_item(rows) = rows |> count >= 2
`

// streamRows draws rows of three types about three items, some at one instant.
func streamRows(t *rapid.T) memory.Rows {
	var out memory.Rows
	for range rapid.IntRange(0, 25).Draw(t, "rows") {
		at := 3 * hour * rapid.Int64Range(0, 80).Draw(t, "time")
		item := rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(t, "item")
		out.Add(memory.NewRow(at, rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "type"), item))
	}
	return out
}

// What a plan says of a stream is true of what the stream means: rows older than
// its reach, rows that no base holds for and rows of the future change nothing,
// and none of its rows is older than its age.
func TestWhatStreamsDependOn(t *testing.T) {
	p := program(t, streamsText)
	rapid.Check(t, func(t *rapid.T) {
		all := streamRows(t)
		now := 3 * hour * rapid.Int64Range(0, 90).Draw(t, "now")
		v := view(p, now, all)
		for _, s := range p.Streams {
			want := v.Stream(s.ID)
			for _, r := range want {
				if now-r.Time() > s.Age {
					t.Fatalf("stream %d has a row of age %d", s.ID, now-r.Time())
				}
			}
			matter := slices.DeleteFunc(slices.Clone(all), func(r fold.Row) bool {
				return now-r.Time() > s.Reach || r.Time() > now || !slices.ContainsFunc(s.Bases, func(b int) bool { return v.Predicate(b, r) })
			})
			if got := view(p, now, matter).Stream(s.ID); !slices.Equal(got, want) {
				t.Fatalf("stream %d: %s of the rows that matter, %s of all", s.ID, times(got), times(want))
			}
		}
	})
}

// The definitions of the stages once more, in terms of sets of times, for two
// types of rows.
func TestStagesByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.Int64Range(1, 25).Draw(t, "within")
		p := program(t, fmt.Sprintf(`
segment followed = events |> where type == "a" |> then (events |> where type == "b") within %[1]dh |> any
segment waited   = events |> where type == "a" |> unless (events |> where type == "b") within %[1]dh |> any
`, d))
		var all memory.Rows
		has := map[string]map[int64]int{"a": {}, "b": {}}
		for range rapid.IntRange(0, 15).Draw(t, "rows") {
			typ, h := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "type"), rapid.Int64Range(0, 60).Draw(t, "hour")
			all.Add(memory.NewRow(h*hour, typ, ""))
			has[typ][h]++
		}
		now := rapid.Int64Range(0, 70).Draw(t, "now")
		followed, waited := 0, 0
		for h := range now + 1 { // hour by hour
			near := func(typ string, from, to int64) (n int) {
				for h := from; h <= to; h++ {
					n += has[typ][h]
				}
				return n
			}
			if near("a", h-d, h-1) > 0 {
				followed += has["b"][h]
			}
			if h+d <= now && near("b", h+1, h+d) == 0 {
				waited += has["a"][h]
			}
		}
		v := view(p, now*hour, all)
		stream := func(name string) int {
			return len(v.Stream(p.Folds[p.Segment(name).Uses.Folds[0]].Stream))
		}
		if stream("followed") != followed || stream("waited") != waited {
			t.Fatalf("then %d, want %d; unless %d, want %d", stream("followed"), followed, stream("waited"), waited)
		}
	})
}

// A window and a day of the calendar, against a loop over hours; the days of
// Berlin around both changes of its clocks.
func TestPeriodsByDefinition(t *testing.T) {
	z := newBuilder(t, "Europe/Berlin").Calendar().Zone
	rapid.Check(t, func(t *rapid.T) {
		b := plan.NewBuilder(nil, value.Calendar{Zone: z}, 400*day)
		counts := map[string]*plan.Expr{}
		for name, w := range map[string]plan.Written{"day": per(value.Day), "week": per(value.Week), "month": per(value.Month)} {
			id := b.Fold(b.Stream(plan.Events, []plan.Written{w}, "", plan.Place{}), plan.Count, nil, value.Int, plan.Place{})
			counts[name] = b.Expr(plan.Expr{Op: plan.FoldValue, Type: value.Int, Ref: id})
		}
		p := b.Program()
		start := rapid.SampledFrom([]int64{1774400400, 1792400400, 1835300000}).Draw(t, "days before a change of clocks, or a leap day") * 1000
		var all memory.Rows
		for h := range int64(24 * 12) {
			all.Add(memory.NewRow(start+h*hour, "x", ""))
		}
		now := start + rapid.Int64Range(0, 24*12*60).Draw(t, "minutes")*minute
		local := p.At(now)
		want := map[string]int64{}
		for _, r := range all {
			if r.Time() > now {
				continue
			}
			at := p.At(r.Time())
			same := func(name string, yes bool) {
				if yes {
					want[name]++
				}
			}
			sunday := local.AddDate(0, 0, -int(local.Weekday()))
			same("day", at.YearDay() == local.YearDay())
			same("week", at.Format("2006-01-02") >= sunday.Format("2006-01-02"))
			same("month", at.Month() == local.Month())
		}
		for name, e := range counts {
			if got := view(p, now, all).Expr(e).N; got != want[name] {
				t.Fatalf("%s at %s: %d rows, want %d", name, local, got, want[name])
			}
		}
	})
}
