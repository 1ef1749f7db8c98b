package incremental

import (
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// memberState is what is known of a segment in one pass without a state.
type memberState struct {
	pass   uint32
	member bool
	holds  until
}

// member tells whether the reader is in a segment: as the state says, in which
// those before it have been brought up to date, or worked out.
func (e *Evaluator) member(id int) (bool, until) {
	if e.state != nil {
		return e.state.Members.Has(id), never // its own until is in the state
	}
	m := &e.members[id]
	if m.pass != e.pass {
		m.pass = e.pass
		m.member, m.holds = e.segment(id)
	}
	return m.member, m.holds
}

// segment works a segment out.
func (e *Evaluator) segment(id int) (bool, until) {
	if t := &e.thresholds[id]; t.is {
		return e.compare(t)
	}
	return e.truth(e.program.Segments[id].Expr)
}

// truth tells whether an expression is true, and until when. A conjunction that
// has a false part stays false as long as that part does, a disjunction true as
// long as a true part is.
func (e *Evaluator) truth(x *plan.Expr) (bool, until) {
	switch x.Op {
	case plan.Const:
		return x.Value.True(), never
	case plan.And, plan.Or:
		holds := never
		for _, a := range x.Args {
			is, until := e.truth(a)
			if is == (x.Op == plan.Or) {
				return is, until
			}
			holds = holds.min(until)
		}
		return x.Op == plan.And, holds
	case plan.Not:
		is, holds := e.truth(x.Args[0])
		return !is, holds
	case plan.If:
		cond, holds := e.truth(x.Args[0])
		branch := x.Args[2]
		if cond {
			branch = x.Args[1]
		}
		is, until := e.truth(branch)
		return is, holds.min(until)
	case plan.SegmentMember:
		return e.member(x.Ref)
	case plan.FoldValue:
		f := e.fold(x.Ref)
		return f.value.True(), f.holds
	case plan.Less, plan.LessSame:
		if t := e.threshold(x); t.is {
			return e.compare(&t)
		}
	}
	return e.value(x).True(), e.until(x)
}

// value returns the value of an expression outside of stages.
func (e *Evaluator) value(x *plan.Expr) value.Value {
	switch x.Op {
	case plan.Const:
		return x.Value
	case plan.TimeNow:
		return value.OfTime(e.shown)
	case plan.FoldValue:
		return e.fold(x.Ref).value
	case plan.SegmentMember:
		is, _ := e.member(x.Ref)
		return value.OfBool(is)
	case plan.ReaderRegistered:
		return value.OfBool(e.reader.Registered())
	case plan.ReaderEntitled, plan.ReaderEntitledBy:
		by, ok := e.reader.Entitled(e.value(x.Args[0]).S, e.now)
		switch {
		case x.Op == plan.ReaderEntitled:
			return value.OfBool(ok)
		case ok:
			return value.OfText(by)
		}
		return value.Value{}
	case plan.ReaderTrait:
		return fold.Recorded(e.reader.Trait(x.Name), x.Type)
	case plan.ReaderFirstSeen:
		return e.reader.FirstSeen()
	case plan.ExperimentArm:
		return value.OfInt(int64(fold.Arm(e.reader.FirstSubject(), x.Name, x.Ref)))
	case plan.AskedField, plan.AskedAttribute:
		return e.itemValue(e.asked, x)
	case plan.If:
		if e.value(x.Args[0]).True() {
			return e.value(x.Args[1])
		}
		return e.value(x.Args[2])
	case plan.And, plan.Or:
		for _, a := range x.Args {
			if e.value(a).True() == (x.Op == plan.Or) {
				return value.OfBool(x.Op == plan.Or)
			}
		}
		return value.OfBool(x.Op == plan.And)
	}
	if x.Op < plan.Not {
		return value.Value{} // of a request or meter: not known here
	}
	var few [3]value.Value
	args := few[:0]
	for _, a := range x.Args {
		args = append(args, e.value(a))
	}
	return x.Apply(e.program.Calendar, args)
}
