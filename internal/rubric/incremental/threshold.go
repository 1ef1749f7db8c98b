package incremental

import (
	"cmp"
	"slices"

	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// threshold is a comparison of a count with a constant.
type threshold struct {
	is    bool
	least bool // count ≥ limit; false: count < limit
	limit int64
	fold  int

	// shrinks tells that rows leave the stream as time passes and none enters.
	shrinks bool
	edge    int // the window of its only filter
}

// threshold returns the comparison that an expression is.
func (e *Evaluator) threshold(x *plan.Expr) threshold {
	if x.Op != plan.Less && x.Op != plan.LessSame {
		return threshold{}
	}
	a, b := x.Args[0], x.Args[1]
	t := threshold{is: true, least: a.IsConst()}
	of, limit := a, b
	if t.least { // limit ≤ count, or limit < count
		of, limit = b, a
	}
	if of.Op != plan.FoldValue || !limit.IsConst() || limit.Value.Type != value.Int || e.program.Folds[of.Ref].End != plan.Count {
		return threshold{}
	}
	t.fold, t.limit = of.Ref, limit.Value.N
	if t.least == (x.Op == plan.Less) { // limit < count, and count ≤ limit
		if t.limit == Never {
			return threshold{}
		}
		t.limit++
	}
	stages := e.layout.stages[e.program.Folds[t.fold].Stream]
	t.edge = stages[0].edge
	t.shrinks = !slices.ContainsFunc(stages[1:], func(s stage) bool { return s.Kind != plan.Distinct }) && len(stages) <= 2
	return t
}

// compare tells whether a threshold is reached.
func (e *Evaluator) compare(t *threshold) (bool, until) {
	n := e.fold(t.fold).value.N
	reached := n >= t.limit
	return reached == t.least, e.untilCrossed(t, n)
}

// untilCrossed returns until when a count of n stays on its side of a threshold.
// Where rows only leave, each takes one from the count at most: the threshold is
// crossed when as many have left as are too many, or never.
func (e *Evaluator) untilCrossed(t *threshold, n int64) until {
	holds := e.folds[t.fold].holds
	switch {
	case !t.shrinks:
		return holds
	case n < t.limit:
		return never
	}
	holds.timer = Never
	if last := e.layout.edges[t.edge].last; last > 0 {
		spare := int(n - t.limit)
		if e.fault == faultThresholdTimer {
			spare++
		}
		rows := e.streams[e.program.Folds[t.fold].Stream].base
		if i := rows.nth(spare); i < rows.hi {
			holds.timer = e.rows.rows[i].Time + last
		}
	}
	return holds
}

// ladder is all segments that only ask whether one count has reached a limit.
type ladder struct {
	thresholds []threshold // by limit, ascending
	members    []Set       // with each of them: the segments whose limit that or a lower one is
	all        Set
}

// buildLadders takes segments together that count the same.
func (e *Evaluator) buildLadders() {
	byFold := map[int]*ladder{}
	e.ladders = make([]*ladder, len(e.program.Segments))
	for id := range e.thresholds {
		t := e.thresholds[id]
		if !t.is || !t.least {
			continue
		}
		l := byFold[t.fold]
		if l == nil {
			l = &ladder{all: e.NewSet()}
			byFold[t.fold] = l
		}
		l.all.put(id)
		l.thresholds = append(l.thresholds, t)
		e.ladders[id] = l
	}
	for _, l := range byFold {
		slices.SortFunc(l.thresholds, func(a, b threshold) int { return cmp.Compare(a.limit, b.limit) })
		l.thresholds = slices.CompactFunc(l.thresholds, func(a, b threshold) bool { return a.limit == b.limit })
		for i := range l.thresholds {
			members := e.NewSet()
			n := len(e.thresholds)
			for id := l.all.next(0, n); id < n; id = l.all.next(id+1, n) {
				if e.thresholds[id].limit <= l.thresholds[i].limit {
					members.put(id)
				}
			}
			l.members = append(l.members, members)
		}
	}
}

// climb works the segments of a ladder out and returns their members. Only the
// highest limit reached can be the first to be missed.
func (e *Evaluator) climb(l *ladder) (Set, until) {
	first := &l.thresholds[0]
	n := e.fold(first.fold).value.N
	reached := 0
	for reached < len(l.thresholds) && l.thresholds[reached].limit <= n {
		reached++
	}
	if reached == 0 {
		return nil, e.untilCrossed(first, n)
	}
	return l.members[reached-1], e.untilCrossed(&l.thresholds[reached-1], n)
}
