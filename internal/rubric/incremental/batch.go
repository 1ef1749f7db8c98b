package incremental

import (
	"slices"

	"github.com/readership/readership/internal/rubric/value"
)

// batch is rows of one reader in order, with what is known of each row by
// itself. All of it is worked out when it is asked for first, and only for rows
// that it is not yet known of.
type batch struct {
	rows []Entry
	mark uint32 // what is known with another mark is known of other rows

	inputs     []codes
	conditions []known
	predicates []known
	keys       []keyed
	values     []valued

	kept  bool   // with a heavy reader's state
	since int64  // kept: all rows from this time on are there
	codes uint32 // kept: Evaluator.codesAre of its codes
	lasts []lasts
}

// part says of which rows something is known: those from one place on up to the
// first n.
type part struct {
	mark    uint32
	from, n int
}

// known is a set of rows.
type known struct {
	part
	bits   Set
	blocks *blocks // kept

	siftedMark uint32
	sifted     int // rows that were asked for it by themselves
}

// blocks say how many rows of a set each block has, up to a row.
type blocks struct {
	of      []uint32
	counted int
}

// codes are those of the rows in one input.
type codes struct {
	part
	of    []uint32
	coded bool
}

// keyed numbers rows: those with equal keys have the same number, from 1 to
// size; rows without a key have 0.
type keyed struct {
	mark  uint32
	n     int
	of    []uint32
	size  uint32
	coded bool              // numbered by code
	codes map[uint64]uint32 // numbers by code or by a pair of numbers
	texts map[value.Value]uint32
}

// valued are the values of rows that a fold looks at.
type valued struct {
	mark uint32
	have Set
	of   []value.Value
}

func (b *batch) init(e *Evaluator) {
	b.inputs = make([]codes, len(e.inputs))
	b.conditions = make([]known, len(e.conditions))
	b.predicates = make([]known, len(e.predicates))
	b.keys = make([]keyed, len(e.layout.keys))
	b.values = make([]valued, len(e.layout.values))
}

// again forgets what is known.
func (b *batch) again() {
	b.rows = b.rows[:0]
	if b.mark++; b.mark == 0 { // every 4 billion readers marks begin anew
		clear(b.inputs)
		clear(b.conditions)
		clear(b.predicates)
		clear(b.keys)
		clear(b.values)
		clear(b.lasts)
		b.mark = 1
	}
}

// rest returns the rows from a place on that nothing is known of yet; they will
// be. What is kept is known whole.
func (p *part) rest(b *batch, from int) (lo, hi int) {
	if b.kept {
		from = 0
	}
	if p.mark != b.mark {
		*p = part{b.mark, from, from}
	}
	if from < p.from {
		hi, p.from = p.from, from
		return from, hi
	}
	lo, p.n = p.n, len(b.rows)
	return lo, p.n
}

// extend makes room for rows from a place on that are not known yet, and returns
// them.
func (k *known) extend(b *batch, from int) (lo, hi int) {
	lo, hi = k.rest(b, from)
	if lo == hi {
		return lo, hi
	}
	k.bits = k.bits.grown(hi)
	k.bits.clear(lo, hi)
	if k.blocks != nil {
		k.blocks.counted = min(k.blocks.counted, lo)
	}
	return lo, hi
}

// from returns the place of the first row of a time or later.
func (b *batch) from(time int64) int {
	rows := b.rows
	lo, hi := 0, len(rows)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); rows[mid].Time < time {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// load takes in the rows of a reader from a time on.
func (e *Evaluator) load(from int64) {
	b := &e.scratch
	e.rows = b
	b.again()
	late := e.reader.Late()
	b.rows = e.reader.Rows(b.rows, from, int(^uint(0)>>1))
	slices.Reverse(b.rows)
	if late > 0 && e.fault != faultUnsorted {
		slices.SortFunc(b.rows, Entry.compare)
	}
}

// codes returns the codes of rows in an input, valid from a place on; false if it
// has none.
func (e *Evaluator) codes(in, from int) ([]uint32, bool) {
	b := e.rows
	c := &b.inputs[in]
	lo, hi := c.rest(b, from)
	n := len(b.rows)
	if lo == hi && n > 0 {
		return c.of[:n], c.coded
	}
	if len(c.of) < n {
		c.of = append(c.of, make([]uint32, n-len(c.of))...)
	}
	of := c.of[lo:hi]
	if c.coded = e.table.Codes(in, b.rows[lo:hi], of); !c.coded {
		c.mark = 0 // nothing is known
		return nil, false
	}
	covered := e.inputs[in].covered
	for _, code := range of {
		if !covered.Has(int(code)) {
			e.cover(in, code)
			covered = e.inputs[in].covered
		}
	}
	return c.of[:n], true
}

// holding returns the rows from a place on that a condition holds for.
func (e *Evaluator) holding(id, from int) *known {
	b, c := e.rows, &e.conditions[id]
	k := &b.conditions[id]
	i, end := k.extend(b, from)
	if i == end {
		return k
	}
	if c.input >= 0 {
		if codes, ok := e.codes(c.input, i); ok {
			holds := c.holds
			for i < end {
				w := i >> 6
				word, next := k.bits[w], min(end, (w+1)<<6)
				for ; i < next; i++ {
					code := codes[i]
					word |= holds[code>>6] >> (code & 63) & 1 << (i & 63)
				}
				k.bits[w] = word
			}
			return k
		}
	}
	for ; i < end; i++ {
		if e.onRow(&b.rows[i], c.Expr).True() {
			k.bits.put(i)
		}
	}
	return k
}

// matching returns the rows from a place on that a predicate holds for.
func (e *Evaluator) matching(id, from int) *known {
	b, p := e.rows, &e.predicates[id]
	if len(p.conditions) == 1 {
		return e.holding(p.conditions[0], from)
	}
	k := &b.predicates[id]
	lo, hi := k.extend(b, from)
	if lo == hi {
		return k
	}
	k.bits.fill(lo, hi)
	left := hi - lo
	for _, c := range p.conditions {
		if left <= max(fewLeft, (hi-lo)/64) && b.conditions[c].sifts(b, left, hi-lo) {
			e.sift(k.bits, lo, hi, &e.conditions[c])
			continue
		}
		bits := e.holding(c, lo).bits
		for w := lo >> 6; w < words(hi); w++ {
			k.bits[w] &= bits[w]
		}
		left = k.bits.count(lo, hi)
	}
	return k
}

// fewLeft is how many rows have met a predicate's first conditions, at most, where
// the others are asked of these rows, and not of all once for all predicates: rows
// mostly are not in the cache.
const fewLeft = 2

// sifts says whether few rows are asked for a condition: nothing is known of it, and not
// so many were for other predicates that all rows had better be.
func (k *known) sifts(b *batch, few, of int) bool {
	if k.mark == b.mark {
		return false
	}
	if k.siftedMark != b.mark {
		k.siftedMark, k.sifted = b.mark, 0
	}
	k.sifted += few
	return k.sifted <= of/4
}

// sift takes the rows out of a set, of some rows, for which a condition does not
// hold.
func (e *Evaluator) sift(set Set, lo, hi int, c *condition) {
	if e.fault == faultSift {
		hi = set.last(lo, hi)
	}
	for i := set.next(lo, hi); i < hi; i = set.next(i+1, hi) {
		if !e.holdsFor(i, c) {
			set.drop(i)
		}
	}
}

// holdsFor tells whether a condition holds for one row.
func (e *Evaluator) holdsFor(i int, c *condition) bool {
	row := &e.rows.rows[i]
	if c.input >= 0 {
		e.leaf.rows[0] = *row
		if e.table.Codes(c.input, e.leaf.rows[:], e.leaf.codes[:]) {
			code := e.leaf.codes[0]
			e.cover(c.input, code)
			return c.holds.Has(int(code))
		}
	}
	return e.onRow(row, c.Expr).True()
}

// valueOf returns what a fold looks at in a row.
func (e *Evaluator) valueOf(place, i int) value.Value {
	b := e.rows
	v := &b.values[place]
	if v.mark != b.mark {
		v.mark = b.mark
		clear(v.have)
	}
	if len(v.of) < len(b.rows) {
		v.of = append(v.of, make([]value.Value, len(b.rows)-len(v.of))...)
		v.have = v.have.grown(len(b.rows))
	}
	if !v.have.Has(i) {
		v.have.put(i)
		v.of[i] = e.onRow(&b.rows[i], e.layout.values[place])
	}
	return v.of[i]
}
