// Package subject holds what a shard keeps of each reader of a site: the name,
// when it was first seen, its newest visit and the chain of its rows.
//
// A subject has an ordinal, given in order of appearance and never reused, so
// that sets of readers are bitmaps. Names lie in an arena; the index is split
// into many small tables, so that growing one never holds the writer up.
package subject

import (
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/paged"
)

// Subject is 24 bytes; its ordinal is its place in the table.
type Subject struct {
	firstSeen uint64 // Unix milliseconds << 8 | rows in the chain's last chunk
	name      uint32 // place in the arena
	chain     uint32 // the chain's last chunk; 0: no rows
	Visit     uint32 // newest visit (visit.ID); 0: none
	Late      uint32 // longest that a row came after a newer one, milliseconds
}

// Unseen is the first_seen of a subject that is known without a row: later than
// any time.
const Unseen = 1 << 55

// FirstSeen returns the time of the subject's first row, Unix milliseconds;
// Unseen if there was none.
func (s *Subject) FirstSeen() int64 { return int64(s.firstSeen >> 8) }

// Table holds the subjects of one site in one shard. It belongs to the writer.
type Table struct {
	subjects *paged.Array[Subject]
	names    arena
	index    index
	chains   chains
	// OnTrim, if set, is called before rows of a subject are dropped.
	OnTrim  func(ordinal uint32, gone func(block.RowID) bool)
	compact bool          // chains were made anew since the last checkpoint
	keep    []block.RowID // scratch of Trim
}

// NewTable returns an empty table. The seed is the process's own, so that no
// sender can choose names that meet in the index; it has no other effect.
func NewTable(seed uint64) *Table {
	return &Table{index: index{seed: seed}, subjects: paged.New[Subject](12 << 10), names: newArena(), chains: newChains()}
}

// Len returns the number of subjects ever seen.
func (t *Table) Len() int { return t.subjects.Len() }

// Find returns the ordinal of a subject; hash is that of name.
func (t *Table) Find(name string, hash uint64) (ordinal uint32, ok bool) {
	return t.index.find(hash, func(o uint32) bool {
		return t.names.equal(t.subjects.Ptr(int(o)).name, name)
	})
}

// Get returns the ordinal of a subject and adds it if it is new, first seen at
// time (Unix milliseconds).
func (t *Table) Get(name string, hash uint64, time int64) (ordinal uint32, added bool) {
	hash = t.index.mix(hash)
	slot := t.index.table(hash)
	tag := uint32(hash)
	for i := slot.start(tag); ; {
		s := slot.slots[i]
		if s == 0 {
			break
		}
		if uint32(s>>32) == tag && t.names.equal(t.subjects.Ptr(int(uint32(s)-1)).name, name) {
			return uint32(s) - 1, false
		}
		if i++; i == len(slot.slots) {
			i = 0
		}
	}
	o := uint32(t.subjects.Append(Subject{firstSeen: uint64(max(time, 0)) << 8, name: t.names.add(name)}))
	t.index.add(hash, o)
	return o, true
}

// Ptr returns a subject for reading; the pointer is valid until the next
// change of the table.
func (t *Table) Ptr(ordinal uint32) *Subject { return t.subjects.Ptr(int(ordinal)) }

// Mut returns a subject for changing.
func (t *Table) Mut(ordinal uint32) *Subject { return t.subjects.Mut(int(ordinal)) }

// Name returns a subject's name.
func (t *Table) Name(ordinal uint32) string {
	return t.names.text(t.subjects.Ptr(int(ordinal)).name)
}

// Seen lowers a subject's first_seen to time.
func (s *Subject) Seen(time int64) {
	if time < s.FirstSeen() {
		s.firstSeen = uint64(max(time, 0))<<8 | s.firstSeen&0xff
	}
}

// AddRow appends a row to a subject's chain.
func (t *Table) AddRow(s *Subject, row block.RowID) {
	count := uint8(s.firstSeen)
	s.chain, count = t.chains.add(s.chain, count, row)
	s.firstSeen = s.firstSeen&^0xff | uint64(count)
}

// Rows calls fn with the rows of a subject, newest arrival first, until fn
// returns false.
func (t *Table) Rows(ordinal uint32, fn func(block.RowID) bool) {
	s := t.subjects.Ptr(int(ordinal))
	t.chains.walk(s.chain, uint8(s.firstSeen), fn)
}

// Chunks calls fn with the rows of a subject, some at a time, those that came
// last first, until it returns false. Within rows, the values of block.RowIDs
// that must not be changed, the first came first.
func (t *Table) Chunks(ordinal uint32, fn func(rows []uint32) bool) {
	s := t.subjects.Ptr(int(ordinal))
	t.chains.chunks(s.chain, uint8(s.firstSeen), fn)
}

// Trim drops the rows of a subject for which gone is true and returns how many
// stay.
func (t *Table) Trim(ordinal uint32, gone func(block.RowID) bool) int {
	keep := t.keep[:0]
	dropped := false
	t.Rows(ordinal, func(r block.RowID) bool {
		if gone(r) {
			dropped = true
		} else {
			keep = append(keep, r)
		}
		return true
	})
	t.keep = keep
	if !dropped {
		return len(keep)
	}
	if t.OnTrim != nil {
		t.OnTrim(ordinal, gone)
	}
	s := t.Mut(ordinal)
	t.chains.free(s.chain)
	s.chain = 0
	s.firstSeen &^= 0xff
	for i := len(keep) - 1; i >= 0; i-- {
		t.AddRow(s, keep[i])
	}
	return len(keep)
}

// Newest returns the row of a subject that came last.
func (t *Table) Newest(ordinal uint32) (row block.RowID, ok bool) {
	t.Rows(ordinal, func(r block.RowID) bool { row, ok = r, true; return false })
	return row, ok
}

// Erase forgets a subject: its name and rows. Its ordinal is not used again.
func (t *Table) Erase(ordinal uint32) {
	s := t.Mut(ordinal)
	t.chains.free(s.chain)
	t.names.erase(s.name)
	*s = Subject{name: noName}
}

// Compact makes the chains anew if more than half of their memory is free. It
// takes as long as there are subjects: milliseconds for a million.
func (t *Table) Compact() {
	if t.chains.spare() <= t.chains.bytes()/2 {
		return
	}
	old := t.chains
	t.chains, t.compact = newChains(), true
	var rows []block.RowID
	for o := range t.subjects.Len() {
		s := t.subjects.Ptr(o)
		if s.chain == 0 {
			continue
		}
		rows = rows[:0]
		old.walk(s.chain, uint8(s.firstSeen), func(r block.RowID) bool { rows = append(rows, r); return true })
		s = t.Mut(uint32(o))
		s.chain = 0
		s.firstSeen &^= 0xff
		for i := len(rows) - 1; i >= 0; i-- {
			t.AddRow(s, rows[i])
		}
	}
}

// Bytes is what the table takes, by part.
type Bytes struct{ Subjects, Names, Index, Chains int64 }

// Bytes returns the memory of the table.
func (t *Table) Bytes() Bytes {
	return Bytes{Subjects: t.subjects.Bytes(), Names: t.names.bytes(), Index: t.index.bytes(), Chains: t.chains.bytes()}
}

// Snapshot is a Table as it was at one instant, without index and chains.
type Snapshot struct {
	Subjects paged.Snapshot[Subject]
	names    arena
}

// Snapshot returns the subjects as they are now.
func (t *Table) Snapshot() Snapshot {
	return Snapshot{Subjects: t.subjects.Snapshot(), names: t.names.view()}
}

// Len returns the number of subjects.
func (s Snapshot) Len() int { return s.Subjects.Len() }

// Name returns a subject's name.
func (s Snapshot) Name(ordinal uint32) string {
	v := s.Subjects.At(int(ordinal))
	return s.names.text(v.name)
}
