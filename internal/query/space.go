package query

import (
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
)

// space is how one shard numbers the values of a dimension.
//
// Where it can, it takes the shard's own codes as numbers (table is nil) and
// knows which number of all shards each stands for (global). Where codes have
// twins, such as the number 1 and the text "1", or come from the catalogue, a
// table turns them into numbers of all shards at once. Where blocks have
// dictionaries of their own, the space numbers the values as it meets them.
type space struct {
	dim    *Dimension
	column int // the shard's column; -1: it has none
	table  []uint32
	lists  [][]uint32
	global []uint32   // number → number of all shards; nil: the same
	own    *numbering // of values met in blocks
	tables map[*block.Block][]uint32
	names  []string // by number, from 1; nil with own
	entry  *cacheEntry
}

// texts returns the values by number, from 1: 0 is None.
func (sp *space) texts() []string {
	if sp.own != nil {
		return sp.own.texts
	}
	return sp.names
}

// card returns how many numbers there are, 0 while that may grow.
func (sp *space) card() uint32 {
	if sp.own != nil {
		return 0
	}
	return uint32(max(len(sp.names), 1))
}

// The values of loyalty, by number.
var loyalties = []string{None, "new", "returning", "loyal"}

const (
	loyaltyNew = 1 + iota
	loyaltyReturning
	loyaltyLoyal
)

// space returns the shard's numbering of a dimension, made at first use.
func (s *shard) space(d *Dimension) *space {
	for _, sp := range s.spaces {
		if sp.dim.same(d) {
			return sp
		}
	}
	sp := s.newSpace(d)
	s.spaces = append(s.spaces, sp)
	return sp
}

func (s *shard) newSpace(d *Dimension) *space {
	sp := &space{dim: d, column: s.column(d)}
	switch {
	case d.Kind == KindLoyalty:
		sp.names = loyalties
		return sp
	case d.Kind == KindSegment:
		sp.names = s.run.members.names
		return sp
	case d.ofVisit():
		// The numbers are those of items; translating makes sure they exist.
		sp.entry = s.run.entry(&itemDimension)
		sp.entry.translate(s.number, s.dict(int(event.ColItem)))
		sp.names = sp.entry.names()
		return sp
	case s.run.local(d):
		own := newNumbering()
		sp.own, sp.tables = &own, map[*block.Block][]uint32{}
		return sp
	}
	sp.entry = s.run.entry(d)
	dict := s.dict(sp.column)
	numbers, lists, twins := sp.entry.translate(s.number, dict)
	switch {
	case sp.column < 0 || len(dict.Texts) == 0:
		sp.names = []string{None}
	case d.list():
		sp.lists, sp.names = lists, sp.entry.names()
	case twins:
		sp.table, sp.names = numbers, sp.entry.names()
	default:
		sp.global, sp.names = numbers, dict.Texts
		if d.ofItem() && s.run.catalog.Len() > 0 {
			names := sp.entry.names()
			sp.names = make([]string, len(dict.Texts))
			for code := range sp.names {
				sp.names[code] = names[numbers[code]]
			}
		}
	}
	return sp
}

var itemDimension = Dimension{Name: "item", Kind: KindColumn, Column: event.ColItem}

// dict returns the shard's dictionary of a column.
func (s *shard) dict(column int) block.DictView {
	if column < 0 || column >= len(s.view.Columns) {
		return block.DictView{}
	}
	return s.view.Columns[column].Dict
}

// column returns the number of the column that a dimension's values follow
// from, -1 if the shard has none.
func (s *shard) column(d *Dimension) int {
	switch d.Kind {
	case KindColumn:
		return int(d.Column)
	case KindProperty:
		return s.view.ColumnByName(d.Property, true) // -1 if no row has it
	case KindSection, KindTier, KindAuthor, KindTag, KindAttribute:
		return int(event.ColItem)
	}
	return -1
}

// columnAt returns a block's column, nil if it has none of that number.
func columnAt(b *block.Block, column int) *block.Column {
	if column < 0 {
		return nil
	}
	return b.ColumnAt(column)
}

// cells returns the values of a dimension in the block at index.
func (s *shard) cells(d *Dimension, index int) cells {
	sp := s.space(d)
	b := s.blocks[index]
	if d.ofVisit() {
		c := cells{width: 4, n: b.N, c32: s.virtual(d, index)}
		if d.Kind == KindSegment {
			c.lists = s.run.members.lists
		}
		return c
	}
	if sp.column < 0 {
		return cells{}
	}
	col := b.ColumnAt(sp.column)
	c := cellsOf(col)
	c.table, c.lists = sp.table, sp.lists
	if sp.own != nil {
		c.table = s.localTable(sp, b, col)
	}
	return c
}

// localTable numbers the values of a block in a space of its own.
func (s *shard) localTable(sp *space, b *block.Block, col *block.Column) []uint32 {
	if col == nil {
		return []uint32{0}
	}
	key := b
	if col.Local == nil {
		key = nil // the shard's dictionary
	}
	if t := sp.tables[key]; t != nil {
		return t
	}
	texts := s.dict(sp.column).Texts
	if col.Local != nil {
		texts = col.Local.Texts
	}
	table := make([]uint32, max(len(texts), 1))
	for code := 1; code < len(texts); code++ {
		table[code] = sp.own.number(texts[code])
	}
	sp.tables[key] = table
	return table
}
