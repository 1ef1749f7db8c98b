package proxy

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/readership/readership/internal/edge"
	"github.com/readership/readership/internal/edge/origintest"
	"github.com/readership/readership/internal/event"
)

// tables is a Source that tests write.
type tables struct {
	mu      sync.Mutex
	count   atomic.Uint64
	sites   []*event.Site
	byOwner map[string][]event.Route
}

func (s *tables) RoutesVersion() uint64 { return s.count.Load() }

func (s *tables) Sites() []*event.Site {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sites
}

func (s *tables) Routes(site string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, err := json.Marshal(s.byOwner[site])
	return value, err == nil && s.byOwner[site] != nil
}

func (s *tables) set(site string, routes ...event.Route) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byOwner[site] = routes
	s.count.Add(1)
}

// served is a proxy under test with its plain listener.
type served struct {
	*Server
	tables *tables
	addr   string
	once   sync.Once
}

// newEdge serves site "news" with the domain news.example.
func newEdge(t *testing.T, cfg Config, routes ...event.Route) *served {
	t.Helper()
	site := &event.Site{ID: "news", Domains: []string{"news.example"}, TrustedProxies: []string{"192.0.2.0/24"}}
	e := &served{tables: &tables{sites: []*event.Site{site}, byOwner: map[string][]event.Route{}}}
	e.tables.set("news", routes...)
	cfg.Source = e.tables
	e.Server = New(cfg)
	e.addr = e.listen(t, e.Serve)
	return e
}

// listen serves on a free port until the test ends, when nothing may be left.
func (e *served) listen(t *testing.T, serve func(net.Listener) error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.serve(t, l, serve)
	return l.Addr().String()
}

func (e *served) serve(t *testing.T, l net.Listener, serve func(net.Listener) error) {
	t.Helper()
	guard := edge.NewGuard(l, edge.Config{Acked: func() event.Position { return 0 }, Random: rand.Reader})
	e.once.Do(func() { e.Bound(guard) })
	done := make(chan error, 1)
	go func() { done <- serve(guard) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_ = e.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

// to is a route of everything to origins.
func to(origins ...string) event.Route {
	r := event.Route{Host: "news.example"}
	for _, url := range origins {
		r.Origins = append(r.Origins, event.Origin{URL: url})
	}
	return r
}

func backend(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

// dead is the address of an origin that refuses connections.
func dead(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

var plain = &http.Client{Transport: &http.Transport{DisableCompression: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// ask sends a request for news.example and reads the whole answer.
func (e *served) ask(t *testing.T, method, path string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+e.addr+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "news.example"
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	res, err := plain.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return res, string(text)
}

func TestForwardsAndTellsTheWay(t *testing.T) {
	var got *http.Request
	e := newEdge(t, Config{}, to(backend(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(context.Background())
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Connection", "X-Secret")
		w.Header().Set("X-Secret", "of one hop")
		fmt.Fprint(w, "not really gzip")
	})))
	res, text := e.ask(t, "GET", "/politik//a%2Fb?x=1;y&z=%zz", nil,
		"X-Readership-Decision", "allow", "X_Readership_Segments", "all", "x-readership-anything", "1",
		"X-Forwarded-For", "198.51.100.7", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "X_Forwarded_For", "1.2.3.4",
		"X-Forwarded-Port", "1", "Forwarded", "for=198.51.100.7", "X-Real-IP", "198.51.100.7", "X-Original-URL", "/admin",
		"Connection", "X-Readership-Decision, X-Hop", "X-Hop", "1", "Te", "trailers", "Accept-Encoding", "br", "User-Agent", "test")
	if res.StatusCode != 200 || text != "not really gzip" || res.Header.Get("Content-Encoding") != "gzip" || res.Header.Get("X-Secret") != "" {
		t.Errorf("answer %d %v %q", res.StatusCode, res.Header, text)
	}
	if got.RequestURI != "/politik//a%2Fb?x=1;y&z=%zz" || got.Host != "news.example" {
		t.Errorf("the origin was asked for %s of %s", got.RequestURI, got.Host)
	}
	want := http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"news.example"}, "X-Forwarded-Proto": {"http"}, "X-Real-Ip": {"127.0.0.1"},
		"Te": {"trailers"}, "Accept-Encoding": {"br"}, "User-Agent": {"test"}}
	if fmt.Sprint(got.Header) != fmt.Sprint(want) {
		t.Errorf("the origin's headers: %v\nwant: %v", got.Header, want)
	}
}

// A trusted proxy passes on what its readers send: another path is not believed from it.
func TestStripsOfTrustedProxies(t *testing.T) {
	h := http.Header{"X-Original-Url": {"/a"}, "X_rewrite_url": {"/a"}, "X-Original-Uri": {"/a"}, "X-Readership-Reader": {"x"}, "X-Forwarded-Prefix": {"/p"}, "X-Real-Ip": {"192.0.2.1"}}
	strip(h, true)
	if len(h) != 2 || h.Get("X-Forwarded-Prefix") == "" || h.Get("X-Real-Ip") == "" {
		t.Errorf("%v", h)
	}
}

func TestPeerBehindTrustedProxies(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	for _, c := range []struct{ name, remote, forwarded, reader, sent string }{
		{"nobody before us", "198.51.100.1:80", "", "198.51.100.1", "198.51.100.1"},
		{"not trusted, so not believed", "198.51.100.1:80", "203.0.113.9", "198.51.100.1", "198.51.100.1"},
		{"trusted", "192.0.2.1:80", "203.0.113.9", "203.0.113.9", "203.0.113.9, 192.0.2.1"},
		{"the reader wrote the first ones", "192.0.2.1:80", "10.0.0.1, 203.0.113.9, 192.0.2.7", "203.0.113.9", "10.0.0.1, 203.0.113.9, 192.0.2.7, 192.0.2.1"},
		{"all trusted", "192.0.2.1:80", "192.0.2.9", "192.0.2.9", "192.0.2.9, 192.0.2.1"},
		{"not an address", "192.0.2.1:80", "203.0.113.9, unknown", "192.0.2.1", "203.0.113.9, unknown, 192.0.2.1"},
		{"IPv6 with port", "[2001:db8::1]:80", "[2001:470::5]:1234", "2001:470::5", "[2001:470::5]:1234, 2001:db8::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = c.remote
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
			p := peerOf(r, trusted)
			out := http.Header{}
			p.forward(r.Header, out, "news.example")
			if p.reader.String() != c.reader || out.Get("X-Forwarded-For") != c.sent || out.Get("X-Real-Ip") != c.reader {
				t.Errorf("reader %s, X-Forwarded-For %q; want %s, %q", p.reader, out.Get("X-Forwarded-For"), c.reader, c.sent)
			}
		})
	}
}

func TestStreamsBothWays(t *testing.T) {
	e := newEdge(t, Config{}, to(backend(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintln(w, "got", lines.Text())
			w.(http.Flusher).Flush()
		}
	})))
	send, body := io.Pipe()
	r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+e.addr+"/", send)
	r.Host = "news.example"
	go fmt.Fprintln(body, "one")
	res, err := plain.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answers := bufio.NewScanner(res.Body)
	for _, word := range []string{"one", "two", "three"} {
		if word != "one" {
			fmt.Fprintln(body, word)
		}
		if !answers.Scan() || answers.Text() != "got "+word {
			t.Fatalf("after %q: %q, %v", word, answers.Text(), answers.Err())
		}
	}
	body.Close()
	if answers.Scan() {
		t.Errorf("one line too many: %q", answers.Text())
	}
}

// An origin that will not have a body answers before it has come, and its sender may
// wait for that.
func TestAnswersBeforeTheBodyHasCome(t *testing.T) {
	e := newEdge(t, Config{}, to(backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprint(w, "too large")
	})))
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(c, "POST /a HTTP/1.1\r\nHost: news.example\r\nContent-Length: 1000000\r\n\r\nhello")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusRequestEntityTooLarge || string(text) != "too large" || err != nil {
		t.Errorf("%d %q %v", res.StatusCode, text, err)
	}
}

func TestEventsAreSentOnAtOnce(t *testing.T) {
	next := make(chan struct{})
	e := newEdge(t, Config{}, to(backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			<-next
		}
	})))
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+e.addr+"/", nil)
	r.Host = "news.example"
	res, err := plain.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	in := bufio.NewReader(res.Body)
	for i := range 3 {
		line, _ := in.ReadString('\n')
		_, _ = in.ReadString('\n')
		if line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("event %d: %q", i, line)
		}
		next <- struct{}{}
	}
}

func TestTrailersAndEarlyHints(t *testing.T) {
	e := newEdge(t, Config{}, to(backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Sum")
		w.Write(body)
		w.Header().Set("X-Sum", r.Trailer.Get("X-Length"))
	})))
	r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+e.addr+"/", io.MultiReader(strings.NewReader("text")))
	r.Host, r.Trailer = "news.example", http.Header{"X-Length": {"4"}}
	res, err := plain.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if string(text) != "text" || res.Trailer.Get("X-Sum") != "4" {
		t.Errorf("body %q, trailer %v", text, res.Trailer)
	}
}

// upgrade opens a connection to the proxy and asks for another protocol.
func (e *served) upgrade(t *testing.T, protocol string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "GET /chat HTTP/1.1\r\nHost: news.example\r\nConnection: Upgrade\r\nUpgrade: %s\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", protocol)
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, in, res
}

// echoing takes any upgrade and sends lines back.
func echoing(w http.ResponseWriter, r *http.Request) {
	protocol := r.Header.Get("Upgrade")
	if protocol == "" {
		fmt.Fprint(w, "no upgrade")
		return
	}
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
	_ = rw.Flush()
	_, _ = io.Copy(c, rw)
}

func TestWebsocketsPassAndOtherUpgradesDoNot(t *testing.T) {
	e := newEdge(t, Config{}, to(backend(t, echoing)))
	c, in, res := e.upgrade(t, "websocket")
	if res.StatusCode != 101 {
		t.Fatalf("status %d", res.StatusCode)
	}
	for i := range 3 {
		fmt.Fprintf(c, "line %d\n", i)
		if line, err := in.ReadString('\n'); err != nil || line != fmt.Sprintf("line %d\n", i) {
			t.Fatalf("echo %q, %v", line, err)
		}
	}
	if _, _, res := e.upgrade(t, "h2c"); res.StatusCode != 200 {
		t.Errorf("h2c was answered %d", res.StatusCode)
	}
	// A stop ends what is upgraded.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = e.Shutdown(ctx)
	if _, err := in.ReadByte(); err == nil {
		t.Error("the websocket outlived the proxy")
	}
}

func TestOwnPathsBelowThePrefix(t *testing.T) {
	own := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Host, " ", r.URL.Path, "?", r.URL.RawQuery)
	})
	e := newEdge(t, Config{Own: own, Serves: func(path string) bool { return path == "/v1/events" }, Prefix: "/_readership/"},
		to(backend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "origin") })))
	if _, text := e.ask(t, "POST", "/_readership/v1/events?key=k", strings.NewReader("{}")); text != "news.example /v1/events?key=k" {
		t.Errorf("own: %q", text)
	}
	if res, _ := e.ask(t, "GET", "/_readership/v1/keys", nil); res.StatusCode != 404 {
		t.Errorf("the rest of the interface is served: %d", res.StatusCode)
	}
	if _, text := e.ask(t, "GET", "/_other/v1/events", nil); text != "origin" {
		t.Errorf("other: %q", text)
	}
}

func TestChoosesRoutes(t *testing.T) {
	say := func(text string) string {
		return backend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, text, " ", r.URL.Path, " ", r.Host) })
	}
	a, b := to(say("a")), to(say("b")+"/base")
	b.Path, b.StripPrefix = "/shop/*", "/shop"
	no := false
	c := to(say("c"))
	c.Path, c.PreserveHost = "/shop/cart", &no
	e := newEdge(t, Config{}, a, b, c)
	for path, want := range map[string]string{
		"/": "a / news.example", "/shop": "a /shop news.example", "/shop/": "b /base/ news.example", "/shop/x": "b /base/x news.example",
		"/shop/cart": "c /shop/cart " + strings.TrimPrefix(c.Origins[0].URL, "http://"), "//shop/x": "b /base//shop/x news.example",
	} {
		if _, text := e.ask(t, "GET", path, nil); text != want {
			t.Errorf("%s: %q, want %q", path, text, want)
		}
	}
	for _, path := range []string{"/a/../shop/x", "/%2e%2e/shop", "/a/.;x/b", "/a/..%5cshop", "/%00"} {
		if res, _ := e.ask(t, "GET", path, nil); res.StatusCode != 400 {
			t.Errorf("%s was answered %d", path, res.StatusCode)
		}
	}
	e.tables.set("news")
	if res, text := e.ask(t, "GET", "/", nil, "Accept", "text/html"); res.StatusCode != 404 || !strings.Contains(text, "<h1>Not Found") {
		t.Errorf("without routes: %d %s", res.StatusCode, text)
	}
}

func TestRepeatsWhatCanBeRepeated(t *testing.T) {
	var posts, gets atomic.Int32
	good := backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, "good ", r.Method, " ", string(body))
	})
	// It reads the request and closes.
	rude := backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method == "POST" {
			posts.Add(1)
		} else {
			gets.Add(1)
		}
		panic(http.ErrAbortHandler)
	})
	// It breaks off in the middle of the body.
	half := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "half a page")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	ill := backend(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "not now", http.StatusServiceUnavailable) })
	for _, c := range []struct {
		name, bad, method, body string
		want                    []string // any of
	}{
		{"dead", dead(t), "GET", "", []string{"200 good GET "}},
		{"dead, with a body", dead(t), "POST", "x", []string{"200 good POST x"}},
		{"rude", rude, "GET", "", []string{"200 good GET "}},
		{"rude, with a body", rude, "POST", "x", []string{"200 good POST x", "502"}},
		{"half", half, "GET", "", []string{"200 good GET "}},
		{"ill", ill, "GET", "", []string{"200 good GET "}},
		{"ill, with a body", ill, "POST", "x", []string{"200 good POST x", "503 not now\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEdge(t, Config{}, to(c.bad, good))
			met := map[string]int{}
			for range 12 {
				res, text := e.ask(t, c.method, "/", io.MultiReader(strings.NewReader(c.body)))
				if c.method == "GET" {
					res, text = e.ask(t, c.method, "/", nil)
				}
				got := fmt.Sprint(res.StatusCode, " ", text)
				if res.StatusCode == 502 {
					got = "502"
				}
				if !slices.Contains(c.want, got) {
					t.Fatalf("answered %q, want one of %q", got, c.want)
				}
				met[got]++
			}
			for _, want := range c.want {
				if met[want] == 0 {
					t.Errorf("never answered %q: %v", want, met)
				}
			}
		})
	}
	if posts.Load() == 0 || gets.Load() == 0 {
		t.Errorf("the rude origin met %d POST, %d GET", posts.Load(), gets.Load())
	}
}

func TestAnswersForOriginsThatDoNot(t *testing.T) {
	hang := make(chan struct{})
	slow := to(backend(t, func(w http.ResponseWriter, r *http.Request) { <-hang }))
	t.Cleanup(func() { close(hang) })
	slow.Timeout = "50ms"
	drained := to(dead(t))
	zero := 0
	drained.Origins[0].Weight = &zero
	odd := to("http://" + origintest.Listen(t, origintest.AnswersOnce("HTTP/1.1 020 Odd\r\nContent-Length: 0\r\n\r\n")))
	for _, c := range []struct {
		name   string
		route  event.Route
		status int
		text   string
	}{{"odd", odd, 502, "could not be reached"}, {"slow", slow, 504, "took too long"}, {"dead", to(dead(t)), 502, "could not be reached"}, {"drained", drained, 503, "out of service"}} {
		t.Run(c.name, func(t *testing.T) {
			e := newEdge(t, Config{}, c.route)
			res, text := e.ask(t, "GET", "/", nil, "Accept", "text/html,*/*")
			if res.StatusCode != c.status || !strings.Contains(text, c.text) || res.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%d %v %s", res.StatusCode, res.Header, text)
			}
			res, _ = e.ask(t, "GET", "/", nil, "Accept", "application/json")
			if res.StatusCode != c.status || res.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("to a program: %d %v", res.StatusCode, res.Header)
			}
		})
	}
}

// A page may have a part that looks like what net/http answers where it cannot read a
// request, for which the guard has an answer of its own. What the page has after it
// is nobody's next answer.
func TestPagesThatLookLikeFaults(t *testing.T) {
	const fault, after = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request", "HTTP/1.1 200 OK\r\n\r\nnot asked for"
	rest := after + strings.Repeat("x", shortBody) // else it is read whole first
	next := make(chan struct{})
	e := newEdge(t, Config{}, to(backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Content-Length", strconv.Itoa(3+len(fault)+len(rest)))
		for _, piece := range []string{"one", fault, rest} {
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	})))
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: news.example\r\n\r\n")
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(res.Body, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	next <- struct{}{}
	if _, err := r.Peek(1); err != nil {
		t.Fatal(err)
	}
	next <- struct{}{}
	close(next)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: news.example\r\nConnection: close\r\n\r\n")
	if all, _ := io.ReadAll(r); strings.Contains(string(all), "not asked for") {
		t.Errorf("%.300q", all)
	}
}

func TestBoundsRequestsToAnOrigin(t *testing.T) {
	begun, finish := make(chan struct{}, 2), make(chan struct{})
	e := newEdge(t, Config{Limits: Limits{OriginRequests: 2}}, to(backend(t, func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-finish
	})))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { e.ask(t, "GET", "/", nil) })
		<-begun
	}
	if res, _ := e.ask(t, "GET", "/", nil); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("the third was answered %d", res.StatusCode)
	}
	close(finish)
	wg.Wait()
}

// gate answers every question alike.
type gate struct {
	outcome Outcome
	err     error
	asked   atomic.Int32
	last    Question
	url     string
}

func (g *gate) Ask(_ context.Context, q *Question) (Outcome, error) {
	g.asked.Add(1)
	g.last, g.url = *q, q.URL()
	return g.outcome, g.err
}

// notes are taken on one goroutine and read on another.
type notes struct{ list chan string }

func (n *notes) add(text string) { n.list <- text }

// take returns the next n notes.
func (n *notes) take(t *testing.T, count int) (out []string) {
	t.Helper()
	for range count {
		select {
		case text := <-n.list:
			out = append(out, text)
		case <-time.After(10 * time.Second):
			t.Fatalf("%q, and then nothing", out)
		}
	}
	return out
}

func TestAsksTheGate(t *testing.T) {
	var told http.Header
	page := backend(t, func(w http.ResponseWriter, r *http.Request) {
		told = r.Header.Clone()
		w.Header().Set("Set-Cookie", "cms=1")
		w.Header().Set("Cache-Control", "public")
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/half" {
			w.Header().Set("Content-Length", "100000")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, "the article")
	})
	route := to(page)
	route.Access, route.OnDeny = "story", event.OnDenyTeaser
	answered := notes{make(chan string, 10)}
	g := &gate{outcome: Outcome{
		Request: http.Header{"X-Readership-Decision": {"allow"}}, Answer: http.Header{"Set-Cookie": {"rsid=x"}, "Cache-Control": {"private"}},
		Answered: func(status int, h http.Header) { answered.add(fmt.Sprint(status)); h.Set("X-Late", "1") },
	}}
	e := newEdge(t, Config{Gate: g}, route)

	res, text := e.ask(t, "GET", "/a?b", nil, "X-Readership-Decision", "allow", "X-Readership-Reader", "account:9")
	if text != "the article" || fmt.Sprint(res.Header["Set-Cookie"]) != "[cms=1 rsid=x]" || res.Header.Get("Cache-Control") != "private" || res.Header.Get("X-Late") != "1" {
		t.Errorf("allowed: %v %q", res.Header, text)
	}
	if told.Get("X-Readership-Decision") != "allow" || told.Get("X-Readership-Reader") != "" {
		t.Errorf("the origin was told %v", told)
	}
	if g.last.Access != "story" || g.last.OnDeny != "teaser" || g.url != "http://news.example/a?b" || g.last.Address.String() != "127.0.0.1" {
		t.Errorf("asked %+v, %s", g.last, g.url)
	}
	if got := answered.take(t, 1); got[0] != "200" {
		t.Errorf("answered %q", got)
	}

	r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+e.addr+"/half", strings.NewReader("x"))
	r.Host = "news.example"
	if res, err := plain.Do(r); err == nil {
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Error("half an answer came whole")
		}
	}
	if got := answered.take(t, 1); got[0] != "200" {
		t.Errorf("half: answered %q", got)
	}

	g.outcome = Outcome{Action: Serve, Answer: http.Header{"Set-Cookie": {"rsid=x"}},
		Page: &Page{Status: 402, Header: http.Header{"Content-Type": {"text/html"}, "Crawler-Price": {"EUR 0.002"}}, Body: []byte("pay")}}
	told = nil
	if res, text := e.ask(t, "GET", "/a", nil); res.StatusCode != 402 || text != "pay" || res.Header.Get("Crawler-Price") == "" || res.Header.Get("Set-Cookie") == "" || told != nil {
		t.Errorf("served: %d %v %q, origin %v", res.StatusCode, res.Header, text, told)
	}
	if res, text := e.ask(t, "HEAD", "/a", nil); res.StatusCode != 402 || text != "" {
		t.Errorf("served to HEAD: %d %q", res.StatusCode, text)
	}

	g.outcome, g.err = Outcome{}, &Unavailable{Open: true, Err: errors.New("away")}
	if res, text := e.ask(t, "GET", "/a", nil, "X-Readership-Fallback", "0"); res.StatusCode != 200 || text != "the article" || fmt.Sprint(told["X-Readership-Fallback"]) != "[1]" {
		t.Errorf("open: %d %q %v", res.StatusCode, text, told)
	}
	for _, err := range []error{&Unavailable{Err: errors.New("away")}, errors.New("unknown access")} {
		told, g.err = nil, err
		if res, _ := e.ask(t, "GET", "/a", nil); res.StatusCode != 503 || told != nil {
			t.Errorf("%v: %d, origin %v", err, res.StatusCode, told)
		}
	}
	if res, _ := newEdge(t, Config{}, route).ask(t, "GET", "/a", nil); res.StatusCode != 503 {
		t.Errorf("without a gate: %d", res.StatusCode)
	}
}
