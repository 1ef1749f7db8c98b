package fold_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

func TestStages(t *testing.T) {
	item := plan.Column(event.ColItem)
	for _, c := range []struct {
		name   string
		stages func(b builder) []plan.Written
		rows   string
		now    string
		want   string
	}{
		{"a row of the future is not seen until it is now", func(b builder) []plan.Written { return nil },
			"02T10:00 x, 02T10:01 x", "02T10:00", "02T10:00"},
		{"where keeps what holds", func(b builder) []plan.Written { return []plan.Written{b.ofType("x")} },
			"02T10:00 x, 02T10:01 y, 02T10:02 x", "03T00:00", "02T10:00 02T10:02"},
		{"last: its beginning is out, now is in", func(builder) []plan.Written { return []plan.Written{last(hour)} },
			"02T09:00 x, 02T09:01 x, 02T10:00 x", "02T10:00", "02T09:01 02T10:00"},
		{"since: its beginning is in", func(builder) []plan.Written { return []plan.Written{since(at(t, "02T09:01"))} },
			"02T09:00 x, 02T09:01 x, 02T10:00 x", "02T10:00", "02T09:01 02T10:00"},
		{"per day: from midnight", func(builder) []plan.Written { return []plan.Written{per(value.Day)} },
			"01T23:59 x, 02T00:00 x", "02T10:00", "02T00:00"},
		{"per week: from Monday", func(builder) []plan.Written { return []plan.Written{per(value.Week)} },
			"01T23:59 x, 02T00:00 x", "08T23:59", "02T00:00"},
		{"the windows of two stages both hold", func(builder) []plan.Written { return []plan.Written{last(day), per(value.Day)} },
			"01T23:00 x, 02T00:30 x", "02T10:00", "02T00:30"},
		{"distinct keeps the earliest, and drops what has no key", func(b builder) []plan.Written { return []plan.Written{distinct(b.column(item))} },
			"02T10:00 x a, 02T10:01 x b, 02T10:02 x a, 02T10:03 x", "03T00:00", "02T10:00 02T10:01"},
		{"distinct of what a window leaves", func(b builder) []plan.Written { return []plan.Written{last(day), distinct(b.column(item))} },
			"01T10:00 x a, 02T10:00 x a", "02T11:00", "02T10:00"},
		{"distinct by two keys", func(b builder) []plan.Written {
			return []plan.Written{distinct(b.column(item), b.column(plan.ColDay))}
		}, "02T10:00 x a, 02T11:00 x a, 03T10:00 x a", "04T00:00", "02T10:00 03T10:00"},
		{"where after distinct asks the earliest", func(b builder) []plan.Written {
			return []plan.Written{distinct(b.column(item)), b.ofType("y")}
		}, "02T10:00 x a, 02T11:00 y a, 02T12:00 y b", "03T00:00", "02T12:00"},
		{"then keeps the second row: not at one instant, the bound is in", func(b builder) []plan.Written {
			return []plan.Written{b.ofType("a"), then(b.stream(b.ofType("b")), 30*minute)}
		}, "02T10:00 a, 02T10:00 b, 02T10:30 b, 02T10:31 b", "03T00:00", "02T10:30"},
		{"then keeps each row once", func(b builder) []plan.Written {
			return []plan.Written{b.ofType("a"), then(b.stream(b.ofType("b")), 30*minute)}
		}, "02T10:00 a, 02T10:01 a, 02T10:02 b, 02T10:03 b", "03T00:00", "02T10:02 02T10:03"},
		{"a window before then looks at the first row", func(b builder) []plan.Written {
			return []plan.Written{b.ofType("a"), last(hour), then(b.stream(b.ofType("b")), day)}
		}, "02T08:30 a, 02T09:30 b, 02T09:45 a, 02T09:50 b", "02T10:00", "02T09:50"},
		{"a window after then looks at the second", func(b builder) []plan.Written {
			return []plan.Written{b.ofType("a"), then(b.stream(b.ofType("b")), day), last(hour)}
		}, "02T08:30 a, 02T08:40 b, 02T09:30 b", "02T10:00", "02T09:30"},
		{"unless waits for its time to pass", func(b builder) []plan.Written {
			return []plan.Written{b.ofType("a"), unless(b.stream(b.ofType("b")), hour)}
		}, "02T08:59 a, 02T09:00 a, 02T09:01 a", "02T10:00", "02T08:59 02T09:00"},
		{"unless: one at the same instant or later than its time does nothing", func(b builder) []plan.Written {
			return []plan.Written{b.ofType("a"), unless(b.stream(b.ofType("b")), hour)}
		}, "02T08:00 a, 02T08:00 b, 02T09:01 b", "02T12:00", "02T08:00"},
		{"unless: one at the end of its time does", func(b builder) []plan.Written {
			return []plan.Written{b.ofType("a"), unless(b.stream(b.ofType("b")), hour)}
		}, "02T08:00 a, 02T09:00 b", "02T12:00", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBuilder(t, "UTC")
			id := b.stream(c.stages(b)...)
			if got := times(view(b.Program(), at(t, c.now), rows(t, c.rows)).Stream(id)); got != c.want {
				t.Errorf("rows %q, want %q", got, c.want)
			}
		})
	}
}

// Rows older than the site's window have left it.
func TestSiteWindow(t *testing.T) {
	b := newBuilder(t, "UTC")
	id := b.stream()
	p := b.Program()
	p.Window = day
	if got := times(view(p, at(t, "02T10:00"), rows(t, "01T10:00 x, 01T10:01 x")).Stream(id)); got != "01T10:01" {
		t.Errorf("rows %q", got)
	}
}

// Calendars are the site's: days of 23 and 25 hours, a leap day, months of
// different lengths, weeks from Monday.
func TestCalendarWindows(t *testing.T) {
	for _, c := range []struct {
		name, zone string
		period     value.Period
		first      string // the first instant of the period
		now        string
	}{
		{"clocks forward in Berlin", "Europe/Berlin", value.Day, "2026-03-29T00:00:00+01:00", "2026-03-29T23:59:00+02:00"},
		{"clocks back in Berlin", "Europe/Berlin", value.Day, "2026-10-25T00:00:00+02:00", "2026-10-25T23:59:00+01:00"},
		{"clocks forward in New York", "America/New_York", value.Day, "2026-03-08T00:00:00-05:00", "2026-03-08T23:59:00-04:00"},
		{"midnight left out in Santiago", "America/Santiago", value.Day, "2026-09-06T01:00:00-03:00", "2026-09-06T12:00:00-03:00"},
		{"a leap day", "Europe/Berlin", value.Day, "2028-02-29T00:00:00+01:00", "2028-02-29T12:00:00+01:00"},
		{"February of a leap year", "Europe/Berlin", value.Month, "2028-02-01T00:00:00+01:00", "2028-02-29T23:59:00+01:00"},
		{"February of another", "Europe/Berlin", value.Month, "2026-02-01T00:00:00+01:00", "2026-02-28T23:59:00+01:00"},
		{"the 31st", "Europe/Berlin", value.Month, "2026-03-01T00:00:00+01:00", "2026-03-31T23:59:00+02:00"},
		{"a week over a change of clocks", "Europe/Berlin", value.Week, "2026-03-23T00:00:00+01:00", "2026-03-29T23:59:00+02:00"},
		{"a week over the end of a year", "Europe/Berlin", value.Week, "2025-12-29T00:00:00+01:00", "2026-01-01T12:00:00+01:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBuilder(t, c.zone)
			count := b.fold(b.stream(per(c.period)), plan.Count, nil, value.Int)
			first := at(t, c.first)
			r := rows(t, c.first+" x")
			before := rows(t, c.first+" x")
			before.Add(newRow(first - 1))
			p := b.Program()
			if got := view(p, at(t, c.now), r).Expr(count).N; got != 1 {
				t.Errorf("the first instant is out")
			}
			if got := view(p, at(t, c.now), before).Expr(count).N; got != 1 {
				t.Errorf("the instant before is in")
			}
			if got := view(p, first-1, before).Expr(count).N; got != 1 {
				t.Errorf("before the period began, the row of then is in: %d", got)
			}
		})
	}
}

// TestFewRowsAreRead: of a reader with very many rows, whose other folds are known, no
// more are read than the streams that are asked look back, and they say the same.
func TestFewRowsAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := func() string {
			return rapid.SampledFrom([]string{"", " |> last 3h", " |> last 2d", " |> per day"}).Draw(t, "window")
		}
		stream := `(events |> where type == "x" and item.id == request.item.id` + window() + `)`
		switch rapid.IntRange(0, 3).Draw(t, "stages") {
		case 0:
			stream += ` |> then (events |> where type == "y") within 5h` + window()
		case 1:
			stream += ` |> unless (events |> where type == "y"` + window() + `) within 5h`
		case 2:
			stream += ` |> distinct item`
		}
		p := program(t, "access a {\n allow one if ("+stream+" |> count) == 1\n allow two if (events |> where item.id == request.item.id"+window()+
			" |> count) == 2\n deny all\n}")
		var all memory.Rows
		for range rapid.IntRange(10, 60).Draw(t, "rows") {
			all.Add(memory.NewRow(100*hour-hour/2*rapid.Int64Range(0, rapid.SampledFrom([]int64{8, 100}).Draw(t, "oldest")).Draw(t, "age"), rapid.SampledFrom([]string{"x", "y"}).Draw(t, "type"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "item")))
		}
		now := 100 * hour
		whole := view(p, now, all)
		few := view(p, now, nil)
		reads := 0
		few.Load = func(from int64) (out []fold.Row) {
			reads++
			for _, r := range all {
				if r.Time() >= from {
					out = append(out, r)
				}
			}
			return out
		}
		if rapid.Bool().Draw(t, "very many") {
			few.Folded = func(int) (of value.Value, known bool) { return of, false }
		}
		for _, v := range []*fold.View{whole, few} {
			v.Item = "a"
		}
		for id := range p.Folds {
			if got, want := few.Fold(id), whole.Fold(id); got != want {
				t.Fatalf("%s, of all rows %s", got, want)
			}
		}
		if reads > 2 || reads > 1 && few.Folded == nil {
			t.Fatalf("rows are read %d times", reads)
		}
	})
}
