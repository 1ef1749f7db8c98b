package simulate

import (
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/incremental"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// run decides by one block about the page views of one reader after the other.
type run struct {
	w      *worker
	access *plan.Access
	number int // of the block
	meters []*incremental.Meter
	of     []*plan.Meter
	bits   itemBits

	// rows answers what is asked of the reader's stream; nil: nothing is.
	rows  *incremental.Evaluator
	state incremental.State // the reader's rows, laid out if laid

	// plain answers what has no value of its own here: what the profile and the
	// request say.
	plain fold.View

	laid   bool
	denied bool // the reader something

	// Of one decision.
	now  int64
	item *item
	view incremental.View
	seen bool // view is of this decision
}

func newRun(w *worker, b Block, number int) *run {
	r := &run{w: w, access: b.Access, number: number, meters: incremental.NewMeters(b.Program), of: b.Program.Meters}
	exprs := clauseExprs(b)
	r.bits = itemBitsOf(exprs)
	r.plain = fold.View{Program: b.Program, Profile: &w.reader, Request: &w.reader}
	if len(b.Access.Uses.AllFolds)+len(b.Access.Uses.AllSegments) > 0 {
		r.rows = incremental.New(b.Program, nil)
		r.rows.Bind(newTable(w, r.rows.Inputs()))
	}
	return r
}

// clauseExprs returns what a block works out, with the limits of meters.
func clauseExprs(b Block) []*plan.Expr {
	var out []*plan.Expr
	for _, c := range b.Access.Clauses {
		if c.Cond != nil {
			out = append(out, c.Cond)
		}
	}
	for _, m := range b.Program.Meters {
		out = append(out, m.Limit)
	}
	return out
}

// begin makes the run ready for another reader.
func (r *run) begin() {
	for _, m := range r.meters {
		m.Reset()
	}
	r.laid, r.denied = false, false
}

// decide returns the place of the clause that decides about a row of the
// reader's, and burns what a commit burns.
func (r *run) decide(row int, now int64, it *item) int {
	r.now, r.item, r.seen = now, it, false
	r.w.reader.asking = row
	n := 0
	for c := r.access.Clauses[n]; c.Cond != nil && !r.truth(c.Cond); c = r.access.Clauses[n] {
		n++
	}
	if burns := r.access.Clauses[n].Burns; burns != fold.NoMeter {
		if m := r.meter(burns); !m.Has(it.id) {
			m.Burn(it.id, now, r.today(burns))
		}
	}
	return n
}

// meter returns a meter as it is now.
func (r *run) meter(id int) *incremental.Meter {
	m := r.meters[id]
	m.At(r.now)
	return m
}

// today returns what the expression of a meter's limit says.
func (r *run) today(id int) int64 { return min(r.value(r.of[id].Limit).N, plan.MaxLimit) }

// stream returns what the reader's rows come to now.
func (r *run) stream() incremental.View {
	if !r.laid {
		r.rows.Keep(&r.w.reader, r.w.question.From, &r.state)
		r.laid = true
	}
	if !r.seen {
		r.view, r.seen = r.rows.At(&r.w.reader, r.now, r.item.code, &r.state), true
	}
	return r.view
}

// truth tells whether an expression is true.
func (r *run) truth(x *plan.Expr) bool {
	if bit := r.bits.of(x); bit != 0 {
		return r.ofItem(x, bit)
	}
	switch x.Op {
	case plan.And, plan.Or:
		for _, a := range x.Args {
			if r.truth(a) == (x.Op == plan.Or) {
				return x.Op == plan.Or
			}
		}
		return x.Op == plan.And
	case plan.Not:
		return !r.truth(x.Args[0])
	}
	return r.value(x).True()
}

// ofItem tells whether a condition on the item alone is true.
func (r *run) ofItem(x *plan.Expr, bit uint64) bool {
	it := r.item
	if it.known[r.number]&bit == 0 {
		it.known[r.number] |= bit
		if r.apply(x).True() {
			it.holds[r.number] |= bit
		}
	}
	return it.holds[r.number]&bit != 0
}

// value returns the value of an expression.
func (r *run) value(x *plan.Expr) value.Value {
	switch x.Op {
	case plan.Const:
		return x.Value
	case plan.TimeNow:
		return value.OfTime(r.now)
	case plan.FoldValue:
		return r.stream().Fold(x.Ref)
	case plan.SegmentMember:
		return value.OfBool(r.stream().Segment(x.Ref))
	case plan.AskedField:
		return r.item.field(x.Field)
	case plan.AskedAttribute:
		return fold.Stored(fold.ItemAttribute(r.item.entry, x.Name), x.Type)
	case plan.MeterUsed, plan.MeterLeft, plan.MeterLimit, plan.MeterResetsAt, plan.InMeter:
		return r.ofMeter(x)
	case plan.ReaderEntitled, plan.ReaderEntitledBy:
		return r.entitled(x)
	case plan.If:
		if r.truth(x.Args[0]) {
			return r.value(x.Args[1])
		}
		return r.value(x.Args[2])
	case plan.And, plan.Or, plan.Not:
		return value.OfBool(r.truth(x))
	}
	if x.Op < plan.Not {
		return r.plain.Expr(x)
	}
	if bit := r.bits.of(x); bit != 0 {
		return value.OfBool(r.ofItem(x, bit))
	}
	return r.apply(x)
}

// apply works an operation out.
func (r *run) apply(x *plan.Expr) value.Value {
	if x.Op < plan.Not {
		return r.value(x)
	}
	var few [3]value.Value
	args := few[:0]
	for _, a := range x.Args {
		args = append(args, r.value(a))
	}
	return x.Apply(r.plain.Program.Calendar, args)
}

func (r *run) ofMeter(x *plan.Expr) value.Value {
	m := r.meter(x.Ref)
	switch x.Op {
	case plan.MeterUsed:
		return value.OfInt(m.Used())
	case plan.MeterLeft:
		return value.OfInt(max(0, m.Limit(r.today(x.Ref))-m.Used()))
	case plan.MeterLimit:
		return value.OfInt(m.Limit(r.today(x.Ref)))
	case plan.MeterResetsAt:
		return m.ResetsAt(r.now)
	default: // InMeter
		return value.OfBool(m.Has(r.value(x.Args[0]).S))
	}
}

func (r *run) entitled(x *plan.Expr) value.Value {
	by, ok := r.w.reader.Entitled(r.value(x.Args[0]).S, r.now)
	switch {
	case x.Op == plan.ReaderEntitled:
		return value.OfBool(ok)
	case ok:
		return value.OfText(by)
	}
	return value.Value{}
}
