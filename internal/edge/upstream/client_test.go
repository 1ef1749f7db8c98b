package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/edge/origintest"
)

// newClient returns a client of what dial connects to.
func newClient(t testing.TB, dial func(context.Context) (net.Conn, error)) *Client {
	c := New(Config{Dial: dial, HeadTime: 30 * time.Second, StallTime: time.Minute, IdleTime: 90 * time.Second, MaxIdle: 4, MaxHead: 64 << 10})
	t.Cleanup(c.Close)
	return c
}

func dialer(address string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
}

func request(t testing.TB, method, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://origin.example"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", "test")
	return r
}

func never(int, http.Header) { panic("an early answer") }

// get asks and reads all.
func get(t testing.TB, c *Client, path string) (string, error) {
	t.Helper()
	res, err := c.Ask(request(t, http.MethodGet, path), never)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

// seen is an answer as who asks sees it.
type seen struct {
	early           []string
	status          string
	header, trailer http.Header
	length          int64
	body            string
	failed, broken  bool // no answer; a body that broke off
}

func look(res *http.Response, err error, early []string) seen {
	if err != nil {
		return seen{early: early, failed: true}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	s := seen{early, res.Status, res.Header, res.Trailer, res.ContentLength, string(text), false, err != nil}
	if s.broken {
		s.body = "" // how much of it came is a question of buffers
	}
	return s
}

func (s *seen) equal(o *seen) bool {
	same := func(a, b http.Header) bool { return maps.EqualFunc(a, b, slices.Equal) }
	return slices.Equal(s.early, o.early) && s.status == o.status && same(s.header, o.header) && same(s.trailer, o.trailer) &&
		s.length == o.length && s.body == o.body && s.failed == o.failed && s.broken == o.broken
}

// drawAnswer makes an answer: usual ones, unusual ones, and some that are none.
func drawAnswer(t *rapid.T) string {
	end := rapid.SampledFrom([]string{"\r\n", "\r\n", "\r\n", "\r\n", "\n"}).Draw(t, "end")
	var b strings.Builder
	for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "early") {
		b.WriteString(rapid.SampledFrom([]string{"HTTP/1.1 100 Continue", "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload"}).Draw(t, "before") + "\r\n\r\n")
	}
	status := rapid.SampledFrom([]string{"200 OK", "200 OK", "200 OK", "204 No Content", "304 Not Modified", "404 Not Found", "503 Service Unavailable", "200 ", "200", "299 Odd", "599 No", "700 X", "20 OK", "2000 OK"}).Draw(t, "status")
	b.WriteString(rapid.SampledFrom([]string{"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2", "http/1.1"}).Draw(t, "version") + " " + status + end)
	fields := []string{"Content-Type: text/html", "content-type:text/html; charset=utf-8", "Set-Cookie: a=1", "Set-Cookie: b=2", "ETag: \"x\"", "X-Empty:", "Cache-Control: max-age=5",
		"Pragma: no-cache", "x-ODD-name: y", "Vary: \t a , b ", "Connection: close", "Connection: Keep-Alive", "Connection: X-Empty", "Keep-Alive: timeout=5", "X-Long: " + strings.Repeat("v", 5000),
		"Bad Name: 1", "X-Fold: a" + end + " b", ": none", "X-Bad: a\x00b", "Trailer: X-Sum", "no colon"}
	for range rapid.IntRange(0, 6).Draw(t, "fields") {
		b.WriteString(rapid.SampledFrom(fields[:rapid.SampledFrom([]int{12, 12, 12, len(fields)}).Draw(t, "kind")]).Draw(t, "field") + end)
	}
	body := strings.Repeat("page ", rapid.SampledFrom([]int{0, 1, 100, 2000, 10000}).Draw(t, "pages"))
	length := func(n int) { fmt.Fprintf(&b, "Content-Length: %d%s", n, end) }
	switch rapid.SampledFrom([]string{"length", "length", "length", "chunks", "close", "short", "long", "twice", "differ", "both", "none"}).Draw(t, "framing") {
	case "length":
		length(len(body))
	case "short":
		length(len(body) + 7)
	case "long":
		length(len(body) / 2)
	case "twice":
		length(len(body))
		length(len(body))
	case "differ":
		length(len(body))
		length(len(body) + 1)
	case "both":
		length(len(body))
		fallthrough
	case "chunks":
		b.WriteString("Transfer-Encoding: chunked" + end)
		var chunks strings.Builder
		for rest := body; rest != ""; {
			n := min(len(rest), rapid.SampledFrom([]int{1, 100, 4096}).Draw(t, "chunk")*7)
			fmt.Fprintf(&chunks, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		body = chunks.String() + rapid.SampledFrom([]string{"0\r\n\r\n", "0\r\n\r\n", "0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n", "0\r\n", "", "zz\r\n"}).Draw(t, "last")
	case "none":
		body = ""
	}
	return b.String() + end + body
}

// TestAnswersAsNetHTTP: whatever an origin answers, in whatever pieces, comes out
// as it does of net/http's own client.
func TestAnswersAsNetHTTP(t *testing.T) {
	var answer atomic.Pointer[[]string] // in pieces
	address := origintest.Listen(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		for _, piece := range *answer.Load() {
			if _, err := io.WriteString(c, piece); err != nil {
				return
			}
		}
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	c := newClient(t, dialer(address))
	log.SetOutput(io.Discard) // what theirs says of what comes unasked
	defer log.SetOutput(os.Stderr)
	theirs := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer(address)(ctx) },
		DisableCompression: true, MaxResponseHeaderBytes: 64 << 10}
	defer theirs.CloseIdleConnections()
	rapid.Check(t, func(rt *rapid.T) {
		text := drawAnswer(rt)
		var pieces []string
		for rest := text; rest != ""; {
			n := len(rest)
			if len(pieces) < 5 && rapid.Bool().Draw(rt, "cut") {
				n = rapid.IntRange(1, n).Draw(rt, "piece")
			}
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		answer.Store(&pieces)
		method := rapid.SampledFrom([]string{"GET", "GET", "GET", "HEAD", "OPTIONS"}).Draw(rt, "method")
		note := func(early *[]string) func(int, http.Header) {
			return func(status int, h http.Header) { *early = append(*early, fmt.Sprint(status, h)) }
		}
		var here, there []string
		res, err := c.Ask(request(t, method, "/a"), note(&here))
		ours := look(res, err, here)
		r := request(t, method, "/a")
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code != http.StatusContinue {
				note(&there)(code, http.Header(h))
			}
			return nil
		}}))
		res, err = theirs.RoundTrip(r)
		want := look(res, err, there)
		theirs.CloseIdleConnections()
		if !ours.equal(&want) {
			rt.Fatalf("%s of %.900q\nis   %.900s\nwant %.900s", method, text, fmt.Sprint(ours), fmt.Sprint(want))
		}
	})
}

func TestKeepsConnections(t *testing.T) {
	connections := atomic.Int32{}
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/chunks":
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "chunks")
		case "/long":
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = fmt.Fprintf(w, "%s %s %s %q", r.Method, r.Host, r.URL, r.Header["Accept"])
		}
	}))
	origin.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	origin.Start()
	defer origin.Close()
	c := newClient(t, dialer(origin.Listener.Addr().String()))
	for range 3 {
		for _, path := range []string{"/a?b=%20c", "/chunks", "/long", "/none"} {
			r := request(t, http.MethodGet, path)
			r.Header["Accept"] = []string{"text/html", "*/*"}
			res, err := c.Ask(r, never)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if path[1] == 'a' && string(text) != `GET origin.example /a?b=%20c ["text/html" "*/*"]` {
				t.Errorf("the origin saw %s", text)
			}
			_ = res.Body.Close()
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	origin.CloseClientConnections() // what is idle is found to be gone, whenever that is seen
	if text, err := get(t, c, "/b"); err != nil || !strings.HasPrefix(text, "GET") {
		t.Errorf("after the origin closed: %q, %v", text, err)
	}
	res, err := c.Ask(request(t, http.MethodGet, "/long"), never)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // unread: the connection cannot go on
	before := connections.Load()
	if _, err := get(t, c, "/c"); err != nil || connections.Load() != before+1 {
		t.Errorf("after a body that was not read: %v, %d further connections", err, connections.Load()-before)
	}
}

// What an origin sends unasked is nobody's answer, whether it comes with the answer
// before or later.
func TestDropsWhatComesUnasked(t *testing.T) {
	const answer, more = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	sent := make(chan struct{}, 1)
	address := origintest.Listen(t, func(c net.Conn, r *bufio.Reader) {
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			text := answer
			if q.URL.Path == "/with" {
				text += more
			}
			_, _ = io.WriteString(c, text)
			if q.URL.Path == "/later" {
				_, _ = io.WriteString(c, more)
			}
			sent <- struct{}{}
		}
	})
	c := newClient(t, dialer(address))
	for _, path := range []string{"/with", "/a", "/later", "/a", "/b"} {
		text, err := get(t, c, path)
		if err != nil || text != "ok" {
			t.Errorf("%s is answered %q, %v", path, text, err)
		}
		<-sent
	}
}

func TestRefusesWhatCannotBeSent(t *testing.T) {
	c := newClient(t, func(context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, there) }()
		return here, nil
	})
	for name, change := range map[string]func(*http.Request){
		"a query with a space":     func(r *http.Request) { r.URL.RawQuery = "a=b HTTP/1.1\r\nX: y" },
		"a value with a line end":  func(r *http.Request) { r.Header.Set("X-A", "b\r\nX-C: d") },
		"a name with a space":      func(r *http.Request) { r.Header["X A"] = []string{"b"} },
		"a host with a slash":      func(r *http.Request) { r.Host = "a/b" },
		"a host with a line's end": func(r *http.Request) { r.Host = "a\r\nX: y" },
	} {
		r := request(t, http.MethodGet, "/a")
		change(r)
		if _, err := c.Ask(r, never); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// piped is a client of an origin that is spoken to in a pipe.
func piped(t *testing.T, converse func(c net.Conn, r *bufio.Reader)) *Client {
	return newClient(t, func(context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			converse(there, bufio.NewReader(there))
		}()
		return here, nil
	})
}

func TestWaitsSoLongAndNoLonger(t *testing.T) {
	for name, one := range map[string]struct {
		waits []time.Duration // before the head and before each half of the body
		after time.Duration   // the error
	}{
		"a slow head":               {[]time.Duration{29 * time.Second, 59 * time.Second, 59 * time.Second}, 0},
		"a head that does not come": {[]time.Duration{31 * time.Second}, 30 * time.Second},
		"a body that stalls":        {[]time.Duration{time.Second, time.Second, 61 * time.Second}, 62 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			parts := []string{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "ab", "cd"}
			c := piped(t, func(c net.Conn, r *bufio.Reader) {
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				for i, wait := range one.waits {
					time.Sleep(wait)
					if _, err := io.WriteString(c, parts[i]); err != nil {
						return
					}
				}
			})
			start := time.Now()
			text, err := get(t, c, "/a")
			switch {
			case one.after == 0 && (err != nil || text != "abcd"):
				t.Errorf("%s: %q, %v", name, text, err)
			case one.after != 0 && (!isTimeout(err) || time.Since(start) != one.after):
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
			time.Sleep(time.Hour) // the origin ends too
		})
	}
}

func TestEndsWithItsContext(t *testing.T) {
	for _, wait := range []time.Duration{0, 5 * time.Millisecond, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			c := piped(t, func(c net.Conn, r *bufio.Reader) {
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
				_, _ = io.Copy(io.Discard, c)
			})
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			res, err := c.Ask(request(t, http.MethodGet, "/a").WithContext(ctx), never)
			if err == nil {
				_, err = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v: %v", wait, err)
			}
		})
	}
}

func TestClosesWhatIsIdle(t *testing.T) {
	ended := make(chan struct{}, 8)
	address := origintest.Listen(t, func(c net.Conn, r *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(r); err != nil {
				ended <- struct{}{}
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	c := newClient(t, dialer(address))
	c.IdleTime = time.Nanosecond
	if _, err := get(t, c, "/a"); err != nil {
		t.Fatal(err)
	}
	<-ended // by the sweep
	c = newClient(t, dialer(address))
	if _, err := get(t, c, "/a"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	<-ended
	if _, err := get(t, c, "/a"); err != nil { // it can still be asked, and keeps nothing
		t.Fatal(err)
	}
	<-ended
}

// What an origin closes while it is idle does not keep its descriptor here.
func TestClosesWhatTheOriginClosed(t *testing.T) {
	address := origintest.Listen(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	c := newClient(t, dialer(address))
	if _, err := get(t, c, "/a"); err != nil {
		t.Fatal(err)
	}
	for left := 1; left > 0; {
		c.expire()
		c.mu.Lock()
		left = len(c.idle)
		c.mu.Unlock()
		runtime.Gosched()
	}
}

// An origin may refuse a request before it has read all of it.
func TestReadsAnAnswerBeforeAllIsSent(t *testing.T) {
	address := origintest.Listen(t, func(c net.Conn, r *bufio.Reader) {
		_, _ = r.Peek(1)
		_, _ = io.WriteString(c, "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 2\r\n\r\nno")
	})
	c := newClient(t, dialer(address))
	r := request(t, http.MethodGet, "/a")
	r.Header.Set("X-Long", strings.Repeat("a", 16<<20)) // no buffer of a connection holds it
	for range 3 {
		res, err := c.Ask(r, never)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(res.Body); res.StatusCode != 431 || string(text) != "no" || err != nil {
			t.Errorf("%s %q, %v", res.Status, text, err)
		}
		_ = res.Body.Close()
	}
}

// memory is a connection that answers with bytes.
type memory struct {
	net.Conn
	r io.Reader
}

func (m memory) Read(p []byte) (int, error)       { return m.r.Read(p) }
func (m memory) Write(p []byte) (int, error)      { return len(p), nil }
func (m memory) Close() error                     { return nil }
func (m memory) SetReadDeadline(time.Time) error  { return nil }
func (m memory) SetWriteDeadline(time.Time) error { return nil }

// FuzzAnswer: what is read of an answer is what net/http reads of it.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/html\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n2\r\nok\r\n0\r\nX-A: b\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nConnection: close\r\n\r\n",
		"HTTP/1.0 200 OK\nPragma: no-cache\n\nok", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
	} {
		f.Add([]byte(text), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, body bool) {
		r := request(t, http.MethodHead, "/a")
		if body {
			r.Method = http.MethodGet
		}
		c := newClient(t, func(context.Context) (net.Conn, error) { return memory{r: strings.NewReader(string(b))}, nil })
		res, err := c.Ask(r, func(int, http.Header) {})
		ours := look(res, err, nil)
		buffer := bufio.NewReader(strings.NewReader(string(b)))
		for {
			if res, err = http.ReadResponse(buffer, r); err != nil || res.StatusCode/100 != 1 || res.StatusCode == http.StatusSwitchingProtocols {
				break
			}
		}
		if err == nil && res.StatusCode == http.StatusSwitchingProtocols {
			err = errors.New("not asked for")
		}
		if want := look(res, err, nil); !ours.equal(&want) {
			t.Fatalf("%q\nis   %v\nwant %v", b, ours, want)
		}
	})
}
