package incremental

import (
	"math/bits"

	"github.com/readership/readership/internal/rubric/plan"
)

// span is the rows of a set from one place on and below another.
type span struct {
	bits   Set
	lo, hi int
	blocks []uint32 // how many rows each block of the set has; nil: not counted
}

func (s span) first() int { return s.bits.next(s.lo, s.hi) }

func (s span) next(i int) int { return s.bits.next(i, s.hi) }

// count returns how many rows there are.
func (s span) count() int {
	first, last := (s.lo+blockRows-1)/blockRows, s.hi/blockRows
	if s.blocks == nil || first >= last {
		return s.bits.count(s.lo, s.hi)
	}
	n := s.bits.count(s.lo, first*blockRows) + s.bits.count(last*blockRows, s.hi)
	for _, c := range s.blocks[first:last] {
		n += int(c)
	}
	return n
}

// streamState is what is known of a stream in one pass.
type streamState struct {
	pass  uint32
	rows  span
	base  span // after the first stage
	holds until
	own   [2]Set // where stages that make a set of their own write, by turns
	turn  int
}

// edge is where a window begins among the rows, in one pass.
type edge struct {
	pass uint32
	row  int
}

// stream returns the rows of a stream, and until when it has just these.
func (e *Evaluator) stream(id int) (span, until) {
	s := &e.streams[id]
	if s.pass == e.pass {
		return s.rows, s.holds
	}
	rows, holds := e.base(id)
	s.pass, s.holds = e.pass, holds
	stages := e.layout.stages[id][1:]
	for i := range stages {
		st := &stages[i]
		switch st.Kind {
		case plan.Filter:
			if st.narrows {
				rows = e.both(s, rows, e.matching(st.Predicate, rows.lo).bits)
			}
			if st.edge >= 0 {
				rows.lo = max(rows.lo, e.edge(st.edge))
				s.holds = s.holds.min(e.untilOut(st.edge, rows))
			}
		case plan.Distinct:
			rows = e.distinct(s, rows, st.key)
		case plan.Then:
			others, holds := e.stream(st.Other)
			rows, s.holds = e.then(s, rows, others, st.Within), s.holds.min(holds)
		case plan.Unless:
			others, holds := e.stream(st.Other)
			s.holds = s.holds.min(holds)
			rows = e.unless(s, rows, others, st.Within)
		}
	}
	s.rows = rows
	return rows, s.holds
}

// base returns the rows of a stream after its first stage.
func (e *Evaluator) base(id int) (span, until) {
	st := &e.layout.stages[id][0]
	rows := e.filtered(st.Predicate, st.edge)
	e.streams[id].base = rows
	return rows, e.untilOut(st.edge, rows)
}

// filtered returns the rows in a window that a predicate holds for.
func (e *Evaluator) filtered(predicate, edge int) span {
	lo := max(e.lo, e.edge(edge))
	k := e.matching(predicate, lo)
	rows := span{bits: k.bits, lo: lo, hi: e.hi}
	if e.rows.kept {
		rows.blocks = k.tally(len(e.rows.rows))
	}
	return rows
}

// edge returns the place of the first row of a window.
func (e *Evaluator) edge(place int) int {
	of, known := &e.layout.edges[place], &e.edges[place]
	if known.pass == e.pass {
		return known.row
	}
	known.pass = e.pass
	from := e.clock.from(&of.window, e.now)
	if e.fault == faultWindowEdge && of.window.Last > 0 {
		from--
	}
	if e.fault == faultPeriodZone && of.window.Periods != 0 {
		const day = 24 * 3600_000
		from -= from % day
	}
	known.row = e.rows.from(from)
	return known.row
}

// untilOut returns when the first of some rows in a window leaves it.
func (e *Evaluator) untilOut(place int, rows span) until {
	first := rows.first()
	if first == rows.hi {
		return never
	}
	of, holds := &e.layout.edges[place], never
	if of.last > 0 {
		holds.timer = e.rows.rows[first].Time + of.last
	}
	if of.window.Periods != 0 && e.fault != faultBorderTimer {
		holds.border = e.clock.border(of.window.Periods, e.now)
	}
	return holds
}

// room returns an empty set of a stream's own for rows in a span.
func (e *Evaluator) room(s *streamState, lo, hi int) Set {
	s.turn = 1 - s.turn
	set := s.own[s.turn].grown(len(e.rows.rows))
	s.own[s.turn] = set
	if lo < hi {
		clear(set[lo>>6 : words(hi)])
	}
	return set
}

// both returns the rows that are also in a set.
func (e *Evaluator) both(s *streamState, rows span, set Set) span {
	out := e.room(s, rows.lo, rows.hi)
	if rows.lo < rows.hi {
		for w := rows.lo >> 6; w < words(rows.hi); w++ {
			out[w] = rows.bits[w] & set[w]
		}
	}
	return span{bits: out, lo: rows.lo, hi: rows.hi}
}

// distinct returns the first row of each key.
func (e *Evaluator) distinct(s *streamState, rows span, place int) span {
	keys := e.keyOf(place)
	if need := int(keys.size) + 1 - len(e.seen); need > 0 {
		e.seen = append(e.seen, make([]uint32, need)...)
	}
	if e.met++; e.met == 0 {
		clear(e.seen)
		e.met = 1
	}
	out := e.room(s, rows.lo, rows.hi)
	for i := rows.first(); i < rows.hi; i = rows.next(i + 1) {
		k := keys.of[i]
		if k == 0 && e.fault != faultKeyless {
			continue
		}
		if e.seen[k] != e.met {
			e.seen[k] = e.met
			out.put(i)
		}
	}
	return span{bits: out, lo: rows.lo, hi: rows.hi}
}

// then returns the others before which one of the rows has come, within ms at
// most. The last before it is the nearest.
func (e *Evaluator) then(s *streamState, rows, others span, within int64) span {
	out := e.room(s, others.lo, others.hi)
	all := e.rows.rows
	last, next := -1, rows.first()
	for i := others.first(); i < others.hi; i = others.next(i + 1) {
		t := all[i].Time
		if e.fault == faultThenSameInstant {
			t++
		}
		for next < rows.hi && all[next].Time < t {
			last, next = next, rows.next(next+1)
		}
		if last >= 0 && all[i].Time-all[last].Time <= within {
			out.put(i)
		}
	}
	return span{bits: out, lo: others.lo, hi: others.hi}
}

// unless returns the rows that are `within` old at least and that none of the
// others has followed, by more than nothing and within ms at most. It notes when
// the first row that still waits is old enough.
func (e *Evaluator) unless(s *streamState, rows, others span, within int64) span {
	out := e.room(s, rows.lo, rows.hi)
	all := e.rows.rows
	next := others.first()
	for i := rows.first(); i < rows.hi; i = rows.next(i + 1) {
		t := all[i].Time
		for next < others.hi && all[next].Time <= t {
			next = others.next(next + 1)
		}
		end := t + within
		if e.fault == faultUnlessEdge {
			end--
		}
		if next < others.hi && all[next].Time <= end {
			continue
		}
		if t+within > e.now {
			if e.fault != faultWaitTimer {
				s.holds.timer = min(s.holds.timer, t+within)
			}
			break
		}
		out.put(i)
	}
	return span{bits: out, lo: rows.lo, hi: rows.hi}
}

// nth returns the place of the n-th of the rows, from 0; the end of the span if
// there are fewer.
func (s span) nth(n int) int {
	for i := s.lo; i < s.hi; {
		if block := i / blockRows; i%blockRows == 0 && block < len(s.blocks) && n >= int(s.blocks[block]) {
			n -= int(s.blocks[block])
			i += blockRows
			continue
		}
		w := i >> 6
		word := s.bits[w] &^ (1<<(i&63) - 1)
		if c := bits.OnesCount64(word); n >= c {
			n -= c
			i = (w + 1) << 6
			continue
		}
		return min(s.hi, w<<6+nthOf(word, n))
	}
	return s.hi
}

// nthOf returns the place of the n-th bit of a word that has more than n.
func nthOf(word uint64, n int) int {
	place := 0
	for half := 32; half >= 4; half >>= 1 {
		if c := bits.OnesCount64(word & (1<<half - 1)); n >= c {
			n -= c
			word >>= half
			place += half
		}
	}
	for ; n > 0; n-- {
		word &= word - 1
	}
	return place + bits.TrailingZeros64(word)
}
