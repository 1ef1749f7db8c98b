package check

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

const second = 1000

// maxDeadline is the longest that a decision may be waited for.
const maxDeadline = 10 * second

func (c *checker) access(d *definition, a *ast.Access) bool {
	en := &env{position: position{place: inAccess}, file: d.file}
	out := &plan.Access{Name: d.name.Text, Place: en.at(a), Counts: plan.CountsRendered, Deadline: 50}
	ok := c.options(en, "an access block", a.Options, map[string]func(*ast.Option) bool{
		"counts": func(o *ast.Option) bool { return c.counts(en, o, out) },
		"fails": func(o *ast.Option) bool {
			i := c.word(en, o, []string{"open", "closed"})
			out.Closed = i == 1
			return c.noArgument(en, o) && i >= 0
		},
		"deadline": func(o *ast.Option) bool {
			v, ok := c.constantOf(en.in(position{place: inConstant}), o.Value, value.Duration, "as `deadline`")
			if ok && (v.N < 1 || v.N > maxDeadline) {
				c.fail(en, o.Value, "option", "such as `deadline: 50ms`", "a deadline is 1ms to %s, found %s", value.FormatDuration(maxDeadline), value.FormatDuration(v.N))
				ok = false
			}
			out.Deadline = v.N
			return c.noArgument(en, o) && ok
		},
	})
	if len(a.Clauses) == 0 {
		c.errorAt(d.at(), "access", "such as `allow everyone`", "an access block has one clause at least")
		return false
	}
	for _, clause := range a.Clauses {
		made, fine := c.clause(en, clause)
		ok = ok && fine
		out.Clauses = append(out.Clauses, made)
	}
	if !c.reached(en, a.Clauses, out.Clauses) || !ok {
		return false
	}
	d.access = c.b.AddAccess(out)
	d.index = out.ID
	return true
}

// counts takes `counts: request`, `rendered`, `engaged 10s` or `scroll 50`.
func (c *checker) counts(en *env, o *ast.Option, out *plan.Access) bool {
	i := c.word(en, o, plan.CountsNames)
	if i < 0 {
		return false
	}
	out.Counts = plan.Counts(i)
	arg := en.in(position{place: inConstant})
	switch out.Counts {
	case plan.CountsEngaged:
		if o.Arg == nil {
			c.fail(en, o.Value, "option", "such as `counts: engaged 10s`", "`engaged` says for how long")
			return false
		}
		v, ok := c.constantOf(arg, o.Arg, value.Duration, "behind `engaged`")
		if ok && (v.N < second || v.N > 3600*second) {
			c.fail(en, o.Arg, "option", "", "`engaged` is for 1s to 1h, found %s", value.FormatDuration(v.N))
			return false
		}
		out.Amount = v.N
		return ok
	case plan.CountsScroll:
		if o.Arg == nil {
			c.fail(en, o.Value, "option", "such as `counts: scroll 50`", "`scroll` says how many percent")
			return false
		}
		v, ok := c.constantOf(arg, o.Arg, value.Int, "behind `scroll`")
		if ok && (v.N < 1 || v.N > 100) {
			c.fail(en, o.Arg, "option", "", "`scroll` is of 1 to 100 percent, found %d", v.N)
			return false
		}
		out.Amount = v.N
		return ok
	default:
		return c.noArgument(en, o)
	}
}

// reached makes sure that the last clause and no other is unconditional.
func (c *checker) reached(en *env, clauses []*ast.Clause, made []*plan.Clause) bool {
	seen := map[string]*ast.Clause{}
	for i, clause := range clauses {
		if first := seen[clause.Name.Text]; first != nil {
			d := c.warnAt(plan.Place{File: en.file, Span: clause.Name.Span}, "repeated_name", "counts and explanations tell clauses apart by their names", "there is a clause `%s` already", clause.Name.Text)
			c.relate(d, en.at(first), "the first `%s`", clause.Name.Text)
		} else if clause.Name.Text != "" {
			seen[clause.Name.Text] = clause
		}
		always := clause.Cond == nil || made[i].Cond != nil && made[i].Cond.IsTrue()
		last := i == len(clauses)-1
		switch {
		case always && !last:
			d := c.errorAt(en.at(clauses[i+1]), "unreachable", "give the clause before it a condition, or take this away", "this clause is never reached: `%s` always holds", clause.Name.Text)
			c.relate(d, en.at(clause), "`%s` has no condition", clause.Name.Text)
			return false
		case last && !always:
			c.errorAt(en.at(clause), "access", "take its `if …` away, or write a clause such as `allow everyone` behind it", "the last clause of an access block has no condition, `%s` has one", clause.Name.Text)
			return false
		}
		if last && always {
			made[i].Cond = nil
		}
	}
	return true
}

func (c *checker) clause(en *env, s *ast.Clause) (*plan.Clause, bool) {
	out := &plan.Clause{Outcome: plan.Outcome(s.Outcome), Name: s.Name.Text, Place: en.at(s), Burns: -1}
	ok := s.Name.Text != ""
	c.gaps = c.gaps || !ok
	if s.Cond != nil {
		x := c.eval(en, s.Cond)
		if c.there(en, &x, value.Bool, "behind `if`") {
			out.Cond = x.expr
		} else {
			ok = false
		}
	}
	if s.Burns != nil {
		out.Burns = c.burnt(en, s)
		ok = ok && out.Burns >= 0
	}
	ok = c.price(en, s, out) && ok
	if s.Offers != nil {
		out.Offers = s.Offers.Text
		if s.Outcome == ast.Allow {
			c.errorAt(plan.Place{File: en.file, Span: s.Offers.Span}, "access", "take it away, or write `deny`", "`offers` names the page that is shown instead: it stands with `deny` or `charge`, found `allow`")
			ok = false
		}
	}
	return out, ok
}

// burnt returns the meter that a clause burns; -1 after an error.
func (c *checker) burnt(en *env, s *ast.Clause) int {
	at := plan.Place{File: en.file, Span: s.Burns.Span}
	d := c.names[s.Burns.Text]
	switch {
	case s.Burns.Text == "":
		c.gaps = true
		return -1
	case d == nil || d.word != "meter":
		meters := c.declaredBy["meter"]
		hint := c.near(s.Burns.Text, these(meters))
		if hint == "" && len(meters) == 1 {
			hint = "the program has the meter `" + meters[0] + "`"
		}
		c.errorAt(at, "unknown_name", hint, "expected a meter behind `burns`, found `%s`", s.Burns.Text)
		return -1
	case s.Outcome != ast.Allow:
		c.errorAt(at, "access", "take it away, or write `allow`", "a page view that is not allowed burns nothing: `burns` stands with `allow`, found `%s`", s.Outcome)
		return -1
	case !c.resolve(d):
		return -1
	}
	return d.index
}

// price takes the price of a clause: that of `charge`, and of no other.
func (c *checker) price(en *env, s *ast.Clause, out *plan.Clause) bool {
	switch {
	case s.Price == nil && s.Outcome == ast.Charge:
		c.errorAt(plan.Place{File: en.file, Span: s.Name.Span}, "access", "such as `price 0.002 EUR`", "`charge` has a price, `%s` has none", s.Name.Text)
		return false
	case s.Price == nil:
		return true
	case s.Price.Amount == nil || s.Price.Currency == nil:
		c.gaps = true
		return false
	case s.Outcome != ast.Charge:
		c.fail(en, s.Price, "access", "write `charge`", "a price stands with `charge`, found `%s`", s.Outcome)
		return false
	}
	x := c.eval(en, s.Price.Amount)
	if !c.there(en, &x, value.Decimal, "behind `price`") {
		return false
	}
	if x.expr.IsConst() && x.expr.Value.N <= 0 {
		c.fail(en, s.Price.Amount, "access", "", "a price is more than nothing, found %s", x.expr.Value)
		return false
	}
	if x.typ() == value.Int {
		_, args := c.common([]result{x, {kind: isValue, expr: &plan.Expr{Type: value.Decimal}}})
		x.expr = args[0]
	}
	out.Price, out.Currency = x.expr, s.Price.Currency.Text
	return true
}
