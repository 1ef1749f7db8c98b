package check

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

func (c *checker) negative(en *env, e *ast.Unary, x result) result {
	t := value.Decimal
	if x.kind == isValue && x.typ() == value.Duration {
		t = value.Duration
	}
	if !c.there(en, &x, t, "behind `-`") {
		return result{}
	}
	return c.value(plan.Expr{Op: plan.Neg, Type: x.typ(), Args: []*plan.Expr{x.expr}, Place: en.at(e)})
}

// arithmetic takes + - * /.
func (c *checker) arithmetic(en *env, e *ast.Binary, x, y result) result {
	beside := "beside `" + e.Op.String() + "`"
	if !c.isScalar(en, &x, beside) || !c.isScalar(en, &y, beside) {
		return result{}
	}
	c.guess(en, e.Op, &x, &y)
	t := resultOf(e.Op, x.typ(), y.typ())
	if t == value.Missing {
		return c.noArithmetic(en, e, &x, &y)
	}
	if there := c.present(en, &x, beside); !c.present(en, &y, beside) || !there {
		return result{}
	}
	op := [...]plan.Op{ast.Add: plan.Add, ast.Sub: plan.Sub, ast.Mul: plan.Mul, ast.Div: plan.Div}[e.Op]
	out := plan.Expr{Op: op, Type: t, Args: []*plan.Expr{x.expr, y.expr}, Place: en.at(e)}
	out.Optional = e.Op == ast.Div && (!y.expr.IsConst() || y.expr.Value.N == 0)
	return c.value(out)
}

// guess gives operands from data the type that the other one asks for.
func (c *checker) guess(en *env, op ast.BinaryOp, x, y *result) {
	learn := func(r, other *result) {
		if r.typ() != value.Any || r.of == nil {
			return
		}
		t := value.Decimal
		if op == ast.Add && other.typ() == value.Duration || op == ast.Sub && (other.typ() == value.Time || other.typ() == value.Duration && r == x) {
			t = value.Time
		}
		if c.learn(r.of, t, other.at) {
			c.settle(r)
		}
	}
	learn(x, y)
	learn(y, x)
}

// resultOf returns the type of an operation, Missing if there is none.
func resultOf(op ast.BinaryOp, x, y value.Type) value.Type {
	number := value.Decimal
	if x == value.Int && y == value.Int && op != ast.Div {
		number = value.Int
	}
	switch numbers := x.IsNumber() && y.IsNumber(); {
	case numbers:
		return number
	case op == ast.Add && x == value.Time && y == value.Duration, op == ast.Add && x == value.Duration && y == value.Time, op == ast.Sub && x == value.Time && y == value.Duration:
		return value.Time
	case (op == ast.Add || op == ast.Sub) && x == value.Duration && y == value.Duration, op == ast.Sub && x == value.Time && y == value.Time:
		return value.Duration
	case (op == ast.Mul || op == ast.Div) && x == value.Duration && y.IsNumber(), op == ast.Mul && x.IsNumber() && y == value.Duration:
		return value.Duration
	case op == ast.Div && x == value.Duration && y == value.Duration:
		return value.Decimal
	default:
		return value.Missing
	}
}

// noArithmetic reports operands that do not go together.
func (c *checker) noArithmetic(en *env, e *ast.Binary, x, y *result) result {
	hint := ""
	a, b := x.typ(), y.typ()
	switch {
	case (a == value.Time || a == value.Duration) && b == value.Int && y.expr.IsConst():
		hint = literalHint(y.expr, value.Duration)
	case b == value.Duration && a == value.Int && x.expr.IsConst():
		hint = literalHint(x.expr, value.Duration)
	case a == value.Text && b == value.Text && e.Op == ast.Add:
		hint = "texts cannot be joined"
	case a == value.Time && b == value.Time:
		hint = "the time between two times is `a - b`"
	case a.IsNumber() && b == value.Text || b.IsNumber() && a == value.Text:
		hint = alikeHint(x, y)
	}
	verbs := map[ast.BinaryOp]string{ast.Add: "%s and %s cannot be added", ast.Sub: "from %s one cannot take %s", ast.Mul: "%s and %s cannot be multiplied", ast.Div: "%s cannot be divided by %s"}
	d := c.errorIn(en, en.at(e), "type", hint, verbs[e.Op], x.found(), y.found())
	c.because(d, x)
	c.because(d, y)
	return result{}
}
