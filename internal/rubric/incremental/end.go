package incremental

import (
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// foldState is what is known of a fold in one pass.
type foldState struct {
	pass  uint32
	value value.Value
	holds until
}

// fold returns the value of a fold.
func (e *Evaluator) fold(id int) *foldState {
	f := &e.folds[id]
	if f.pass != e.pass {
		f.pass = e.pass
		end := e.program.Folds[id].End
		if end <= plan.Any {
			if n, holds, ok := e.tallied(e.program.Folds[id].Stream); ok {
				f.value, f.holds = value.OfInt(int64(n)), holds
				if end == plan.Any {
					f.value = value.OfBool(n > 0)
				}
				return f
			}
		}
		rows, holds := e.stream(e.program.Folds[id].Stream)
		f.value, f.holds = e.end(e.program.Folds[id], rows), holds
	}
	return f
}

func (e *Evaluator) end(f *plan.Fold, rows span) value.Value {
	switch f.End {
	case plan.Count:
		return value.OfInt(int64(rows.count()))
	case plan.Any:
		return value.OfBool(rows.first() < rows.hi)
	case plan.Sum, plan.Avg:
		return e.sum(f, rows)
	case plan.Least, plan.Greatest:
		return e.extreme(f, rows)
	case plan.First:
		for i := rows.first(); i < rows.hi; i = rows.next(i + 1) {
			if v := e.valueOf(int(e.layout.valueOf[f.ID]), i); !v.IsMissing() {
				return v
			}
		}
	case plan.Latest:
		for lo, hi := rows.lo, rows.hi; lo < hi; {
			i := rows.bits.last(lo, hi)
			if i == hi {
				break
			}
			if v := e.valueOf(int(e.layout.valueOf[f.ID]), i); !v.IsMissing() {
				return v
			}
			hi = i
		}
	}
	return value.Value{}
}

func (e *Evaluator) sum(f *plan.Fold, rows span) value.Value {
	var sum value.Sum
	place := int(e.layout.valueOf[f.ID])
	for i := rows.first(); i < rows.hi; i = rows.next(i + 1) {
		v := e.valueOf(place, i)
		if v.IsMissing() {
			continue
		}
		if f.Of.Type == value.Decimal {
			v = v.ToDecimal()
		}
		sum.Add(v)
	}
	if f.End == plan.Sum {
		return sum.Total(f.Type)
	}
	return sum.Mean(f.Of.Type)
}

func (e *Evaluator) extreme(f *plan.Fold, rows span) value.Value {
	var out value.Value
	place := int(e.layout.valueOf[f.ID])
	for i := rows.first(); i < rows.hi; i = rows.next(i + 1) {
		v := e.valueOf(place, i)
		if v.IsMissing() {
			continue
		}
		if out.IsMissing() || f.End == plan.Least && value.Less(v, out) || f.End == plan.Greatest && value.Less(out, v) {
			out = v
		}
	}
	return out
}
