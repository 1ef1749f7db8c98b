package segment

import (
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/incremental"
)

// items number the items that the rows of a shard count for by today's
// catalogue: a row is stored under the id that was known when it came, which may
// be an address that an entry has claimed since.
type items struct {
	live    *engine.Live
	catalog *engine.Catalog // as of which numberOf holds
	numbers map[string]uint32
	names   []string // by number
	number  []uint32 // by code of the shard's dictionary; 0: not looked up
}

func newItems(live *engine.Live) *items {
	return &items{live: live, catalog: live.Items, numbers: map[string]uint32{}, names: []string{""}}
}

// of returns the number of the item that rows with a code count for.
func (it *items) of(code uint32) uint32 {
	if code == 0 {
		return 0
	}
	if int(code) < len(it.number) && it.number[code] != 0 {
		return it.number[code]
	}
	text, _ := it.live.Dict(int(event.ColItem)).Text(code)
	n := it.numberOf(it.catalog.Canonical(text))
	if need := int(code) + 1 - len(it.number); need > 0 {
		it.number = append(it.number, make([]uint32, need)...)
	}
	it.number[code] = n
	return n
}

func (it *items) numberOf(id string) uint32 {
	n, ok := it.numbers[id]
	if !ok {
		n = uint32(len(it.names))
		it.numbers[id] = n
		it.names = append(it.names, id)
	}
	return n
}

func (it *items) name(number uint32) string { return it.names[number] }

// bytes estimates the memory of the numbers.
func (it *items) bytes() int64 { return 64*int64(len(it.names)) + 4*int64(cap(it.number)) }

// changed takes over entries of the catalogue that a message changed. It adds to
// set the segments that this can change, and to codes the codes of the rows of
// the readers whom it can change.
func (it *items) changed(e *incremental.Evaluator, ids []string, set incremental.Set, codes codeSet) codeSet {
	before, after := it.catalog, it.live.Items
	it.catalog = after
	dict := it.live.Dict(int(event.ColItem))
	moved := false
	one := e.NewSet()
	for _, id := range ids {
		texts := []string{id}
		for _, c := range []*engine.Catalog{before, after} {
			if entry, ok := c.Item(id); ok {
				texts = append(texts, it.live.Addresses(entry)...)
			}
		}
		for _, text := range texts {
			code := dict.Find(text, event.KindString)
			if code == 0 || int(code) >= len(it.number) || it.number[code] == 0 {
				continue // no row was looked at
			}
			if n := it.numberOf(after.Canonical(text)); n != it.number[code] {
				it.number[code], moved = n, true
				codes = codes.with(code)
			}
		}
		n, ok := it.numbers[id]
		if !ok {
			continue
		}
		clear(one)
		if e.ItemChanged(n, one); one.Len() == 0 {
			continue
		}
		for w := range one {
			set[w] |= one[w]
		}
		for _, text := range texts {
			if code := dict.Find(text, event.KindString); code != 0 && it.of(code) == n {
				codes = codes.with(code)
			}
		}
	}
	if moved {
		e.Renumbered()
		copy(set, e.All())
	}
	return codes
}

// codeSet is a set of codes, a bit each.
type codeSet []uint64

func (s codeSet) with(code uint32) codeSet {
	for int(code>>6) >= len(s) {
		s = append(s, 0)
	}
	s[code>>6] |= 1 << (code & 63)
	return s
}

func (s codeSet) has(code uint32) bool {
	return int(code>>6) < len(s) && s[code>>6]>>(code&63)&1 == 1
}
