package block

import (
	"hash/maphash"
	"strings"

	"github.com/readership/readership/internal/event"
)

// Dict numbers the values of a column from 1; 0 stands for missing. It is
// append-only: a View of it stays valid. It belongs to the shard's writer.
//
// Texts share chunks of memory and the index has no pointers, so that a column of
// millions of different values costs the garbage collector little.
type Dict struct {
	texts []string
	kinds []event.Kind
	index []uint32        // codes by hash, open addressing; 0: free; nil: nothing is found
	chunk strings.Builder // the memory of the texts that were added last
	bytes int64
}

// DictView is a Dict as it was at one instant; Texts[0] is "" and stands for
// missing. It is immutable.
type DictView struct {
	Texts []string
	Kinds []event.Kind
}

// NewDict returns an empty dictionary.
func NewDict() *Dict {
	return &Dict{texts: []string{""}, kinds: []event.Kind{event.KindString}}
}

// Code returns the number of a value and adds it if it is new. It keeps a copy
// of text, never text itself.
func (d *Dict) Code(text string, kind event.Kind) uint32 {
	if 4*len(d.texts) >= 3*len(d.index) {
		d.grow()
	}
	place := d.place(text, kind)
	if code := d.index[place]; code != 0 {
		return code
	}
	code := uint32(len(d.texts))
	d.texts = append(d.texts, d.keep(text))
	d.kinds = append(d.kinds, kind)
	d.index[place] = code
	d.bytes += int64(len(text))
	return code
}

// Find returns the number of a value, 0 if it is not there.
func (d *Dict) Find(text string, kind event.Kind) uint32 {
	if d.index == nil {
		return 0
	}
	return d.index[d.place(text, kind)]
}

var dictSeed = maphash.MakeSeed()

// place finds the place of a value in the index, or the free one where it belongs.
func (d *Dict) place(text string, kind event.Kind) uint64 {
	mask := uint64(len(d.index) - 1)
	for i := maphash.String(dictSeed, text) & mask; ; i = (i + 1) & mask {
		if code := d.index[i]; code == 0 || d.kinds[code] == kind && d.texts[code] == text {
			return i
		}
	}
}

// grow makes the index for half as many values again, or more.
func (d *Dict) grow() {
	size := 16
	for size < 2*len(d.texts) {
		size *= 2
	}
	d.index = make([]uint32, size)
	for code := 1; code < len(d.texts); code++ {
		if d.kinds[code] != Removed {
			d.index[d.place(d.texts[code], d.kinds[code])] = uint32(code)
		}
	}
}

// Sizes of the chunks that texts share, in bytes.
const (
	leastChunk = 64
	mostChunk  = 32 << 10
)

// keep copies a text into a chunk.
func (d *Dict) keep(text string) string {
	if d.chunk.Cap()-d.chunk.Len() < len(text) {
		size := min(max(2*d.chunk.Cap(), leastChunk), mostChunk)
		if len(text) > size/2 {
			return strings.Clone(text)
		}
		d.chunk = strings.Builder{}
		d.chunk.Grow(size)
	}
	from := d.chunk.Len()
	d.chunk.WriteString(text)
	return d.chunk.String()[from:]
}

// Text returns the value with a code.
func (d *Dict) Text(code uint32) (string, event.Kind) { return d.texts[code], d.kinds[code] }

// Search is Find by looking at all values, for a dictionary that gets no more.
func (d *Dict) Search(text string) uint32 {
	for code := 1; code < len(d.texts); code++ {
		if d.texts[code] == text && d.kinds[code] != Removed {
			return uint32(code)
		}
	}
	return 0
}

// Len returns the number of values, missing included.
func (d *Dict) Len() int { return len(d.texts) }

// View returns the dictionary as it is now.
func (d *Dict) View() DictView {
	n := len(d.texts)
	return DictView{Texts: d.texts[:n:n], Kinds: d.kinds[:n:n]}
}

// Bytes estimates the memory of the dictionary.
func (d *Dict) Bytes() int64 {
	return d.bytes + (16+1)*int64(len(d.texts)) + 4*int64(len(d.index))
}

// freeze drops what only a writer needs.
func (d *Dict) freeze() { d.index = nil }
