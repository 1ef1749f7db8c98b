package incremental

import (
	"slices"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// index finds what a row, an item or a fact can change.
type index struct {
	paths  []path
	always []int // predicates without a path

	facts   [plan.NumFacts]Set // segments by fact
	visits  Set                // segments that depend on how visits are cut
	item    Set                // segments that depend on items otherwise than by conditions
	mutable []int              // predicates that are matched when a row's attention changes
	changed []Set              // by them: the segments that it can change
}

// path leads from the codes of an input to the predicates that ask something of
// it: each predicate is on the path that promises the fewest.
type path struct {
	input      int
	predicates []int                 // that are not in byValue
	byValue    map[value.Value][]int // by the values of a lookup
	byCode     [][]int               // what was found for a code; nil: nothing yet
}

// noPredicates stands in byCode for a code that was looked up.
var noPredicates = []int{}

func (e *Evaluator) buildIndex() {
	x := &e.index
	paths := map[int]*path{}
	for i := range e.predicates {
		p := &e.predicates[i]
		if len(p.Segments) == 0 || len(p.Folds) == 0 {
			continue
		}
		in, lookup := e.pathOf(p)
		if in < 0 {
			x.always = append(x.always, p.ID)
			continue
		}
		if paths[in] == nil {
			paths[in] = &path{input: in, byValue: map[value.Value][]int{}}
		}
		known := func(id int) bool {
			return lookup == nil && slices.Contains(p.Item, id) || lookup != nil && e.conditions[id].Lookup == lookup
		}
		p.unknown = slices.DeleteFunc(slices.Clone(p.conditions), known)
		// Few rows meet those that lead here: matching asks them first.
		p.conditions = slices.Concat(slices.DeleteFunc(p.conditions, func(id int) bool { return !known(id) }), p.unknown)
		if lookup == nil {
			paths[in].predicates = append(paths[in].predicates, p.ID)
			continue
		}
		for _, v := range lookup.Values {
			paths[in].byValue[v] = append(paths[in].byValue[v], p.ID)
		}
	}
	for in := range e.inputs {
		if paths[in] != nil {
			x.paths = append(x.paths, *paths[in])
		}
	}
	for f, list := range e.program.ByFact {
		x.facts[f] = make(Set, words(len(e.program.Segments)))
		for _, s := range list {
			x.facts[f].put(s)
		}
	}
	e.indexMutable()
}

// pathOf returns the input by which a predicate is found, and the lookup, if it
// is by one: few events have a certain property, item or country, many a type.
func (e *Evaluator) pathOf(p *predicate) (in int, lookup *plan.Lookup) {
	in = -1
	onType := plan.Column(event.ColType)
	for _, id := range p.Row {
		c := &e.conditions[id]
		switch l := c.Lookup; {
		case l == nil || c.input < 0:
		case lookup == nil,
			lookup.Column == onType && lookup.Property == "" && (l.Column != onType || l.Property != ""):
			in, lookup = c.input, l
		}
	}
	if len(p.Item) > 0 && (lookup == nil || lookup.Column == onType && lookup.Property == "") {
		return ItemInput, nil
	}
	return in, lookup
}

// indexMutable finds what depends on what of a row may still change: its
// attention, its visit, the catalogue entry of its item.
func (e *Evaluator) indexMutable() {
	x := &e.index
	x.visits, x.item = e.NewSet(), e.NewSet()
	byPredicate := map[int]Set{}
	for _, f := range e.program.Folds {
		var attention, visits bool
		e.eachOf(f, func(c *condition, of *plan.Expr) {
			mutable, item, _ := kinds(of)
			of.Each(func(of *plan.Expr) {
				if of.Op == plan.RowColumn && mutable {
					attention = attention || of.Column == plan.ColEngagedSeconds || of.Column == plan.ColScrollPercent
					visits = visits || of.Column == plan.ColVisit || of.Column == plan.ColStartsVisit
				}
			})
			switch {
			case item && c != nil && c.input == ItemInput:
				if c.segments == nil {
					c.segments = e.NewSet()
				}
				c.segments.putAll(f.Segments)
			case item:
				x.item.putAll(f.Segments)
			}
		})
		if visits {
			x.visits.putAll(f.Segments)
		}
		for _, base := range e.program.Streams[f.Stream].Bases {
			if attention {
				if byPredicate[base] == nil {
					byPredicate[base] = e.NewSet()
				}
				byPredicate[base].putAll(f.Segments)
			}
		}
	}
	for id := range e.predicates {
		if set := byPredicate[id]; set != nil {
			x.mutable = append(x.mutable, id)
			x.changed = append(x.changed, set)
		}
	}
}

// eachOf calls fn with all expressions on rows that a fold depends on, and with
// the condition of those that are one.
func (e *Evaluator) eachOf(f *plan.Fold, fn func(*condition, *plan.Expr)) {
	if f.Of != nil {
		fn(nil, f.Of)
	}
	seen := map[int]bool{}
	var walk func(id int)
	walk = func(id int) {
		if seen[id] {
			return
		}
		seen[id] = true
		for i := range e.program.Streams[id].Stages {
			s := &e.program.Streams[id].Stages[i]
			switch s.Kind {
			case plan.Filter:
				for _, c := range e.predicates[s.Predicate].conditions {
					fn(&e.conditions[c], e.conditions[c].Expr)
				}
			case plan.Then, plan.Unless:
				walk(s.Other)
			}
			for _, k := range s.Keys {
				fn(nil, k)
			}
		}
	}
	walk(f.Stream)
}

// Match adds to set the segments that a row can change: those that depend on a
// predicate that holds for it.
func (e *Evaluator) Match(row Entry, set Set) {
	e.one.begin(e, row)
	x := &e.index
	for i := range x.paths {
		for _, p := range e.found(&x.paths[i]) {
			e.match(p, set)
		}
	}
	for _, p := range x.always {
		e.match(p, set)
	}
}

func (e *Evaluator) match(p int, set Set) {
	if e.holds(e.predicates[p].unknown, false) {
		e.addSegments(p, set)
	}
}

func (e *Evaluator) addSegments(p int, set Set) {
	if e.fault == faultSegmentOfSegment {
		for _, f := range e.predicates[p].Folds {
			for _, s := range e.program.Folds[f].Segments {
				if slices.Contains(e.program.Segments[s].Uses.Folds, f) {
					set.put(s)
				}
			}
		}
		return
	}
	if all := e.predicates[p].segments; all != nil {
		set.add(all)
	} else {
		set.putAll(e.predicates[p].Segments)
	}
}

// matchMutable adds to set the segments that a row can change whose attention
// has changed.
func (e *Evaluator) matchMutable(row Entry, set Set) {
	e.one.begin(e, row)
	for i, p := range e.index.mutable {
		if e.holds(e.predicates[p].conditions, true) {
			set.add(e.index.changed[i])
		}
	}
}

// found returns the predicates on a path that may hold for the row.
func (e *Evaluator) found(p *path) []int {
	code, coded := e.one.code(e, p.input)
	if !coded {
		return p.byValue[e.table.Value(p.input, e.one.row[0].Row)]
	}
	if int(code) < len(p.byCode) && p.byCode[code] != nil {
		return p.byCode[code]
	}
	out := noPredicates
	for _, id := range p.predicates {
		if e.holdForItem(&e.predicates[id], code) {
			out = append(out, id)
		}
	}
	if len(p.byValue) > 0 && code != 0 {
		out = append(out, p.byValue[e.table.Decode(p.input, code)]...)
	}
	if need := int(code) + 1 - len(p.byCode); need > 0 {
		p.byCode = append(p.byCode, make([][]int, need)...)
	}
	p.byCode[code] = out
	return out
}

// holdForItem tells whether the item part of a predicate holds.
func (e *Evaluator) holdForItem(p *predicate, item uint32) bool {
	e.cover(ItemInput, item)
	for _, id := range p.Item {
		if !e.conditions[id].holds.Has(int(item)) {
			return false
		}
	}
	return true
}

// holds tells whether conditions hold for the row that is matched. Those on what
// may change, if that is passed over, and on the item asked for may hold.
func (e *Evaluator) holds(conditions []int, mutable bool) bool {
	for _, id := range conditions {
		c := &e.conditions[id]
		switch {
		case c.asked, mutable && c.mutable:
			continue
		case c.input >= 0:
			if code, ok := e.one.code(e, c.input); ok {
				if !c.holds.Has(int(code)) {
					return false
				}
				continue
			}
		}
		if !e.onRow(&e.one.row[0], c.Expr).True() {
			return false
		}
	}
	return true
}

// matched is the row that is matched, with its codes once they were asked for.
type matched struct {
	row   [1]Entry
	mark  uint32
	codes []matchedCode
}

type matchedCode struct {
	mark  uint32
	code  [1]uint32
	coded bool
}

func (m *matched) begin(e *Evaluator, row Entry) {
	if m.codes == nil {
		m.codes = make([]matchedCode, len(e.inputs))
	}
	m.row[0] = row
	if m.mark++; m.mark == 0 {
		clear(m.codes)
		m.mark = 1
	}
}

func (m *matched) code(e *Evaluator, in int) (uint32, bool) {
	c := &m.codes[in]
	if c.mark != m.mark {
		c.mark = m.mark
		if c.coded = e.table.Codes(in, m.row[:], c.code[:]); c.coded {
			e.cover(in, c.code[0])
		}
	}
	return c.code[0], c.coded
}

// ItemChanged tells that the entry of an item has changed, and adds to set the
// segments that it can change in readers who have a row of it; Update brings
// them up to date, with ByItem.
func (e *Evaluator) ItemChanged(item uint32, set Set) {
	for i := range e.index.paths {
		if p := &e.index.paths[i]; p.input == ItemInput && int(item) < len(p.byCode) {
			p.byCode[item] = nil
		}
	}
	in := &e.inputs[ItemInput]
	if !in.covered.Has(int(item)) { // what held is not known
		set.add(e.index.facts[plan.Catalogue])
		return
	}
	if e.fault == faultItemBits {
		return
	}
	set.add(e.index.item)
	for _, id := range in.holding {
		c := &e.conditions[id]
		held := c.holds.Has(int(item))
		holds := e.onCode(ItemInput, item, c.Expr).True()
		if held == holds {
			continue
		}
		if holds {
			c.holds.put(int(item))
		} else {
			c.holds.drop(int(item))
		}
		set.add(c.segments)
	}
}

// Renumbered tells that codes have got other values.
func (e *Evaluator) Renumbered() {
	e.codesAre++
	for i := range e.inputs {
		clear(e.inputs[i].covered)
	}
	for i := range e.index.paths {
		clear(e.index.paths[i].byCode)
	}
}

// NewSet returns an empty set of segments.
func (e *Evaluator) NewSet() Set { return make(Set, words(len(e.program.Segments))) }

// All returns all segments.
func (e *Evaluator) All() Set { return e.all }
