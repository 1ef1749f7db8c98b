package app

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// sent sends a request to the proxy byte by byte as it stands, which clients that
// mean well do not.
func (s *newsroom) sent(method, target string, headers ...string) reply {
	s.t.Helper()
	c, err := net.Dial("tcp", s.node.proxy.plain.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: news.example", "Connection: close"}, headers...)
	if _, err := io.WriteString(c, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{res.StatusCode, string(text), res.Header}
}

// walled is a program whose wall depends on what the item and the address are.
const walled = `
meter monthly (limit: 1) = burns |> per month |> distinct item
access story (deadline: 10s) {
  deny  paid    if item.tier == "premium"                              offers plans
  deny  plus    if starts_with(request.path ?? "", "/articles/plus/") offers plans
  allow again   if item in monthly
  allow metered if monthly.left > 0                             burns monthly
  deny  wall                                                    offers plans
}
`

// openWalls is a newsroom behind its proxy, whose articles are walled.
func openWalls(t *testing.T, origin http.HandlerFunc) *newsroom {
	t.Helper()
	cms := httptest.NewServer(origin)
	t.Cleanup(cms.Close)
	s := openNewsroom(t, Config{Proxy: ProxyConfig{Listen: "127.0.0.1:0"}}, `,"id_params":["id"],"privacy":{"without_consent":"assume"}`)
	s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": walled}}))
	s.want(200, "POST", "/v1/sites/news/items", rootKey, `[{"id":"gold","tier":"premium","url":"https://news.example/articles/gold,1(a).html"},
		{"id":"silver","tier":"premium","url":"https://news.example/articles/read?id=9"},{"id":"session","tier":"free","url":"https://news.example/articles/open;lang=de"}]`)
	s.want(200, "PUT", "/v1/sites/news/routes", rootKey, fmt.Sprintf(`[{"host":"news.example","path":"/articles/*","origins":[{"url":%q}],"access":"story"}]`, cms.URL))
	return s
}

// TestNoAddressLeadsPastTheWall: however an address is written that origins read as
// that of an article, the article is what is decided about.
func TestNoAddressLeadsPastTheWall(t *testing.T) {
	s := openWalls(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "the whole article")
	})
	for _, target := range []string{
		"/articles/gold,1(a).html", "/articles/%67old,1(a).html", "/articles/gold%2C1%28a%29%2ehtml", "/%61rticles/gold,1(a).html", "/ARTICLES/../articles/gold,1(a).html",
		"//articles//gold,1(a).html", "/articles/gold,1(a).html;x=1", "/articles;x/gold,1(a).html", `/articles\gold,1(a).html`, "/articles%5Cgold,1(a).html", "/articles%2Fgold,1(a).html",
		"/articles/gold,1(a).html/", "/articles/gold,1(a).html?x=1", "/articles/gold,1(a).html/amp", "/articles/./gold,1(a).html", "/articles/x/../gold,1(a).html", "/articles/%2e%2e/articles/gold,1(a).html",
		"http://news.example/articles/%67old,1(a).html",
		"/articles/read?id=9", "/articles/read?id=%39", "/articles/read?%69d=9", "/articles/read?id=1&id=9", "/articles/read?x=1&id=9&id=1", "/articles/read?id=1&%69d=9", "/articles//read?id=9", "/articles/%72ead?id=9",
		"/articles/plus/a", "/articles/%70lus/a", "/articles//plus/a", "/articles/plus;x/a", "/articles%2fplus%2Fa",
	} {
		if r := s.sent("GET", target); r.status == 200 || strings.Contains(r.body, "whole") {
			t.Errorf("the proxy, %s: %d %s", target, r.status, r.body)
		}
		for _, name := range []string{"X-Original-URI", "X-Forwarded-Uri"} {
			if r := s.pageAsk(s.address, "access=story", name+": "+target); r.status != 403 {
				t.Errorf("%s: %s: %d %v", name, target, r.status, r.header)
			}
		}
		if r := s.pageAsk(s.address, "access=story&uri="+target); r.status != 403 && !strings.Contains(target, "\\") {
			t.Errorf("uri=%s: %d %v", target, r.status, r.header)
		}
	}
	// What the catalogue calls so is what it says.
	for _, target := range []string{"/articles/open;lang=de", "/articles/%6Fpen;lang=de"} {
		if r := s.pageAsk(s.address, "access=story", "X-Original-URI: "+target); r.status != 200 {
			t.Errorf("%s: %d %v", target, r.status, r.header)
		}
	}
	// Who reads under two names reads what neither opens.
	for _, headers := range [][]string{
		{"X-Original-URI: /articles/free", "X-Forwarded-Uri: /articles/gold,1(a).html"}, {"X-Original-URI: /articles/gold,1(a).html", "X-Forwarded-Uri: /articles/free"},
		{"X-Original-URI: /articles/free", "X-Original-URI: /articles/gold,1(a).html"}, {"X-Forwarded-Uri: /articles/free", "X-Forwarded-Uri: /articles/gold,1(a).html"},
	} {
		if r := s.pageAsk(s.address, "access=story", headers...); r.status != 403 {
			t.Errorf("%q: %d %v", headers, r.status, r.header)
		}
	}
}

// TestEveryPageCounts: however a page is asked for, it counts if the reader gets it.
func TestEveryPageCounts(t *testing.T) {
	s := openWalls(t, func(w http.ResponseWriter, r *http.Request) {
		media := "text/html; charset=utf-8"
		switch r.URL.Path {
		case "/articles/twice":
			media = "text/html; charset=utf-8; charset=latin1"
		case "/articles/loud":
			media = "TEXT/HTML"
		case "/articles/none":
			w.Header()["Content-Type"] = nil
			fmt.Fprint(w, "<!doctype html><title>the whole article</title>")
			return
		}
		w.Header().Set("Content-Type", media)
		if r.Header.Get("Range") == "" {
			fmt.Fprint(w, strings.Repeat("the whole article ", 100))
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(strings.Repeat("the whole article ", 100)))
	})
	for i, c := range []struct{ method, path, header string }{
		{"GET", "/articles/plain", "X-None: x"},
		{"GET", "/articles/part", "Range: bytes=0-1700"},
		{"GET", "/articles/parts", "Range: bytes=0-900,901-1799"},
		{"OPTIONS", "/articles/options", "X-None: x"},
		{"POST", "/articles/post", "Content-Length: 0"},
		{"GET", "/articles/twice", "X-None: x"},
		{"GET", "/articles/loud", "X-None: x"},
		{"GET", "/articles/none", "X-None: x"},
		{"GET", "/articles/program", "Accept: */*"},
		{"GET", "/articles/referred", "Referer: https://else.example/\xff\xfe"},
		{"GET", "/articles/query?utm_source=\xff", "X-None: x"},
		{"GET", "/articles/path%ff", "X-None: x"},
		{"GET", "/articles/path\xff", "X-None: x"},
		{"GET", "/articles/agent", "User-Agent: \xff"},
		{"GET", "/articles/speaks", "Accept-Language: \xff"},
		{"GET", "/articles/long?x=" + strings.Repeat("x", 4000), "X-None: x"},
		{"GET", "/articles/upgrade", "Upgrade: websocket"},
		{"GET", "/articles/h2c", "Upgrade: h2c"},
		{"GET", "/articles/fresh", `If-None-Match: "x"`},
	} {
		first := s.sent(c.method, c.path, c.header)
		if !strings.Contains(first.body, "the whole article") {
			if first.status < 400 {
				t.Errorf("%s %s, %s: %d %q", c.method, c.path, c.header, first.status, first.body)
			}
			continue // what is not given does not count
		}
		set := first.header.Get("Set-Cookie")
		cookie, _, _ := strings.Cut(set, ";")
		for deadline := time.Now().Add(5 * time.Second); ; {
			if r := s.sent("GET", fmt.Sprint("/articles/next", i), "Cookie: "+cookie, "Sec-Purpose: prefetch"); r.status == 403 {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("%s %s, %s: the page does not count", c.method, c.path, c.header)
				break
			}
		}
	}
}
