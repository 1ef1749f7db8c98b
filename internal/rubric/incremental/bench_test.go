package incremental

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// columnar is a Table as the engine has one: rows are numbers into columns of
// codes.
type columnar struct {
	codes  [][]uint32 // by input
	texts  []value.Value
	fields []value.Value // section by item
}

func (c *columnar) Codes(in int, rows []Entry, codes []uint32) bool {
	of := c.codes[in]
	for i := range rows {
		codes[i] = of[rows[i].Row]
	}
	return true
}

func (c *columnar) Decode(_ int, code uint32) value.Value { return c.texts[code] }
func (c *columnar) Value(in int, r Row) value.Value       { return c.texts[c.codes[in][r]] }

func (c *columnar) Field(item uint32, _ plan.Field) value.Value { return c.fields[item] }

func (c *columnar) Attribute(uint32, string) value.Value { return value.Value{} }

// chain is a reader whose rows are in order.
type chain struct {
	*subject
	entries []Entry
}

func (c *chain) Late() int64 { return 0 }

func (c *chain) Rows(dst []Entry, from int64, _ int) []Entry {
	for _, e := range slices.Backward(c.entries) {
		if e.Time < from {
			break
		}
		dst = append(dst, e)
	}
	return dst
}

const (
	benchNow   = int64(1_790_000_000_000)
	benchItems = 500
)

// bench is a program's evaluator with one reader of n rows over 25 days.
func bench(b *testing.B, rows int, define func(g *generator)) (*Evaluator, *chain, *State) {
	b.Helper()
	w := &world{now: benchNow, calendar: value.Calendar{Zone: time.UTC, WeekStart: time.Monday}, window: 30 * day}
	g := newGenerator(w)
	define(g)
	e := New(g.b.Program(), nil)
	t := &columnar{texts: make([]value.Value, 1)}
	code := map[string]uint32{}
	codeOf := func(text string) uint32 {
		if code[text] == 0 {
			code[text] = uint32(len(t.texts))
			t.texts = append(t.texts, value.OfText(text))
		}
		return code[text]
	}
	for i := range benchItems {
		t.fields = append(t.fields, value.OfText(fmt.Sprintf("section%d", i%100)))
	}
	c := &chain{subject: &subject{name: "s"}}
	t.codes = make([][]uint32, len(e.Inputs()))
	for i := range rows {
		c.entries = append(c.entries, Entry{Time: benchNow - int64(rows-1-i)*25*day/int64(rows), Sequence: uint64(i), Row: Row(i)})
		for in := range t.codes {
			text := "page_view"
			switch column := e.Inputs()[in].Column; {
			case in == ItemInput:
				t.codes[in] = append(t.codes[in], uint32(1+i*7%(benchItems-1)))
				continue
			case e.Inputs()[in].Property != "" || column == plan.Column(event.ColCountry):
				text = fmt.Sprintf("value%d", i%100)
			case column == plan.Column(event.ColItem):
				text = fmt.Sprintf("item%d", i*7%benchItems)
			}
			t.codes[in] = append(t.codes[in], codeOf(text))
		}
	}
	e.Bind(t)
	s := &State{}
	e.Reset(c, benchNow, s)
	b.ReportAllocs()
	return e, c, s
}

func (g *generator) reads() *plan.Expr {
	return g.expr(plan.Equal, value.Bool, g.column(plan.Column(event.ColType)), g.text("page_view"))
}

func (g *generator) inSection(n int) *plan.Expr {
	return g.expr(plan.Equal, value.Bool, g.field(plan.FieldSection), g.text(fmt.Sprintf("section%d", n)))
}

// counting adds a segment of readers with so many rows in a window.
func (g *generator) counting(limit int, last int64, distinct bool, where ...*plan.Expr) {
	written := []plan.Written{{Kind: plan.Filter, Where: where, Window: plan.Window{Last: last}}}
	if distinct {
		written = append(written, plan.Written{Kind: plan.Distinct, Keys: []*plan.Expr{g.column(plan.Column(event.ColItem))}})
	}
	id := g.b.Fold(g.b.Stream(plan.Events, written, "", g.at), plan.Count, nil, value.Int, g.at)
	count := g.leaf(plan.Expr{Op: plan.FoldValue, Type: value.Int, Ref: id})
	g.b.AddSegment(&plan.Segment{Name: fmt.Sprintf("s%d_%d", id, limit), Expr: g.expr(plan.LessSame, value.Bool, g.int(limit), count)})
}

// BenchmarkPredicate asks whether one predicate of three conditions holds for a
// row.
func BenchmarkPredicate(b *testing.B) {
	e, c, _ := bench(b, 200, func(g *generator) {
		country := g.expr(plan.Equal, value.Bool, g.column(plan.Column(event.ColCountry)), g.text("value3"))
		g.counting(3, 7*day, false, g.reads(), country, g.inSection(21))
	})
	set := e.NewSet()
	row := 0
	for b.Loop() {
		clear(set)
		e.Match(c.entries[row], set)
		row = (row + 1) % len(c.entries)
	}
}

// BenchmarkCold works 100 segments out for a reader with 200 rows of whom nothing
// is known.
func BenchmarkCold(b *testing.B) {
	e, c, s := bench(b, 200, func(g *generator) {
		for i := range 100 {
			switch i % 4 {
			case 0:
				g.counting(i, int64(1+i%28)*day, true, g.reads())
			case 1:
				g.counting(2, int64(1+i%28)*day, false, g.reads(), g.inSection(i))
			case 2:
				country := g.expr(plan.Equal, value.Bool, g.column(plan.Column(event.ColCountry)), g.text(fmt.Sprintf("value%d", i)))
				g.counting(1, int64(1+i%28)*day, true, country)
			default:
				g.counting(i, int64(1+i%28)*day, false)
			}
		}
	})
	for b.Loop() {
		e.Reset(c, benchNow, s)
	}
}

// BenchmarkMatching applies an event that 10 of 1,000 predicates hold for, to a
// reader with 30 rows.
func BenchmarkMatching(b *testing.B) {
	e, c, s := bench(b, 30, func(g *generator) {
		for i := range 1000 {
			g.counting(1+i/100, int64(1+i%28)*day, false, g.reads(), g.inSection(i%100))
		}
	})
	benchEvent(b, e, c, s)
}

// BenchmarkCounting applies an event over whose stream 1,000 segments count, in
// 50 windows with 20 limits each, to a reader with 30 rows.
func BenchmarkCounting(b *testing.B) {
	e, c, s := bench(b, 30, func(g *generator) {
		for i := range 1000 {
			g.counting(1+i/50, int64(1+i%50)*day/2, false, g.reads())
		}
	})
	benchEvent(b, e, c, s)
}

// benchEvent takes the reader's last row for one that arrives.
func benchEvent(b *testing.B, e *Evaluator, c *chain, s *State) {
	set := e.NewSet()
	e.Match(c.entries[len(c.entries)-1], set)
	var changes []Change
	row := c.entries[len(c.entries)-1:]
	for b.Loop() {
		changes = e.Arrived(c, row, benchNow, s, changes[:0])
	}
	b.ReportMetric(float64(set.Len()), "segments")
}
