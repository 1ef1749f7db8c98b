package collect

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/readership/readership/internal/event"
)

const umamiID = "0f1a2b3c-1111-4222-8333-444455556666"

func (w *world) umami(path, body string, h headers) (*answer, map[string]any) {
	w.t.Helper()
	for _, id := range []string{"news", "assume"} {
		site := *w.sites[id]
		site.Aliases = []string{strings.Replace(umamiID, "0f", map[string]string{"news": "0f", "assume": "aa"}[id], 1)}
		w.sites[id] = &site
	}
	a := w.hear(call{path: path, body: body, headers: h})
	var answered map[string]any
	if err := json.Unmarshal(a.Body, &answered); err != nil {
		w.t.Fatalf("%s: %v", a.Body, err)
	}
	return a, answered
}

func TestUmami(t *testing.T) {
	send := func(kind, payload string) string {
		return `{"type":"` + kind + `","payload":{"website":"` + umamiID + `","hostname":"news.example","screen":"1x1","language":"de",` + payload + `}}`
	}
	for _, c := range []struct {
		name, body, verdict string
		status              int
		row                 string
	}{
		{"a page view", send("event", `"url":"/a?utm_source=x","referrer":"https://t.co/","title":"A","tag":"blue"`), "stored", 200,
			`{"type":"page_view","url":"https://news.example/a?utm_source=x","utm_source":"x","referrer":"https://t.co/","title":"A","properties":{"tag":"blue"},"marks":["cookieless"]}`},
		{"of a known visitor", send("event", `"url":"https://news.example/a","vid":"v1","name":"Signup","data":{"plan":"gold","deep":{"n":1}}`), "stored", 200,
			`{"type":"Signup","url":"https://news.example/a","device":"v1","properties":{"plan":"gold","deep.n":1},"marks":["claimed_device"]}`},
		{"identify", send("identify", `"url":"/a","id":"u1","data":{"plan":"gold"}`), "stored", 200,
			`{"type":"identify","url":"https://news.example/a","device":"account:u1","account":"u1","properties":{"traits.plan":"gold"}}`},
		{"performance", send("performance", `"url":"/a","vid":"v1","lcp":12.5,"cls":0.1`), "stored", 200,
			`{"type":"performance","url":"https://news.example/a","device":"v1","properties":{"lcp":12.5,"cls":0.1},"marks":["claimed_device"]}`},
		{"a time", send("event", `"url":"/a","timestamp":1772600000`), "stored", 200,
			`{"type":"page_view","url":"https://news.example/a","time":"2026-03-04T04:53:20Z","marks":["cookieless"]}`},
		{"encoded twice", send("event", `"url":"/%25C3%25A4%2525","referrer":"https://t.co/?q=100%25","title":"%C3%84%20100%25"`), "stored", 200,
			`{"type":"page_view","url":"https://news.example/%C3%A4%25","referrer":"https://t.co/?q=100%25","title":"Ä 100%","marks":["cookieless"]}`},
		{"an unknown type", send("dance", `"url":"/a"`), "invalid:type", 200, ""},
		{"another host", strings.Replace(send("event", `"url":"/a"`), "news.example", "evil.example", 1), "invalid:url", 200, ""},
		{"an unknown site", strings.Replace(send("event", `"url":"/a"`), umamiID, "00000000-1111-4222-8333-444455556666", 1), "invalid:website", 400, ""},
		{"no payload", `{"type":"event"}`, "invalid:website", 400, ""},
	} {
		w := newWorld(t)
		a, answered := w.umami("/api/send", c.body, nil)
		if a.Status != c.status || a.Get(HeaderVerdict) != c.verdict {
			t.Errorf("%s: %d %s %s", c.name, a.Status, a.Get(HeaderVerdict), a.Body)
		}
		if c.status == 200 && (answered["cache"] == "" || len(answered["sessionId"].(string)) != 36 || len(answered["visitId"].(string)) != 36) {
			t.Errorf("%s: %s", c.name, a.Body)
		}
		sameRow(t, c.name, w.rows(), c.row)
	}
}

// The cache keeps a visit whose address changes, across midnight, while it goes on.
func TestUmamiCache(t *testing.T) {
	w := newWorld(t)
	body := `{"type":"event","payload":{"website":"` + umamiID + `","url":"https://news.example/a"}}`
	device := func() string { return w.stored().Device }
	_, first := w.umami("/api/send", body, headers{"User-Agent": "A"})
	is := device()
	next := func(cache any, agent string) map[string]any {
		text, _ := cache.(string)
		_, answered := w.umami("/api/send", body, headers{"User-Agent": agent, umamiHeader: text})
		return answered
	}
	w.now += 20 * 60_000
	second := next(first["cache"], "B")
	if device() != is || second["visitId"] != first["visitId"] || second["sessionId"] != first["sessionId"] {
		t.Error("the visit was lost")
	}
	w.now += 20 * 60_000
	third := next(second["cache"], "B")
	if device() != is {
		t.Error("a visit that goes on was lost")
	}
	whole, _ := json.Marshal(third)
	if next(string(whole), "C"); device() != is {
		t.Error("an answer that was kept whole was not understood")
	}
	w.now += 31 * 60_000
	if late := next(third["cache"], "B"); device() == is || late["visitId"] == first["visitId"] {
		t.Error("a pause ends a visit")
	}
	forged := strings.Replace(third["cache"].(string), "A", "B", 1)
	w.now -= 31 * 60_000
	if next(forged, "B"); device() == is {
		t.Error("a forged cache was believed")
	}
	elsewhere := strings.Replace(body, "0f1a", "aa1a", 1)
	if w.umami("/api/send", elsewhere, headers{umamiHeader: third["cache"].(string)}); device() == is {
		t.Error("a cache of another site was believed")
	}
}

func TestUmamiBatch(t *testing.T) {
	w := newWorld(t)
	one := func(site, payload string) string {
		return `{"type":"event","payload":{"website":"` + site + `",` + payload + `}}`
	}
	body := "[" + strings.Join([]string{one(umamiID, `"url":"https://news.example/a"`), one("nobody", `"url":"https://news.example/a"`),
		one("aa"+umamiID[2:], `"url":"https://news.example/b"`), one(umamiID, `"url":"https://evil.example/"`), "7"}, ",") + "]"
	a, answered := w.umami("/api/batch", body, nil)
	if a.Status != 200 || answered["size"] != 5.0 || answered["processed"] != 2.0 || answered["errors"] != 3.0 || a.Get(HeaderVerdict) != "stored, invalid:website, invalid:url" {
		t.Errorf("%d %s %s", a.Status, a.Get(HeaderVerdict), a.Body)
	}
	if len(w.memory.events) != 2 || w.memory.counts[event.Count{Site: "news", Verdict: verdictRejected, Reason: "umami:host_not_allowed"}] != 1 {
		t.Errorf("%d events, %v", len(w.memory.events), w.memory.counts)
	}
}

func FuzzUmami(f *testing.F) {
	fuzzDialect(f, http.MethodPost, "/api/send", []int{200}, `{"type":"event","payload":{"website":"news","hostname":"news.example","url":"/a","data":{"a":[1]},"timestamp":1772600000}}`)
}

func FuzzUmamiBatch(f *testing.F) {
	fuzzDialect(f, http.MethodPost, "/api/batch", []int{200}, `[{"type":"event","payload":{"website":"news","url":"https://news.example/a"}},{"type":"identify","payload":{"website":"open","id":"u","data":{"a":1}}}]`)
}
