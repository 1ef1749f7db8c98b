package collect

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/readership/readership/internal/event"
)

func TestPlausible(t *testing.T) {
	send := func(body string) call {
		return call{path: "/api/event", headers: headers{"Content-Type": "text/plain"}, body: body}
	}
	props := []string{}
	for i := range 40 {
		props = append(props, fmt.Sprintf(`"p%02d":"v"`, i))
	}
	hearAll(t, []heard{
		{"short keys", send(`{"n":"pageview","v":3,"u":"https://news.example/a?utm_source=x","d":"news","r":"https://t.co/","p":{"section":"sport","n":1.50,"no":null,"blank":" ","list":[1],"map":{"a":1},"yes":true}}`), 202, "ok", "stored",
			[]string{`{"type":"page_view","url":"https://news.example/a?utm_source=x","utm_source":"x","referrer":"https://t.co/","view":"VIEW","properties":{"section":"sport","n":1.5,"yes":true},"marks":["cookieless"]}`}},
		{"long keys", send(`{"name":"pageview","url":"https://www.news.example/a","domain":"NEWS","referrer":null,"meta":"{\"section\":\"sport\"}"}`), 202, "ok", "stored",
			[]string{`{"type":"page_view","url":"https://www.news.example/a","view":"VIEW","properties":{"section":"sport"},"marks":["cookieless"]}`}},
		{"a custom event where consent is assumed", send(`{"n":"Signup","u":"https://news.example/a","d":"assume","p":{"plan":"gold"},"$":{"currency":"usd","amount":"12.5"},"i":false}`), 202, "ok", "stored",
			[]string{`{"type":"Signup","url":"https://news.example/a","value":12.5,"currency":"USD","properties":{"plan":"gold","interactive":false},"marks":["cookieless"]}`}},
		{"revenue as text, an unknown currency", send(`{"n":"Buy","u":"https://news.example/a","d":"news","revenue":"{\"currency\":\"nothing\",\"amount\":3}"}`), 202, "ok", "stored",
			[]string{`{"type":"Buy","url":"https://news.example/a","value":3,"currency":"EUR","marks":["cookieless"]}`}},
		{"engagement", send(`{"n":"engagement","u":"https://news.example/a","d":"news","e":12345,"sd":40}`), 202, "ok", "stored",
			[]string{`{"type":"engagement","url":"https://news.example/a","view":"VIEW","engaged_seconds":12.345,"scroll_percent":40,"marks":["cookieless","no_device"]}`}},
		{"engagement without numbers", send(`{"n":"engagement","u":"https://news.example/a","d":"news","e":"12","sd":255}`), 202, "ok", "invalid:e", nil},
		{"no host", send(`{"n":"pageview","u":"app:///start","d":"news"}`), 202, "ok", "stored",
			[]string{`{"type":"page_view","url":"app:///start","view":"VIEW","marks":["cookieless"]}`}},
		{"another host", send(`{"n":"pageview","u":"https://evil.example/a","d":"news"}`), 202, "ok", "invalid:url", nil},
		{"two sites, one unknown", send(`{"n":"x","u":"https://news.example/a","d":"news,open, nobody.example"}`), 202, "ok", "stored, invalid:domain",
			[]string{`{"type":"x","url":"https://news.example/a","marks":["cookieless"]}`, `{"type":"x","url":"https://news.example/a","marks":["cookieless"]}`}},
		{"no name", send(`{"u":"https://news.example/a","d":"news"}`), 202, "ok", "invalid:name", nil},
		{"a long name", send(`{"n":"` + strings.Repeat("n", 121) + `","u":"https://news.example/a","d":"news"}`), 202, "ok", "invalid:name", nil},
		{"no address", send(`{"n":"pageview","d":"news"}`), 202, "ok", "invalid:url", nil},
		{"a long address", send(`{"n":"pageview","u":"https://news.example/` + strings.Repeat("a", 2000) + `","d":"news"}`), 202, "ok", "invalid:url", nil},
		{"a data address", send(`{"n":"pageview","u":"data:text/html,x","d":"news"}`), 202, "ok", "invalid:url", nil},
		{"no domain", send(`{"n":"pageview","u":"https://news.example/a"}`), 202, "ok", "invalid:domain", nil},
		{"a list", send(`[1]`), 202, "ok", "invalid:domain", nil},
		{"no JSON", send(`n=pageview`), 400, "", "invalid:body", nil},
		{"40 properties", send(`{"n":"pageview","u":"https://news.example/a","d":"news","p":{` + strings.Join(props, ",") + `}}`), 202, "ok", "stored",
			[]string{`{"type":"page_view","url":"https://news.example/a","view":"VIEW","properties":{` + strings.Join(props[:30], ",") + `},"marks":["cookieless"]}`}},
	})
}

// Engagement finds its page view: the same visitor, page and day.
func TestPlausibleViews(t *testing.T) {
	w := newWorld(t)
	send := func(body string) string {
		t.Helper()
		w.memory.events = nil
		if a := w.hear(call{path: "/api/event", body: body}); a.Get(HeaderVerdict) != "stored" {
			t.Fatal(a.Get(HeaderVerdict))
		}
		return w.memory.events[0].View
	}
	view := send(`{"n":"pageview","u":"https://news.example/a","d":"news"}`)
	if other := send(`{"n":"pageview","u":"https://news.example/b","d":"news"}`); other == view {
		t.Error("two pages, one view")
	}
	w.now += 60_000
	if got := send(`{"n":"engagement","u":"https://news.example/a","d":"news","e":30000}`); got != view {
		t.Errorf("%s is not the view %s", got, view)
	}
	w.now += dayMillis
	if got := send(`{"n":"engagement","u":"https://news.example/a","d":"news","e":30000}`); got == view {
		t.Error("a view can be told over days")
	}
	w.now = nowMillis/dayMillis*dayMillis + 1000
	if got := send(`{"n":"engagement","u":"https://news.example/a","d":"news","e":30000}`); got == view {
		t.Error("an engagement that began yesterday has a view of today")
	}
}

// A hash route tells pages apart.
func TestPlausibleHashRoute(t *testing.T) {
	w := newWorld(t)
	w.hear(call{path: "/api/event", body: `{"n":"pageview","u":"https://news.example/app#/a","d":"news","h":1}`})
	if item := w.stored().Columns[event.ColItem]; item != "news.example/app#/a" {
		t.Errorf("the item is %s", item)
	}
	w.hear(call{path: "/api/event", body: `{"n":"pageview","u":"app:///start","d":"news"}`})
	if host := w.stored().Columns[event.ColHost]; host != "(none)" {
		t.Errorf("the host is %s", host)
	}
}

func FuzzPlausible(f *testing.F) {
	fuzzDialect(f, http.MethodPost, "/api/event", []int{200, 202},
		`{"n":"pageview","u":"https://news.example/a","d":"news","p":{"a":1}}`,
		`{"n":"engagement","u":"https://news.example/a","d":"news,open","e":1,"sd":2,"$":"{\"amount\":1}"}`)
}
