package cost

import (
	"math"
	"slices"

	"github.com/readership/readership/internal/rubric/plan"
)

// A decision works on the rows and burns that the reader has, whatever an active
// reader is thought to have, and the evaluator that makes it goes through the rows
// again for every fold. fewNodes is how many steps it may take where it is made: about
// 0.1 ms.
const (
	fewNodes = 8192
	fewMost  = 257 // of rows, of burns

	rowNodes  = 16 // to come to a row
	keyNodes  = 8  // to look a key up
	burnNodes = 8  // of one burn, for a meter
	textNodes = 64 // of an expression with texts, which may have 2 KB
)

// far is the weight of what has no bound that is worth a name.
const far = int64(1) << 32

// few returns of how few rows and burns a decision of a block is a moment's work, and
// those where all segments are asked for too.
func (e *estimate) few(a *plan.Access) (few, too plan.Few) {
	once, perBurn, most := int64(0), int64(0), int64(fewMost)
	for _, c := range a.Clauses {
		once += weight(c.Cond) + weight(c.Price)
	}
	for _, m := range a.Uses.Meters {
		once += weight(e.p.Meters[m].Limit)
		if perBurn += burnNodes; e.p.Meters[m].Merge == plan.MergeMax {
			most = 32 // the sets of all devices are compared
		}
	}
	of := func(folds, segments []int) plan.Few {
		once, perRow := once, int64(0)
		for _, s := range segments {
			once += weight(e.p.Segments[s].Expr)
		}
		for _, f := range folds {
			perRow += rowNodes + weight(e.p.Folds[f].Of) + e.perRow(e.p.Folds[f].Stream)
		}
		return plan.Few{Rows: fewer(once, perRow, fewMost), Burns: fewer(once, perBurn, most)}
	}
	folds, segments := slices.Clone(a.Uses.AllFolds), make([]int, 0, len(e.p.Segments))
	for _, s := range e.p.Segments {
		folds, segments = append(folds, s.Uses.AllFolds...), append(segments, s.ID)
	}
	slices.Sort(folds)
	return of(a.Uses.AllFolds, a.Uses.AllSegments), of(slices.Compact(folds), segments)
}

// fewer returns below which number things of a weight are few, beside what there is
// once.
func fewer(once, each, most int64) int {
	switch {
	case once > fewNodes:
		return 0
	case each == 0:
		return math.MaxInt
	}
	return int(max(1, min(most, (fewNodes-once)/each)))
}

// perRow is the weight of one row in a stream.
func (e *estimate) perRow(stream int) (n int64) {
	s := e.p.Streams[stream]
	for i := range s.Stages {
		st := &s.Stages[i]
		switch st.Kind {
		case plan.Filter:
			p := e.p.Predicates[st.Predicate]
			for _, list := range [][]int{p.Row, p.Item, p.Both, p.Asked} {
				for _, id := range list {
					n += weight(e.p.Conditions[id].Expr)
				}
			}
		case plan.Then, plan.Unless: // each row may be held against each
			n += rowNodes*rowNodes + e.perRow(st.Other)
		}
		for _, k := range st.Keys {
			n += keyNodes + weight(k)
		}
	}
	return n
}

// weight is how many steps an expression takes.
func weight(x *plan.Expr) int64 {
	if x == nil {
		return 0
	}
	if x.Size > fewNodes {
		return far
	}
	each := int64(1)
	x.Each(func(x *plan.Expr) {
		switch x.Op {
		case plan.Matches, plan.RowSegments:
			each = max(each, far)
		case plan.Lower, plan.Contains, plan.StartsWith, plan.EndsWith:
			each = max(each, textNodes)
		}
	})
	return x.Size * each
}
