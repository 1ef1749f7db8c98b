package engine

import (
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/burn"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/engine/visit"
	"github.com/readership/readership/internal/event"
)

// View is one site as it was at Position. It is immutable; readers keep it as
// long as they like and take no lock.
type View struct {
	Site     *event.Site
	Position event.Position
	// Now is the site's clock in Unix milliseconds: the greatest event time
	// for a site with clock "event", else log time.
	Now int64
	// From is the instant from which the view is complete: now less the window,
	// or later where memory or the log's length cut it. Rows before it may
	// still lie in the blocks and must not be counted.
	From int64
	// Cut says why From is later than the window ("" if it is not).
	Cut    string
	Shards []*ShardView
	Items  *Catalog
	// Profiles are what is proven of the site's readers; never nil.
	Profiles *Profiles
}

// ShardView is one shard's part of a View. Subjects (devices) are divided over
// shards: ordinals of different shards are different devices.
type ShardView struct {
	// Columns are the site's columns in this shard by number: the built-in
	// ones under their event.Column, then properties in order of appearance.
	Columns []ColumnView
	// Full says that no further property of rows becomes a column.
	Full bool
	// Blocks are in order of day; several a day, of each kind.
	Blocks []*block.Block
	// ByID finds the block of a row (block.RowID); nil where it has left.
	ByID map[uint16]*block.Block
	// Visits are all visits, in chunks by the UTC day they start on. Skip those
	// that are not Counted.
	Visits []*visit.Chunk
	// Seen is when the readers of recent visits last viewed a page or engaged,
	// where that is not the visit's end.
	Seen     map[visit.ID]int64
	Subjects subject.Snapshot
	// Readers finds readers by name, with their rows; nil unless the view was
	// asked for with Engine.Readers.
	Readers *ReadersView
}

// ReadersView is what a ShardView needs to answer about one reader.
type ReadersView struct {
	table *subject.Readers
	// devices are the accounts proven on devices, accounts the devices of
	// accounts; nil where the site has no accounts.
	devices, accounts *subject.PairsView
	visits            []*visit.Chunk // of accounts
	burns             *burn.View
	meters            []meter // by number, less one
}

// ColumnView describes a column of a shard.
type ColumnView struct {
	Name string // name of the property, or of the built-in column
	// Dict is the shard's dictionary of the column. A block whose column has a
	// Local dictionary uses that one instead.
	Dict block.DictView
}

// ColumnByName returns the number of a column, -1 if the shard has none of
// that name. Built-in names come first; property says to look at properties
// only.
func (s *ShardView) ColumnByName(name string, property bool) int {
	if !property {
		if c, ok := event.ColumnByName(name); ok {
			return int(c)
		}
	}
	for i := int(event.NumColumns); i < len(s.Columns); i++ {
		if s.Columns[i].Name == name {
			return i
		}
	}
	return -1
}
