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

// known is a set of rows, up to the first n.
type known struct {
	mark uint32
	n    int
	bits Set

	blocks  []uint32 // kept: how many rows each block has
	counted int      // up to this row
}

// codes are those of the rows in one input.
type codes struct {
	mark  uint32
	n     int
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

// extend makes room for what is not known yet and returns the first row of it.
func (k *known) extend(b *batch) int {
	if k.mark != b.mark {
		k.mark, k.n = b.mark, 0
	}
	n := len(b.rows)
	if k.n == n {
		return n
	}
	k.bits = k.bits.grown(n)
	if w := k.n >> 6; k.n&63 != 0 {
		k.bits[w] &= below(k.n & 63)
		clear(k.bits[w+1 : words(n)])
	} else {
		clear(k.bits[w:words(n)])
	}
	first := k.n
	k.n, k.counted = n, min(k.counted, first)
	return first
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

// codes returns the codes of all rows in an input; false if it has none.
func (e *Evaluator) codes(in int) ([]uint32, bool) {
	b := e.rows
	c := &b.inputs[in]
	if c.mark != b.mark {
		c.mark, c.n = b.mark, 0
	}
	n := len(b.rows)
	if c.n == n && n > 0 {
		return c.of[:n], c.coded
	}
	if cap(c.of) < n {
		c.of = append(c.of[:c.n], make([]uint32, n-c.n)...)
	}
	c.of = c.of[:n]
	c.coded = e.table.Codes(in, b.rows[c.n:], c.of[c.n:])
	if c.coded {
		for _, code := range c.of[c.n:] {
			e.cover(in, code)
		}
		c.n = n
	}
	return c.of, c.coded
}

// holding returns the rows that a condition holds for.
func (e *Evaluator) holding(id int) *known {
	b, c := e.rows, &e.conditions[id]
	k := &b.conditions[id]
	i, n := k.extend(b), len(b.rows)
	if i == n {
		return k
	}
	if c.input >= 0 {
		if codes, ok := e.codes(c.input); ok {
			holds := c.holds
			for i < n {
				w := i >> 6
				word, end := k.bits[w], min(n, (w+1)<<6)
				for ; i < end; i++ {
					code := codes[i]
					word |= holds[code>>6] >> (code & 63) & 1 << (i & 63)
				}
				k.bits[w] = word
			}
			return k
		}
	}
	for ; i < n; i++ {
		if e.onRow(&b.rows[i], c.Expr).True() {
			k.bits.put(i)
		}
	}
	return k
}

// matching returns the rows that a predicate holds for.
func (e *Evaluator) matching(id int) *known {
	b, p := e.rows, &e.predicates[id]
	if len(p.conditions) == 1 {
		return e.holding(p.conditions[0])
	}
	k := &b.predicates[id]
	i, n := k.extend(b), len(b.rows)
	if i == n {
		return k
	}
	first := i >> 6
	for w := first; w < words(n); w++ {
		k.bits[w] = ^uint64(0)
	}
	for _, c := range p.conditions {
		bits := e.holding(c).bits
		for w := first; w < words(n); w++ {
			k.bits[w] &= bits[w]
		}
	}
	return k
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
