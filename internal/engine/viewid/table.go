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
	maxAge    = 200 // hours that fit the stored byte with room to sweep
)

// Table maps 64-bit hashes to rows. It is 512 open-addressing tables of 13
// bytes a slot, so that growing and sweeping one takes microseconds. It belongs
// to the shard's writer.
type Table struct {
	tables [tables]table
	hour   int64 // log time of the newest Advance
	sweep  int   // next table to look at
	swept  int64 // hour in which the round of sweeps began
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

type table struct {
	keys  []uint64 // 0 is empty
	rows  []block.RowID
	hours []uint8
	n     int
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
	if hour-t.hour > maxAge-Hours && t.hour != 0 {
		for i := range t.tables {
			t.tables[i] = table{}
		}
		t.n = 0
	}
	if t.sweep < tables && t.swept+maxAge-Hours-24 <= hour {
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

func (t *Table) sweepOne() {
	s := &t.tables[t.sweep]
	t.sweep++
	old := 0
	for i, k := range s.keys {
		if k != 0 && t.expired(s.hours[i]) {
			old++
		}
	}
	if old > 0 {
		t.n -= old
		s.rebuild(t, s.n-old)
	}
}

func (t *Table) expired(hour uint8) bool { return uint8(t.hour)-hour > Hours }

// Find returns the row of a hash.
func (t *Table) Find(hash uint64) (block.RowID, bool) {
	s := &t.tables[hash>>(64-tableBits)]
	if s.n == 0 {
		return 0, false
	}
	for i := s.start(hash); s.keys[i] != 0; {
		if s.keys[i] == hash {
			return s.rows[i], !t.expired(s.hours[i])
		}
		if i++; i == len(s.keys) {
			i = 0
		}
	}
	return 0, false
}

// Add sets the row of a hash (not 0) unless it is known.
func (t *Table) Add(hash uint64, row block.RowID) {
	if t.Journal {
		t.added = append(t.added, Entry{hash, row, uint32(t.hour)})
	}
	s := &t.tables[hash>>(64-tableBits)]
	if (s.n+1)*6 > len(s.keys)*5 {
		live := 0
		for i, k := range s.keys {
			if k != 0 && !t.expired(s.hours[i]) {
				live++
			}
		}
		t.n -= s.n - live
		s.rebuild(t, max(4, live*5/4+live/6))
	}
	i := s.start(hash)
	for s.keys[i] != 0 {
		if s.keys[i] == hash {
			if t.expired(s.hours[i]) {
				s.rows[i], s.hours[i] = row, uint8(t.hour)
			}
			return
		}
		if i++; i == len(s.keys) {
			i = 0
		}
	}
	s.keys[i], s.rows[i], s.hours[i] = hash, row, uint8(t.hour)
	s.n++
	t.n++
}

// rebuild makes room for n entries and keeps those that are still known.
func (s *table) rebuild(t *Table, n int) {
	old := *s
	size := n*6/5 + 4
	*s = table{keys: make([]uint64, size), rows: make([]block.RowID, size), hours: make([]uint8, size)}
	for i, k := range old.keys {
		if k == 0 || t.expired(old.hours[i]) {
			continue
		}
		j := s.start(k)
		for s.keys[j] != 0 {
			if j++; j == size {
				j = 0
			}
		}
		s.keys[j], s.rows[j], s.hours[j] = k, old.rows[i], old.hours[i]
		s.n++
	}
}

func (s *table) start(hash uint64) int {
	return int(uint64(uint32(hash)) * uint64(len(s.keys)) >> 32)
}

// Len returns the number of ids known.
func (t *Table) Len() int { return t.n }

// Bytes returns the memory of the table.
func (t *Table) Bytes() int64 {
	n := int64(tables*80) + 16*int64(cap(t.added))
	for i := range t.tables {
		n += 13 * int64(len(t.tables[i].keys))
	}
	return n
}

// MarkUnsaved makes TakeAdded return every id that is known, oldest first.
func (t *Table) MarkUnsaved() {
	t.added = t.added[:0]
	for i := range t.tables {
		s := &t.tables[i]
		for j, k := range s.keys {
			if k != 0 && !t.expired(s.hours[j]) {
				t.added = append(t.added, Entry{k, s.rows[j], uint32(t.hour - int64(uint8(t.hour)-s.hours[j]))})
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
		t.Add(e.Hash, e.Row)
	}
	t.Journal = journal
}

// Touch reads what Find and Add will read for these hashes, so that their
// cache misses overlap. The sum only keeps the reads from being dropped.
func (t *Table) Touch(hashes []uint64) (sum uint64) {
	for _, h := range hashes {
		if s := &t.tables[h>>(64-tableBits)]; s.n > 0 && h != 0 {
			i := s.start(h)
			sum += s.keys[i] + uint64(s.rows[i]) + uint64(s.hours[i])
		}
	}
	return sum
}
