package query

import (
	"math/bits"
	"unsafe"
)

// A mask has one byte a row, 1 where the row is kept. Its length is a multiple
// of 8; bytes past the block's rows are 0.
type mask []uint8

const ones = 0x0101010101010101

// words returns the mask eight rows a word. On machines of either byte order
// bit 8·k of a word, counted as littleEndian does, is row k.
func (m mask) words() []uint64 { return words8(m) }

// words8 returns the bytes of s as words, but for a rest of less than one.
func words8(s []uint8) []uint64 {
	if len(s) < 8 {
		return nil
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(s))), len(s)/8)
}

func (m mask) and(o mask) {
	a, b := m.words(), o.words()
	b = b[:len(a)]
	for i := range a {
		a[i] &= b[i]
	}
}

func (m mask) or(o mask) {
	a, b := m.words(), o.words()
	b = b[:len(a)]
	for i := range a {
		a[i] |= b[i]
	}
}

// not turns a mask of n rows around.
func (m mask) not(n int) {
	w := m.words()
	for i := range w {
		w[i] ^= ones
	}
	clear(m[n:])
}

// slack is the room that appendRows wants past the rows it writes.
const slack = 8

// appendRows appends the kept rows of first ≤ row < last; first is a multiple
// of 8. dst has room for last-first rows and slack.
func (m mask) appendRows(dst []uint16, first, last int) []uint16 {
	n := len(dst)
	dst = dst[:cap(dst)]
	w := m[first : (last+7)&^7].words()
	base := uint64(first) * lanes
	for _, v := range w {
		if v != 0 {
			// Bit k of the index is row k: its rows are in the table.
			if bigEndian {
				v = bits.ReverseBytes64(v)
			}
			picked := &places[v*0x0102040810204080>>56]
			out := (*[2]uint64)(unsafe.Pointer(&dst[n : n+8][0]))
			out[0], out[1] = picked[0]+base, picked[1]+base
			n += bits.OnesCount64(v)
		}
		base += 8 * lanes
	}
	return dst[:n]
}

// lanes repeats a number in the four 16-bit parts of a word.
const lanes = 0x0001000100010001

// bigEndian tells the byte order of the machine.
var bigEndian = func() bool {
	w := uint16(1)
	return *(*uint8)(unsafe.Pointer(&w)) == 0
}()

// places holds the numbers of the set bits of each byte, ascending, as eight
// 16-bit numbers.
var places = func() (table [256][2]uint64) {
	for b := range table {
		var list [8]uint16
		n := 0
		for k := range 8 {
			if b>>k&1 != 0 {
				list[n] = uint16(k)
				n++
			}
		}
		table[b] = *(*[2]uint64)(unsafe.Pointer(&list))
	}
	return table
}()

// inRange keeps the rows with lo ≤ time < hi.
func (m mask) inRange(time []uint32, lo, hi uint32) {
	span := hi - lo
	m = m[:len(time)]
	for i, t := range time {
		var keep uint8
		if t-lo < span {
			keep = 1
		}
		m[i] = keep
	}
}

// lookup keeps the rows whose code passes.
func lookup[T codeWidth](m mask, src []T, passes []uint8) {
	m = m[:len(src)]
	for i, v := range src {
		m[i] = passes[v]
	}
}

// equal keeps the rows with one code.
func equal[T codeWidth](m mask, src []T, code T) {
	m = m[:len(src)]
	for i, v := range src {
		var keep uint8
		if v == code {
			keep = 1
		}
		m[i] = keep
	}
}

// equal8 is equal for codes of a byte, eight at a time.
func equal8(m mask, src []uint8, code uint8) {
	const low = 0x7f7f7f7f7f7f7f7f
	pattern := ones * uint64(code)
	from := words8(src)
	to := words8(m[:len(src)])[:len(from)]
	for i, w := range from {
		x := w ^ pattern
		// A byte of x is 0 where neither it nor its low bits carry over.
		to[i] = ^((x&low + low) | x | low) >> 7
	}
	rest := 8 * len(from)
	equal(m[rest:], src[rest:], code)
}

// equal16 is equal for codes of two bytes, four at a time; it is fast where
// few rows have the code.
func equal16(m mask, src []uint16, code uint16) {
	const low = 0x7fff7fff7fff7fff
	pattern := 0x0001000100010001 * uint64(code)
	if len(src) < 4 || bigEndian {
		equal(m, src, code)
		return
	}
	words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(src))), len(src)/4)
	out := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(m[:len(src)]))), len(words))
	for i, w := range words {
		x := w ^ pattern
		hit := ^((x&low + low) | x | low)
		if hit == 0 {
			out[i] = 0
			continue
		}
		hit >>= 15
		hit |= hit >> 8
		out[i] = uint32(hit&0xffff | hit>>16&0xffff0000)
	}
	rest := 4 * len(words)
	equal(m[rest:], src[rest:], code)
}

// keep fills a mask of n rows from a column: the rows whose code passes. If
// only is not 0 it is the one code that does.
func (m mask) keep(c *cells, n int, passes []uint8, only uint32) {
	whole := min(c.n, n)
	switch {
	case c.width == 1 && only != 0:
		equal8(m, c.c8[:whole], uint8(min(only, 255)))
		if only > 255 {
			clear(m[:whole])
		}
	case c.width == 2 && only != 0:
		equal16(m, c.c16[:whole], uint16(min(only, 65535)))
		if only > 65535 {
			clear(m[:whole])
		}
	case c.width == 4 && only != 0:
		equal(m, c.c32[:whole], only)
	case c.width == 1:
		lookup(m, c.c8[:whole], passes)
	case c.width == 2:
		lookup(m, c.c16[:whole], passes)
	case c.width == 4:
		lookup(m, c.c32[:whole], passes)
	default:
		fill(m[:whole], passes[c.code])
	}
	fill(m[whole:n], passes[0])
	clear(m[n:])
}

func fill(m mask, v uint8) {
	if len(m) == 0 {
		return
	}
	m[0] = v
	for n := 1; n < len(m); n *= 2 {
		copy(m[n:], m[:n])
	}
}

// outcome is what a filter makes of a block: nothing, everything, or a mask.
type outcome uint8

const (
	keepNone outcome = iota
	keepAll
	keepSome
)
