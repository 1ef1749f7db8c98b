package query

import (
	"math/bits"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
)

// virtualKey names the computed column of a block.
type virtualKey struct {
	kind  Kind
	index int
}

// virtual returns the values of a dimension of the visit in the block at
// index, computed at first use.
func (s *shard) virtual(d *Dimension, index int) []uint32 {
	key := virtualKey{d.Kind, index}
	if codes, ok := s.codes[key]; ok {
		return codes
	}
	if s.codes == nil {
		s.codes = map[virtualKey][]uint32{}
	}
	b := s.blocks[index]
	codes := make([]uint32, b.N)
	switch d.Kind {
	case KindLoyalty:
		l := s.loyalty()
		for row := range codes {
			if b.Time[row] != block.Gone {
				codes[row] = l.of(b.Subject[row], b.Unix(row))
			}
		}
	case KindSegment:
		s.members(b, codes)
	default:
		items := s.ends(d)
		st := s.everyStay()
		for row := range codes {
			if i := st.find(b.Subject[row], b.Unix(row)); i >= 0 {
				codes[row] = items[i]
			}
		}
	}
	s.codes[key] = codes
	return codes
}

// ends returns for each visit of everyStay the number of the item of its first
// or last page view.
func (s *shard) ends(d *Dimension) []uint32 {
	key := virtualKey{d.Kind, -1}
	if items, ok := s.codes[key]; ok {
		return items
	}
	st := s.everyStay()
	items, times := make([]uint32, len(st.start)), make([]int64, len(st.start))
	seen := make([]bool, len(st.start))
	numbers, _, _ := s.run.entry(&itemDimension).translate(s.number, s.dict(int(event.ColItem)))
	for _, b := range s.blocks {
		column := cellsOf(b.ColumnAt(int(event.ColItem)))
		s.eachView(b, func(row int) {
			t := b.Unix(row)
			i := st.find(b.Subject[row], t)
			if i < 0 {
				return
			}
			// Blocks of a day are in order of arrival, which decides ties.
			if !seen[i] || d.Kind == KindEntryItem && t < times[i] || d.Kind == KindExitItem && t >= times[i] {
				seen[i], times[i] = true, t
				items[i] = 0
				if code := column.raw(row); code != 0 {
					items[i] = numbers[code]
				}
			}
		})
	}
	s.codes[key] = items
	return items
}

// loyaltyOf knows on which days each reader was active.
type loyaltyOf struct {
	days     *buckets
	words    int // of a reader's bitmap of days
	active   []uint64
	firstEnd []int64 // by reader: end of the visit that holds first_seen; first_seen is its start at the latest
	seen     []int64
}

const (
	loyaltyDays = 30 // active days are counted over
	loyalFrom   = 8  // active days that make a loyal reader
)

// loyalty gathers the active days of the shard's readers, in the frame's zone.
func (s *shard) loyalty() *loyaltyOf {
	if s.kinds != nil {
		return s.kinds
	}
	l := &loyaltyOf{}
	s.kinds = l
	if len(s.blocks) == 0 {
		return l
	}
	first, last := s.blocks[0].Day, s.blocks[0].Day
	for _, b := range s.blocks {
		first, last = min(first, b.Day), max(last, b.Day)
	}
	from, to := int64(first)*block.DayMillis, int64(last+1)*block.DayMillis
	l.days = newBuckets(Day, s.run.frame.loc, s.run.frame.weekStart, from, to, 1<<30)
	subjects := s.view.Subjects.Len()
	l.words = (l.days.n() + 63) / 64
	l.active = make([]uint64, subjects*l.words)
	var table dayTable
	for _, b := range s.blocks {
		if b.Kind == block.Decisions {
			continue // a day on which a reader only met a wall is none
		}
		l.days.day(b.Day, &table)
		for row, t := range b.Time[:b.N] {
			if t == block.Gone {
				continue
			}
			day := table.at(t)
			l.active[int(b.Subject[row])*l.words+int(day>>6)] |= 1 << (day & 63)
		}
	}
	st := s.everyStay()
	l.firstEnd, l.seen = make([]int64, subjects), make([]int64, subjects)
	for o := range subjects {
		subject := s.view.Subjects.Subjects.At(o)
		l.seen[o] = subject.FirstSeen()
		l.firstEnd[o] = -1 << 62
		if i := st.find(uint32(o), l.seen[o]); i >= 0 {
			l.firstEnd[o] = st.end[i]
		}
	}
	return l
}

// of returns the loyalty of a reader in the visit that holds t.
func (l *loyaltyOf) of(subject uint32, t int64) uint32 {
	if t <= l.firstEnd[subject] {
		return loyaltyNew
	}
	day := l.days.of(t)
	active := 0
	for d := max(day-loyaltyDays+1, 0); d <= day; {
		word, shift := d>>6, d&63
		n := min(64-shift, day-d+1)
		w := l.active[int(subject)*l.words+word] >> shift
		if n < 64 {
			w &= 1<<n - 1
		}
		active += bits.OnesCount64(w)
		d += n
	}
	if active >= loyalFrom {
		return loyaltyLoyal
	}
	return loyaltyReturning
}
