package simulate

import (
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// item is what a page view counts for, in one shard.
type item struct {
	id    string
	code  uint32      // from 1
	entry *event.Item // nil: the catalogue does not have it

	// What conditions on the item alone come to, one bit each, by block.
	known, holds [2]uint64
}

// items are those of a shard's rows.
type items struct {
	catalogue *engine.Catalog
	byCode    map[uint32]*item // code of the shard's dictionary
	byText    map[string]*item // as it stands in rows, and by id
	all       []*item          // by code − 1
}

// of returns the item of a row, nil if it has none.
func (t *items) of(rows *engine.Rows, i int) *item {
	code, local := rows.Code(i, int(event.ColItem))
	if code == 0 {
		return nil
	}
	if !local {
		if known := t.byCode[code]; known != nil {
			return known
		}
	}
	text, _, _ := rows.Text(i, int(event.ColItem))
	if text == "" {
		return nil
	}
	found := t.named(text)
	if !local {
		t.byCode[code] = found
	}
	return found
}

// named returns the item that rows stored under a text count for.
func (t *items) named(text string) *item {
	if known := t.byText[text]; known != nil {
		return known
	}
	id := t.catalogue.Canonical(text)
	found := t.byText[id]
	if found == nil {
		found = &item{id: id, code: uint32(len(t.all) + 1)}
		found.entry, _ = t.catalogue.Item(id)
		t.all = append(t.all, found)
		t.byText[id] = found
	}
	t.byText[text] = found
	return found
}
