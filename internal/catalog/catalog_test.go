package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/event"
)

func TestReadTakesTheFirstThatSaysIt(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		html string
		want *Page // nil: no article
	}{
		"JSON-LD in a graph": {`<html lang="de-AT"><title>T | News</title><link rel=canonical href=/a><script type="application/ld+json">{"@graph":[{"@type":"WebPage"},
			{"@type":["NewsArticle"],"headline":"H &  more","articleSection":["Sea"],"author":[{"name":"Ada"},"Grace"],"image":{"url":"/i.jpg"},"keywords":"x, y",
			"datePublished":"2026-03-01T10:00:00+01:00","isAccessibleForFree":false}]}</script>`,
			&Page{Canonical: "/a", Title: "H & more", Section: "Sea", Language: "de", Image: "/i.jpg", Authors: []string{"Ada", "Grace"}, Tags: []string{"x", "y"}, PublishedAt: &at}},
		"parsely": {`<meta name="parsely-type" content="post"><meta name="parsely-title" content="P"><meta name="parsely-author" content="A"><meta name="parsely-author" content="B"><meta property="og:title" content="O">`,
			&Page{Title: "P", Authors: []string{"A", "B"}}},
		"Open Graph":    {`<meta property="og:type" content="article"><meta property="og:title" content="O"><meta property="article:section" content="S">`, &Page{Title: "O", Section: "S"}},
		"our tag first": {`<meta property="og:title" content="O"><script src=x data-site=news data-key=k data-item=a7 data-tier=premium data-section="X"></script>`, &Page{ID: "a7", Tier: "premium", Title: "O", Section: "X"}},
		"a front page":  {`<title>News</title><script type="application/ld+json">{"@type":"WebSite"}</script>`, nil},
		"broken JSON":   {`<script type="application/ld+json">{"@type":"NewsArticle"</script>`, nil},
	} {
		page, ok, err := Read(strings.NewReader(c.html))
		if err != nil || ok != (c.want != nil) {
			t.Errorf("%s: %v %v", name, ok, err)
			continue
		}
		if ok {
			if d := cmp.Diff(c.want, page); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`<html lang=x><script type="application/ld+json">[[{"@graph":[{"@type":"NewsArticle","author":{"name":{"name":["a"]}}}]}]]</script>`))
	f.Add([]byte("<title>\xff</title><meta name=parsely-tags content=',,a'>"))
	f.Add([]byte(`<script data-site=a data-key=b data-item=c type="application/ld+json">`))
	f.Fuzz(func(t *testing.T, text []byte) {
		page, _, err := Read(strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range append(append([]string{page.ID, page.Title, page.Section, page.Language, page.Tier}, page.Authors...), page.Tags...) {
			if len(s) > event.MaxStringBytes || strings.ToValidUTF8(s, "") != s {
				t.Fatalf("%q", s)
			}
		}
		if len(page.Authors) > maxListed || len(page.Tags) > maxListed {
			t.Fatal("too many")
		}
	})
}

// world is a site whose pages are served on this machine, and its catalogue.
type world struct {
	*Fetcher
	site   *event.Site
	items  map[string]*event.Item
	origin string
	served map[string]int
}

const story = `<link rel="canonical" href="/story"><script type="application/ld+json">{"@type":"NewsArticle","headline":"Ships"}</script>`

func newWorld(t *testing.T, networks ...string) *world {
	w := &world{items: map[string]*event.Item{}, served: map[string]int{}}
	pages := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.served[r.URL.RequestURI()]++
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/moved":
			http.Redirect(rw, r, "/story", http.StatusFound)
		case "/away":
			http.Redirect(rw, r, "http://elsewhere.example/", http.StatusFound)
		case "/foreign":
			_, _ = fmt.Fprint(rw, `<link rel="canonical" href="https://elsewhere.example/x"><meta property="og:type" content="article">`)
		case "/gone":
			rw.WriteHeader(http.StatusGone)
		default:
			_, _ = fmt.Fprint(rw, story)
		}
	}))
	t.Cleanup(pages.Close)
	w.origin = strings.Replace(pages.URL, "127.0.0.1", "localhost", 1)
	w.site = &event.Site{ID: "news", Domains: []string{"localhost"}, IDParams: []string{"p"}}
	var allowed []netip.Prefix
	for _, n := range networks {
		allowed = append(allowed, netip.MustParsePrefix(n))
	}
	w.Fetcher = New(Config{
		Site: func(id string) (*event.Site, bool) { return w.site, id == w.site.ID },
		Item: func(_, id string) (*event.Item, bool) { i, ok := w.items[id]; return i, ok },
		ByAddress: func(_, address string) (string, bool) {
			for id, i := range w.items {
				if i.URL != "" && w.address(w.site, i.URL) == address {
					return id, true
				}
			}
			return "", false
		},
		Address: w.address,
		Write: func(_ context.Context, facts ...event.Fact) error {
			for _, f := range facts {
				item := &event.Item{}
				if err := json.Unmarshal(f.Value, item); err != nil {
					return err
				}
				w.items[f.Key] = item
			}
			return nil
		},
		Networks: allowed, Agent: "Readership/test",
	})
	return w
}

func (w *world) address(_ *event.Site, page string) string {
	at, _ := url.Parse(page)
	return at.Hostname() + at.Path
}

func (w *world) looks(t *testing.T, path string) error {
	t.Helper()
	return w.look(t.Context(), "news", w.origin+path)
}

func TestAPageFillsItsEntry(t *testing.T) {
	w := newWorld(t, "127.0.0.0/8", "::1/128")
	if err := w.looks(t, "/moved?session=secret&p=7#x"); err != nil {
		t.Fatal(err)
	}
	want := &event.Item{ID: "localhost/story", URL: w.origin + "/story", Kind: "article", Title: "Ships", Source: event.SourcePage}
	if d := cmp.Diff(map[string]*event.Item{want.ID: want}, w.items); d != "" {
		t.Error(d)
	}
	if w.served["/moved?p=7"] != 1 {
		t.Errorf("asked for %v", w.served)
	}

	w.items["localhost/story"].Title = "Old"
	if err := w.looks(t, "/story"); err != nil || w.items["localhost/story"].Title != "Ships" {
		t.Errorf("what came from the page is not kept up to date: %v", err)
	}
	w.items = map[string]*event.Item{"a1": {ID: "a1", URL: w.origin + "/story", Title: "By hand"}}
	if err := w.looks(t, "/story"); err != nil || len(w.items) != 1 || w.items["a1"].Title != "By hand" {
		t.Errorf("what is kept by hand was changed: %v", err)
	}
	if err := w.looks(t, "/foreign"); err != nil || w.items["localhost/foreign"] == nil {
		t.Errorf("the canonical link of another site counts: %v, %v", err, w.items)
	}
}

func TestWhatIsNotFetched(t *testing.T) {
	w := newWorld(t, "127.0.0.0/8", "::1/128")
	for _, page := range []string{w.origin + "/away", w.origin + "/gone", "http://elsewhere.example/", "ftp://localhost/", "file:///etc/passwd", "//localhost/", "http://localhost.evil.example/", "http://[::1]/", "%"} {
		if err := w.look(t.Context(), "news", page); err == nil {
			t.Errorf("%s was fetched", page)
		}
	}
	if len(w.items) > 0 {
		t.Error(w.items)
	}
	private := newWorld(t)
	if err := private.looks(t, "/story"); err == nil || !strings.Contains(err.Error(), "no public address") || len(private.served) > 0 {
		t.Errorf("a private address: %v", err)
	}
}

func TestPublicAddresses(t *testing.T) {
	f := New(Config{})
	for address, may := range map[string]bool{
		"93.184.216.34:443": true, "93.184.216.34:80": true, "93.184.216.34:22": false, "[2606:2800:220:1::1]:443": true,
		"127.0.0.1:80": false, "10.1.2.3:80": false, "169.254.169.254:80": false, "192.168.0.1:443": false, "100.64.0.1:80": false, "0.0.0.0:80": false, "224.0.0.1:80": false,
		"255.255.255.255:80": false, "[::1]:80": false, "[::ffff:127.0.0.1]:80": false, "[fe80::1%eth0]:80": false, "[fd00::1]:80": false, "[64:ff9b::7f00:1]:80": false, "[::]:80": false,
	} {
		if err := f.mayDial("tcp", address, nil); (err == nil) != may {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestHintsAreFewAndBounded(t *testing.T) {
	w := newWorld(t, "127.0.0.0/8", "::1/128")
	ctx, cancel := context.WithCancel(t.Context())
	w.Hint(w.site, w.origin+"/early", "early", 0) // nobody looks yet
	done := make(chan struct{})
	w.mu.Lock()
	w.ctx = ctx
	for range maxFetches { // no fetch can begin
		w.slots <- struct{}{}
	}
	w.mu.Unlock()
	const at = 1_700_000_000_000
	for i := range maxWaiting + 10 {
		page := fmt.Sprintf("/%d", i)
		w.Hint(w.site, w.origin+page, page, at)
		w.Hint(w.site, w.origin+page, page, at)
	}
	full := w.Figures()
	if full.Dropped == 0 || full.Waiting != maxWaiting {
		t.Errorf("%+v", full)
	}
	for range 2 {
		w.Hint(w.site, w.origin+"/dropped", "/dropped", at) // is hinted at again by its next view
	}
	w.Hint(w.site, w.origin+"/1", "/1", at+again.Milliseconds()-minuteMilli)
	w.Hint(w.site, w.origin+"/1", "/1", at-again.Milliseconds()) // an old view that comes late
	if n := w.Figures().Dropped; n != full.Dropped+2 {
		t.Errorf("%d hints were dropped, want %d", n, full.Dropped+2)
	}
	w.Hint(w.site, w.origin+"/1", "/1", at+again.Milliseconds())
	if n := w.Figures().Dropped; n != full.Dropped+3 {
		t.Errorf("an hour later a page is not hinted at again: %d dropped, want %d", n, full.Dropped+3)
	}
	if n := testing.AllocsPerRun(100, func() { w.Hint(w.site, "/0", "/0", at) }); n > 0 {
		t.Errorf("a page that is known costs %v allocations", n)
	}
	cancel()
	go func() { w.Run(ctx); close(done) }()
	<-done
	if len(w.lanes) > 0 || len(w.served) > 0 || w.Figures().Waiting != 0 {
		t.Errorf("left %v, served %v, %+v", w.lanes, w.served, w.Figures())
	}
}

// What was remembered last is known until its time; others may be forgotten for it,
// but nothing is known that was not remembered.
func TestSeen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &seen{}
		model := map[uint64]int64{}
		keys := rapid.Custom(func(rt *rapid.T) uint64 { // many meet in the same places
			tag := rapid.Uint64Range(1, 9).Draw(rt, "tag")
			return tag<<minuteBits | tag%3
		})
		at := int64(1_700_000_000_000)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			key := keys.Draw(rt, "key")
			if rapid.Bool().Draw(rt, "remember") {
				model[key] = at + rapid.Int64Range(minuteMilli, 90*minuteMilli).Draw(rt, "for")
				s.remember(key, model[key])
				if !s.lately(key, at) {
					rt.Fatalf("%x is forgotten at once", key)
				}
			}
			for key := range model {
				if s.lately(key, model[key]) || s.lately(key, at) && at >= model[key] {
					rt.Fatalf("%x is known after its time", key)
				}
			}
			if other := key ^ 1<<63; s.lately(other, at) {
				rt.Fatalf("%x is known, though nobody has remembered it", other)
			}
			at += rapid.Int64Range(0, 30*minuteMilli).Draw(rt, "pause")
		}
	})
}
