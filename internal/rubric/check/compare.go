package check

import (
	"fmt"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// comparison takes == != < <= > >=.
func (c *checker) comparison(en *env, e *ast.Binary, x, y result) result {
	if x.kind == isDecision || y.kind == isDecision || x.kind == isVerdict || y.kind == isVerdict {
		return c.compareVerdict(en, e, x, y)
	}
	if !c.isScalarOf(en, &x, &y) || !c.isScalarOf(en, &y, &x) || !c.alike(en, &x, &y, "%s cannot be compared with %s") {
		return result{}
	}
	ordered := e.Op != ast.Eq && e.Op != ast.Ne
	if ordered && x.typ() == value.Bool {
		return c.failAt(en, x.at, "type", "", "expected values that have an order beside `%s`, found conditions", e.Op)
	}
	if ordered && x.typ() == value.Any { // only numbers are likely to be meant
		if !c.want(en, &x, value.Decimal, "beside `"+e.Op.String()+"`") || !c.want(en, &y, value.Decimal, "beside `"+e.Op.String()+"`") {
			return result{}
		}
	}
	out := plan.Expr{Op: plan.Equal, Type: value.Bool, Args: []*plan.Expr{x.expr, y.expr}, Place: en.at(e)}
	switch e.Op {
	case ast.Lt, ast.Gt:
		out.Op = plan.Less
	case ast.Le, ast.Ge:
		out.Op = plan.LessSame
	}
	if e.Op == ast.Gt || e.Op == ast.Ge {
		out.Args[0], out.Args[1] = out.Args[1], out.Args[0]
	}
	r := c.value(out)
	if e.Op == ast.Ne {
		return c.value(plan.Expr{Op: plan.Not, Type: value.Bool, Args: []*plan.Expr{r.expr}, Place: en.at(e)})
	}
	return r
}

// isScalarOf is isScalar for one side of a comparison.
func (c *checker) isScalarOf(en *env, x, other *result) bool {
	if x.kind == isValue && x.typ() == value.List || x.kind == isList {
		hint := "a list has several values: `… in …`"
		if x.kind == isValue && !x.expr.IsConst() && other.kind == isValue {
			hint = fmt.Sprintf("a list has several values: `%s in %s`", c.text(other), c.text(x))
		}
		c.failAt(en, x.at, "type", hint, "expected a single value in a comparison, found a list")
		return false
	}
	return c.isScalar(en, x, "in a comparison")
}

// text returns how a value is written.
func (c *checker) text(x *result) string { return c.files[x.at.File].Slice(x.at.Span) }

// in takes `X in LIST` and `ITEM in METER`.
func (c *checker) in(en *env, e *ast.Binary, x, y result) result {
	at := en.at(e)
	switch {
	case y.kind == isMeter:
		if !c.there(en, &x, value.Text, "before `in "+y.def.name.Text+"`: an item") {
			return result{}
		}
		return c.value(plan.Expr{Op: plan.InMeter, Type: value.Bool, Ref: y.def.index, Args: []*plan.Expr{x.expr}, Place: at})
	case y.kind == isList:
		return c.inAny(en, e, x, y)
	case y.kind != isValue || y.typ() != value.List:
		c.failAt(en, y.at, "type", c.inHint(&x, &y), "expected a list or a meter behind `in`, found %s", y.found())
		return result{}
	case !c.isScalar(en, &x, "before `in`"):
		return result{}
	}
	if items := y.expr.Value.Items(); len(items) > 0 || y.expr.Elem == value.Text {
		first := result{kind: isValue, at: y.at, expr: &plan.Expr{Type: y.expr.Elem}}
		if len(items) > 0 {
			first.expr.Value, first.expr.Type = items[0], items[0].Type
		}
		if !c.alike(en, &first, &x, "the list has %s, before `in` is %s") {
			return result{}
		}
	}
	return c.value(plan.Expr{Op: plan.In, Type: value.Bool, Args: []*plan.Expr{x.expr, y.expr}, Place: at})
}

// inHint says what is meant by `in` with what is no list.
func (c *checker) inHint(x, y *result) string {
	switch {
	case y.kind == isValue && y.expr.Op == plan.SegmentMember:
		return "a segment is a condition about the reader: `" + c.text(y) + "`"
	case y.kind == isValue && y.typ() == value.Text && x.kind == isValue && y.expr.IsConst():
		return "write `" + c.text(x) + " == " + c.text(y) + "`, or a list `[" + c.text(y) + "]`"
	case y.kind == isValue && y.typ() == value.Text && x.kind == isValue:
		return "write `contains(" + c.text(y) + ", " + c.text(x) + ")`"
	default:
		return ""
	}
}

// inAny takes a list that is no constant: one of the comparisons must hold.
func (c *checker) inAny(en *env, e *ast.Binary, x, list result) result {
	if !c.isScalar(en, &x, "before `in`") {
		return result{}
	}
	var args []*plan.Expr
	for i := range list.items {
		item := &list.items[i]
		if !c.alike(en, item, &x, "the list has %s, before `in` is %s") {
			return result{}
		}
		args = append(args, c.b.Expr(plan.Expr{Op: plan.Equal, Type: value.Bool, Args: []*plan.Expr{x.expr, item.expr}, Place: en.at(e)}))
	}
	return c.value(plan.Expr{Op: plan.Or, Type: value.Bool, Args: args, Place: en.at(e)})
}
