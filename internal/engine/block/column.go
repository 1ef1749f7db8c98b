package block

import "slices"

// Column is a column of dictionary codes as a reader sees it. Rows from N on
// are missing (code 0). Exactly one of C8, C16, C32 is set, or Width is 0 and
// every row below N has Code.
type Column struct {
	Width uint8 // bytes a code: 0 (constant), 1, 2 or 4
	N     int
	Code  uint32
	C8    []uint8
	C16   []uint16
	C32   []uint32
	// Local is set when the column has a dictionary of its own in this block;
	// else the codes are those of the shard's dictionary of the column.
	Local *DictView
	// Max is the greatest code that occurs.
	Max uint32
	// Present has a bit for each code that occurs in the rows of a sealed block,
	// 0 for missing among them, so that filters skip it; nil where it is not
	// known.
	Present []uint64
}

// At returns the code of row i. For loops over rows use C8, C16 or C32.
func (c *Column) At(i int) uint32 {
	if i >= c.N {
		return 0
	}
	switch c.Width {
	case 1:
		return uint32(c.C8[i])
	case 2:
		return uint32(c.C16[i])
	case 4:
		return c.C32[i]
	}
	return c.Code
}

// codes is a column as its writer has it.
type codes struct {
	width uint8
	n     int
	code  uint32
	max   uint32
	c8    []uint8
	c16   []uint16
	c32   []uint32
	local *Dict

	present []uint64 // once the block is sealed
}

// set puts code at row, which is not below any row set before.
func (c *codes) set(row int, code uint32) {
	if code > c.max {
		c.max = code
	}
	if c.width == 0 {
		if row == c.n && (c.n == 0 || code == c.code) {
			c.code = code
			c.n++
			return
		}
		c.widen(row, max(code, c.code))
	}
	switch {
	case c.width == 1 && code > 0xff, c.width == 2 && code > 0xffff:
		c.widen(row, code)
	}
	switch c.width {
	case 1:
		for len(c.c8) < row {
			c.c8 = append(c.c8, 0)
		}
		c.c8 = append(c.c8, uint8(code))
	case 2:
		for len(c.c16) < row {
			c.c16 = append(c.c16, 0)
		}
		c.c16 = append(c.c16, uint16(code))
	case 4:
		for len(c.c32) < row {
			c.c32 = append(c.c32, 0)
		}
		c.c32 = append(c.c32, code)
	}
	c.n = row + 1
}

// widen copies the codes so far into a wider array that can hold code.
func (c *codes) widen(row int, code uint32) {
	width := uint8(1)
	if code > 0xffff {
		width = 4
	} else if code > 0xff {
		width = 2
	}
	if width < c.width {
		width = c.width
	}
	size := max(row+1, 2*c.n)
	old := *c
	c.c8, c.c16, c.c32 = nil, nil, nil
	for i := 0; i < old.n; i++ {
		v := old.at(i)
		switch width {
		case 1:
			if c.c8 == nil {
				c.c8 = make([]uint8, 0, size)
			}
			c.c8 = append(c.c8, uint8(v))
		case 2:
			if c.c16 == nil {
				c.c16 = make([]uint16, 0, size)
			}
			c.c16 = append(c.c16, uint16(v))
		case 4:
			if c.c32 == nil {
				c.c32 = make([]uint32, 0, size)
			}
			c.c32 = append(c.c32, v)
		}
	}
	c.width = width
}

func (c *codes) at(i int) uint32 {
	if i >= c.n {
		return 0
	}
	switch c.width {
	case 1:
		return uint32(c.c8[i])
	case 2:
		return uint32(c.c16[i])
	case 4:
		return c.c32[i]
	}
	return c.code
}

// view returns the column as readers see it.
func (c *codes) view() Column {
	v := Column{Width: c.width, N: c.n, Code: c.code, Max: c.max, Present: c.present,
		C8: slices.Clip(c.c8), C16: slices.Clip(c.c16), C32: slices.Clip(c.c32)}
	if c.local != nil {
		d := c.local.View()
		v.Local = &d
	}
	return v
}

// seal gives spare capacity back and notes which codes occur in the block's
// rows. One with a dictionary of its own has hardly any that do not.
func (c *codes) seal(rows int) {
	c.c8, c.c16, c.c32 = exact(c.c8), exact(c.c16), exact(c.c32)
	if c.local != nil {
		c.local.freeze()
		return
	}
	if c.width == 0 || c.width == 4 {
		return
	}
	c.present = make([]uint64, min(c.max, 1<<16-1)/64+1)
	if c.n < rows {
		c.present[0] |= 1
	}
	for _, code := range c.c8 {
		c.present[code/64] |= 1 << (code % 64)
	}
	for _, code := range c.c16 {
		c.present[code/64] |= 1 << (code % 64)
	}
}

// exact returns s without spare capacity.
func exact[T any](s []T) []T {
	if cap(s) == len(s) {
		return s
	}
	return append(make([]T, 0, len(s)), s...)
}

func (c *codes) bytes() int64 {
	n := int64(cap(c.c8)) + 2*int64(cap(c.c16)) + 4*int64(cap(c.c32)) + 8*int64(len(c.present))
	if c.local != nil {
		n += c.local.Bytes()
	}
	return n
}
