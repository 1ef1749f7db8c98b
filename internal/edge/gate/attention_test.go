package gate

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/rubric/plan"
)

// stored is a committer that stores all events but those with the id "again".
type stored struct{ collect.Committer }

func (stored) Commit(_ context.Context, s *eventlog.Submission) error {
	s.Verdicts = s.Verdicts[:0]
	for i := range s.Events {
		v := eventlog.Verdict{Outcome: eventlog.Stored}
		if s.Events[i].ID == "again" {
			v.Outcome = eventlog.Duplicate
		}
		s.Verdicts = append(s.Verdicts, v)
	}
	return nil
}

func (c stored) Submit(s *eventlog.Submission, done func(error)) error {
	done(c.Commit(context.Background(), s))
	return nil
}

var news = &event.Site{ID: "news"}

// awaiting is an Attention, and the decisions that it had committed.
func awaiting(now func() time.Time) (*Attention, *[]string) {
	a := NewAttention(stored{}, now)
	var due []string
	a.due = func(k kept) { due = append(due, k.id) }
	return a, &due
}

func (a *Attention) send(t interface{ Fatal(...any) }, events ...event.Event) {
	if err := a.Commit(context.Background(), &eventlog.Submission{Site: news, Events: events}); err != nil {
		t.Fatal(err)
	}
}

func row(kind, device, item, view string, millis uint32, scroll uint8) event.Event {
	ev := event.Event{Device: device, View: view, EngagedMillis: millis, Scroll: scroll}
	ev.Columns[event.ColType], ev.Columns[event.ColItem] = kind, item
	return ev
}

func TestAPageCountsByItsEvents(t *testing.T) {
	seen := func(device, item, view string) event.Event {
		return row(event.TypePageView, device, item, view, 0, 0)
	}
	read := func(view string, millis uint32, scroll uint8) event.Event {
		return row(event.TypeEngagement, "", "", view, millis, scroll)
	}
	claimed := seen("d1", "a1", "v1")
	claimed.Flags = event.FlagClaimedDevice
	again := read("v1", 9000, 90)
	again.ID = "again"
	engaged, scrolled, rendered := &plan.Access{Counts: plan.CountsEngaged, Amount: 10_000}, &plan.Access{Counts: plan.CountsScroll, Amount: 50}, &plan.Access{Counts: plan.CountsRendered}
	for _, tt := range []struct {
		name   string
		block  *plan.Access
		events []event.Event
		counts bool
	}{
		{"seen", rendered, []event.Event{seen("d1", "a1", "v1")}, true},
		{"another item is seen", rendered, []event.Event{seen("d1", "a2", "v1")}, false},
		{"another reader sees it", rendered, []event.Event{seen("d2", "a1", "v1")}, false},
		{"somebody claims to be the reader", rendered, []event.Event{claimed}, false},
		{"seen, not read", engaged, []event.Event{seen("d1", "a1", "v1")}, false},
		{"read for 9.999 s", engaged, []event.Event{seen("d1", "a1", "v1"), read("v1", 4000, 0), read("v1", 5999, 0)}, false},
		{"read for 10 s", engaged, []event.Event{seen("d1", "a1", "v1"), read("v1", 4000, 0), read("v1", 6000, 0)}, true},
		{"read in another view", engaged, []event.Event{seen("d1", "a1", "v1"), read("v2", 40_000, 0)}, false},
		{"engagement that is sent again", engaged, []event.Event{seen("d1", "a1", "v1"), again, again}, false},
		{"scrolled to 49 %", scrolled, []event.Event{seen("d1", "a1", "v1"), read("v1", 90_000, 30), read("v1", 0, 49)}, false},
		{"scrolled to 50 %", scrolled, []event.Event{seen("d1", "a1", "v1"), read("v1", 0, 50)}, true},
	} {
		a, due := awaiting(time.Now)
		a.add(kept{news, "id"}, pageKey{"news", "d1", "a1"}, tt.block)
		a.send(t, tt.events...)
		a.send(t, tt.events...) // counts once
		var want []string
		if tt.counts {
			want = []string{"id"}
		}
		if tt.name == "read for 9.999 s" {
			want = []string{"id"} // the second time over
		}
		if diff := cmp.Diff(want, *due); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestADecisionWaitsAsLongAsItCanBeCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, due := awaiting(time.Now)
		block := &plan.Access{Counts: plan.CountsRendered}
		a.add(kept{news, "in time"}, pageKey{"news", "d1", "a1"}, block)
		a.add(kept{news, "late"}, pageKey{"news", "d1", "a2"}, block)
		time.Sleep(10 * time.Minute)
		a.send(t, row(event.TypePageView, "d1", "a1", "v1", 0, 0))
		time.Sleep(time.Millisecond)
		a.send(t, row(event.TypePageView, "d1", "a2", "v2", 0, 0))
		if diff := cmp.Diff([]string{"in time"}, *due); diff != "" {
			t.Error(diff)
		}
		a.add(kept{news, "next"}, pageKey{"news", "d1", "a3"}, block)
		if a.waits.Load() != 1 || len(a.order) != 1 || len(a.pages) != 1 || len(a.views) != 0 {
			t.Errorf("%d wait, in a list of %d, %d pages, %d views", a.waits.Load(), len(a.order), len(a.pages), len(a.views))
		}
	})
}

func TestWhatAPageFetchesIsNoOtherReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, due := awaiting(time.Now)
		page, block := pageKey{"news", "d1", "a1"}, &plan.Access{Counts: plan.CountsEngaged, Amount: 10_000}
		if a.reading(page) {
			t.Error("nothing waits, and is read")
		}
		a.add(kept{news, "page"}, page, block)
		if a.reading(page) {
			t.Error("a page is read that nobody has seen")
		}
		a.send(t, row(event.TypePageView, "d1", "a1", "v1", 0, 0), row(event.TypeEngagement, "", "", "v1", 6000, 0))
		if !a.reading(page) {
			t.Error("a page that was seen is not read")
		}
		a.send(t, row(event.TypeEngagement, "", "", "v1", 6000, 0))
		if diff := cmp.Diff([]string{"page"}, *due); diff != "" || a.reading(page) {
			t.Errorf("read %v, %s", a.reading(page), diff)
		}
		a.add(kept{news, "again"}, page, block)
		a.send(t, row(event.TypePageView, "d1", "a1", "v2", 0, 0))
		time.Sleep(11 * time.Minute)
		if a.reading(page) {
			t.Error("a page is read that cannot be committed any more")
		}
	})
}

func TestDataAndPages(t *testing.T) {
	for _, tt := range []struct {
		method     string
		status     int
		media      string
		page, data bool
	}{
		{"GET", 200, "text/html; charset=utf-8", true, false},
		{"GET", 200, "", true, false},
		{"GET", 200, "application/json", false, true},
		{"GET", 200, "application/ld+json; charset=utf-8", false, true},
		{"GET", 200, "Text/X-Component", false, true},
		{"POST", 201, "application/vnd.api+json", false, true},
		{"HEAD", 200, "application/json", false, false},
		{"GET", 404, "application/json", false, false},
		{"GET", 304, "application/json", false, false},
		{"GET", 200, "image/svg+xml", false, false},
		{"GET", 200, "application/javascript", false, false},
	} {
		r, h := httptest.NewRequest(tt.method, "/a1", nil), http.Header{}
		if tt.media != "" {
			h.Set("Content-Type", tt.media)
		}
		if page, is := rendered(r, tt.status, h), data(r, tt.status, h); page != tt.page || is != tt.data {
			t.Errorf("%s, %d, %q: a page %v, data %v", tt.method, tt.status, tt.media, page, is)
		}
	}
}

func TestOfTooManyTheOldestGoes(t *testing.T) {
	a, due := awaiting(time.Now)
	for i := range maxAwaited + 1 {
		a.add(kept{news, fmt.Sprint(i)}, pageKey{"news", "d1", fmt.Sprint(i)}, &plan.Access{Counts: plan.CountsRendered})
	}
	a.send(t, row(event.TypePageView, "d1", "0", "", 0, 0), row(event.TypePageView, "d1", "1", "", 0, 0))
	if diff := cmp.Diff([]string{"1"}, *due); diff != "" || a.dropped() != 1 {
		t.Errorf("%s, %d dropped", diff, a.dropped())
	}
}

// Whatever comes in whatever order, a decision counts once, and when it is due.
func TestAttentionAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, due := awaiting(time.Now)
		amount := int64(rapid.IntRange(1, 20).Draw(t, "amount")) * 1000
		sums := map[string]int64{} // by item, since it was seen
		seen, counted := map[string]bool{}, map[string]bool{}
		for _, item := range []string{"a", "b", "c"} {
			a.add(kept{news, item}, pageKey{"news", "d", item}, &plan.Access{Counts: plan.CountsEngaged, Amount: amount})
		}
		var want []string
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			item := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "item")
			if rapid.Bool().Draw(t, "view") {
				a.send(t, row(event.TypePageView, "d", item, "view of "+item, 0, 0))
				seen[item] = true
				continue
			}
			millis := uint32(rapid.IntRange(0, 5000).Draw(t, "millis"))
			a.send(t, row(event.TypeEngagement, "d", "", "view of "+item, millis, 0))
			if seen[item] {
				sums[item] += int64(millis)
			}
			if sums[item] >= amount && !counted[item] {
				counted[item] = true
				want = append(want, item)
			}
		}
		if diff := cmp.Diff(want, *due); diff != "" {
			t.Fatal(diff)
		}
	})
}
