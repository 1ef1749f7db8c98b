package query

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// A mask has one byte a row, 1 where the row is kept. Its length is a multiple
// of 8; bytes past the block's rows are 0.
type mask []uint8

const ones = 0x0101010101010101

func (m mask) word(i int) uint64       { return binary.LittleEndian.Uint64(m[i:]) }
func (m mask) setWord(i int, v uint64) { binary.LittleEndian.PutUint64(m[i:], v) }

func (m mask) and(o mask) {
	for i := 0; i+8 <= len(m) && i+8 <= len(o); i += 8 {
		m.setWord(i, m.word(i)&o.word(i))
	}
}

func (m mask) or(o mask) {
	for i := 0; i+8 <= len(m) && i+8 <= len(o); i += 8 {
		m.setWord(i, m.word(i)|o.word(i))
	}
}

// not turns a mask of n rows around.
func (m mask) not(n int) {
	for i := 0; i+8 <= len(m); i += 8 {
		m.setWord(i, m.word(i)^ones)
	}
	clear(m[n:])
}

// appendRows appends the kept rows of first ≤ row < last; first is a multiple
// of 8. dst has room for last-first rows.
func (m mask) appendRows(dst []uint16, first, last int) []uint16 {
	n := len(dst)
	dst = dst[:n+last-first]
	for i := first; i < last; i += 8 {
		w := m.word(i)
		if w == 0 {
			continue
		}
		if bits.OnesCount64(w) > 3 {
			// Write all eight, advance over the kept.
			if n+8 <= len(dst) {
				d := dst[n : n+8 : n+8]
				k := 0
				for j := range 8 {
					d[k&7] = uint16(i + j)
					k += int(w >> (8 * j) & 1)
				}
				n += k
				continue
			}
		}
		for ; w != 0; w &= w - 1 {
			dst[n] = uint16(i + bits.TrailingZeros64(w)>>3)
			n++
		}
	}
	return dst[:n]
}

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
	i := 0
	for ; i+8 <= len(src); i += 8 {
		x := binary.LittleEndian.Uint64(src[i:]) ^ pattern
		// A byte of x is 0 where neither it nor its low bits carry over.
		m.setWord(i, ^((x&low+low)|x|low)>>7)
	}
	equal(m[i:], src[i:], code)
}

// equal16 is equal for codes of two bytes, four at a time; it is fast where
// few rows have the code.
func equal16(m mask, src []uint16, code uint16) {
	const low = 0x7fff7fff7fff7fff
	pattern := 0x0001000100010001 * uint64(code)
	words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(src))), len(src)/4)
	if uintptr(unsafe.Pointer(unsafe.SliceData(src)))%8 != 0 {
		words = nil // only a column cut in the middle is not aligned
	}
	for i, w := range words {
		x := w ^ pattern
		hit := ^((x&low + low) | x | low)
		out := m[4*i : 4*i+4 : 4*i+4]
		if hit == 0 {
			binary.LittleEndian.PutUint32(out, 0)
			continue
		}
		hit >>= 15
		hit |= hit >> 8
		binary.LittleEndian.PutUint32(out, uint32(hit&0xffff|hit>>16&0xffff0000))
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
