package subject

import (
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/paged"
)

// chains hold the row numbers of subjects. A subject with up to 4 rows has a
// chunk of 16 bytes, with up to 8 one of 32; from 9 on they are in chunks of
// 64 bytes of 15 rows and the chunk before. A fold over a subject's rows then
// touches one cache line for 15 rows.
//
// A reference is class << 30 | place + 1; 0 is none.
type chains struct {
	small  pool[[4]uint32]
	medium pool[[8]uint32]
	large  pool[[16]uint32]
}

const (
	classSmall = iota
	classMedium
	classLarge
)

type pool[T any] struct {
	chunks *paged.Array[T]
	free   []uint32
}

func (p *pool[T]) take() (uint32, *T) {
	if n := len(p.free); n > 0 {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		c := p.chunks.Mut(int(i))
		var zero T
		*c = zero
		return i, c
	}
	var zero T
	i := p.chunks.Append(zero)
	return uint32(i), p.chunks.Mut(i)
}

func newChains() chains {
	return chains{
		small:  pool[[4]uint32]{chunks: paged.New[[4]uint32](64 << 10)},
		medium: pool[[8]uint32]{chunks: paged.New[[8]uint32](64 << 10)},
		large:  pool[[16]uint32]{chunks: paged.New[[16]uint32](64 << 10)},
	}
}

func ref(class, place uint32) uint32 { return class<<30 | place + 1 }

func split(ref uint32) (class, place uint32) { return ref >> 30, ref&(1<<30-1) - 1 }

// add appends row to the chain whose last chunk is last with count rows in it.
func (c *chains) add(last uint32, count uint8, row block.RowID) (uint32, uint8) {
	if last == 0 {
		i, chunk := c.small.take()
		chunk[0] = uint32(row)
		return ref(classSmall, i), 1
	}
	class, place := split(last)
	switch class {
	case classSmall:
		if count < 4 {
			c.small.chunks.Mut(int(place))[count] = uint32(row)
			return last, count + 1
		}
		old := c.small.chunks.At(int(place))
		i, chunk := c.medium.take()
		copy(chunk[:], old[:])
		chunk[4] = uint32(row)
		c.small.free = append(c.small.free, place)
		return ref(classMedium, i), 5
	case classMedium:
		if count < 8 {
			c.medium.chunks.Mut(int(place))[count] = uint32(row)
			return last, count + 1
		}
		old := c.medium.chunks.At(int(place))
		i, chunk := c.large.take()
		copy(chunk[1:], old[:])
		chunk[9] = uint32(row)
		c.medium.free = append(c.medium.free, place)
		return ref(classLarge, i), 9
	}
	if count < 15 {
		c.large.chunks.Mut(int(place))[count+1] = uint32(row)
		return last, count + 1
	}
	i, chunk := c.large.take()
	chunk[0] = last
	chunk[1] = uint32(row)
	return ref(classLarge, i), 1
}

// walk calls fn with the rows from the last to the first, until it says false.
func (c *chains) walk(last uint32, count uint8, fn func(block.RowID) bool) {
	c.chunks(last, count, func(rows []uint32) bool {
		for i := len(rows) - 1; i >= 0; i-- {
			if !fn(block.RowID(rows[i])) {
				return false
			}
		}
		return true
	})
}

// chunks calls fn with the chunks of rows from the last to the first, until it
// says false.
func (c *chains) chunks(last uint32, count uint8, fn func(rows []uint32) bool) {
	for last != 0 {
		class, place := split(last)
		var rows []uint32
		next := uint32(0)
		switch class {
		case classSmall:
			rows = c.small.chunks.Ptr(int(place))[:count]
		case classMedium:
			rows = c.medium.chunks.Ptr(int(place))[:count]
		default:
			chunk := c.large.chunks.Ptr(int(place))
			rows, next = chunk[1:1+int(count)], chunk[0]
		}
		if !fn(rows) {
			return
		}
		last, count = next, 15
	}
}

// free gives the chunks of a chain back.
func (c *chains) free(last uint32) {
	for last != 0 {
		class, place := split(last)
		next := uint32(0)
		switch class {
		case classSmall:
			c.small.free = append(c.small.free, place)
		case classMedium:
			c.medium.free = append(c.medium.free, place)
		default:
			next = c.large.chunks.Ptr(int(place))[0]
			c.large.free = append(c.large.free, place)
		}
		last = next
	}
}

// spare is the memory of free chunks.
func (c *chains) spare() int64 {
	return 16*int64(len(c.small.free)) + 32*int64(len(c.medium.free)) + 64*int64(len(c.large.free))
}

func (c *chains) bytes() int64 {
	return c.small.chunks.Bytes() + c.medium.chunks.Bytes() + c.large.chunks.Bytes() +
		4*int64(cap(c.small.free)+cap(c.medium.free)+cap(c.large.free))
}
