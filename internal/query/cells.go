package query

import (
	"github.com/readership/readership/internal/engine/block"
)

// cells are the values of one dimension in the rows of a block, as numbers of
// its space: the block's codes, through a table if there is one.
type cells struct {
	width uint8 // 0: all rows have code; else 1, 2 or 4 bytes
	n     int   // rows from n on have code 0
	code  uint32
	c8    []uint8
	c16   []uint16
	c32   []uint32
	table []uint32   // code → number; nil: the code is the number
	lists [][]uint32 // code → numbers
}

// cellsOf returns a block's column, nil for one that it does not have.
func cellsOf(c *block.Column) cells {
	if c == nil {
		return cells{}
	}
	return cells{width: c.Width, n: c.N, code: c.Code, c8: c.C8, c16: c.C16, c32: c.C32}
}

// constant returns the number that all of the block's rows have.
func (c *cells) constant(rows int) (number uint32, ok bool) {
	if c.lists != nil || c.width != 0 || c.n != 0 && c.n < rows {
		return 0, false
	}
	return c.number(0), true
}

// raw returns the code of a row.
func (c *cells) raw(row int) uint32 {
	if row >= c.n {
		return 0
	}
	switch c.width {
	case 1:
		return uint32(c.c8[row])
	case 2:
		return uint32(c.c16[row])
	case 4:
		return c.c32[row]
	}
	return c.code
}

// number returns the number of a row.
func (c *cells) number(row int) uint32 {
	code := c.raw(row)
	if c.table != nil {
		return c.table[code]
	}
	return code
}

// mulAdd makes dst[k] = dst[k]·mul + number of the k-th row: rows[k], or
// first+k without rows.
func (c *cells) mulAdd(dst []uint32, mul uint32, first int, rows []uint16) {
	if rows != nil {
		c.mulAddRows(dst, mul, rows)
		return
	}
	whole := max(min(c.n-first, len(dst)), 0)
	from := min(first, c.n) // a column that is seldom set can end before the first row
	switch c.width {
	case 1:
		mulAdd(dst[:whole], mul, c.c8[from:], c.table)
	case 2:
		mulAdd(dst[:whole], mul, c.c16[from:], c.table)
	case 4:
		mulAdd(dst[:whole], mul, c.c32[from:], c.table)
	default:
		mulAddConst(dst[:whole], mul, c.number(0))
	}
	if whole < len(dst) {
		mulAddConst(dst[whole:], mul, c.number(c.n))
	}
}

func (c *cells) mulAddRows(dst []uint32, mul uint32, rows []uint16) {
	whole := len(rows)
	for whole > 0 && int(rows[whole-1]) >= c.n {
		whole--
	}
	switch c.width {
	case 1:
		mulAddAt(dst[:whole], mul, c.c8, rows, c.table)
	case 2:
		mulAddAt(dst[:whole], mul, c.c16, rows, c.table)
	case 4:
		mulAddAt(dst[:whole], mul, c.c32, rows, c.table)
	default:
		mulAddConst(dst[:whole], mul, c.number(0))
	}
	if whole < len(dst) {
		mulAddConst(dst[whole:], mul, c.number(c.n))
	}
}

type codeWidth interface{ uint8 | uint16 | uint32 }

func mulAdd[T codeWidth](dst []uint32, mul uint32, src []T, table []uint32) {
	if len(dst) == 0 {
		return
	}
	src = src[:len(dst)]
	switch {
	case table == nil && mul == 0:
		for k, v := range src {
			dst[k] = uint32(v)
		}
	case table == nil:
		for k, v := range src {
			dst[k] = dst[k]*mul + uint32(v)
		}
	case mul == 0:
		for k, v := range src {
			dst[k] = table[v]
		}
	default:
		for k, v := range src {
			dst[k] = dst[k]*mul + table[v]
		}
	}
}

func mulAddAt[T codeWidth](dst []uint32, mul uint32, src []T, rows []uint16, table []uint32) {
	if len(dst) == 0 {
		return
	}
	rows = rows[:len(dst)]
	switch {
	case table == nil && mul == 0:
		for k, row := range rows {
			dst[k] = uint32(src[row])
		}
	case table == nil:
		for k, row := range rows {
			dst[k] = dst[k]*mul + uint32(src[row])
		}
	default:
		for k, row := range rows {
			dst[k] = dst[k]*mul + table[src[row]]
		}
	}
}

func mulAddConst(dst []uint32, mul, number uint32) {
	if mul == 0 {
		for k := range dst {
			dst[k] = number
		}
		return
	}
	for k := range dst {
		dst[k] = dst[k]*mul + number
	}
}
