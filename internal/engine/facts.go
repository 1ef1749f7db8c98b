package engine

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/readership/readership/internal/event"
)

// facts are what outlives the window: sites, items, traits, links, and the
// clocks of sites with clock "event". The dispatcher writes, anybody reads.
type facts struct {
	address func(*event.Site, string) string

	mu       sync.RWMutex
	sites    map[string]*event.Site
	clocks   map[string]int64
	values   map[factKey][]byte // of every fact, as written
	catalogs map[string]*catalog
	changed  map[factKey]bool // since the last checkpoint
}

type factKey struct{ kind, site, key string }

// catalog is a site's items as the dispatcher changes them.
type catalog struct {
	items     map[string]*event.Item
	addresses map[string]string
	shared    *Catalog // what readers hold; nil once items have changed
}

func newFacts(address func(*event.Site, string) string) *facts {
	if address == nil {
		address = func(_ *event.Site, a string) string { return a }
	}
	return &facts{address: address, sites: map[string]*event.Site{}, clocks: map[string]int64{},
		values: map[factKey][]byte{}, catalogs: map[string]*catalog{}, changed: map[factKey]bool{}}
}

// apply puts a fact in place. What cannot be read is kept as written and has
// no effect: the API has checked it before it was written.
func (f *facts) apply(fact *event.Fact) {
	key := factKey{strings.Clone(fact.Kind), strings.Clone(fact.Site), strings.Clone(fact.Key)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(fact.Value) == 0 {
		delete(f.values, key)
	} else {
		f.values[key] = slices.Clone(fact.Value)
	}
	f.changed[key] = true
	switch key.kind {
	case event.FactSite:
		f.applySite(key, fact.Value)
	case event.FactItem:
		f.applyItem(key, fact.Value)
	}
}

func (f *facts) applySite(key factKey, value []byte) {
	if len(value) == 0 {
		delete(f.sites, key.key)
		delete(f.clocks, key.key)
		delete(f.catalogs, key.key)
		for k := range f.values {
			if k.site == key.key {
				delete(f.values, k)
				f.changed[k] = true
			}
		}
		return
	}
	site := &event.Site{}
	if json.Unmarshal(value, site) != nil {
		return
	}
	*site = site.WithDefaults()
	f.sites[key.key] = site
}

func (f *facts) applyItem(key factKey, value []byte) {
	site := f.sites[key.site]
	if site == nil {
		return
	}
	c := f.catalogs[key.site]
	if c == nil {
		c = &catalog{items: map[string]*event.Item{}, addresses: map[string]string{}}
		f.catalogs[key.site] = c
	}
	c.shared = nil
	if old := c.items[key.key]; old != nil {
		for _, a := range f.addressesOf(site, old) {
			if c.addresses[a] == key.key {
				delete(c.addresses, a)
			}
		}
		delete(c.items, key.key)
	}
	if len(value) == 0 {
		return
	}
	item := &event.Item{}
	if json.Unmarshal(value, item) != nil {
		return
	}
	item.ID = key.key
	c.items[key.key] = item
	for _, a := range f.addressesOf(site, item) {
		c.addresses[a] = key.key
	}
}

func (f *facts) addressesOf(site *event.Site, item *event.Item) []string {
	var out []string
	for _, a := range append([]string{item.URL}, item.Aliases...) {
		if a == "" {
			continue
		}
		if a = f.address(site, a); a != "" {
			out = append(out, a)
		}
	}
	return out
}

func (f *facts) site(id string) (*event.Site, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	s, ok := f.sites[id]
	return s, ok
}

// list returns all sites by id.
func (f *facts) list() []*event.Site {
	f.mu.RLock()
	defer f.mu.RUnlock()
	out := make([]*event.Site, 0, len(f.sites))
	for _, s := range f.sites {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *event.Site) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// markUnsaved makes unsaved return every fact.
func (f *facts) markUnsaved() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k := range f.values {
		f.changed[k] = true
	}
}

// unsaved returns the facts that changed since it was last called, with an
// empty value where they are gone, and the clocks.
func (f *facts) unsaved() ([]event.Fact, map[string]int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]event.Fact, 0, len(f.changed))
	for k := range f.changed {
		out = append(out, event.Fact{Kind: k.kind, Site: k.site, Key: k.key, Value: f.values[k]})
	}
	clear(f.changed)
	return out, maps.Clone(f.clocks)
}

func (f *facts) setClock(site string, now int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if have, ok := f.clocks[site]; !ok || now > have {
		f.clocks[strings.Clone(site)] = now
	}
}

func (f *facts) clock(site string) (int64, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	now, ok := f.clocks[site]
	return now, ok
}

// snapshot returns a site's catalogue as it is now.
func (f *facts) snapshot(site string) *Catalog {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.catalogs[site]
	if c == nil {
		return nil
	}
	if c.shared == nil {
		s := &Catalog{items: make(map[string]*event.Item, len(c.items)), addresses: make(map[string]string, len(c.addresses))}
		for k, v := range c.items {
			s.items[k] = v
		}
		for k, v := range c.addresses {
			s.addresses[k] = v
		}
		c.shared = s
	}
	return c.shared
}

// each calls fn with every fact, by kind, site and key; sites come first, as
// items need theirs.
func (f *facts) each(fn func(event.Fact) error) error {
	f.mu.RLock()
	out := make([]event.Fact, 0, len(f.values))
	for k, v := range f.values {
		out = append(out, event.Fact{Kind: k.kind, Site: k.site, Key: k.key, Value: v})
	}
	f.mu.RUnlock()
	rank := func(f event.Fact) int {
		if f.Kind == event.FactSite {
			return 0
		}
		return 1
	}
	slices.SortFunc(out, func(a, b event.Fact) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		if d := strings.Compare(a.Kind, b.Kind); d != 0 {
			return d
		}
		if d := strings.Compare(a.Site, b.Site); d != 0 {
			return d
		}
		return strings.Compare(a.Key, b.Key)
	})
	for _, fact := range out {
		if err := fn(fact); err != nil {
			return err
		}
	}
	return nil
}

// Site returns the settings of a site. They must not be changed.
func (e *Engine) Site(id string) (*event.Site, bool) { return e.facts.site(id) }

// Sites returns the settings of all sites, by id.
func (e *Engine) Sites() []*event.Site { return e.facts.list() }

// SiteNow returns a site's now: the greatest event time of a site with clock
// "event", else wall, but never before log time. Unix milliseconds.
func (e *Engine) SiteNow(site string, wall int64) int64 {
	if s, ok := e.facts.site(site); ok && s.Clock == event.ClockEvent {
		if now, ok := e.facts.clock(site); ok {
			return now
		}
	}
	return max(wall, e.LogTime())
}

// Item returns an entry of a site's catalogue. It must not be changed.
func (e *Engine) Item(site, id string) (*event.Item, bool) {
	e.facts.mu.RLock()
	defer e.facts.mu.RUnlock()
	if c := e.facts.catalogs[site]; c != nil {
		i, ok := c.items[id]
		return i, ok
	}
	return nil, false
}

// Items returns a site's entries by id.
func (e *Engine) Items(site string) []*event.Item {
	e.facts.mu.RLock()
	defer e.facts.mu.RUnlock()
	c := e.facts.catalogs[site]
	if c == nil {
		return nil
	}
	out := make([]*event.Item, 0, len(c.items))
	for _, i := range c.items {
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b *event.Item) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// ItemByAddress returns the entry that claims a normalised address.
func (e *Engine) ItemByAddress(site, address string) (id string, ok bool) {
	e.facts.mu.RLock()
	defer e.facts.mu.RUnlock()
	if c := e.facts.catalogs[site]; c != nil {
		id, ok = c.addresses[address]
	}
	return id, ok
}

// Fact returns the value of a fact. It must not be changed.
func (e *Engine) Fact(kind, site, key string) ([]byte, bool) {
	e.facts.mu.RLock()
	defer e.facts.mu.RUnlock()
	v, ok := e.facts.values[factKey{kind, site, key}]
	return v, ok
}
