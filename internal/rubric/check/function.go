package check

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// function is one that every program has.
type function struct {
	params []string
	many   bool // the last parameter may stand any number of times
	build  func(c *checker, en *env, call *called) result
}

var functions map[string]function

func init() {
	functions = map[string]function{
		"lower":       {params: []string{"text"}, build: simple(plan.Lower, value.Text, value.Text)},
		"contains":    {params: []string{"text", "part"}, build: simple(plan.Contains, value.Bool, value.Text)},
		"starts_with": {params: []string{"text", "part"}, build: simple(plan.StartsWith, value.Bool, value.Text)},
		"ends_with":   {params: []string{"text", "part"}, build: simple(plan.EndsWith, value.Bool, value.Text)},
		"matches":     {params: []string{"text", "pattern"}, build: (*checker).matches},
		"hour":        {params: []string{"time"}, build: simple(plan.Hour, value.Int, value.Time)},
		"weekday":     {params: []string{"time"}, build: simple(plan.Weekday, value.Int, value.Time)},
		"size":        {params: []string{"of"}, build: (*checker).size},
		"min":         {params: []string{"a", "b"}, many: true, build: extreme(plan.Min)},
		"max":         {params: []string{"a", "b"}, many: true, build: extreme(plan.Max)},
		"arm":         {params: []string{"name", "n"}, build: (*checker).arm},
	}
}

// simple builds a function whose arguments are all of one type.
func simple(op plan.Op, returns, takes value.Type) func(*checker, *env, *called) result {
	return func(c *checker, en *env, call *called) result {
		var args []*plan.Expr
		ok := true
		for i := range call.args {
			ok = c.onText(en, call, i) && c.there(en, &call.args[i], takes, "in `"+call.name+"`") && ok
			args = append(args, call.args[i].expr)
		}
		if !ok {
			return result{}
		}
		return c.value(plan.Expr{Op: op, Type: returns, Args: args, Place: en.at(call.node)})
	}
}

// onText says how a list is searched where a text is expected to be.
func (c *checker) onText(en *env, call *called, i int) bool {
	x := &call.args[i]
	if call.name == "contains" && i == 0 && x.kind == isValue && x.typ() == value.List {
		c.failAt(en, x.at, "type", "write `… in "+c.files[x.at.File].Slice(x.at.Span)+"`", "expected a text in `contains`, found a list")
		return false
	}
	return true
}

func (c *checker) size(en *env, call *called) result {
	x := &call.args[0]
	if x.kind == isList {
		return c.constant(en, call.node, value.OfInt(int64(len(x.items))))
	}
	if x.kind == isValue && x.typ() == value.List {
		if !c.present(en, x, "in `size`") {
			return result{}
		}
	} else if !c.there(en, x, value.Text, "in `size`") {
		return result{}
	}
	return c.value(plan.Expr{Op: plan.Size, Type: value.Int, Args: []*plan.Expr{x.expr}, Place: en.at(call.node)})
}

func (c *checker) matches(en *env, call *called) result {
	ok := c.there(en, &call.args[0], value.Text, "in `matches`")
	if !c.there(en, &call.args[1], value.Text, "in `matches`") {
		return result{}
	}
	pattern := call.args[1].expr
	if !pattern.IsConst() {
		return c.failAt(en, call.args[1].at, "constant", "", "the pattern of `matches` is a text that is written down, found one that depends on data")
	}
	re := c.regexp(en, &call.args[1])
	if re == nil || !ok {
		return result{}
	}
	return c.value(plan.Expr{Op: plan.Matches, Type: value.Bool, Args: []*plan.Expr{call.args[0].expr}, Name: pattern.Value.S, Regexp: re, Place: en.at(call.node)})
}

// regexp returns the pattern that a text is, nil after an error.
func (c *checker) regexp(en *env, x *result) *regexp.Regexp {
	text := x.expr.Value.S
	if re := c.patterns[text]; re != nil {
		return re
	}
	if len(c.patterns) == maxPatterns {
		c.failAt(en, x.at, "too_many", "", "a program has at most %d patterns", maxPatterns)
		return nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		var at *syntax.Error
		reason := err.Error()
		if errors.As(err, &at) {
			reason = fmt.Sprintf("%s: `%s`", at.Code, at.Expr)
		}
		c.failAt(en, x.at, "pattern", "patterns are RE2: no look-around, no back-references", "the pattern cannot be read: %s", reason)
		return nil
	}
	c.patterns[text] = re
	return re
}

// maxArms is the greatest number of arms of an experiment.
const maxArms = 1000

func (c *checker) arm(en *env, call *called) result {
	at := en.at(call.node)
	if !en.reader() {
		where := placeNames[en.place]
		if en.stage {
			where = "a stage, which looks at one row"
		}
		return c.scopeError(en, at, "scope", "", "`arm` is about the reader: it has no meaning in %s", where)
	}
	if !c.there(en, &call.args[0], value.Text, "as the name in `arm`") || !c.there(en, &call.args[1], value.Int, "as the number in `arm`") {
		return result{}
	}
	name, n := call.args[0], call.args[1]
	switch {
	case !name.expr.IsConst():
		return c.failAt(en, name.at, "constant", "", "the name of an experiment is a text that is written down, found one that depends on data")
	case name.expr.Value.S == "":
		return c.failAt(en, name.at, "constant", "", "an experiment has a name, found an empty one")
	case !n.expr.IsConst() || n.expr.Value.N < 2 || n.expr.Value.N > maxArms:
		return c.failAt(en, n.at, "constant", "such as `arm(\"wall\", 2)`, which is 0 or 1", "the number of arms is written down, 2 to %d", maxArms)
	}
	return c.value(plan.Expr{Op: plan.ExperimentArm, Type: value.Int, Name: name.expr.Value.S, Ref: int(n.expr.Value.N), Place: at})
}

// extreme builds `min` or `max` of several values.
func extreme(op plan.Op) func(*checker, *env, *called) result {
	return func(c *checker, en *env, call *called) result {
		for i := range call.args {
			x := &call.args[i]
			if !c.isScalar(en, x, "in `"+call.name+"`") || !c.present(en, x, "in `"+call.name+"`") {
				return result{}
			}
			if i > 0 && !c.alike(en, &call.args[0], x, "the first of `"+call.name+"` is %s, this is %s") {
				return result{}
			}
			if x.typ() == value.Bool {
				return c.failAt(en, x.at, "type", "", "expected values that have an order in `%s`, found a condition", call.name)
			}
		}
		for i := range call.args { // only numbers are likely to be meant
			if x := &call.args[i]; x.typ() == value.Any && !c.want(en, x, value.Decimal, "in `"+call.name+"`") {
				return result{}
			}
		}
		t, args := c.common(call.args)
		return c.value(plan.Expr{Op: op, Type: t, Args: args, Place: en.at(call.node)})
	}
}
