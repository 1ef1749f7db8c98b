package engine

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/readership/readership/internal/engine/burn"
	"github.com/readership/readership/internal/event"
)

// beginning says from where on the engine knows a site. An engine that replays a
// log that was cut at its front meets the site in the middle of its life: what
// meters had burned before comes with the first daily snapshot, and rows of before
// never. Where it is kept nowhere else it is a fact of the kind FactBegin, of the
// checkpoint only.
type beginning struct {
	// Position is where the site was made, 0 if that is not known.
	Position event.Position `json:"position,omitempty"`
	// Cut is the stamp of the snapshot that showed that the log was cut; 0: it was
	// not, or a whole window has passed since.
	Cut int64 `json:"cut,omitempty"`
	// Told says that burns have been told since. Before, commits are not decided.
	Told bool `json:"told,omitempty"`
}

// begun notes where a site was made.
func (f *facts) begun(site string, b beginning) {
	value, err := json.Marshal(b)
	if err != nil {
		panic(err) // numbers can be encoded
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := factKey{event.FactBegin, site, ""}
	f.values[key], f.changed[key] = value, true
	f.beginnings[site] = b
}

// beginning returns what is known of a site's.
func (f *facts) beginning(site string) beginning {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.beginnings[site]
}

// BeginSnapshot returns the fact that a daily snapshot begins with, as of
// everything that was applied or queued when it was asked for. Errors: ErrClosed,
// ErrFailed, the context's.
func (e *Engine) BeginSnapshot(ctx context.Context) (event.Fact, error) {
	out := make(chan map[string]event.Position, 1)
	err := e.everyShard(ctx, func() {
		e.facts.mu.RLock()
		defer e.facts.mu.RUnlock()
		sites := map[string]event.Position{}
		for site := range maps.Keys(e.facts.sites) {
			sites[site] = e.facts.beginnings[site].Position
		}
		out <- sites
	}, func(*shard) {})
	if err != nil {
		return event.Fact{}, err
	}
	value, err := json.Marshal(<-out)
	return event.Fact{Kind: event.FactBegin, Value: value}, err
}

// begins applies the fact that a snapshot begins with: a site that was made
// elsewhere than where this engine met it comes from a log that was cut.
func (e *Engine) begins(f *event.Fact, stamp int64) {
	var sites map[string]event.Position
	if json.Unmarshal(f.Value, &sites) != nil {
		return
	}
	for site, made := range sites {
		_, known := e.facts.site(site)
		if known && (made == 0 || made == e.facts.beginning(site).Position) {
			continue
		}
		e.facts.begun(site, beginning{Position: made, Cut: stamp})
	}
}

// tells begins the burns of a site in a snapshot: each reader's follow, in facts of
// their own. A log that was cut has made up burns of its own until its rows reach
// a whole window back: they go.
func (e *Engine) tells(m *message, site *event.Site) bool {
	b := e.facts.beginning(site.ID)
	if b.Cut == 0 {
		return true
	}
	if b.Told = true; m.Stamp-b.Cut >= site.WindowDuration().Milliseconds() {
		b = beginning{Position: b.Position}
	}
	e.facts.begun(site.ID, b)
	id := site.ID
	return e.each(m, func(s *shard) { s.applier.forgetBurns(id) })
}

// forgetBurns forgets what meters have burned of the readers of this shard.
func (a *applier) forgetBurns(site string) {
	s := a.sites[site]
	if s == nil {
		return
	}
	for next := 0; next >= 0; {
		next = s.burns.table.Owners(next, 1<<16, func(owner uint32) bool {
			s.burns.table.Remove(owner, func(*burn.Burn) bool { return true })
			return true
		})
	}
	s.changed, s.view = true, nil
}
