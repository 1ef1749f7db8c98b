package check

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/value"
)

// eval says what an expression is.
func (c *checker) eval(en *env, e ast.Expr) (r result) {
	if !c.enter(en, e) {
		return result{}
	}
	defer func() {
		c.depth--
		c.look.found(e, r)
	}()
	r = c.what(en, e)
	if r.at == (plan.Place{}) {
		r.at = en.at(e)
	}
	if r.kind != isValue {
		return r
	}
	if r.expr.Size > c.limits.Nodes {
		if !c.spent {
			c.spent = true
			c.fail(en, e, "too_large", "name its parts as segments", "written out, this has more than %d parts", c.limits.Nodes)
		}
		return result{}
	}
	if r.expr.Optional && en.known.has(r.expr.Key) {
		there := *r.expr
		there.Optional = false
		r.expr = &there
	}
	return r
}

// enter counts an expression and tells whether there is room for it.
func (c *checker) enter(en *env, e ast.Expr) bool {
	if en.use != nil {
		c.steps++
	}
	if c.depth++; c.depth > maxDepth || c.steps > maxSteps {
		if !c.spent {
			c.spent = true
			c.fail(en, e, "too_large", "", "the program is too large: its functions, written out, have more than %d parts or lie more than %d within each other", maxSteps, maxDepth)
		}
		c.failed = true
		c.depth--
		return false
	}
	return true
}

func (c *checker) what(en *env, e ast.Expr) result {
	switch e := e.(type) {
	case *ast.Ident:
		c.look.offer(e, func() []Choice { return append(c.choices(en), c.functionChoices()...) })
		return c.name(en, e)
	case *ast.Select:
		return c.field(en, e)
	case *ast.Call:
		return c.call(en, e)
	case *ast.Unary:
		return c.unary(en, e)
	case *ast.Binary:
		return c.binary(en, e)
	case *ast.If:
		return c.conditional(en, e)
	case *ast.Pipe:
		return c.pipe(en, e)
	case *ast.List:
		return c.list(en, e)
	case *ast.Verdict:
		return c.verdict(en, e)
	case *ast.Bad:
		c.gaps = true
		return result{}
	default:
		return c.literal(en, e)
	}
}

// value returns the result of an expression that has been built.
func (c *checker) value(e plan.Expr) result {
	built := c.b.Expr(e)
	return result{kind: isValue, expr: built, at: built.Place}
}

func (c *checker) constant(en *env, n ast.Node, v value.Value) result {
	return result{kind: isValue, expr: c.b.Const(v, en.at(n)), at: en.at(n)}
}

func (c *checker) literal(en *env, e ast.Expr) result {
	switch e := e.(type) {
	case *ast.Text:
		return c.constant(en, e, value.OfText(e.Value))
	case *ast.Integer:
		return c.constant(en, e, value.OfInt(e.Value))
	case *ast.Decimal:
		return c.decimal(en, e)
	case *ast.Duration:
		return c.constant(en, e, value.OfDuration(e.Value.Milliseconds()))
	case *ast.Time:
		return c.constant(en, e, value.OfTime(e.In(c.b.Calendar().Zone).UnixMilli()))
	case *ast.Bool:
		return c.constant(en, e, value.OfBool(e.Value))
	default:
		panic(fmt.Sprintf("check: %T is no expression", e))
	}
}

// decimal reads a number with a point as micro-units.
func (c *checker) decimal(en *env, e *ast.Decimal) result {
	const places = 6
	digits, scale := e.Digits, e.Scale
	for ; scale > places && digits%10 == 0; scale-- {
		digits /= 10
	}
	if scale > places {
		return c.fail(en, e, "number", "", "a number has at most %d digits after its point that are not 0, found %d", places, scale)
	}
	for ; scale < places; scale++ {
		if digits > math.MaxInt64/10 {
			return c.fail(en, e, "number", "", "a number with a point is at most %s", value.FormatMicro(math.MaxInt64))
		}
		digits *= 10
	}
	return c.constant(en, e, value.OfMicro(digits))
}

// list says what a list is: a constant if all in it are.
func (c *checker) list(en *env, e *ast.List) result {
	r := result{kind: isList, at: en.at(e)}
	if len(e.Items) > maxElements {
		return c.fail(en, e, "too_many", "", "a list has at most %d elements, this one has %d", maxElements, len(e.Items))
	}
	constant := true
	for _, item := range e.Items {
		x := c.eval(en, item)
		if x.bad() || !c.isScalar(en, &x, "in a list") {
			r.kind = isBad
			continue
		}
		constant = constant && x.expr.IsConst()
		r.items = append(r.items, x)
	}
	if r.kind == isBad {
		return r
	}
	alike := true
	for i := 1; i < len(r.items); i++ {
		alike = c.alike(en, &r.items[0], &r.items[i], "the first of the list is %s, this is %s") && alike
	}
	if !alike {
		return result{}
	}
	if !constant {
		return r
	}
	values := make([]value.Value, len(r.items))
	for i, x := range r.items {
		values[i] = x.expr.Value
	}
	return c.constant(en, e, value.OfList(values))
}

// isScalar tells whether x is a single value; it reports what is none.
func (c *checker) isScalar(en *env, x *result, where string) bool {
	switch {
	case x.bad():
		return false
	case x.kind == isValue && x.expr.Op == plan.RowColumn && x.expr.Column == plan.ColVisit:
		c.failAt(en, x.at, "type", "such as `distinct visit |> count`", "`visit` is a key of `distinct` only")
		return false
	case x.kind == isValue && x.typ() != value.List:
		return true
	}
	c.failAt(en, x.at, "type", hintFor(x, value.Any), "expected a single value %s, found %s", where, x.found())
	return false
}

// want makes sure that x is a value of a type, which it gives to data that has
// none yet. Int and Decimal are one where Decimal is wanted. what says what it is
// for, such as "behind `where`".
func (c *checker) want(en *env, x *result, t value.Type, what string) bool {
	if x.bad() {
		return false
	}
	if x.kind == isValue {
		if x.of != nil && x.of.root().typ == value.Any && c.learn(x.of, t, x.at) {
			c.settle(x)
			return true
		}
		if x.typ() == t || t == value.Decimal && x.typ() == value.Int {
			return true
		}
	}
	c.mismatch(en, x, t, what)
	return false
}

// settle gives an expression the type that was learned for it.
func (c *checker) settle(x *result) {
	e := *x.expr
	e.Type = x.typ()
	x.expr = &e
}

func (c *checker) mismatch(en *env, x *result, t value.Type, what string) {
	word := typeWords[t]
	if t == value.Int {
		word = "a whole number"
	}
	found := x.found()
	if t == value.Int && x.kind == isValue && x.typ() == value.Decimal {
		found = "a number that may have a fraction"
	}
	hint := hintFor(x, t)
	if x.kind == isValue && x.expr.IsConst() {
		switch unit := unitOf[what]; {
		case unit != "" && x.expr.Type == value.Int:
			hint = fmt.Sprintf("a duration has a unit: `%d%s`", x.expr.Value.N, unit)
		case what == behindSince && x.expr.Type == value.Duration:
			hint = "write `last " + c.text(x) + "`"
		}
	}
	d := c.errorIn(en, x.at, "type", hint, "expected %s %s, found %s", word, what, found)
	c.because(d, x)
}

// behindSince is what messages call the time of `since`.
const behindSince = "behind `since`"

// unitOf has the unit that is likely where it is not days to minutes.
var unitOf = map[string]string{"as `deadline`": "ms", "behind `engaged`": "s"}

// because adds to an error which use has said what type a name has.
func (c *checker) because(d *source.Diagnostic, x *result) {
	if x.of == nil {
		return
	}
	if v := x.of.root(); v.typ != value.Any && v.by != x.at {
		c.relate(d, v.by, "it is %s because of this use", typeWords[v.typ])
	}
}

// hintFor says what to write instead of x where a type is wanted; "" if that is
// not known.
func hintFor(x *result, t value.Type) string {
	switch {
	case x.kind == isRows && t == value.Bool:
		return "rows become a condition with `|> any`, `|> none` or `|> count >= 1`"
	case x.kind == isRows:
		return "rows become a number with `|> count`, a value with `|> latest …`"
	case x.kind == isMeter && t == value.Bool:
		return "such as `item in " + x.def.name.Text + "` or `" + x.def.name.Text + ".left > 0`"
	case x.kind == isMeter:
		return "such as `" + x.def.name.Text + ".left`"
	case x.kind == isDecision:
		return "compare it, as in `" + x.def.name.Text + "(…) == allow …`"
	case x.kind == isSpace && len(spaceHints[x.space]) > 0:
		return "such as " + spaceHints[x.space]
	case x.kind != isValue:
		return ""
	}
	return literalHint(x.expr, t)
}

// literalHint says how a literal of another type is written.
func literalHint(e *plan.Expr, t value.Type) string {
	switch {
	case t == value.Duration && e.IsConst() && e.Type == value.Int:
		return fmt.Sprintf("a duration has a unit: `%dd`, `%dh`, `%dm`", e.Value.N, e.Value.N, e.Value.N)
	case t == value.Duration && e.IsConst() && e.Type == value.Text:
		return "durations are written without quotes: `30m`, `14d`"
	case t == value.Time && e.IsConst() && e.Type == value.Text:
		return "times are written without quotes: `2026-03-01`, `2026-03-01T10:00`"
	case t == value.Time && e.Type == value.Duration:
		return "such as `now - 30m`"
	case t.IsNumber() && e.IsConst() && e.Type == value.Text && looksLikeNumber(e.Value.S):
		return "numbers are written without quotes: `" + e.Value.S + "`"
	case t == value.Text && e.IsConst() && (e.Type.IsNumber() || e.Type == value.Bool):
		return "a text stands in quotes: `\"" + e.Value.String() + "\"`"
	case t == value.Bool && e.IsConst() && e.Type == value.Text && (e.Value.S == "true" || e.Value.S == "false"):
		return "write `" + e.Value.S + "` without quotes"
	case t == value.Bool && e.Type == value.Text && !e.IsConst():
		return "compare it, as in `… == \"…\"`"
	case t == value.Bool && e.Type.IsNumber() && !e.IsConst():
		return "compare it, as in `… >= 5`"
	default:
		return ""
	}
}

func looksLikeNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && !strings.ContainsAny(s, "xXpPnN_")
}

// present makes sure that a value is not missing.
func (c *checker) present(en *env, x *result, what string) bool {
	if !x.expr.Optional {
		return true
	}
	text := c.files[x.at.File].Slice(x.at.Span)
	const most = 40
	switch {
	case len(text) > most || strings.ContainsAny(text, "\n"):
		text = "…"
	case strings.Contains(text, " "):
		text = "(" + text + ")"
	}
	hint := fmt.Sprintf("write `if has %s then … else …`", text)
	if d := defaults[x.typ()]; d != "" && (d != "now" || !en.stage) {
		hint = fmt.Sprintf("write `%s ?? %s`, or `if has %s then … else …`", text, d, text)
	}
	c.failAt(en, x.at, "missing", hint, "expected a value that is always there %s, found one that may be missing", what)
	return false
}

// defaults are values to write behind `??`.
var defaults = [...]string{value.Bool: "false", value.Int: "0", value.Decimal: "0", value.Text: "\"\"", value.Time: "now", value.Duration: "0s", value.List: "[]", value.Any: ""}

// there is want and present together.
func (c *checker) there(en *env, x *result, t value.Type, what string) bool {
	return c.want(en, x, t, what) && c.present(en, x, what)
}
