package query

import (
	"github.com/readership/readership/internal/engine/block"
)

// node is a filter as one shard evaluates it, block by block.
type node struct {
	filter *Filter
	subs   []*node
	column int // of the test; -1: the shard has no such column
	test   codeTest
	visit  bool // the test is of a dimension of the visit: see shard.virtual
}

// compile prepares a filter for the shard.
func (s *shard) compile(f *Filter) *node {
	if f == nil {
		return nil
	}
	n := &node{filter: f, column: -1}
	for _, sub := range f.Subs {
		n.subs = append(n.subs, s.compile(sub))
	}
	if f.Op >= OpAnd {
		return n
	}
	d := &f.Dimension
	switch {
	case d.Kind == KindSegment:
		n.visit = true
		n.test = newCodeTest(s.run.members.table(f))
	case d.ofVisit():
		n.visit = true
		n.test = newCodeTest(f.table(s.space(d).texts()))
	case d.ofItem():
		n.column = s.column(d)
		n.test = newCodeTest(s.itemTable(f))
	default:
		n.column = s.column(d)
		n.test = newCodeTest(f.table(s.dict(n.column).Texts))
	}
	return n
}

// itemTable tests the item codes of the shard by what the catalogue says.
func (s *shard) itemTable(f *Filter) []uint8 {
	d := &f.Dimension
	sp := s.space(d)
	numbers := f.table(sp.texts())
	if sp.lists == nil {
		if sp.table == nil {
			return numbers // the codes are the numbers
		}
		table := make([]uint8, len(sp.table))
		for code, number := range sp.table {
			table[code] = numbers[number]
		}
		return table
	}
	table := make([]uint8, len(sp.lists))
	for code, list := range sp.lists {
		// is_not passes if no value fails, the others if one passes.
		pass := f.Op == OpIsNot
		for _, number := range list {
			if f.Op == OpIsNot {
				pass = pass && numbers[number] != 0
			} else {
				pass = pass || numbers[number] != 0
			}
		}
		if pass {
			table[code] = 1
		}
	}
	return table
}

// eval evaluates the filter on a block. With keepSome the mask has been
// written to m, whose former content does not matter.
func (s *shard) eval(n *node, b *block.Block, index int, m mask) outcome {
	switch n.filter.Op {
	case OpAnd, OpOr:
		return s.evalMany(n, b, index, m)
	case OpNot:
		switch s.eval(n.subs[0], b, index, m) {
		case keepNone:
			return keepAll
		case keepAll:
			return keepNone
		}
		m.not(b.N)
		return keepSome
	}
	if n.visit {
		c := s.cells(&n.filter.Dimension, index)
		return keepCells(m, &c, b.N, &n.test)
	}
	column := columnAt(b, n.column)
	c := cellsOf(column)
	test := &n.test
	if column != nil && column.Local != nil {
		local := newCodeTest(n.filter.table(column.Local.Texts))
		test = &local
	} else if column != nil && column.Present != nil && !test.meets(column.Present) {
		return keepNone
	}
	return keepCells(m, &c, b.N, test)
}

func keepCells(m mask, c *cells, n int, test *codeTest) outcome {
	switch {
	case test.none:
		return keepNone
	case test.all:
		return keepAll
	case c.n == 0 || c.width == 0 && c.n >= n:
		code := uint32(0)
		if c.n > 0 {
			code = c.code
		}
		if test.passes[code] != 0 {
			return keepAll
		}
		return keepNone
	}
	m.keep(c, n, test.passes, test.only)
	return keepSome
}

// evalMany evaluates and, or.
func (s *shard) evalMany(n *node, b *block.Block, index int, m mask) outcome {
	neutral, decisive := keepAll, keepNone
	if n.filter.Op == OpOr {
		neutral, decisive = keepNone, keepAll
	}
	have := neutral
	for _, sub := range n.subs {
		target := m
		if have == keepSome {
			target = s.takeMask(b.N)
		}
		got := s.eval(sub, b, index, target)
		if have == keepSome {
			if got == keepSome {
				if n.filter.Op == OpAnd {
					m.and(target)
				} else {
					m.or(target)
				}
			}
			s.giveMask(target)
		}
		switch got {
		case decisive:
			return decisive
		case keepSome:
			have = keepSome
		}
	}
	return have
}

// takeMask returns a mask for n rows; its content is arbitrary.
func (s *shard) takeMask(n int) mask {
	n = (n + 7) &^ 7
	if k := len(s.masks); k > 0 {
		m := s.masks[k-1]
		s.masks = s.masks[:k-1]
		return m[:n]
	}
	return make(mask, n, block.MaxRows)
}

func (s *shard) giveMask(m mask) { s.masks = append(s.masks, m[:0]) }
