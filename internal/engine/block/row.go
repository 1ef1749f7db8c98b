package block

import (
	"slices"

	"github.com/readership/readership/internal/event"
)

// What one row holds, the same of a Block and of its Builder.

// CodeOf returns the code of column c at row, 0 if it is missing.
func (b *Block) CodeOf(row, c int) uint32 {
	if col := b.ColumnAt(c); col != nil {
		return col.At(row)
	}
	return 0
}

// LocalText returns the value of a code of column c if the column has a
// dictionary of its own in the block.
func (b *Block) LocalText(c int, code uint32) (text string, kind event.Kind, ok bool) {
	col := b.ColumnAt(c)
	if col == nil || col.Local == nil {
		return "", event.KindString, false
	}
	return col.Local.Texts[code], col.Local.Kinds[code], true
}

// LocalText returns the value of a code of column c if the column has a
// dictionary of its own in the block.
func (b *Builder) LocalText(c int, code uint32) (text string, kind event.Kind, ok bool) {
	if !b.HasLocal(c) {
		return "", event.KindString, false
	}
	text, kind = b.cols[c].local.Text(code)
	return text, kind, true
}

// ValueOf returns the value of a row in micro-units.
func (b *Block) ValueOf(row int) (value int64, ok bool) {
	i, ok := slices.BinarySearch(b.ValueRows, uint16(row))
	if !ok {
		return 0, false
	}
	return b.Values[i], true
}

// PairOf returns the pair of a copy.
func (b *Block) PairOf(row int) uint32 { return b.Pair[row] }

// KindOf returns what rows the block has.
func (b *Block) KindOf() Kind { return b.Kind }

// KindOf returns what rows the block has.
func (b *Builder) KindOf() Kind { return b.Kind }
