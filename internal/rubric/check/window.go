package check

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// constantOf returns the value of an expression that must be a constant of a
// type.
func (c *checker) constantOf(en *env, e ast.Expr, t value.Type, what string) (v value.Value, ok bool) {
	x := c.eval(en, e)
	if !c.there(en, &x, t, what) {
		return v, false
	}
	if !x.expr.IsConst() {
		c.failAt(en, x.at, "constant", "", "expected %s that is written down %s, found one that depends on data", typeWords[t], what)
		return v, false
	}
	return x.expr.Value, true
}

// duration returns the milliseconds of a duration that is more than nothing.
func (c *checker) duration(en *env, e ast.Expr, what string) (ms int64, ok bool) {
	v, ok := c.constantOf(en, e, value.Duration, what)
	if ok && v.N <= 0 {
		c.fail(en, e, "window", "", "expected a duration that is longer than nothing %s, found `%s`", what, value.FormatDuration(v.N))
		return 0, false
	}
	return v.N, ok
}

// fits makes sure that a window over events may stand where it does and is no
// longer than the site's.
func (c *checker) fits(en *env, r *rows, s ast.Stage, at plan.Place, ms int64) bool {
	switch {
	case r.bad && r.unknown:
		return true
	case en.place == inMetric:
		c.fail(en, s, "window", "it is measured every 5 minutes, hour and day; ask for a span when you read it", "a metric has no window, found `%s`", word(s))
		return false
	case r.distinct != nil:
		d := c.errorIn(en, en.at(s), "window", "write the window first", "a window stands before `distinct`, found `%s` behind it", word(s))
		c.relate(d, *r.distinct, "`distinct` is here")
		return false
	case ms > c.schema.Window:
		c.failAt(en, at, "window", "", "a window over events is at most %s, as long as the site keeps them; found %s", value.FormatDuration(c.schema.Window), value.FormatDuration(ms))
		return false
	}
	if ms > c.longest.ms {
		c.longest = span{ms, at}
	}
	return true
}

func (c *checker) lastStage(en *env, r *rows, s *ast.Last) result {
	ms, ok := c.duration(en, s.Duration, "behind `last`")
	if !ok || !c.fits(en, r, s, en.at(s.Duration), ms) {
		return badRows(r)
	}
	return after(r, plan.Written{Kind: plan.Filter, Window: plan.Window{Last: ms}, Place: en.at(s)})
}

func (c *checker) since(en *env, r *rows, s *ast.Since) result {
	t, ok := c.constantOf(en, s.Time, value.Time, behindSince)
	if !ok || !c.fits(en, r, s, en.at(s), 0) {
		return badRows(r)
	}
	return after(r, plan.Written{Kind: plan.Filter, Window: plan.Window{Since: t.N, HasSince: true}, Place: en.at(s)})
}

// needs is how long a window must be that holds the longest of a period.
func needs(p ast.Period) int64 {
	const day = 24 * 3600_000
	return [...]int64{ast.Day: 1, ast.Week: 7, ast.Month: 31}[p] * day
}

func (c *checker) per(en *env, r *rows, s *ast.Per) result {
	if !c.fits(en, r, s, en.at(s), needs(s.Period)) {
		return badRows(r)
	}
	return after(r, plan.Written{Kind: plan.Filter, Window: plan.Window{Periods: plan.Periods(0).With(value.Period(s.Period))}, Place: en.at(s)})
}
