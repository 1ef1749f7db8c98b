// Package burn holds what meters have burned of the readers of one site in one
// shard: 64 bytes a burn, and 4 a reader where there are any.
package burn

import (
	"github.com/readership/readership/internal/engine/paged"
	"github.com/readership/readership/internal/event"
)

// Burn is one item that a commit has burned of a meter. Position and Row, where
// the commit stands in the log, name it among those of its reader.
type Burn struct {
	Position event.Position
	Time     int64 // as are the next, Unix milliseconds
	Until    int64 // it is kept as long, by the site's clock
	Start    int64
	Joined   int64  // when a login brought it
	Item     uint32 // codes of the owner's dictionaries
	Meter    uint32
	Row      uint32
	Device   uint32 // number of the account's pair with the device that brought it, plus one; 0: none did
	owner    uint32 // noOwner: the place is free
	next     uint32 // what the reader burned before it, or the next free place, plus one
}

const noOwner = 1<<32 - 1

// Table holds the burns of the subjects of one site in one shard. It belongs to
// the writer. The zero Table is not ready: NewTable.
type Table struct {
	burns *paged.Array[Burn]
	heads *paged.Array[uint32] // by subject: its newest burn, plus one; 0: it has none
	free  uint32               // the first free place, plus one
	n     int
	swept int // of burns, the next that Sweep looks at
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{burns: paged.New[Burn](16 << 10), heads: paged.New[uint32](16 << 10)}
}

// Len returns the number of burns.
func (t *Table) Len() int { return t.n }

// Add adds a burn of a subject.
func (t *Table) Add(owner uint32, b Burn) {
	t.heads.Extend(int(owner) + 1)
	b.owner, b.next = owner, t.heads.At(int(owner))
	place := t.free
	if place == 0 {
		place = uint32(t.burns.Append(b)) + 1
	} else {
		t.free = t.burns.Ptr(int(place - 1)).next
		*t.burns.Mut(int(place - 1)) = b
	}
	*t.heads.Mut(int(owner)) = place
	t.n++
}

// Of calls fn with the burns of a subject, the newest first, until fn returns
// false. They must not be changed.
func (t *Table) Of(owner uint32, fn func(b *Burn) bool) {
	if int(owner) >= t.heads.Len() {
		return
	}
	for place := t.heads.At(int(owner)); place != 0; {
		b := t.burns.Ptr(int(place - 1))
		if !fn(b) {
			return
		}
		place = b.next
	}
}

// Has says whether a subject has the burn of a commit.
func (t *Table) Has(owner uint32, position event.Position, row uint32) (has bool) {
	t.Of(owner, func(b *Burn) bool {
		has = b.Position == position && b.Row == row
		return !has
	})
	return has
}

// Owners calls fn with the subjects from a number on that have burns, in order,
// until fn returns false or most subjects were looked at. It returns where to go
// on, -1 at the end.
func (t *Table) Owners(from, most int, fn func(owner uint32) bool) (next int) {
	end := min(t.heads.Len(), from+most)
	for ; from < end; from++ {
		if t.heads.At(from) != 0 && !fn(uint32(from)) {
			from++
			break
		}
	}
	if from >= t.heads.Len() {
		return -1
	}
	return from
}

// Remove takes out the burns of a subject for which drop is true.
func (t *Table) Remove(owner uint32, drop func(*Burn) bool) {
	if int(owner) >= t.heads.Len() {
		return
	}
	before := uint32(0) // the burn that comes before place, plus one; 0: the head
	for place := t.heads.At(int(owner)); place != 0; {
		b := t.burns.Ptr(int(place - 1))
		next := b.next
		switch {
		case !drop(b):
			before = place
		case before == 0:
			*t.heads.Mut(int(owner)) = next
			t.release(place)
		default:
			t.burns.Mut(int(before - 1)).next = next
			t.release(place)
		}
		place = next
	}
}

func (t *Table) release(place uint32) {
	*t.burns.Mut(int(place - 1)) = Burn{owner: noOwner, next: t.free}
	t.free = place
	t.n--
}

// Sweep looks at up to n further places for burns whose time is over and takes
// them out; it says whether it has come to the end.
func (t *Table) Sweep(n int, now int64) (done bool) {
	for ; n > 0; n-- {
		if t.swept >= t.burns.Len() {
			t.swept = 0
			return true
		}
		if b := t.burns.Ptr(t.swept); b.owner != noOwner && b.Until <= now {
			t.Remove(b.owner, func(b *Burn) bool { return b.Until <= now })
		}
		t.swept++
	}
	return false
}

// Each calls fn with every burn.
func (t *Table) Each(fn func(b *Burn)) {
	for i := range t.burns.Len() {
		if b := t.burns.Ptr(i); b.owner != noOwner {
			fn(b)
		}
	}
}

// Bytes returns the memory of the table.
func (t *Table) Bytes() int64 { return t.burns.Bytes() + t.heads.Bytes() }

// View is a Table as it was at one instant.
type View struct {
	burns paged.Snapshot[Burn]
	heads paged.Snapshot[uint32]
}

// View returns the table as it is now.
func (t *Table) View() *View { return &View{t.burns.Snapshot(), t.heads.Snapshot()} }

// Of calls fn with the burns of a subject, the newest first.
func (v *View) Of(owner uint32, fn func(b *Burn)) {
	if v == nil || int(owner) >= v.heads.Len() {
		return
	}
	for place := v.heads.At(int(owner)); place != 0; {
		b := v.burns.At(int(place - 1))
		fn(&b)
		place = b.next
	}
}

// Owners calls fn with every subject that has burns, in order, until fn returns
// false.
func (v *View) Owners(fn func(owner uint32) bool) {
	if v == nil {
		return
	}
	v.heads.Pages(func(first int, page []uint32) bool {
		for i, head := range page {
			if head != 0 && !fn(uint32(first+i)) {
				return false
			}
		}
		return true
	})
}
