package edge

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// store is everything a collector needs, in memory.
type store struct {
	mu     sync.Mutex
	ids    map[string]bool
	events int
	// largest is the number of events of the largest commit.
	largest int
	ready   error         // guarded by mu
	hold    chan struct{} // if not nil, commits wait for it; guarded by mu
	taken   chan struct{} // if not nil, gets a value for each commit; guarded by mu
	site    *event.Site
	one     chan submitted // if not nil, one goroutine takes what is submitted
	// refused is the ledger, by verdict and reason; guarded by mu.
	refused map[string]uint64
}

func (s *store) Site(id string) (*event.Site, bool) { return s.site, id == s.site.ID }
func (s *store) Sites() []*event.Site               { return []*event.Site{s.site} }
func (s *store) SiteNow(_ string, wall int64) int64 { return wall }

func (s *store) ItemByAddress(string, string) (string, bool) { return "", false }

func (s *store) WriteKey(key string) (string, bool) { return site.ID, key == "write" }

func (s *store) APIKey(key string) (*auth.Principal, bool) {
	return &auth.Principal{Kind: auth.KindAPI, Scopes: auth.EventsImport}, key == "import"
}

func (s *store) Acked() event.Position { return event.MakePosition(20516, 1, 7) }
func (s *store) Count(_, verdict, reason string, n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil {
		s.refused = map[string]uint64{}
	}
	s.refused[verdict+" "+reason] += n
}

func (s *store) counted(verdict, reason string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused[verdict+" "+reason]
}

func (s *store) panics(q *collect.Request) (yes bool) { return strings.HasSuffix(q.Query, "panic") }

func (s *store) Submit(sub *eventlog.Submission, done func(error)) error {
	s.mu.Lock()
	taken := s.taken
	s.mu.Unlock()
	if taken != nil {
		taken <- struct{}{}
	}
	if s.one != nil {
		s.one <- submitted{sub, done}
		return nil
	}
	go func() { done(s.Commit(context.Background(), sub)) }()
	return nil
}

type submitted struct {
	sub  *eventlog.Submission
	done func(error)
}

// commitOne makes one goroutine commit, until the test ends: then nothing is
// allocated for it.
func (s *store) commitOne(t testing.TB) {
	s.one = make(chan submitted, 1)
	t.Cleanup(func() { close(s.one) })
	go func() {
		for c := range s.one {
			c.done(s.Commit(context.Background(), c.sub))
		}
	}()
}

func (s *store) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready
}

// stored returns how many events are.
func (s *store) stored() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events
}

func (s *store) largestCommit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.largest
}

// set changes what the store does from now on.
func (s *store) set(ready error, hold chan struct{}) {
	s.mu.Lock()
	s.ready, s.hold = ready, hold
	s.mu.Unlock()
}

func (s *store) Commit(_ context.Context, sub *eventlog.Submission) error {
	s.mu.Lock()
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		<-hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sub.Verdicts = sub.Verdicts[:0]
	s.largest = max(s.largest, len(sub.Events))
	for i := range sub.Events {
		outcome := eventlog.Stored
		if id := sub.Events[i].ID; s.ids == nil {
			s.events++
		} else if s.ids[id] {
			outcome = eventlog.Duplicate
		} else {
			s.ids[strings.Clone(id)] = true
			s.events++
		}
		sub.Verdicts = append(sub.Verdicts, eventlog.Verdict{Outcome: outcome})
	}
	sub.Done, sub.Position = len(sub.Events), event.MakePosition(20516, 1, 8)
	return nil
}

var site = func() *event.Site {
	s := event.Site{ID: "news", Domains: []string{"news.example"}, TrustedProxies: []string{"127.0.0.0/8"}}.WithDefaults()
	return &s
}()

const nowMillis = 1772600767089

// listener is one of the two ways in.
type listener struct {
	name string
	url  string
	stop func()

	server *Server // of the fast one
}

// closing serves as the main listener does.
type closing struct{ http.Handler }

func (c closing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	CloseUnclear(w, r)
	c.Handler.ServeHTTP(w, r)
}

// listeners serves a store of its own on each listener.
func listeners(t testing.TB, limits Limits) (both []listener, stores []*store) {
	t.Helper()
	return listenersOf(t, site, limits, collect.Rates{})
}

// listenersOf is listeners for a site and bounds.
func listenersOf(t testing.TB, site *event.Site, limits Limits, rates collect.Rates) (both []listener, stores []*store) {
	t.Helper()
	config := func() Config {
		s := &store{ids: map[string]bool{}, site: site}
		stores = append(stores, s)
		c, err := collect.New(collect.Config{Sites: s, Items: s, Committer: s, Keys: s, Secret: []byte("a secret of the tests"),
			Now: func() time.Time { return time.UnixMilli(nowMillis) }, Random: rand.NewChaCha8([32]byte{1}), Rates: rates})
		if err != nil {
			t.Fatal(err)
		}
		return Config{Collect: func(ctx context.Context, q *collect.Request, out *collect.Response) {
			if s.panics(q) {
				panic("as asked")
			}
			c.Collect(ctx, q, out)
		}, Start: func(q *collect.Request, out *collect.Response, committed func()) (collect.Pending, collect.Stage) {
			if s.panics(q) {
				panic("as asked")
			}
			return c.Start(q, out, committed)
		}, Acked: s.Acked, Version: "test", Random: rand.NewChaCha8([32]byte{2}), Limits: limits}
	}
	fast := NewServer(config())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- fast.Serve(l) }()
	var once sync.Once
	stopFast := func() {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := fast.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
	mainConfig := config()
	handler := httptest.NewUnstartedServer(closing{NewHandler(mainConfig)})
	guard := NewGuard(handler.Listener, mainConfig)
	handler.Listener = guard
	guard.Prepare(handler.Config)
	handler.Config.ErrorLog = log.New(io.Discard, "", 0)
	handler.Start()
	both = []listener{{"fast", "http://" + l.Addr().String(), stopFast, fast}, {"main", handler.URL, handler.Close, nil}}
	t.Cleanup(func() {
		for _, l := range both {
			l.stop()
		}
	})
	return both, stores
}

func gzipped(body string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, body)
	_ = z.Close()
	return b.String()
}

// one is a request of the table.
type one struct {
	name, method, path string
	headers            map[string]string
	body               string
	chunked            bool
	want               int
}

func table() []one {
	key := map[string]string{"Authorization": "Bearer write"}
	with := func(more ...string) map[string]string {
		h := map[string]string{"Authorization": "Bearer write"}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return h
	}
	lines := strings.Repeat(`{"type":"a","id":"x","device":"d"}`+"\n", 20_000)
	return []one{
		{"event", "POST", "/v1/events", key, `{"type":"a","id":"1","url":"https://news.example/x"}`, false, 200},
		{"again", "POST", "/v1/events", key, `{"type":"a","id":"1"}`, false, 200},
		{"key in the query", "POST", "/v1/events?key=write", nil, `{"type":"a","id":"2"}`, false, 200},
		{"escaped key", "POST", "/v1/events?key=%77rite", nil, `{"type":"a","id":"3"}`, false, 200},
		{"chunked", "POST", "/v1/events", key, `[{"type":"a","id":"4"},{"type":"b","id":"5"}]`, true, 200},
		{"gzip", "POST", "/v1/events", with("Content-Encoding", "gzip"), gzipped(`[{"type":"a","id":"6"}]`), false, 200},
		{"beacon", "POST", "/v1/events?key=write", map[string]string{"Content-Type": "text/plain;charset=UTF-8"}, `{"type":"a","id":"7"}`, false, 200},
		{"partly rejected", "POST", "/v1/events", key, `[{"type":"a","id":"8"},{"typ":"a"}]`, false, 200},
		{"all rejected", "POST", "/v1/events", key, `{"type":7}`, false, 400},
		{"malformed", "POST", "/v1/events", key, `{"type":`, false, 400},
		{"empty", "POST", "/v1/events", key, ``, false, 400},
		{"cut gzip", "POST", "/v1/events", with("Content-Encoding", "gzip"), gzipped(`[{"type":"a"}]`)[:15], false, 400},
		{"no key", "POST", "/v1/events", nil, `{"type":"a"}`, false, 401},
		{"no site", "POST", "/v1/events?key=import", nil, `{"type":"a"}`, false, 422},
		{"unknown site", "POST", "/v1/events?key=import&site=new", nil, `{"type":"a"}`, false, 404},
		{"other site", "POST", "/v1/events?key=write&site=new", nil, `{"type":"a"}`, false, 403},
		{"import", "POST", "/v1/events?site=news", map[string]string{"Authorization": "Bearer import", "Content-Type": "application/x-ndjson"}, lines, false, 200},
		{"chunked import", "POST", "/v1/events?site=news", map[string]string{"Authorization": "Bearer import", "Content-Type": "application/x-ndjson"}, lines, true, 200},
		{"gzip import", "POST", "/v1/events?site=news", map[string]string{"Authorization": "Bearer import", "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}, gzipped(lines), false, 200},
		{"debug", "POST", "/v1/events?debug=1", with("User-Agent", "u", "X-Forwarded-For", "203.0.113.5", "Accept-Language", "de"), `{"type":"a","id":"d"}`, false, 200},
		{"debug with a device", "POST", "/v1/events?debug=1", with("User-Agent", "u"), `{"type":"a","id":"d","device":"x","properties":{"a":"ü"}}`, false, 200},
		{"form", "POST", "/v1/events", with("Content-Type", "application/x-www-form-urlencoded"), `type=a`, false, 415},
		{"multipart", "POST", "/v1/events", with("Content-Type", "multipart/form-data; boundary=x"), "--x--", false, 415},
		{"too large", "POST", "/v1/events", key, strings.Repeat(" ", 5<<20+1), false, 413},
		{"too large, chunked", "POST", "/v1/events", key, strings.Repeat(" ", 5<<20+1), true, 413},
		{"GET of events", "GET", "/v1/events", key, "", false, 405},
		{"DELETE of events", "DELETE", "/v1/events", key, "", false, 405},
		{"preflight", "OPTIONS", "/v1/events", map[string]string{"Origin": "https://news.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}, "", false, 204},
		{"cross origin", "POST", "/v1/events?key=write", map[string]string{"Origin": "https://news.example"}, `{"type":"a","id":"9"}`, false, 200},
		{"consent", "POST", "/v1/events?key=write", map[string]string{"X-Forwarded-Proto": "https"}, `{"type":"a","id":"10","consent":{"analytics":true}}`, false, 200},
		{"pixel", "GET", "/v1/pixel.gif?key=write&type=a&id=11&url=https%3A%2F%2Fnews.example%2F%3Fa%3D1", nil, "", false, 200},
		{"HEAD of the pixel", "HEAD", "/v1/pixel.gif?key=write&type=a&id=12", nil, "", false, 200},
		{"bad pixel", "GET", "/v1/pixel.gif?key=write&color=red", nil, "", false, 400},
		{"POST of the pixel", "POST", "/v1/pixel.gif?key=write&type=a", nil, "x", false, 405},
		{"Plausible", "POST", "/api/event", map[string]string{"Content-Type": "text/plain", "User-Agent": "u"}, `{"n":"pageview","u":"https://news.example/ä","d":"news.example"}`, false, 202},
		{"Plausible elsewhere", "POST", "/api/event", nil, `{"n":"pageview","u":"https://news.example/","d":"nobody.example"}`, false, 202},
		{"Segment", "POST", "/v1/batch", map[string]string{"Authorization": "Basic d3JpdGU6"}, `{"batch":[{"type":"track","event":"x","messageId":"s1","userId":"u"}]}`, false, 200},
		{"RudderStack's source", "GET", "/sourceConfig/?writeKey=write", nil, "", false, 200},
		{"Snowplow", "POST", "/com.snowplowanalytics.snowplow/tp2", map[string]string{"SP-Anonymous": "*", "User-Agent": "u"}, `{"data":[{"e":"pv","aid":"news","eid":"p1","url":"https://news.example/"}]}`, false, 200},
		{"Snowplow's that is no JSON", "POST", "/com.snowplowanalytics.snowplow/tp2", nil, `e=pv`, false, 422},
		{"PostHog", "POST", "/e/?compression=gzip-js", map[string]string{"Content-Type": "text/plain"}, gzipped(`{"api_key":"write","event":"x","uuid":"h1","distinct_id":"u"}`), false, 200},
		{"PostHog of nobody", "POST", "/batch", nil, `{"api_key":"nobody","batch":[{"event":"x"}]}`, false, 401},
		{"PostHog's flags", "POST", "/flags/?v=2", nil, `{"token":"write"}`, false, 200},
		{"Plausible's preflight", "OPTIONS", "/api/event", map[string]string{"Origin": "https://news.example", "Access-Control-Request-Headers": "x-a"}, "", false, 204},
		{"Matomo", "GET", "/matomo.php?idsite=news&rec=1&_id=d&pv_id=a&url=https%3A%2F%2Fnews.example%2F", nil, "", false, 200},
		{"Matomo, chunked bulk", "POST", "/matomo.php", nil, `{"requests":["?idsite=news&rec=1&_id=d&r=1","?idsite=9&rec=1"]}`, true, 200},
		{"PUT to Matomo", "PUT", "/matomo.php", nil, "", false, 405},
		{"a stub", "GET", "/array/write/config", nil, "", false, 200},
		{"elsewhere", "GET", "/v1/other", nil, "", false, 404},
	}
}

// do sends a request and returns the answer as text: status, headers, body.
func (l listener) do(t testing.TB, o one) (status int, header http.Header, body string) {
	t.Helper()
	var reader io.Reader = strings.NewReader(o.body)
	if o.chunked {
		reader = struct{ io.Reader }{reader}
	}
	r, err := http.NewRequest(o.method, l.url+o.path, reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range o.headers {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

// TestConformance sends one table of requests to both listeners: the answers
// are the same, byte for byte, but for their ids and dates.
func TestConformance(t *testing.T) {
	both, stores := listeners(t, Limits{})
	for _, o := range table() {
		t.Run(o.name, func(t *testing.T) {
			var answers []string
			for _, l := range both {
				status, header, body := l.do(t, o)
				if status != o.want {
					t.Fatalf("%s: %d %.300s, want %d", l.name, status, body, o.want)
				}
				if id := header.Get("X-Request-Id"); len(id) != 24 {
					t.Errorf("%s: request id %q", l.name, id)
				}
				if status >= 400 && o.method != "HEAD" && header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s: %v", l.name, header)
				}
				if p := header.Get("X-Readership-Position"); p != "20516-1-7" && p != "20516-1-8" {
					t.Errorf("%s: position %q", l.name, p)
				}
				for _, name := range []string{"Date", "X-Request-Id", "Content-Length", "Connection", "Set-Cookie"} {
					if name == "Set-Cookie" && header.Get(name) != "" {
						value := header.Get(name)
						header.Set(name, value[strings.Index(value, ";"):])
						continue
					}
					header.Del(name)
				}
				if o.path == "/v1/other" {
					body = "" // says which listener it is
				}
				var names []string
				for name, values := range header {
					names = append(names, fmt.Sprint(name, values))
				}
				slices.Sort(names)
				answers = append(answers, strings.Join(names, "\n")+"\n"+body)
			}
			if d := cmp.Diff(answers[0], answers[1]); d != "" {
				t.Error("fast against main", d)
			}
		})
	}
	if stores[0].stored() != stores[1].stored() || stores[0].stored() != 19 {
		t.Errorf("%d and %d events are stored", stores[0].stored(), stores[1].stored())
	}
}

func TestOverload(t *testing.T) {
	both, stores := listeners(t, Limits{})
	for i, l := range both {
		stores[i].set(eventlog.ErrDiskFull, nil)
		status, header, body := l.do(t, one{method: "POST", path: "/v1/events?key=write", body: strings.Repeat(" ", 4<<20)})
		if status != 503 || header.Get("Retry-After") == "" || !strings.Contains(body, `"disk_full"`) {
			t.Errorf("%s: %d %v %s", l.name, status, header, body)
		}
		stores[i].set(nil, nil)
		if status, _, body := l.do(t, one{method: "POST", path: "/v1/events?key=write", body: `{"type":"a"}`}); status != 200 {
			t.Errorf("%s: %d %s", l.name, status, body)
		}
	}
}

func TestRequestID(t *testing.T) {
	both, _ := listeners(t, Limits{})
	for _, l := range both {
		o := one{method: "POST", path: "/v1/events?key=write", body: `{"type":"a"}`, headers: map[string]string{"X-Request-Id": "from-outside.1"}}
		if _, header, _ := l.do(t, o); header.Get("X-Request-Id") != "from-outside.1" {
			t.Errorf("%s: %v", l.name, header)
		}
		o.headers["X-Request-Id"] = "not <one>"
		if _, header, _ := l.do(t, o); len(header.Get("X-Request-Id")) != 24 {
			t.Errorf("%s: %v", l.name, header)
		}
	}
}

// TestHandlerKeepsRequestID leaves an id that the main listener has set.
func TestHandlerKeepsRequestID(t *testing.T) {
	h := NewHandler(Config{Collect: func(_ context.Context, _ *collect.Request, out *collect.Response) { out.Reset(); out.Status = 204 }})
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "set before")
	h.ServeHTTP(w, httptest.NewRequest("POST", "/v1/events", nil))
	if w.Code != 204 || w.Header().Get("X-Request-Id") != "set before" || w.Header().Get("Content-Type") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestHealth(t *testing.T) {
	both, _ := listeners(t, Limits{})
	if status, header, body := both[0].do(t, one{method: "GET", path: "/healthz"}); status != 200 || body != `{"status":"ok","version":"test"}` || header.Get("X-Readership-Position") != "20516-1-7" {
		t.Errorf("%d %v %s", status, header, body)
	}
	if status, header, _ := both[0].do(t, one{method: "POST", path: "/healthz"}); status != 405 || header.Get("Allow") == "" {
		t.Errorf("%d %v", status, header)
	}
}

// TestPanic answers 500 and goes on.
func TestPanic(t *testing.T) {
	both, _ := listeners(t, Limits{})
	for _, path := range []string{"/v1/events?panic", "/v1/events?key=write&panic"} { // general, and plain
		if status, header, body := both[0].do(t, one{method: "POST", path: path, body: "x"}); status != 500 || header.Get("Content-Type") != "application/problem+json" || strings.Contains(body, "as asked") {
			t.Errorf("%s: %d %v %s", path, status, header, body)
		}
	}
	if status, _, body := both[0].do(t, one{method: "POST", path: "/v1/events?key=write", body: `{"type":"a"}`}); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

// raw sends bytes to the fast listener and returns the answer.
func raw(t *testing.T, l listener, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// TestLimits answers what is not HTTP or beyond the limits of a connection.
func TestLimits(t *testing.T) {
	both, _ := listeners(t, Limits{HeaderBytes: 4 << 10, BodyTime: 100 * time.Millisecond})
	for _, c := range []struct {
		name, request string
		want          int
	}{
		{"headers", "POST /v1/events HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 8<<10) + "\r\n\r\n", 431},
		{"request line", "GET /v1/pixel.gif?" + strings.Repeat("x", 8<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431},
		{"not HTTP", "hello\r\n\r\n", 400},
		{"slow body", "POST /v1/events?key=write HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", 408},
		{"slow chunks", "POST /v1/events?key=write HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", 408},
		{"slow import", "POST /v1/events?key=import&site=news HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", 408},
		{"broken chunks", "POST /v1/events?key=write HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := raw(t, both[0], c.request)
			if answer.StatusCode != c.want || answer.Header.Get("Content-Type") != "application/problem+json" || answer.Header.Get("X-Request-Id") == "" || answer.Header.Get("X-Readership-Position") == "" {
				t.Errorf("%d %v", answer.StatusCode, answer.Header)
			}
		})
	}
}

// TestTruncated refuses a body that ends before its length.
func TestTruncated(t *testing.T) {
	both, stores := listeners(t, Limits{})
	for i, l := range both {
		conn, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		body := `{"type":"a"}` + "\n"
		fmt.Fprintf(conn, "POST /v1/events?key=import&site=news HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n%s", 20_000+len(body), body+strings.Repeat(" ", 10_000))
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if answer, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
			if answer.StatusCode != 400 {
				t.Errorf("%s: %d", l.name, answer.StatusCode)
			}
			_ = answer.Body.Close()
		} else if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", l.name, err)
		}
		_ = conn.Close()
		if stores[i].stored() != 0 {
			t.Errorf("%s: %d events", l.name, stores[i].stored())
		}
	}
}

// TestDrain answers what is in flight when the fast listener stops.
func TestDrain(t *testing.T) {
	both, stores := listeners(t, Limits{})
	hold := make(chan struct{})
	stores[0].set(nil, hold)
	type result struct {
		status int
		err    error
	}
	answered := make(chan result, 1)
	sent := make(chan struct{})
	go func() {
		close(sent)
		answer, err := http.Post(both[0].url+"/v1/events?key=write", "application/json", strings.NewReader(`{"type":"a"}`))
		if err != nil {
			answered <- result{0, err}
			return
		}
		_ = answer.Body.Close()
		answered <- result{answer.StatusCode, nil}
	}()
	<-sent
	hold <- struct{}{} // the commit is waiting: the request is in flight
	both[0].stop()
	if r := <-answered; r.err != nil || r.status != 200 {
		t.Errorf("%d %v", r.status, r.err)
	}
}

// TestManyAtOnce shares pooled state between connections.
func TestManyAtOnce(t *testing.T) {
	both, stores := listeners(t, Limits{})
	for i, l := range both {
		var running sync.WaitGroup
		for n := range 8 {
			running.Go(func() {
				for m := range 50 {
					body := fmt.Sprintf(`[{"type":"a","id":"%d-%d","title":"%s"},{"type":"b","id":"%d-%d\u002db","properties":{"x":"\"%d\""}}]`, n, m, strings.Repeat("t", n*m%700), n, m, m)
					if status, _, text := l.do(t, one{method: "POST", path: "/v1/events?key=write", body: body}); status != 200 || !strings.HasPrefix(text, `{"accepted":2,`) {
						t.Errorf("%s: %d %s", l.name, status, text)
					}
				}
			})
		}
		running.Wait()
		if stores[i].stored() != 800 {
			t.Errorf("%s: %d events", l.name, stores[i].stored())
		}
	}
}
