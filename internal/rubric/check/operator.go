package check

import (
	"fmt"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// alike makes sure that two values are of one type, numbers being one; message
// has two %s for what they are.
func (c *checker) alike(en *env, x, y *result, message string) bool {
	a, b := x.typ(), y.typ()
	switch {
	case a == value.Any && b == value.Any:
		if x.of != nil && y.of != nil {
			c.equate(x.of, y.of)
		}
		return true
	case a == value.Any && c.learn(x.of, b, y.at):
		c.settle(x)
		return true
	case b == value.Any && c.learn(y.of, a, x.at):
		c.settle(y)
		return true
	case a == b, a.IsNumber() && b.IsNumber():
		return true
	}
	hint := alikeHint(x, y)
	d := c.errorIn(en, y.at, "type", hint, message, x.found(), y.found())
	c.because(d, x)
	c.because(d, y)
	return false
}

// alikeHint says how two values could be made alike.
func alikeHint(x, y *result) string {
	for _, pair := range [][2]*result{{x, y}, {y, x}} {
		of, other := pair[0], pair[1]
		if hint := literalHint(other.expr, of.typ()); hint != "" && other.expr.IsConst() {
			return hint
		}
		if of.typ().IsNumber() && other.typ() == value.Duration && other.expr.IsConst() {
			return fmt.Sprintf("a number has no unit; in seconds it is `%s`", value.FormatMicro(other.expr.Value.N*1000))
		}
		if of.typ() == value.Any && other.typ() == value.Duration {
			return "data has texts, numbers, true and false, and times, but no durations: compare a number"
		}
	}
	return ""
}

// common returns the type that alike values have together, and them in it.
func (c *checker) common(of []result) (value.Type, []*plan.Expr) {
	t := of[0].typ()
	for _, x := range of {
		if x.typ() == value.Decimal {
			t = value.Decimal
		}
	}
	args := make([]*plan.Expr, len(of))
	for i, x := range of {
		args[i] = x.expr
		if t == value.Decimal && x.typ() == value.Int {
			args[i] = c.b.Expr(plan.Expr{Op: plan.ToDecimal, Type: t, Optional: x.expr.Optional, Args: []*plan.Expr{x.expr}, Place: x.at})
		}
	}
	return t, args
}

func (c *checker) unary(en *env, e *ast.Unary) result {
	x := c.eval(en, e.X)
	if x.bad() {
		return x
	}
	at := en.at(e)
	switch e.Op {
	case ast.Not:
		if !c.there(en, &x, value.Bool, "behind `not`") {
			return result{}
		}
		return c.value(plan.Expr{Op: plan.Not, Type: value.Bool, Args: []*plan.Expr{x.expr}, Place: at})
	case ast.Has:
		return c.has(en, e, x)
	default:
		return c.negative(en, e, x)
	}
}

func (c *checker) has(en *env, e *ast.Unary, x result) result {
	switch {
	case x.kind == isRows:
		return c.fail(en, e, "type", "write `|> any`", "`has` asks for a value, found rows")
	case x.kind == isValue && x.typ() == value.List:
	case !c.isScalar(en, &x, "behind `has`"):
		return result{}
	}
	if !x.expr.Optional && en.locals == nil && en.known == nil {
		c.warn(en, e, "always_there", "take `has` away", "this is never missing: `has` is always true")
	}
	return c.value(plan.Expr{Op: plan.Has, Type: value.Bool, Args: []*plan.Expr{x.expr}, Place: en.at(e)})
}

func (c *checker) conditional(en *env, e *ast.If) result {
	cond := c.eval(en, e.Cond)
	ok := c.there(en, &cond, value.Bool, "behind `if`")
	whenTrue, whenFalse := en, en
	if ok {
		whenTrue, whenFalse = en.knowing(cond.expr, true), en.knowing(cond.expr, false)
	}
	yes, no := c.eval(whenTrue, e.Then), c.eval(whenFalse, e.Else)
	if yes.bad() || no.bad() || !ok || !c.isScalar(whenTrue, &yes, "behind `then`") || !c.isScalar(whenFalse, &no, "behind `else`") {
		return result{}
	}
	if !c.alike(en, &yes, &no, "behind `then` is %s, behind `else` %s") {
		return result{}
	}
	t, args := c.common([]result{yes, no})
	out := plan.Expr{Op: plan.If, Type: t, Optional: yes.expr.Optional || no.expr.Optional, Args: []*plan.Expr{cond.expr, args[0], args[1]}, Place: en.at(e)}
	return c.ofBoth(out, yes, no)
}

// ofBoth builds an expression that is one of two, and of their type even where
// that is not known yet.
func (c *checker) ofBoth(e plan.Expr, x, y result) result {
	r := c.value(e)
	if r.of = x.of; x.of == nil || x.typ() != value.Any {
		r.of = y.of
	}
	if r.of != nil && r.of.root().typ != value.Any {
		r.of = nil
	}
	return r
}

func (c *checker) binary(en *env, e *ast.Binary) result {
	switch e.Op {
	case ast.And, ast.Or:
		return c.junction(en, e)
	case ast.Coalesce:
		return c.coalesce(en, e)
	}
	x, y := c.eval(en, e.X), c.eval(en, e.Y)
	if x.bad() || y.bad() {
		return result{}
	}
	switch e.Op {
	case ast.In:
		return c.in(en, e, x, y)
	case ast.Add, ast.Sub, ast.Mul, ast.Div:
		return c.arithmetic(en, e, x, y)
	default:
		return c.comparison(en, e, x, y)
	}
}

// junction takes a chain of `and` or of `or`. What its first parts make sure of
// is known in the next.
func (c *checker) junction(en *env, e *ast.Binary) result {
	var parts []ast.Expr
	var x ast.Expr = e
	for {
		b, ok := x.(*ast.Binary)
		if !ok || b.Op != e.Op {
			parts = append(parts, x)
			break
		}
		parts = append(parts, b.Y)
		x = b.X
	}
	op := plan.And
	if e.Op == ast.Or {
		op = plan.Or
	}
	var args []*plan.Expr
	ok := true
	for i := len(parts) - 1; i >= 0; i-- {
		part := c.eval(en, parts[i])
		if !c.there(en, &part, value.Bool, "beside `"+e.Op.String()+"`") {
			ok = false
			continue
		}
		args = append(args, part.expr)
		en = en.knowing(part.expr, op == plan.And)
	}
	if !ok {
		return result{}
	}
	return c.value(plan.Expr{Op: op, Type: value.Bool, Args: args, Place: en.at(e)})
}

func (c *checker) coalesce(en *env, e *ast.Binary) result {
	x, y := c.eval(en, e.X), c.eval(en, e.Y)
	if x.bad() || y.bad() {
		return result{}
	}
	lists := x.kind == isValue && y.kind == isValue && x.typ() == value.List && y.typ() == value.List
	if !lists && (!c.isScalar(en, &x, "before `??`") || !c.isScalar(en, &y, "behind `??`")) {
		return result{}
	}
	if !x.expr.Optional && en.locals == nil && en.known == nil {
		c.warn(en, e.Y, "always_there", "take `??` and what follows away", "what stands before `??` is never missing")
	}
	if !lists && !c.alike(en, &x, &y, "before `??` is %s, behind it %s") {
		return result{}
	}
	t, args := c.common([]result{x, y})
	out := plan.Expr{Op: plan.Coalesce, Type: t, Elem: x.expr.Elem, Optional: x.expr.Optional && y.expr.Optional, Args: args, Place: en.at(e)}
	return c.ofBoth(out, x, y)
}
