package eventlog

import (
	"math/bits"
	"unsafe"
)

// keepHours is how many full hours of log time an id is known: one stored in
// hour h is known up to the end of hour h + keepHours.
const keepHours = 48

// Shape of the id set. A segment is rebuilt by itself when it is full, so that
// no rebuild takes longer than a millisecond or two. Segments begin with
// different sizes, so that they are never full at the same time, and the set
// takes 12.4 bytes an id at all times.
const (
	idSegmentBits = 10
	idSegments    = 1 << idSegmentBits
	minSlots      = 512                                   // one page
	spread        = minSlots*maxLoad/freshLoad - minSlots // slots between the smallest and the largest beginning
	maxLoad       = 0.82
	freshLoad     = 0.5 // after a rebuild: an id is moved 1.6 times on average
)

// sweepAge is after how many hours a segment's expired entries must be gone:
// their hour bytes would come round again.
const sweepAge = 150

// idSet holds 64-bit hashes for keepHours of log time: open addressing with
// linear probing. A slot holds what a hash's segment does not say of it and the
// hour it was added: a mark, so that no slot in use is 0, 54 bits, 8 bits.
// Owned by one goroutine at a time.
type idSet struct {
	segments [idSegments]idSegment
	hour     int64 // log hour now: stamp / 3,600,000
	count    int   // entries, expired ones included
	swept    int64 // hour in which the last complete sweep began
	started  int64 // hour in which the sweep under way began
	next     int   // segment to be swept next; idSegments: none
}

type idSegment struct {
	slots  []uint64
	used   int
	mem    []byte
	mapped bool
}

const (
	keyBits = 64 - idSegmentBits
	keyMark = 1 << keyBits
)

// keyOf returns what a slot holds of a hash, and slotOf the whole slot.
func keyOf(hash uint64) uint64              { return hash&(keyMark-1) | keyMark }
func slotOf(hash uint64, hour int64) uint64 { return keyOf(hash)<<8 | uint64(uint8(hour)) }

// home returns the slot where a hash, or a slot's key, would like to be in n
// slots.
func home(hash uint64, n int) int {
	hi, _ := bits.Mul64(hash<<idSegmentBits, uint64(n))
	return int(hi)
}

func (s *idSet) segment(hash uint64) *idSegment { return &s.segments[hash>>(64-idSegmentBits)] }

// expired says whether a slot in use is out of date.
func (s *idSet) expired(slot uint64) bool { return uint8(s.hour)-uint8(slot) > keepHours }

// find returns the slot of hash, or the empty slot where it would go.
func (g *idSegment) find(hash uint64) (slot int, ok bool) {
	n := len(g.slots)
	if n == 0 {
		return 0, false
	}
	key := keyOf(hash)
	for i := home(hash, n); ; {
		switch s := g.slots[i]; {
		case s>>8 == key:
			return i, true
		case s == 0:
			return i, false
		}
		if i++; i == n {
			i = 0
		}
	}
}

// has says whether hash is known.
func (s *idSet) has(hash uint64) bool {
	g := s.segment(hash)
	i, ok := g.find(hash)
	return ok && !s.expired(g.slots[i])
}

// warmRows is how many hashes are worth warming at a time.
const warmRows = 64

// warm reads what has and add will read of every step-th of these hashes, so
// that their cache misses overlap. The sum only keeps the reads from being
// dropped.
func (s *idSet) warm(hashes []uint64, step int) (sum uint64) {
	for i := 0; i < len(hashes); i += step {
		if g := s.segment(hashes[i]); g.used > 0 {
			sum += g.slots[home(hashes[i], len(g.slots))]
		}
	}
	return sum
}

// add makes hash known as of the current hour; false if it was known.
func (s *idSet) add(hash uint64) bool {
	g := s.segment(hash)
	i, ok := g.find(hash)
	if ok {
		if !s.expired(g.slots[i]) {
			return false
		}
		g.slots[i] = slotOf(hash, s.hour)
		return true
	}
	if float64(g.used+1) > maxLoad*float64(len(g.slots)) {
		s.rebuild(int(hash >> (64 - idSegmentBits)))
		i, _ = g.find(hash)
	}
	g.slots[i] = slotOf(hash, s.hour)
	g.used++
	s.count++
	return true
}

// touch moves a known hash to the current hour.
func (s *idSet) touch(hash uint64) {
	g := s.segment(hash)
	if i, ok := g.find(hash); ok {
		g.slots[i] = slotOf(hash, s.hour)
	}
}

// remove makes hash unknown.
func (s *idSet) remove(hash uint64) {
	g := s.segment(hash)
	i, ok := g.find(hash)
	if !ok {
		return
	}
	// Close the hole: pull back every later entry of the run that may lie here.
	n := len(g.slots)
	for j := i; ; {
		if j++; j == n {
			j = 0
		}
		if g.slots[j] == 0 {
			break
		}
		h := home(g.slots[j]>>8, n)
		if (i < j && h > i && h <= j) || (i > j && (h > i || h <= j)) {
			continue
		}
		g.slots[i] = g.slots[j]
		i = j
	}
	g.slots[i] = 0
	g.used--
	s.count--
}

// rebuild copies the entries of a segment that are in date into a new table
// that has room for more.
func (s *idSet) rebuild(segment int) {
	g := &s.segments[segment]
	live := 0
	for _, slot := range g.slots {
		if slot != 0 && !s.expired(slot) {
			live++
		}
	}
	old := *g
	least := minSlots + int(spread*float64(segment)/idSegments)
	n := max(least, int(float64(live)/freshLoad)+1)
	g.mem, g.mapped = allocate(8 * n)
	g.slots = unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(g.mem))), n)
	g.used = live
	for _, slot := range old.slots {
		if slot != 0 && !s.expired(slot) {
			i, _ := g.find(slot >> 8)
			g.slots[i] = slot
		}
	}
	s.count += live - old.used
	release(old.mem, old.mapped)
}

// advance moves the current hour forward.
func (s *idSet) advance(hour int64) {
	switch {
	case hour <= s.hour:
		return
	case s.hour == 0:
		s.swept, s.next = hour, idSegments
	case hour-s.hour > keepHours:
		s.clear()
		s.swept, s.next = hour, idSegments
	}
	if hour-s.swept > sweepAge {
		for i := range s.segments {
			s.sweepSegment(i)
		}
		s.swept, s.next = s.hour, idSegments
	}
	s.hour = hour
	if s.next == idSegments && s.swept < hour {
		s.started, s.next = hour, 0
	}
}

// sweep looks at up to n segments for expired entries. Once every segment has
// been looked at after the hour changed, it does nothing.
func (s *idSet) sweep(n int) {
	for ; n > 0 && s.next < idSegments; n-- {
		s.sweepSegment(s.next)
		if s.next++; s.next == idSegments {
			s.swept = s.started
		}
	}
}

// sweepSegment rebuilds a segment if that gives back an eighth of it, or must
// happen before hour bytes come round.
func (s *idSet) sweepSegment(segment int) {
	g := &s.segments[segment]
	old, ancient := 0, false
	for _, slot := range g.slots {
		if slot != 0 && s.expired(slot) {
			old++
			ancient = ancient || uint8(s.hour)-uint8(slot) > 2*keepHours
		}
	}
	if ancient || old*8 > g.used {
		s.rebuild(segment)
	}
}

// clear forgets every id, and keeps the hour.
func (s *idSet) clear() {
	for i := range s.segments {
		g := &s.segments[i]
		release(g.mem, g.mapped)
		*g = idSegment{}
	}
	s.count = 0
}

// reset forgets every id and the hour.
func (s *idSet) reset() {
	s.clear()
	*s = idSet{}
}

// size returns the bytes of the tables.
func (s *idSet) size() int64 {
	var n int64
	for i := range s.segments {
		n += int64(len(s.segments[i].mem))
	}
	return n
}
