package collect

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/readership/readership/internal/event"
)

// A long name over many members is not repeated before each.
func TestLongNamesAreNotMultiplied(t *testing.T) {
	var body strings.Builder
	fmt.Fprintf(&body, `{"writeKey":"w-news","batch":[{"type":"track","event":"a","anonymousId":"d","properties":{"%s":{"":0`, strings.Repeat("ü", 1<<19))
	for i := range 2_000 {
		fmt.Fprintf(&body, `,"%d":1`, i)
	}
	body.WriteString(`}}}]}`)
	w := newWorld(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a := w.hear(call{path: "/v1/batch", body: body.String()})
	runtime.ReadMemStats(&after)
	if a.Get(HeaderVerdict) != "stored" || w.stored().Properties[0].Name != strings.Repeat("ü", 64) {
		t.Errorf("%d %s", a.Status, a.Get(HeaderVerdict))
	}
	if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 64 {
		t.Errorf("%d MB for a body of %d MB", took, body.Len()>>20)
	}
}

// The debug switch gets round no bound on what is worked on at once.
func TestDebugTakesItsTurn(t *testing.T) {
	for _, c := range []call{{query: "key=w-news&debug=1", body: `{"type":"a"}`}, {path: "/api/event", query: "debug=1", body: `{"n":"a","u":"https://news.example/","d":"news"}`}} {
		w := newWorld(t)
		w.c.active.Add(1 << 40)
		if a := w.do(c); a.Status != 503 || a.Get("Retry-After") == "" || a.verdict.Code != "overloaded" || len(w.memory.counts) != 0 {
			t.Errorf("%s: %d %s, %v", c.path, a.Status, a.Body, w.memory.counts)
		}
		w.c.active.Add(-1 << 40)
		if a := w.do(c); a.Status != 200 || w.c.active.Load() != 0 {
			t.Errorf("%s: %d %s, %d bytes in hand", c.path, a.Status, a.Body, w.c.active.Load())
		}
	}
}

// Events that are large are committed in parts that are not.
func TestLargeBatchesOfDialectsAreCommittedInParts(t *testing.T) {
	w := newWorld(t)
	one := `{"type":"track","event":"a","anonymousId":"d"`
	one += `,"properties":{`
	for i := range 60 {
		one += fmt.Sprintf(`"p%d":"%s",`, i, strings.Repeat("x", 500))
	}
	one += `"n":1}}`
	a := w.hear(call{path: "/v1/batch", body: `{"writeKey":"w-news","batch":[` + strings.Repeat(one+",", 39) + one + `]}`})
	if a.Status != 200 || len(w.memory.events) != 40 || w.memory.n != 5 {
		t.Errorf("%d, %d events in %d commits", a.Status, len(w.memory.events), w.memory.n)
	}
}

// A name that looks like a daily hash is a name: its device is not exempt.
func TestHotDeviceBehindAMark(t *testing.T) {
	w := newWorldOf(t, Rates{Device: 1})
	if taken, _ := w.often(call{query: "key=w-news", body: `{"type":"a","device":"~hot"}`}, 30); taken != 10 {
		t.Errorf("%d are taken", taken)
	}
}

// A site that is new has its names from the next second on, also those that had
// another site before.
func TestSiteNamesOfNewSites(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"drop", "assume", "replay"} {
		delete(w.sites, id)
	}
	const below = "blog.news.example"
	if site := w.c.siteNamed(below); site == nil || site.ID != "news" {
		t.Fatalf("%v", site)
	}
	added := event.Site{ID: "blog", Domains: []string{below}}.WithDefaults()
	w.sites["blog"] = &added
	w.now += 1000
	if site := w.c.siteNamed(below); site.ID != "blog" {
		t.Errorf("%s is still of %s", below, site.ID)
	}
}

// Who names a device by which it is known again gets no second one: the next event
// would be another reader's.
func TestNamedReadersOfDialectsStayWhoTheyAre(t *testing.T) {
	for _, c := range []struct {
		name string
		call call
		set  bool
	}{
		{"gtag with consent", call{method: http.MethodGet, path: "/g/collect", query: "v=2&tid=news&cid=c1&en=page_view&gcs=G111&dl=https%3A%2F%2Fnews.example%2Fa"}, false},
		{"matomo on a site that assumes it", call{method: http.MethodGet, path: "/matomo.php", query: "idsite=assume&rec=1&_id=0123456789abcdef&url=https%3A%2F%2Fnews.example%2Fa"}, false},
		{"matomo without its cookie", call{method: http.MethodGet, path: "/matomo.php", query: "idsite=assume&rec=1&_id=&url=https%3A%2F%2Fnews.example%2Fa"}, true},
	} {
		w := newWorld(t)
		if set := cookieOf(w.hear(c.call)) != ""; set != c.set || len(w.memory.events) != 1 {
			t.Errorf("%s: a cookie: %v, %d events", c.name, set, len(w.memory.events))
		}
	}
}
