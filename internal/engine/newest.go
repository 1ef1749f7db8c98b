package engine

import "github.com/readership/readership/internal/engine/block"

// Away says whether a device's newest row, of those up to an instant, is an
// account's: whoever used it then counts as that account. An account is never
// away.
func (r *Reader) Away(at int64) bool {
	if r.Account != "" || !r.Known {
		return false
	}
	late := int64(r.shard.Readers.table.Subjects.At(int(r.ordinal)).Late)
	newest, away := int64(-1<<63), false
	r.shard.Readers.table.AppendRows(nil, r.ordinal, func(id block.RowID) bool {
		b := r.shard.ByID[id.Block()]
		if b == nil {
			return true // its day has left, and those before
		}
		t := b.Unix(id.Row())
		if t > newest && t <= at {
			newest, away = t, b.MarksOf(id.Row())&block.MarkProven != 0
		}
		return t+late <= newest
	})
	return away
}

// EachReader calls fn with every reader of a view that was asked for with
// Engine.Readers, in no order, until fn returns an error.
func (v *View) EachReader(fn func(name string) error) error {
	for _, s := range v.Shards {
		for o := range s.Subjects.Len() {
			name := s.Subjects.Name(uint32(o))
			if name == "" {
				continue // it was erased
			}
			if err := fn(ReaderName(name)); err != nil {
				return err
			}
		}
	}
	return nil
}
