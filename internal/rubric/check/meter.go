package check

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

func (c *checker) meter(d *definition, m *ast.Meter) bool {
	en := &env{position: position{place: inLimit}, file: d.file}
	out := &plan.Meter{Name: d.name.Text, Place: en.at(m)}
	ok := c.options(en, "a meter", m.Options, map[string]func(*ast.Option) bool{
		"limit": func(o *ast.Option) bool {
			x := c.eval(en, o.Value)
			if !c.noArgument(en, o) || !c.there(en, &x, value.Int, "as a limit") {
				return false
			}
			out.Limit = x.expr
			c.lowerForRegistered(en, o.Value, x.expr)
			return c.sensibleLimit(en, o.Value, x.expr)
		},
		"merge": func(o *ast.Option) bool {
			i := c.word(en, o, plan.Merges)
			out.Merge = plan.Merge(max(i, 0))
			return c.noArgument(en, o) && i >= 0
		},
		"sticky": func(o *ast.Option) bool {
			b, isBool := o.Value.(*ast.Bool)
			if !isBool {
				c.fail(en, o.Value, "option", "", "expected `true` or `false` as `sticky`, found `%s`", c.files[en.file].Slice(o.Value.Range()))
				return false
			}
			out.Sticky = b.Value
			return c.noArgument(en, o)
		},
	})
	if ok && out.Limit == nil {
		c.errorAt(d.at(), "meter", "such as `meter "+d.name.Text+" (limit: 5) = …`", "a meter has a limit, `%s` has none", d.name.Text)
		ok = false
	}
	if !c.meterRows(d, m, out) || !ok {
		return false
	}
	d.index = c.b.AddMeter(out).ID
	return true
}

// meterRows takes `burns |> WINDOW |> distinct item`.
func (c *checker) meterRows(d *definition, m *ast.Meter, out *plan.Meter) bool {
	en := &env{position: position{place: inBurns}, file: d.file}
	x := c.eval(en, m.Body)
	switch {
	case x.bad():
		return false
	case x.kind != isRows || !x.rows.burns:
		c.failAt(en, x.at, "meter", "such as `burns |> per month |> distinct item`", "expected `burns |> …` in a meter, found %s", x.found())
		return false
	case x.rows.window.IsZero() && x.rows.fromFirst == 0:
		c.failAt(en, x.at, "meter", "such as `burns |> per month |> distinct item`", "a meter has a window: `last`, `per` or `from_first`")
		return false
	case x.rows.distinct == nil:
		c.failAt(en, x.at, "meter", "write `|> distinct item` at its end", "a meter counts each item once")
		return false
	}
	out.Window, out.FromFirst = x.rows.window, x.rows.fromFirst
	return true
}

func (c *checker) sensibleLimit(en *env, n ast.Node, limit *plan.Expr) bool {
	if limit.IsConst() && limit.Value.N < 0 {
		c.fail(en, n, "meter", "", "a limit is 0 or more, found %s", limit.Value)
		return false
	}
	if most, _ := limit.Most(); most > plan.MaxLimit { // a reader's own numbers are held to it when they are known
		c.fail(en, n, "meter", "leave the meter out for readers without a limit", "a limit is %d at most, found %d", plan.MaxLimit, most)
		return false
	}
	return true
}

// lowerForRegistered warns of a limit that is lower for a registered reader than
// for others, whatever else is true.
func (c *checker) lowerForRegistered(en *env, n ast.Node, limit *plan.Expr) {
	_, most, ok := bounds(limit, true)
	least, _, fine := bounds(limit, false)
	if ok && fine && most < least {
		c.warn(en, n, "lower_limit", "", "the limit of registered readers is lower (%d at most) than that of anonymous ones (%d at least)", most, least)
	}
}

// bounds returns the range of a limit for a registered reader or another one. ok
// is false where it is not known.
func bounds(e *plan.Expr, registered bool) (least, most int64, ok bool) {
	switch e.Op {
	case plan.Const:
		return e.Value.N, e.Value.N, e.Type == value.Int
	case plan.If:
		truth, known := holds(e.Args[0], registered)
		if known && truth {
			return bounds(e.Args[1], registered)
		} else if known {
			return bounds(e.Args[2], registered)
		}
		a, b, ok := bounds(e.Args[1], registered)
		x, y, fine := bounds(e.Args[2], registered)
		return min(a, x), max(b, y), ok && fine
	case plan.Add:
		a, b, ok := bounds(e.Args[0], registered)
		x, y, fine := bounds(e.Args[1], registered)
		return a + x, b + y, ok && fine
	default:
		return 0, 0, false
	}
}

// holds tells whether a condition is true or false for a registered reader or
// another one, whatever else is the case; known is false if it may be both.
func holds(e *plan.Expr, registered bool) (truth, known bool) {
	switch e.Op {
	case plan.Const:
		return e.IsTrue(), true
	case plan.ReaderRegistered:
		return registered, true
	case plan.Not:
		truth, known = holds(e.Args[0], registered)
		return !truth, known
	case plan.And, plan.Or:
		known = true
		for _, a := range e.Args {
			t, k := holds(a, registered)
			if k && t == (e.Op == plan.Or) {
				return t, true
			}
			known = known && k
		}
		return e.Op == plan.And, known
	default:
		return false, false
	}
}
