package subject

import "math/bits"

// index finds ordinals by hash, mixed with a seed. It is 512 open-addressing tables, chosen by
// the hash's high bits: growing one costs microseconds. A slot is the hash's
// low 32 bits and the ordinal plus one; 0 is empty.
type index struct {
	seed   uint64
	tables [indexTables]table
}

// mix makes places unguessable: who knows how names are hashed, but not the
// seed, cannot make them meet.
func (x *index) mix(hash uint64) uint64 {
	hi, lo := bits.Mul64(hash^x.seed, 0x9e3779b97f4a7c15)
	return hi ^ lo
}

const (
	indexBits   = 9
	indexTables = 1 << indexBits
)

type table struct {
	slots  []uint64
	n      int
	shared bool // slots may be seen by a view
}

func (x *index) table(hash uint64) *table {
	t := &x.tables[hash>>(64-indexBits)]
	if t.slots == nil {
		t.slots = make([]uint64, 4)
	}
	return t
}

// start spreads tags, the low 32 bits of hashes, over the slots. As the tag
// stands in the slot, growing needs nothing else.
func (t *table) start(tag uint32) int {
	return int(uint64(tag) * uint64(len(t.slots)) >> 32)
}

func (x *index) find(hash uint64, same func(ordinal uint32) bool) (uint32, bool) {
	hash = x.mix(hash)
	t := &x.tables[hash>>(64-indexBits)]
	if t.n == 0 {
		return 0, false
	}
	for i := t.start(uint32(hash)); ; {
		s := t.slots[i]
		if s == 0 {
			return 0, false
		}
		if uint32(s>>32) == uint32(hash) && same(uint32(s)-1) {
			return uint32(s) - 1, true
		}
		if i++; i == len(t.slots) {
			i = 0
		}
	}
}

// add puts a new ordinal in place; hash is mixed.
func (x *index) add(hash uint64, ordinal uint32) {
	t := x.table(hash)
	if (t.n+1)*5 > len(t.slots)*4 {
		old := t.slots
		t.slots, t.shared = make([]uint64, len(old)*3/2+2), false
		for _, s := range old {
			if s != 0 {
				t.put(s)
			}
		}
	}
	if t.shared {
		t.slots, t.shared = append([]uint64(nil), t.slots...), false
	}
	t.put(uint64(uint32(hash))<<32 | uint64(ordinal+1))
	t.n++
}

func (t *table) put(slot uint64) {
	i := t.start(uint32(slot >> 32))
	for t.slots[i] != 0 {
		if i++; i == len(t.slots) {
			i = 0
		}
	}
	t.slots[i] = slot
}

// view shares the tables as they are now.
func (x *index) view() *index {
	for i := range x.tables {
		x.tables[i].shared = true
	}
	v := *x
	return &v
}

func (x *index) bytes() int64 {
	n := int64(indexTables * 40)
	for i := range x.tables {
		n += 8 * int64(cap(x.tables[i].slots))
	}
	return n
}
