package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

func (n *node) upkeep() *upkeep {
	return &upkeep{engine: n.engine, facts: n.facts, log: n.log, store: n.store, now: n.cfg.Now, logger: slog.New(slog.DiscardHandler)}
}

func putSite(t *testing.T, n *node, site event.Site) {
	t.Helper()
	site = site.WithDefaults()
	value, err := json.Marshal(&site)
	if err != nil {
		t.Fatal(err)
	}
	putFact(t, n, event.Fact{Kind: event.FactSite, Key: site.ID, Value: value})
}

func putFact(t *testing.T, n *node, f event.Fact) {
	t.Helper()
	position, err := n.facts.CommitFacts(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.engine.Wait(t.Context(), position); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, n *node, site, device string, at time.Time) {
	t.Helper()
	s, ok := n.engine.Site(site)
	if !ok {
		t.Fatalf("no site %q", site)
	}
	e := event.Event{ID: fmt.Sprintf("%s-%d", device, at.UnixNano()), Time: at.UnixMilli(), Device: device}
	e.Columns[event.ColType], e.Columns[event.ColItem] = event.TypePageView, "a1"
	sub := &eventlog.Submission{Site: s, Events: []event.Event{e}}
	if err := n.committer.Commit(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	if v := sub.Verdicts[0]; v.Outcome != eventlog.Stored {
		t.Fatalf("view at %s: %+v", at, v)
	}
	if err := n.engine.Wait(t.Context(), sub.Position); err != nil {
		t.Fatal(err)
	}
}

func TestEveryRetainedLogHasAllFacts(t *testing.T) {
	dir := t.TempDir()
	c := newClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	n, stop := up(t, Config{Data: dir, Now: c.now})
	putSite(t, n, event.Site{ID: "news", Window: "2d", Timezone: "Europe/Berlin"})
	putFact(t, n, event.Fact{Kind: event.FactItem, Site: "news", Key: "a1", Value: []byte(`{"id":"a1","title":"One"}`)})
	putFact(t, n, event.Fact{Kind: event.FactItem, Site: "news", Key: "gone", Value: []byte(`{"id":"gone"}`)})
	putFact(t, n, event.Fact{Kind: event.FactItem, Site: "news", Key: "gone"})
	first := c.now()
	view(t, n, "news", "d1", first)
	u := n.upkeep()
	for range 8 {
		if err := u.daily(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.advance(24 * time.Hour)
	}
	last := c.now()
	view(t, n, "news", "d2", last)
	if err := u.daily(t.Context()); err != nil {
		t.Fatal(err)
	}
	oldest, longest := n.log.First().Day(), 2*24*time.Hour+keepBeyond
	if want := int(last.Add(-longest).UnixMilli() / dayMillis); oldest != want {
		t.Errorf("the log begins on day %d, want %d", oldest, want)
	}
	stop()

	// Without a checkpoint everything comes from what is left of the log.
	if err := os.RemoveAll(dir + "/checkpoint"); err != nil {
		t.Fatal(err)
	}
	n, _ = up(t, Config{Data: dir, Now: c.now})
	if site, ok := n.engine.Site("news"); !ok || site.Timezone != "Europe/Berlin" {
		t.Errorf("site %+v, %v", site, ok)
	}
	if item, ok := n.engine.Item("news", "a1"); !ok || item.Title != "One" {
		t.Errorf("item %+v, %v", item, ok)
	}
	if _, ok := n.engine.Item("news", "gone"); ok {
		t.Error("a removed item came back")
	}
	v, err := n.engine.View(t.Context(), "news", n.log.Last())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int64{}
	for _, s := range v.Shards {
		for o := range s.Subjects.Len() {
			subject := s.Subjects.Subjects.At(o)
			seen[s.Subjects.Name(uint32(o))] = subject.FirstSeen()
		}
	}
	if seen["d1"] != first.UnixMilli() || seen["d2"] != last.UnixMilli() {
		t.Errorf("first seen %v, want d1 at %d and d2 at %d", seen, first.UnixMilli(), last.UnixMilli())
	}
}

func TestSnapshotIsWrittenOnceADay(t *testing.T) {
	c := newClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	n, _ := up(t, Config{Data: t.TempDir(), Now: c.now})
	putSite(t, n, event.Site{ID: "news"})
	u := n.upkeep()
	if err := u.daily(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := n.log.Last()
	if err := u.daily(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n.log.Last() != before {
		t.Error("a second round wrote something")
	}
	c.advance(24 * time.Hour)
	if err := u.daily(t.Context()); err != nil {
		t.Fatal(err)
	}
	if days := u.snapshots(); len(days) != 2 || days[1] != days[0]+1 {
		t.Errorf("snapshots on days %v", days)
	}
}

func TestSnapshotNeverBringsAnOldValueBack(t *testing.T) {
	n, _ := up(t, Config{Data: t.TempDir()})
	putSite(t, n, event.Site{ID: "news"})
	for i := range 100 {
		putFact(t, n, event.Fact{Kind: event.FactItem, Site: "news", Key: fmt.Sprint(i), Value: []byte(`{"title":"0"}`)})
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := n.upkeep().snapshot(t.Context()); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for round := 1; round <= 4; round++ {
		for i := range 100 {
			value := fmt.Appendf(nil, `{"title":"%d"}`, round)
			if _, err := n.facts.CommitFacts(t.Context(), event.Fact{Kind: event.FactItem, Site: "news", Key: fmt.Sprint(i), Value: value}); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := n.engine.Wait(t.Context(), n.log.Last()); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if item, ok := n.engine.Item("news", fmt.Sprint(i)); !ok || item.Title != "4" {
			t.Fatalf("item %d: %+v, %v", i, item, ok)
		}
	}
}

func TestLogTimeMovesWhileNobodyWrites(t *testing.T) {
	c := newClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	n, _ := up(t, Config{Data: t.TempDir(), Now: c.now})
	putSite(t, n, event.Site{ID: "news"})
	u := n.upkeep()
	if err := u.daily(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.advance(2 * time.Hour)
	if err := u.daily(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.engine.Wait(t.Context(), n.log.Last()); err != nil {
		t.Fatal(err)
	}
	if got := n.engine.LogTime(); got != c.now().UnixMilli() {
		t.Errorf("log time %s, want %s", time.UnixMilli(got).UTC(), c.now().UTC())
	}
}

// TestSiteRemovedDuringSnapshot: of a site that is removed while its readers are
// written into the log again nothing comes to the one that is made in its place.
func TestSiteRemovedDuringSnapshot(t *testing.T) {
	c := newClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	n, _ := up(t, Config{Data: t.TempDir(), Now: c.now})
	putSite(t, n, event.Site{ID: "news"})
	view(t, n, "news", "d1", c.now())
	removed := make(chan error, 1)
	var told []event.Fact
	err := n.upkeep().readers(t.Context(), "news", func(f event.Fact) error {
		if told = append(told, f); len(told) == 1 {
			go func() {
				_, err := n.facts.CommitFacts(t.Context(), event.Fact{Kind: event.FactSite, Site: "news", Key: "news"})
				removed <- err
			}()
			for len(removed) == 0 && n.facts.erasing.TryRLock() { // until it is removed, or waits
				n.facts.erasing.RUnlock()
				runtime.Gosched()
			}
			if len(removed) > 0 {
				t.Error("a site is removed while its readers are written")
				putSite(t, n, event.Site{ID: "news"})
			}
		}
		_, err := n.facts.CommitFacts(t.Context(), f)
		return err
	})
	if err != nil || len(told) == 0 {
		t.Fatal(len(told), err)
	}
	if err := <-removed; err != nil {
		t.Fatal(err)
	}
	for _, f := range append(told, event.Fact{Kind: event.FactItem, Site: "news", Key: "a1", Value: []byte(`{"title":"One"}`)}) {
		putFact(t, n, f) // as of a request that came before
	}
	if err := n.upkeep().snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	putSite(t, n, event.Site{ID: "news"})
	v, err := n.engine.View(t.Context(), "news", n.log.Last())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range v.Shards {
		if readers := s.Subjects.Len(); readers > 0 {
			t.Errorf("%d readers of the site that is gone", readers)
		}
	}
	if value, ok := n.engine.Fact(event.FactItem, "news", "a1"); ok {
		t.Errorf("an item of the site that is gone: %s", value)
	}
}

// TestBurnsOfACutLog: what meters have burned is the same after a restart from what
// is left of the log, though readers commit while snapshots are written.
func TestBurnsOfACutLog(t *testing.T) {
	dir := t.TempDir()
	s := openNewsroom(t, Config{Data: dir}, `,"window":"2d"`)
	device := func(n int) string { return fmt.Sprint("d", n%5) }
	u := s.node.upkeep()
	asked := 0
	for range 6 {
		done := make(chan error, 1)
		go func() { done <- u.daily(t.Context()) }()
		for written := false; !written; asked++ {
			s.verdict(device(asked), fmt.Sprint("a", asked/2), true)
			select {
			case err := <-done:
				if written = true; err != nil {
					t.Fatal(err)
				}
			default:
			}
		}
		s.clock.advance(24 * time.Hour)
	}
	if first, made := s.node.log.First().Day(), int(s.clock.now().Add(-6*24*time.Hour).UnixMilli()/dayMillis); first <= made {
		t.Fatalf("the log begins on day %d, the site was made on day %d", first, made)
	}
	burned := func(n *node) map[string][]engine.Burn {
		out := map[string][]engine.Burn{}
		v, err := n.engine.Readers(t.Context(), "news", n.log.Last())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			r, _ := v.Reader("device:" + device(i))
			r.EachBurn(func(b engine.Burn) { out[r.Name] = append(out[r.Name], b) })
		}
		return out
	}
	want := burned(s.node)
	s.stop()
	if err := os.RemoveAll(dir + "/checkpoint"); err != nil {
		t.Fatal(err)
	}
	again, _ := up(t, Config{Data: dir, Now: s.clock.now})
	if diff := cmp.Diff(want, burned(again)); diff != "" || len(want) != 5 {
		t.Errorf("%d readers have burned (-before +after):\n%s", len(want), diff)
	}
}
