package incremental

import (
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// horizon is how far ahead it is looked for an instant at which a comparison
// turns: later it is looked again.
const horizon = 40 * 24 * 3600_000

// until returns until when an expression has its value.
func (e *Evaluator) until(x *plan.Expr) until {
	switch x.Op {
	case plan.TimeNow:
		return until{timer: e.now + 1, border: Never}
	case plan.FoldValue:
		return e.fold(x.Ref).holds
	case plan.SegmentMember:
		_, holds := e.member(x.Ref)
		return holds
	case plan.ReaderEntitled, plan.ReaderEntitledBy:
		return until{timer: e.entitlements(), border: Never}
	case plan.Hour, plan.Weekday:
		if x.Args[0].Op == plan.TimeNow {
			return until{timer: Never, border: e.clock.nextHour(e.now)}
		}
	case plan.Less, plan.LessSame, plan.Equal:
		if e.timed(x) && e.turning(x) != varied {
			return e.untilParts(x).min(until{timer: e.turn(x), border: Never})
		}
	}
	holds := never
	for _, a := range x.Args {
		holds = holds.min(e.until(a))
	}
	return holds
}

// untilParts is until for all parts but the time itself.
func (e *Evaluator) untilParts(x *plan.Expr) until {
	if x.Op == plan.TimeNow {
		return never
	}
	if !e.timed(x) {
		return e.until(x)
	}
	holds := never
	for _, a := range x.Args {
		holds = holds.min(e.untilParts(a))
	}
	return holds
}

func (e *Evaluator) timed(x *plan.Expr) bool { return e.layout.usesNow.Has(x.Key) }

// entitlements returns when an entitlement of the reader begins or ends.
func (e *Evaluator) entitlements() int64 {
	if e.changes == 0 {
		e.changes = e.reader.Changes(e.now)
		if e.fault == faultEntitlementTimer {
			e.changes = Never
		}
	}
	return e.changes
}

// trend is how a value changes as time passes while all else stays.
type trend int8

const (
	falling trend = iota - 1
	steady
	rising
	varied // in both directions, or it is not known
)

func (t trend) with(o trend) trend {
	switch {
	case t == steady:
		return o
	case o == steady || t == o:
		return t
	default:
		return varied
	}
}

func (t trend) reversed() trend {
	if t == varied {
		return t
	}
	return -t
}

// turning is the trend of one side of a comparison against the other: if it is
// known, the comparison turns once at most in each direction.
func (e *Evaluator) turning(x *plan.Expr) trend {
	return e.trend(x.Args[0]).with(e.trend(x.Args[1]).reversed())
}

func (e *Evaluator) trend(x *plan.Expr) trend {
	if !e.timed(x) {
		return steady
	}
	switch x.Op {
	case plan.TimeNow:
		return rising
	case plan.Add, plan.Min, plan.Max:
		t := steady
		for _, a := range x.Args {
			t = t.with(e.trend(a))
		}
		return t
	case plan.Sub:
		return e.turning(x)
	case plan.Neg:
		return e.trend(x.Args[0]).reversed()
	case plan.ToDecimal:
		return e.trend(x.Args[0])
	case plan.Mul, plan.Div:
		by := x.Args[1]
		of := x.Args[0]
		if x.Op == plan.Mul && of.IsConst() {
			of, by = by, of
		}
		switch {
		case !by.IsConst():
			return varied
		case by.Value.N < 0:
			return e.trend(of).reversed()
		default:
			return e.trend(of)
		}
	default:
		return varied
	}
}

// turn returns the first instant at which a comparison turns, the horizon if it
// does not before.
func (e *Evaluator) turn(x *plan.Expr) int64 {
	order := func(at int64) int {
		e.shown = at
		if x.Op != plan.Equal {
			return int(e.value(x).N)
		}
		n, _ := value.Compare(e.value(x.Args[0]), e.value(x.Args[1]))
		return n
	}
	now := order(e.now)
	lo, hi := e.now, e.now+horizon // it has not turned at lo
	if order(hi) != now {
		for hi-lo > 1 {
			if mid := lo + (hi-lo)/2; order(mid) == now {
				lo = mid
			} else {
				hi = mid
			}
		}
	}
	e.shown = e.now
	return hi
}
