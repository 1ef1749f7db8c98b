package subject

import (
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/paged"
)

// Readers is a Table as it was at one instant, with everything: subjects are
// found by name and have their rows. Until the writer has copied what changes
// next, it costs more than a Snapshot, so it is made for who asks for it.
type Readers struct {
	Snapshot
	index  *index
	small  paged.Snapshot[[4]uint32]
	medium paged.Snapshot[[8]uint32]
	large  paged.Snapshot[[16]uint32]
}

// Readers returns the table as it is now.
func (t *Table) Readers() *Readers {
	return &Readers{Snapshot: t.Snapshot(), index: t.index.view(),
		small: t.chains.small.chunks.Snapshot(), medium: t.chains.medium.chunks.Snapshot(), large: t.chains.large.chunks.Snapshot()}
}

// Find returns the ordinal of a subject; hash is that of name.
func (r *Readers) Find(name string, hash uint64) (ordinal uint32, ok bool) {
	return r.index.find(hash, func(o uint32) bool {
		v := r.Subjects.At(int(o))
		return r.names.equal(v.name, name)
	})
}

// AppendRows appends the rows of a subject, newest arrival first, until enough
// says that no further one is needed.
func (r *Readers) AppendRows(dst []block.RowID, ordinal uint32, enough func(block.RowID) bool) []block.RowID {
	s := r.Subjects.At(int(ordinal))
	for last, count := s.chain, uint8(s.firstSeen); last != 0; count = 15 {
		class, place := split(last)
		var rows []uint32
		next := uint32(0)
		switch class {
		case classSmall:
			chunk := r.small.At(int(place))
			rows = chunk[:count]
		case classMedium:
			chunk := r.medium.At(int(place))
			rows = chunk[:count]
		default:
			chunk := r.large.At(int(place))
			rows, next = chunk[1:1+int(count)], chunk[0]
		}
		for i := len(rows) - 1; i >= 0; i-- {
			if dst = append(dst, block.RowID(rows[i])); enough(block.RowID(rows[i])) {
				return dst
			}
		}
		last = next
	}
	return dst
}
