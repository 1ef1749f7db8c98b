package incremental

import (
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// keyOf numbers the rows by a key.
func (e *Evaluator) keyOf(place int) *keyed {
	b, k := e.rows, &e.layout.keys[place]
	v := &b.keys[place]
	if v.mark != b.mark {
		v.mark, v.n, v.size = b.mark, 0, 0
		clear(v.codes)
		clear(v.texts)
	}
	n := len(b.rows)
	if v.n == n {
		return v
	}
	in, coded := e.codedInput(k.expr), false
	var codes []uint32
	if in >= 0 {
		codes, coded = e.codes(in, 0)
	}
	if coded != v.coded { // those numbered by code do not meet those by value
		v.coded, v.n = coded, 0
	}
	if cap(v.of) < n {
		v.of = append(v.of[:v.n], make([]uint32, n-v.n)...)
	}
	v.of = v.of[:n]
	switch {
	case k.expr == nil:
		e.keyTogether(v, k.parts)
	case k.expr.Op == plan.RowColumn && k.expr.Column >= plan.ColDay && k.expr.Column <= plan.ColMonth:
		e.keyPeriod(v, value.Period(k.expr.Column-plan.ColDay))
	case coded:
		e.keyCodes(v, codes)
	default:
		for i := v.n; i < n; i++ {
			v.of[i] = v.text(e.onRow(&b.rows[i], k.expr), k.expr.Type)
		}
	}
	v.n = n
	return v
}

// codedInput returns the input whose codes tell an expression's values apart; −1
// if there is none.
func (e *Evaluator) codedInput(x *plan.Expr) int {
	switch {
	case x == nil:
		return -1
	case x.Op == plan.RowItem && x.Field == plan.FieldID:
		return ItemInput
	case x.Op == plan.RowColumn && x.Column < plan.Column(event.NumColumns):
		return int(e.layout.inputOf[x.Key])
	default:
		return -1
	}
}

func (e *Evaluator) keyTogether(v *keyed, parts []int) {
	first := e.keyOf(parts[0])
	copy(v.of[v.n:], first.of[v.n:])
	for step, part := range parts[1:] {
		next := e.keyOf(part)
		for i := v.n; i < len(v.of); i++ {
			if v.of[i] == 0 || next.of[i] == 0 {
				v.of[i] = 0
				continue
			}
			// Pairs of different steps never meet: the step stands in them.
			v.of[i] = v.code(uint64(step+1)<<56 | uint64(v.of[i])<<28 | uint64(next.of[i]))
		}
	}
}

// keyPeriod numbers the periods of the calendar: rows are in order of time.
func (e *Evaluator) keyPeriod(v *keyed, p value.Period) {
	rows := e.rows.rows
	for i := v.n; i < len(rows); i++ {
		if i > 0 && e.clock.period(p, rows[i-1].Time, ofRow).next > rows[i].Time {
			v.of[i] = v.of[i-1]
			continue
		}
		v.size++
		v.of[i] = v.size
	}
}

func (e *Evaluator) keyCodes(v *keyed, codes []uint32) {
	for i := v.n; i < len(codes); i++ {
		v.of[i] = v.code(uint64(codes[i]))
	}
}

func (v *keyed) code(code uint64) uint32 {
	if code == 0 {
		return 0
	}
	if v.codes == nil {
		v.codes = map[uint64]uint32{}
	}
	n, ok := v.codes[code]
	if !ok {
		v.size++
		n = v.size
		v.codes[code] = n
	}
	return n
}

func (v *keyed) text(x value.Value, t value.Type) uint32 {
	switch {
	case x.IsMissing():
		return 0
	case x.Type == value.List: // the only values that are not what they equal
		x = value.OfText(x.String())
	case t == value.Decimal:
		x = x.ToDecimal()
	}
	if v.texts == nil {
		v.texts = map[value.Value]uint32{}
	}
	n, ok := v.texts[x]
	if !ok {
		v.size++
		n = v.size
		v.texts[x] = n
	}
	return n
}
