package query

import (
	"slices"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
)

// Segments say which segments the readers of a view are in, all at one instant. The
// reader of a row is its account where that is proven, else its device.
type Segments struct {
	Names []string // of all segments there are
	// Sets are combinations of segments: numbers of Names, from 1, ascending.
	// Sets[0] is empty.
	Sets [][]uint32
	// Subjects are the sets of the view's subjects, by shard and ordinal, as places
	// in Sets; those past the end are in none.
	Subjects [][]uint32
	// Accounts are the sets of accounts, where they are in any.
	Accounts map[string]uint32
}

// segments returns the segments that a question asks about, nil for all; asked is
// false if it asks about none.
func (q *Query) segments() (only []string, asked bool) {
	for i := range q.Dimensions {
		if q.Dimensions[i].Kind == KindSegment {
			return nil, true
		}
	}
	all := false
	q.Filter.each(func(f *Filter) {
		if f.Dimension.Kind == KindSegment {
			asked = true
			all = all || f.Op > OpIsNot || slices.Contains(f.Values, None) // who is in none of all
			only = append(only, f.Values...)
		}
	})
	if all || !asked {
		only = nil
	}
	return only, asked
}

// members are Segments as the values of a dimension.
type members struct {
	*Segments
	names []string   // by number: None, then the segments'
	lists [][]uint32 // by set: the numbers, 0 where there is none
}

func newMembers(g *Segments) *members {
	m := &members{Segments: g, names: append([]string{None}, g.Names...), lists: [][]uint32{{0}}}
	if len(g.Sets) > 0 {
		m.lists = append(m.lists, g.Sets[1:]...)
	}
	return m
}

// table tells for each set whether it passes a test.
func (m *members) table(f *Filter) []uint8 {
	table := make([]uint8, len(m.lists))
	var values []string
	for code, list := range m.lists {
		values = values[:0]
		for _, n := range list {
			values = append(values, m.names[n])
		}
		if f.passesAny(values) {
			table[code] = 1
		}
	}
	return table
}

// members writes the set of each row's reader.
func (s *shard) members(b *block.Block, codes []uint32) {
	g := s.run.members
	var subjects []uint32
	if s.number < len(g.Subjects) {
		subjects = g.Subjects[s.number]
	}
	for row := range codes {
		if n := int(b.Subject[row]); n < len(subjects) {
			codes[row] = subjects[n]
		}
	}
	if b.Marks == nil {
		return
	}
	column := b.ColumnAt(int(event.ColAccount))
	if column == nil {
		return
	}
	texts := s.dict(int(event.ColAccount)).Texts
	if column.Local != nil {
		texts = column.Local.Texts
	}
	for row := range codes {
		if b.MarksOf(row)&block.MarkProven != 0 {
			codes[row] = g.Accounts[texts[column.At(row)]]
		}
	}
}
