package segment

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/program"
)

// TestSiteMadeAgain: of a site that was removed nothing holds for the one that is
// made under its name, whose program has the same number.
func TestSiteMadeAgain(t *testing.T) {
	const now = 1_774_602_000_000
	ctx := context.Background()
	e, err := engine.Open(engine.Config{Shards: 3})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Engine: e, Programs: program.New(e)})
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	var enc event.Encoder
	sent := uint64(0)
	send := func() {
		t.Helper()
		sent++
		if err := e.Apply(event.MakePosition(20000, 0, sent), enc.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		enc.Reset(now)
	}
	fact := func(kind, site, key string, value any) {
		t.Helper()
		f := event.Fact{Kind: kind, Site: site, Key: key}
		if value != nil {
			if f.Value, err = json.Marshal(value); err != nil {
				t.Fatal(err)
			}
		}
		enc.AddFact(f)
	}
	enc.Reset(now)
	for _, segment := range []string{"first", "second"} {
		site := event.Site{ID: "news", Window: "7d"}.WithDefaults()
		fact(event.FactSite, "news", "news", site)
		ev := event.Event{Time: now, Device: "d1"}
		ev.Columns[event.ColType] = event.TypePageView
		enc.Add("news", &ev, sent+1, 0)
		send()
		_, facts, err := program.Stored("news", event.Active{}, event.Program{Files: map[string]string{event.MainFile: "segment " + segment + " = events |> last 7d |> count >= 1\n"}}, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range append(facts, program.Prepare("news", 1)) {
			enc.AddFact(f)
		}
		send()
		if err := s.Prepared(ctx, "news", 1); err != nil {
			t.Fatal(err)
		}
		facts, err = program.Activated("news", event.Active{Stored: 1}, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range facts {
			enc.AddFact(f)
		}
		send()
		got, err := s.Of(ctx, &site, "device:d1", now)
		if err != nil || !slices.Equal(got.Segments, []string{segment}) {
			t.Fatalf("segments %v of version %d, %v, want %s", got.Segments, got.Version, err, segment)
		}
		if n, err := s.Size(ctx, &site, segment, now); err != nil || n.Size != 1 {
			t.Fatalf("%s has %d members, %v", segment, n.Size, err)
		}
		fact(event.FactSite, "news", "news", nil)
		send()
	}
}
