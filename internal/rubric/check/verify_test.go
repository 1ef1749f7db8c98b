package check_test

import (
	"slices"

	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
	"pgregory.net/rapid"
)

// verifier makes sure of a plan what evaluators rely on.
type verifier struct {
	t rapid.TB
	p *plan.Program
}

// verify fails if a plan is not in order: types, what may be missing, references
// to what comes before, lists of what depends on what.
func verify(t rapid.TB, p *plan.Program) {
	v := &verifier{t, p}
	v.rows()
	for i, s := range p.Segments {
		v.check(s.ID == i, "segment %d has the number %d", i, s.ID)
		v.value(s.Expr, value.Bool, false)
		for _, other := range s.Uses.AllSegments {
			v.check(other < i, "segment %d depends on %d", i, other)
		}
		v.uses(&s.Uses)
	}
	for i, m := range p.Meters {
		v.check(m.ID == i, "meter %d has the number %d", i, m.ID)
		v.value(m.Limit, value.Int, false)
		v.check((m.FromFirst > 0) != !m.Window.IsZero(), "meter %s has not one window", m.Name)
		v.uses(&m.Uses)
	}
	for _, a := range p.Accesses {
		for i, c := range a.Clauses {
			last := i == len(a.Clauses)-1
			v.check((c.Cond == nil) == last, "clause %s of %s", c.Name, a.Name)
			if c.Cond != nil {
				v.value(c.Cond, value.Bool, false)
			}
			if c.Price != nil {
				v.value(c.Price, value.Decimal, false)
			}
			v.uses(&c.Uses)
		}
		v.uses(&a.Uses)
	}
	for _, m := range p.Metrics {
		v.expr(m.Expr, false)
		v.check(m.Expr.Type.IsNumber() || m.Expr.Type == value.Duration, "metric %s is a %s", m.Name, m.Expr.Type)
	}
	for _, t := range p.Tests {
		for i := range t.Steps {
			if s := &t.Steps[i]; s.Kind == plan.Expect {
				v.value(s.Cond, value.Bool, false)
			}
		}
	}
}

func (v *verifier) check(ok bool, format string, args ...any) {
	if !ok {
		v.t.Errorf(format, args...)
	}
}

func (v *verifier) rows() {
	for i, c := range v.p.Conditions {
		v.check(c.ID == i && c.Expr.Op != plan.And && !c.Expr.IsTrue(), "condition %d: %s", i, c.Expr)
		v.value(c.Expr, value.Bool, true)
		if c.Lookup != nil {
			v.check(len(c.Lookup.Values) > 0, "condition %d looks up nothing", i)
		}
	}
	keys := map[int]bool{}
	for _, c := range v.p.Conditions {
		v.check(!keys[c.Expr.Key], "condition %d is there twice", c.ID)
		keys[c.Expr.Key] = true
	}
	for i, p := range v.p.Predicates {
		v.check(p.ID == i && slices.IsSorted(p.Segments) && slices.IsSorted(p.Folds), "predicate %d", i)
		for _, list := range [][]int{p.Row, p.Item, p.Both, p.Asked} {
			v.check(slices.IsSorted(list), "predicate %d has %v", i, list)
			for _, c := range list {
				v.check(slices.Contains(v.p.Conditions[c].Predicates, i), "condition %d does not know predicate %d", c, i)
			}
		}
	}
	for i, s := range v.p.Streams {
		v.check(s.ID == i && len(s.Stages) > 0 && s.Stages[0].Kind == plan.Filter && len(s.Bases) > 0, "stream %d", i)
		v.check(s.Age <= s.Reach && s.Reach <= v.p.Window, "stream %d: age %d, reach %d", i, s.Age, s.Reach)
		for n, st := range s.Stages {
			v.check(n == 0 || st.Kind != plan.Filter || s.Stages[n-1].Kind != plan.Filter, "stream %d has two filters in a row", i)
			v.check(st.Kind != plan.Then && st.Kind != plan.Unless || st.Other < i && st.Within > 0, "stream %d looks at %d", i, st.Other)
			for _, k := range st.Keys {
				v.expr(k, true)
			}
		}
	}
	for i, f := range v.p.Folds {
		v.check(f.ID == i && f.Stream < len(v.p.Streams) && (f.Of == nil) == (f.End <= plan.Any), "fold %d", i)
		if f.Of != nil {
			v.expr(f.Of, true)
		}
		for _, s := range f.Segments {
			v.check(slices.Contains(v.p.Segments[s].Uses.AllFolds, i), "fold %d is not of segment %d", i, s)
		}
	}
}

func (v *verifier) uses(u *plan.Uses) {
	for _, list := range [][]int{u.Folds, u.Segments, u.Meters, u.AllFolds, u.AllSegments} {
		v.check(slices.IsSorted(list) && len(slices.Compact(slices.Clone(list))) == len(list), "%v is not ascending", list)
	}
	for _, f := range u.AllFolds {
		v.check(v.p.Streams[v.p.Folds[f].Stream].Reach <= u.Reach, "fold %d reaches farther than %d", f, u.Reach)
	}
}

// value makes sure of an expression's type, and that it is not missing.
func (v *verifier) value(e *plan.Expr, t value.Type, stage bool) {
	v.expr(e, stage)
	v.check(e.Type == t && !e.Optional, "%s is a %s, optional %v; want %s", e, e.Type, e.Optional, t)
}

// ofRow are the operations that only stages have.
func ofRow(op plan.Op) bool { return op >= plan.RowColumn && op <= plan.RowSegments }

// expr makes sure that an expression's type follows from its arguments'.
func (v *verifier) expr(e *plan.Expr, stage bool) {
	if e.Op == plan.Const {
		v.check(e.Value.Type == e.Type, "constant %s is called a %s", e, e.Type)
		return
	}
	asked := e.Op == plan.AskedField || e.Op == plan.AskedAttribute
	if e.Op < plan.Not && !asked {
		v.check(ofRow(e.Op) == stage, "%s stands in a stage: %v", e, stage)
	}
	for _, a := range e.Args {
		v.expr(a, stage)
	}
	types := make([]value.Type, len(e.Args))
	for i, a := range e.Args {
		types[i] = a.Type
	}
	v.check(fits(e, types), "%s: %s of %v", e, e.Type, types)
	switch e.Op {
	case plan.Equal, plan.Less, plan.LessSame, plan.In, plan.Has, plan.Coalesce, plan.If, plan.ToDecimal:
	default:
		for _, a := range e.Args {
			v.check(!a.Optional, "%s in %s may be missing", a, e)
		}
	}
}

func fits(e *plan.Expr, args []value.Type) bool {
	all := func(t value.Type) bool { return !slices.ContainsFunc(args, func(a value.Type) bool { return a != t }) }
	same := func() bool { return all(args[0]) }
	numbers := func() bool { return !slices.ContainsFunc(args, func(a value.Type) bool { return !a.IsNumber() }) }
	switch e.Op {
	case plan.Not, plan.And, plan.Or:
		return e.Type == value.Bool && all(value.Bool)
	case plan.Equal:
		return e.Type == value.Bool && (same() || numbers())
	case plan.Less, plan.LessSame:
		return e.Type == value.Bool && (same() && args[0] != value.Bool && args[0] != value.Any || numbers())
	case plan.Has:
		return e.Type == value.Bool
	case plan.In:
		return e.Type == value.Bool && args[0] != value.List && args[1] == value.List
	case plan.Coalesce, plan.Min, plan.Max:
		return same() && e.Type == args[0]
	case plan.If:
		return args[0] == value.Bool && args[1] == args[2] && e.Type == args[1] && !e.Args[0].Optional
	case plan.ToDecimal:
		return e.Type == value.Decimal && all(value.Int)
	case plan.Neg:
		return e.Type == args[0] && (numbers() || args[0] == value.Duration)
	case plan.Add, plan.Sub, plan.Mul, plan.Div:
		sample := func(t value.Type) value.Value { return value.Value{Type: t, N: 2} }
		out := e.Apply(value.Calendar{}, []value.Value{sample(args[0]), sample(args[1])})
		return out.Type == e.Type
	case plan.Lower:
		return e.Type == value.Text && all(value.Text)
	case plan.Contains, plan.StartsWith, plan.EndsWith:
		return e.Type == value.Bool && all(value.Text)
	case plan.Matches:
		return e.Type == value.Bool && all(value.Text) && e.Regexp != nil
	case plan.Hour, plan.Weekday:
		return e.Type == value.Int && all(value.Time)
	case plan.Size:
		return e.Type == value.Int && (args[0] == value.Text || args[0] == value.List)
	case plan.ReaderEntitled, plan.ReaderEntitledBy, plan.InMeter, plan.VerdictIs:
		return all(value.Text)
	default:
		return len(args) == 0 && e.Type != value.Missing
	}
}
