package app

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// page asks the proxy as a reader's browser does.
func (s *newsroom) page(method, path, body string, headers ...string) reply {
	s.t.Helper()
	r, err := http.NewRequest(method, "http://"+s.node.proxy.plain.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Host = "news.example"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
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

func TestProxyServesStoredRoutes(t *testing.T) {
	cms := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "%s %s %s", r.Host, r.URL.Path, r.Header.Get("X-Readership-Decision"))
	}))
	defer cms.Close()
	dir := t.TempDir()
	cfg := Config{Data: dir, Proxy: ProxyConfig{Listen: "127.0.0.1:0"}}
	s := openNewsroom(t, cfg, `,"privacy":{"without_consent":"assume"}`)
	if r := s.page("GET", "/", ""); r.status != 404 {
		t.Errorf("without routes: %d %s", r.status, r.body)
	}
	routes := fmt.Sprintf(`[{"host":"news.example","origins":[{"url":%q}]},{"host":"news.example","path":"/closed/*","origins":[{"url":%q}],"access":"closed"},`+
		`{"host":"news.example","path":"/story/*","origins":[{"url":%q}],"access":"story","on_deny":"teaser"}]`, cms.URL, cms.URL, cms.URL)
	s.want(200, "PUT", "/v1/sites/news/routes", rootKey, routes)
	check := func() {
		t.Helper()
		if r := s.page("GET", "/a", "", "X-Readership-Decision: allow"); r.status != 200 || r.body != "news.example /a " {
			t.Errorf("open: %d %q", r.status, r.body)
		}
		if r := s.page("GET", "/story/1", ""); r.status != 200 || r.body != "news.example /story/1 allow" {
			t.Errorf("metered: %d %q", r.status, r.body)
		}
		if r := s.page("GET", "/closed/1", "", "X-Readership-Decision: allow"); r.status != 403 || strings.Contains(r.body, "/closed/1 ") {
			t.Errorf("closed: %d %q", r.status, r.body)
		}
	}
	check()
	r := s.page("POST", "/_readership/v1/events?key="+s.writeKey, `{"type":"page_view","url":"https://news.example/a"}`, "Content-Type: application/json")
	if r.status != 200 || r.json(t)["accepted"] != 1.0 {
		t.Errorf("event: %d %s", r.status, r.body)
	}
	if r := s.page("GET", "/_readership/v1/sites", "", "Authorization: Bearer "+rootKey); r.status != 404 {
		t.Errorf("the interface is reached through the site: %d", r.status)
	}

	// Routes outlast the process.
	s.stop()
	cfg.Now = s.clock.now
	s.node, s.stop = up(t, cfg)
	s.address = "http://" + s.node.front.listener.Addr().String()
	check()
	if text := s.want(200, "GET", "/metrics", rootKey, "").body; !strings.Contains(text, `readership_proxy_requests_total{site="news",status="2xx"}`) || !strings.Contains(text, `readership_proxy_origin_up{origin="`+cms.URL+`"} 1`) {
		t.Error("the proxy is not among the metrics")
	}
	// A domain that is given up is not served any more.
	s.want(200, "PATCH", "/v1/sites/news", rootKey, `{"domains":["paper.example"]}`)
	if r := s.page("GET", "/a", ""); r.status != 404 {
		t.Errorf("a lost domain: %d", r.status)
	}
	if text := s.want(200, "GET", "/readyz", rootKey, "").body; !strings.Contains(text, "none of the site's domains") {
		t.Error(text)
	}
}

// Routes of a file are served in place of stored ones, also once it is changed.
func TestProxyServesRoutesOfAFile(t *testing.T) {
	var asked atomic.Int64
	cms := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1) }))
	defer cms.Close()
	file := filepath.Join(t.TempDir(), "routes.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"news":[{"host":"news.example","path":"/old","origins":[{"url":"` + cms.URL + `"}]}]}`)
	s := openNewsroom(t, Config{Proxy: ProxyConfig{Listen: "127.0.0.1:0", Routes: file}}, "")
	if r := s.page("GET", "/old", ""); r.status != 200 || asked.Load() != 1 {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.want(409, "PUT", "/v1/sites/news/routes", rootKey, "[]")
	write(`{"news":[{"host":"news.example","path":"/new/address","origins":[{"url":"` + cms.URL + `"}]}]}`)
	for deadline := time.Now().Add(20 * time.Second); s.page("GET", "/new/address", "").status != 200; {
		if time.Now().After(deadline) {
			t.Fatal("the file is not read again")
		}
	}
	write(`{"news":[{"host"`)
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(s.want(200, "GET", "/readyz", rootKey, "").body, "read routes"); {
		if time.Now().After(deadline) {
			t.Fatal("nothing is said of a broken file")
		}
	}
	if r := s.page("GET", "/new/address", ""); r.status != 200 {
		t.Errorf("a broken file changed the routes: %d", r.status)
	}
}

func TestProxyFlagsFitTogether(t *testing.T) {
	for _, c := range []struct {
		cfg  ProxyConfig
		want string
	}{
		{ProxyConfig{Listen: ":80", TLSListen: ":443", ACME: true, Redirect: true}, ""},
		{ProxyConfig{TLSListen: ":443"}, "needs certificates"},
		{ProxyConfig{Listen: ":80", ACME: true}, "need --proxy-tls-listen"},
		{ProxyConfig{TLSListen: ":443", Certificates: []string{"a"}}, "names 1 files, --proxy-key 0"},
		{ProxyConfig{Listen: ":80", Redirect: true}, "--proxy-redirect needs"},
		{ProxyConfig{Listen: "x"}, "is not host:port"},
		{ProxyConfig{Listen: ":80", Prefix: "x"}, "begin and end with a slash"},
	} {
		cfg := Config{Proxy: c.cfg}.WithDefaults()
		err := cfg.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
	r := begin(t, Config{Data: t.TempDir(), Proxy: ProxyConfig{Listen: "127.0.0.1:0"}})
	r.end(t)
	if out := r.out.String(); !strings.Contains(out, "Reverse proxy: http://127.0.0.1:") {
		t.Error(out)
	}
}
