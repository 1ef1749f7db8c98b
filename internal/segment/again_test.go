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

const scriptNow = 1_774_602_000_000

// script writes messages about one site, and follows its segments.
type script struct {
	t    *testing.T
	e    *engine.Engine
	s    *Service
	enc  event.Encoder
	sent uint64
}

func newScript(t *testing.T) *script {
	e, err := engine.Open(engine.Config{Shards: 3})
	if err != nil {
		t.Fatal(err)
	}
	w := &script{t: t, e: e, s: New(Config{Engine: e, Programs: program.New(e)})}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if err := w.s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.enc.Reset(scriptNow)
	return w
}

func (w *script) send(facts ...event.Fact) {
	w.t.Helper()
	for _, f := range facts {
		w.enc.AddFact(f)
	}
	w.sent++
	if err := w.e.Apply(event.MakePosition(20000, 0, w.sent), w.enc.AppendTo(nil)); err != nil {
		w.t.Fatal(err)
	}
	w.enc.Reset(scriptNow)
}

// site makes the site, with one reader who is in the only segment of its program.
func (w *script) site(site event.Site, segment string) {
	w.t.Helper()
	value, err := json.Marshal(site)
	if err != nil {
		w.t.Fatal(err)
	}
	ev := event.Event{Time: scriptNow, Device: "d1"}
	ev.Columns[event.ColType] = event.TypePageView
	w.enc.Add(site.ID, &ev, w.sent+1, 0)
	if site.Clock == event.ClockEvent {
		w.enc.SetClock(site.ID, scriptNow)
	}
	w.send(event.Fact{Kind: event.FactSite, Site: site.ID, Key: site.ID, Value: value})
	text := "segment " + segment + " = events |> last 7d |> count >= 1\n"
	_, facts, err := program.Stored(site.ID, event.Active{}, event.Program{Files: map[string]string{event.MainFile: text}}, false)
	if err != nil {
		w.t.Fatal(err)
	}
	w.send(append(facts, program.Prepare(site.ID, 1))...)
	if err := w.s.Prepared(context.Background(), site.ID, 1); err != nil {
		w.t.Fatal(err)
	}
	if facts, err = program.Activated(site.ID, event.Active{Stored: 1}, 1); err != nil {
		w.t.Fatal(err)
	}
	w.send(facts...)
}

// TestSiteMadeAgain: of a site that was removed nothing holds for the one that is
// made under its name, whose program has the same number.
func TestSiteMadeAgain(t *testing.T) {
	ctx := context.Background()
	w := newScript(t)
	for _, segment := range []string{"first", "second"} {
		site := event.Site{ID: "news", Window: "7d"}.WithDefaults()
		w.site(site, segment)
		got, err := w.s.Of(ctx, &site, "device:d1", scriptNow)
		if err != nil || !slices.Equal(got.Segments, []string{segment}) {
			t.Fatalf("segments %v of version %d, %v, want %s", got.Segments, got.Version, err, segment)
		}
		if n, err := w.s.Size(ctx, &site, segment, scriptNow); err != nil || n.Size != 1 {
			t.Fatalf("%s has %d members, %v", segment, n.Size, err)
		}
		w.send(event.Fact{Kind: event.FactSite, Site: "news", Key: "news"})
	}
}

// TestFollowedAtOnce: who begins to follow the changes of a site need not wait for
// its next event, whatever its clock: messages are asked for until it is told.
func TestFollowedAtOnce(t *testing.T) {
	for _, clock := range []string{event.ClockWall, event.ClockEvent} {
		t.Run(clock, func(t *testing.T) {
			ctx := context.Background()
			w := newScript(t)
			w.site(event.Site{ID: "news", Window: "7d", Clock: clock}.WithDefaults(), "fan")
			sync := func() {
				if _, err := w.e.EachWatcher(ctx, "news", func(int, engine.Watcher, *engine.Live) {}); err != nil {
					t.Fatal(err)
				}
			}
			sync()
			changes := w.s.Changes("news", 0, false)
			sent := 0
			for ; sent < 100; sent++ {
				sync()
				if w.e.Due() > scriptNow {
					break
				}
				w.send()
			}
			if sent == 0 || sent == 100 {
				t.Fatalf("%d messages were asked for", sent)
			}
			if b, err := changes.Next(ctx); err != nil || !b.Reset {
				t.Fatalf("%+v, %v, want a reset", b, err)
			}
		})
	}
}
