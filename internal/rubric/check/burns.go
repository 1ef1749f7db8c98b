package check

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/value"
)

// burnsStage takes what may follow `burns`: one window, then `distinct item`.
func (c *checker) burnsStage(en *env, r *rows, s ast.Stage) result {
	const form = "a meter is `burns |> WINDOW |> distinct item`"
	out := *r
	switch s := s.(type) {
	case *ast.Last:
		ms, ok := c.duration(en, s.Duration, "behind `last`")
		if !ok || !c.burnsWindow(en, r, s, en.at(s.Duration), ms) {
			return badRows(r)
		}
		out.window.Last = ms
	case *ast.Per:
		if !c.burnsWindow(en, r, s, en.at(s), 0) {
			return badRows(r)
		}
		out.window.Periods = out.window.Periods.With(value.Period(s.Period))
	case *ast.FromFirst:
		ms, ok := c.duration(en, s.Duration, "behind `from_first`")
		if !ok || !c.burnsWindow(en, r, s, en.at(s.Duration), ms) {
			return badRows(r)
		}
		out.fromFirst = ms
	case *ast.Distinct:
		if !c.distinctItem(en, s) || r.distinct != nil {
			c.fail(en, s, "meter", form, "expected `distinct item`, once, in a meter, found `%s`", c.files[en.file].Slice(s.Span))
			return badRows(r)
		}
		at := en.at(s)
		out.distinct = &at
	default:
		hint := form
		if _, isEnd := s.(*ast.End); isEnd {
			hint = "take it away: `m.used` counts them"
		}
		c.fail(en, s, "meter", hint, "expected `last`, `per` or `from_first`, then `distinct item`, in a meter, found `%s`", word(s))
		return badRows(r)
	}
	return result{kind: isRows, rows: &out, at: r.at}
}

func (c *checker) distinctItem(en *env, s *ast.Distinct) bool {
	if len(s.Keys) != 1 {
		return false
	}
	x := c.eval(en.stageOf(), s.Keys[0])
	return x.kind == isValue && x.space == "item"
}

func (c *checker) burnsWindow(en *env, r *rows, s ast.Stage, at plan.Place, ms int64) bool {
	switch {
	case r.distinct != nil:
		d := c.errorIn(en, en.at(s), "window", "write the window first", "a window stands before `distinct`, found `%s` behind it", word(s))
		c.relate(d, *r.distinct, "`distinct` is here")
		return false
	case !r.window.IsZero() || r.fromFirst > 0:
		c.fail(en, s, "window", "", "a meter has one window, `%s` is the second", word(s))
		return false
	case ms > schema.MaxBurns:
		c.failAt(en, at, "window", "", "a window over burns is at most %s, found %s", value.FormatDuration(schema.MaxBurns), value.FormatDuration(ms))
		return false
	}
	return true
}
