package cost

import (
	"math"

	"github.com/readership/readership/internal/rubric/plan"
)

// A decision works on the rows and burns that the reader has, whatever an active
// reader is thought to have, and the evaluator that makes it goes through the rows
// again wherever a fold is named; segments and meters it works out once. fewNodes is
// how many steps it may take where it is asked for: about 0.1 ms.
const (
	fewNodes = 8192
	fewMost  = 257 // of rows, of burns
	fewSets  = 8   // of burns, where the sets of all devices are compared

	rowNodes  = 16 // to come to a row
	keyNodes  = 8  // to look a key up
	burnNodes = 8  // of one burn, for a meter
)

// far is the weight of what has no bound that is worth a name.
const far = int64(1) << 32

// opNodes are the steps of an operation that takes more than one. A text may have 2 KB.
var opNodes = map[plan.Op]int64{
	plan.Matches: far, plan.RowSegments: far,
	plan.Lower: 64, plan.Contains: 64, plan.StartsWith: 64, plan.EndsWith: 64, plan.Size: 64,
	plan.ReaderEntitled: 256, plan.ReaderEntitledBy: 256, plan.ExperimentArm: 64, plan.InMeter: 64,
	plan.RowItem: 8, plan.RowAttribute: 8, plan.AskedField: 8, plan.AskedAttribute: 8, plan.Hour: 8, plan.Weekday: 8,
}

// moment is how many steps something takes at once, for each row and for each burn, and
// below which number burns are few.
type moment struct {
	once, row, burn int64
	burns           int64
}

func (w *moment) add(o moment) {
	w.once, w.row, w.burn, w.burns = w.once+o.once, w.row+o.row, w.burn+o.burn, min(w.burns, o.burns)
}

// few returns below how many rows and burns it is a moment indeed.
func (w moment) few() plan.Few {
	fewer := func(each, most int64) int {
		switch {
		case w.once > fewNodes:
			return 0
		case each == 0:
			return math.MaxInt
		}
		return int(max(1, min(most, (fewNodes-w.once)/each)))
	}
	return plan.Few{Rows: fewer(w.row, fewMost), Burns: fewer(w.burn, w.burns)}
}

// fews fills in what is a moment's work of each access block.
func (e *estimate) fews() {
	s := steps{p: e.p, folds: map[int]int64{}}
	all := s.of(func(t *tally) {
		for _, own := range e.p.Segments {
			t.segment(own.ID)
		}
	})
	for _, a := range e.p.Accesses {
		own := s.of(func(t *tally) {
			for _, c := range a.Clauses {
				t.expr(c.Cond)
				t.expr(c.Price)
				if c.Burns >= 0 {
					t.meter(c.Burns)
				}
			}
			looks := int64(len(a.Looks)) // each is looked for among all
			t.once += looks * looks
		})
		a.Few = own.few()
		own.add(all)
		a.FewWithSegments = own.few()
	}
}

// steps counts the steps of a program's parts.
type steps struct {
	p     *plan.Program
	folds map[int]int64 // of one row
}

// of returns what fn tallies.
func (s *steps) of(fn func(*tally)) moment {
	t := tally{steps: s, moment: moment{burns: fewMost}, segments: map[int]bool{}, meters: map[int]bool{}}
	fn(&t)
	return t.moment
}

// tally adds up what a decision works out.
type tally struct {
	*steps
	moment
	segments, meters map[int]bool // that are counted
}

func (t *tally) segment(id int) {
	if !t.segments[id] {
		t.segments[id] = true
		t.expr(t.p.Segments[id].Expr)
	}
}

func (t *tally) meter(id int) {
	if t.meters[id] {
		return
	}
	t.meters[id] = true
	m := t.p.Meters[id]
	t.burn += burnNodes
	if m.Merge == plan.MergeMax {
		t.burns = min(t.burns, fewSets)
	}
	t.expr(m.Limit)
}

func (t *tally) expr(x *plan.Expr) {
	t.once += t.weight(x)
	if x == nil || x.Size > fewNodes {
		return
	}
	x.Each(func(x *plan.Expr) {
		switch x.Op {
		case plan.FoldValue:
			t.row += t.fold(x.Ref)
		case plan.SegmentMember:
			t.segment(x.Ref)
		case plan.MeterUsed, plan.MeterLeft, plan.MeterLimit, plan.MeterResetsAt, plan.InMeter:
			t.meter(x.Ref)
		}
	})
}

// fold returns the steps of a fold for one row.
func (s *steps) fold(id int) int64 {
	n, known := s.folds[id]
	if !known {
		f := s.p.Folds[id]
		n = rowNodes + s.weight(f.Of) + s.stream(f.Stream)
		s.folds[id] = n
	}
	return n
}

func (s *steps) stream(id int) (n int64) {
	stages := s.p.Streams[id].Stages
	for i := range stages {
		st := &stages[i]
		switch st.Kind {
		case plan.Filter:
			p := s.p.Predicates[st.Predicate]
			for _, list := range [][]int{p.Row, p.Item, p.Both, p.Asked} {
				for _, id := range list {
					n += s.weight(s.p.Conditions[id].Expr)
				}
			}
		case plan.Then, plan.Unless: // each row may be held against each
			n += rowNodes*rowNodes + s.stream(st.Other)
		}
		for _, k := range st.Keys {
			n += keyNodes + s.weight(k)
		}
	}
	return min(n, far)
}

// weight is how many steps an expression takes beside what it names.
func (s *steps) weight(x *plan.Expr) (n int64) {
	switch {
	case x == nil:
		return 0
	case x.Size > fewNodes:
		return far
	}
	x.Each(func(x *plan.Expr) {
		n += max(1, opNodes[x.Op])
		if x.Op == plan.In && len(x.Args) == 2 && x.Args[1].IsConst() {
			n += int64(len(x.Args[1].Value.Items()))
		}
	})
	return min(n, far)
}
