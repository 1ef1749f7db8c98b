package check

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// end takes what makes a value of rows.
func (c *checker) end(en *env, r *rows, s *ast.End) result {
	f, of, ok := c.fold(en, s)
	if !ok || r.bad || !c.small(en, s, r) {
		return result{}
	}
	e := plan.Expr{Op: plan.FoldValue, Type: f.Type, Place: en.at(s)}
	e.Optional = f.End >= plan.Avg
	stream := c.stream(r)
	e.Ref = c.b.Fold(stream, f.End, f.Of, f.Type, en.at(s))
	out := c.value(e)
	out.of = of
	if s.Op == ast.None {
		out = c.value(plan.Expr{Op: plan.Not, Type: value.Bool, Args: []*plan.Expr{out.expr}, Place: en.at(s)})
	}
	return out
}

var ends = [...]plan.End{ast.Count: plan.Count, ast.Any: plan.Any, ast.None: plan.Any, ast.Sum: plan.Sum, ast.Avg: plan.Avg,
	ast.Min: plan.Least, ast.Max: plan.Greatest, ast.First: plan.First, ast.Latest: plan.Latest}

// fold says what an end makes of rows; of is the type of the value where it is
// not known yet.
func (c *checker) fold(en *env, s *ast.End) (f plan.Fold, of *variable, ok bool) {
	f.End = ends[s.Op]
	if !s.Op.HasOperand() {
		f.Type = value.Bool
		if s.Op == ast.Count {
			f.Type = value.Int
		}
		return f, nil, true
	}
	x := c.eval(en.stageOf(), s.Of)
	behind := "behind `" + s.Op.String() + "`"
	if !c.isScalar(en, &x, behind) {
		return f, nil, false
	}
	switch s.Op {
	case ast.Sum, ast.Avg:
		if x.typ() != value.Duration && !c.want(en, &x, value.Decimal, behind) {
			return f, nil, false
		}
	case ast.Min, ast.Max:
		if x.typ() == value.Any && !c.want(en, &x, value.Decimal, behind) {
			return f, nil, false
		}
		if x.typ() == value.Bool {
			c.failAt(en, x.at, "type", "", "expected a value that has an order %s, found a condition", behind)
			return f, nil, false
		}
	}
	f.Of, f.Type = x.expr, x.typ()
	if s.Op == ast.Avg && f.Type == value.Int {
		f.Type = value.Decimal
	}
	if f.Type == value.Any {
		of = x.of
	}
	return f, of, true
}
