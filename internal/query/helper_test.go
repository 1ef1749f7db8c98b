package query

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// feed applies messages to an engine in memory as the committer would.
type feed struct {
	t   testing.TB
	e   *engine.Engine
	enc event.Encoder
	seq uint64
}

func newFeed(t testing.TB, shards int, site event.Site) *feed {
	t.Helper()
	e, err := engine.Open(engine.Config{Shards: shards})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	f := &feed{t: t, e: e}
	value, err := json.Marshal(site.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	f.fact(event.Fact{Kind: event.FactSite, Key: site.ID, Site: site.ID, Value: value})
	return f
}

func (f *feed) fact(fact event.Fact) {
	f.t.Helper()
	f.enc.Reset(t0)
	f.enc.AddFact(fact)
	f.send()
}

func (f *feed) item(site string, item event.Item) {
	f.t.Helper()
	value, err := json.Marshal(item)
	if err != nil {
		f.t.Fatal(err)
	}
	f.fact(event.Fact{Kind: event.FactItem, Key: item.ID, Site: site, Value: value})
}

func (f *feed) send() {
	f.t.Helper()
	f.seq++
	if err := f.e.Apply(event.MakePosition(20000, 0, f.seq), f.enc.AppendTo(nil)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *feed) view(site string) *engine.View {
	f.t.Helper()
	v, err := f.e.View(context.Background(), site, event.MakePosition(20000, 0, f.seq))
	if err != nil {
		f.t.Fatalf("view: %v (%+v)", err, f.e.Failure())
	}
	return v
}
