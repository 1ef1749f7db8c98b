package check

import (
	"slices"
	"strings"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// family is where a name that comes from data belongs.
type family uint8

const (
	ofProperty family = iota
	ofAttribute
	ofTrait
)

// dataName is a name that comes from data.
type dataName struct {
	family family
	name   string
}

// variable is the type of what a name stands for, or of what is made of several
// such names and has no type of its own. Any means that it is not known.
type variable struct {
	typ   value.Type
	same  *variable  // that it has turned out to be the same as
	first plan.Place // where the name stands first
	by    plan.Place // the use that its type follows from
}

func (v *variable) root() *variable {
	for v.same != nil {
		v = v.same
	}
	return v
}

// variable returns the type of a name.
func (c *checker) variable(f family, name string, at plan.Place) *variable {
	v := c.variables[dataName{f, name}]
	if v == nil {
		v = &variable{typ: value.Any, first: at}
		c.variables[dataName{f, name}] = v
	}
	return v
}

// learn gives a variable its type because of a use. It returns false for a type
// that data cannot have.
func (c *checker) learn(v *variable, t value.Type, by plan.Place) bool {
	if v == nil {
		return false
	}
	v = v.root()
	switch t {
	case value.Int:
		t = value.Decimal
	case value.Duration, value.List, value.Any:
		return false
	}
	if v.typ != value.Any || c.frozen {
		return v.typ == t
	}
	v.typ, v.by = t, by
	c.learned = true
	return true
}

// equate makes two variables one; at least one of them has no type.
func (c *checker) equate(a, b *variable) {
	a, b = a.root(), b.root()
	if a == b || c.frozen {
		return
	}
	if a.typ == value.Any {
		a, b = b, a
	}
	b.same = a
	c.learned = true
}

// typed returns the names of a family that the program has, with their types.
func (c *checker) typed(f family) []plan.Typed {
	var out []plan.Typed
	for n, v := range c.variables {
		if n.family == f {
			out = append(out, plan.Typed{Name: n.name, Type: v.root().typ})
		}
	}
	slices.SortFunc(out, func(a, b plan.Typed) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// data returns the value that a name from data stands for.
func (c *checker) data(en *env, n ast.Node, op plan.Op, f family, name string) result {
	at := en.at(n)
	v := c.variable(f, name, at)
	e := c.b.Expr(plan.Expr{Op: op, Type: v.root().typ, Optional: true, Name: name, Place: at})
	return result{kind: isValue, expr: e, of: v, at: at}
}

// unknownData warns of names that the site has never seen.
func (c *checker) unknownData() {
	c.unseen(ofProperty, "properties.", "event has had the property", c.schema.Properties)
	c.unseen(ofTrait, "reader.traits.", "reader has had the trait", c.schema.Traits)
}

func (c *checker) unseen(f family, prefix, what string, seen []string) {
	if seen == nil {
		return
	}
	have := map[string]bool{}
	for _, name := range seen {
		have[name] = true
	}
	for n, v := range c.variables {
		if n.family != f || have[n.name] {
			continue
		}
		hint := ""
		if near := c.near(n.name, these(seen)); near != "" {
			hint = strings.Replace(near, "`", "`"+prefix, 1)
		}
		c.warnAt(v.first, "never_seen", hint, "no %s `%s` yet", what, n.name)
	}
}
