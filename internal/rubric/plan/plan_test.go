package plan_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/value"
	"pgregory.net/rapid"
)

// compile returns the plan of a program without errors.
func compile(t *testing.T, text string) *plan.Program {
	t.Helper()
	p := rubric.CheckText(map[string]string{"main": text}, schema.Default())
	if !p.OK() {
		t.Fatal(p.Render())
	}
	return p.Plan
}

// Equal parts exist once, whatever they are called and in which order they are
// written.
func TestInterning(t *testing.T) {
	p := compile(t, `
let reads = events |> where type == "page_view" and country == "DE"
let german(rows) = rows |> where "DE" == country
segment a = reads |> last 7d |> count >= 5
segment b = events |> last 7d |> where type == "page_view" |> german |> count > 10
segment c = not (5 > (reads |> last 14d |> last 7d |> count))
segment d = reads |> last 7d |> distinct item, day |> any
segment e = reads |> last 7d |> distinct day, item, day |> none
`)
	if n := len(p.Conditions); n != 2 {
		t.Errorf("%d conditions, want 2", n)
	}
	if n := len(p.Predicates); n != 1 {
		t.Errorf("%d predicates, want 1", n)
	}
	if n := len(p.Streams); n != 2 {
		t.Errorf("%d streams, want 2", n)
	}
	if n := len(p.Folds); n != 2 {
		t.Errorf("%d folds, want 2", n)
	}
	if diff := cmp.Diff([]int{0, 1, 2}, p.Folds[0].Segments); diff != "" {
		t.Errorf("segments of the first fold (-want +got):\n%s", diff)
	}
}

// A row is looked for by the value of one of its columns.
func TestLookup(t *testing.T) {
	p := compile(t, `
segment a = events |> where type == "x" |> any
segment b = events |> where type in ["x", "y", "x"] |> any
segment c = events |> where type == "x" or "z" == type or type in ["x"] |> any
segment d = events |> where properties.score == 3 |> any
segment e = events |> where type == "x" or country == "DE" |> any
segment f = events |> where type != "x" |> any
segment g = events |> where item.kind == "x" |> any
segment h = events |> where item == "x" |> any
`)
	var got []string
	for _, c := range p.Conditions {
		if c.Lookup != nil {
			got = append(got, c.Lookup.String())
		} else {
			got = append(got, "-")
		}
	}
	want := []string{`type["x"]`, `type["x" "y"]`, `type["x" "z"]`, `properties.score[3]`, "-", "-", "-", `item["x"]`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v := p.Conditions[3].Lookup.Values[0]; v.Type != value.Decimal {
		t.Errorf("a property is looked up by a %s", v.Type)
	}
}

const day = int64(24 * 3600_000)

// Reach is as far back as a row can matter, Age as old as one of the stream.
func TestReach(t *testing.T) {
	for text, want := range map[string][2]int64{
		`events |> any`:            {30 * day, 30 * day},
		`events |> last 7d |> any`: {7 * day, 7 * day},
		`events |> last 7d |> where type == "x" |> last 3d |> any`:                           {3 * day, 3 * day},
		`events |> per day |> any`:                                                           {day + 2*3600_000, day + 2*3600_000},
		`events |> then events within 1d |> last 7d |> any`:                                  {7 * day, 8 * day},
		`events |> last 2d |> then events within 1d |> last 7d |> any`:                       {7 * day, 7 * day},
		`events |> unless events within 1d |> last 7d |> any`:                                {7 * day, 7 * day},
		`events |> last 9d |> distinct item |> unless (events |> last 20d) within 1d |> any`: {9 * day, 9 * day},
		`events |> distinct item |> then (events |> last 2d) within 1h |> any`:               {2 * day, 30 * day},
		`events |> since 2026-03-01 |> any`:                                                  {30 * day, 30 * day},
	} {
		p := compile(t, "segment a = "+text)
		f := p.Folds[len(p.Folds)-1]
		s := p.Streams[f.Stream]
		if s.Age != want[0] || s.Reach != want[1] {
			t.Errorf("%s: age %s, reach %s, want %s, %s", text, value.FormatDuration(s.Age), value.FormatDuration(s.Reach), value.FormatDuration(want[0]), value.FormatDuration(want[1]))
		}
	}
}

// What a definition depends on includes what its segments do.
func TestUses(t *testing.T) {
	p := compile(t, `
segment fan = events |> where item.section == "sport" |> per week |> any
segment new = reader.first_seen > now - 7d
segment both = fan and new
meter m (limit: if both then 3 else 5) = burns |> per month |> distinct item
access story {
  allow again if item in m
  allow free if item.tier == "free"
  allow metered if m.left > 0 and events |> where item.section == request.item.section |> any burns m
  deny last
}
`)
	u := p.Segment("both").Uses
	if !u.Facts.Has(plan.Catalogue) || !u.Facts.Has(plan.Now) || !u.Facts.Has(plan.FirstSeen) || u.Facts.Has(plan.Registered) || !u.Periods.Has(value.Week) {
		t.Errorf("both: %s", &u)
	}
	if diff := cmp.Diff([]int{0}, u.AllFolds); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{1, 2}, p.ByFact[plan.FirstSeen]); diff != "" {
		t.Error(diff)
	}
	a := p.Access("story")
	if got := a.Clauses[2]; !got.Uses.PerRequest || got.Burns != 0 || len(got.Asks) != 1 || !got.Uses.Facts.Has(plan.AskedItem) || got.Uses.Facts.Has(plan.Request) {
		t.Errorf("metered: %s, asks %v", &got.Uses, got.Asks)
	}
	if !a.Clauses[0].Uses.Facts.Has(plan.FirstSeen) {
		t.Error("what a meter's limit depends on is not among what asking it does")
	}
	if p.Meter("m").Uses.AllSegments[2] != p.Segment("both").ID || p.Metric("m") != nil || p.Segment("m") != nil {
		t.Error("names")
	}
}

// A constant is worked out, what decides nothing goes.
func TestConstants(t *testing.T) {
	p := compile(t, `
let week = 7d
segment a = events |> last (week * 2) |> count >= 2 + 3 * 4
segment b = true and (reader.registered or false) and reader.registered
segment c = if 3 > 2 then reader.registered else events |> any
segment d = not not reader.registered
segment e = lower("ABC") == "abc" and contains("abc", "b") and not matches("abc", "x") and 5 / 2 == 2.5 and "a" in ["b", "a"] and hour(2026-03-01T10:30) == 10
`)
	if got := p.Streams[0].Stages[0].Window.Last; got != 14*day {
		t.Errorf("window %d", got)
	}
	for name, want := range map[string]string{"a": "less_same(14, fold[0])", "b": "reader.registered", "c": "reader.registered", "d": "reader.registered", "e": "true"} {
		if got := p.Segment(name).Expr.String(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// Until is the first instant at which a row is out of a window that it is in.
func TestWindow(t *testing.T) {
	zone, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Fatal(err)
	}
	c := value.Calendar{Zone: zone, WeekStart: time.Sunday}
	rapid.Check(t, func(t *rapid.T) {
		var w plan.Window
		if rapid.Bool().Draw(t, "last") {
			w.Last = rapid.Int64Range(1, 40*day).Draw(t, "D")
		}
		now := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() + rapid.Int64Range(0, 400*day).Draw(t, "now")
		if rapid.Bool().Draw(t, "since") {
			w.Since, w.HasSince = now-rapid.Int64Range(-day, 40*day).Draw(t, "since"), true
		}
		for p := range value.NumPeriods {
			if rapid.IntRange(0, 3).Draw(t, "period") == 0 {
				w.Periods = w.Periods.With(p)
			}
		}
		at := now - rapid.Int64Range(0, 35*day).Draw(t, "age")
		in := func(now int64) bool { return w.From(now, c) <= at && at <= now }
		if !in(now) {
			return
		}
		if now-at >= w.Span() {
			t.Errorf("a row of age %d is in a window of span %d", now-at, w.Span())
		}
		until := w.Until(at, now, c)
		if until <= now || !in(min(until, now+1000*day)-1) {
			t.Errorf("%+v: at %d a row of %d is out before %d", w, now, at, until)
		}
		if until < math.MaxInt64 && in(until) {
			t.Errorf("%+v: at %d a row of %d is in at %d", w, now, at, until)
		}
	})
}

// Nothing is written out that is shared, and what would be too much is refused
// before.
func TestSharedExpressions(t *testing.T) {
	var b strings.Builder
	b.WriteString("let a0 = (events |> count) + 1\n")
	for i := 1; i < 12; i++ {
		n := string(rune('a' + i))
		before := string(rune('a' + i - 1))
		b.WriteString("let " + n + "0 = " + before + "0 * " + before + "0\n")
	}
	p := compile(t, b.String()+"segment s = l0 > 5")
	e := p.Segment("s").Expr
	if e.Size != 4*1<<11+1 {
		t.Errorf("size %d", e.Size)
	}
	nodes := int64(0)
	e.Each(func(*plan.Expr) { nodes++ })
	if nodes != e.Size {
		t.Errorf("%d nodes, size %d", nodes, e.Size)
	}
}

func TestNames(t *testing.T) {
	for c := range plan.NumColumns {
		if got, ok := plan.ColumnByName(c.String()); got != c || !ok || c.Type() == value.Missing {
			t.Errorf("column %d is called %s", c, c)
		}
	}
	for f := range plan.NumFields {
		if got, ok := plan.FieldByName(f.String()); got != f || !ok || f.Type() == value.Missing {
			t.Errorf("field %d is called %s", f, f)
		}
	}
	if f, _ := plan.FieldByName("tag"); f != plan.FieldTags {
		t.Error("item.tag is not item.tags")
	}
	if _, ok := plan.ColumnByName("section"); ok {
		t.Error("there is a column section")
	}
	for op := plan.Const; op <= plan.Max; op++ {
		if op.String() == "" {
			t.Errorf("operation %d has no name", op)
		}
	}
}
