package demo

import (
	"context"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/readership/readership/internal/enrich"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

var berlin = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return zone
}()

func TestCatalogue(t *testing.T) {
	now := time.Date(2026, 3, 20, 15, 0, 0, 0, berlin)
	s := New(1, now, berlin)
	articles := s.Articles()
	if len(articles) < 380 || len(articles) > 420 {
		t.Errorf("%d articles", len(articles))
	}
	ids, bySection, titles := map[string]bool{}, map[string]int{}, map[string]bool{}
	for _, a := range articles {
		ids[a.ID], titles[a.Title] = true, true
		bySection[a.Section]++
		if a.Published.After(now) || strings.ContainsAny(a.Title, "{}") || len(a.Tags) == 0 || len(a.Authors) == 0 || !strings.HasSuffix(a.URL, a.ID) {
			t.Errorf("%+v", a)
		}
	}
	if len(ids) != len(articles) || len(titles) < len(articles)*4/5 || len(bySection) != len(sections) {
		t.Errorf("%d ids, %d titles, %v", len(ids), len(titles), bySection)
	}
}

func TestReadersBehaveLikeReaders(t *testing.T) {
	start := time.Date(2026, 3, 18, 0, 0, 0, 0, berlin)
	s := New(1, start, berlin)
	var e event.Event
	last := int64(0)
	views, perDevice, perItem, byHour := map[string]string{}, map[string]int{}, map[string]int{}, [24]int{}
	seen, pages := map[string]bool{}, 0
	for {
		s.Next(&e)
		if e.Time >= start.AddDate(0, 0, 1).UnixMilli() {
			break
		}
		if e.Time < last || e.Device == "" || seen[e.ID] {
			t.Fatalf("after %d: %+v", last, e)
		}
		last, seen[e.ID] = e.Time, true
		switch e.Type() {
		case event.TypePageView:
			pages++
			views[e.View] = e.Device
			perDevice[e.Device]++
			perItem[e.Columns[event.ColItem]]++
			byHour[time.UnixMilli(e.Time).In(berlin).Hour()]++
		case event.TypeEngagement:
			if views[e.View] != e.Device {
				t.Fatalf("engagement of a view that is not its reader's: %+v", e)
			}
		}
	}
	if pages < 20_000 || pages > 60_000 {
		t.Errorf("%d page views a day", pages)
	}
	if byHour[3]*3 > byHour[19] {
		t.Errorf("no night: %v", byHour)
	}
	top := 0
	for item, n := range perItem {
		if item != homeID {
			top = max(top, n)
		}
	}
	if top < pages/100 || top > pages/3 {
		t.Errorf("the most read article has %d of %d views", top, pages)
	}
	if len(perDevice) > pages*3/4 {
		t.Errorf("%d readers for %d views", len(perDevice), pages)
	}
	t.Logf("%d page views, %d readers, %d items, top %d, home %d, %d events", pages, len(perDevice), len(perItem), top, perItem[homeID], len(seen))
}

func TestSameSeedSameEvents(t *testing.T) {
	start := time.Date(2026, 3, 18, 9, 0, 0, 0, berlin)
	a, b := New(3, start, berlin), New(3, start, berlin)
	var x, y event.Event
	for range 2000 {
		a.Next(&x)
		b.Next(&y)
		if x.ID != y.ID || x.Time != y.Time || x.Device != y.Device || x.Columns != y.Columns {
			t.Fatalf("%+v\n%+v", x, y)
		}
	}
}

func TestIntensityOfAWeek(t *testing.T) {
	sum := 0.0
	start := time.Date(2026, 3, 16, 0, 0, 0, 0, time.UTC)
	for h := range 7 * 24 {
		sum += intensity(start.Add(time.Duration(h) * time.Hour))
	}
	if mean := sum / (7 * 24); math.Abs(mean-1) > 0.06 {
		t.Errorf("mean %g", mean)
	}
}

// written keeps what a newspaper writes.
type written struct {
	mu     sync.Mutex
	ids    map[string]bool
	doubts int // ids that came twice, events in the future
	items  map[string]bool
	events int
	newest int64
	live   int
	refuse int
	stopAt int // events after which stop is called
	stop   func()
}

func (w *written) Commit(_ context.Context, s *eventlog.Submission) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse > 0 {
		w.refuse--
		return eventlog.ErrOverloaded
	}
	w.events += len(s.Events)
	if w.stop != nil && w.events >= w.stopAt {
		w.stop()
	}
	for i := range s.Events {
		e := &s.Events[i]
		w.newest = max(w.newest, e.Time)
		if w.ids[e.ID] || e.Time > time.Now().UnixMilli() {
			w.doubts++
		}
		w.ids[e.ID] = true
	}
	if !s.Import {
		w.live += len(s.Events)
	}
	return nil
}

func (w *written) CommitFacts(_ context.Context, facts ...event.Fact) (event.Position, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range facts {
		w.items[f.Key] = true
	}
	return 1, nil
}

func TestRunWritesPastAndPresentAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &written{items: map[string]bool{}, ids: map[string]bool{}, refuse: 2}
		site := Site()
		past := 0
		cfg := Config{Committer: w, Site: func() (*event.Site, bool) { return &site, true }, State: filepath.Join(t.TempDir(), "demo.json"),
			Days: 1, Seed: 1, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Past: func(n int, _ time.Duration) { past = n }}
		run := func(d time.Duration) {
			ctx, cancel := context.WithTimeout(context.Background(), d)
			defer cancel()
			if err := Run(ctx, cfg); err != nil {
				t.Fatal(err)
			}
		}
		run(time.Hour)
		if past < 20_000 || !w.items[homeID] || len(w.items) < 380 {
			t.Errorf("past of %d events, %d items", past, len(w.items))
		}
		if w.live < 100 || time.Since(time.UnixMilli(w.newest)) > 10*time.Minute {
			t.Errorf("%d live events, the newest %s old", w.live, time.Since(time.UnixMilli(w.newest)))
		}
		if w.doubts > 0 {
			t.Errorf("%d events twice or in the future", w.doubts)
		}
		time.Sleep(2 * time.Hour)
		past, before := 0, w.events
		run(time.Minute)
		if more := w.events - before; past != 0 || more < 300 || more > 20_000 {
			t.Errorf("after a break of 2 h it wrote %d events and %d of the past", more, past)
		}
	})
}

func TestAnInterruptedPastIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := Site()
		w := &written{items: map[string]bool{}, ids: map[string]bool{}}
		cfg := Config{Committer: w, Site: func() (*event.Site, bool) { return &site, true }, State: filepath.Join(t.TempDir(), "demo.json"),
			Days: 2, Seed: 1, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		w.stopAt, w.stop = 30_000, cancel
		if err := Run(ctx, cfg); err != nil {
			t.Fatal(err)
		}
		finished := 0
		w.stop = nil
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cfg.Past = func(n int, _ time.Duration) { finished = n }
		if err := Run(ctx, cfg); err != nil {
			t.Fatal(err)
		}
		if finished == 0 || finished > w.events-20_000 || w.doubts > 0 {
			t.Errorf("the second run wrote %d of %d events of the past, %d doubtful", finished, w.events, w.doubts)
		}
	})
}

// Channels and robots are what events that are collected would have.
func TestWhatFollowsIsWhatEnrichmentSays(t *testing.T) {
	rules := enrich.NewChannels(nil)
	for _, s := range sources {
		hosts := s.hosts
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		for _, host := range hosts {
			came := enrich.Came{Kind: enrich.KindOf(host), Host: host, Source: s.campaign[0], Medium: s.campaign[1], Campaign: s.campaign[2]}
			if got := rules.Of(&came); got != s.channel {
				t.Errorf("%s %q: %q, want %q", host, s.campaign, got, s.channel)
			}
		}
	}
	for i, a := range platforms() {
		if a.Robot() || a.Device == "" || a.Browser == "" || a.OS == "" {
			t.Errorf("%s: %+v", agents[i], *a)
		}
	}
	classes := map[string]bool{}
	for i, a := range robots() {
		classes[a.Class] = true
		if !a.Robot() || a.Operator == "" {
			t.Errorf("%s: %+v", robotAgents[i], *a)
		}
	}
	if len(classes) < 5 {
		t.Errorf("robots of %d classes", len(classes))
	}
	start := time.Date(2026, 3, 18, 9, 0, 0, 0, berlin)
	s, robotViews, views, channels := New(1, start, berlin), 0, 0, map[string]bool{}
	var e event.Event
	for range 20_000 {
		s.Next(&e)
		if e.Type() != event.TypePageView {
			continue
		}
		views++
		channels[e.Columns[event.ColChannel]] = true
		if robot := e.Columns[event.ColBotClass] != ""; robot != (e.Flags&event.FlagRobot != 0) {
			t.Fatalf("%+v", e)
		} else if robot {
			robotViews++
		}
	}
	if robotViews*100 < views*4 || robotViews*4 > views || len(channels) != len(sources)+1 {
		t.Errorf("%d of %d views are robots', channels %v", robotViews, views, channels)
	}
}
