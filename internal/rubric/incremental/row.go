package incremental

import (
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// leaf is what an expression on a row is worked out for: a row, or all rows that
// have a code in an input.
type leaf struct {
	row   *Entry // nil: the code stands for it
	input int
	code  uint32
	rows  [1]Entry
	codes [1]uint32
}

// onRow returns the value of an expression on a row.
func (e *Evaluator) onRow(row *Entry, x *plan.Expr) value.Value {
	e.leaf.row = row
	return e.rowValue(x)
}

// onCode returns the value of an expression that looks at one input alone.
func (e *Evaluator) onCode(in int, code uint32, x *plan.Expr) value.Value {
	e.leaf.row, e.leaf.input, e.leaf.code = nil, in, code
	return e.rowValue(x)
}

func (e *Evaluator) rowValue(x *plan.Expr) value.Value {
	switch x.Op {
	case plan.Const:
		return x.Value
	case plan.RowColumn:
		return e.rowColumn(x)
	case plan.RowProperty:
		return fold.Recorded(e.cell(int(e.layout.inputOf[x.Key])), x.Type)
	case plan.RowItem, plan.RowAttribute:
		return e.itemValue(e.item(), x)
	case plan.AskedField, plan.AskedAttribute:
		return e.itemValue(e.asked, x)
	case plan.And, plan.Or:
		for _, a := range x.Args {
			if e.rowValue(a).True() == (x.Op == plan.Or) {
				return value.OfBool(x.Op == plan.Or)
			}
		}
		return value.OfBool(x.Op == plan.And)
	case plan.If:
		if e.rowValue(x.Args[0]).True() {
			return e.rowValue(x.Args[1])
		}
		return e.rowValue(x.Args[2])
	}
	var few [3]value.Value
	args := few[:0]
	for _, a := range x.Args {
		args = append(args, e.rowValue(a))
	}
	return x.Apply(e.program.Calendar, args)
}

func (e *Evaluator) rowColumn(x *plan.Expr) value.Value {
	switch x.Column {
	case plan.ColTime:
		return value.OfTime(e.leaf.row.Time)
	case plan.ColDay, plan.ColWeek, plan.ColMonth:
		return value.OfTime(e.clock.period(value.Period(x.Column-plan.ColDay), e.leaf.row.Time, ofRow).start)
	default:
		return e.cell(int(e.layout.inputOf[x.Key]))
	}
}

// cell returns the value in an input.
func (e *Evaluator) cell(in int) value.Value {
	if e.leaf.row != nil {
		return e.table.Value(in, e.leaf.row.Row)
	}
	if e.leaf.code == 0 {
		return value.Value{}
	}
	return e.table.Decode(in, e.leaf.code)
}

// item returns the code of the row's item.
func (e *Evaluator) item() uint32 {
	if e.leaf.row == nil {
		return e.leaf.code
	}
	e.leaf.rows[0] = *e.leaf.row
	e.table.Codes(ItemInput, e.leaf.rows[:], e.leaf.codes[:])
	return e.leaf.codes[0]
}

// itemValue returns a field or attribute of an item.
func (e *Evaluator) itemValue(item uint32, x *plan.Expr) value.Value {
	switch {
	case item == 0:
		return value.Value{}
	case x.Op == plan.RowItem || x.Op == plan.AskedField:
		return e.table.Field(item, x.Field)
	default:
		return fold.Stored(e.table.Attribute(item, x.Name), x.Type)
	}
}

// cover works out which conditions on one input hold for a code of it.
func (e *Evaluator) cover(in int, code uint32) {
	c := &e.inputs[in]
	if c.covered.Has(int(code)) {
		return
	}
	c.covered = c.covered.grown(int(code) + 1)
	c.covered.put(int(code))
	for _, id := range c.holding {
		e.conditions[id].holds = e.conditions[id].holds.grown(int(code) + 1)
		e.conditions[id].holds.drop(int(code))
	}
	for _, id := range c.others {
		if e.onCode(in, code, e.conditions[id].Expr).True() {
			e.conditions[id].holds.put(int(code))
		}
	}
	if c.lookups == nil || code == 0 {
		return
	}
	v := e.table.Decode(in, code)
	for _, id := range c.lookups[v] {
		if e.fault == faultLookup && v != e.conditions[id].Lookup.Values[0] {
			continue
		}
		e.conditions[id].holds.put(int(code))
	}
}
