package block

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/readership/readership/internal/event"
)

// ErrFormat is what errors of Restore wrap: the bytes are not a block's.
var ErrFormat = errors.New("block bytes are malformed")

const formatVersion = 2

// Flags of a block's bytes.
const (
	flagCopies = 1 << iota
	flagSealed
	flagDecisions
)

// AppendRows appends the rows of a block, all but their attention, in the
// form of docs/format/checkpoint.md. All numbers are little-endian.
func (b *Block) AppendRows(dst []byte) []byte {
	flags := byte(0)
	switch b.Kind {
	case Copies:
		flags |= flagCopies
	case Decisions:
		flags |= flagDecisions
	}
	if b.Sealed {
		flags |= flagSealed
	}
	dst = append(dst, formatVersion, flags)
	dst = binary.LittleEndian.AppendUint16(dst, b.ID)
	dst = binary.AppendVarint(dst, int64(b.Day))
	dst = binary.AppendUvarint(dst, uint64(b.N))
	dst = binary.AppendUvarint(dst, uint64(b.Robots))
	dst = appendFixed(dst, b.Time[:b.N])
	dst = appendFixed(dst, b.Subject[:b.N])
	dst = appendSparse(dst, b.Views)
	dst = appendSparse(dst, b.Events)
	dst = binary.AppendUvarint(dst, uint64(len(b.ValueRows)))
	dst = appendFixed(dst, b.ValueRows)
	dst = appendFixed(dst, b.Values)
	dst = binary.AppendUvarint(dst, uint64(len(b.Columns)))
	for _, c := range b.Columns {
		dst = c.append(dst)
	}
	dst = b.Marks.append(dst)
	if b.Kind == Copies {
		dst = appendFixed(dst, b.Pair[:b.N])
	}
	return dst
}

func (c *Column) append(dst []byte) []byte {
	if c == nil {
		return append(dst, 0xff)
	}
	local := byte(0)
	if c.Local != nil {
		local = 0x10
	}
	dst = append(dst, c.Width|local)
	dst = binary.AppendUvarint(dst, uint64(c.N))
	dst = binary.AppendUvarint(dst, uint64(c.Max))
	switch c.Width {
	case 0:
		dst = binary.AppendUvarint(dst, uint64(c.Code))
	case 1:
		dst = append(dst, c.C8[:c.N]...)
	case 2:
		dst = appendFixed(dst, c.C16[:c.N])
	case 4:
		dst = appendFixed(dst, c.C32[:c.N])
	}
	if c.Local != nil {
		dst = AppendTexts(dst, *c.Local, 1)
	}
	return dst
}

// AppendTexts appends the values of a dictionary from code from on.
func AppendTexts(dst []byte, d DictView, from int) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(d.Texts)-from))
	for i := from; i < len(d.Texts); i++ {
		dst = append(dst, byte(d.Kinds[i]))
		dst = binary.AppendUvarint(dst, uint64(len(d.Texts[i])))
		dst = append(dst, d.Texts[i]...)
	}
	return dst
}

// LoadTexts adds what AppendTexts wrote, whose first value gets code from.
func (d *Dict) LoadTexts(data []byte, from int) error {
	r := &reader{buf: data}
	if d.Len() != from {
		return fmt.Errorf("%w: dictionary of %d values goes on at %d", ErrFormat, d.Len()-1, from)
	}
	r.texts(d)
	return r.err
}

// AppendAttention appends the attention and scroll of a block's rows.
func (b *Block) AppendAttention(dst []byte) []byte {
	dst = append(dst, formatVersion)
	dst = binary.AppendUvarint(dst, uint64(b.Engaged.Len()))
	b.Engaged.Pages(func(_ int, page []uint16) bool { dst = appendFixed(dst, page); return true })
	dst = binary.AppendUvarint(dst, uint64(len(b.EngagedLong)))
	for row, millis := range b.EngagedLong {
		dst = binary.LittleEndian.AppendUint16(dst, row)
		dst = binary.LittleEndian.AppendUint32(dst, millis)
	}
	dst = binary.AppendUvarint(dst, uint64(b.Scroll.Len()))
	b.Scroll.Pages(func(_ int, page []uint8) bool { dst = append(dst, page...); return true })
	return dst
}

// Restore makes the Builder that AppendRows and AppendAttention wrote;
// attention may be nil. Errors wrap ErrFormat.
func Restore(rows, attention []byte) (*Builder, error) {
	r := &reader{buf: rows}
	if v := r.byte(); v != formatVersion && r.err == nil {
		return nil, fmt.Errorf("%w: version %d", ErrFormat, v)
	}
	flags := r.byte()
	id := r.uint16()
	kind := Plain
	switch {
	case flags&flagCopies != 0:
		kind = Copies
	case flags&flagDecisions != 0:
		kind = Decisions
	}
	b := NewBuilder(id, int(r.varint()), kind)
	n := r.count(MaxRows, 8)
	b.robots = r.count(MaxRows, 0)
	b.time = fixed[uint32](r, n)
	b.subject = fixed[uint32](r, n)
	r.sparse(b.views)
	r.sparse(b.events)
	values := r.count(n, 10)
	b.vrows = fixed[uint16](r, values)
	b.values = fixed[int64](r, values)
	columns := r.count(1024, 1)
	for range columns {
		b.cols = append(b.cols, r.column(n, flags&flagSealed != 0))
	}
	if marks := r.column(n, false); marks != nil {
		b.marks = *marks
	}
	if b.marks.local != nil || b.marks.max > 1<<8-1 {
		r.fail("marks are more than a byte")
	}
	if b.Kind == Copies {
		b.pairs = fixed[uint32](r, n)
	}
	if r.err == nil && len(r.buf) != r.pos {
		r.fail("bytes are left over")
	}
	first := true
	for _, t := range b.time {
		b.max = max(b.max, t)
		switch {
		case t == Gone:
			b.erased++
			continue
		case t >= DayMillis:
			r.fail("row lies outside its day")
		case first || t < b.min:
			b.min, first = t, false
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	b.Sealed = flags&flagSealed != 0
	if b.Sealed {
		b.marks.seal(n)
		for _, c := range b.cols {
			if c != nil {
				c.seal(n)
			}
		}
	}
	b.Unsaved = false
	if attention == nil {
		return b, nil
	}
	return b, b.attention(attention)
}

func (b *Builder) attention(data []byte) error {
	r := &reader{buf: data}
	if v := r.byte(); v != formatVersion && r.err == nil {
		r.fail("unknown version")
	}
	if n := r.count(len(b.time), 2); n > 0 {
		engaged := fixed[uint16](r, n)
		b.engaged = newEngaged()
		b.engaged.Load(engaged)
	}
	for range r.count(len(b.time), 6) {
		if b.long == nil {
			b.long = map[uint16]uint32{}
		}
		row := r.uint16()
		b.long[row] = r.uint32()
	}
	if n := r.count(len(b.time), 1); n > 0 {
		b.scroll = newScroll()
		b.scroll.Load(r.take(n))
	}
	return r.err
}

func appendFixed[T uint16 | uint32 | int64](dst []byte, values []T) []byte {
	dst, _ = binary.Append(dst, binary.LittleEndian, values)
	return dst
}

func fixed[T uint16 | uint32 | int64](r *reader, n int) []T {
	if n == 0 || r.err != nil {
		return nil
	}
	out := make([]T, n)
	raw := r.take(n * binary.Size(out[:1]))
	if r.err == nil {
		if _, err := binary.Decode(raw, binary.LittleEndian, out); err != nil {
			r.fail(err.Error())
		}
	}
	return out
}

// appendSparse writes the buckets that are not 0.
func appendSparse(dst []byte, buckets *[Buckets]uint32) []byte {
	n := 0
	for _, v := range buckets {
		if v != 0 {
			n++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	for i, v := range buckets {
		if v != 0 {
			dst = binary.AppendUvarint(dst, uint64(i))
			dst = binary.AppendUvarint(dst, uint64(v))
		}
	}
	return dst
}

// reader reads the parts of a block and bounds every number it meets.
type reader struct {
	buf []byte
	pos int
	err error
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: at byte %d: %s", ErrFormat, r.pos, why)
	}
}

func (r *reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.buf)-r.pos {
		r.fail("cut short")
		return nil
	}
	r.pos += n
	return r.buf[r.pos-n : r.pos]
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.buf[r.pos:])
	if n <= 0 {
		r.fail("number is cut")
		return 0
	}
	r.pos += n
	return v
}

func (r *reader) varint() int64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Varint(r.buf[r.pos:])
	if n <= 0 {
		r.fail("number is cut")
		return 0
	}
	r.pos += n
	return v
}

// count reads a number of things of at least size bytes each, at most limit.
func (r *reader) count(limit, size int) int {
	v := r.uvarint()
	if r.err == nil && (v > uint64(limit) || v*uint64(size) > uint64(len(r.buf)-r.pos)) {
		r.fail("number is too large")
	}
	if r.err != nil {
		return 0
	}
	return int(v)
}

func (r *reader) sparse(buckets *[Buckets]uint32) {
	for range r.count(Buckets, 2) {
		i, v := r.uvarint(), r.uvarint()
		if i >= Buckets || v > MaxRows {
			r.fail("bucket is out of range")
			return
		}
		buckets[i] = uint32(v)
	}
}

func (r *reader) column(rows int, sealed bool) *codes {
	head := r.byte()
	if head == 0xff || r.err != nil {
		return nil
	}
	c := &codes{width: head & 0xf}
	c.n = r.count(rows, 0)
	c.max = uint32(r.uvarint())
	switch c.width {
	case 0:
		c.code = uint32(r.uvarint())
		c.max = c.code
	case 1:
		c.c8 = append([]uint8(nil), r.take(c.n)...)
	case 2:
		c.c16 = fixed[uint16](r, c.n)
	case 4:
		c.c32 = fixed[uint32](r, c.n)
	default:
		r.fail("unknown width of a column")
	}
	greatest := c.code
	for i := range c.n {
		if r.err != nil {
			return nil
		}
		greatest = max(greatest, c.at(i))
	}
	if greatest > c.max {
		r.fail("code is greater than the column's maximum")
	}
	if head&0x10 != 0 {
		c.local = NewDict()
		if sealed {
			r.frozenTexts(c.local)
		} else {
			r.texts(c.local)
		}
		if greatest >= uint32(c.local.Len()) {
			r.fail("code is not in the block's dictionary")
		}
	}
	return c
}

func (r *reader) text() (text []byte, kind event.Kind) {
	kind = event.Kind(r.byte())
	text = r.take(r.count(1<<20, 1))
	if kind > event.KindBool && (kind != Removed || len(text) > 0) {
		r.fail("unknown kind of a value")
	}
	return text, kind
}

// frozenTexts reads a dictionary that gets no more values: it needs no index,
// and its texts share their memory.
func (r *reader) frozenTexts(d *Dict) {
	n := r.count(1<<31-1, 2)
	start := r.pos
	ends := make([]int, 0, n)
	for range n {
		_, kind := r.text()
		d.kinds = append(d.kinds, kind)
		ends = append(ends, r.pos-start)
	}
	if r.err != nil {
		return
	}
	all := string(r.buf[start:r.pos])
	again := &reader{buf: r.buf[:r.pos], pos: start}
	for _, end := range ends {
		text, _ := again.text()
		d.texts = append(d.texts, all[end-len(text):end])
		d.bytes += int64(len(text))
	}
}

func (r *reader) texts(d *Dict) {
	n := r.count(1<<31-1, 2)
	for range n {
		text, kind := r.text()
		if r.err != nil {
			return
		}
		if kind == Removed {
			d.texts, d.kinds = append(d.texts, ""), append(d.kinds, Removed)
			continue
		}
		before := d.Len()
		if d.Code(string(text), kind); d.Len() == before {
			r.fail("value stands twice in a dictionary")
			return
		}
	}
}
