package app

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pageAsk asks whether a page may be served, as another server does. It follows no
// redirect.
func (s *newsroom) pageAsk(address, query string, headers ...string) reply {
	s.t.Helper()
	r, err := http.NewRequest("GET", address+"/v1/sites/news/auth?"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Host = "news.example"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{res.StatusCode, string(text), res.Header}
}

// counting is a program that counts requests, with a price for feeds.
const counting = `
meter monthly (limit: 3) = burns |> per month |> distinct item
access story (counts: request, deadline: 10s) {
  charge feed    if item.tier == "data"  price 0.002 EUR offers feed_price
  allow  again   if item in monthly
  allow  metered if monthly.left > 0     burns monthly
  deny   wall                            offers plan_picker
}
access later (deadline: 10s) {
  allow  again   if item in monthly
  allow  metered if monthly.left > 0     burns monthly
  deny   wall
}
`

// verdictOf are the headers of a verdict but for the id and the reader.
func verdictOf(r reply) map[string]string {
	out := map[string]string{}
	for name := range r.header {
		if short, ok := strings.CutPrefix(name, "X-Readership-"); ok && short != "Decision-Id" && short != "Reader" && short != "Position" {
			out[short] = r.header.Get(name)
		}
	}
	return out
}

// TestAuth: another server asks before it serves a page, on both listeners.
func TestAuth(t *testing.T) {
	s := openNewsroom(t, Config{CollectListen: "127.0.0.1:0"}, `,"privacy":{"without_consent":"assume"}`)
	s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": counting}}))
	s.want(200, "POST", "/v1/sites/news/items", rootKey, `[{"id":"data","tier":"data","url":"https://news.example/data"}]`)
	for _, address := range []string{s.address, "http://" + s.node.fast.listener.Addr().String()} {
		cookie := "X-None: x"
		for i := range 4 {
			r := s.pageAsk(address, "access=story&key="+s.writeKey, fmt.Sprintf("X-Original-URI: /a%d?utm_source=x", i), cookie)
			if set := r.header.Get("Set-Cookie"); i == 0 {
				if !strings.HasPrefix(set, "rsid=") || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Lax") || strings.Contains(set, "Secure") {
					t.Fatalf("the new reader's cookie is %q", set)
				}
				cookie = "Cookie: " + set[:strings.Index(set, ";")]
			} else if set != "" {
				t.Errorf("a known reader is set %q", set)
			}
			want := map[string]string{"Decision": "allow", "Clause": "metered", "Meter": fmt.Sprintf("monthly;used=%d;limit=3", i+1)}
			status := 200
			if i == 3 {
				want, status = map[string]string{"Decision": "deny", "Clause": "wall", "Offer": "plan_picker", "Meter": "monthly;used=3;limit=3"}, 403
			}
			if diff := cmp.Diff(want, verdictOf(r)); diff != "" || r.status != status || r.body != "" {
				t.Errorf("page %d: %d %q %s", i, r.status, r.body, diff)
			}
			if id := r.header.Get("X-Readership-Decision-Id"); s.want(200, "GET", "/v1/sites/news/decisions/"+id, rootKey, "").json(t)["commit"] == nil {
				t.Errorf("page %d is not committed", i)
			}
			if i == 3 { // the page of the wall, as nginx fetches it
				before := s.want(200, "GET", "/v1/sites/news/readers/"+r.header.Get("X-Readership-Reader")+"/decisions", rootKey, "").json(t)["decisions"].([]any)
				id := r.header.Get("X-Readership-Decision-Id")
				w := s.pageAsk(address, "access=story&mode=forward", "X-Original-URI: /a3", "X-Readership-Decision-Id: "+id)
				if w.status != 403 || !strings.Contains(w.body, id[len(id)-8:]) || w.header.Get("Content-Type") != "text/html; charset=utf-8" || w.header.Get("Set-Cookie") != "" {
					t.Errorf("the wall: %d %v %s", w.status, w.header, w.body)
				}
				after := s.want(200, "GET", "/v1/sites/news/readers/"+r.header.Get("X-Readership-Reader")+"/decisions", rootKey, "").json(t)["decisions"].([]any)
				if len(before) != 4 || len(after) != 4 {
					t.Errorf("%d decisions before the wall was fetched, %d after", len(before), len(after))
				}
			}
		}
		// An id of a page that was allowed opens nothing.
		allowed := s.pageAsk(address, "access=story", "X-Original-URI: /b0").header.Get("X-Readership-Decision-Id")
		if r := s.pageAsk(address, "access=story&mode=forward", "X-Original-URI: /b9", "X-Readership-Decision-Id: "+allowed, cookie); r.status != 403 || verdictOf(r)["Decision"] != "deny" {
			t.Errorf("with the id of another page: %d %v", r.status, r.header)
		}
		// A charge is a denial to who takes only these, with the price.
		if r := s.pageAsk(address, "access=story", "X-Original-URI: /data", cookie); r.status != 403 || r.header.Get("Crawler-Price") != "EUR 0.002" || verdictOf(r)["Decision"] != "charge" {
			t.Errorf("a charge: %d %v", r.status, r.header)
		}
		if r := s.pageAsk(address, "access=story&mode=forward", "X-Forwarded-Proto: https", "X-Forwarded-Host: news.example", "X-Forwarded-Uri: /data", "Host: edge", cookie); r.status != 402 ||
			r.header.Get("Crawler-Price") != "EUR 0.002" || !strings.Contains(r.body, "0.002 EUR") {
			t.Errorf("a charge: %d %v %s", r.status, r.header, r.body)
		}
	}
}

// TestAuthRefuses: what is wrong never opens a page.
func TestAuthRefuses(t *testing.T) {
	s := openNewsroom(t, Config{}, `,"privacy":{"without_consent":"assume"}`)
	s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": counting}}))
	for _, tt := range []struct{ name, query, header, want string }{
		{"an unknown block", "access=stories", "X-Original-URI: /a", "unknown_access"},
		{"no block", "", "X-Original-URI: /a", "unknown_access"},
		{"a wrong key", "access=story&key=rw_wrong", "X-Original-URI: /a", "unknown_access"},
		{"no page", "access=story", "X-None: x", "no_page"},
		{"another's host", "access=story", "X-Original-URI: http://else.example/a", ""},
		{"a page that is too long", "access=story", "X-Original-URI: /" + strings.Repeat("x", 1500), "bad_page"},
	} {
		r := s.pageAsk(s.address, tt.query, tt.header)
		if tt.want == "" {
			if r.status != 200 { // the host is that of Host, whatever the request line said
				t.Errorf("%s: %d", tt.name, r.status)
			}
			continue
		}
		if r.status != 403 || r.header.Get("X-Readership-Error") != tt.want || r.header.Get("X-Readership-Decision") != "" {
			t.Errorf("%s: %d %v", tt.name, r.status, r.header)
		}
	}
	if r := s.pageAsk(s.address, "access=story", "X-Original-URI: /a", "Host: else.example"); r.status != 403 || r.header.Get("X-Readership-Error") != "host_not_allowed" {
		t.Errorf("another host: %d %v", r.status, r.header)
	}
	if r := s.do("GET", "/v1/sites/nevs/auth?access=story", "", "", "X-Original-URI: /a"); r.status != 403 || r.header.Get("X-Readership-Error") != "unknown_access" {
		t.Errorf("another site: %d %v", r.status, r.header)
	}
	// A forged cookie is nobody's: its sender is a new reader.
	r := s.pageAsk(s.address, "access=story", "X-Original-URI: /a", "Cookie: rsid=1.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA")
	if r.status != 200 || r.header.Get("X-Readership-Reader") == "device:AAAAAAAAAAAAAAAAAAAAAA" || !strings.HasPrefix(r.header.Get("Set-Cookie"), "rsid=") {
		t.Errorf("a forged cookie: %d %v", r.status, r.header)
	}
}

// TestAuthWithoutConsent: nothing is kept but the burns, in a cookie of the session.
func TestAuthWithoutConsent(t *testing.T) {
	s := openNewsroom(t, Config{}, ``)
	s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": counting}}))
	cookie := "X-None: x"
	for i := range 5 {
		r := s.pageAsk(s.address, "access=story", fmt.Sprintf("X-Original-URI: /a%d", i), cookie)
		if want := map[bool]int{true: 200, false: 403}[i < 3]; r.status != want || !strings.HasPrefix(r.header.Get("X-Readership-Reader"), "device:~") {
			t.Fatalf("page %d: %d %v", i, r.status, r.header)
		}
		set := r.header.Get("Set-Cookie")
		if i < 3 {
			if !strings.HasPrefix(set, "rsm=") || strings.Contains(set, "Max-Age") {
				t.Fatalf("page %d sets %q", i, set)
			}
			cookie = "Cookie: " + set[:strings.Index(set, ";")]
		} else if set != "" {
			t.Fatalf("page %d sets %q", i, set)
		}
	}
}

// TestAuthSaysWhatCounts: who writes the page's tag for the tracker knows what it waits for.
func TestAuthSaysWhatCounts(t *testing.T) {
	s := openNewsroom(t, Config{}, `,"privacy":{"without_consent":"assume"}`)
	for counts, want := range map[string]string{"request": "", "rendered": "", "engaged 10s": "engaged_seconds=10", "engaged 2500ms": "engaged_seconds=2.5", "scroll 50": "scroll_percent=50"} {
		program := strings.Replace(counting, "access later (", "access later (counts: "+counts+", ", 1)
		s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": program}}))
		if r := s.pageAsk(s.address, "access=later", "X-Original-URI: /a"); r.status != 200 || r.header.Get("X-Readership-Counts") != want {
			t.Errorf("%s: %d %v", counts, r.status, r.header)
		}
	}
}

// TestAuthCountsWhatIsSeen: prefetches wait for their reader.
func TestAuthCountsWhatIsSeen(t *testing.T) {
	s := openNewsroom(t, Config{}, `,"privacy":{"without_consent":"assume"}`)
	s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": counting}}))
	for _, query := range []string{"access=story", "access=later"} {
		first := s.pageAsk(s.address, query, "X-Original-URI: /a", "Sec-Purpose: prefetch;prerender")
		set := first.header.Get("Set-Cookie")
		cookie := "Cookie: " + set[:strings.Index(set, ";")]
		second := s.pageAsk(s.address, query, "X-Original-URI: /a", "Purpose: prefetch", cookie)
		if second.status != 200 || verdictOf(second)["Meter"] != "monthly;used=0;limit=3" {
			t.Fatalf("a prefetch has burned: %v", second.header)
		}
		v := s.want(200, "POST", "/v1/sites/news/decisions/"+second.header.Get("X-Readership-Decision-Id")+"/commit", s.writeKey, "", cookie).json(t)
		if v["commit"] != "burned" {
			t.Errorf("%s: the commit of the page that was seen comes to %v", query, v["commit"])
		}
	}
}

// TestOffers: what is stored is what is shown; it outlives the process, and faults
// say where they are.
func TestOffers(t *testing.T) {
	dir := t.TempDir()
	s := openNewsroom(t, Config{Data: dir}, `,"privacy":{"without_consent":"assume"}`)
	s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": strings.Replace(counting, "limit: 3", "limit: 0", 1)}}))
	const path = "/v1/sites/news/offers/plan_picker"
	s.want(404, "GET", path, rootKey, "")
	bad := s.want(422, "PUT", path, rootKey, `{"html":"<p>\n{{.Verdict.Nothing}}","redirect":"javascript:x"}`).json(t)["errors"].([]any)
	if len(bad) != 2 || bad[0].(map[string]any)["location"] != "body.html:2:11" || bad[1].(map[string]any)["location"] != "body.redirect" {
		t.Errorf("faults %v", bad)
	}
	r := s.want(201, "PUT", path, rootKey, `{"title":"Plans","html":"<h1>{{.Title}}: {{.Verdict.Clause}} of {{.Item.ID}}</h1>","redirect":null}`)
	s.want(412, "PUT", path, rootKey, `{}`, `If-Match: "x"`)
	s.want(200, "PUT", path, rootKey, `{"title":"Plans","html":"<h1>{{.Title}}: {{.Verdict.Clause}} {{.Item.ID}}</h1>","redirect":null}`, "If-Match: "+r.header.Get("ETag"))
	s.want(201, "PUT", "/v1/sites/news/items/a1", rootKey, `{"url":"https://news.example/one"}`)
	if w := s.pageAsk(s.address, "access=story&mode=forward", "X-Original-URI: /one"); w.status != 403 || w.body != "<h1>Plans: wall a1</h1>" {
		t.Errorf("the wall: %d %s", w.status, w.body)
	}
	s.stop()
	n, stop := up(t, Config{Data: dir, Now: s.clock.now})
	defer stop()
	s.node, s.address = n, "http://"+n.front.listener.Addr().String()
	if w := s.pageAsk(s.address, "access=story&mode=forward", "X-Original-URI: /one"); w.body != "<h1>Plans: wall a1</h1>" {
		t.Errorf("the wall after a restart: %d %s", w.status, w.body)
	}
	s.want(200, "PUT", path, rootKey, `{"redirect":"/plans?from={{.URL | urlquery}}"}`)
	if w := s.pageAsk(s.address, "access=story&mode=forward", "X-Original-URI: /one?x=1"); w.status != 302 || w.header.Get("Location") != "/plans?from=http%3A%2F%2Fnews.example%2Fone%3Fx%3D1" {
		t.Errorf("the wall redirects: %d %v", w.status, w.header)
	}
	s.want(204, "DELETE", path, rootKey, "")
	s.want(404, "DELETE", path, rootKey, "")
	if w := s.pageAsk(s.address, "access=story&mode=forward", "X-Original-URI: /one"); w.status != 403 || !strings.Contains(w.body, "Support code") {
		t.Errorf("the wall without an offer: %d %s", w.status, w.body)
	}
}
