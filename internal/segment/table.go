package segment

import (
	"math"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/incremental"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// table is the rows of a site's shard, as its writer has them, for one
// evaluator. Values are known by the codes of the shard's dictionaries; where a
// block has a dictionary of its own there are no codes. Rows count for the items
// that they count for today, so items have numbers of their own.
type table struct {
	live   *engine.Live
	items  *items
	inputs []input
	one    Reader      // whose row was asked for last
	oneIs  block.RowID // valid if have is set
	have   bool        // one holds oneIs
}

// input is an incremental.Input with its column, -1 while no row has it.
type input struct {
	incremental.Input
	column int
}

func newTable(live *engine.Live, inputs []incremental.Input) *table {
	t := &table{live: live, items: newItems(live)}
	for _, in := range inputs {
		t.inputs = append(t.inputs, input{in, -1})
	}
	return t
}

// begin prepares for another reader, or for rows that have changed.
func (t *table) begin(of engine.Reader) {
	t.one.Load(of)
	t.one.Events.Forget()
	t.have = false
}

func (t *table) columnOf(in int) int {
	i := &t.inputs[in]
	if i.column < 0 {
		if i.Property == "" {
			i.column = int(i.Column)
		} else {
			i.column = t.live.Property(i.Property)
		}
	}
	return i.column
}

// ofItem tells whether an input is the item that rows count for.
func (t *table) ofItem(in int) bool {
	return t.inputs[in].Property == "" && t.inputs[in].Column == plan.Column(event.ColItem)
}

// Codes implements incremental.Table.
func (t *table) Codes(in int, rows []incremental.Entry, codes []uint32) bool {
	if t.inputs[in].Property == "" && t.inputs[in].Column >= plan.Column(event.NumColumns) {
		return false
	}
	c := t.columnOf(in)
	if c < 0 { // all are missing
		clear(codes[:len(rows)])
		return true
	}
	blocks := t.live.Numbered()
	for i := range rows {
		id := block.RowID(rows[i].Row)
		codes[i] = 0
		if at := int(id.Block()); at < len(blocks) && blocks[at] != nil { // else it has left: a heavy reader's rows are let go of later
			var ok bool
			if codes[i], ok = blocks[at].Shared(id.Row(), c); !ok {
				return false
			}
		}
	}
	if t.ofItem(in) {
		for i, code := range codes[:len(rows)] {
			codes[i] = t.items.of(code)
		}
	}
	return true
}

// Decode implements incremental.Table.
func (t *table) Decode(in int, code uint32) value.Value {
	if t.ofItem(in) {
		return value.OfText(t.items.name(code))
	}
	text, kind := t.live.Dict(t.columnOf(in)).Text(code)
	if t.inputs[in].Property == "" {
		return value.OfText(text)
	}
	return fold.Typed(text, kind)
}

// Value implements incremental.Table.
func (t *table) Value(in int, r incremental.Row) value.Value {
	if id := block.RowID(r); !t.have || t.oneIs != id {
		if t.have = t.live.One(&t.one.Events, id); !t.have {
			return value.Value{}
		}
		t.oneIs = id
	}
	row := Row{&t.one, 0}
	if name := t.inputs[in].Property; name != "" {
		return row.Property(name)
	}
	return row.Column(t.inputs[in].Column)
}

// Field implements incremental.Table.
func (t *table) Field(item uint32, f plan.Field) value.Value {
	name := t.items.name(item)
	if f == plan.FieldID {
		return value.OfText(name)
	}
	return Catalogue{t.live.Items}.Field(name, f)
}

// Attribute implements incremental.Table.
func (t *table) Attribute(item uint32, name string) value.Value {
	return Catalogue{t.live.Items}.Attribute(t.items.name(item), name)
}

// subject is a reader of a shard as an evaluator reads it.
type subject struct {
	Reader
	live *engine.Live
	n    uint32
	from int64 // rows before it have left
}

// newSubject returns a reader as of an instant; from is the first time of rows
// that are part of the answer.
func newSubject(live *engine.Live, n uint32, of engine.Reader, now, from int64) subject {
	s := subject{live: live, n: n, from: from}
	s.Load(of)
	s.At(now)
	return s
}

// Rows implements incremental.Reader.
func (s *subject) Rows(dst []incremental.Entry, from int64, most int) []incremental.Entry {
	if !s.Known {
		return dst
	}
	device := s.Account == ""
	s.live.RowsFrom(s.n, max(from, s.from), func(b *block.Builder, id block.RowID, time int64) bool {
		if len(dst) >= most {
			return false
		}
		if !(device && b.MarksOf(id.Row())&block.MarkProven != 0) {
			dst = append(dst, entryAt(b, id, time))
		}
		return true
	})
	return dst
}

// entryOf returns a row with its place: rows of one time are in the order in
// which they came, an account's own after those of its devices.
func entryOf(b *block.Builder, id block.RowID) incremental.Entry {
	return entryAt(b, id, b.Unix(id.Row()))
}

func entryAt(b *block.Builder, id block.RowID, time int64) incremental.Entry {
	e := incremental.Entry{Time: time, Sequence: uint64(b.Age)<<16 | uint64(id.Row()), Row: incremental.Row(id)}
	if b.Kind != block.Copies {
		e.Sequence |= 1 << 63
	}
	return e
}

// Late implements incremental.Reader. Rows that devices brought an account, and
// its own beside theirs, come in an order that is not that of their places.
func (s *subject) Late() int64 {
	late := int64(0)
	if s.Known {
		late = s.live.Late(s.n)
	}
	if s.Account != "" {
		late = max(late, 1)
	}
	return late
}

// Changes implements incremental.Reader.
func (s *subject) Changes(now int64) int64 {
	next := int64(math.MaxInt64)
	s.account.At(now).Changes(now, func(at int64) { next = min(next, at) })
	return next
}

var (
	_ incremental.Table  = (*table)(nil)
	_ incremental.Reader = (*subject)(nil)
)
