package engine

import "github.com/readership/readership/internal/event"

// Catalog is a site's items at one instant. It is immutable.
type Catalog struct {
	items     map[string]*event.Item
	addresses map[string]string // normalised address → item id
}

// Item returns the entry with an id.
func (c *Catalog) Item(id string) (*event.Item, bool) {
	if c == nil {
		return nil, false
	}
	i, ok := c.items[id]
	return i, ok
}

// ByAddress returns the id of the entry that claims a normalised address, by
// its url or an alias.
func (c *Catalog) ByAddress(address string) (id string, ok bool) {
	if c == nil {
		return "", false
	}
	id, ok = c.addresses[address]
	return id, ok
}

// Canonical returns the id that rows stored under id count for: id itself, or
// the entry that has since claimed the address id stands for.
func (c *Catalog) Canonical(id string) string {
	if c == nil || len(c.addresses) == 0 {
		return id
	}
	if _, ok := c.items[id]; ok {
		return id
	}
	if owner, ok := c.addresses[id]; ok {
		return owner
	}
	return id
}

// Items returns all entries, in no order. The map must not be changed.
func (c *Catalog) Items() map[string]*event.Item {
	if c == nil {
		return nil
	}
	return c.items
}
