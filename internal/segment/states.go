package segment

import (
	"math/bits"

	"github.com/readership/readership/internal/engine/paged"
	"github.com/readership/readership/internal/rubric/incremental"
)

// states are what is kept of each reader of a shard for one program: the
// segments as bits, until when they hold, and whether the reader counts. For 100
// segments that is 33 bytes a reader. Readers are numbered as the engine does.
//
// Bits, instants and flags lie in pages of which readers of a list hold what
// they were; a page is copied when it changes first afterwards.
type states struct {
	segments int
	width    int // words a reader, a power of two
	bits     *paged.Array[uint64]
	flags    *paged.Array[uint8]
	timers   timers
	borders  [maxBorders + 1]border
	heavy    map[uint32]*incremental.State // of readers whose rows are kept laid out
	counts   []int64                       // members by segment, each person once
	people   int64                         // readers that are neither away nor erased
	scratch  incremental.State
}

// A reader's flags are the number of its border, 0 for none, and whether it is
// away: whoever used the device now counts as an account.
const (
	maxBorders = 63
	borderFlag = maxBorders
	goneFlag   = 1 << 6 // the reader was erased, or has no rows
	awayFlag   = 1 << 7
)

// border is an instant at which a period of the calendar ends, which many
// readers share.
type border struct {
	at      int64
	readers int
	next    uint32 // reader that is looked at next when it has come
}

func newStates(segments int) *states {
	width := 1
	for width*64 < segments {
		width *= 2
	}
	return &states{segments: segments, width: width, bits: paged.New[uint64](max(8<<10, 8*width)), flags: paged.New[uint8](4 << 10),
		timers: newTimers(), heavy: map[uint32]*incremental.State{}, counts: make([]int64, segments)}
}

// len returns how many readers have a state.
func (s *states) len() int { return s.flags.Len() }

// words is how many words of a reader's bits segments take.
func (s *states) words() int { return (s.segments + 63) / 64 }

// add appends a reader that is in no segment; store says more.
func (s *states) add() {
	for range s.width {
		s.bits.Append(0)
	}
	s.flags.Append(0)
	s.timers.add()
	s.people++
}

// members returns the segments of a reader, which must not be changed.
func (s *states) members(n uint32) incremental.Set {
	return incremental.Set(s.bits.Span(int(n)*s.width, s.width)[:s.words()])
}

// until returns the first instant for which a reader's state may not hold.
func (s *states) until(n uint32) int64 { return min(s.timers.at(n), s.border(n)) }

func (s *states) border(n uint32) int64 {
	if b := s.flags.At(int(n)) & borderFlag; b != 0 {
		return s.borders[b].at
	}
	return incremental.Never
}

func (s *states) away(n uint32) bool { return s.flags.At(int(n))&awayFlag != 0 }

func (s *states) gone(n uint32) bool { return s.flags.At(int(n))&goneFlag != 0 }

// load returns the state of a reader, to be changed and stored before another is
// loaded.
func (s *states) load(n uint32) *incremental.State {
	st := s.heavy[n]
	if st == nil {
		st = &s.scratch
	}
	st.Members = append(st.Members[:0], s.members(n)...)
	st.Timer, st.Border = s.timers.at(n), s.border(n)
	return st
}

// erase forgets a reader.
func (s *states) erase(n uint32) {
	s.store(n, &incremental.State{Members: make(incremental.Set, s.words()), Timer: incremental.Never, Border: incremental.Never}, true, incremental.Never)
	*s.flags.Mut(int(n)) |= goneFlag
}

// store takes over a state that was loaded, and whether the reader is away until
// an instant.
func (s *states) store(n uint32, st *incremental.State, away bool, until int64) {
	s.count(n, st.Members, away)
	if old := s.members(n); !equal(old, st.Members) {
		copy(s.bits.MutSpan(int(n)*s.width, s.width), st.Members)
	}
	flags, timer := uint8(0), min(st.Timer, until)
	if away {
		flags = awayFlag
	}
	if st.Border < incremental.Never {
		if b := s.borderOf(st.Border); b != 0 {
			flags |= b
		} else { // too many at once: as early as a timer
			timer = min(timer, st.Border)
		}
	}
	if old := s.flags.At(int(n)); old != flags {
		s.borders[flags&borderFlag].readers++
		s.borders[old&borderFlag].readers--
		*s.flags.Mut(int(n)) = flags
	}
	s.timers.set(n, timer)
	s.keep(n, st)
}

// keep holds on to a heavy reader's rows.
func (s *states) keep(n uint32, st *incremental.State) {
	switch known := s.heavy[n]; {
	case !st.Heavy():
		if known != nil {
			delete(s.heavy, n)
		}
	case known == nil:
		own := *st
		own.Members = append(incremental.Set(nil), st.Members...)
		s.heavy[n] = &own
		s.scratch = incremental.State{}
	}
}

// count moves a reader from the segments that it counted in to those that it
// counts in now.
func (s *states) count(n uint32, members incremental.Set, away bool) {
	was := s.away(n)
	if was && !away {
		s.people++
	} else if away && !was {
		s.people--
	}
	for w, old := range s.members(n) {
		now := members[w]
		if was {
			old = 0
		}
		if away {
			now = 0
		}
		for changed := old ^ now; changed != 0; changed &= changed - 1 {
			id := w<<6 + bits.TrailingZeros64(changed)
			if now>>(id&63)&1 == 1 {
				s.counts[id]++
			} else {
				s.counts[id]--
			}
		}
	}
}

// borderOf returns the number of a border, 0 if there are too many.
func (s *states) borderOf(at int64) uint8 {
	free := uint8(0)
	for i := uint8(1); i <= maxBorders; i++ {
		switch b := &s.borders[i]; {
		case b.readers > 0 && b.at == at:
			return i
		case b.readers <= 0 && free == 0:
			free = i
		}
	}
	if free != 0 {
		s.borders[free] = border{at: at}
	}
	return free
}

// dueBorder returns the number of a border that has come, 0 if none has.
func (s *states) dueBorder(now int64) (due uint8) {
	for i := uint8(1); i <= maxBorders; i++ {
		if b := &s.borders[i]; b.readers > 0 && b.at <= now && (due == 0 || b.at < s.borders[due].at) {
			due = i
		}
	}
	return due
}

// next returns the first instant at which a state may not hold any more.
func (s *states) next() int64 {
	next := s.timers.next()
	for i := 1; i <= maxBorders; i++ {
		if b := &s.borders[i]; b.readers > 0 {
			next = min(next, b.at)
		}
	}
	return next
}

// bytes returns the memory of the states.
func (s *states) bytes() int64 {
	n := s.bits.Bytes() + s.flags.Bytes() + s.timers.bytes()
	for _, st := range s.heavy {
		n += st.Bytes()
	}
	return n
}

func equal(a, b incremental.Set) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
