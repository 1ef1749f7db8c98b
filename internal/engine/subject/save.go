package subject

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/paged"
)

// ErrFormat is what errors of restoring wrap.
var ErrFormat = errors.New("subject bytes are malformed")

// Part names the tables a Table is kept in, page by page.
type Part byte

// The parts of a table in a checkpoint.
const (
	PartSubjects Part = 'u'
	PartNames    Part = 'n'
	PartSmall    Part = '1'
	PartMedium   Part = '2'
	PartLarge    Part = '3'
)

// Parts are all parts, in the order in which Load wants them.
var Parts = []Part{PartSubjects, PartNames, PartSmall, PartMedium, PartLarge}

// Saver writes the pages that changed, away from the writer.
type Saver struct {
	subjects paged.Snapshot[Subject]
	small    paged.Snapshot[[4]uint32]
	medium   paged.Snapshot[[8]uint32]
	large    paged.Snapshot[[16]uint32]
	names    arena
	pages    map[Part][]int
	compact  bool
}

// Unsaved returns what changed since it was last called. It costs the writer a
// list of page numbers.
func (t *Table) Unsaved() *Saver {
	s := &Saver{
		subjects: t.subjects.Snapshot(), small: t.chains.small.chunks.Snapshot(),
		medium: t.chains.medium.chunks.Snapshot(), large: t.chains.large.chunks.Snapshot(),
		names: t.names.view(), pages: map[Part][]int{}, compact: t.compact,
	}
	t.compact = false
	note := func(part Part) func(int) {
		return func(page int) { s.pages[part] = append(s.pages[part], page) }
	}
	t.subjects.Dirty(note(PartSubjects))
	t.chains.small.chunks.Dirty(note(PartSmall))
	t.chains.medium.chunks.Dirty(note(PartMedium))
	t.chains.large.chunks.Dirty(note(PartLarge))
	t.names.unsaved(note(PartNames))
	return s
}

// MarkUnsaved makes Unsaved return every page.
func (t *Table) MarkUnsaved() {
	t.subjects.MarkDirty()
	t.chains.small.chunks.MarkDirty()
	t.chains.medium.chunks.MarkDirty()
	t.chains.large.chunks.MarkDirty()
	t.names.savedPages = 0
}

// Each calls fn with each changed page and what appends its bytes.
func (s *Saver) Each(fn func(part Part, page int, appendTo func(dst []byte) []byte)) {
	for _, part := range Parts {
		for _, page := range s.pages[part] {
			fn(part, page, func(dst []byte) []byte { return s.page(dst, part, page) })
		}
	}
}

// Ends calls fn with the number of pages of each part that has become shorter.
func (s *Saver) Ends(fn func(part Part, pages int)) {
	if s.compact {
		fn(PartSmall, s.small.NumPages())
		fn(PartMedium, s.medium.NumPages())
		fn(PartLarge, s.large.NumPages())
	}
}

func (s *Saver) page(dst []byte, part Part, page int) []byte {
	switch part {
	case PartSubjects:
		for _, v := range s.subjects.Page(page) {
			dst = binary.LittleEndian.AppendUint64(dst, v.firstSeen)
			for _, n := range [...]uint32{v.name, v.chain, v.Visit, v.Late} {
				dst = binary.LittleEndian.AppendUint32(dst, n)
			}
		}
	case PartNames:
		dst = append(dst, s.names.pages[page]...)
	case PartSmall:
		dst = appendChunks(dst, s.small.Page(page), func(c *[4]uint32) []uint32 { return c[:] })
	case PartMedium:
		dst = appendChunks(dst, s.medium.Page(page), func(c *[8]uint32) []uint32 { return c[:] })
	case PartLarge:
		dst = appendChunks(dst, s.large.Page(page), func(c *[16]uint32) []uint32 { return c[:] })
	}
	return dst
}

func appendChunks[T any](dst []byte, page []T, words func(*T) []uint32) []byte {
	for i := range page {
		for _, w := range words(&page[i]) {
			dst = binary.LittleEndian.AppendUint32(dst, w)
		}
	}
	return dst
}

// Load puts the next page of a part in place. Pages of a part come in order;
// Loaded ends the restoring.
func (t *Table) Load(part Part, data []byte) error {
	switch part {
	case PartSubjects:
		if len(data)%24 != 0 {
			return fmt.Errorf("%w: page of %d bytes", ErrFormat, len(data))
		}
		page := make([]Subject, len(data)/24)
		for i := range page {
			b := data[24*i:]
			page[i] = Subject{firstSeen: binary.LittleEndian.Uint64(b), name: binary.LittleEndian.Uint32(b[8:]),
				chain: binary.LittleEndian.Uint32(b[12:]), Visit: binary.LittleEndian.Uint32(b[16:]), Late: binary.LittleEndian.Uint32(b[20:])}
		}
		t.subjects.Load(page)
	case PartNames:
		return t.names.load(data)
	case PartSmall:
		return loadChunks(t.chains.small.chunks, data, func(c *[4]uint32) []uint32 { return c[:] })
	case PartMedium:
		return loadChunks(t.chains.medium.chunks, data, func(c *[8]uint32) []uint32 { return c[:] })
	case PartLarge:
		return loadChunks(t.chains.large.chunks, data, func(c *[16]uint32) []uint32 { return c[:] })
	default:
		return fmt.Errorf("%w: part %q", ErrFormat, byte(part))
	}
	return nil
}

func loadChunks[T any](a *paged.Array[T], data []byte, words func(*T) []uint32) error {
	var one T
	size := 4 * len(words(&one))
	if len(data)%size != 0 {
		return fmt.Errorf("%w: page of %d bytes", ErrFormat, len(data))
	}
	page := make([]T, len(data)/size)
	for i := range page {
		for k, w := range words(&page[i]) {
			_ = w
			words(&page[i])[k] = binary.LittleEndian.Uint32(data[size*i+4*k:])
		}
	}
	a.Load(page)
	return nil
}

// Loaded builds the index and the lists of free chunks, once all pages are
// loaded, and drops rows for which gone is true. It verifies every reference.
func (t *Table) Loaded(gone func(block.RowID) bool) error {
	used := [3][]bool{make([]bool, t.chains.small.chunks.Len()), make([]bool, t.chains.medium.chunks.Len()), make([]bool, t.chains.large.chunks.Len())}
	var stale []uint32
	for o := range t.subjects.Len() {
		s := t.subjects.Ptr(o)
		name, err := t.names.checked(s.name)
		if err != nil {
			return err
		}
		if s.name != noName {
			t.index.add(t.index.mix(Hash(name)), uint32(o))
		}
		count := uint8(s.firstSeen)
		isStale := false
		for ref := s.chain; ref != 0; count = 15 {
			class, place := split(ref)
			if class > classLarge || int(place) >= len(used[class]) || used[class][place] || count > [...]uint8{4, 8, 15}[class] {
				return fmt.Errorf("%w: chain of subject %d", ErrFormat, o)
			}
			used[class][place] = true
			ref = 0
			if class == classLarge {
				ref = t.chains.large.chunks.Ptr(int(place))[0]
			}
		}
		t.Rows(uint32(o), func(r block.RowID) bool { isStale = gone(r); return !isStale })
		if isStale {
			stale = append(stale, uint32(o))
		}
	}
	for i, u := range used[classSmall] {
		if !u {
			t.chains.small.free = append(t.chains.small.free, uint32(i))
		}
	}
	for i, u := range used[classMedium] {
		if !u {
			t.chains.medium.free = append(t.chains.medium.free, uint32(i))
		}
	}
	for i, u := range used[classLarge] {
		if !u {
			t.chains.large.free = append(t.chains.large.free, uint32(i))
		}
	}
	for _, o := range stale {
		t.Trim(o, gone)
	}
	return nil
}

// checked is text for a place that may be wrong.
func (a *arena) checked(place uint32) (name string, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%w: name at %d", ErrFormat, place)
		}
	}()
	return a.text(place), nil
}
