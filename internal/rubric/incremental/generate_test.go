package incremental

import (
	"fmt"
	"math"
	"regexp"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// generator makes programs.
type generator struct {
	choices
	b       *plan.Builder
	w       *world
	streams []int
	at      plan.Place
}

func newGenerator(w *world) *generator {
	return &generator{choices: w, w: w, b: plan.NewBuilder(nil, w.calendar, w.window)}
}

// program returns a program of a few segments.
func (g *generator) program() *plan.Program {
	n := 2 + g.pick(6)
	for i := range n {
		g.b.AddSegment(&plan.Segment{Name: fmt.Sprintf("s%d", i), Expr: g.boolean(2, i)})
	}
	return g.b.Program()
}

func (g *generator) expr(op plan.Op, t value.Type, args ...*plan.Expr) *plan.Expr {
	e := plan.Expr{Op: op, Type: t, Args: args}
	switch op {
	case plan.Add, plan.Sub, plan.Mul, plan.Neg, plan.Hour, plan.Weekday, plan.Lower, plan.Contains, plan.Size:
		for _, a := range args {
			e.Optional = e.Optional || a.Optional
		}
	case plan.Div:
		e.Optional = true
	}
	return g.b.Expr(e)
}

func (g *generator) of(v value.Value) *plan.Expr { return g.b.Const(v, g.at) }

func (g *generator) text(s string) *plan.Expr { return g.of(value.OfText(s)) }

func (g *generator) int(n int) *plan.Expr { return g.of(value.OfInt(int64(n))) }

func (g *generator) leaf(e plan.Expr) *plan.Expr { return g.b.Expr(e) }

func (g *generator) column(c plan.Column) *plan.Expr {
	return g.leaf(plan.Expr{Op: plan.RowColumn, Type: c.Type(), Optional: c.Optional(), Column: c})
}

func (g *generator) property(name string, t value.Type) *plan.Expr {
	return g.leaf(plan.Expr{Op: plan.RowProperty, Type: t, Optional: true, Name: name})
}

func (g *generator) field(f plan.Field) *plan.Expr {
	e := plan.Expr{Op: plan.RowItem, Type: f.Type(), Optional: f != plan.FieldID, Field: f}
	if e.Type == value.List {
		e.Elem = value.Text
	}
	return g.leaf(e)
}

func (g *generator) attribute(name string, t value.Type) *plan.Expr {
	return g.leaf(plan.Expr{Op: plan.RowAttribute, Type: t, Optional: true, Name: name})
}

// condition is a Boolean about a row.
func (g *generator) condition(depth int) *plan.Expr {
	const typed, country, path = plan.Column(event.ColType), plan.Column(event.ColCountry), plan.Column(event.ColPath)
	if depth > 0 && g.pick(3) == 0 {
		switch g.pick(3) {
		case 0:
			return g.expr(plan.Not, value.Bool, g.condition(depth-1))
		case 1:
			return g.expr(plan.Or, value.Bool, g.condition(depth-1), g.condition(depth-1))
		default:
			return g.expr(plan.And, value.Bool, g.condition(depth-1), g.condition(depth-1))
		}
	}
	equal := func(x, y *plan.Expr) *plan.Expr { return g.expr(plan.Equal, value.Bool, x, y) }
	less := func(x, y *plan.Expr) *plan.Expr { return g.expr(plan.Less, value.Bool, x, y) }
	texts := func() *plan.Expr { return g.of(value.OfTexts([]string{oneOf(g, words3...), oneOf(g, words3...)})) }
	switch g.pick(20) {
	case 0, 1, 2, 3:
		return equal(g.column(typed), g.text(oneOf(g, types...)))
	case 4, 5:
		return g.expr(plan.In, value.Bool, g.column(typed), g.of(value.OfTexts([]string{oneOf(g, types...), oneOf(g, types...)})))
	case 6:
		return g.expr(plan.In, value.Bool, g.column(country), texts())
	case 7:
		return equal(g.column(country), g.text(oneOf(g, words3...)))
	case 8:
		return equal(g.property("plan", value.Text), g.text(oneOf(g, words3...)))
	case 9:
		return less(g.property("price", value.Decimal), g.of(value.OfMicro(500_000)))
	case 10, 11:
		return equal(g.field(plan.FieldSection), g.text(oneOf(g, sections...)))
	case 12:
		return g.expr(plan.In, value.Bool, g.text(oneOf(g, words3...)), g.field(plan.FieldTags))
	case 13:
		return less(g.field(plan.FieldPublishedAt), g.column(plan.ColTime))
	case 14:
		return less(g.int(1), g.attribute("weight", value.Decimal))
	case 15:
		return g.expr(plan.LessSame, value.Bool, g.of(value.OfMicro(10*value.Micro)), g.column(plan.ColEngagedSeconds))
	case 16:
		return g.expr(plan.Has, value.Bool, g.column(oneOf(g, country, plan.Column(event.ColItem), plan.ColEngagedSeconds)))
	case 17:
		return g.leaf(plan.Expr{Op: plan.Matches, Type: value.Bool, Optional: true, Args: []*plan.Expr{g.column(path)}, Name: "^/de", Regexp: regexp.MustCompile("^/de")})
	case 18:
		return equal(g.property("note", value.Text), oneOf(g, g.column(country), g.text("de")))
	default:
		return oneOf(g, g.column(plan.ColStartsVisit), less(g.expr(plan.Hour, value.Int, g.column(plan.ColTime)), g.int(12)))
	}
}

// limit is what a count is compared with, mostly one that it reaches now and then.
func (g *generator) limit() *plan.Expr {
	switch g.pick(8) {
	case 0:
		return g.int(5 + g.pick(12))
	case 1:
		return g.of(value.OfInt(oneOf[int64](g, -1, -3e18, -7e18, math.MinInt64, math.MaxInt64)))
	default:
		return g.int(g.pick(5))
	}
}

var spans = []int64{minute, hour, day, 2 * day, 7 * day, 1000}

func (g *generator) window() plan.Window {
	switch g.pick(4) {
	case 0:
		return plan.Window{Periods: plan.Periods(0).With(value.Period(g.pick(int(value.NumPeriods))))}
	case 1:
		return plan.Window{Since: g.w.now - int64(g.pick(3))*day, HasSince: true}
	default:
		return plan.Window{Last: min(oneOf(g, spans...), g.w.window)}
	}
}

func (g *generator) keys() []*plan.Expr {
	keys := []*plan.Expr{
		g.column(plan.Column(event.ColItem)), g.field(plan.FieldID), g.column(plan.ColDay), g.column(plan.ColWeek), g.column(plan.ColVisit),
		g.field(plan.FieldSection), g.column(plan.Column(event.ColCountry)), g.column(plan.Column(event.ColPath)), g.property("plan", value.Any),
	}
	out := []*plan.Expr{oneOf(g, keys...)}
	if g.pick(3) == 0 {
		out = append(out, oneOf(g, keys...))
	}
	return out
}

// stream returns a stream; those before may be parts of it.
func (g *generator) stream() int {
	var written []plan.Written
	distinct := false
	for range g.pick(5) {
		switch g.pick(7) {
		case 0, 1:
			written = append(written, plan.Written{Kind: plan.Filter, Where: []*plan.Expr{g.condition(1)}})
		case 2, 3:
			if !distinct {
				written = append(written, plan.Written{Kind: plan.Filter, Window: g.window()})
			}
		case 4:
			distinct = true
			written = append(written, plan.Written{Kind: plan.Distinct, Keys: g.keys()})
		case 5:
			if len(g.streams) > 0 {
				distinct = false
				written = append(written, plan.Written{Kind: plan.Then, Other: oneOf(g, g.streams...), Within: oneOf(g, spans[:4]...)})
			}
		case 6:
			if len(g.streams) > 0 {
				written = append(written, plan.Written{Kind: plan.Unless, Other: oneOf(g, g.streams...), Within: oneOf(g, spans[:4]...)})
			}
		}
	}
	id := g.b.Stream(plan.Events, written, "", g.at)
	if size := len(g.streams); size < 6 {
		g.streams = append(g.streams, id)
	}
	return id
}

func (g *generator) fold(end plan.End, of *plan.Expr, t value.Type) *plan.Expr {
	if len(g.streams) == 0 {
		g.stream()
	}
	id := g.b.Fold(g.stream(), end, of, t, g.at)
	optional := end == plan.Avg || end >= plan.Least
	return g.leaf(plan.Expr{Op: plan.FoldValue, Type: t, Optional: optional, Ref: id})
}

// boolean is a Boolean about a reader.
func (g *generator) boolean(depth, segments int) *plan.Expr {
	if depth > 0 && g.pick(2) == 0 {
		x, y := g.boolean(depth-1, segments), g.boolean(depth-1, segments)
		switch g.pick(5) {
		case 0:
			return g.expr(plan.Not, value.Bool, x)
		case 1, 2:
			return g.expr(plan.And, value.Bool, x, y)
		case 3:
			return g.expr(plan.Or, value.Bool, x, y)
		default:
			return g.expr(plan.If, value.Bool, g.boolean(0, segments), x, y)
		}
	}
	less := oneOf(g, plan.Less, plan.LessSame)
	swap := func(op plan.Op, x, y *plan.Expr) *plan.Expr {
		if g.pick(2) == 0 {
			x, y = y, x
		}
		return g.expr(op, value.Bool, x, y)
	}
	now := g.leaf(plan.Expr{Op: plan.TimeNow, Type: value.Time})
	span := g.of(value.OfDuration(oneOf(g, spans...)))
	switch g.pick(18) {
	case 0, 1, 2, 3:
		return swap(less, g.fold(plan.Count, nil, value.Int), g.limit())
	case 4:
		return g.fold(plan.Any, nil, value.Bool)
	case 5:
		return g.expr(plan.Equal, value.Bool, g.fold(plan.Count, nil, value.Int), g.int(g.pick(3)))
	case 6:
		of := oneOf(g, g.column(plan.ColEngagedSeconds), g.property("price", value.Decimal))
		return swap(less, g.fold(oneOf(g, plan.Sum, plan.Avg, plan.Least, plan.Greatest), of, value.Decimal), g.of(value.OfMicro(int64(g.pick(4))*10*value.Micro)))
	case 7:
		of := g.column(oneOf(g, plan.Column(event.ColCountry), plan.Column(event.ColPath)))
		return swap(less, g.fold(oneOf(g, plan.First, plan.Latest, plan.Least, plan.Greatest), of, value.Text), g.text(oneOf(g, words3...)))
	case 8:
		of := g.fold(oneOf(g, plan.First, plan.Latest), g.column(plan.ColTime), value.Time)
		return swap(less, of, g.expr(plan.Sub, value.Time, now, span))
	case 9:
		return g.leaf(plan.Expr{Op: plan.ReaderRegistered, Type: value.Bool})
	case 10:
		return g.expr(plan.ReaderEntitled, value.Bool, g.text("premium"))
	case 11:
		by := g.leaf(plan.Expr{Op: plan.ReaderEntitledBy, Type: value.Text, Optional: true, Args: []*plan.Expr{g.text("premium")}})
		return g.expr(plan.Equal, value.Bool, by, g.text("grace"))
	case 12:
		trait := g.leaf(plan.Expr{Op: plan.ReaderTrait, Type: value.Text, Optional: true, Name: "city"})
		return g.expr(plan.Equal, value.Bool, trait, g.text(oneOf(g, words3...)))
	case 13:
		seen := g.leaf(plan.Expr{Op: plan.ReaderFirstSeen, Type: value.Time, Optional: true})
		return swap(less, g.expr(plan.Sub, value.Duration, now, seen), span)
	case 14:
		return swap(less, g.expr(oneOf(g, plan.Hour, plan.Weekday), value.Int, now), g.int(1+g.pick(12)))
	case 15:
		arm := g.leaf(plan.Expr{Op: plan.ExperimentArm, Type: value.Int, Name: "x", Ref: 2})
		return g.expr(plan.Equal, value.Bool, arm, g.int(1))
	case 16:
		ratio := g.expr(plan.Div, value.Decimal, g.fold(plan.Count, nil, value.Int), g.fold(plan.Count, nil, value.Int))
		return swap(less, ratio, g.of(value.OfMicro(value.Micro/2)))
	default:
		if segments == 0 {
			return g.fold(plan.Any, nil, value.Bool)
		}
		return g.leaf(plan.Expr{Op: plan.SegmentMember, Type: value.Bool, Ref: g.pick(segments)})
	}
}
