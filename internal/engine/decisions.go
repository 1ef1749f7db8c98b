package engine

import (
	"context"
	"fmt"

	"github.com/readership/readership/internal/engine/block"
)

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

// DecisionsAt loads the rows that commits of one instant left, as Decisions does. It
// looks at so many of the reader's newest rows, of any kind; whole says that there
// are no more.
func (r *Reader) DecisionsAt(at int64, look int, into *Rows) (whole bool) {
	into.reset()
	if !r.found || at < r.From {
		return true
	}
	into.view, into.site, into.reader = r.view, r.site, r.ordinal
	take := func(b rowSource, id block.RowID) {
		if b.KindOf() == block.Decisions && b.Unix(id.Row()) == at {
			into.list = append(into.list, rowRef{b, at, id})
		}
	}
	whole = true
	if r.site != nil {
		r.site.subjects.Rows(r.ordinal, func(id block.RowID) bool {
			if look--; look < 0 {
				whole = false
				return false
			}
			b := r.site.blocks.get(id.Block())
			if b != nil && !b.Leaving {
				take(b, id)
			}
			return true
		})
		return whole
	}
	into.ids = r.view.Readers.table.AppendRows(into.ids, r.ordinal, func(id block.RowID) bool {
		if look--; look < 0 {
			whole = false
			return true
		}
		if b := r.view.ByID[id.Block()]; b != nil {
			take(b, id)
		}
		return false
	})
	return whole
}

// EachDecision calls fn with the rows of all readers that commits left and whose
// property has a text that match accepts, until fn returns false: rows.Len is 1. It
// looks at each text of the property once. The error is ctx's.
func (v *View) EachDecision(ctx context.Context, property string, match func(text string) bool, fn func(r *Reader, rows *Rows) bool) error {
	for number, s := range v.Shards {
		column := s.ColumnByName(property, true)
		if column < 0 {
			continue
		}
		for _, b := range s.Blocks {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("look for decisions: %w", err)
			}
			if b.Kind == block.Decisions && !v.decisionsIn(number, b, column, match, fn) {
				return nil
			}
		}
	}
	return nil
}

// decisionsIn is EachDecision for a block of a shard; it says whether to go on.
func (v *View) decisionsIn(shard int, b *block.Block, column int, match func(text string) bool, fn func(r *Reader, rows *Rows) bool) bool {
	col := b.ColumnAt(column)
	if col == nil {
		return true
	}
	texts := v.Shards[shard].Columns[column].Dict.Texts
	if col.Local != nil {
		texts = col.Local.Texts
	}
	codes := map[uint32]bool{}
	for code, text := range texts {
		if code > 0 && match(text) {
			codes[uint32(code)] = true
		}
	}
	for row := 0; len(codes) > 0 && row < b.N; row++ {
		t := b.Unix(row)
		if !codes[col.At(row)] || t < v.From || t == never {
			continue
		}
		r, ok := v.ReaderAt(shard, b.Subject[row])
		rows := Rows{view: v.Shards[shard], reader: b.Subject[row], list: []rowRef{{b, t, block.MakeRowID(b.ID, row)}}}
		if ok && !fn(&r, &rows) {
			return false
		}
	}
	return true
}
