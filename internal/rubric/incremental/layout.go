package incremental

import (
	"cmp"
	"slices"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// layout is what of a plan was laid out for evaluation.
type layout struct {
	inputOf []int32 // by Expr.Key: of RowColumn and RowProperty; −1 for others
	usesNow Set     // by Expr.Key: expressions with TimeNow
	stages  [][]stage
	keys    []key
	values  []*plan.Expr // that folds look at
	valueOf []int32      // by fold: place in values, −1 without
	edges   []edgeOf
	lasts   []lastsOf
	lastsOf []int32 // by stream: place in lasts; −1 for others
}

// stage is a plan.Stage with the places of what it needs.
type stage struct {
	*plan.Stage
	narrows bool // its predicate has conditions
	edge    int  // place in layout.edges; −1 without a window
	key     int  // place in layout.keys
}

// edgeOf is a window, in the first stage of a stream together with the site's.
type edgeOf struct {
	window plan.Window
	last   int64 // the shorter of both windows' Last; 0 without any
}

// key is one expression whose values tell rows apart, or several keys together.
type key struct {
	expr    *plan.Expr
	parts   []int // places of keys; nil for one expression
	mutable bool
	item    bool
	asked   bool
}

// input is an Input with what is known of its codes.
type input struct {
	Input
	covered Set   // codes for which the conditions below were worked out
	holding []int // conditions that look at this input alone
	lookups map[value.Value][]int
	others  []int // of holding: those that are no lookups
}

// condition is a plan.Condition with the codes for which it holds, if it looks
// at one input alone.
type condition struct {
	*plan.Condition
	input   int // −1: at several, or at what has no codes
	holds   Set // codes
	mutable bool
	item    bool
	asked   bool

	segments Set // that it can change, where it looks at the item
}

// predicate is a plan.Predicate with its conditions, the cheap ones first.
type predicate struct {
	*plan.Predicate
	conditions           []int
	unknown              []int // of conditions: those that a row may miss whose codes led here
	segments             Set   // nil for few
	mutable, item, asked bool
}

func (e *Evaluator) layOut() {
	p := e.program
	e.inputs = append(e.inputs, input{Input: Input{Column: plan.Column(event.ColItem)}})
	rowExprs(p, func(x *plan.Expr) { x.Each(e.addInput) })
	for _, c := range p.Conditions {
		e.conditions = append(e.conditions, e.condition(c))
	}
	for _, pr := range p.Predicates {
		e.predicates = append(e.predicates, e.predicate(pr))
	}
	for _, s := range p.Streams {
		var stages []stage
		for i := range s.Stages {
			stages = append(stages, e.stage(&s.Stages[i], i == 0))
		}
		e.layout.stages = append(e.layout.stages, stages)
	}
	e.layLasts()
	places := map[int]int32{}
	for _, f := range p.Folds {
		at := int32(-1)
		if f.Of != nil {
			_, _, asked := kinds(f.Of)
			e.asks = e.asks || asked
			known, ok := places[f.Of.Key]
			if !ok {
				known = int32(len(e.layout.values))
				places[f.Of.Key] = known
				e.layout.values = append(e.layout.values, f.Of)
			}
			at = known
		}
		e.layout.valueOf = append(e.layout.valueOf, at)
	}
	for _, s := range p.Segments {
		e.noteNow(s.Expr)
	}
	e.edges = make([]edge, len(e.layout.edges))
}

// rowExprs calls fn with all expressions on rows.
func rowExprs(p *plan.Program, fn func(*plan.Expr)) {
	for _, c := range p.Conditions {
		fn(c.Expr)
	}
	for _, s := range p.Streams {
		for i := range s.Stages {
			for _, k := range s.Stages[i].Keys {
				fn(k)
			}
		}
	}
	for _, f := range p.Folds {
		if f.Of != nil {
			fn(f.Of)
		}
	}
}

// addInput notes the input that an expression is.
func (e *Evaluator) addInput(x *plan.Expr) {
	in := Input{Column: x.Column}
	switch {
	case x.Op == plan.RowProperty:
		in = Input{Property: x.Name}
	case x.Op != plan.RowColumn, x.Column >= plan.ColTime && x.Column <= plan.ColMonth:
		return
	}
	place := slices.IndexFunc(e.inputs[1:], func(known input) bool { return known.Input == in }) + 1
	if place == 0 {
		place = len(e.inputs)
		e.inputs = append(e.inputs, input{Input: in})
	}
	for len(e.layout.inputOf) <= x.Key {
		e.layout.inputOf = append(e.layout.inputOf, -1)
	}
	e.layout.inputOf[x.Key] = int32(place)
}

// kinds tells what expressions on rows look at.
func kinds(of ...*plan.Expr) (mutable, item, asked bool) {
	for _, x := range of {
		x.Each(func(x *plan.Expr) {
			switch x.Op {
			case plan.RowColumn:
				mutable = mutable || x.Column == plan.ColVisit || x.Column == plan.ColStartsVisit || x.Column == plan.ColEngagedSeconds || x.Column == plan.ColScrollPercent
			case plan.RowItem, plan.RowAttribute:
				item = true
			case plan.AskedField, plan.AskedAttribute:
				asked = true
			}
		})
	}
	return mutable, item, asked
}

func (e *Evaluator) condition(c *plan.Condition) condition {
	out := condition{Condition: c, input: -1}
	out.mutable, out.item, out.asked = kinds(c.Expr)
	e.asks = e.asks || out.asked
	coded := true
	own := -1
	c.Expr.Each(func(x *plan.Expr) {
		if x.Op != plan.RowColumn && x.Op != plan.RowProperty {
			return
		}
		coded = coded && (x.Op == plan.RowProperty || x.Column < plan.Column(event.NumColumns))
		if coded {
			own = int(e.layout.inputOf[x.Key])
		}
	})
	switch {
	case c.Class == plan.OnItem:
		out.input = ItemInput
	case c.Class == plan.OnRow && coded && len(c.Columns)+len(c.Properties) == 1:
		out.input = own
	default:
		return out
	}
	in := &e.inputs[out.input]
	in.holding = append(in.holding, c.ID)
	if c.Lookup == nil {
		in.others = append(in.others, c.ID)
		return out
	}
	if in.lookups == nil {
		in.lookups = map[value.Value][]int{}
	}
	for _, v := range c.Lookup.Values {
		in.lookups[v] = append(in.lookups[v], c.ID)
	}
	return out
}

func (e *Evaluator) predicate(p *plan.Predicate) predicate {
	out := predicate{Predicate: p, conditions: slices.Concat(p.Row, p.Item, p.Both, p.Asked)}
	cost := func(id int) int64 {
		if c := &e.conditions[id]; c.input < 0 {
			return c.Expr.Size
		}
		return 0
	}
	slices.SortStableFunc(out.conditions, func(a, b int) int { return cmp.Compare(cost(a), cost(b)) })
	for _, id := range out.conditions {
		out.mutable = out.mutable || e.conditions[id].mutable
		out.item = out.item || e.conditions[id].item
		out.asked = out.asked || e.conditions[id].asked
	}
	out.unknown = out.conditions
	if n := words(len(e.program.Segments)); len(p.Segments) > n {
		out.segments = make(Set, n)
		out.segments.putAll(p.Segments)
	}
	return out
}

func (e *Evaluator) stage(s *plan.Stage, first bool) stage {
	out := stage{Stage: s, edge: -1, key: -1}
	switch s.Kind {
	case plan.Filter:
		out.narrows = len(e.predicates[s.Predicate].conditions) > 0
		if first || !s.Window.IsZero() {
			out.edge = e.edgeOf(s.Window, first)
		}
	case plan.Distinct:
		var parts []int
		for _, k := range s.Keys {
			mutable, item, asked := kinds(k)
			e.asks = e.asks || asked
			parts = append(parts, e.key(key{expr: k, mutable: mutable, item: item, asked: asked}))
		}
		slices.Sort(parts)
		parts = slices.Compact(parts)
		if out.key = parts[0]; len(parts) > 1 {
			whole := key{parts: parts}
			for _, k := range parts {
				k := &e.layout.keys[k]
				whole.mutable, whole.item, whole.asked = whole.mutable || k.mutable, whole.item || k.item, whole.asked || k.asked
			}
			out.key = e.key(whole)
		}
	}
	return out
}

func (e *Evaluator) edgeOf(w plan.Window, first bool) int {
	of := edgeOf{window: w, last: w.Last}
	if first && (w.Last == 0 || w.Last > e.program.Window) {
		of.last = e.program.Window
	}
	i := slices.Index(e.layout.edges, of)
	if i < 0 {
		i = len(e.layout.edges)
		e.layout.edges = append(e.layout.edges, of)
	}
	return i
}

func (e *Evaluator) key(k key) int {
	for i, known := range e.layout.keys {
		if k.expr != nil && known.expr != nil && known.expr.Key == k.expr.Key || k.expr == nil && slices.Equal(known.parts, k.parts) {
			return i
		}
	}
	e.layout.keys = append(e.layout.keys, k)
	return len(e.layout.keys) - 1
}

// noteNow notes which of an expression's parts depend on the time itself.
func (e *Evaluator) noteNow(x *plan.Expr) bool {
	uses := x.Op == plan.TimeNow
	for _, a := range x.Args {
		uses = e.noteNow(a) || uses
	}
	if uses {
		e.layout.usesNow = e.layout.usesNow.grown(x.Key + 1)
		e.layout.usesNow.put(x.Key)
	}
	return uses
}
