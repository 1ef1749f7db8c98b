package incremental

import (
	"cmp"
	"math/bits"
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

	// shrinks tells that rows leave the stream as time passes and none enters,
	// plain that it is a filter alone.
	shrinks, plain  bool
	predicate, edge int // of the first filter
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
	t.predicate, t.edge = stages[0].Predicate, stages[0].edge
	t.plain = len(stages) == 1
	t.shrinks = t.plain || len(stages) == 2 && stages[1].Kind == plan.Distinct
	return t
}

// compare tells whether a threshold is reached.
func (e *Evaluator) compare(t *threshold) (bool, until) {
	if e.few(t) || e.rare(t) {
		return !t.least, never
	}
	n, rows := e.counted(t)
	reached := n >= t.limit
	return reached == t.least, e.untilCrossed(t, n, rows)
}

// few tells that a threshold cannot be reached: not so many rows are in its
// window, whatever they are.
func (e *Evaluator) few(t *threshold) bool {
	return t.shrinks && int64(max(0, e.hi-max(e.lo, e.edge(t.edge)))) < t.limit
}

// rare tells that a threshold cannot be reached, by the latest rows of its window
// alone: those of them that count, with all others, are fewer. The others are limit−2,
// the earliest, since mostly one of the rest counts: that which arrived. It is asked
// after few.
func (e *Evaluator) rare(t *threshold) bool {
	if !t.shrinks || e.rows.kept || t.limit < 3 {
		return false
	}
	lo := max(e.lo, e.edge(t.edge))
	others := int(t.limit) - 2
	if others*4 < e.hi-lo { // nearly all would be looked at, perhaps for nothing
		return false
	}
	n := e.matching(t.predicate, lo+others).bits.count(lo+others, e.hi)
	if e.fault == faultRare {
		n--
	}
	return n+others < int(t.limit)
}

// counted returns the count that a threshold is compared with and, if it shrinks,
// the rows that it is made of.
func (e *Evaluator) counted(t *threshold) (n int64, rows span) {
	if t.plain {
		rows = e.filtered(t.predicate, t.edge)
		return int64(rows.count()), rows
	}
	n = e.fold(t.fold).value.N
	return n, e.streams[e.program.Folds[t.fold].Stream].base
}

// untilCrossed returns until when a count of n stays on its side of a threshold.
// Where rows only leave, each takes one from the count at most: the threshold is
// crossed when as many have left as are too many, or never.
func (e *Evaluator) untilCrossed(t *threshold, n int64, rows span) until {
	switch {
	case !t.shrinks:
		return e.folds[t.fold].holds
	case n < t.limit:
		return never
	}
	holds, of := never, &e.layout.edges[t.edge]
	if of.window.Periods != 0 {
		holds.border = e.untilOut(t.edge, rows).border
	}
	if of.last > 0 {
		spare := int(n - t.limit)
		if e.fault == faultThresholdTimer {
			spare++
		}
		if i := rows.nth(spare); i < rows.hi {
			holds.timer = e.rows.rows[i].Time + of.last
		}
	}
	return holds
}

// ladder is several segments that only ask whether one count has reached a limit: its
// steps are the limits that there are, ascending. A reader is in the segments of
// all steps up to the highest that the count has reached, and in no others.
type ladder struct {
	thresholds []threshold // by step
	one        []int       // by step: a segment with that limit
	words      []int       // of a Set, those with segments of the ladder
	all        []uint64    // by word: the segments
	members    [][]uint64  // by steps reached, by word: the segments that the reader is in
}

// buildLadders takes segments together that count the same.
func (e *Evaluator) buildLadders() {
	byFold := map[int][]int{}
	e.ladders = make([]*ladder, len(e.program.Segments))
	for id := range e.thresholds {
		if t := &e.thresholds[id]; t.is && t.least {
			byFold[t.fold] = append(byFold[t.fold], id)
		}
	}
	for _, segments := range byFold {
		if len(segments) == 1 {
			continue
		}
		l := e.newLadder(segments)
		for _, id := range segments {
			e.ladders[id] = l
		}
	}
}

func (e *Evaluator) newLadder(segments []int) *ladder {
	l := &ladder{}
	all := e.NewSet()
	all.putAll(segments)
	for w, word := range all {
		if word != 0 {
			l.words, l.all = append(l.words, w), append(l.all, word)
		}
	}
	byLimit := slices.Clone(segments)
	slices.SortStableFunc(byLimit, func(a, b int) int { return cmp.Compare(e.thresholds[a].limit, e.thresholds[b].limit) })
	reached := make([]uint64, len(l.words))
	for i, id := range byLimit {
		if t := e.thresholds[id]; i == 0 || t.limit != e.thresholds[byLimit[i-1]].limit {
			l.thresholds, l.one = append(l.thresholds, t), append(l.one, id)
			l.members = append(l.members, slices.Clone(reached))
		}
		at, _ := slices.BinarySearch(l.words, id>>6)
		reached[at] |= 1 << (id & 63)
	}
	l.members = append(l.members, reached)
	return l
}

// climb returns how many steps of a ladder are reached. Only the highest of them
// can be the first to be missed.
func (e *Evaluator) climb(l *ladder) (steps int, holds until) {
	first := &l.thresholds[0]
	if e.few(first) || e.rare(first) {
		return 0, never
	}
	n, rows := e.counted(first)
	for steps < len(l.thresholds) && l.thresholds[steps].limit <= n {
		steps++
	}
	return steps, e.untilCrossed(&l.thresholds[max(steps, 1)-1], n, rows)
}

// remove takes the segments of a ladder out of a set.
func (l *ladder) remove(set Set) {
	for i, w := range l.words {
		set[w] &^= l.all[i]
	}
}

// step notes how many steps of a ladder are reached, and appends the changes.
func (s *State) step(l *ladder, steps int, dst []Change) []Change {
	if (steps == 0 || s.Members.Has(l.one[steps-1])) && (steps == len(l.one) || !s.Members.Has(l.one[steps])) {
		return dst
	}
	for i, w := range l.words {
		changed := (s.Members[w] ^ l.members[steps][i]) & l.all[i]
		s.Members[w] ^= changed
		for ; changed != 0; changed &= changed - 1 {
			id := w<<6 + bits.TrailingZeros64(changed)
			dst = append(dst, Change{Segment: id, Entered: s.Members.Has(id)})
		}
	}
	return dst
}
