package pagecheck

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const goodPage = `<!doctype html><html lang="de"><head><title>T</title><link rel="canonical" href="/a1">
<script type="application/ld+json">{"@context":"https://schema.org","@type":"NewsArticle","headline":"Storm","datePublished":"2026-01-31T10:00:00+01:00","articleSection":"weather","author":{"name":"Ada"},"image":"/i.jpg",
"isAccessibleForFree":"False","hasPart":{"@type":"WebPageElement","isAccessibleForFree":false,"cssSelector":".paid"}}</script>
<script defer src="/rs.js" data-site="news" data-key="k1"></script></head>
<body><article class="x paid" data-rs-access="story" hidden>text</article><section data-rs-offer hidden>buy</section></body></html>`

// site serves one page at every path but those that a Readership has.
type site struct {
	page   string
	header http.Header
	status int
	events string // the answer to events; "" as a stranger would
	script string // the type of the script
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/rs.js":
		w.Header().Set("Content-Type", s.script)
	case "/v1/events":
		if body, err := io.ReadAll(r.Body); err != nil || r.URL.Query().Get("debug") != "1" || r.URL.Query().Get("key") != "k1" || !strings.Contains(string(body), `"canonical":"http`) {
			http.Error(w, "not as expected: "+string(body), http.StatusTeapot)
			return
		}
		_, _ = io.WriteString(w, s.events)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for name, values := range s.header {
			w.Header()[name] = values
		}
		if s.status != 0 {
			w.WriteHeader(s.status)
		}
		_, _ = io.WriteString(w, s.page)
	}
}

func check(t *testing.T, s *site) *Report {
	t.Helper()
	web := httptest.NewServer(s)
	defer web.Close()
	r, err := Check(context.Background(), web.URL+"/a1?utm=1", Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func good() *site {
	return &site{page: goodPage, script: "text/javascript", events: `{"accepted":1,"events":[{"item":"a1"}],"rejected":[]}`}
}

func TestGoodPage(t *testing.T) {
	r := check(t, good())
	if r.Count(Fault)+r.Count(Warning) > 0 {
		t.Errorf("%+v", r.Findings)
	}
	for _, want := range []string{"stored as item a1", "JSON-LD of NewsArticle", "of 2026-01-31T09:00:00Z", "waits for access block story", `cssSelector ".paid" is in the page`} {
		if !strings.Contains(fmt.Sprint(r.Findings), want) {
			t.Errorf("nothing says %q: %+v", want, r.Findings)
		}
	}
}

func TestFindings(t *testing.T) {
	replaced := func(old, new string) func(*site) {
		return func(s *site) {
			if !strings.Contains(s.page, old) {
				panic(old + " is not in the page")
			}
			s.page = strings.ReplaceAll(s.page, old, new)
		}
	}
	header := func(name, value string) func(*site) {
		return func(s *site) {
			if s.header == nil {
				s.header = http.Header{}
			}
			s.header.Add(name, value)
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*site)
		level  Level
		want   string
	}{
		{"gone", func(s *site) { s.status = http.StatusNotFound }, Fault, "404 Not Found"},
		{"no page", header("Content-Type", "application/pdf"), Fault, "no page in HTML"},
		{"stopped", func(s *site) { s.status = http.StatusForbidden }, Note, "this reader is stopped"},
		{"too large", func(s *site) { s.page += strings.Repeat(" ", maxBody) }, Fault, "larger than 2 MB"},
		{"no tag", replaced(`<script defer src="/rs.js" data-site="news" data-key="k1"></script>`, ""), Fault, "no tag"},
		{"another's tag", replaced(`<script defer src="/rs.js" data-site="news" data-key="k1"></script>`, `<script data-website-id="1" src="u.js"></script>`), Note, "a tag of Umami"},
		{"two tags", replaced(`</head>`, `<script src="/rs.js" data-site="news" data-key="k1"></script></head>`), Warning, "2 tags of Readership"},
		{"no key", replaced(` data-key="k1"`, ""), Fault, "has no data-key"},
		{"no script", func(s *site) { s.script = "text/html" }, Fault, "is answered 200 with text/html"},
		{"script of another site", replaced(`src="/rs.js"`, `src="http://localhost:1/rs.js"`), Fault, "cannot be fetched"},
		{"no Readership", func(s *site) { s.events = "<p>welcome" }, Fault, "is no Readership"},
		{"host", func(s *site) { s.events = `{"rejected":[{"code":"host_not_allowed","message":"m"}]}` }, Fault, "add 127.0.0.1 to the site's domains"},
		{"not stored", func(s *site) { s.events = `{"accepted":0,"events":[],"rejected":[]}` }, Warning, "would not be stored"},
		{"canonical", replaced(`<link rel="canonical" href="/a1">`, `<link rel="canonical" href="https://else.example/a1">`), Warning, "leads to another site"},
		{"no article", replaced(`NewsArticle`, `WebSite`), Warning, "nothing says that this page is an article"},
		{"broken JSON-LD", replaced(`"headline"`, `headline`), Fault, "block 1 of JSON-LD cannot be read"},
		{"no zone", replaced(`10:00:00+01:00`, `10:00:00`), Warning, "is not read: write date, time and zone"},
		{"no section", replaced(`"articleSection":"weather",`, ""), Warning, "no section"},
		{"cookie for all", func(s *site) {
			header("Set-Cookie", "rsid=x; HttpOnly")(s)
			header("Cache-Control", "public, max-age=60")(s)
		}, Fault, "each other's identity"},
		{"cookie for scripts", header("Set-Cookie", "rsid=x"), Fault, "not HttpOnly"},
		{"decision for all", func(s *site) {
			replaced(`</head>`, `<meta name="readership-decision" content="x"></head>`)(s)
			header("Cache-Control", "s-maxage=60")(s)
		}, Fault, "what one reader may read, all may"},
		{"shown first", replaced(`data-rs-access="story" hidden`, `data-rs-access="story"`), Warning, "is not hidden"},
		{"no offer", replaced(`data-rs-offer hidden`, `hidden`), Warning, "there is no data-rs-offer"},
		{"cloaking", replaced(`"isAccessibleForFree":"False",`, ""), Fault, "may take what they see for cloaking"},
		{"free with a wall", replaced(`"isAccessibleForFree":"False"`, `"isAccessibleForFree":true`), Fault, "says that it is accessible for free"},
		{"neither", replaced(`"isAccessibleForFree":"False"`, `"isAccessibleForFree":"perhaps"`), Fault, "neither true nor false"},
		{"no part", replaced(`"cssSelector"`, `"selector"`), Fault, "no hasPart"},
		{"part that is not there", replaced(`".paid"`, `".wall"`), Fault, "no element of the page has this class"},
		{"no class", replaced(`".paid"`, `"#paid"`), Warning, "search engines read one class"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := good()
			tt.change(s)
			r := check(t, s)
			for _, f := range r.Findings {
				if f.Level == tt.level && strings.Contains(f.Text, tt.want) {
					return
				}
			}
			t.Errorf("no %s says %q: %+v", tt.level, tt.want, r.Findings)
		})
	}
}

func TestNoPage(t *testing.T) {
	for _, address := range []string{"news.example", "ftp://news.example", "http://127.0.0.1:1/", ":"} {
		if _, err := Check(context.Background(), address, Options{}); err == nil {
			t.Errorf("%s was checked", address)
		}
	}
	loop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }))
	defer loop.Close()
	if _, err := Check(context.Background(), loop.URL, Options{}); err == nil || !strings.Contains(err.Error(), "redirects") {
		t.Errorf("redirects without end: %v", err)
	}
}

// answering is a page that no network is needed for.
type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}

func FuzzCheck(f *testing.F) {
	f.Add(goodPage)
	f.Add(`<link rel=canonical href="://"><script src=":" data-site=x data-key=y></script><script type=application/ld+json>[{"@type":["Article",1],"isAccessibleForFree":false,"hasPart":[1,{"isAccessibleForFree":"http://schema.org/False","cssSelector":[1,"."]}]}]`)
	f.Fuzz(func(t *testing.T, page string) {
		if _, err := Check(context.Background(), "https://news.example/", Options{Client: &http.Client{Transport: answering(page)}}); err != nil {
			t.Fatal(err)
		}
	})
}
