// Package burn holds what meters have burned of the readers of one site in one
// shard: 64 bytes a burn, and 8 a reader where there are any. Each reader's are a
// list in order of time, so that what is in a window is found without the rest.
package burn

import (
	"cmp"

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
	next     uint32 // the reader's next older one, or the next free place, plus one
}

const noOwner = 1<<32 - 1

// Compare is the order of a reader's burns: of time, ties in that of the log.
func (b *Burn) Compare(o *Burn) int {
	return cmp.Or(cmp.Compare(b.Time, o.Time), cmp.Compare(b.Position, o.Position), cmp.Compare(b.Row, o.Row))
}

// Most is how many burns a reader keeps: of more, the newest.
const Most = 2048

// list is a reader's burns.
type list struct {
	newest uint32 // its place, plus one; 0: there is none
	n      uint32
}

// Table holds the burns of the subjects of one site in one shard. It belongs to
// the writer. The zero Table is not ready: NewTable.
type Table struct {
	burns *paged.Array[Burn]
	lists *paged.Array[list] // by subject
	free  uint32             // the first free place, plus one
	n     int
	swept int // of burns, the next that Sweep looks at
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{burns: paged.New[Burn](16 << 10), lists: paged.New[list](16 << 10)}
}

// Len returns the number of burns.
func (t *Table) Len() int { return t.n }

// Add adds burns of a subject, in their order, but for those of commits that it has
// already. Those whose time is over at now may go, to keep Most of the rest.
func (t *Table) Add(owner uint32, now int64, burns ...Burn) {
	t.lists.Extend(int(owner) + 1)
	before, place := uint32(0), t.lists.At(int(owner)).newest // where the next one comes: between these two
	for i := len(burns) - 1; i >= 0; i-- {
		b := &burns[i]
		order := -1
		for ; place != 0; before, place = place, t.burns.Ptr(int(place-1)).next {
			if order = t.burns.Ptr(int(place - 1)).Compare(b); order <= 0 {
				break
			}
		}
		if place != 0 && order == 0 {
			continue
		}
		b.owner, b.next = owner, place
		before = t.link(owner, before, t.put(b))
	}
	if t.lists.At(int(owner)).n > Most {
		t.prune(owner, now)
	}
}

// put stores a burn in a place and returns that, plus one.
func (t *Table) put(b *Burn) uint32 {
	t.n++
	place := t.free
	if place == 0 {
		return uint32(t.burns.Append(*b)) + 1
	}
	t.free = t.burns.Ptr(int(place - 1)).next
	*t.burns.Mut(int(place - 1)) = *b
	return place
}

// link makes a place the next older one of another, 0: the newest.
func (t *Table) link(owner, before, place uint32) uint32 {
	l := t.lists.Mut(int(owner))
	l.n++
	if before == 0 {
		l.newest = place
	} else {
		t.burns.Mut(int(before - 1)).next = place
	}
	return place
}

// prune leaves the newest of a subject that has too many.
func (t *Table) prune(owner uint32, now int64) {
	kept := 0
	t.Remove(owner, func(b *Burn) bool {
		if b.Until <= now || kept == Most {
			return true
		}
		kept++
		return false
	})
}

// Of calls fn with the burns of a subject, the newest first by Compare, until fn
// returns false. They must not be changed.
func (t *Table) Of(owner uint32, fn func(b *Burn) bool) {
	if int(owner) >= t.lists.Len() {
		return
	}
	for place := t.lists.At(int(owner)).newest; place != 0; {
		b := t.burns.Ptr(int(place - 1))
		if !fn(b) {
			return
		}
		place = b.next
	}
}

// Owners calls fn with the subjects from a number on that have burns, in order,
// until fn returns false or most subjects were looked at. It returns where to go
// on, -1 at the end.
func (t *Table) Owners(from, most int, fn func(owner uint32) bool) (next int) {
	end := min(t.lists.Len(), from+most)
	for ; from < end; from++ {
		if t.lists.At(from).n != 0 && !fn(uint32(from)) {
			from++
			break
		}
	}
	if from >= t.lists.Len() {
		return -1
	}
	return from
}

// Remove takes out the burns of a subject for which drop is true, asked from the
// newest on.
func (t *Table) Remove(owner uint32, drop func(*Burn) bool) {
	if int(owner) >= t.lists.Len() {
		return
	}
	before := uint32(0) // the burn that comes before place, plus one; 0: none does
	for place := t.lists.At(int(owner)).newest; place != 0; {
		b := t.burns.Ptr(int(place - 1))
		next := b.next
		if !drop(b) {
			before, place = place, next
			continue
		}
		l := t.lists.Mut(int(owner))
		l.n--
		if before == 0 {
			l.newest = next
		} else {
			t.burns.Mut(int(before - 1)).next = next
		}
		t.release(place)
		place = next
	}
}

func (t *Table) release(place uint32) {
	*t.burns.Mut(int(place - 1)) = Burn{owner: noOwner, next: t.free}
	t.free = place
	t.n--
}

// Sweep looks at up to n further places for burns whose time is over and takes
// them out; keep is called with the others. It says whether it has come to the end.
func (t *Table) Sweep(n int, now int64, keep func(*Burn)) (done bool) {
	for ; n > 0; n-- {
		if t.swept >= t.burns.Len() {
			t.swept = 0
			return true
		}
		switch b := t.burns.Ptr(t.swept); {
		case b.owner == noOwner:
		case b.Until <= now:
			t.Remove(b.owner, func(b *Burn) bool { return b.Until <= now })
		default:
			keep(b)
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
func (t *Table) Bytes() int64 { return t.burns.Bytes() + t.lists.Bytes() }

// View is a Table as it was at one instant.
type View struct {
	burns paged.Snapshot[Burn]
	lists paged.Snapshot[list]
}

// View returns the table as it is now.
func (t *Table) View() *View { return &View{t.burns.Snapshot(), t.lists.Snapshot()} }

// Of is Table.Of.
func (v *View) Of(owner uint32, fn func(b *Burn)) {
	if v == nil || int(owner) >= v.lists.Len() {
		return
	}
	for place := v.lists.At(int(owner)).newest; place != 0; {
		b := v.burns.At(int(place - 1))
		fn(&b)
		place = b.next
	}
}
