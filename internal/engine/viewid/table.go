// Package viewid finds the row of a page view by the hash of its view id, for as long as engagement may refer to it: 48 hours of log time.
package viewid

import (
	"cmp"
	"slices"

	"github.com/readership/readership/internal/engine/block"
)

// Hours is how long an id is known, in hours of log time.
const Hours = 48

const (
	tableBits = 9
	tables    = 1 << tableBits
)

// Load of a table right after a rebuild and when it is rebuilt. Tables begin
// with different sizes, so that they are never full at the same time and an id
// takes about 15.6 bytes at all times.
const (
	freshLoad = 0.70
	maxLoad   = 0.85
	minSlots  = 32
	spread    = minSlots*maxLoad/freshLoad - minSlots
)

// Table maps 64-bit hashes to rows. It is 512 open-addressing tables of 12
// bytes a slot, so that growing and sweeping one takes microseconds. It belongs
// to the shard's writer.
type Table struct {
	tables [tables]table
	held   [1 << 16 / 64]uint64 // blocks whose rows are in memory
	hour   int64                // log time of the newest Advance
	sweep  int                  // next table to look at
	swept  int64                // hour in which the round of sweeps began
	n      int

	// Journal, if true, keeps what is added until TakeAdded, for a checkpoint.
	Journal bool
	added   []Entry
}

// Entry is an id as a checkpoint keeps it.
type Entry struct {
	Hash uint64
	Row  block.RowID
	Hour uint32 // of log time, hours since 1970
}

// TakeAdded returns what was added since it was last called.
func (t *Table) TakeAdded() []Entry {
	added := t.added
	t.added = nil
	return added
}

// table keeps of a hash what its place among the tables does not say, with a
// mark, so that no key is 0, and the hour: mark, 55 bits, 8 bits.
type table struct {
	keys []uint64 // 0 is empty
	rows []block.RowID
	n    int
}

const (
	keyBits = 64 - tableBits
	mark    = 1 << keyBits
)

func keyOf(hash uint64) uint64 { return hash&(mark-1) | mark }

// Hold makes ids of a block's rows known, Release unknown.
func (t *Table) Hold(id uint16) { t.held[id/64] |= 1 << (id % 64) }

// Release gives back the memory of the ids of a block's rows, a table with
// each Advance.
func (t *Table) Release(id uint16) {
	t.held[id/64] &^= 1 << (id % 64)
	if t.sweep >= tables {
		t.sweep, t.swept = 0, t.hour
	}
}

// Sweep looks at the next n tables for what has left, as Advance does at one.
func (t *Table) Sweep(n int) {
	for ; n > 0 && t.sweep < tables; n-- {
		t.sweepOne()
	}
}

// Advance sets log time, in hours since 1970. Entries of more than Hours ago
// are unknown from then on. It costs the sweep of one small table.
func (t *Table) Advance(hour int64) {
	if hour <= t.hour {
		if t.sweep < tables {
			t.sweepOne()
		}
		return
	}
	if hour-t.hour > Hours {
		for i := range t.tables {
			t.tables[i] = table{}
		}
		t.n = 0
	}
	if t.sweep < tables && t.swept+Hours <= hour {
		// The round was never finished, for want of messages.
		for t.sweep < tables {
			t.sweepOne()
		}
	}
	t.hour = hour
	if t.sweep >= tables {
		t.sweep, t.swept = 0, hour
	}
}

// sweepOne rebuilds a table if that gives back an eighth of it or must happen
// before hour bytes come round.
func (t *Table) sweepOne() {
	s := &t.tables[t.sweep]
	old, ancient := 0, false
	for i, k := range s.keys {
		if k != 0 && t.gone(k, s.rows[i]) {
			old++
			ancient = ancient || uint8(t.hour)-uint8(k) > 2*Hours
		}
	}
	if ancient || old*8 > s.n {
		t.rebuild(t.sweep, s.n-old)
	}
	t.sweep++
}

// gone says whether an entry is out of date or its row has left.
func (t *Table) gone(key uint64, row block.RowID) bool {
	b := row.Block()
	return uint8(t.hour)-uint8(key) > Hours || t.held[b/64]&(1<<(b%64)) == 0
}

// find returns the slot of a hash, or the empty slot where it would go.
func (s *table) find(hash uint64) (slot int, ok bool) {
	key := keyOf(hash)
	for i := s.start(hash); ; {
		switch k := s.keys[i]; {
		case k>>8 == key:
			return i, true
		case k == 0:
			return i, false
		}
		if i++; i == len(s.keys) {
			i = 0
		}
	}
}

// Find returns the row of a hash.
func (t *Table) Find(hash uint64) (block.RowID, bool) {
	s := &t.tables[hash>>keyBits]
	if s.n == 0 {
		return 0, false
	}
	i, ok := s.find(hash)
	if !ok || t.gone(s.keys[i], s.rows[i]) {
		return 0, false
	}
	return s.rows[i], true
}

// Hour returns log time as of the newest Advance, in hours since 1970.
func (t *Table) Hour() int64 { return t.hour }

// Add sets the row of a hash (not 0) unless it is known.
func (t *Table) Add(hash uint64, row block.RowID) { t.put(hash, row, false) }

// Replace sets the row of a hash (not 0), known or not.
func (t *Table) Replace(hash uint64, row block.RowID) { t.put(hash, row, true) }

func (t *Table) put(hash uint64, row block.RowID, replace bool) {
	number := hash >> keyBits
	s := &t.tables[number]
	if float64(s.n+1) > maxLoad*float64(len(s.keys)) {
		live := 0
		for i, k := range s.keys {
			if k != 0 && !t.gone(k, s.rows[i]) {
				live++
			}
		}
		t.rebuild(int(number), live)
	}
	i, ok := s.find(hash)
	if ok && !replace && !t.gone(s.keys[i], s.rows[i]) {
		return
	}
	if !ok {
		s.n++
		t.n++
	}
	if t.Journal {
		t.added = append(t.added, Entry{hash, row, uint32(t.hour)})
	}
	s.keys[i], s.rows[i] = keyOf(hash)<<8|uint64(uint8(t.hour)), row
}

// rebuild makes room for more than the live entries and keeps those.
func (t *Table) rebuild(number, live int) {
	s := &t.tables[number]
	old := *s
	least := minSlots + int(spread*float64(number)/tables)
	size := max(least, int(float64(live)/freshLoad)+1)
	*s = table{keys: make([]uint64, size), rows: make([]block.RowID, size), n: live}
	for i, k := range old.keys {
		if k == 0 || t.gone(k, old.rows[i]) {
			continue
		}
		j, _ := s.find(k >> 8)
		s.keys[j], s.rows[j] = k, old.rows[i]
	}
	t.n += live - old.n
}

func (s *table) start(hash uint64) int {
	return int(uint64(uint32(hash)) * uint64(len(s.keys)) >> 32)
}

// Len returns the number of ids known.
func (t *Table) Len() int { return t.n }

// Bytes returns the memory of the table.
func (t *Table) Bytes() int64 {
	n := int64(tables*56) + int64(len(t.held)*8) + 16*int64(cap(t.added))
	for i := range t.tables {
		n += 12 * int64(len(t.tables[i].keys))
	}
	return n
}

// MarkUnsaved makes TakeAdded return every id that is known, oldest first.
func (t *Table) MarkUnsaved() {
	t.added = t.added[:0]
	for i := range t.tables {
		s := &t.tables[i]
		for j, k := range s.keys {
			if k != 0 && !t.gone(k, s.rows[j]) {
				hash := uint64(i)<<keyBits | k>>8&(mark-1)
				t.added = append(t.added, Entry{hash, s.rows[j], uint32(t.hour - int64(uint8(t.hour)-uint8(k)))})
			}
		}
	}
	slices.SortFunc(t.added, func(a, b Entry) int { return cmp.Compare(a.Hour, b.Hour) })
}

// Restore puts entries of a checkpoint back, oldest first.
func (t *Table) Restore(entries []Entry) {
	journal := t.Journal
	t.Journal = false
	for _, e := range entries {
		t.Advance(int64(e.Hour))
		t.Replace(e.Hash, e.Row)
	}
	t.Journal = journal
}

// Touch reads what Find and Add will read for these hashes, so that their
// cache misses overlap. The sum only keeps the reads from being dropped.
func (t *Table) Touch(hashes []uint64) (sum uint64) {
	for _, h := range hashes {
		if s := &t.tables[h>>keyBits]; s.n > 0 && h != 0 {
			i := s.start(h)
			sum += s.keys[i] + uint64(s.rows[i])
		}
	}
	return sum
}
