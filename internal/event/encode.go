package event

import (
	"encoding/binary"
	"math"
)

// FormatVersion is the level of the log message that this program writes.
const FormatVersion = 1

// MaxCommitRows bounds the rows of one message, so that a decoder can bound
// what it allocates.
const MaxCommitRows = 1 << 16

// Field numbers of the message Commit and its parts; docs/format/log.md and
// docs/format/log.proto describe them. Columns of Rows are packed, one value a
// row; a column whose values are all zero is left out.
const (
	fieldVersion = 1
	fieldStamp   = 2
	fieldString  = 3
	fieldShape   = 4
	fieldRows    = 5
	fieldFact    = 6
	fieldCount   = 7

	rowsSite    = 1
	rowsClock   = 2
	rowsN       = 3
	rowsShape   = 4
	rowsDevice  = 5
	rowsFlags   = 6
	rowsTime    = 7
	rowsID      = 8
	rowsView    = 9
	rowsEngaged = 10
	rowsScroll  = 11
	rowsValue   = 12
	rowsCells   = 13
)

// firstName is the shape number of the first property name: a shape entry
// below it is a built-in Column, one from it on is firstName + the number of
// the name in the string table.
const firstName = 64

// Encoder builds one log message. It interns every string of the message once,
// so that an event is a handful of small numbers. The zero Encoder is ready
// after Reset. It keeps references to the strings that it was given until
// Reset. Not safe for concurrent use.
type Encoder struct {
	stamp   int64
	table   map[string]uint32
	strings []string
	bytes   int // of strings
	shapes  map[string]uint32
	order   [][]byte // encoded columns of each shape
	sites   []*siteRows
	spare   []*siteRows
	facts   []Fact
	counts  []Count
	rows    int
	shape   []byte // scratch

	// What stood last in a column stands there again more often than not.
	lastText   [NumColumns]string
	lastNumber [NumColumns]uint32
}

// siteRows are the columns of the rows of one site.
type siteRows struct {
	site     string
	clock    int64
	hasClock bool
	n        int
	last     int64 // time of the row before
	shape    []byte
	device   []byte
	flags    []byte
	time     []byte
	id       []byte
	view     []byte
	engaged  []byte
	scroll   []byte
	value    []byte
	cells    []byte
	nonzero  uint16 // bit field-number: the column has a value other than 0
}

// Reset empties the encoder and sets the stamp of the message: Unix
// milliseconds of log time.
func (e *Encoder) Reset(stamp int64) {
	if e.table == nil || len(e.table) > 1<<15 {
		e.table = make(map[string]uint32, 64)
		e.shapes = make(map[string]uint32, 8)
	} else {
		clear(e.table)
		clear(e.shapes)
	}
	clear(e.strings)
	e.strings = e.strings[:0]
	e.order = e.order[:0]
	e.spare = append(e.spare, e.sites...)
	e.sites = e.sites[:0]
	clear(e.facts)
	e.facts = e.facts[:0]
	clear(e.counts)
	e.counts = e.counts[:0]
	e.lastText = [NumColumns]string{}
	e.stamp, e.bytes, e.rows = stamp, 0, 0
}

// SetStamp replaces the stamp that Reset set.
func (e *Encoder) SetStamp(stamp int64) { e.stamp = stamp }

// Rows returns how many events the message holds.
func (e *Encoder) Rows() int { return e.rows }

// Empty says whether the message would carry nothing.
func (e *Encoder) Empty() bool {
	return e.rows == 0 && len(e.facts) == 0 && len(e.counts) == 0
}

// Size estimates the bytes of the message, from above.
func (e *Encoder) Size() int {
	size := 64 + e.bytes + 4*len(e.strings)
	for _, o := range e.order {
		size += len(o) + 8
	}
	for _, s := range e.sites {
		size += 128 + len(s.shape) + len(s.device) + len(s.flags) + len(s.time) + len(s.id) +
			len(s.view) + len(s.engaged) + len(s.scroll) + len(s.value) + len(s.cells)
	}
	for i := range e.facts {
		f := &e.facts[i]
		size += 32 + len(f.Kind) + len(f.Site) + len(f.Key) + len(f.Value)
	}
	return size + 64*len(e.counts)
}

// intern returns the number of text in the string table; "" is 0.
func (e *Encoder) intern(text string) uint32 {
	if text == "" {
		return 0
	}
	if n, ok := e.table[text]; ok {
		return n
	}
	e.strings = append(e.strings, text)
	n := uint32(len(e.strings))
	e.table[text] = n
	e.bytes += len(text)
	return n
}

func (e *Encoder) rowsOf(site string) *siteRows {
	for _, s := range e.sites {
		if s.site == site {
			return s
		}
	}
	var s *siteRows
	if n := len(e.spare); n > 0 {
		s, e.spare = e.spare[n-1], e.spare[:n-1]
		*s = siteRows{shape: s.shape[:0], device: s.device[:0], flags: s.flags[:0], time: s.time[:0], id: s.id[:0],
			view: s.view[:0], engaged: s.engaged[:0], scroll: s.scroll[:0], value: s.value[:0], cells: s.cells[:0]}
	} else {
		s = &siteRows{}
	}
	s.site = site
	e.sites = append(e.sites, s)
	return s
}

// Add appends one event of a site. id and view are keyed hashes of the event's
// id and of its page view (0: none). The caller keeps Rows below MaxCommitRows.
func (e *Encoder) Add(site string, ev *Event, id, view uint64) {
	s := e.rowsOf(site)
	e.shape = e.shape[:0]
	for c := range ev.Columns {
		if text := ev.Columns[c]; text != "" {
			e.shape = append(e.shape, byte(c))
			if text != e.lastText[c] {
				e.lastText[c], e.lastNumber[c] = text, e.intern(text)
			}
			s.cells = binary.AppendUvarint(s.cells, uint64(e.lastNumber[c])<<2)
		}
	}
	for i := range ev.Properties {
		p := &ev.Properties[i]
		e.shape = binary.AppendUvarint(e.shape, firstName+uint64(e.intern(p.Name)))
		// An empty text is a value, not a missing one, so it is interned as such.
		s.cells = binary.AppendUvarint(s.cells, uint64(e.internValue(p.Value))<<2|uint64(p.Kind))
	}
	shape, ok := e.shapes[string(e.shape)]
	if !ok {
		shape = uint32(len(e.order))
		copied := append([]byte(nil), e.shape...)
		e.order = append(e.order, copied)
		e.shapes[string(copied)] = shape
	}
	s.shape = s.put(rowsShape, s.shape, uint64(shape))
	s.device = s.put(rowsDevice, s.device, uint64(e.intern(ev.Device)))
	s.flags = s.put(rowsFlags, s.flags, uint64(ev.Flags))
	delta := ev.Time - s.last
	s.last = ev.Time
	s.time = s.put(rowsTime, s.time, zigzag(delta))
	s.id = s.fixed(rowsID, s.id, id)
	s.view = s.fixed(rowsView, s.view, view)
	s.engaged = s.put(rowsEngaged, s.engaged, uint64(ev.EngagedMillis))
	s.scroll = s.put(rowsScroll, s.scroll, uint64(ev.Scroll))
	s.value = s.put(rowsValue, s.value, zigzag(ev.Value))
	s.n++
	e.rows++
}

// internValue is intern for property values, where "" is a value.
func (e *Encoder) internValue(text string) uint32 {
	if text != "" {
		return e.intern(text)
	}
	if n, ok := e.table[""]; ok {
		return n
	}
	e.strings = append(e.strings, "")
	n := uint32(len(e.strings))
	e.table[""] = n
	return n
}

func (s *siteRows) put(field int, dst []byte, v uint64) []byte {
	if v != 0 {
		s.nonzero |= 1 << field
	}
	return binary.AppendUvarint(dst, v)
}

func (s *siteRows) fixed(field int, dst []byte, v uint64) []byte {
	if v != 0 {
		s.nonzero |= 1 << field
	}
	return binary.LittleEndian.AppendUint64(dst, v)
}

// SetClock records the now of a site with clock "event", as of this message.
func (e *Encoder) SetClock(site string, now int64) {
	s := e.rowsOf(site)
	s.clock, s.hasClock = now, true
}

// AddFact appends a fact.
func (e *Encoder) AddFact(f Fact) { e.facts = append(e.facts, f) }

// AddCount appends a line of the ledger.
func (e *Encoder) AddCount(c Count) { e.counts = append(e.counts, c) }

// AppendTo appends the encoded message to dst.
func (e *Encoder) AppendTo(dst []byte) []byte {
	for _, s := range e.sites {
		e.intern(s.site) // sites travel as string numbers
	}
	dst = appendVarintField(dst, fieldVersion, FormatVersion)
	dst = appendVarintField(dst, fieldStamp, uint64(e.stamp))
	for _, text := range e.strings {
		dst = appendStringField(dst, fieldString, text)
	}
	for _, o := range e.order {
		dst = appendBytesField(dst, fieldShape, o)
	}
	var body []byte
	for _, s := range e.sites {
		body = s.appendTo(body[:0], e.intern(s.site))
		dst = appendBytesField(dst, fieldRows, body)
	}
	for i := range e.facts {
		f := &e.facts[i]
		body = appendStringField(body[:0], 1, f.Kind)
		body = appendStringField(body, 2, f.Site)
		body = appendStringField(body, 3, f.Key)
		body = appendBytesField(body, 4, f.Value)
		dst = appendBytesField(dst, fieldFact, body)
	}
	for i := range e.counts {
		c := &e.counts[i]
		body = appendStringField(body[:0], 1, c.Site)
		body = appendStringField(body, 2, c.Verdict)
		body = appendStringField(body, 3, c.Reason)
		body = appendVarintField(body, 4, c.N)
		dst = appendBytesField(dst, fieldCount, body)
	}
	return dst
}

func (s *siteRows) appendTo(dst []byte, site uint32) []byte {
	dst = appendVarintField(dst, rowsSite, uint64(site))
	if s.hasClock {
		dst = appendVarintField(dst, rowsClock, zigzag(s.clock)+1)
	}
	dst = appendVarintField(dst, rowsN, uint64(s.n))
	for _, c := range [...]struct {
		field int
		data  []byte
	}{
		{rowsShape, s.shape}, {rowsDevice, s.device}, {rowsFlags, s.flags}, {rowsTime, s.time},
		{rowsID, s.id}, {rowsView, s.view}, {rowsEngaged, s.engaged}, {rowsScroll, s.scroll}, {rowsValue, s.value},
	} {
		if s.nonzero&(1<<c.field) != 0 {
			dst = appendBytesField(dst, c.field, c.data)
		}
	}
	return appendBytesField(dst, rowsCells, s.cells)
}

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func appendVarintField(dst []byte, field int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(field)<<3), v)
}

func appendBytesField(dst []byte, field int, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(field)<<3|2)
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendStringField(dst []byte, field int, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(field)<<3|2)
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// Micros turns a decimal amount into micro-units, rounded to the nearest; ok is
// false outside ±9.2e12.
func Micros(amount float64) (micros int64, ok bool) {
	v := math.Round(amount * 1e6)
	if math.IsNaN(v) || v < math.MinInt64 || v >= math.MaxInt64 {
		return 0, false
	}
	return int64(v), true
}
