package burn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/readership/readership/internal/engine/paged"
	"github.com/readership/readership/internal/event"
)

// ErrFormat is what errors of restoring wrap.
var ErrFormat = errors.New("bytes of burns are malformed")

// burnBytes is the length of a burn in a page of a checkpoint.
const burnBytes = 60

// Saver writes the pages that changed, away from the writer.
type Saver struct {
	burns paged.Snapshot[Burn]
	pages []int
}

// Unsaved returns what changed since it was last called.
func (t *Table) Unsaved() *Saver {
	s := &Saver{burns: t.burns.Snapshot()}
	t.burns.Dirty(func(page int) { s.pages = append(s.pages, page) })
	return s
}

// MarkUnsaved makes Unsaved return every page.
func (t *Table) MarkUnsaved() { t.burns.MarkDirty() }

// Each calls fn with each changed page and what appends its bytes.
func (s *Saver) Each(fn func(page int, appendTo func(dst []byte) []byte)) {
	for _, page := range s.pages {
		fn(page, func(dst []byte) []byte {
			for i := range s.burns.Page(page) {
				dst = s.burns.Page(page)[i].append(dst)
			}
			return dst
		})
	}
}

func (b *Burn) append(dst []byte) []byte {
	for _, n := range [...]uint64{uint64(b.Position), uint64(b.Time), uint64(b.Until), uint64(b.Start), uint64(b.Joined)} {
		dst = binary.LittleEndian.AppendUint64(dst, n)
	}
	for _, n := range [...]uint32{b.Item, b.Meter, b.Row, b.Device, b.owner} {
		dst = binary.LittleEndian.AppendUint32(dst, n)
	}
	return dst
}

// Load puts the next page in place. Pages come in order; Loaded ends the
// restoring.
func (t *Table) Load(data []byte) error {
	if len(data)%burnBytes != 0 {
		return fmt.Errorf("%w: page of %d bytes", ErrFormat, len(data))
	}
	page := make([]Burn, len(data)/burnBytes)
	for i := range page {
		b := data[burnBytes*i:]
		long := func(n int) int64 { return int64(binary.LittleEndian.Uint64(b[8*n:])) }
		word := func(n int) uint32 { return binary.LittleEndian.Uint32(b[40+4*n:]) }
		page[i] = Burn{Position: event.Position(long(0)), Time: long(1), Until: long(2), Start: long(3), Joined: long(4),
			Item: word(0), Meter: word(1), Row: word(2), Device: word(3), owner: word(4)}
	}
	t.burns.Load(page)
	return nil
}

// Loaded links the burns of each subject once all pages are loaded. It verifies
// every reference: owners, items, meters and devices are below what is given.
func (t *Table) Loaded(owners, items, meters, devices int) error {
	jumbled := map[uint32]bool{}
	for i := range t.burns.Len() {
		b := t.burns.Ptr(i)
		if b.owner == noOwner {
			t.burns.Mut(i).next = t.free
			t.free = uint32(i) + 1
			continue
		}
		if int(b.owner) >= owners || int(b.Item) >= items || int(b.Meter) >= meters || int(b.Device) > devices {
			return fmt.Errorf("%w: burn %d", ErrFormat, i)
		}
		t.lists.Extend(int(b.owner) + 1)
		l := t.lists.Mut(int(b.owner))
		if l.newest != 0 && t.burns.Ptr(int(l.newest-1)).Compare(b) > 0 {
			jumbled[b.owner] = true // a place that had become free, or a late commit
		}
		t.burns.Mut(i).next = l.newest
		l.newest = uint32(i) + 1
		l.n++
		t.n++
	}
	for owner := range jumbled {
		t.order(owner)
	}
	t.burns.Snapshot()          // so that the next change of each page is noticed
	t.burns.Dirty(func(int) {}) // how they are linked is not saved
	return nil
}

// order puts the burns of a subject in order.
func (t *Table) order(owner uint32) {
	l := t.lists.Mut(int(owner))
	places := make([]uint32, 0, l.n)
	for place := l.newest; place != 0; place = t.burns.Ptr(int(place - 1)).next {
		places = append(places, place)
	}
	slices.SortFunc(places, func(a, b uint32) int { return t.burns.Ptr(int(a - 1)).Compare(t.burns.Ptr(int(b - 1))) })
	l.newest = 0
	for _, place := range places {
		t.burns.Mut(int(place - 1)).next = l.newest
		l.newest = place
	}
}
