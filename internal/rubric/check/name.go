package check

import (
	"fmt"
	"slices"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// name says what a name stands for.
func (c *checker) name(en *env, id *ast.Ident) result {
	if a := en.locals[id.Name]; a != nil {
		return c.argument(en, id, a)
	}
	switch id.Name {
	case "now":
		return c.now(en, id)
	case "events", "all_events", "burns":
		return c.sourceRows(en, id)
	}
	if slices.Contains(roots, id.Name) {
		return c.root(en, id)
	}
	if en.items[id.Name] {
		return c.constant(en, id, value.OfText(id.Name))
	}
	d := c.names[id.Name]
	column, isColumn := plan.ColumnByName(id.Name)
	switch {
	case isColumn && en.stage && d != nil && d.word == "let":
		err := c.errorIn(en, en.at(id), "taken_name", "call the `let` something else, such as `"+id.Name+"_1`", "`%s` is a column of rows and a `let`: it is not clear which is meant", id.Name)
		c.relate(err, d.at(), "the `let`")
		return result{}
	case isColumn && (en.stage || d == nil && en.place == anywhere):
		return c.column(en, id, column)
	case d == nil && isColumn:
		return c.scopeError(en, en.at(id), "scope", columnHint(en, id.Name), "`%s` is a column of rows: it has a value inside of stages such as `where` only", id.Name)
	case d == nil:
		return c.unknownName(en, id)
	case d.word == "let":
		return c.let(en, id, d)
	default:
		return c.defined(en, id, d)
	}
}

// scopeError reports a name that has no meaning where it stands. In the body of
// a `let` that is an error of the use.
func (c *checker) scopeError(en *env, at plan.Place, code, hint, format string, args ...any) result {
	if en.use == nil || en.use.memo == nil {
		return c.failAt(en, at, code, hint, format, args...)
	}
	c.failed = true
	en.use.memo.note(scopeError{at, code, hint, fmt.Sprintf(format, args...)})
	return result{}
}

// note adds a name without a meaning, up to a few.
func (m *inside) note(s scopeError) {
	const most = 10
	if len(m.scope) < most && !slices.Contains(m.scope, s) {
		m.scope = append(m.scope, s)
	}
}

// blame reports what has no meaning in a body at the use of the body.
func (c *checker) blame(en *env, u *use) {
	for _, s := range u.memo.scope {
		if en.use != nil && en.use.memo != nil {
			en.use.memo.note(s)
			continue
		}
		d := c.errorAt(u.at, s.code, s.hint, "`%s` has no meaning here: %s", u.def.name.Text, s.message)
		c.relate(d, s.at, "it is about this")
	}
}

func (c *checker) now(en *env, id *ast.Ident) result {
	switch {
	case en.stage:
		return c.scopeError(en, en.at(id), "scope", "windows say when: `last 7d`, `since 2026-03-01`, `per month`", "`now` has no meaning inside of a stage")
	case en.place == inMetric || en.place == inBurns || en.place == inConstant:
		return c.scopeError(en, en.at(id), "scope", "", "`now` has no meaning in %s", placeNames[en.place])
	}
	return c.value(plan.Expr{Op: plan.TimeNow, Type: value.Time, Place: en.at(id)})
}

// column returns the value of a row's column.
func (c *checker) column(en *env, n ast.Node, column plan.Column) result {
	return c.value(plan.Expr{Op: plan.RowColumn, Type: column.Type(), Optional: column.Optional(), Column: column, Place: en.at(n)})
}

// columnHint says what to write instead of a column outside of a stage.
func columnHint(en *env, name string) string {
	column, _ := plan.ColumnByName(name)
	switch {
	case !en.asked():
		return "such as `events |> where " + name + " == …`"
	case name == "bot_class" || name == "bot_operator":
		return "of the request it is `bot." + name[len("bot_"):] + "`"
	case slices.Contains(requestColumns, column):
		return "of the request it is `request." + name + "`"
	default:
		return "such as `events |> where " + name + " == …`"
	}
}

// defined returns what a segment, meter or access block stands for where it is
// named.
func (c *checker) defined(en *env, id *ast.Ident, d *definition) result {
	at := en.at(id)
	if en.stage {
		return c.scopeError(en, at, "scope", "say it beside the stream: `"+id.Name+" and (…)`", "the %s `%s` has no meaning inside of a stage, which looks at one row", d.word, id.Name)
	}
	switch {
	case d.word == "segment" && en.reader(), d.word == "meter" && en.reader() && en.place != inSegment, d.word == "access" && en.place == inTest:
	case d.word == "access":
		return c.scopeError(en, at, "scope", "such as `at 2026-03-01T10:00 expect "+id.Name+"(a1) == allow …`", "the access block `%s` can be asked in a test only", id.Name)
	case d.word == "segment" && en.place == inMetric:
		return c.scopeError(en, at, "scope", "write `|> by segment` to count by segments", "the segment `%s` has no meaning in %s", id.Name, placeNames[en.place])
	default:
		return c.scopeError(en, at, "scope", "", "the %s `%s` has no meaning in %s", d.word, id.Name, placeNames[en.place])
	}
	if d.state == checking {
		return c.circular(en, id, d)
	}
	if !c.resolve(d) {
		return result{}
	}
	if d.word == "segment" {
		return c.value(plan.Expr{Op: plan.SegmentMember, Type: value.Bool, Ref: d.index, Place: at})
	}
	return result{kind: isMeter, def: d, at: at}
}

// circular reports a definition that depends on itself.
func (c *checker) circular(en *env, n ast.Node, d *definition) result {
	names := d.name.Text
	if i := slices.Index(c.path, d); i >= 0 {
		for _, on := range c.path[i+1:] {
			names += " → " + on.name.Text
		}
		names += " → " + d.name.Text
	}
	return c.fail(en, n, "circle", "", "`%s` depends on itself: %s", d.name.Text, names)
}

// let puts the body of a `let` in the place of its name.
func (c *checker) let(en *env, id *ast.Ident, d *definition) result {
	d.used = true
	if d.decl.(*ast.Let).Params != nil {
		return c.fail(en, id, "type", "such as `"+id.Name+"(…)` or `… |> "+id.Name+"`", "`%s` is a function, found without arguments", id.Name)
	}
	memo := d.bodies[en.position]
	if memo != nil && !memo.done {
		return c.circular(en, id, d)
	}
	in := &env{position: en.position, file: d.file, use: &use{def: d, at: en.at(id), from: en.use}}
	r := c.body(d, in)
	c.blame(en, in.use)
	r.at = en.at(id)
	return r
}

// body says what the body of a `let` without parameters is, in a position.
func (c *checker) body(d *definition, in *env) result {
	memo := d.bodies[in.position]
	known := memo != nil
	if !known {
		memo = &inside{}
		d.bodies[in.position] = memo
	}
	if in.use != nil {
		in.use.memo = memo
	}
	if !known {
		c.expand(d, in, memo)
	}
	return memo.result
}

// expand looks at the body of a `let`.
func (c *checker) expand(d *definition, in *env, memo *inside) {
	c.path = append(c.path, d)
	memo.result = c.named(c.eval(in, d.decl.(*ast.Let).Body), d.name.Text)
	memo.done = true
	c.path = c.path[:len(c.path)-1]
}

// named notes the name of the `let` that a value or stream is from.
func (c *checker) named(r result, name string) result {
	switch {
	case r.kind == isValue && r.expr.Let == "":
		e := *r.expr
		e.Let = name
		r.expr = &e
	case r.kind == isRows && r.rows.name == "":
		rows := *r.rows
		rows.name = name
		r.rows = &rows
	}
	return r
}

// argument says what a parameter stands for where it is used.
func (c *checker) argument(en *env, id *ast.Ident, a *argument) result {
	switch {
	case a.piped != nil:
		return c.fromPipe(en, id, a)
	case a.node == nil:
		return result{}
	}
	r, ok := a.memo[en.position]
	if !ok {
		r = c.eval(a.env.in(en.position), a.node)
		a.memo[en.position] = r
	}
	return r
}

// fromPipe returns what came through a pipe: unlike what stands in brackets it
// has its value already, outside of any stage.
func (c *checker) fromPipe(en *env, id *ast.Ident, a *argument) result {
	r := *a.piped
	if en.stage && !a.env.stage && r.kind == isValue && !r.expr.IsConst() {
		return c.fail(en, id, "scope", "", "`%s` is a value beside the rows: it has no meaning inside of a stage", id.Name)
	}
	return r
}

// unknownName reports a name that nothing has.
func (c *checker) unknownName(en *env, id *ast.Ident) result {
	name := id.Name
	hint := c.near(name, func() []string { return c.known(en) })
	field, isField := plan.FieldByName(name)
	_, isFunction := functions[name]
	what := "unknown name"
	switch {
	case isField:
		hint = "did you mean `item." + field.String() + "`?"
	case en.stage && (name == "segment" || name == "loyalty"):
		hint = "it is no column of a row"
	case isFunction:
		hint = "`" + name + "` is a function: write `" + name + "(…)`"
	case c.metrics[name] != nil:
		hint = "a metric has no meaning in " + placeNames[en.place]
	case slices.Contains(c.schema.Properties, name):
		hint = "did you mean `properties." + name + "`?"
	case c.attrs[name]:
		hint = "did you mean `item." + name + "`?"
	case slices.Contains(c.schema.Traits, name) && en.reader():
		hint = "did you mean `reader.traits." + name + "`?"
	case hint == "" && en.stage:
		hint = "a text stands in quotes: `\"" + name + "\"`; a property is `properties." + name + "`"
	case hint == "" && en.place == inConstant:
		hint = "a text stands in quotes: `\"" + name + "\"`"
	}
	if en.stage {
		what = "unknown column"
	}
	return c.fail(en, id, "unknown_name", hint, "%s `%s`", what, name)
}
