package check

import (
	"fmt"
	"strings"

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

// verdict says what `allow NAME` is.
func (c *checker) verdict(en *env, e *ast.Verdict) result {
	return result{kind: isVerdict, at: en.at(e), items: []result{{expr: &plan.Expr{Outcome: plan.Outcome(e.Outcome), Name: e.Clause.Text}}}}
}

// decision says what `ACCESS(ITEM)` is.
func (c *checker) decision(en *env, n ast.Node, fun *ast.Ident, d *definition, piped *result, args []*ast.Arg) result {
	if en.place != inTest || en.stage {
		return c.defined(en, fun, d)
	}
	call := &called{name: fun.Name, node: n}
	if !c.bind(en, call, function{params: []string{"item"}}, piped, args) || !c.there(en, &call.args[0], value.Text, "as the item") {
		return result{}
	}
	if !c.resolve(d) {
		return result{}
	}
	return result{kind: isDecision, def: d, items: call.args, at: en.at(n)}
}

// compareVerdict takes `story(a1) == allow again` and its like.
func (c *checker) compareVerdict(en *env, e *ast.Binary, x, y result) result {
	if x.kind == isVerdict {
		x, y = y, x
	}
	if x.kind != isDecision || y.kind != isVerdict || e.Op != ast.Eq && e.Op != ast.Ne {
		hint := ""
		if x.kind == isDecision {
			hint = "such as `" + c.text(&x) + " == allow " + x.def.access.Clauses[0].Name + "`"
		}
		return c.fail(en, e, "type", hint, "expected `ACCESS(ITEM) == OUTCOME CLAUSE`, found %s and %s", x.found(), y.found())
	}
	verdict := y.items[0].expr
	if !c.hasClause(en, x.def.access, verdict, y.at) {
		return result{}
	}
	r := c.value(plan.Expr{Op: plan.VerdictIs, Type: value.Bool, Ref: x.def.index, Outcome: verdict.Outcome, Name: verdict.Name, Args: []*plan.Expr{x.items[0].expr}, Place: en.at(e)})
	if e.Op == ast.Ne {
		return c.value(plan.Expr{Op: plan.Not, Type: value.Bool, Args: []*plan.Expr{r.expr}, Place: en.at(e)})
	}
	return r
}

// hasClause makes sure that an access block has a clause.
func (c *checker) hasClause(en *env, a *plan.Access, v *plan.Expr, at plan.Place) bool {
	var names, same []string
	for _, clause := range a.Clauses {
		if clause.Name == v.Name && clause.Outcome == v.Outcome {
			return true
		}
		if clause.Name == v.Name {
			same = append(same, "`"+clause.Outcome.String()+" "+clause.Name+"`")
		}
		names = append(names, clause.Outcome.String()+" "+clause.Name)
	}
	hint := c.near(v.Outcome.String()+" "+v.Name, these(names))
	if len(same) > 0 {
		hint = "it has " + strings.Join(same, " and ")
	}
	c.failAt(en, at, "unknown_name", hint, "the access block `%s` has no clause `%s %s`", a.Name, v.Outcome, v.Name)
	return false
}
