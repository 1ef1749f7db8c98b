package check

import (
	"slices"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
)

// options goes through options with the functions that take them, by name.
func (c *checker) options(en *env, of string, options []*ast.Option, takes map[string]func(*ast.Option) bool) bool {
	ok := true
	seen := map[string]bool{}
	for _, o := range options {
		name := o.Name.Text
		at := plan.Place{File: en.file, Span: o.Name.Span}
		c.look.offer(o, func() []Choice { return words(Option, sorted(takes)) })
		take := takes[name]
		switch {
		case name == "":
			c.gaps, ok = true, false
		case take == nil:
			c.errorAt(at, "unknown_option", c.oneOf(name, sorted(takes)), "%s has no option `%s`", of, name)
			ok = false
		case seen[name]:
			c.errorAt(at, "repeated_name", "", "the option `%s` stands here for the second time", name)
			ok = false
		default:
			ok = take(o) && ok
		}
		seen[name] = true
	}
	return ok
}

// word returns the index of an option's value among options; -1 after an error.
func (c *checker) word(en *env, o *ast.Option, options []string) int {
	c.look.offer(o.Value, func() []Choice { return words(Option, options) })
	id, isWord := o.Value.(*ast.Ident)
	if isWord {
		if i := slices.Index(options, id.Name); i >= 0 {
			return i
		}
	}
	if _, bad := o.Value.(*ast.Bad); bad {
		c.gaps = true
		return -1
	}
	hint := ""
	if isWord {
		hint = c.near(id.Name, these(options))
	}
	if t, isText := o.Value.(*ast.Text); isText && slices.Contains(options, t.Value) {
		hint = "write `" + t.Value + "` without quotes"
	}
	c.fail(en, o.Value, "option", hint, "expected %s as `%s`, found `%s`", either(options), o.Name.Text, c.files[en.file].Slice(o.Value.Range()))
	return -1
}

// noArgument makes sure that nothing follows the value of an option.
func (c *checker) noArgument(en *env, o *ast.Option) bool {
	if o.Arg == nil {
		return true
	}
	c.fail(en, o.Arg, "option", "take it away", "nothing follows the value of `%s`, found `%s`", o.Name.Text, c.files[en.file].Slice(o.Arg.Range()))
	return false
}
