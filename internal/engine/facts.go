package engine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/event"
)

// facts are what outlives the window: sites, items, profiles of readers, and
// the clocks of sites with clock "event". The dispatcher writes, anybody reads.
type facts struct {
	address func(*event.Site, string) string
	routes  atomic.Uint64 // counts changes of sites and of routes

	mu       sync.RWMutex
	sites    map[string]*event.Site
	clocks   map[string]int64
	values   map[factKey][]byte  // of every fact but profiles, as written
	catalogs map[string]*Catalog // of sites with items; replaced, never changed
	changed  map[factKey]bool    // since the last checkpoint
	// beginnings are where sites were made.
	beginnings map[string]beginning
	// profiles are those of each site; the map is replaced, never changed, so
	// that they are read without a lock.
	profiles atomic.Pointer[map[string]*Profiles]
	// past are the versions of accounts that something came after, by site, in
	// order of when: each leaves once the window has passed what came after it.
	past map[string][]pastVersion
}

// pastVersion says that an account changed at an instant of the site's clock.
type pastVersion struct {
	id string
	at int64
}

type factKey struct{ kind, site, key string }

func newFacts(address func(*event.Site, string) string) *facts {
	if address == nil {
		address = func(_ *event.Site, a string) string { return a }
	}
	return &facts{address: address, sites: map[string]*event.Site{}, clocks: map[string]int64{},
		values: map[factKey][]byte{}, catalogs: map[string]*Catalog{}, changed: map[factKey]bool{}, past: map[string][]pastVersion{},
		beginnings: map[string]beginning{}}
}

// isProfile says whether facts of a kind are kept in Profiles.
func isProfile(kind string) bool {
	switch kind {
	case event.FactAccount, event.FactLogin, event.FactList, event.FactSeat, event.FactUse:
		return true
	}
	return false
}

// apply puts a fact of a log message with this stamp in place. What cannot be
// read is kept as written and has no effect: the API has checked it before it
// was written.
func (f *facts) apply(fact *event.Fact, stamp int64) {
	key := factKey{strings.Clone(fact.Kind), strings.Clone(fact.Site), strings.Clone(fact.Key)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if key.site != "" && key.kind != event.FactSite && f.sites[key.site] == nil {
		return // it was removed since, and may be made again
	}
	if isProfile(key.kind) {
		f.applyProfile(key, fact, stamp)
		return
	}
	if key.kind == event.FactItem && f.keptByHand(key, fact.Value) {
		return
	}
	same := bytes.Equal(f.values[key], fact.Value)
	if len(fact.Value) == 0 {
		delete(f.values, key)
	} else {
		f.values[key] = slices.Clone(fact.Value)
	}
	f.changed[key] = true
	switch key.kind {
	case event.FactRoutes:
		f.routes.Add(1)
	case event.FactSite:
		f.applySite(key, fact.Value)
		f.routes.Add(1)
		if c := f.catalogs[key.key]; c != nil && !same { // addresses mean what the settings say
			f.catalogs[key.key] = f.anew(f.sites[key.key], c)
		}
	case event.FactItem:
		f.applyItem(key, fact.Value)
	}
}

func (f *facts) applySite(key factKey, value []byte) {
	if len(value) == 0 {
		delete(f.sites, key.key)
		delete(f.clocks, key.key)
		delete(f.catalogs, key.key)
		delete(f.beginnings, key.key)
		f.profilesOf(key.key).facts(func(kind, k string, _ []byte) { f.changed[factKey{kind, key.key, k}] = true })
		f.setProfiles(key.key, nil)
		delete(f.past, key.key)
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
	p := *f.profilesOf(key.key)
	p.zone = time.UTC
	if zone, err := time.LoadLocation(site.Timezone); err == nil {
		p.zone = zone
	}
	f.setProfiles(key.key, &p)
}

// profilesOf returns a site's profiles as they are now.
func (f *facts) profilesOf(site string) *Profiles {
	if all := f.profiles.Load(); all != nil {
		if p := (*all)[site]; p != nil {
			return p
		}
	}
	return noProfiles
}

// setProfiles replaces a site's profiles; nil removes them.
func (f *facts) setProfiles(site string, p *Profiles) {
	next := map[string]*Profiles{}
	if all := f.profiles.Load(); all != nil {
		maps.Copy(next, *all)
	}
	if p == nil {
		delete(next, site)
	} else {
		next[site] = p
	}
	f.profiles.Store(&next)
}

func (f *facts) applyProfile(key factKey, fact *event.Fact, stamp int64) {
	site := f.sites[key.site]
	if site == nil {
		return
	}
	before := f.profilesOf(key.site)
	p, changed := before.apply(fact, f.now(site, stamp))
	if !changed {
		return
	}
	f.setProfiles(key.site, p)
	before.seatsGone(p, func(k string) { f.changed[factKey{event.FactSeat, key.site, k}] = true })
	f.changed[key] = true
	if a, ok := p.accounts.Get(key.key); key.kind == event.FactAccount && ok && (a.Past != nil || a.Gone) {
		f.past[key.site] = append(f.past[key.site], pastVersion{key.key, a.Since})
	}
}

// now is a site's clock as of a message. The caller holds mu.
func (f *facts) now(site *event.Site, stamp int64) int64 {
	if site.Clock != event.ClockEvent {
		return stamp
	}
	if now, ok := f.clocks[site.ID]; ok {
		return now
	}
	return always // before the site's time began
}

// forget lets go of what no question can need any more: with every minute of
// log time, and once a day of what is looked for one by one.
func (f *facts) forget(site *event.Site, stamp int64, daily bool) {
	now := stamp
	if site.Clock == event.ClockEvent {
		var ok bool
		if now, ok = f.clock(site.ID); !ok {
			return
		}
	}
	f.forgetPast(site.ID, now-site.WindowDuration().Milliseconds())
	if daily {
		f.forgetUses(site.ID, now)
	}
}

// forgetPast lets go of versions of accounts that no question about the window
// can need. Every call costs as much as there is to let go.
func (f *facts) forgetPast(site string, from int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.past[site]
	for len(list) > 0 && list[0].at <= from {
		if p, changed := f.profilesOf(site).withoutPast(list[0].id, from); changed {
			f.setProfiles(site, p)
			f.changed[factKey{event.FactAccount, site, list[0].id}] = true
		}
		list = list[1:]
	}
	if f.past[site] = list; len(list) == 0 {
		delete(f.past, site)
	}
}

// forgetUses lets go of uses of links that mean nothing any more.
func (f *facts) forgetUses(site string, now int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setProfiles(site, f.profilesOf(site).withoutOver(now, func(kind, key string) { f.changed[factKey{kind, site, key}] = true }))
}

// erase forgets what is known of a reader, by a fact of a message with this stamp.
func (f *facts) erase(fact *event.Fact, stamp int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	site, reader := fact.Site, fact.Key
	if f.sites[site] == nil {
		return
	}
	var also event.Erase
	_ = json.Unmarshal(fact.Value, &also) // the reader is erased whatever it says
	gone := func(kind, key string) { f.changed[factKey{kind, site, key}] = true }
	f.setProfiles(site, f.profilesOf(site).without(reader, also.Giver, f.now(f.sites[site], stamp), gone))
	for k := range f.values {
		if k.kind == event.FactEmptied && k.site == site && strings.HasPrefix(k.key, event.MeterKey(reader, "")) {
			delete(f.values, k)
			f.changed[k] = true
		}
	}
	if account, ok := strings.CutPrefix(reader, accountPrefix); ok {
		f.past[site] = slices.DeleteFunc(f.past[site], func(v pastVersion) bool { return v.id == account })
	}
}

// erased returns when a reader was erased last, by site.
func (f *facts) erased() map[string]int64 {
	out := map[string]int64{}
	if all := f.profiles.Load(); all != nil {
		for site, p := range *all {
			if p.erased != 0 {
				out[site] = p.erased
			}
		}
	}
	return out
}

// setErased restores what erased returned.
func (f *facts) setErased(all map[string]int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for site, at := range all {
		p := *f.profilesOf(site)
		p.erased = at
		f.setProfiles(site, &p)
	}
}

// restore puts a fact of a checkpoint in place.
func (f *facts) restore(fact *event.Fact) error {
	switch fact.Kind {
	case event.FactAccount:
	case event.FactBegin:
		var b beginning
		if err := json.Unmarshal(fact.Value, &b); err != nil {
			return err
		}
		f.begun(fact.Site, b)
		return nil
	default:
		f.apply(fact, 0)
		return nil
	}
	a, err := decodeVersions(fact.Key, fact.Value)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := *f.profilesOf(fact.Site)
	p.accounts = p.accounts.Set(fact.Key, a)
	f.setProfiles(fact.Site, &p)
	for v := a; v != nil; v = v.Past {
		if v.Past != nil || v.Gone {
			f.past[fact.Site] = append(f.past[fact.Site], pastVersion{fact.Key, v.Since})
		}
	}
	return nil
}

// restored ends the restoring.
func (f *facts) restored() {
	for _, list := range f.past {
		slices.SortFunc(list, func(a, b pastVersion) int { return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.id, b.id)) })
	}
	f.unsaved()
}

// saved returns the value of a fact as a checkpoint keeps it, nil if there is
// none. The caller holds mu.
func (f *facts) saved(k factKey) []byte {
	switch {
	case k.kind == event.FactAccount:
		if a, ok := f.profilesOf(k.site).accounts.Get(k.key); ok {
			return a.encodeVersions()
		}
		return nil
	case isProfile(k.kind):
		return f.profilesOf(k.site).value(k.kind, k.key)
	}
	return f.values[k]
}

// eachProfile calls fn with every fact that Profiles keep. The caller holds mu.
func (f *facts) eachProfile(fn func(k factKey, value []byte)) {
	if all := f.profiles.Load(); all != nil {
		for site, p := range *all {
			p.facts(func(kind, key string, value []byte) { fn(factKey{kind, site, key}, value) })
		}
	}
}

func (f *facts) applyItem(key factKey, value []byte) {
	site := f.sites[key.site]
	if site == nil {
		return
	}
	c := f.catalogs[key.site]
	if c == nil {
		c = &Catalog{}
	}
	if old, ok := c.Item(key.key); ok {
		c = c.without(key.key, f.addressesOf(site, old))
	}
	item := &event.Item{}
	if len(value) > 0 && json.Unmarshal(value, item) == nil {
		item.ID = key.key
		addresses := f.addressesOf(site, item)
		c = c.with(item, addresses)
		if item.Source != event.SourcePage {
			c = f.withoutPages(c, site, addresses)
		}
	}
	f.catalogs[key.site] = c
}

// keptByHand says whether an item's fact is an entry read from a page whose place
// one that is kept by hand has: its id, or the address that its id is. Whoever
// fetched the page may not have known yet.
func (f *facts) keptByHand(key factKey, value []byte) bool {
	item := &event.Item{}
	if len(value) == 0 || json.Unmarshal(value, item) != nil || item.Source != event.SourcePage {
		return false
	}
	c := f.catalogs[key.site]
	if before, ok := c.Item(key.key); ok {
		return before.Source != event.SourcePage
	}
	return c.claimedByHand(key.key)
}

// withoutPages returns the catalogue without the entries read from pages whose ids
// are addresses that an entry kept by hand claims: what they stand for is its.
func (f *facts) withoutPages(c *Catalog, site *event.Site, addresses []string) *Catalog {
	for _, a := range addresses {
		if item, ok := c.Item(a); ok && item.Source == event.SourcePage {
			c = c.without(a, f.addressesOf(site, item))
			key := factKey{event.FactItem, site.ID, a}
			delete(f.values, key)
			f.changed[key] = true
		}
	}
	return c
}

// anew returns a site's catalogue with the addresses that its entries now have.
func (f *facts) anew(site *event.Site, c *Catalog) *Catalog {
	out := &Catalog{}
	for item := range c.All() {
		out = out.with(item, f.addressesOf(site, item))
	}
	for item := range c.All() {
		if item.Source != event.SourcePage {
			out = f.withoutPages(out, site, f.addressesOf(site, item))
		}
	}
	return out
}

func (f *facts) addressesOf(site *event.Site, item *event.Item) []string {
	return addressesOf(f.address, site, item)
}

// addressesOf returns the addresses that an entry claims, normalised.
func addressesOf(address func(*event.Site, string) string, site *event.Site, item *event.Item) []string {
	var out []string
	for _, a := range append([]string{item.URL}, item.Aliases...) {
		if a == "" {
			continue
		}
		if a = address(site, a); a != "" {
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
	f.eachProfile(func(k factKey, _ []byte) { f.changed[k] = true })
	for site, list := range f.past { // accounts that are gone, but stood in the window
		for _, v := range list {
			f.changed[factKey{event.FactAccount, site, v.id}] = true
		}
	}
}

// unsaved returns the facts that changed since it was last called, with an
// empty value where they are gone, and the clocks.
func (f *facts) unsaved() ([]event.Fact, map[string]int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]event.Fact, 0, len(f.changed))
	for k := range f.changed {
		out = append(out, event.Fact{Kind: k.kind, Site: k.site, Key: k.key, Value: f.saved(k)})
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

// catalog returns a site's catalogue as it is now; nil has no items.
func (f *facts) catalog(site string) *Catalog {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.catalogs[site]
}

// each calls fn with every fact, by kind, site and key; sites come first, as
// items need theirs.
func (f *facts) each(fn func(event.Fact) error) error {
	f.mu.RLock()
	out := make([]event.Fact, 0, len(f.values))
	for k, v := range f.values {
		if k.kind != event.FactBegin {
			out = append(out, event.Fact{Kind: k.kind, Site: k.site, Key: k.key, Value: v})
		}
	}
	f.eachProfile(func(k factKey, value []byte) {
		out = append(out, event.Fact{Kind: k.kind, Site: k.site, Key: k.key, Value: value})
	})
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

// RoutesVersion changes after every change of the settings of a site or of
// routes.
func (e *Engine) RoutesVersion() uint64 { return e.facts.routes.Load() }

// Routes returns the value of a site's FactRoutes. It must not be changed.
func (e *Engine) Routes(site string) ([]byte, bool) { return e.Fact(event.FactRoutes, site, "") }

// Item returns an entry of a site's catalogue. It must not be changed.
func (e *Engine) Item(site, id string) (*event.Item, bool) { return e.facts.catalog(site).Item(id) }

// Items returns a site's entries by id.
func (e *Engine) Items(site string) []*event.Item {
	return slices.SortedFunc(e.facts.catalog(site).All(), func(a, b *event.Item) int { return strings.Compare(a.ID, b.ID) })
}

// ItemByAddress returns the entry that claims a normalised address.
func (e *Engine) ItemByAddress(site, address string) (id string, ok bool) {
	return e.facts.catalog(site).ByAddress(address)
}

// Fact returns the value of a fact. It must not be changed.
func (e *Engine) Fact(kind, site, key string) ([]byte, bool) {
	if isProfile(kind) {
		v := e.facts.profilesOf(site).value(kind, key)
		return v, v != nil
	}
	e.facts.mu.RLock()
	defer e.facts.mu.RUnlock()
	v, ok := e.facts.values[factKey{kind, site, key}]
	return v, ok
}

// Profiles returns what is proven of a site's readers, as of everything applied
// so far. It takes no lock.
func (e *Engine) Profiles(site string) *Profiles { return e.facts.profilesOf(site) }

// Login returns the account that a device of a site is logged in to. It takes
// no lock.
func (e *Engine) Login(site, device string) (account string, ok bool) {
	return e.facts.profilesOf(site).Login(device)
}
