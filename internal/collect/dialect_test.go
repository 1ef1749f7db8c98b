package collect

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// hear sends a request in a dialect and checks that the ledger adds up.
func (w *world) hear(c call) *answer {
	w.t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.headers == nil {
		c.headers = headers{}
	}
	q := &Request{Method: c.method, Path: c.path, Query: c.query, Header: c.headers, Host: "collect.example",
		Remote: netip.MustParseAddr("192.0.2.7"), Length: int64(len(c.body)), Body: strings.NewReader(c.body)}
	stored, counted := len(w.memory.events), w.counted()
	a := &answer{}
	x := w.c.begin(q, &a.Response)
	x.serve(w.t.Context())
	t := x.tally
	lost := 0
	for _, r := range t.rejected {
		if r.code == unknownSite {
			lost++
		}
	}
	if a.Status >= 500 {
		w.c.end(x)
		return a
	}
	if got := t.accepted + t.duplicates + t.total + t.noConsent; got != t.seen {
		w.t.Errorf("%s %s?%s %q: %d events, %d verdicts", c.method, c.path, c.query, c.body, t.seen, got)
	}
	if !x.request.debug && len(t.rejected) < MaxListed {
		if got := len(w.memory.events) - stored; got != t.accepted {
			w.t.Errorf("%s %s?%s %q: %d stored, %d accepted", c.method, c.path, c.query, c.body, got, t.accepted)
		}
		if got := w.counted() - counted; got != uint64(t.total-lost+t.noConsent) {
			w.t.Errorf("%s %s?%s %q: the ledger has %d, the answer %d rejected of which %d lost, %d without consent", c.method, c.path, c.query, c.body, got, t.total, lost, t.noConsent)
		}
	}
	w.c.end(x)
	if strings.Contains(a.ContentType, "json") && !json.Valid(a.Body) {
		w.t.Errorf("%s %s: not JSON: %s", c.method, c.path, a.Body)
	}
	return a
}

// counted is the number of events in the ledger that were not stored.
func (w *world) counted() (n uint64) {
	for c, k := range w.memory.counts {
		if c.Verdict != verdictRefused {
			n += k
		}
	}
	return n
}

// rows returns the events stored since it was last called, as the debug switch
// shows them, without what every event of a test has.
func (w *world) rows() []string {
	w.t.Helper()
	out := []string{}
	for i := range w.memory.events {
		ev := &w.memory.events[i]
		var row map[string]any
		if err := json.Unmarshal(appendEvent(nil, ev, 0), &row); err != nil {
			w.t.Fatal(err)
		}
		for _, usual := range []string{"index", "item", "host", "path", "referrer_host", "channel"} {
			delete(row, usual)
		}
		if ev.Time == w.now {
			delete(row, "time")
		}
		if ev.Flags&event.FlagCookieless != 0 {
			delete(row, "device")
		}
		if strings.Contains(ev.View, ":") {
			row["view"] = "VIEW"
		}
		if device, ok := row["device"].(string); ok && len(device) == 22 {
			row["device"] = "NEW"
		}
		if strings.Contains(ev.ID, ":") {
			row["id"] = "ID"
		} else {
			delete(row, "id") // made here
		}
		if marks := slices.DeleteFunc(row["marks"].([]any), func(m any) bool { return m == "item_from_url" }); len(marks) == 0 {
			delete(row, "marks")
		} else {
			row["marks"] = marks
		}
		if len(row["properties"].(map[string]any)) == 0 {
			delete(row, "properties")
		}
		text, _ := json.Marshal(row)
		out = append(out, string(text))
	}
	w.memory.events = nil
	return out
}

// heard is one request in a dialect and what should come of it.
type heard struct {
	name    string
	call    call
	status  int
	body    string // of the answer; "": any
	verdict string
	rows    []string
}

func hearAll(t *testing.T, cases []heard) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.hear(c.call)
			if a.Status != c.status || c.body != "" && string(a.Body) != c.body || a.Get(HeaderVerdict) != c.verdict {
				t.Errorf("%d %q %s, want %d %q %s", a.Status, a.Get(HeaderVerdict), a.Body, c.status, c.verdict, c.body)
			}
			sameRow(t, c.name, w.rows(), c.rows...)
		})
	}
}

// sameRow compares what was stored with what should be, "" being nothing.
func sameRow(t *testing.T, name string, got []string, rows ...string) {
	t.Helper()
	want := []string{}
	for _, row := range rows {
		if row == "" {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(row), &v); err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		text, _ := json.Marshal(v)
		want = append(want, string(text))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: %s", name, d)
	}
}

// fuzzDialect sends any bytes to an address of a dialect. Beside what it
// answers on success there is 400 for a body that is none, and what an event log
// in need makes of any request.
func fuzzDialect(f *testing.F, method, path string, success []int, seeds ...string) {
	for _, s := range seeds {
		if method == http.MethodGet {
			f.Add(s, "")
		} else {
			f.Add("", s)
		}
	}
	allowed := append(success, http.StatusBadRequest, http.StatusRequestEntityTooLarge)
	f.Fuzz(func(t *testing.T, query, body string) {
		w := newWorld(t)
		a := w.hear(call{method: method, path: path, query: query, body: body})
		if !slices.Contains(allowed, a.Status) {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		w.memory.fail = func(int) error { return eventlog.ErrDiskFull }
		a = &answer{}
		w.c.Collect(t.Context(), &Request{Method: method, Path: path, Query: query, Header: headers{}, Length: int64(len(body)), Body: strings.NewReader(body)}, &a.Response)
		if a.Status == http.StatusServiceUnavailable && a.Get("Retry-After") == "" || a.Status >= 500 && a.Status != http.StatusServiceUnavailable {
			t.Errorf("with a full disk: %d %s", a.Status, a.Body)
		}
	})
}

// Every address of every dialect answers preflights and other methods alike.
func TestDialectsAnswerBrowsers(t *testing.T) {
	w := newWorld(t)
	for _, p := range Patterns() {
		path := strings.TrimSuffix(strings.NewReplacer("{$}", "", "{key}", "w-news", "{token}", "w-news").Replace(p.Path), "{$}")
		if !Serves(path) {
			t.Errorf("%s is not served", path)
		}
		h := headers{"Origin": "https://news.example", "Access-Control-Request-Headers": "Content-Type, SP-Anonymous"}
		a := w.hear(call{method: http.MethodOptions, path: path, headers: h})
		got := map[string]string{}
		for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Max-Age"} {
			got[name] = a.Get(name)
		}
		want := map[string]string{"Access-Control-Allow-Origin": "https://news.example", "Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Headers": "Content-Type, SP-Anonymous", "Access-Control-Max-Age": "86400"}
		if !maps.Equal(got, want) || a.Status != http.StatusNoContent || !strings.Contains(a.Get("Access-Control-Allow-Methods"), p.Method) {
			t.Errorf("%s: %d %v", path, a.Status, a.Headers)
		}
		if a := w.hear(call{method: "BREW", path: path}); a.Status != http.StatusMethodNotAllowed || !strings.Contains(a.Get("Allow"), p.Method) {
			t.Errorf("BREW %s: %d %v", path, a.Status, a.Headers)
		}
	}
}

// What holds for all dialects, shown with one.
func TestDialectSeam(t *testing.T) {
	const body = `{"n":"pageview","u":"https://news.example/a","d":"news"}`
	send := func(w *world, c call) *answer {
		c.path = "/api/event"
		return w.hear(c)
	}
	t.Run("gzip by its first bytes and by its header", func(t *testing.T) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write([]byte(body))
		_ = z.Close()
		for _, h := range []headers{{"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}} {
			w := newWorld(t)
			if a := send(w, call{headers: h, body: packed.String()}); a.Status != 202 || len(w.memory.events) != 1 {
				t.Errorf("%v: %d %s", h, a.Status, a.Body)
			}
		}
	})
	t.Run("debug stores nothing", func(t *testing.T) {
		for _, c := range []call{{query: "debug=1"}, {headers: headers{HeaderDebug: "1"}}} {
			w := newWorld(t)
			c.body = strings.Replace(body, `"d":"news"`, `"d":"news,unknown.example"`, 1)
			a := send(w, c)
			if a.Status != 200 || a.Get(HeaderVerdict) != "stored, invalid:domain" || len(w.memory.events) != 0 || len(w.memory.counts) != 0 ||
				!strings.Contains(string(a.Body), `"code":"unknown_site"`) || !strings.Contains(string(a.Body), `"type":"page_view"`) {
				t.Errorf("%d %v %s", a.Status, a.Headers, a.Body)
			}
		}
	})
	t.Run("a full disk is 503", func(t *testing.T) {
		for _, set := range []func(*memory){func(m *memory) { m.ready = eventlog.ErrDiskFull }, func(m *memory) { m.fail = func(int) error { return eventlog.ErrDiskFull } }} {
			w := newWorld(t)
			set(w.memory)
			if a := send(w, call{body: body}); a.Status != 503 || a.Get("Retry-After") == "" {
				t.Errorf("%d %v %s", a.Status, a.Headers, a.Body)
			}
		}
	})
	t.Run("a site that drops without consent", func(t *testing.T) {
		w := newWorld(t)
		w.sites["drop"].Aliases = []string{"dropping.example"}
		a := send(w, call{body: `{"n":"pageview","u":"https://news.example/a","d":"dropping.example"}`})
		if a.Status != 202 || a.Get(HeaderVerdict) != "no_consent" || w.count("drop", verdictNoConsent, "silent") != 1 {
			t.Errorf("%d %v %s", a.Status, a.Headers, a.Body)
		}
	})
	t.Run("robots are told apart", func(t *testing.T) {
		w := newWorld(t)
		robot := headers{"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
		if a := send(w, call{headers: robot, body: body}); a.Status != 202 || a.Get(HeaderVerdict) != "bot" || len(w.memory.events) != 1 {
			t.Errorf("%d %v", a.Status, a.Headers)
		}
		if a := w.hear(call{path: "/api/send", headers: robot, body: `{"type":"event","payload":{"website":"news","url":"https://news.example/a"}}`}); string(a.Body) != `{"beep":"boop"}` {
			t.Errorf("%s", a.Body)
		}
	})
	t.Run("a method that the address does not have", func(t *testing.T) {
		if a := send(newWorld(t), call{method: http.MethodGet}); a.Status != 405 {
			t.Errorf("%d", a.Status)
		}
	})
}

func TestSiteNames(t *testing.T) {
	w := newWorld(t)
	delete(w.sites, "drop")
	delete(w.sites, "assume")
	delete(w.sites, "replay")
	w.sites["open"].Aliases = []string{"7", "G-ABC", "alias.example"}
	for name, want := range map[string]string{
		"news": "news", "NEWS": "news", " news.example ": "news", "www.News.example": "news", "blog.news.example": "news", "other.example": "news",
		"7": "open", "g-abc": "open", "alias.example": "open",
		"": "", "8": "", "example": "", "evil.news": "", strings.Repeat("a.", 200) + "news.example": "",
	} {
		got := ""
		if site := w.c.siteNamed(name); site != nil {
			got = site.ID
		}
		if got != want {
			t.Errorf("%q is %q, not %q", name, got, want)
		}
	}
	moved := *w.sites["open"]
	moved.Aliases = nil
	w.sites["open"] = &moved
	if site := w.c.siteNamed("7"); site != nil {
		t.Errorf("the alias is gone, and is still of %s", site.ID)
	}
	added := event.Site{ID: "late", Aliases: []string{"7"}}.WithDefaults()
	w.sites["late"] = &added
	if site := w.c.siteNamed("7"); site == nil || site.ID != "late" {
		t.Errorf("the alias is of %v", site)
	}
	if !newSiteInfo(&event.Site{Aliases: []string{"7"}}, nil).owns("any.example") {
		t.Error("an id of a tracker is no host")
	}
}

func TestForeignLimits(t *testing.T) {
	w := newWorld(t)
	props := []string{}
	for i := range 70 {
		props = append(props, fmt.Sprintf(`"p%d":%d`, i, i))
	}
	x := w.newForeign(&Request{})
	doc, why, _ := x.parse(&x.tree, `{"o":{"a":{"b":{"c":{"d":1}}},"l":[1,"x"]},"`+strings.Repeat("n", 200)+`":true,"z":null,`+strings.Join(props, ",")+`}`)
	if why != "" {
		t.Fatal(why)
	}
	f := x.event(x.siteNamed("site", "assume"))
	x.setType(f, strings.Repeat("ü", 70))
	x.keepAll(fieldProperties, doc)
	x.store()
	if !x.commit() {
		t.Fatal("not committed")
	}
	ev := w.stored()
	if len(ev.Properties) != event.MaxProperties || ev.Type() != strings.Repeat("ü", 32) {
		t.Errorf("%d properties, type %s", len(ev.Properties), ev.Type())
	}
	want := []event.Property{{Name: "name", Value: strings.Repeat("ü", 70)}, {Name: "o.a.b.c", Value: `{"d":1}`}, {Name: "o.l", Value: `[1,"x"]`},
		{Name: strings.Repeat("n", 128), Value: "true", Kind: event.KindBool}, {Name: "p0", Value: "0", Kind: event.KindNumber}}
	if d := cmp.Diff(want, ev.Properties[:5]); d != "" {
		t.Error(d)
	}
	if n := len(x.tally.cuts); n != 1+10 {
		t.Errorf("%d texts are named as cut", n)
	}
	for _, c := range []struct{ a, b []string }{{[]string{"a b", "c"}, []string{"a", "b c"}}, {[]string{strings.Repeat("x", 200)}, []string{strings.Repeat("x", 201)}}} {
		if x.id(c.a...) == x.id(c.b...) {
			t.Errorf("%q and %q are one id", c.a, c.b)
		}
	}
	if x.id("") != "" || x.id("m1") != "example:m1" {
		t.Error("ids", x.id("m1"))
	}
}

func FuzzTree(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"\u00e4"},null,true],"c":{}}`))
	f.Add([]byte(`[[[]]]`))
	f.Fuzz(func(t *testing.T, src []byte) {
		x := foreign{exchange: &exchange{}}
		v, why, _ := x.parse(&x.tree, string(src))
		clean := []byte(strings.ToValidUTF8(string(src), "\uFFFD"))
		if valid := json.Valid(clean); why == "" && !valid {
			t.Errorf("%q was read", src)
		} else if why != "" && valid && len(clean) < 64 { // deeper ones are refused
			t.Errorf("%q: %s", src, why)
		}
		n := 0
		var walk func(value)
		walk = func(v value) {
			n++
			v.text()
			v.number()
			v.get("a", "b")
			for _, m := range v.members() {
				walk(m)
			}
		}
		walk(v)
		if why == "" && n != len(x.tree.nodes) {
			t.Errorf("%q has %d values, %d were walked", src, len(x.tree.nodes), n)
		}
	})
}
