package check

import (
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// step reads a line of a test.
func (c *checker) step(en, constants *env, s ast.Step, at int64) (plan.Step, bool) {
	out := plan.Step{At: at, Access: -1, Place: en.at(s)}
	switch s := s.(type) {
	case *ast.ReadStep:
		out.Kind = plan.Read
		return out, c.readStep(en, s, &out)
	case *ast.EventStep:
		out.Kind = plan.Event
		return out, c.eventStep(en, constants, s, &out)
	case *ast.LoginStep:
		out.Kind = plan.Login
		if s.Account == nil {
			c.gaps = true
			return out, false
		}
		out.Account = s.Account.Value
		if out.Account == "" {
			c.fail(en, s.Account, "type", "", "an account has a name, found an empty one")
			return out, false
		}
	case *ast.LogoutStep:
		out.Kind = plan.Logout
	case *ast.ExpectStep:
		out.Kind = plan.Expect
		x := c.eval(en, s.Cond)
		if c.look.asks(s.Cond) {
			c.look.answer = c.answer(en, s.Cond, x)
			return out, c.look.answer != nil
		}
		if !c.there(en, &x, value.Bool, "behind `expect`") {
			return out, false
		}
		out.Cond = x.expr
	}
	return out, true
}

func (c *checker) readStep(en *env, s *ast.ReadStep, out *plan.Step) bool {
	ok := true
	for _, i := range s.Items {
		switch {
		case i.Text == "":
			c.gaps, ok = true, false
		case !en.items[i.Text]:
			c.failAt(en, plan.Place{File: en.file, Span: i.Span}, "unknown_name", c.near(i.Text, func() []string { return sorted(en.items) }), "the test has no item `%s`", i.Text)
			ok = false
		}
		out.Items = append(out.Items, i.Text)
	}
	blocks := c.declaredBy["access"]
	through, at := "", en.at(s)
	switch {
	case s.Through != nil:
		through, at = s.Through.Text, plan.Place{File: en.file, Span: s.Through.Span}
		if through == "" {
			c.gaps = true
			return false
		}
	case len(blocks) == 1:
		through = blocks[0]
	case len(blocks) == 0:
		c.failAt(en, at, "unknown_name", "such as `access story { allow everyone }`", "`read` goes through an access block, the program has none")
		return false
	default:
		c.failAt(en, at, "unknown_name", "such as `through "+blocks[0]+"`", "the program has several access blocks: `read` says which with `through`")
		return false
	}
	d := c.names[through]
	if d == nil || d.word != "access" {
		c.failAt(en, at, "unknown_name", c.oneOf(through, blocks), "unknown access block `%s`", through)
		return false
	}
	if !c.resolve(d) {
		return false
	}
	out.Access = d.index
	return ok
}

// eventStep reads an event: columns, and properties under other names.
func (c *checker) eventStep(en, constants *env, s *ast.EventStep, out *plan.Step) bool {
	if s.Type == nil {
		c.gaps = true
		return false
	}
	out.Type = s.Type.Value
	if out.Type == "" || len(out.Type) > event.MaxTypeBytes {
		c.fail(en, s.Type, "type", "", "the type of an event has 1 to %d bytes, found %d", event.MaxTypeBytes, len(out.Type))
		return false
	}
	constants = constants.in(constants.position)
	constants.items = en.items
	return c.entries(en, s.Entries, func(e *ast.Entry) bool {
		column, isColumn := plan.ColumnByName(e.Key.Text)
		if !isColumn {
			v, ok := c.datum(constants, e)
			out.Properties = append(out.Properties, plan.TestValue{Name: e.Key.Text, Value: v})
			c.unusedDatum(en, e, ofProperty, "properties.", c.schema.Properties)
			return ok
		}
		switch column {
		case plan.Column(event.ColType), plan.ColTime, plan.ColDay, plan.ColWeek, plan.ColMonth, plan.ColVisit, plan.ColStartsVisit, plan.ColDevice, plan.Column(event.ColAccount):
			c.errorAt(plan.Place{File: en.file, Span: e.Key.Span}, "type", "take it away", "`%s` follows from the line and cannot be set", e.Key.Text)
			return false
		}
		v, ok := c.constantOf(constants, e.Value, column.Type(), "as `"+e.Key.Text+"`")
		if ok && column.Type() == value.Decimal {
			v = v.ToDecimal()
		}
		out.Columns = append(out.Columns, plan.TestColumn{Column: column, Value: v})
		return ok
	})
}
