package engine_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// An engine of facts only knows sites, items, logins and clocks as any other does, at
// each position and from its checkpoint, and holds no row.
func TestFactsOnly(t *testing.T) {
	var tape []taped
	full := newFeed(t, engine.Config{Shards: 2}, event.Site{ID: "news"})
	full.tape = &tape
	full.site(t0, event.Site{ID: "news", Domains: []string{"news.example"}})
	full.site(t0, event.Site{ID: "old", Clock: event.ClockEvent})
	fact := func(f event.Fact, value any) event.Fact {
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		f.Value = raw
		return f
	}
	for i := range 3 {
		full.enc.Reset(t0 + int64(i))
		full.enc.AddFact(fact(event.Fact{Kind: event.FactItem, Site: "news", Key: "a1"}, event.Item{Title: "One", URL: "https://news.example/a1"}))
		full.enc.AddFact(fact(event.Fact{Kind: event.FactLogin, Site: "news", Key: "d1"}, event.Login{Account: "a7"}))
		full.enc.AddFact(fact(event.Fact{Kind: event.FactJoin, Site: "news", Key: "d1"}, event.Login{Account: "a7"}))
		e := pageView(t0, "d1", "a1")
		full.enc.Add("news", &e, uint64(i+1), 0)
		full.enc.Add("old", &e, uint64(10+i), 0)
		full.enc.SetClock("old", t0-1000+int64(i))
		full.send()
	}
	full.view("news")

	cfg := engine.Config{FactsOnly: true, Dir: t.TempDir()}
	for range 2 { // as it was fed, and from its checkpoint
		e, err := engine.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		few := &feed{t: t, e: e}
		few.play(tape)
		for _, s := range few.view("news").Shards {
			if len(s.Blocks) > 0 {
				t.Errorf("%d blocks of rows", len(s.Blocks))
			}
		}
		if !reflect.DeepEqual(e.Sites(), full.e.Sites()) || !reflect.DeepEqual(e.Items("news"), full.e.Items("news")) {
			t.Error("sites or items differ")
		}
		if account, ok := e.Login("news", "d1"); !ok || account != "a7" {
			t.Errorf("login %q", account)
		}
		if a, b := e.SiteNow("old", t0*2), full.e.SiteNow("old", t0*2); a != b || a != t0-998 {
			t.Errorf("clock %d, want %d", a, b)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
