package engine

import (
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/subject"
)

// Away says whether a device's newest row, of those up to an instant, is an
// account's: whoever used it then counts as that account. An account is never
// away.
func (r *Reader) Away(at int64) bool {
	if r.Account != "" || !r.Known {
		return false
	}
	newest, away := int64(-1<<63), false
	look := func(b rowSource, id block.RowID, late int64) (enough bool) {
		t := b.Unix(id.Row())
		if t > newest && t <= at {
			newest, away = t, b.MarksOf(id.Row())&block.MarkProven != 0
		}
		return t+late <= newest
	}
	if r.site != nil {
		late := int64(r.site.subjects.Ptr(r.ordinal).Late)
		r.site.subjects.Rows(r.ordinal, func(id block.RowID) bool {
			b := r.site.blocks.get(id.Block())
			return b != nil && !b.Leaving && (b.Kind == block.Decisions || !look(b, id, late))
		})
		return away
	}
	late := int64(r.view.Readers.table.Subjects.At(int(r.ordinal)).Late)
	r.view.Readers.table.AppendRows(nil, r.ordinal, func(id block.RowID) bool {
		b := r.view.ByID[id.Block()]
		return b == nil || b.Kind != block.Decisions && look(b, id, late) // without a block its day has left, and those before
	})
	return away
}

// FirstDevice returns the device, device:ID, on which an account was first
// proven. It looks at the pairs of the shard, oldest first. The reader is a
// view's.
func (r *Reader) FirstDevice() (device string, ok bool) {
	if r.Account == "" || !r.Known || r.view == nil {
		return "", false
	}
	pairs := r.view.Readers.accounts
	for n := range pairs.Len() {
		if pair, ok := pairs.At(n); ok && pair.Owner == r.ordinal {
			return ReaderName(pairs.Name(n)), true
		}
	}
	return "", false
}

// Property returns the number of a property's column for Rows; -1 if no row of
// the reader's shard has it.
func (r *Reader) Property(name string) int {
	if r.view != nil {
		return r.view.ColumnByName(name, true)
	}
	if c, ok := r.site.byName[name]; ok {
		return c
	}
	return -1
}

// EachReader calls fn with every reader of a view that was asked for with
// Engine.Readers, in no order, until fn returns an error.
func (v *View) EachReader(fn func(name string) error) error {
	for _, s := range v.Shards {
		for o := range s.Subjects.Len() {
			name := s.Subjects.Name(uint32(o))
			if subj := s.Subjects.Subjects.At(o); name == "" || subj.FirstSeen() == subject.Unseen {
				continue // it was erased, or has no rows
			}
			if err := fn(ReaderName(name)); err != nil {
				return err
			}
		}
	}
	return nil
}
