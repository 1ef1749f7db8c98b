package check

import (
	"slices"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

func (c *checker) segment(d *definition, s *ast.Segment) bool {
	en := &env{position: position{place: inSegment}, file: d.file}
	x := c.eval(en, s.Body)
	if !c.there(en, &x, value.Bool, "in a segment") {
		return false
	}
	seg := c.b.AddSegment(&plan.Segment{Name: d.name.Text, Place: en.at(s), Expr: x.expr})
	d.index = seg.ID
	return true
}

// metric takes a number over all readers.
func (c *checker) metric(d *definition, m *ast.Metric) bool {
	en := &env{position: position{place: inMetric}, file: d.file}
	x := c.eval(en, m.Body)
	if x.kind == isValue && x.typ() == value.Duration {
		if !c.present(en, &x, "in a metric") {
			return false
		}
	} else if !c.there(en, &x, value.Decimal, "in a metric") {
		return false
	}
	out := &plan.Metric{Name: d.name.Text, Place: en.at(m), Expr: x.expr}
	folds := c.b.FoldsOf(x.expr)
	if len(folds) == 0 {
		c.fail(en, m.Body, "metric", "such as `events |> where type == \"page_view\" |> count`", "a metric is made of rows, found a constant")
		return false
	}
	for i, f := range folds {
		keys := c.b.KeysOf(f)
		if i > 0 && !slices.EqualFunc(keys, out.Keys, func(a, b *plan.Expr) bool { return a.Key == b.Key }) {
			c.errorAt(f.Place, "metric", "write the same `by` in all of them", "the parts of a metric are grouped by the same keys, this one by others than the first")
			return false
		}
		out.Keys = keys
	}
	d.index = c.b.AddMetric(out).ID
	return true
}

// options goes through options with the functions that take them, by name.
func (c *checker) options(en *env, of string, options []*ast.Option, takes map[string]func(*ast.Option) bool) bool {
	ok := true
	seen := map[string]bool{}
	for _, o := range options {
		name := o.Name.Text
		at := plan.Place{File: en.file, Span: o.Name.Span}
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

// word returns the index of an option's value among words; -1 after an error.
func (c *checker) word(en *env, o *ast.Option, words []string) int {
	id, isWord := o.Value.(*ast.Ident)
	if isWord {
		if i := slices.Index(words, id.Name); i >= 0 {
			return i
		}
	}
	if _, bad := o.Value.(*ast.Bad); bad {
		c.gaps = true
		return -1
	}
	hint := ""
	if isWord {
		hint = c.near(id.Name, these(words))
	}
	if t, isText := o.Value.(*ast.Text); isText && slices.Contains(words, t.Value) {
		hint = "write `" + t.Value + "` without quotes"
	}
	c.fail(en, o.Value, "option", hint, "expected %s as `%s`, found `%s`", either(words), o.Name.Text, c.files[en.file].Slice(o.Value.Range()))
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

func (c *checker) meter(d *definition, m *ast.Meter) bool {
	en := &env{position: position{place: inLimit}, file: d.file}
	out := &plan.Meter{Name: d.name.Text, Place: en.at(m)}
	ok := c.options(en, "a meter", m.Options, map[string]func(*ast.Option) bool{
		"limit": func(o *ast.Option) bool {
			x := c.eval(en, o.Value)
			if !c.noArgument(en, o) || !c.there(en, &x, value.Int, "as a limit") {
				return false
			}
			out.Limit = x.expr
			c.lowerForRegistered(en, o.Value, x.expr)
			return c.sensibleLimit(en, o.Value, x.expr)
		},
		"merge": func(o *ast.Option) bool {
			i := c.word(en, o, plan.Merges)
			out.Merge = plan.Merge(max(i, 0))
			return c.noArgument(en, o) && i >= 0
		},
		"sticky": func(o *ast.Option) bool {
			b, isBool := o.Value.(*ast.Bool)
			if !isBool {
				c.fail(en, o.Value, "option", "", "expected `true` or `false` as `sticky`, found `%s`", c.files[en.file].Slice(o.Value.Range()))
				return false
			}
			out.Sticky = b.Value
			return c.noArgument(en, o)
		},
	})
	if ok && out.Limit == nil {
		c.errorAt(d.at(), "meter", "such as `meter "+d.name.Text+" (limit: 5) = …`", "a meter has a limit, `%s` has none", d.name.Text)
		ok = false
	}
	if !c.meterRows(d, m, out) || !ok {
		return false
	}
	d.index = c.b.AddMeter(out).ID
	return true
}

// meterRows takes `burns |> WINDOW |> distinct item`.
func (c *checker) meterRows(d *definition, m *ast.Meter, out *plan.Meter) bool {
	en := &env{position: position{place: inBurns}, file: d.file}
	x := c.eval(en, m.Body)
	switch {
	case x.bad():
		return false
	case x.kind != isRows || !x.rows.burns:
		c.failAt(en, x.at, "meter", "such as `burns |> per month |> distinct item`", "expected `burns |> …` in a meter, found %s", x.found())
		return false
	case x.rows.window.IsZero() && x.rows.fromFirst == 0:
		c.failAt(en, x.at, "meter", "such as `burns |> per month |> distinct item`", "a meter has a window: `last`, `per` or `from_first`")
		return false
	case x.rows.distinct == nil:
		c.failAt(en, x.at, "meter", "write `|> distinct item` at its end", "a meter counts each item once")
		return false
	}
	out.Window, out.FromFirst = x.rows.window, x.rows.fromFirst
	return true
}

func (c *checker) sensibleLimit(en *env, n ast.Node, limit *plan.Expr) bool {
	if limit.IsConst() && limit.Value.N < 0 {
		c.fail(en, n, "meter", "", "a limit is 0 or more, found %s", limit.Value)
		return false
	}
	return true
}

// lowerForRegistered warns of a limit that is lower for a registered reader than
// for others, whatever else is true.
func (c *checker) lowerForRegistered(en *env, n ast.Node, limit *plan.Expr) {
	_, most, ok := bounds(limit, true)
	least, _, fine := bounds(limit, false)
	if ok && fine && most < least {
		c.warn(en, n, "lower_limit", "", "the limit of registered readers is lower (%d at most) than that of anonymous ones (%d at least)", most, least)
	}
}

// bounds returns the range of a limit for a registered reader or another one. ok
// is false where it is not known.
func bounds(e *plan.Expr, registered bool) (least, most int64, ok bool) {
	switch e.Op {
	case plan.Const:
		return e.Value.N, e.Value.N, e.Type == value.Int
	case plan.If:
		truth, known := holds(e.Args[0], registered)
		if known && truth {
			return bounds(e.Args[1], registered)
		} else if known {
			return bounds(e.Args[2], registered)
		}
		a, b, ok := bounds(e.Args[1], registered)
		x, y, fine := bounds(e.Args[2], registered)
		return min(a, x), max(b, y), ok && fine
	case plan.Add:
		a, b, ok := bounds(e.Args[0], registered)
		x, y, fine := bounds(e.Args[1], registered)
		return a + x, b + y, ok && fine
	default:
		return 0, 0, false
	}
}

// holds tells whether a condition is true or false for a registered reader or
// another one, whatever else is the case; known is false if it may be both.
func holds(e *plan.Expr, registered bool) (truth, known bool) {
	switch e.Op {
	case plan.Const:
		return e.IsTrue(), true
	case plan.ReaderRegistered:
		return registered, true
	case plan.Not:
		truth, known = holds(e.Args[0], registered)
		return !truth, known
	case plan.And, plan.Or:
		known = true
		for _, a := range e.Args {
			t, k := holds(a, registered)
			if k && t == (e.Op == plan.Or) {
				return t, true
			}
			known = known && k
		}
		return e.Op == plan.And, known
	default:
		return false, false
	}
}

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
