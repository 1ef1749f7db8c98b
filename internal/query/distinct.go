package query

import (
	"math/bits"

	"github.com/readership/readership/internal/engine/block"
)

// distinct holds the set of readers of each group: as bitmaps over the shard's
// readers where they are dense, else as pairs.
type distinct struct {
	words int      // of a bitmap
	bits  []uint64 // bitmaps, one after another
	pairs *pairSet
	// only, if set, maps groups to the bitmap that counts them; groups that
	// nobody asks about share the last.
	only []uint32
}

// newDistinct chooses by cost, in nanoseconds: a bitmap takes 1 a word and 1.5
// a row, a pair 9 a row.
func newDistinct(s *shard, groups, rows int) *distinct {
	d := &distinct{words: (s.view.Subjects.Len() + 63) / 64}
	if size := groups * d.words; groups > 0 && size <= maxBitmaps && (groups == 1 || size < 8*rows+1<<16) {
		d.bits = make([]uint64, size)
		return d
	}
	d.pairs = newPairSet(min(rows/4, 1<<20))
	return d
}

// addAll adds readers to one group.
func (d *distinct) addAll(group uint32, subjects []uint32) {
	if d.only != nil {
		group = d.only[group]
	}
	set := d.bits[int(group)*d.words : int(group+1)*d.words]
	for _, s := range subjects {
		set[s>>6] |= 1 << (s & 63)
	}
}

// addRows adds the readers of rows to one group.
func (d *distinct) addRows(group uint32, subjects []uint32, rows []uint16) {
	if d.only != nil {
		group = d.only[group]
	}
	set := d.bits[int(group)*d.words : int(group+1)*d.words]
	for _, r := range rows {
		s := subjects[r]
		set[s>>6] |= 1 << (s & 63)
	}
}

// addTimes adds readers to the groups of their times. Rows near each other are
// mostly of the same 5 minutes, so it asks the table only when they change.
func (d *distinct) addTimes(subjects, time []uint32, table *dayTable) {
	time = time[:len(subjects)]
	var set []uint64
	start := uint32(1) << 31 // no time is within 5 minutes of it
	for k, s := range subjects {
		t := time[k]
		if t-start >= block.BucketMillis {
			start = t / block.BucketMillis * block.BucketMillis
			group := int(table.at(t))
			set = d.bits[group*d.words : (group+1)*d.words]
		}
		set[s>>6] |= 1 << (s & 63)
	}
}

// count returns the number of readers of a bitmap.
func (d *distinct) count(group int) uint32 {
	n := 0
	for _, w := range d.bits[group*d.words : (group+1)*d.words] {
		n += bits.OnesCount64(w)
	}
	return uint32(n)
}

// finish writes the numbers of visitors, and of those who are new.
func (s *shard) finish() {
	d := s.sets
	if d == nil || d.pairs != nil || d.only != nil {
		return // pairs are counted as they come
	}
	groups := s.group.dense()
	for g := range groups {
		s.sums.visitors[g] = d.count(g)
	}
	if s.run.need&needNew == 0 {
		return
	}
	fresh := s.freshBuckets()
	values := make([]uint32, len(s.run.dims))
	for g := range groups {
		if s.sums.visitors[g] != 0 {
			s.sums.fresh[g] = d.countFresh(g, fresh, s.bucketOf(uint32(g), values))
		}
	}
}

func (d *distinct) countFresh(group int, fresh []uint32, bucket uint32) (n uint32) {
	for i, w := range d.bits[group*d.words : (group+1)*d.words] {
		for ; w != 0; w &= w - 1 {
			if fresh[i<<6+bits.TrailingZeros64(w)] == bucket {
				n++
			}
		}
	}
	return n
}

// bucketOf returns the time bucket of a group, 0 without a time dimension.
func (s *shard) bucketOf(group uint32, values []uint32) uint32 {
	if s.run.time < 0 {
		return 0
	}
	s.group.split(group, values)
	return values[s.run.time]
}

// never is the bucket of a reader who was not first seen in the period.
const never = 1<<32 - 1

// freshBuckets returns for each reader the bucket of the period (0 without a
// time dimension) in which the reader was first seen.
func (s *shard) freshBuckets() []uint32 {
	r := s.run
	out := make([]uint32, s.sets.words*64)
	for o := range s.view.Subjects.Len() {
		subject := s.view.Subjects.Subjects.At(o)
		seen := subject.FirstSeen()
		switch {
		case seen < r.period.from || seen >= r.period.to:
			out[o] = never
		case r.time >= 0:
			out[o] = uint32(r.buckets.of(seen))
		}
	}
	return out
}
