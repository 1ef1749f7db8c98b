package block

import (
	"slices"

	"github.com/readership/readership/internal/event"
)

// Erase takes rows out of every count and period; pageView says which types of
// events are page views. What the rows hold goes with Purge. Readers of earlier
// snapshots see no change.
func (b *Builder) Erase(rows []int, pageView func(row int) bool) {
	own := slices.Clone(b.time)
	views, events := *b.views, *b.events
	for _, row := range rows {
		t := own[row]
		if t == Gone {
			continue
		}
		robot := b.CodeOf(row, int(event.ColBotClass)) != 0
		if b.Kind != Decisions {
			events[t/BucketMillis]--
		}
		if robot {
			b.robots--
		} else if pageView(row) {
			views[t/BucketMillis]--
		}
		if i, ok := slices.BinarySearch(b.vrows, uint16(row)); ok {
			b.vrows, b.values = slices.Delete(slices.Clone(b.vrows), i, i+1), slices.Delete(slices.Clone(b.values), i, i+1)
		}
		own[row] = Gone
		b.erased++
	}
	b.time, b.views, b.events, b.max = own, &views, &events, Gone
	b.touch()
}

// Purge drops the values of erased rows and what only they had in the block's
// own dictionaries. It calls lost with each code of another dictionary that an
// erased row had. It says whether there was anything to do.
func (b *Builder) Purge(lost func(column int, code uint32)) bool {
	if b.erased == b.purged {
		return false
	}
	var rows []int
	for i, t := range b.time {
		if t == Gone {
			rows = append(rows, i)
		}
	}
	for c, col := range b.cols {
		if col == nil {
			continue
		}
		if col.local != nil {
			b.cols[c] = col.withoutLocal(rows)
			continue
		}
		for _, row := range rows {
			if code := col.at(row); code != 0 {
				lost(c, code)
			}
		}
		b.cols[c] = col.without(rows)
	}
	b.marks = *b.marks.without(rows)
	b.columns = nil
	if b.Sealed {
		for _, c := range b.cols {
			if c != nil {
				c.seal(len(b.time))
			}
		}
		b.marks.seal(len(b.time))
	}
	b.purged = b.erased
	b.touch()
	return true
}

// Used takes out of codes those that a row of the block has in column c, if the
// column does not have a dictionary of its own here.
func (b *Builder) Used(c int, codes map[uint32]bool) {
	if c >= len(b.cols) || b.cols[c] == nil || b.cols[c].local != nil {
		return
	}
	col := b.cols[c]
	if col.present == nil {
		for i := range col.n {
			delete(codes, col.at(i))
		}
		return
	}
	for code := range codes {
		if code/64 < uint32(len(col.present)) && col.present[code/64]&(1<<(code%64)) != 0 {
			delete(codes, code)
		}
	}
}

// without returns a copy of the column that misses rows.
func (c *codes) without(rows []int) *codes {
	out := &codes{local: c.local}
	next := 0
	for i := range c.n {
		if next < len(rows) && rows[next] == i {
			next++
			continue
		}
		if code := c.at(i); code != 0 {
			out.set(i, code)
		}
	}
	return out
}

// withoutLocal is without for a column with a dictionary of its own: values
// that no other row has leave the dictionary.
func (c *codes) withoutLocal(rows []int) *codes {
	out := c.without(rows)
	used := make([]bool, c.local.Len())
	for i := range out.n {
		used[out.at(i)] = true
	}
	var gone []uint32
	for code := 1; code < len(used); code++ {
		if !used[code] {
			gone = append(gone, uint32(code))
		}
	}
	out.local = c.local.Without(gone)
	return out
}

// Removed is the kind of a value that was taken out of a dictionary: its code
// is not used again.
const Removed = event.Kind(0xff)

// Without returns the dictionary without the values of some codes, which are
// not given to others. Views of the old one stay as they are, and are all that still
// holds the memory of what is gone: the others' texts are copied out of its chunks.
func (d *Dict) Without(codes []uint32) *Dict {
	out := &Dict{texts: make([]string, len(d.texts)), kinds: slices.Clone(d.kinds), bytes: d.bytes}
	for _, code := range codes {
		if out.kinds[code] != Removed {
			out.bytes -= int64(len(d.texts[code]))
			out.kinds[code] = Removed
		}
	}
	for code, text := range d.texts {
		if out.kinds[code] != Removed {
			out.texts[code] = out.keep(text)
		}
	}
	if d.index != nil {
		out.grow()
	}
	return out
}
