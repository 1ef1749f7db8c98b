package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// called is a call with what its arguments are, in the order of the parameters.
type called struct {
	name string
	node ast.Node
	args []result
	text []ast.Node // of the arguments
}

// isFunction tells whether a definition is a `let` with parameters.
func isFunction(d *definition) bool {
	if d == nil {
		return false
	}
	l, ok := d.decl.(*ast.Let)
	return ok && l.Params != nil
}

// call says what a call is.
func (c *checker) call(en *env, e *ast.Call) result {
	switch fun := e.Fun.(type) {
	case *ast.Ident:
		return c.callName(en, e, fun, nil, e.Args)
	case *ast.Select:
		return c.callField(en, e, fun)
	default:
		c.gaps = true
		return result{}
	}
}

// callName calls a function by its name; piped is what came through a pipe.
func (c *checker) callName(en *env, n ast.Node, fun *ast.Ident, piped *result, args []*ast.Arg) result {
	c.look.offer(fun, func() []Choice { return append(c.choices(en), c.functionChoices()...) })
	d := c.names[fun.Name]
	f, built := functions[fun.Name]
	switch {
	case en.locals[fun.Name] != nil:
		return c.fail(en, fun, "type", "", "`%s` is a parameter, which is no function", fun.Name)
	case isFunction(d):
		return c.callLet(en, n, fun, d, piped, args)
	case built:
		call := &called{name: fun.Name, node: n}
		if !c.bind(en, call, f, piped, args) {
			return result{}
		}
		return f.build(c, en, call)
	case d != nil && d.word == "access":
		return c.decision(en, n, fun, d, piped, args)
	}
	if piped == nil || !piped.bad() {
		c.unknownFunction(en, fun, d, piped != nil)
	}
	for _, a := range args { // errors in them are found as well
		c.eval(en, a.Value)
	}
	return result{}
}

func (c *checker) unknownFunction(en *env, fun *ast.Ident, d *definition, piped bool) {
	hint := c.near(fun.Name, c.callable)
	if piped && hint == "" {
		hint = c.near(fun.Name, these(stageWords))
	}
	switch {
	case d != nil:
		hint = ""
		if piped {
			hint = fmt.Sprintf("write `|> where %s` to keep the rows for which it holds", fun.Name)
		}
		c.fail(en, fun, "type", hint, "the %s `%s` is no function", d.word, fun.Name)
		return
	case !piped && slices.Contains(ast.Ends, fun.Name):
		hint = fmt.Sprintf("write `events |> %s`", fun.Name)
	case fun.Name == "entitled" || fun.Name == "entitled_by":
		hint = fmt.Sprintf("write `reader.%s(…)`", fun.Name)
	}
	c.fail(en, fun, "unknown_name", hint, "unknown function `%s`", fun.Name)
}

var stageWords = append([]string{"where", "last", "since", "per", "from_first", "distinct", "then", "unless", "by"}, ast.Ends...)

// slot returns the index of the parameter that an argument is for, having
// reported what cannot be; -1 then.
func (c *checker) slot(en *env, name string, params []string, many bool, a *ast.Arg, next int, taken []bool) int {
	i := next
	if a.Name != nil {
		if i = slices.Index(params, a.Name.Text); i < 0 {
			c.failAt(en, plan.Place{File: en.file, Span: a.Name.Span}, "arguments", c.oneOf(a.Name.Text, params), "`%s` has no parameter `%s`", name, a.Name.Text)
			return -1
		}
	}
	switch {
	case i >= len(params) && !many:
		c.fail(en, a, "arguments", fmt.Sprintf("it takes %s", either(params)), "`%s` takes %s, this is one more", name, count(len(params), "argument"))
		return -1
	case i < len(taken) && taken[i]:
		c.fail(en, a, "arguments", "", "`%s` has its `%s` already", name, params[i])
		return -1
	}
	return i
}

// assign finds the parameter of each argument. What came through a pipe is for
// the first. The result has for each parameter the index of its argument, -1 for
// the piped one; ok is false after an error.
func (c *checker) assign(en *env, n ast.Node, name string, params []string, many, piped bool, args []*ast.Arg) (slots []int, ok bool) {
	const none = -2
	slots = slices.Repeat([]int{none}, len(params))
	taken := make([]bool, len(params))
	next := 0
	if piped {
		slots[0], taken[0], next = -1, true, 1
	}
	ok = true
	for i, a := range args {
		to := c.slot(en, name, params, many, a, next, taken)
		switch {
		case to < 0:
			ok = false
			continue
		case to >= len(slots):
			slots = append(slots, i)
			next = len(slots)
			continue
		}
		slots[to], taken[to] = i, true
		for next < len(taken) && taken[next] {
			next++
		}
	}
	for i, t := range taken {
		if !t && ok {
			c.fail(en, n, "arguments", "", "`%s` needs %s more: `%s`", name, count(len(params)-i, "argument"), strings.Join(params[i:], "`, `"))
			return slots, false
		}
	}
	return slots, ok
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// bind works out the arguments of a function that every program has.
func (c *checker) bind(en *env, call *called, f function, piped *result, args []*ast.Arg) bool {
	results := make([]result, len(args))
	ok := piped == nil || !piped.bad()
	for i, a := range args {
		results[i] = c.eval(en, a.Value)
		ok = ok && !results[i].bad()
	}
	slots, fits := c.assign(en, call.node, call.name, f.params, f.many, piped != nil, args)
	if !fits || !ok {
		return false
	}
	for _, i := range slots {
		if i < 0 {
			call.args = append(call.args, *piped)
			call.text = append(call.text, call.node)
		} else {
			call.args = append(call.args, results[i])
			call.text = append(call.text, args[i])
		}
	}
	return true
}

// callLet puts the body of a function in the place of its call.
func (c *checker) callLet(en *env, n ast.Node, fun *ast.Ident, d *definition, piped *result, args []*ast.Arg) result {
	d.used = true
	l := d.decl.(*ast.Let)
	for u := en.use; u != nil; u = u.from {
		if u.def == d {
			return c.circular(en, fun, d)
		}
	}
	params := make([]string, len(l.Params))
	for i, p := range l.Params {
		params[i] = p.Text
	}
	slots, ok := c.assign(en, n, fun.Name, params, false, piped != nil, args)
	if !ok {
		for _, a := range args {
			c.eval(en, a.Value)
		}
		return result{}
	}
	memo := &inside{}
	in := &env{position: en.position, file: d.file, locals: map[string]*argument{}, use: &use{def: d, at: en.at(fun), from: en.use, memo: memo}}
	for i, from := range slots {
		if from < 0 {
			in.locals[params[i]] = &argument{env: en, piped: piped}
		} else {
			in.locals[params[i]] = c.passed(en, args[from].Value)
		}
	}
	c.expand(d, in, memo)
	c.blame(en, in.use)
	r := memo.result
	r.at = en.at(n)
	return r
}

// passed returns the argument for an expression; a parameter that is handed on
// stays the same argument.
func (c *checker) passed(en *env, e ast.Expr) *argument {
	if id, ok := e.(*ast.Ident); ok && en.locals[id.Name] != nil {
		return en.locals[id.Name]
	}
	return &argument{node: e, env: en, memo: map[position]result{}}
}

// callField calls what stands behind a point.
func (c *checker) callField(en *env, e *ast.Call, fun *ast.Select) result {
	x := c.eval(en, fun)
	switch {
	case x.bad():
		for _, a := range e.Args {
			c.eval(en, a.Value)
		}
		return x
	case x.space != "reader.entitled" && x.space != "reader.entitled_by":
		return c.fail(en, fun, "type", "", "`%s` is no function", c.files[en.file].Slice(fun.Span))
	}
	call := &called{name: x.space, node: e}
	if !c.bind(en, call, function{params: []string{"name"}}, nil, e.Args) || !c.there(en, &call.args[0], value.Text, "as the name of an entitlement") {
		return result{}
	}
	name := call.args[0].expr
	if s := c.schema.Entitlements; s != nil && name.IsConst() && !slices.Contains(s, name.Value.S) {
		if hint := c.near(name.Value.S, these(s)); hint != "" {
			c.warn(en, call.text[0], "never_seen", hint, "no reader has had the entitlement `%s` yet", name.Value.S)
		}
	}
	out := plan.Expr{Op: plan.ReaderEntitled, Type: value.Bool, Args: []*plan.Expr{name}, Place: en.at(e)}
	if x.space == "reader.entitled_by" {
		out.Op, out.Type, out.Optional = plan.ReaderEntitledBy, value.Text, true
	}
	return c.value(out)
}
