package access

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// record is what a decision looked up: it is fold.Facts. While a decision is
// made it keeps values; of one that was read back it knows them all.
type record struct {
	looks  []*plan.Expr // of the access block
	found  []found      // by place in looks
	whole  bool         // read back: what is not there was not looked up
	clause int          // that decided
	meters []*fold.Meter
}

type found struct {
	value value.Value
	known bool
}

func newRecord(a *plan.Access) *record {
	r := &record{}
	r.lay(a)
	return r
}

// lay makes an empty record that of a block.
func (r *record) lay(a *plan.Access) {
	r.looks, r.found = a.Looks, slices.Grow(r.found[:0], len(a.Looks))[:len(a.Looks)]
}

func (r *record) place(e *plan.Expr) int {
	for i, look := range r.looks {
		if look.Key == e.Key {
			return i
		}
	}
	return -1
}

// Known implements fold.Facts.
func (r *record) Known(e *plan.Expr) (value.Value, bool) {
	i := r.place(e)
	if i < 0 {
		return value.Value{}, r.whole
	}
	return r.found[i].value, r.whole || r.found[i].known
}

// Looked implements fold.Facts.
func (r *record) Looked(e *plan.Expr, v value.Value) {
	if i := r.place(e); i >= 0 {
		r.found[i] = found{v, true}
	}
}

// ofEvents tells whether an expression rests on what the reader has done before.
func ofEvents(e *plan.Expr) bool {
	switch e.Op {
	case plan.FoldValue, plan.SegmentMember, plan.ReaderFirstSeen, plan.ExperimentArm:
		return true
	}
	return false
}

// see takes over what another record of the block, if it is not nil, knows of the
// reader's events.
func (r *record) see(of *record) {
	if of == nil {
		return
	}
	for i, e := range r.looks {
		if ofEvents(e) {
			r.found[i] = of.found[i]
		}
	}
}

// A record is written as
//
//	1 byte    version, 1
//	uvarint   the clause that decided, from 0
//	uvarint   how many values follow: those of the first so many places that the
//	          block looks at, in the order in which it asks
//	values    each a tag, and what the tag says
//	uvarint   how many meters follow
//	meters    id, used, limit, today's limit, reset, entries
//
// docs/format/decisions.md has the rest.
const recordVersion = 1

// Tags of values.
const (
	tagNone byte = iota // was not looked up
	tagMissing
	tagFalse
	tagTrue
	tagInt      // varint
	tagDecimal  // varint of micro-units
	tagText     // length and bytes
	tagTime     // varint of milliseconds since the decision
	tagDuration // varint of milliseconds
	tagList     // number and values
)

// maxDepth bounds lists in lists.
const maxDepth = 4

// append writes the record of a decision at now. Entries of meters are left out,
// the oldest first, where the record would have more than limit bytes; texts are
// cut to cut bytes, if that is not 0.
func (r *record) append(dst []byte, now int64, limit, cut int) []byte {
	start := len(dst)
	n := len(r.found)
	for n > 0 && !r.found[n-1].known {
		n--
	}
	dst = append(dst, recordVersion)
	dst = binary.AppendUvarint(dst, uint64(r.clause))
	dst = binary.AppendUvarint(dst, uint64(n))
	for _, f := range r.found[:n] {
		if f.known {
			dst = appendValue(dst, f.value, now, cut)
		} else {
			dst = append(dst, tagNone)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.meters)))
	for _, m := range r.meters {
		dst = appendMeter(dst, m, now, limit-(len(dst)-start))
	}
	return dst
}

func appendValue(dst []byte, v value.Value, now int64, cut int) []byte {
	switch v.Type {
	case value.Bool:
		if v.True() {
			return append(dst, tagTrue)
		}
		return append(dst, tagFalse)
	case value.Int:
		return binary.AppendVarint(append(dst, tagInt), v.N)
	case value.Decimal:
		return binary.AppendVarint(append(dst, tagDecimal), v.N)
	case value.Text:
		text := v.S
		if cut > 0 {
			text = cutText(text, cut)
		}
		return appendText(append(dst, tagText), text)
	case value.Time:
		return binary.AppendVarint(append(dst, tagTime), v.N-now)
	case value.Duration:
		return binary.AppendVarint(append(dst, tagDuration), v.N)
	case value.List:
		items := v.Items()
		dst = binary.AppendUvarint(append(dst, tagList), uint64(len(items)))
		for _, item := range items {
			dst = appendValue(dst, item, now, cut)
		}
		return dst
	default:
		return append(dst, tagMissing)
	}
}

// appendMeter writes the state of a meter, its newest entries as far as room
// bytes go.
func appendMeter(dst []byte, m *fold.Meter, now int64, room int) []byte {
	dst = binary.AppendUvarint(dst, uint64(m.ID))
	dst = binary.AppendUvarint(dst, uint64(m.Used()))
	dst = binary.AppendVarint(dst, m.Limit)
	dst = binary.AppendVarint(dst, m.Today)
	reset := uint64(0)
	if m.ResetsAt.Type == value.Time {
		reset = uint64(m.ResetsAt.N - now + 1) // it lies after now
	}
	dst = binary.AppendUvarint(dst, reset)
	first := len(m.Entries)
	for room -= 40; first > 0; first-- {
		if room -= len(m.Entries[first-1].Item) + 8; room < 0 {
			break
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Entries)-first))
	for _, b := range m.Entries[first:] {
		dst = binary.AppendUvarint(appendText(dst, b.Item), uint64(max(0, now-b.Time)))
	}
	return dst
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

var errRecord = errors.New("what the decision looked up does not fit its program")

// readRecord reads the record of a decision of a block at now.
func readRecord(raw []byte, p *plan.Program, a *plan.Access, now int64) (*record, error) {
	in := bytesReader{raw: raw}
	r := newRecord(a)
	r.whole = true
	if in.byte() != recordVersion {
		return nil, errRecord
	}
	r.clause = int(in.number(uint64(len(a.Clauses) - 1)))
	for i := range in.number(uint64(len(a.Looks))) {
		if v, known := in.value(now, 0); known {
			r.found[i] = found{v, true}
		}
	}
	for range in.number(uint64(len(p.Meters))) {
		id := in.number(uint64(len(p.Meters) - 1))
		if in.bad {
			break
		}
		r.meters = append(r.meters, in.meter(p.Meters[id], now))
	}
	if in.bad || len(in.raw) > 0 {
		return nil, errRecord
	}
	return r, nil
}

// view returns the record as what a decision at now about an item was made on.
func (r *record) view(p *plan.Program, item string, now int64) *fold.View {
	v := &fold.View{Program: p, Now: now, Item: item, Facts: r, Burns: noBurns{}}
	for _, m := range r.meters {
		v.Assume(m)
	}
	return v
}

type noBurns struct{}

// Burns implements fold.Burns.
func (noBurns) Burns(string, int64) []fold.Burn { return nil }

// bytesReader reads numbers and texts of bytes that may be anything. Once they are
// bad it returns zeros.
type bytesReader struct {
	raw []byte
	bad bool
}

func (r *bytesReader) fail() {
	r.raw, r.bad = nil, true
}

func (r *bytesReader) byte() byte {
	if len(r.raw) == 0 {
		r.fail()
		return 0
	}
	b := r.raw[0]
	r.raw = r.raw[1:]
	return b
}

// number reads a uvarint of limit at most.
func (r *bytesReader) number(limit uint64) uint64 {
	v, n := binary.Uvarint(r.raw)
	if n <= 0 || v > limit {
		r.fail()
		return 0
	}
	r.raw = r.raw[n:]
	return v
}

func (r *bytesReader) signed() int64 {
	v, n := binary.Varint(r.raw)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.raw = r.raw[n:]
	return v
}

func (r *bytesReader) text() string {
	n := r.number(uint64(len(r.raw)))
	if n > uint64(len(r.raw)) { // its number was part of what there was
		r.fail()
		return ""
	}
	text := string(r.raw[:n])
	r.raw = r.raw[n:]
	return text
}

// instant reads milliseconds since now.
func (r *bytesReader) instant(now int64) int64 {
	d := r.signed()
	if d > math.MaxInt64/4 || d < math.MinInt64/4 {
		r.fail()
		return 0
	}
	return now + d
}

func (r *bytesReader) value(now int64, depth int) (v value.Value, known bool) {
	switch r.byte() {
	case tagNone:
		return v, false
	case tagMissing:
		return v, true
	case tagFalse:
		return value.OfBool(false), true
	case tagTrue:
		return value.OfBool(true), true
	case tagInt:
		return value.OfInt(r.signed()), true
	case tagDecimal:
		return value.OfMicro(r.signed()), true
	case tagText:
		return value.OfText(r.text()), true
	case tagTime:
		return value.OfTime(r.instant(now)), true
	case tagDuration:
		return value.OfDuration(r.signed()), true
	case tagList:
		if depth == maxDepth {
			break
		}
		var items []value.Value
		for range r.number(uint64(len(r.raw))) {
			item, _ := r.value(now, depth+1)
			items = append(items, item)
		}
		return value.OfList(items), true
	}
	r.fail()
	return v, false
}

func (r *bytesReader) meter(p *plan.Meter, now int64) *fold.Meter {
	const most = 1 << 31
	m := &fold.Meter{Meter: p}
	used := int64(r.number(most))
	m.Limit, m.Today = r.signed(), r.signed()
	if reset := r.number(1 << 60); reset > 0 {
		m.ResetsAt = value.OfTime(now + int64(reset) - 1)
	}
	for range r.number(uint64(len(r.raw))) {
		item := r.text()
		m.Entries = append(m.Entries, fold.Burn{Item: item, Time: now - int64(r.number(1<<60))})
	}
	if m.Older = used - int64(len(m.Entries)); m.Older < 0 {
		r.fail()
	}
	return m
}

// cutText cuts a text to bytes at most, between characters.
func cutText(s string, bytes int) string {
	if len(s) <= bytes {
		return s
	}
	for bytes > 0 && s[bytes]&0xC0 == 0x80 {
		bytes--
	}
	return s[:bytes]
}
