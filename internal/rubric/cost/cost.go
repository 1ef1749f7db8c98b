// Package cost estimates what a program costs: for each definition and for all of
// it together, the rows that an evaluation looks at, the bytes that are kept for
// a reader, and the time that an event takes.
//
// The estimates are for one active reader, with Rows events spread over the
// site's window. They count as both evaluators work: the rows of a reader are
// gone through once for all that is evaluated at an instant; a condition is asked
// once of each row, whoever has it; each fold then puts rows through its stages.
// Their units are measured ones, rounded; what matters is that a program is
// refused before it makes events wait.
package cost

import (
	"cmp"
	"slices"

	"github.com/readership/readership/internal/rubric/plan"
)

// Rows is how many events an active reader has in the site's window.
const Rows = 200

// Nanoseconds of one core.
const (
	reachNanos     = 60 // to come to a row
	conditionNanos = 5  // of one row
	endNanos       = 2  // of one row
	nodeNanos      = 4  // of an expression, once
)

// stageNanos is the time of a stage for one row.
var stageNanos = [...]int64{plan.Filter: 2, plan.Distinct: 25, plan.Then: 10, plan.Unless: 10, plan.By: 25}

// Bytes of one reader.
const (
	burnBytes   = 16 // item, time and limit
	periodBytes = 16 // a value with the calendar period it is of
)

// selectivity is the part of rows, 1 in so many, that a condition is taken to
// hold for if it does not ask for one of some values.
const selectivity = 4

// sharesShown is how many names of definitions a Cost has at most.
const sharesShown = 10

// Estimate fills in the costs of a program and its definitions. It is part of
// making the plan.
func Estimate(p *plan.Program) {
	e := &estimate{p: p, users: make([][]string, len(p.Folds))}
	for _, s := range p.Segments {
		s.Cost = e.uses(&s.Uses, s.Expr)
		s.Cost.BytesPerReader += 1 // the membership
		e.note(s.Name, &s.Uses)
	}
	for _, m := range p.Meters {
		m.Cost = e.uses(&m.Uses, m.Limit)
		m.Cost.BytesPerReader += burns(m)
		e.note(m.Name, &m.Uses)
	}
	for _, a := range p.Accesses {
		var exprs []*plan.Expr
		for _, c := range a.Clauses {
			exprs = append(exprs, c.Cond, c.Price)
		}
		a.Cost = e.uses(&a.Uses, exprs...)
		e.note(a.Name, &a.Uses)
	}
	for _, m := range p.Metrics {
		m.Cost = e.uses(&m.Uses, m.Expr)
		m.Cost.BytesPerReader = 0 // of the site, not of its readers
		e.note(m.Name, &m.Uses)
	}
	e.fews()
	e.shares()
	e.total()
}

// Of returns the cost of an expression of a program, which no definition has.
func Of(p *plan.Program, x *plan.Expr, uses *plan.Uses) plan.Cost {
	e := &estimate{p: p}
	return e.uses(uses, x)
}

// burns is the size of a meter that is full.
func burns(m *plan.Meter) int64 {
	most := int64(Rows)
	if limit, known := m.Limit.Most(); known {
		most = max(0, min(most, limit))
	}
	return most * burnBytes
}

type estimate struct {
	p     *plan.Program
	users [][]string // of each fold: the definitions that use it
}

func (e *estimate) note(name string, u *plan.Uses) {
	for _, f := range u.AllFolds {
		e.users[f] = append(e.users[f], name)
	}
}

// rows is how many rows are not older than a reach.
func (e *estimate) rows(reach int64) int64 {
	if e.p.Window <= 0 {
		return Rows
	}
	reach = min(reach, e.p.Window)
	// Rounded up; in minutes, so that the product fits.
	const minute = 60_000
	window := max(e.p.Window/minute, 1)
	return min((reach/minute*Rows+window-1)/window+1, Rows)
}

// uses is the cost of what a definition depends on and of its expressions.
func (e *estimate) uses(u *plan.Uses, exprs ...*plan.Expr) plan.Cost {
	c := plan.Cost{Nodes: size(exprs...)}
	for _, s := range u.AllSegments {
		c.NanosPerEvent += size(e.p.Segments[s].Expr) * nodeNanos
	}
	c.NanosPerEvent += c.Nodes * nodeNanos
	if len(u.AllFolds) == 0 {
		return c
	}
	c.Rows = e.rows(u.Reach)
	c.NanosPerEvent += c.Rows * reachNanos
	w := work{e: e, predicates: map[int]bool{}, streams: map[int]bool{}}
	for _, f := range u.AllFolds {
		c.NanosPerEvent += w.fold(f)
		if e.p.Streams[e.p.Folds[f].Stream].Periods != 0 {
			c.BytesPerReader += periodBytes
		}
	}
	return c
}

func size(exprs ...*plan.Expr) int64 {
	var n int64
	for _, x := range exprs {
		if x != nil {
			n += x.Size
		}
	}
	return n
}

// work sums up the time of folds, what they have in common once.
type work struct {
	e                   *estimate
	predicates, streams map[int]bool
}

func (w *work) fold(id int) int64 {
	f := w.e.p.Folds[id]
	n := w.stream(f.Stream)
	if f.Of != nil {
		n += w.e.rows(w.e.p.Streams[f.Stream].Age) * f.Of.Size
	}
	return n
}

func (w *work) stream(id int) int64 {
	if w.streams[id] {
		return 0
	}
	w.streams[id] = true
	s := w.e.p.Streams[id]
	rows := w.e.rows(s.Reach)
	n := rows * endNanos
	for i := range s.Stages {
		st := &s.Stages[i]
		n += rows * stageNanos[st.Kind]
		switch st.Kind {
		case plan.Filter:
			if !w.predicates[st.Predicate] {
				w.predicates[st.Predicate] = true
				n += rows * int64(conditions(w.e.p.Predicates[st.Predicate])) * conditionNanos
			}
		case plan.Then, plan.Unless:
			n += w.stream(st.Other)
		}
	}
	return n
}

func conditions(p *plan.Predicate) int { return len(p.Row) + len(p.Item) + len(p.Both) + len(p.Asked) }

// shares names for each definition others that have a fold in common with it.
func (e *estimate) shares() {
	name := func(own string, u *plan.Uses) []string {
		var out []string
		for _, f := range u.AllFolds {
			for _, other := range e.users[f][:min(len(e.users[f]), 2*sharesShown)] {
				if other != own && !slices.Contains(out, other) {
					out = append(out, other)
				}
			}
		}
		slices.Sort(out)
		return out[:min(len(out), sharesShown)]
	}
	for _, s := range e.p.Segments {
		s.Cost.Shares = name(s.Name, &s.Uses)
	}
	for _, m := range e.p.Meters {
		m.Cost.Shares = name(m.Name, &m.Uses)
	}
	for _, a := range e.p.Accesses {
		a.Cost.Shares = name(a.Name, &a.Uses)
	}
	for _, m := range e.p.Metrics {
		m.Cost.Shares = name(m.Name, &m.Uses)
	}
}

// total is the cost of all segments and meters together: what an event of a
// reader takes that changes as much as one event can.
func (e *estimate) total() {
	var c plan.Cost
	var all plan.Uses
	for _, s := range e.p.Segments {
		all.Reach = max(all.Reach, s.Uses.Reach)
		all.AllFolds = append(all.AllFolds, s.Uses.AllFolds...)
		c.Nodes += s.Cost.Nodes
	}
	c.BytesPerReader = int64(len(e.p.Segments)+7) / 8
	for _, m := range e.p.Meters {
		c.BytesPerReader += burns(m)
		c.Nodes += m.Cost.Nodes
	}
	slices.Sort(all.AllFolds)
	for _, f := range slices.Compact(all.AllFolds) {
		if e.p.Streams[e.p.Folds[f].Stream].Periods != 0 {
			c.BytesPerReader += periodBytes
		}
	}
	if len(all.AllFolds) > 0 {
		c.Rows = e.rows(all.Reach)
	}
	c.NanosPerEvent = c.Rows*reachNanos + e.dearest()
	e.p.Cost = c
}

// asked is a value that a condition asks a column, property or field of the row
// for.
type asked struct{ name, value string }

// dearest is the time of the folds that one event can change. A predicate that
// asks for a value changes with one in its column only: each is counted under
// the column of which the program asks for the most values, and of each column
// the dearest value counts.
func (e *estimate) dearest() int64 {
	values := map[string]map[string]bool{}
	for _, c := range e.p.Conditions {
		for _, a := range asks(c) {
			if values[a.name] == nil {
				values[a.name] = map[string]bool{}
			}
			values[a.name][a.value] = true
		}
	}
	byValue := map[asked]int64{}
	var rest int64
	w := work{e: e, predicates: map[int]bool{}, streams: map[int]bool{}}
	for _, p := range e.p.Predicates {
		var n int64
		for _, f := range p.Folds {
			if len(e.p.Folds[f].Segments) > 0 {
				n += w.fold(f)
			}
		}
		for _, s := range p.Segments {
			n += e.p.Segments[s].Expr.Size * nodeNanos
		}
		best, others := e.narrowest(p, values)
		for range min(others, 3) {
			n /= selectivity
		}
		if best == nil {
			rest += n
		}
		for _, a := range best {
			byValue[a] += n
		}
	}
	most := map[string]int64{}
	for a, n := range byValue {
		most[a.name] = max(most[a.name], n)
	}
	for _, n := range most {
		rest += n
	}
	return rest
}

// narrowest returns what that condition of a predicate asks for whose column has
// the most values, nil if none asks for values, and how many conditions ask for
// something else.
func (e *estimate) narrowest(p *plan.Predicate, values map[string]map[string]bool) (best []asked, others int) {
	for _, id := range slices.Concat(p.Row, p.Item, p.Both, p.Asked) {
		list := asks(e.p.Conditions[id])
		switch {
		case list == nil:
			others++
		case best == nil || cmp.Compare(len(values[list[0].name]), len(values[best[0].name])) > 0:
			best = list
		}
	}
	return best, others
}

// asks returns the values that a condition asks for.
func asks(c *plan.Condition) []asked {
	var out []asked
	switch {
	case c.Lookup != nil:
		name := c.Lookup.Column.String()
		if c.Lookup.Property != "" {
			name = "properties." + c.Lookup.Property
		}
		for _, v := range c.Lookup.Values {
			out = append(out, asked{name, v.String()})
		}
	case c.Expr.Op == plan.Equal || c.Expr.Op == plan.In:
		of, constant := c.Expr.Args[0], c.Expr.Args[1]
		if of.IsConst() {
			of, constant = constant, of
		}
		if of.Op != plan.RowItem && of.Op != plan.RowAttribute || !constant.IsConst() {
			return nil
		}
		if c.Expr.Op == plan.Equal {
			return []asked{{of.String(), constant.Value.String()}}
		}
		for _, v := range constant.Value.Items() {
			out = append(out, asked{of.String(), v.String()})
		}
	}
	return out
}
