package engine

import "github.com/readership/readership/internal/engine/block"

// Decisions loads the reader's newest rows that commits left into rows, most of
// them at most, the newest first: in the order in which the log has them. What
// the row of a commit had is in its built-in columns, what came of it in its
// properties (Rows.Each). Rows before From are not among them.
func (r *Reader) Decisions(most int, into *Rows) {
	into.reset()
	if !r.found || most <= 0 {
		return
	}
	into.view, into.site, into.reader = r.view, r.site, r.ordinal
	take := func(b rowSource, id block.RowID) (enough bool) {
		if t := b.Unix(id.Row()); b.KindOf() == block.Decisions && t >= r.From && t != never {
			into.list = append(into.list, rowRef{b, t, id})
		}
		return len(into.list) == most
	}
	if r.site != nil {
		r.site.subjects.Rows(r.ordinal, func(id block.RowID) bool {
			b := r.site.blocks.get(id.Block())
			return b == nil || b.Leaving || !take(b, id)
		})
		return
	}
	into.ids = r.view.Readers.table.AppendRows(into.ids, r.ordinal, func(id block.RowID) bool {
		b := r.view.ByID[id.Block()]
		return b != nil && take(b, id)
	})
}
