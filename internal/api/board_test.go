package api

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/readership/readership/internal/event"
)

func TestBoard(t *testing.T) {
	s := newServer(t)
	s.site("news")
	s.want(201, "PUT", "/v1/sites/news/items/a", `{"title":"A of the catalogue","section":"sport","url":"https://news.example/a"}`)
	now := s.clock()
	view := func(device, item string, ago time.Duration, columns map[event.Column]string) event.Event {
		ev := event.Event{ID: device + item, View: device, Device: device, Time: now.Add(-ago).UnixMilli()}
		ev.Columns[event.ColType], ev.Columns[event.ColItem] = "page_view", item
		for c, v := range columns {
			ev.Columns[c] = v
		}
		return ev
	}
	other := func(ev event.Event, kind string) event.Event {
		ev.Columns[event.ColType] = kind
		return ev
	}
	search := map[event.Column]string{event.ColChannel: "search", event.ColReferrerHost: "search.example", event.ColCountry: "DE", event.ColTitle: "as sent", event.ColURL: "https://news.example/a?x"}
	for _, ev := range []event.Event{
		view("d1", "a", 50*time.Second, search),
		view("d22", "b", 2*time.Minute, search), // its newest view decides
		view("d22", "a", 10*time.Second, nil),
		view("d333", "b", 59999*time.Millisecond, map[event.Column]string{event.ColTitle: "B as sent", event.ColURL: "https://news.example/b"}),
		view("d4444", "b", time.Minute, nil),                         // idle from here
		view("d55555", "a", 5*time.Minute-time.Millisecond, nil),     // until here
		view("d666666", "a", 5*time.Minute, nil),                     // gone
		other(view("d7777777", "a", time.Second, nil), "impression"), // no page open
		view("d88888888", "b", 4*time.Minute, nil),                   // but attentive
		other(view("d88888888", "", 30*time.Second, nil), "engagement"),
		view("d999999999", "b", 6*time.Minute, nil), // gone, whatever its page does since
		other(view("d999999999", "", 20*time.Second, nil), "click"),
		view("account:x", "a", time.Second, map[event.Column]string{event.ColAccount: "x"}),
	} {
		s.log.event(t, "news", ev)
	}
	robot := view("robot", "a", time.Second, map[event.Column]string{event.ColBotClass: "crawler"})
	robot.Flags |= event.FlagRobot
	s.log.event(t, "news", robot)
	phone := view("phone", "a", time.Second, map[event.Column]string{event.ColAccount: "y"}) // and a copy in the account's partition
	s.log.event(t, "news", phone)

	v, err := s.engine.View(t.Context(), "news", s.log.Acked())
	if err != nil {
		t.Fatal(err)
	}
	want := &Live{AsOf: now, Readers: 6, Idle: 2, PageViews: 5,
		Items: []LiveItem{
			{Item: "a", Title: "A of the catalogue", URL: "https://news.example/a", Section: "sport", Readers: 4, Idle: 1},
			{Item: "b", Title: "B as sent", URL: "https://news.example/b", Readers: 2, Idle: 1},
		},
		Channels:  []LiveCount{{"(none)", 4}, {"search", 2}},
		Countries: []LiveCount{{"(none)", 4}, {"DE", 2}},
		Referrers: []LiveCount{{"(none)", 4}, {"search.example", 2}},
	}
	got := board(v, now.UnixMilli())
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(Live{}, "At")); d != "" {
		t.Error(d)
	}
	if later := board(v, now.Add(6*time.Minute).UnixMilli()); later.Readers+later.Idle+later.PageViews+len(later.Items) != 0 {
		t.Errorf("%+v", later)
	}
}
