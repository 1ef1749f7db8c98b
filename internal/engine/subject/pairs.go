package subject

import (
	"encoding/binary"
	"fmt"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/paged"
)

// Pair is what a shard keeps of an account on a device, 32 bytes. In the shard
// of the device it is owned by the device and named after the account; in the
// shard of the account it is owned by the account and named after the device.
type Pair struct {
	// Of a device's pair: the account was proven at Position, in row Row of that
	// message, and the device's rows up to Last in its chain are joined. NoRow:
	// all of its rows are newer.
	// Of an account's pair, Position is the time of its newest row, Unix ms.
	Position uint64
	Owner    uint32 // subject; noOwner: the pair was removed
	name     uint32
	next     uint32 // the owner's pair before, plus one
	Row      uint32
	Last     block.RowID
	Visit    uint32 // newest visit of the account on the device (visit.ID)
}

// Removed says that the pair is no more.
func (p *Pair) Removed() bool { return p.Owner == noOwner }

// NoRow stands in Last for "none".
const NoRow = block.RowID(1<<32 - 1)

const noOwner = 1<<32 - 1

// NoPair is the number of no pair.
const NoPair = uint32(1<<32 - 1)

// Pairs are the pairs of one site in one shard, owned by subjects of the shard.
// It belongs to the writer.
type Pairs struct {
	pairs *paged.Array[Pair]
	names arena
	index index
	heads map[uint32]uint32 // owner → its newest pair, plus one
}

// NewPairs returns an empty table; the seed is as NewTable's.
func NewPairs(seed uint64) *Pairs {
	return &Pairs{index: index{seed: seed}, pairs: paged.New[Pair](16 << 10), heads: map[uint32]uint32{}}
}

// Len returns the number of pairs ever made; removed ones keep their number.
func (p *Pairs) Len() int { return p.pairs.Len() }

// place is the hash of a pair.
func place(owner uint32, hash uint64) uint64 {
	return hash ^ uint64(owner+1)*0x9e3779b97f4a7c15
}

// Find returns the number of a pair; hash is that of name.
func (p *Pairs) Find(owner uint32, name string, hash uint64) (number uint32, ok bool) {
	return p.index.find(place(owner, hash), func(n uint32) bool {
		pair := p.pairs.Ptr(int(n))
		return pair.Owner == owner && p.names.equal(pair.name, name)
	})
}

// Get returns the number of a pair and adds it if it is new.
func (p *Pairs) Get(owner uint32, name string, hash uint64) (number uint32, added bool) {
	if n, ok := p.Find(owner, name, hash); ok {
		return n, false
	}
	n := uint32(p.pairs.Append(Pair{Owner: owner, name: p.names.add(name), next: p.heads[owner], Last: NoRow}))
	p.heads[owner] = n + 1
	p.index.add(p.index.mix(place(owner, hash)), n)
	return n, true
}

// Ptr returns a pair for reading; the pointer is valid until the next change.
func (p *Pairs) Ptr(number uint32) *Pair { return p.pairs.Ptr(int(number)) }

// Mut returns a pair for changing.
func (p *Pairs) Mut(number uint32) *Pair { return p.pairs.Mut(int(number)) }

// Name returns the name of a pair's other side, "" if it was removed.
func (p *Pairs) Name(number uint32) string { return p.names.text(p.pairs.Ptr(int(number)).name) }

// Of calls fn with the pairs of an owner, the newest first, until fn returns
// false.
func (p *Pairs) Of(owner uint32, fn func(number uint32) bool) {
	for n := p.heads[owner]; n != 0; {
		next := p.pairs.Ptr(int(n - 1)).next
		if !fn(n - 1) {
			return
		}
		n = next
	}
}

// Named calls fn with the pairs that have a name. It looks at all of them.
func (p *Pairs) Named(name string, fn func(number uint32)) {
	for n := range p.pairs.Len() {
		if p.names.equal(p.pairs.Ptr(n).name, name) {
			fn(uint32(n))
		}
	}
}

// Remove forgets a pair and erases its name.
func (p *Pairs) Remove(number uint32) {
	gone := p.pairs.Mut(int(number))
	owner, after := gone.Owner, gone.next
	if owner == noOwner {
		return
	}
	if p.heads[owner] == number+1 {
		if after == 0 {
			delete(p.heads, owner)
		} else {
			p.heads[owner] = after
		}
	} else {
		p.Of(owner, func(n uint32) bool {
			if p.pairs.Ptr(int(n)).next != number+1 {
				return true
			}
			p.pairs.Mut(int(n)).next = after
			return false
		})
	}
	p.names.erase(gone.name)
	*gone = Pair{Owner: noOwner, name: noName, Last: NoRow}
}

// Bytes returns the memory of the table.
func (p *Pairs) Bytes() int64 {
	return p.pairs.Bytes() + p.names.bytes() + p.index.bytes() + 24*int64(len(p.heads))
}

// PairsView is a Pairs as it was at one instant, without its index.
type PairsView struct {
	pairs paged.Snapshot[Pair]
	names arena
}

// View returns the pairs as they are now.
func (p *Pairs) View() *PairsView { return &PairsView{p.pairs.Snapshot(), p.names.view()} }

// Len returns the number of pairs, removed ones included.
func (v *PairsView) Len() int {
	if v == nil {
		return 0
	}
	return v.pairs.Len()
}

// At returns a pair; ok is false if it was removed.
func (v *PairsView) At(number int) (pair Pair, ok bool) {
	pair = v.pairs.At(number)
	return pair, pair.Owner != noOwner
}

// Name returns the name of a pair's other side.
func (v *PairsView) Name(number int) string {
	pair := v.pairs.At(number)
	return v.names.text(pair.name)
}

// Parts of pairs in a checkpoint: those that devices own and those that accounts
// own, records and names.
const (
	PartOfDevices    Part = 'a'
	PartDeviceNames  Part = 'b'
	PartOfAccounts   Part = 'c'
	PartAccountNames Part = 'd'
)

// PairsSaver writes the pages that changed, away from the writer.
type PairsSaver struct {
	view    *PairsView
	records []int
	names   []int
}

// Unsaved returns what changed since it was last called.
func (p *Pairs) Unsaved() *PairsSaver {
	s := &PairsSaver{view: p.View()}
	p.pairs.Dirty(func(page int) { s.records = append(s.records, page) })
	p.names.unsaved(func(page int) { s.names = append(s.names, page) })
	return s
}

// MarkUnsaved makes Unsaved return every page.
func (p *Pairs) MarkUnsaved() {
	p.pairs.MarkDirty()
	p.names.savedPages = 0
}

// Each calls fn with each changed page and what appends its bytes.
func (s *PairsSaver) Each(records, names Part, fn func(part Part, page int, appendTo func(dst []byte) []byte)) {
	for _, page := range s.records {
		fn(records, page, func(dst []byte) []byte {
			for _, v := range s.view.pairs.Page(page) {
				dst = binary.LittleEndian.AppendUint64(dst, v.Position)
				for _, n := range [...]uint32{v.Owner, v.name, v.next, v.Row, uint32(v.Last), v.Visit} {
					dst = binary.LittleEndian.AppendUint32(dst, n)
				}
			}
			return dst
		})
	}
	for _, page := range s.names {
		fn(names, page, func(dst []byte) []byte { return append(dst, s.view.names.pages[page]...) })
	}
}

// Load puts the next page of records, or of names, in place. Pages come in
// order; Loaded ends the restoring.
func (p *Pairs) Load(isNames bool, data []byte) error {
	if isNames {
		return p.names.load(data)
	}
	if len(data)%32 != 0 {
		return fmt.Errorf("%w: page of %d bytes", ErrFormat, len(data))
	}
	page := make([]Pair, len(data)/32)
	for i := range page {
		b := data[32*i:]
		word := func(n int) uint32 { return binary.LittleEndian.Uint32(b[8+4*n:]) }
		page[i] = Pair{Position: binary.LittleEndian.Uint64(b), Owner: word(0), name: word(1), next: word(2), Row: word(3), Last: block.RowID(word(4)), Visit: word(5)}
	}
	p.pairs.Load(page)
	return nil
}

// Loaded builds the index once all pages are loaded. It verifies every
// reference; owners are below owners.
func (p *Pairs) Loaded(owners int) error {
	for n := range p.pairs.Len() {
		pair := p.pairs.Ptr(n)
		if pair.Owner == noOwner {
			continue
		}
		name, err := p.names.checked(pair.name)
		if err != nil {
			return err
		}
		if int(pair.Owner) >= owners || int(pair.next) > n {
			return fmt.Errorf("%w: pair %d", ErrFormat, n)
		}
		p.index.add(p.index.mix(place(pair.Owner, Hash(name))), uint32(n))
		p.heads[pair.Owner] = uint32(n) + 1
	}
	return nil
}
