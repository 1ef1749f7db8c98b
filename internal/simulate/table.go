package simulate

import (
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/incremental"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
	"github.com/readership/readership/internal/segment"
)

// table is the rows of the worker's reader as an incremental.Table: codes are
// those of the shard's dictionaries.
type table struct {
	w       *worker
	inputs  []incremental.Input
	columns []int // of the shard, by input; −1: no row has it, or it has no codes
}

func newTable(w *worker, inputs []incremental.Input) *table {
	t := &table{w: w, inputs: inputs}
	for _, in := range inputs {
		column := int(in.Column)
		if in.Property != "" {
			column = w.shard.ColumnByName(in.Property, true)
		} else if column >= int(event.NumColumns) {
			column = -1
		}
		t.columns = append(t.columns, column)
	}
	return t
}

// Codes implements incremental.Table.
func (t *table) Codes(input int, rows []incremental.Entry, codes []uint32) bool {
	events := &t.w.reader.Events
	if input == incremental.ItemInput {
		for i, row := range rows {
			codes[i] = 0
			if found := t.w.items.of(events, int(row.Row)); found != nil {
				codes[i] = found.code
			}
		}
		return true
	}
	column := t.columns[input]
	if column < 0 {
		clear(codes)
		return t.inputs[input].Property != ""
	}
	for i, row := range rows {
		local := false
		if codes[i], local = events.Code(int(row.Row), column); local {
			return false
		}
	}
	return true
}

// Decode implements incremental.Table.
func (t *table) Decode(input int, code uint32) value.Value {
	if input == incremental.ItemInput {
		return value.OfText(t.w.items.all[code-1].id)
	}
	d := &t.w.shard.Columns[t.columns[input]].Dict
	return t.typed(input, d.Texts[code], d.Kinds[code])
}

// Value implements incremental.Table.
func (t *table) Value(input int, row incremental.Row) value.Value {
	if t.inputs[input].Property == "" {
		return segment.Row{Of: &t.w.reader.Reader, I: int(row)}.Column(t.inputs[input].Column)
	}
	if t.columns[input] < 0 {
		return value.Value{}
	}
	text, kind, ok := t.w.reader.Events.Text(int(row), t.columns[input])
	if !ok {
		return value.Value{}
	}
	return t.typed(input, text, kind)
}

func (t *table) typed(input int, text string, kind event.Kind) value.Value {
	if t.inputs[input].Property == "" {
		return value.OfText(text)
	}
	return fold.Typed(text, kind)
}

// Field implements incremental.Table.
func (t *table) Field(code uint32, f plan.Field) value.Value { return t.w.items.all[code-1].field(f) }

// Attribute implements incremental.Table.
func (t *table) Attribute(code uint32, name string) value.Value {
	return fold.ItemAttribute(t.w.items.all[code-1].entry, name)
}

func (i *item) field(f plan.Field) value.Value {
	if f == plan.FieldID {
		return value.OfText(i.id)
	}
	return fold.ItemField(i.entry, f)
}
