package engine

import (
	"iter"
	"slices"

	"github.com/readership/readership/internal/engine/trie"
	"github.com/readership/readership/internal/event"
)

// Catalog is a site's items at one instant. It is immutable; what changes makes
// a new one that shares all but a few nodes. While nothing changes, it is the
// same one.
type Catalog struct {
	items     trie.Map[*event.Item]
	addresses trie.Map[[]string] // normalised address → ids of the entries that claim it, in order
}

// Item returns the entry with an id.
func (c *Catalog) Item(id string) (*event.Item, bool) {
	if c == nil {
		return nil, false
	}
	return c.items.Get(id)
}

// ByAddress returns the id of the entry that claims a normalised address, by
// its url or an alias; of several the first by id, whichever came first.
func (c *Catalog) ByAddress(address string) (id string, ok bool) {
	if c == nil {
		return "", false
	}
	claims, ok := c.addresses.Get(address)
	if !ok {
		return "", false
	}
	return claims[0], true
}

// claimedByHand says whether an entry claims an address that no page was read for.
func (c *Catalog) claimedByHand(address string) bool {
	if c == nil {
		return false
	}
	claims, _ := c.addresses.Get(address)
	return slices.ContainsFunc(claims, func(id string) bool {
		item, ok := c.items.Get(id)
		return ok && item.Source != event.SourcePage
	})
}

// Canonical returns the id that rows stored under id count for: id itself, or
// the entry that has since claimed the address id stands for.
func (c *Catalog) Canonical(id string) string {
	if c == nil || c.addresses.Len() == 0 {
		return id
	}
	if _, ok := c.items.Get(id); ok {
		return id
	}
	if owner, ok := c.ByAddress(id); ok {
		return owner
	}
	return id
}

// Len returns the number of entries.
func (c *Catalog) Len() int {
	if c == nil {
		return 0
	}
	return c.items.Len()
}

// All returns all entries, in an order that depends on their ids alone. They
// must not be changed.
func (c *Catalog) All() iter.Seq[*event.Item] {
	return func(yield func(*event.Item) bool) {
		if c == nil {
			return
		}
		for _, item := range c.items.All() {
			if !yield(item) {
				return
			}
		}
	}
}

// without returns the catalogue without an entry, which claims addresses.
func (c *Catalog) without(id string, addresses []string) *Catalog {
	out := *c
	for _, a := range addresses {
		claims, _ := out.addresses.Get(a)
		i, ok := slices.BinarySearch(claims, id)
		switch {
		case !ok: // an address that stands twice
		case len(claims) == 1:
			out.addresses = out.addresses.Delete(a)
		default:
			out.addresses = out.addresses.Set(a, slices.Delete(slices.Clone(claims), i, i+1))
		}
	}
	out.items = out.items.Delete(id)
	return &out
}

// with returns the catalogue with an entry that it has not, which claims
// addresses.
func (c *Catalog) with(item *event.Item, addresses []string) *Catalog {
	out := *c
	for _, a := range addresses {
		claims, _ := out.addresses.Get(a)
		if i, ok := slices.BinarySearch(claims, item.ID); !ok {
			out.addresses = out.addresses.Set(a, slices.Insert(slices.Clone(claims), i, item.ID))
		}
	}
	out.items = out.items.Set(item.ID, item)
	return &out
}
