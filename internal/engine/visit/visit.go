// Package visit cuts a device's events into visits and keeps their sums.
//
// A visit is a run of events with gaps of at most Gap between them. As adding
// an event can only lengthen or join runs, the intervals alone decide, and the
// outcome does not depend on the order of arrival. Engagement is an event too:
// it lengthens a visit, and a run that holds nothing else is kept, uncounted
// (Row is NoRow), until a row joins it.
package visit

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/paged"
)

// Gap is the longest silence inside a visit, in milliseconds.
const Gap = 30 * 60 * 1000

// NoRow stands in Row and Last for "none yet".
const NoRow = block.RowID(1<<32 - 1)

// Flags of a visit.
const (
	// Interactive: it holds an event other than page_view, engagement,
	// impression, request, decision and wall_shown.
	Interactive uint8 = 1 << iota
	// Conversion: it holds a conversion.
	Conversion
	// Engaged10: one of its page views has at least 10 s of attention.
	Engaged10
	// Dead: it was joined to another or moved; skip it.
	Dead
	// Robot: its events are a robot's (column bot_class of its first row).
	Robot
)

// Visit is 24 bytes. Start is in milliseconds of its chunk's UTC day.
type Visit struct {
	Start    uint32
	Duration uint32      // milliseconds to its last event, engagement included
	Prev     uint32      // the subject's visit before, as ID; 0: none
	Row      block.RowID // its earliest row
	Last     block.RowID // its latest page view
	Views    uint16      // page views, at most 65,535
	Flags    uint8
}

// Counted says whether the visit counts: it holds a row and was not joined.
func (v *Visit) Counted() bool { return v.Flags&Dead == 0 && v.Row != NoRow }

// Bounce says whether the visit is one page view, under 10 s engaged, without
// an interactive event.
func (v *Visit) Bounce() bool { return v.Views == 1 && v.Flags&(Interactive|Engaged10) == 0 }

const (
	chunkShift = 10
	chunkSize  = 1 << chunkShift
	maxChunks  = 1<<22 - 1
)

// ID names a visit: chunk << 10 | place, plus 1, so that 0 is none.
type ID = uint32

// Table holds the visits of one site in one shard. It belongs to the writer.
type Table struct {
	chunks []*chunk       // by number; nil where none is
	days   map[int]*chunk // the open chunk of each day
	next   uint32         // number of the next chunk
	live   int            // chunks that are not nil
	gone   []uint32       // chunks dropped since the last checkpoint
	seen   seen
}

type chunk struct {
	number uint32
	day    int
	visits *paged.Array[Visit]
	last   *Chunk // nil once it has changed: an old one would keep the old page alive
	saved  bool   // in the newest checkpoint as it is
}

// Chunk is a reader's view of up to 1,024 visits that start on Day.
type Chunk struct {
	Number uint32
	Day    int
	Visits []Visit
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{days: map[int]*chunk{}}
}

func (t *Table) get(id ID) (*Visit, *chunk) {
	number := (id - 1) >> chunkShift
	if number >= uint32(len(t.chunks)) {
		return nil, nil
	}
	c := t.chunks[number]
	if c == nil {
		return nil, nil
	}
	return c.visits.Ptr(int(id-1) & (chunkSize - 1)), c
}

func (t *Table) mut(id ID) *Visit {
	c := t.chunks[(id-1)>>chunkShift]
	c.last, c.saved = nil, false
	return c.visits.Mut(int(id-1) & (chunkSize - 1))
}

// Bounds returns the times of a visit's first and last event, Unix
// milliseconds; ok is false if it has left the window.
func (t *Table) Bounds(id ID) (start, end int64, ok bool) {
	v, c := t.get(id)
	if v == nil {
		return 0, 0, false
	}
	start = int64(c.day)*block.DayMillis + int64(v.Start)
	return start, start + int64(v.Duration), true
}

func (t *Table) add(start int64, v Visit) ID {
	day := block.DayOf(start)
	v.Start = uint32(start - int64(day)*block.DayMillis)
	c := t.days[day]
	if c == nil || c.visits.Len() == chunkSize {
		// Numbers are taken in turn and may wrap; live ones are far fewer.
		for t.next < uint32(len(t.chunks)) && t.chunks[t.next] != nil {
			t.next = (t.next + 1) % maxChunks
		}
		c = &chunk{number: t.next, day: day, visits: paged.New[Visit](chunkSize * 24)}
		t.put(c)
		t.days[day] = c
		t.next = (t.next + 1) % maxChunks
	}
	c.last, c.saved = nil, false
	return c.number<<chunkShift | uint32(c.visits.Append(v)) + 1
}

func (t *Table) put(c *chunk) {
	for uint32(len(t.chunks)) <= c.number {
		t.chunks = append(t.chunks, nil)
	}
	t.chunks[c.number] = c
	t.live++
}

// Point is one event of a device, as visits see it.
type Point struct {
	Time     int64       // Unix milliseconds
	Row      block.RowID // NoRow: engagement
	PageView bool
	Flags    uint8
}

// RowTime returns the time of a row; the table asks it only for late events.
type RowTime func(block.RowID) int64

// Add puts an event into the visits of a subject whose newest visit is head,
// and returns the newest visit after that, and by how much the event came after
// a newer one (milliseconds, 0 if it did not). It costs one step a visit that
// lies after the event.
func (t *Table) Add(head ID, p *Point, rowTime RowTime) (newest ID, late int64) {
	if head != 0 {
		// Nearly always: the event goes on or follows the newest visit.
		if v, c := t.get(head); v != nil {
			start := int64(c.day)*block.DayMillis + int64(v.Start)
			end := start + int64(v.Duration)
			if p.Time >= end {
				if p.Time <= end+Gap {
					m := t.mut(head)
					m.Duration = uint32(p.Time - start)
					m.take(p)
					t.seen.went(head, p, end)
					return head, 0
				}
				return t.begin(p, head), 0
			}
			late = end - p.Time
		}
	}
	return t.insert(head, p, rowTime), late
}

// begin adds the visit that an event starts.
func (t *Table) begin(p *Point, prev ID) ID {
	v := Visit{Prev: prev, Row: NoRow, Last: NoRow}
	v.take(p)
	id := t.add(p.Time, v)
	t.seen.began(id, p)
	return id
}

// take adds what an event that is not earlier than the others brings.
func (v *Visit) take(p *Point) {
	if p.Row != NoRow {
		if v.Row == NoRow {
			v.Row = p.Row
		}
		if p.PageView {
			v.Last = p.Row
			if v.Views < 1<<16-1 {
				v.Views++
			}
		}
	}
	v.Flags |= p.Flags
}

// insert adds an event anywhere among the subject's visits.
func (t *Table) insert(head ID, p *Point, rowTime RowTime) ID {
	next, cur := ID(0), head
	for cur != 0 {
		start, end, ok := t.Bounds(cur)
		if !ok {
			cur = 0 // left the window, and all before it
			break
		}
		if p.Time > end+Gap {
			break
		}
		if p.Time >= start-Gap {
			return t.grow(head, next, cur, p, rowTime)
		}
		v, _ := t.get(cur)
		next, cur = cur, v.Prev
	}
	id := t.begin(p, cur)
	if next == 0 {
		return id
	}
	t.mut(next).Prev = id
	return head
}

// grow adds an event to the visit cur, which may join the visit next after it
// or the one before it.
func (t *Table) grow(head, next, cur ID, p *Point, rowTime RowTime) ID {
	start, end, _ := t.Bounds(cur)
	seen := t.seen.of(cur, end)
	if p.reads() {
		seen = max(seen, p.Time)
	}
	v := t.mut(cur)
	late := *v
	if p.Row != NoRow {
		if late.Row == NoRow || p.Time < rowTime(late.Row) {
			late.Row = p.Row
		}
		if p.PageView {
			if late.Last == NoRow || p.Time >= rowTime(late.Last) {
				late.Last = p.Row
			}
			if late.Views < 1<<16-1 {
				late.Views++
			}
		}
	}
	late.Flags |= p.Flags
	newStart, newEnd := min(start, p.Time), max(end, p.Time)
	late.Duration = uint32(newEnd - newStart)
	delete(t.seen.at, cur)
	cur, head = t.place(head, next, cur, newStart, late)
	t.seen.set(cur, seen, newEnd)
	if prev := late.Prev; prev != 0 {
		if _, prevEnd, ok := t.Bounds(prev); ok && newStart-prevEnd <= Gap {
			cur, head = t.join(head, next, prev, cur, rowTime)
		}
	}
	if next != 0 {
		if nextStart, _, ok := t.Bounds(next); ok && nextStart-newEnd <= Gap {
			_, head = t.join(head, t.after(head, next), cur, next, rowTime)
		}
	}
	return head
}

// place writes a visit whose start may have moved to another day.
func (t *Table) place(head, next, cur ID, start int64, v Visit) (moved, newHead ID) {
	_, c := t.get(cur)
	if day := block.DayOf(start); day == c.day {
		v.Start = uint32(start - int64(day)*block.DayMillis)
		*t.mut(cur) = v
		return cur, head
	}
	t.mut(cur).Flags |= Dead
	id := t.add(start, v)
	if next == 0 {
		return id, id
	}
	t.mut(next).Prev = id
	return id, head
}

// join adds the visit b to the earlier visit a. next is the visit after b.
func (t *Table) join(head, next, a, b ID, rowTime RowTime) (joined, newHead ID) {
	startA, endA, _ := t.Bounds(a)
	_, endB, _ := t.Bounds(b)
	va, _ := t.get(a)
	vb, _ := t.get(b)
	v := *va
	if v.Row == NoRow || vb.Row != NoRow && rowTime(vb.Row) < rowTime(v.Row) {
		v.Row = vb.Row
	}
	if v.Last == NoRow || vb.Last != NoRow && rowTime(vb.Last) >= rowTime(v.Last) {
		v.Last = vb.Last
	}
	v.Views = uint16(min(int(v.Views)+int(vb.Views), 1<<16-1))
	v.Flags |= vb.Flags
	v.Duration = uint32(max(endA, endB) - startA)
	seen := max(t.seen.of(a, endA), t.seen.of(b, endB))
	delete(t.seen.at, b)
	t.seen.set(a, seen, max(endA, endB))
	t.mut(b).Flags |= Dead
	*t.mut(a) = v
	if next == 0 {
		return a, a
	}
	t.mut(next).Prev = a
	return a, head
}

// after returns the visit that follows id in the subject's list, 0 if it is
// the newest.
func (t *Table) after(head, id ID) ID {
	next := ID(0)
	for cur := head; cur != 0 && cur != id; {
		v, _ := t.get(cur)
		if v == nil {
			return 0
		}
		next, cur = cur, v.Prev
	}
	return next
}

// Touch reads what Add will read of these visits, so that their cache misses
// overlap. The sum only keeps the reads from being dropped.
func (t *Table) Touch(ids []ID) (sum uint64) {
	for _, id := range ids {
		if id != 0 {
			if v, _ := t.get(id); v != nil {
				sum += uint64(v.Start)
			}
		}
	}
	return sum
}

// Mark sets flags of the visit of a subject that holds time.
func (t *Table) Mark(head ID, time int64, flags uint8) {
	for cur := head; cur != 0; {
		start, end, ok := t.Bounds(cur)
		if !ok {
			return
		}
		v, _ := t.get(cur)
		if time >= start && time <= end {
			if v.Flags&flags != flags {
				t.mut(cur).Flags |= flags
			}
			return
		}
		cur = v.Prev
	}
}

// Prev returns the subject's visit before id, 0 if there is none.
func (t *Table) Prev(id ID) ID {
	if v, _ := t.get(id); v != nil {
		return v.Prev
	}
	return 0
}

// DropBefore drops the visits that start before day.
func (t *Table) DropBefore(day int) {
	for number, c := range t.chunks {
		if c != nil && c.day < day {
			t.chunks[number] = nil
			t.live--
			t.gone = append(t.gone, c.number)
			if t.days[c.day] == c {
				delete(t.days, c.day)
			}
		}
	}
}

// Snapshot returns the visits as they are now, one Chunk for up to 1,024.
func (t *Table) Snapshot() []*Chunk {
	out := make([]*Chunk, 0, t.live)
	for _, c := range t.chunks {
		if c == nil {
			continue
		}
		if c.last == nil {
			s := c.visits.Snapshot()
			view := &Chunk{Number: c.number, Day: c.day}
			s.Pages(func(_ int, page []Visit) bool { view.Visits = page; return true })
			c.last = view
		}
		out = append(out, c.last)
	}
	return out
}

// Bytes returns the memory of the table.
func (t *Table) Bytes() int64 {
	var n int64
	for _, c := range t.chunks {
		if c != nil {
			n += c.visits.Bytes() + 160
		}
	}
	return n
}

// Len returns the number of visits kept, uncounted ones included.
func (t *Table) Len() int {
	n := 0
	for _, c := range t.chunks {
		if c != nil {
			n += c.visits.Len()
		}
	}
	return n
}

// Unsaved calls fn with the chunks that changed since it was last called, as
// they are now, for a checkpoint.
func (t *Table) Unsaved(fn func(*Chunk)) {
	for _, c := range t.Snapshot() {
		if w := t.chunks[c.Number]; !w.saved {
			w.saved = true
			fn(c)
		}
	}
}

// MarkUnsaved makes Unsaved call with every chunk.
func (t *Table) MarkUnsaved() {
	for _, c := range t.chunks {
		if c != nil {
			c.saved = false
		}
	}
}

// Next returns the number that the next chunk gets, for a checkpoint.
func (t *Table) Next() uint32 { return t.next }

// RestoreNext sets what Next returned, and which chunk of each day takes
// further visits: the newest.
func (t *Table) RestoreNext(next uint32) {
	t.next = next
}

// Restore puts a chunk of a checkpoint in place.
func (t *Table) Restore(number uint32, day int, visits []Visit) error {
	if number >= maxChunks || len(visits) > chunkSize {
		return fmt.Errorf("visit chunk %d with %d visits is out of range", number, len(visits))
	}
	c := &chunk{number: number, day: day, visits: paged.New[Visit](chunkSize * 24), saved: true}
	c.visits.Load(visits)
	t.put(c)
	if open := t.days[day]; len(visits) < chunkSize && (open == nil || open.visits.Len() > len(visits)) {
		t.days[day] = c
	}
	return nil
}

// TakeGone returns the numbers of chunks dropped since it was last called.
func (t *Table) TakeGone() []uint32 {
	gone := t.gone
	t.gone = nil
	return gone
}

// ErrFormat is what errors of DecodeChunk wrap.
var ErrFormat = errors.New("visit bytes are malformed")

// Append appends the chunk's bytes: number, day, then 24 bytes a visit.
func (c *Chunk) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, c.Number)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.Day))
	for i := range c.Visits {
		v := &c.Visits[i]
		for _, n := range [...]uint32{v.Start, v.Duration, v.Prev, uint32(v.Row), uint32(v.Last), uint32(v.Views) | uint32(v.Flags)<<16} {
			dst = binary.LittleEndian.AppendUint32(dst, n)
		}
	}
	return dst
}

// DecodeChunk reads what Append wrote. Errors wrap ErrFormat.
func DecodeChunk(data []byte) (*Chunk, error) {
	if len(data) < 12 || (len(data)-12)%24 != 0 || (len(data)-12)/24 > chunkSize {
		return nil, fmt.Errorf("%w: chunk of %d bytes", ErrFormat, len(data))
	}
	c := &Chunk{Number: binary.LittleEndian.Uint32(data), Day: int(int64(binary.LittleEndian.Uint64(data[4:])))}
	for b := data[12:]; len(b) > 0; b = b[24:] {
		word := func(i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }
		c.Visits = append(c.Visits, Visit{Start: word(0), Duration: word(1), Prev: word(2), Row: block.RowID(word(3)),
			Last: block.RowID(word(4)), Views: uint16(word(5)), Flags: uint8(word(5) >> 16)})
	}
	return c, nil
}
