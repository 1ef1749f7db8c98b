// Package block holds rows: the events of one site, one UTC day and one shard,
// at most MaxRows of them, column by column and narrow. A Builder belongs to
// the shard's writer and appends; a Block is what a reader sees of it, is
// immutable and shares the Builder's memory.
//
//	rows   0 … N-1, in order of arrival (not of time)
//	time   4 bytes, milliseconds within the day
//	subject 4 bytes, the shard's ordinal of the device
//	codes  0, 1, 2 or 4 bytes a column that occurs
//	engaged, scroll   may still change after the row: pages of 4,096 rows
//	marks  1 byte where some rows have one and others not
//
// A row that was erased keeps its number and has no time (Gone): no period
// takes it in. Its values go with Purge.
package block

import (
	"slices"

	"github.com/readership/readership/internal/engine/paged"
	"github.com/readership/readership/internal/event"
)

// MaxRows is the number of rows at which a block is sealed.
const MaxRows = 1 << 16

// Buckets is the number of 5-minute buckets of a day.
const Buckets = 288

// BucketMillis is the length of a bucket.
const BucketMillis = 5 * 60 * 1000

// DayMillis is the length of a UTC day.
const DayMillis = 24 * 60 * 60 * 1000

// DayOf returns the UTC day of a time, Unix milliseconds.
func DayOf(unix int64) int {
	day := unix / DayMillis
	if unix%DayMillis < 0 {
		day--
	}
	return int(day)
}

// RowID names a row of a shard's site: block ID << 16 | row. It fits 32 bits.
type RowID uint32

// MakeRowID packs a row's name.
func MakeRowID(block uint16, row int) RowID { return RowID(block)<<16 | RowID(row) }

// Block returns the ID of the row's block.
func (r RowID) Block() uint16 { return uint16(r >> 16) }

// Row returns the row within its block.
func (r RowID) Row() int { return int(r & 0xffff) }

// Kind says what rows a block has.
type Kind uint8

// The kinds of blocks. Only plain rows are counted.
const (
	Plain     Kind = iota
	Copies         // rows of accounts in their own partition
	Decisions      // rows that commits leave
	NumKinds
)

// Block is a reader's view of rows. It is immutable.
type Block struct {
	ID     uint16
	Day    int // UTC day of the rows' times, days since 1970-01-01
	Kind   Kind
	Sealed bool
	N      int

	// MinTime and MaxTime bound the rows' times, in milliseconds of the day.
	MinTime, MaxTime uint32
	// Robots is the number of rows with FlagRobot (column bot_class is set).
	Robots int

	Time    []uint32 // milliseconds within Day; Gone: the row was erased
	Subject []uint32 // ordinals of the shard
	// Pair names the device of each row of a block of copies (subject.Pairs of
	// accounts); nil in others.
	Pair []uint32
	// Marks are the rows' marks; nil where no row has one.
	Marks *Column
	// Columns is indexed by the site's column number; nil where no row of the
	// block has the column.
	Columns []*Column
	// Engaged are milliseconds of attention, Scroll percents. Both may be
	// shorter than N: what is beyond is 0.
	Engaged paged.Snapshot[uint16]
	// EngagedLong holds what does not fit Engaged's whole seconds; see
	// EngagedMillis. It is nil when every value fits.
	EngagedLong map[uint16]uint32
	Scroll      paged.Snapshot[uint8]
	// ValueRows and Values are the rows with a value (micro-units), ascending.
	ValueRows []uint16
	Values    []int64

	// Views and Events count page views without robots and rows of all types
	// by 5-minute bucket of the day. Decisions are no events.
	Views, Events *[Buckets]uint32
}

// engagedLong in a page of Engaged says: look in EngagedLong.
const engagedLong = 0xffff

// EngagedMillis returns the attention of row i in milliseconds.
func (b *Block) EngagedMillis(i int) uint32 {
	if i >= b.Engaged.Len() {
		return 0
	}
	v := b.Engaged.At(i)
	if v != engagedLong {
		return uint32(v) * 1000
	}
	return b.EngagedLong[uint16(i)]
}

// ScrollPercent returns the greatest scroll of row i.
func (b *Block) ScrollPercent(i int) uint8 {
	if i >= b.Scroll.Len() {
		return 0
	}
	return b.Scroll.At(i)
}

// ColumnAt returns a column by number, nil if the block does not have it.
func (b *Block) ColumnAt(c int) *Column {
	if c < len(b.Columns) {
		return b.Columns[c]
	}
	return nil
}

// Unix returns the time of row i in Unix milliseconds, the end of time if it
// was erased.
func (b *Block) Unix(i int) int64 { return unix(b.Day, b.Time[i]) }

// MarksOf returns the marks of row i.
func (b *Block) MarksOf(i int) uint8 {
	if b.Marks == nil {
		return 0
	}
	return uint8(b.Marks.At(i))
}

func unix(day int, t uint32) int64 {
	if t == Gone {
		return GoneTime
	}
	return int64(day)*DayMillis + int64(t)
}

// Gone is the time of a row that was erased, GoneTime in Unix milliseconds.
const (
	Gone     = 1<<32 - 1
	GoneTime = 1 << 62
)

// Marks of a row.
const (
	MarkProven uint8 = 1 << iota // its account was proven
	MarkJoined                   // it had no account, and came to this one with a login
)

// Builder is a block as its writer has it.
type Builder struct {
	ID     uint16
	Day    int
	Kind   Kind
	Sealed bool
	// Leaving is set by the owner once the block is out of every later view.
	Leaving bool
	// Age is set by the owner: of two blocks of one day, the rows of the one with
	// the smaller came first, but for copies beside others.
	Age uint32

	time    []uint32
	subject []uint32
	cols    []*codes
	engaged *paged.Array[uint16]
	long    map[uint16]uint32
	scroll  *paged.Array[uint8]
	vrows   []uint16
	values  []int64
	pairs   []uint32
	marks   codes
	views   *[Buckets]uint32
	events  *[Buckets]uint32
	min     uint32
	max     uint32
	robots  int

	erased     int       // rows that are Gone
	purged     int       // of these, rows whose values are gone too
	snapshot   *Block    // nil once the block has changed: an old one would keep old pages alive
	columns    []*Column // of a sealed block's snapshots
	Unsaved    bool      // since the last checkpoint
	longShared bool      // long may be seen by a snapshot
	bytes      int64     // of a sealed block; 0: not measured since it changed
}

// NewBuilder returns an empty block.
func NewBuilder(id uint16, day int, kind Kind) *Builder {
	return &Builder{ID: id, Day: day, Kind: kind, views: new([Buckets]uint32), events: new([Buckets]uint32), Unsaved: true}
}

// touch notes a change.
func (b *Builder) touch() { b.snapshot, b.bytes, b.Unsaved = nil, 0, true }

// N returns the number of rows.
func (b *Builder) N() int { return len(b.time) }

// Row is what Append needs to know besides codes.
type Row struct {
	Time     uint32 // milliseconds within the day
	Subject  uint32
	PageView bool
	Robot    bool
	HasValue bool
	Value    int64
	Engaged  uint32 // milliseconds
	Scroll   uint8
	Pair     uint32 // of a copy
	Marks    uint8
}

// Append adds a row and returns its number; Set its codes next.
func (b *Builder) Append(r *Row) int {
	i := len(b.time)
	if i == 0 || r.Time < b.min {
		b.min = r.Time
	}
	if i == 0 || r.Time > b.max {
		b.max = r.Time
	}
	b.time = append(b.time, r.Time)
	b.subject = append(b.subject, r.Subject)
	if b.Kind == Copies {
		b.pairs = append(b.pairs, r.Pair)
	}
	if r.Marks != 0 {
		b.marks.set(i, uint32(r.Marks))
	}
	bucket := r.Time / BucketMillis
	if b.Kind != Decisions {
		b.events[bucket]++
	}
	if r.PageView && !r.Robot {
		b.views[bucket]++
	}
	if r.Robot {
		b.robots++
	}
	if r.HasValue {
		b.vrows = append(b.vrows, uint16(i))
		b.values = append(b.values, r.Value)
	}
	b.touch()
	if r.Engaged != 0 || r.Scroll != 0 {
		b.Engage(i, r.Engaged, r.Scroll)
	}
	return i
}

// Set puts the code of column c at row, the row appended last.
func (b *Builder) Set(row, c int, code uint32) {
	for c >= len(b.cols) {
		b.cols = append(b.cols, nil)
	}
	if b.cols[c] == nil {
		b.cols[c] = &codes{}
	}
	b.cols[c].set(row, code)
}

// Local returns the block's own dictionary of column c, made at first use.
func (b *Builder) Local(c int) *Dict {
	for c >= len(b.cols) {
		b.cols = append(b.cols, nil)
	}
	if b.cols[c] == nil {
		b.cols[c] = &codes{}
	}
	if b.cols[c].local == nil {
		b.cols[c].local = NewDict()
	}
	return b.cols[c].local
}

// HasLocal says whether column c has a dictionary of its own here, and Has
// whether it has any code.
func (b *Builder) HasLocal(c int) bool {
	return c < len(b.cols) && b.cols[c] != nil && b.cols[c].local != nil
}

// Shared returns the code of a row in column c as the shard's dictionary has it,
// 0 if there is none; ok is false if the column has a dictionary of its own here.
func (b *Builder) Shared(row, c int) (code uint32, ok bool) {
	if c >= len(b.cols) || b.cols[c] == nil {
		return 0, true
	}
	col := b.cols[c]
	if col.local != nil {
		return 0, false
	}
	return col.at(row), true
}

// Has says whether any row has a code of column c.
func (b *Builder) Has(c int) bool { return c < len(b.cols) && b.cols[c] != nil }

// Attention lies in pages of 4,096 rows.
func newEngaged() *paged.Array[uint16] { return paged.New[uint16](8192) }

func newScroll() *paged.Array[uint8] { return paged.New[uint8](4096) }

// Engage adds attention (milliseconds) to a row and raises its scroll. It
// returns the row's attention after that.
func (b *Builder) Engage(row int, millis uint32, scroll uint8) uint32 {
	b.touch()
	var total uint32
	if millis != 0 {
		if b.engaged == nil {
			b.engaged = newEngaged()
		}
		b.engaged.Extend(row + 1)
		total = b.EngagedMillis(row) + millis
		if total < millis {
			total = 1<<32 - 1
		}
		if total%1000 == 0 && total/1000 < engagedLong && b.engaged.At(row) != engagedLong {
			*b.engaged.Mut(row) = uint16(total / 1000)
		} else {
			if b.long == nil {
				b.long = make(map[uint16]uint32)
			} else if b.longShared {
				own := make(map[uint16]uint32, len(b.long)+1)
				for k, v := range b.long {
					own[k] = v
				}
				b.long = own
			}
			b.longShared = false
			b.long[uint16(row)] = total
			*b.engaged.Mut(row) = engagedLong
		}
	} else {
		total = b.EngagedMillis(row)
	}
	if scroll != 0 {
		if b.scroll == nil {
			b.scroll = newScroll()
		}
		b.scroll.Extend(row + 1)
		if s := b.scroll.Mut(row); *s < scroll {
			*s = scroll
		}
	}
	return total
}

// EngagedMillis returns the attention of a row in milliseconds.
func (b *Builder) EngagedMillis(row int) uint32 {
	if b.engaged == nil || row >= b.engaged.Len() {
		return 0
	}
	v := b.engaged.At(row)
	if v == engagedLong {
		return b.long[uint16(row)]
	}
	return uint32(v) * 1000
}

// Unix returns the time of a row in Unix milliseconds, the end of time if it
// was erased.
func (b *Builder) Unix(row int) int64 { return unix(b.Day, b.time[row]) }

// PairOf returns the pair of a copy.
func (b *Builder) PairOf(row int) uint32 { return b.pairs[row] }

// MarksOf returns the marks of a row.
func (b *Builder) MarksOf(row int) uint8 { return uint8(b.marks.at(row)) }

// ScrollPercent returns the greatest scroll of a row.
func (b *Builder) ScrollPercent(row int) uint8 {
	if b.scroll == nil || row >= b.scroll.Len() {
		return 0
	}
	return b.scroll.At(row)
}

// ValueOf returns the value of a row in micro-units.
func (b *Builder) ValueOf(row int) (value int64, ok bool) {
	i, ok := slices.BinarySearch(b.vrows, uint16(row))
	if !ok {
		return 0, false
	}
	return b.values[i], true
}

// SubjectOf returns the subject of a row.
func (b *Builder) SubjectOf(row int) uint32 { return b.subject[row] }

// CodeOf returns the code of column c at row.
func (b *Builder) CodeOf(row, c int) uint32 {
	if c < len(b.cols) && b.cols[c] != nil {
		return b.cols[c].at(row)
	}
	return 0
}

// Distinct returns how many codes of column c occur, up to the greatest.
func (b *Builder) Distinct(c int) int {
	if c >= len(b.cols) || b.cols[c] == nil {
		return 0
	}
	col := b.cols[c]
	if col.local != nil {
		return col.local.Len() - 1
	}
	seen := make([]uint64, col.max/64+1)
	n := 0
	for i := 0; i < col.n; i++ {
		v := col.at(i)
		if v != 0 && seen[v/64]&(1<<(v%64)) == 0 {
			seen[v/64] |= 1 << (v % 64)
			n++
		}
	}
	return n
}

// Seal marks the block complete and gives spare memory back. Attention may
// still be added.
func (b *Builder) Seal() {
	if b.Sealed {
		return
	}
	b.Sealed = true
	b.time, b.subject = exact(b.time), exact(b.subject)
	b.vrows, b.values, b.pairs = exact(b.vrows), exact(b.values), exact(b.pairs)
	b.marks.seal(len(b.time))
	for _, c := range b.cols {
		if c != nil {
			c.seal(len(b.time))
		}
	}
	b.touch()
}

// Snapshot returns the block as it is now; the same one while nothing changes.
func (b *Builder) Snapshot() *Block {
	if b.snapshot != nil {
		return b.snapshot
	}
	s := &Block{
		ID: b.ID, Day: b.Day, Kind: b.Kind, Sealed: b.Sealed, N: len(b.time),
		MinTime: b.min, MaxTime: b.max, Robots: b.robots,
		Time: slices.Clip(b.time), Subject: slices.Clip(b.subject), Pair: slices.Clip(b.pairs),
		ValueRows: slices.Clip(b.vrows), Values: slices.Clip(b.values),
	}
	if b.Sealed {
		// Only attention changes after sealing.
		if b.columns == nil {
			b.columns = b.viewColumns()
		}
		s.Columns, s.Views, s.Events = b.columns, b.views, b.events
	} else {
		views, events := *b.views, *b.events
		s.Columns, s.Views, s.Events = b.viewColumns(), &views, &events
	}
	if b.marks.n > 0 {
		marks := b.marks.view()
		s.Marks = &marks
	}
	if b.engaged != nil {
		s.Engaged = b.engaged.Snapshot()
		s.EngagedLong, b.longShared = b.long, true
	}
	if b.scroll != nil {
		s.Scroll = b.scroll.Snapshot()
	}
	b.snapshot = s
	return s
}

func (b *Builder) viewColumns() []*Column {
	columns := make([]*Column, len(b.cols))
	for i, c := range b.cols {
		if c != nil && c.n > 0 {
			v := c.view()
			columns[i] = &v
		}
	}
	return columns
}

// Bytes returns the memory of the block's rows.
func (b *Builder) Bytes() int64 {
	if b.Sealed && b.bytes != 0 {
		return b.bytes
	}
	n := int64(2*4*Buckets+512) + 4*int64(cap(b.time)+cap(b.subject)+cap(b.pairs)) + b.marks.bytes() + 2*int64(cap(b.vrows)) + 8*int64(cap(b.values)) + 20*int64(len(b.long))
	for _, c := range b.cols {
		if c != nil {
			n += c.bytes() + 120
		}
	}
	if b.engaged != nil {
		n += b.engaged.Bytes()
	}
	if b.scroll != nil {
		n += b.scroll.Bytes()
	}
	b.bytes = n
	return n
}

// KindOf is the kind of the value with this code in the dictionary d.
func (d DictView) KindOf(code uint32) event.Kind { return d.Kinds[code] }
