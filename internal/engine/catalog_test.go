package engine_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// TestCatalogue: a catalogue says what the items of its instant say, in whatever
// order they were written, after restarts and changed settings too; one that was
// taken before stays as it was.
func TestCatalogue(t *testing.T) {
	ids, addresses := []string{"a", "b", "c"}, []string{"x/1", "x/2", "x/3"}
	standIns := []string{"a", "site/x/1", "other/x/1", "site/x/2"} // ids of entries that were read from pages
	type state struct{ owners, canonical map[string]string }
	read := func(c *engine.Catalog) state {
		s := state{map[string]string{}, map[string]string{}}
		for _, a := range addresses {
			if id, ok := c.ByAddress("site/" + a); ok {
				s.owners[a] = id
			}
			s.canonical[a] = c.Canonical("site/" + a)
		}
		for item := range c.All() {
			if same, ok := c.Item(item.ID); !ok || same != item {
				s.owners[item.ID] = "is not found"
			}
		}
		return s
	}
	rapid.Check(t, func(rt *rapid.T) {
		cfg := engine.Config{Dir: t.TempDir(), Address: func(s *event.Site, a string) string { return s.Name + "/" + a }}
		f := newFeed(t, cfg, event.Site{ID: "news", Name: "site"})
		defer func() { _ = f.e.Close() }()
		model := map[string]event.Item{}
		want := func() state {
			s := state{map[string]string{}, map[string]string{}}
			for _, a := range addresses {
				s.canonical[a] = "site/" + a
				for _, id := range slices.Sorted(maps.Keys(model)) {
					if m := model[id]; m.URL == a || slices.Contains(m.Aliases, a) {
						s.owners[a], s.canonical[a] = id, id
						break
					}
				}
				if _, ok := model["site/"+a]; ok {
					s.canonical[a] = "site/" + a
				}
			}
			return s
		}
		// What was read from a page never stands where something is kept by hand.
		claimed := func(id string) bool {
			for _, m := range model {
				for _, a := range append([]string{m.URL}, m.Aliases...) {
					if m.Source == "" && (id == "site/"+a || id == "other/"+a) {
						return true
					}
				}
			}
			return false
		}
		giveWay := func(names ...string) {
			for id, m := range model {
				site, _, _ := strings.Cut(id, "/")
				if m.Source != "" && slices.Contains(names, site) && claimed(id) {
					delete(model, id)
				}
			}
		}
		type past struct {
			catalog *engine.Catalog
			state   state
		}
		var taken []past
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0:
				id := rapid.SampledFrom(ids).Draw(rt, "gone")
				delete(model, id)
				f.facts(t0, factOf(event.FactItem, id, nil))
			case 1:
				if err := f.e.Close(); err != nil {
					rt.Fatal(err)
				}
				var err error
				if f.e, err = engine.Open(cfg); err != nil {
					rt.Fatal(err)
				}
			case 2:
				f.site(t0, event.Site{ID: "news", Name: "other"})
				giveWay("other")
				f.site(t0, event.Site{ID: "news", Name: "site"})
				giveWay("site")
			case 3, 4:
				item := event.Item{ID: rapid.SampledFrom(standIns).Draw(rt, "page"), URL: rapid.SampledFrom(addresses).Draw(rt, "at"), Source: event.SourcePage}
				before, known := model[item.ID]
				if known && before.Source != "" || !known && (!strings.HasPrefix(item.ID, "site/") || !claimed(item.ID)) {
					model[item.ID] = item
				}
				f.facts(t0, factOf(event.FactItem, item.ID, item))
			default:
				item := event.Item{ID: rapid.SampledFrom(ids).Draw(rt, "id"), URL: rapid.SampledFrom(addresses).Draw(rt, "url"),
					Aliases: rapid.SliceOfN(rapid.SampledFrom(addresses), 0, 2).Draw(rt, "aliases")}
				model[item.ID] = item
				giveWay("site")
				f.facts(t0, factOf(event.FactItem, item.ID, item))
			}
			v := f.view("news")
			if diff := gocmp.Diff(want(), read(v.Items), gocmp.AllowUnexported(state{})); diff != "" {
				rt.Fatalf("catalogue (-want +got):\n%s", diff)
			}
			if v.Items.Len() != len(model) || len(f.e.Items("news")) != len(model) {
				rt.Fatalf("%d items, want %d", v.Items.Len(), len(model))
			}
			err := f.e.InTurn(context.Background(), "news", "device:d", func(r *engine.Reader) {
				if r.Items != v.Items || r.Site.Name != "site" {
					rt.Errorf("in turn there is another catalogue or site")
				}
			})
			if err != nil {
				rt.Fatal(err)
			}
			taken = append(taken, past{v.Items, want()})
		}
		for _, p := range taken {
			if diff := gocmp.Diff(p.state, read(p.catalog), gocmp.AllowUnexported(state{})); diff != "" {
				rt.Fatalf("a catalogue that was taken has changed (-want +got):\n%s", diff)
			}
		}
	})
}

// BenchmarkCatalogue measures a change of one item among 100,000 and the view
// after it.
func BenchmarkCatalogue(b *testing.B) {
	f := newFeed(b, engine.Config{}, event.Site{ID: "news"})
	id := func(n int) string {
		return strings.Repeat("i", 10) + string(rune(0x4e00+n%20000)) + string(rune('a'+n/20000))
	}
	var facts []event.Fact
	for n := range 100_000 {
		facts = append(facts, factOf(event.FactItem, id(n), event.Item{URL: "https://news.example/" + id(n)}))
	}
	for part := range slices.Chunk(facts, 1000) {
		f.facts(t0, part...)
	}
	f.view("news")
	n := 0
	for b.Loop() {
		n++
		f.facts(t0, factOf(event.FactItem, id(n%100_000), event.Item{Title: "new", URL: "https://news.example/" + id(n%100_000)}))
		f.view("news")
	}
}
