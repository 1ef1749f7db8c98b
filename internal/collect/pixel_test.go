package collect

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/event"
)

func (w *world) pixel(query string) *answer {
	w.t.Helper()
	return w.do(call{method: "GET", path: PathPixel, query: query})
}

func TestPixel(t *testing.T) {
	w := newWorld(t)
	q := url.Values{"key": {"w-news"}, "type": {"page_view"}, "id": {"i1"}, "time": {"2026-03-04T06:06:00+01:00"}, "device": {"d 1"}, "account": {"a7"},
		"url": {"https://news.example/ä?x=1&y=2"}, "referrer": {"https://t.co/"}, "title": {"Größe & Würde"}, "item": {"a1"}, "view": {"v1"},
		"engaged_seconds": {"1.5"}, "scroll_percent": {"40"}, "value": {"2.5"}, "currency": {"usd"}, "properties.section": {"sport"}, "properties": {`{"n":7}`},
		"traits.plan": {"gold"}, "consent.analytics": {"true"}, "_": {"123"}}
	a := w.pixel(q.Encode())
	if a.Status != 200 || a.ContentType != "image/gif" || !strings.HasPrefix(string(a.Body), "GIF89a") || a.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if cookieOf(a) == "" {
		t.Error("no cookie")
	}
	ev := w.stored()
	want := event.Event{ID: "i1", Time: nowMillis - 7089, Device: "d 1", View: "v1", EngagedMillis: 1500, Scroll: 40, Value: 2_500_000,
		Flags: event.FlagClaimedDevice | event.FlagHasValue, Properties: []event.Property{{Name: "n", Value: "7", Kind: event.KindNumber}, {Name: "section", Value: "sport"}, {Name: "traits.plan", Value: "gold"}}}
	for c, value := range map[event.Column]string{event.ColType: "page_view", event.ColAccount: "a7", event.ColURL: "https://news.example/ä?x=1&y=2", event.ColHost: "news.example",
		event.ColPath: "/ä", event.ColReferrer: "https://t.co/", event.ColReferrerHost: "t.co", event.ColChannel: "social", event.ColTitle: "Größe & Würde", event.ColItem: "a1", event.ColCurrency: "USD"} {
		want.Columns[c] = value
	}
	if d := cmp.Diff(want, ev); d != "" {
		t.Error(d)
	}
	if a := w.pixel(q.Encode()); a.Status != 200 || len(w.memory.events) != 1 && len(w.memory.events) != 0 {
		t.Errorf("again: %d %s", a.Status, a.Body)
	}
}

func TestPixelFaults(t *testing.T) {
	for _, c := range []struct {
		query, code, location string
		status                int
	}{
		{"&type=engagement", "missing_field", "body.view", 400},
		{"&type=a&color=red", "unknown_field", "body.color", 400},
		{"&type=a&color.x=red", "unknown_field", "body.color.x", 400},
		{"&type=a&value=x", "wrong_type", "body.value", 400},
		{"&type=a&value=1+1", "wrong_type", "body.value", 400},
		{"&type=a&time=noon", "bad_time", "body.time", 400},
		{"&type=a&properties=[1]", "wrong_type", "body.properties", 400},
		{"&type=a&properties=%7B%22x%22%3A1", "wrong_type", "body.properties", 400},
		{"&type=a&consent.analytics=perhaps", "wrong_type", "body.consent.analytics", 400},
		{"&type=a&consent=7", "wrong_type", "body.consent", 400},
		{"&type=a&url=https://evil.example/", "host_not_allowed", "body.url", 400},
		{"&type=%ff", "malformed_json", "query.type", 400},
		{"&type=%zz", "malformed_json", "query.type", 400},
		{"&type=a&%ff=1", "malformed_json", "query.\uFFFD", 400},
	} {
		w := newWorld(t)
		a := w.pixel("key=w-news" + c.query)
		if a.Status != c.status || len(a.verdict.Errors) != 1 || a.verdict.Errors[0].Code != c.code || a.verdict.Errors[0].Location != c.location || len(w.memory.events) != 0 {
			t.Errorf("%q: %d %s", c.query, a.Status, a.Body)
		}
	}
	w := newWorld(t)
	if a := w.pixel("type=a"); a.Status != 401 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := w.pixel("key=w-news&type=a&debug=1"); a.Status != 200 || len(a.verdict.Events) != 1 || len(w.memory.events) != 0 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := w.do(call{method: "HEAD", path: PathPixel, query: "key=w-news&type=a"}); a.Status != 200 || len(w.memory.events) != 1 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestPlainPixel is a page view of the page that the picture stands in.
func TestPlainPixel(t *testing.T) {
	w := newWorld(t)
	plain := func(query, referer string) *answer {
		return w.do(call{method: "GET", path: PathPixel, query: query, headers: headers{"Referer": referer}})
	}
	for _, c := range []struct{ query, referer, eventType, url string }{
		{"key=w-news", "https://news.example/x?y=1", "page_view", "https://news.example/x?y=1"},
		{"key=w-news", "", "page_view", ""},
		{"key=w-news&url=https://news.example/z", "https://news.example/x", "page_view", "https://news.example/z"},
		{"key=w-news&type=click", "https://news.example/x", "click", ""},
		{"key=import&site=news", "https://news.example/x", "page_view", ""},
	} {
		if a := plain(c.query, c.referer); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if ev := w.stored(); ev.Type() != c.eventType || ev.Columns[event.ColURL] != c.url {
			t.Errorf("%s in %s: %+v", c.query, c.referer, ev)
		}
	}
	if a := plain("key=w-news", "https://evil.example/"); a.Status != 400 || a.verdict.Rejected[0]["code"] != "host_not_allowed" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestCORS(t *testing.T) {
	w := newWorld(t)
	origin := headers{"Origin": "https://news.example"}
	for _, c := range []call{{query: "key=w-news", body: `{"type":"a"}`}, {query: "key=none", body: "x"}, {method: "GET", path: PathPixel, query: "key=w-news&type=a"}, {path: "/elsewhere"}} {
		c.headers = origin
		a := w.do(c)
		if a.Get("Access-Control-Allow-Origin") != "https://news.example" || a.Get("Access-Control-Allow-Credentials") != "true" || a.Get("Vary") != "Origin" {
			t.Errorf("%d %v", a.Status, a.Headers)
		}
	}
	for path, allowed := range map[string]string{PathEvents: "POST, OPTIONS", PathPixel: "GET, HEAD, OPTIONS"} {
		a := w.do(call{method: "OPTIONS", path: path, headers: headers{"Origin": "https://news.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, x-custom"}})
		if a.Status != 204 || a.Get("Access-Control-Allow-Headers") != "authorization, x-custom" || a.Get("Access-Control-Allow-Methods") != allowed ||
			a.Get("Access-Control-Max-Age") != "86400" || a.Get("Access-Control-Allow-Origin") == "" || len(a.Body) != 0 || a.ContentType != "" {
			t.Errorf("%d %v", a.Status, a.Headers)
		}
	}
	if a := w.do(call{query: "key=w-news", body: `{"type":"a"}`}); a.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", a.Headers)
	}
}

// TestDebug answers what would be stored and stores nothing.
func TestDebug(t *testing.T) {
	w := newWorld(t)
	w.memory.ready = nil
	a := w.do(call{query: "key=w-news&debug=1", headers: headers{"User-Agent": "x"}, body: `[{"type":"page_view","id":"i1","device":"d1","time":` + at(-1) + `,"url":"https://news.example/x\"y","properties":{"s":"t","n":1.50,"b":true},"value":1.25},{},
		{"type":"engagement","view":"v","engaged_seconds":1.5,"scroll_percent":10,"consent":{"analytics":true}}]`})
	if a.Status != 200 || *a.verdict.Accepted != 2 || a.verdict.RejectedTotal != 1 || len(a.verdict.Events) != 2 || len(w.memory.events) != 0 || len(w.memory.counts) != 0 || a.Get("Set-Cookie") != "" {
		t.Fatalf("%d %s, ledger %v", a.Status, a.Body, w.memory.counts)
	}
	want := map[string]any{"index": 0.0, "id": "i1", "view": "i1", "time": "2026-03-04T05:06:07.088Z", "device": "d1", "type": "page_view", "item": `news.example/x"y`, "url": `https://news.example/x"y`,
		"host": "news.example", "path": `/x"y`, "channel": "direct", "currency": "EUR", "value": 1.25, "properties": map[string]any{"s": "t", "n": 1.5, "b": true}, "marks": []any{"claimed_device", "item_from_url"}}
	if d := cmp.Diff(want, a.verdict.Events[0]); d != "" {
		t.Error(d)
	}
	if e := a.verdict.Events[1]; e["index"] != 2.0 || e["engaged_seconds"] != 1.5 || e["scroll_percent"] != 10.0 || e["view"] != "v" {
		t.Errorf("%v", e)
	}
	a = w.do(call{query: "key=import&site=news&debug=1", headers: headers{"Content-Type": "application/x-ndjson"}, body: string(typicalLines(5000))})
	if a.Status != 200 || *a.verdict.Accepted != 5000 || len(a.verdict.Events) != 1000 || len(w.memory.events) != 0 {
		t.Errorf("%d %.300s", a.Status, a.Body)
	}
}

func FuzzPixel(f *testing.F) {
	for _, s := range []string{"type=a&url=https%3A%2F%2Fnews.example%2F&properties.x=1", "type=a&properties={\"x\":1}&consent.tcf=" + tcfBoth, "type=%zz", "&&=&a=b&time=1&value=1e3&_=1"} {
		f.Add(s)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, query string) {
		w.t = t
		w.memory.events, w.memory.ids = nil, map[string]bool{}
		a := w.pixel("key=w-open&" + query)
		if a.Status != 200 && a.Status != 400 && a.Status != 422 && a.Status != 403 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		for _, ev := range w.memory.events {
			checkEvent(t, &ev)
		}
	})
}

// checkEvent says whether an event is one that may be stored.
func checkEvent(t *testing.T, ev *event.Event) {
	t.Helper()
	check := func(what, s string, limit int) {
		if !utf8.ValidString(s) || len(s) > limit {
			t.Errorf("%s %q has %d bytes", what, s, len(s))
		}
	}
	check("id", ev.ID, 4*event.MaxIDBytes)
	check("device", ev.Device, event.MaxStringBytes+len(accountPrefix))
	check("view", ev.View, event.MaxStringBytes)
	for c, value := range ev.Columns {
		check(event.Column(c).String(), value, 2*event.MaxURLBytes)
	}
	if len(ev.Properties) > 2*event.MaxProperties {
		t.Errorf("%d properties", len(ev.Properties))
	}
	for _, p := range ev.Properties {
		check("name", p.Name, event.MaxIDBytes+len(traitPrefix))
		check(p.Name, p.Value, event.MaxStringBytes)
	}
	if ev.ID == "" || ev.Device == "" || ev.Type() == "" || ev.Time < 0 || ev.Time > nowMillis+maxAhead || ev.Scroll > 100 {
		t.Errorf("%+v", ev)
	}
}
