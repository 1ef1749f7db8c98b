package visit

import (
	"cmp"
	"slices"

	"github.com/readership/readership/internal/engine/block"
)

// Repair makes the sums of a subject's visits anew from the rows it has left,
// after others were erased. The visits keep their bounds, since what lengthened
// them is not known by row; one without rows is no longer counted. points come
// in no order: of one instant the row that was stored first comes first. Flags of a
// page view with 10 s of attention holds Engaged10.
func (t *Table) Repair(head ID, points []Point) {
	for id := head; id != 0; {
		start, end, ok := t.Bounds(id)
		if !ok {
			return // left the window, and all before it
		}
		v := t.mut(id)
		flags := v.Flags & Dead
		v.Row, v.Last, v.Views = NoRow, NoRow, 0
		var first, last int64
		for i := range points {
			p := &points[i]
			if p.Time < start || p.Time > end {
				continue
			}
			flags |= p.Flags
			if v.Row == NoRow || p.Time < first || p.Time == first && p.Row < v.Row {
				v.Row, first = p.Row, p.Time
			}
			if p.PageView {
				if v.Last == NoRow || p.Time > last || p.Time == last && p.Row > v.Last {
					v.Last, last = p.Row, p.Time
				}
				if v.Views < 1<<16-1 {
					v.Views++
				}
			}
		}
		v.Flags = flags
		id = v.Prev
	}
}

// At returns a visit and its start, Unix milliseconds; ok is false if it has
// left the window.
func (t *Table) At(id ID) (v Visit, start int64, ok bool) {
	p, c := t.get(id)
	if p == nil {
		return Visit{}, 0, false
	}
	return *p, int64(c.day)*block.DayMillis + int64(p.Start), true
}

// Find is Table.At among the chunks of a snapshot.
func Find(chunks []*Chunk, id ID) (v Visit, start int64, ok bool) {
	number, place := (id-1)>>chunkShift, int(id-1)&(chunkSize-1)
	i, found := slices.BinarySearchFunc(chunks, number, func(c *Chunk, number uint32) int { return cmp.Compare(c.Number, number) })
	if !found || place >= len(chunks[i].Visits) {
		return Visit{}, 0, false
	}
	v = chunks[i].Visits[place]
	return v, int64(chunks[i].Day)*block.DayMillis + int64(v.Start), true
}
