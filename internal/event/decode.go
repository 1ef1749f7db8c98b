package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

// ErrFormat is what every error of Decode wraps: the message is not one that a
// member of this log could have written.
var ErrFormat = errors.New("log message is malformed")

// ErrNewerFormat says that the message has a level this program does not know.
var ErrNewerFormat = errors.New("log message is of a newer format")

// Batch is a decoded log message. Its strings alias the message's bytes; its
// slices are reused by the next Decode into it.
type Batch struct {
	Stamp   int64
	Strings []string   // numbered from 1; Strings[0] is "" and stands for none
	Shapes  [][]uint32 // columns of each shape; see ShapeColumn
	Sites   []Rows
	Facts   []Fact
	Counts  []Count
}

// Rows are the events of one site in a Batch. Every slice has N entries or is
// nil, which stands for zeros.
type Rows struct {
	Site     string
	Clock    int64 // the site's now as of this message; valid with HasClock
	HasClock bool
	N        int
	Shape    []uint32
	Device   []uint32 // numbers in Strings
	Flags    []uint32
	Time     []int64 // Unix milliseconds
	ID       []uint64
	View     []uint64
	Engaged  []uint32 // milliseconds
	Scroll   []uint32
	Value    []int64
	// Cells are the values of the rows' shapes, row after row: number in
	// Strings << 2 | Kind.
	Cells []uint32
}

// ShapeColumn splits an entry of a shape: a built-in column, or the number in
// Strings of a property's name.
func ShapeColumn(entry uint32) (c Column, name uint32, builtin bool) {
	if entry < firstName {
		return Column(entry), 0, true
	}
	return 0, entry - firstName, false
}

// Decode reads a message written by Encoder. Errors wrap ErrFormat or
// ErrNewerFormat. It never allocates more than a small multiple of the message.
func (b *Batch) Decode(message []byte) error {
	b.Stamp = 0
	b.Strings = append(b.Strings[:0], "")
	b.Shapes, b.Facts, b.Counts = b.Shapes[:0], b.Facts[:0], b.Counts[:0]
	b.Sites = b.Sites[:0]
	r := reader{buf: message}
	for r.more() {
		field, v, body := r.field()
		switch field {
		case fieldVersion:
			if v > FormatVersion {
				return fmt.Errorf("%w: level %d, known is %d", ErrNewerFormat, v, FormatVersion)
			}
		case fieldStamp:
			b.Stamp = int64(v)
		case fieldString:
			b.Strings = append(b.Strings, text(body))
		case fieldShape:
			b.addShape(&r, body)
		case fieldRows:
			b.addRows(&r, body)
		case fieldFact:
			b.addFact(&r, body)
		case fieldCount:
			b.addCount(&r, body)
		}
	}
	if r.err != nil {
		return fmt.Errorf("%w: at byte %d: %s", ErrFormat, r.pos, r.err)
	}
	return b.check()
}

func (b *Batch) addShape(r *reader, body []byte) {
	n := len(b.Shapes)
	if n < cap(b.Shapes) {
		b.Shapes = b.Shapes[:n+1]
	} else {
		b.Shapes = append(b.Shapes, nil)
	}
	b.Shapes[n] = packed(r, b.Shapes[n][:0], body, -1)
}

func (b *Batch) addRows(parent *reader, body []byte) {
	n := len(b.Sites)
	if n < cap(b.Sites) {
		b.Sites = b.Sites[:n+1]
	} else {
		b.Sites = append(b.Sites, Rows{})
	}
	s := &b.Sites[n]
	*s = Rows{Shape: s.Shape[:0], Device: s.Device[:0], Flags: s.Flags[:0], Time: s.Time[:0], ID: s.ID[:0], View: s.View[:0],
		Engaged: s.Engaged[:0], Scroll: s.Scroll[:0], Value: s.Value[:0], Cells: s.Cells[:0]}
	r := reader{buf: body}
	for r.more() {
		field, v, body := r.field()
		switch field {
		case rowsSite:
			if v >= uint64(len(b.Strings)) {
				r.fail("site is not in the string table")
				break
			}
			s.Site = b.Strings[v]
		case rowsClock:
			s.Clock, s.HasClock = unzigzag(v-1), true
		case rowsN:
			if v > MaxCommitRows || v > uint64(len(parent.buf)) {
				r.fail("more rows than a message can have")
				break
			}
			s.N = int(v)
		case rowsShape:
			s.Shape = packed(&r, s.Shape, body, s.N)
		case rowsDevice:
			s.Device = packed(&r, s.Device, body, s.N)
		case rowsFlags:
			s.Flags = packed(&r, s.Flags, body, s.N)
		case rowsTime:
			s.Time = deltas(&r, s.Time, body, s.N)
		case rowsID:
			s.ID = fixed(&r, s.ID, body, s.N)
		case rowsView:
			s.View = fixed(&r, s.View, body, s.N)
		case rowsEngaged:
			s.Engaged = packed(&r, s.Engaged, body, s.N)
		case rowsScroll:
			s.Scroll = packed(&r, s.Scroll, body, s.N)
		case rowsValue:
			s.Value = signed(&r, s.Value, body, s.N)
		case rowsCells:
			s.Cells = packed(&r, s.Cells, body, -1)
		}
	}
	if r.err != nil && parent.err == nil {
		parent.err = fmt.Errorf("rows: %w", r.err)
	}
	for _, n := range [...]int{len(s.ID), len(s.View), len(s.Engaged), len(s.Scroll), len(s.Value)} {
		if n != 0 && n != s.N && parent.err == nil {
			parent.fail("rows: a column has another number of rows")
		}
	}
	if s.N == 0 {
		return
	}
	s.Shape, s.Device, s.Flags = full(s.Shape, s.N), full(s.Device, s.N), full(s.Flags, s.N)
	s.Time = full(s.Time, s.N)
}

// full returns column with n entries: itself, or zeros where it was left out.
func full[T any](column []T, n int) []T {
	if len(column) == n {
		return column
	}
	if cap(column) < n {
		return make([]T, n)
	}
	column = column[:n]
	clear(column)
	return column
}

func (b *Batch) addFact(parent *reader, body []byte) {
	var f Fact
	r := reader{buf: body}
	for r.more() {
		field, _, body := r.field()
		switch field {
		case 1:
			f.Kind = text(body)
		case 2:
			f.Site = text(body)
		case 3:
			f.Key = text(body)
		case 4:
			f.Value = body
		}
	}
	if r.err != nil && parent.err == nil {
		parent.err = fmt.Errorf("fact: %w", r.err)
	}
	b.Facts = append(b.Facts, f)
}

func (b *Batch) addCount(parent *reader, body []byte) {
	var c Count
	r := reader{buf: body}
	for r.more() {
		field, v, body := r.field()
		switch field {
		case 1:
			c.Site = text(body)
		case 2:
			c.Verdict = text(body)
		case 3:
			c.Reason = text(body)
		case 4:
			c.N = v
		}
	}
	if r.err != nil && parent.err == nil {
		parent.err = fmt.Errorf("count: %w", r.err)
	}
	b.Counts = append(b.Counts, c)
}

// check verifies every number that points into a table, so that who applies
// the batch can index without asking.
func (b *Batch) check() error {
	texts := uint32(len(b.Strings))
	for i, shape := range b.Shapes {
		for _, entry := range shape {
			if c, name, builtin := ShapeColumn(entry); builtin && c >= NumColumns || !builtin && (name == 0 || name >= texts) {
				return fmt.Errorf("%w: shape %d names column %d", ErrFormat, i, entry)
			}
		}
	}
	for i := range b.Sites {
		s := &b.Sites[i]
		cells := 0
		for r := 0; r < s.N; r++ {
			if s.Shape[r] >= uint32(len(b.Shapes)) || s.Device[r] >= texts {
				return fmt.Errorf("%w: row %d of site %q points outside a table", ErrFormat, r, s.Site)
			}
			cells += len(b.Shapes[s.Shape[r]])
		}
		if cells != len(s.Cells) {
			return fmt.Errorf("%w: site %q has %d cells, its shapes need %d", ErrFormat, s.Site, len(s.Cells), cells)
		}
		for _, cell := range s.Cells {
			if cell>>2 >= texts || cell>>2 == 0 || Kind(cell&3) > KindBool {
				return fmt.Errorf("%w: site %q has cell %d", ErrFormat, s.Site, cell)
			}
		}
	}
	return nil
}

// text is b as a string that shares its bytes.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// reader walks the fields of a message in protobuf's wire format.
type reader struct {
	buf []byte
	pos int
	err error
}

func (r *reader) more() bool { return r.err == nil && r.pos < len(r.buf) }

func (r *reader) fail(why string) { r.err = errors.New(why) }

func (r *reader) varint() uint64 {
	v, n := binary.Uvarint(r.buf[r.pos:])
	if n <= 0 {
		r.fail("varint is cut or too long")
		return 0
	}
	r.pos += n
	return v
}

// field reads one field: its number and its varint or its bytes. Fields of
// another wire type do not occur in this format.
func (r *reader) field() (field int, v uint64, body []byte) {
	tag := r.varint()
	if r.err != nil {
		return 0, 0, nil
	}
	switch tag & 7 {
	case 0:
		return int(tag >> 3), r.varint(), nil
	case 2:
		n := r.varint()
		if r.err == nil && n > uint64(len(r.buf)-r.pos) {
			r.fail("field is longer than the message")
		}
		if r.err != nil {
			return 0, 0, nil
		}
		body = r.buf[r.pos : r.pos+int(n) : r.pos+int(n)]
		r.pos += int(n)
		return int(tag >> 3), 0, body
	}
	r.fail("unknown wire type")
	return 0, 0, nil
}

// packed appends the varints of body, n of them (-1: any number).
func packed(r *reader, dst []uint32, body []byte, n int) []uint32 {
	for i := 0; i < len(body); {
		v := uint64(body[i])
		i++
		if v >= 0x80 {
			var k int
			v, k = binary.Uvarint(body[i-1:])
			if k <= 0 || v > 1<<32-1 {
				r.fail("packed value is cut or too large")
				return dst
			}
			i += k - 1
		}
		dst = append(dst, uint32(v))
	}
	if n >= 0 && len(dst) != n {
		r.fail("packed column has another number of rows")
	}
	return dst
}

func signed(r *reader, dst []int64, body []byte, n int) []int64 {
	for i := 0; i < len(body); {
		v, k := binary.Uvarint(body[i:])
		if k <= 0 {
			r.fail("packed value is cut")
			return dst
		}
		i += k
		dst = append(dst, unzigzag(v))
	}
	if len(dst) != n {
		r.fail("packed column has another number of rows")
	}
	return dst
}

func deltas(r *reader, dst []int64, body []byte, n int) []int64 {
	dst = signed(r, dst, body, n)
	for i := 1; i < len(dst); i++ {
		dst[i] += dst[i-1]
	}
	return dst
}

func fixed(r *reader, dst []uint64, body []byte, n int) []uint64 {
	if len(body) != 8*n {
		r.fail("fixed column has another number of rows")
		return dst
	}
	for i := 0; i < len(body); i += 8 {
		dst = append(dst, binary.LittleEndian.Uint64(body[i:]))
	}
	return dst
}
