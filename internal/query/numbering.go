package query

import (
	"sync"
	"unsafe"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
)

// numbering gives the values of a dimension numbers; 0 is None.
type numbering struct {
	ids   map[string]uint32
	texts []string
}

func newNumbering() numbering {
	return numbering{ids: map[string]uint32{None: 0}, texts: []string{None}}
}

// number returns the number of a value and adds it if it is new.
func (n *numbering) number(text string) uint32 {
	if id, ok := n.ids[text]; ok {
		return id
	}
	id := uint32(len(n.texts))
	n.ids[text] = id
	n.texts = append(n.texts, text)
	return id
}

// Cache keeps the numbers of a site's values between questions, so that shards
// meet without comparing texts. It is safe for concurrent use and never holds
// an answer. The zero Cache is ready.
type Cache struct {
	mu      sync.Mutex // guards entries and size
	entries map[cacheKey]*cacheEntry
	size    int
}

// maxCached bounds the codes that a Cache holds tables for; past it, it starts
// anew. A code takes about 8 bytes, a value about 60 beside its text.
const maxCached = 8 << 20

type cacheKey struct {
	site     string
	kind     Kind
	column   event.Column
	property string
}

// cacheEntry is one dimension of a site, as of one catalogue if its values
// come from there. A question keeps the entry that it began with.
type cacheEntry struct {
	cache   *Cache
	dim     Dimension
	catalog *engine.Catalog

	mu sync.Mutex // guards what follows
	numbering
	shards map[int]*codeTable
}

// codeTable translates the codes of a shard's dictionary.
type codeTable struct {
	codes   []string // the dictionary's texts as far as they are translated
	numbers []uint32 // by code; nil for lists
	lists   [][]uint32
	twins   bool // two codes have the same number
	seen    []bool
}

// entry returns what is known of a dimension.
func (c *Cache) entry(site string, d *Dimension, catalog *engine.Catalog) *cacheEntry {
	if !d.ofItem() {
		catalog = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || c.size > maxCached {
		c.entries, c.size = map[cacheKey]*cacheEntry{}, 0
	}
	key := cacheKey{site, d.Kind, d.Column, d.Property}
	e := c.entries[key]
	if e == nil || e.catalog != catalog {
		e = &cacheEntry{cache: c, dim: *d, catalog: catalog, numbering: newNumbering(), shards: map[int]*codeTable{}}
		c.entries[key] = e
	}
	return e
}

func (c *Cache) grown(codes int) {
	c.mu.Lock()
	c.size += codes
	c.mu.Unlock()
}

// translate returns the numbers of the codes of a shard's dictionary, or their
// lists of numbers. twins says that two codes have the same number.
func (e *cacheEntry) translate(shard int, dict block.DictView) (numbers []uint32, lists [][]uint32, twins bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.shards[shard]
	if t == nil || !continues(t.codes, dict.Texts) {
		t = &codeTable{}
		e.shards[shard] = t
	}
	if from := len(t.codes); from < len(dict.Texts) {
		for code := from; code < len(dict.Texts); code++ {
			e.add(t, uint32(code), dict.Texts[code])
		}
		t.codes = dict.Texts
		e.cache.grown(len(dict.Texts) - from)
	}
	return t.numbers, t.lists, t.twins
}

// names returns the values by number, of all numbers given so far.
func (e *cacheEntry) names() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.numbering.texts
}

// add translates one more code.
func (e *cacheEntry) add(t *codeTable, code uint32, text string) {
	if e.dim.list() {
		t.lists = append(t.lists, e.list(code, text))
		t.twins = true
		return
	}
	n := uint32(0)
	if code != 0 {
		n = e.number(valueOf(&e.dim, e.catalog, text))
	}
	for int(n) >= len(t.seen) {
		t.seen = append(t.seen, false)
	}
	t.twins = t.twins || t.seen[n]
	t.seen[n] = true
	t.numbers = append(t.numbers, n)
}

var noneList = []uint32{0}

func (e *cacheEntry) list(code uint32, text string) []uint32 {
	if code == 0 {
		return noneList
	}
	var out []uint32
	for _, v := range listOf(&e.dim, e.catalog, text) {
		n := e.number(v)
		known := false
		for _, o := range out {
			known = known || o == n
		}
		if !known {
			out = append(out, n)
		}
	}
	if out == nil {
		return noneList
	}
	return out
}

// valueOf returns the value that a stored text stands for: itself, but for
// what comes from the catalogue.
func valueOf(d *Dimension, catalog *engine.Catalog, text string) string {
	if !d.ofItem() {
		return text
	}
	text = catalog.Canonical(text)
	if d.Kind == KindColumn {
		return text
	}
	item, ok := catalog.Item(text)
	if !ok {
		return None
	}
	value := ""
	switch d.Kind {
	case KindSection:
		value = item.Section
	case KindTier:
		value = item.Tier
	case KindAttribute:
		value, ok = item.Attributes[d.Property]
		if ok {
			return value
		}
	}
	if value == "" {
		return None
	}
	return value
}

// listOf returns the values of a list that a stored item stands for.
func listOf(d *Dimension, catalog *engine.Catalog, text string) []string {
	item, ok := catalog.Item(catalog.Canonical(text))
	if !ok {
		return nil
	}
	if d.Kind == KindAuthor {
		return item.Authors
	}
	return item.Tags
}

// continues says whether now is the same append-only dictionary as before, or
// an older or newer state of it. As before is kept alive, an entry with the
// same bytes in the same place is the same entry.
func continues(before, now []string) bool {
	n := min(len(before), len(now))
	if n < 2 {
		return n == len(before)
	}
	for _, i := range [...]int{1, n / 2, n - 1} {
		if len(before[i]) != len(now[i]) || unsafe.StringData(before[i]) != unsafe.StringData(now[i]) {
			return false
		}
	}
	return true
}
