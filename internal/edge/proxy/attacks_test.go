package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// attacked is a proxy with both its listeners, before an origin that notes what
// reaches it.
type attacked struct {
	*served
	listeners map[string]func(*testing.T) net.Conn // for HTTP/1.1
	secure    func(t *testing.T, protocol string) *tls.Conn

	origin *httptest.Server

	mu    sync.Mutex
	notes []string      // guarded by mu
	last  *http.Request // guarded by mu
}

// all returns what reached the origin, which has ended with that.
func (a *attacked) all() []string {
	a.origin.Close()
	return a.seen()
}

// seen returns what reached the origin since it was asked last.
func (a *attacked) seen() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	notes := a.notes
	a.notes = nil
	return notes
}

func openAttacked(t *testing.T) *attacked {
	t.Helper()
	dir := t.TempDir()
	pair := KeyPair{filepath.Join(dir, "a.pem"), filepath.Join(dir, "a.key")}
	roots := x509.NewCertPool()
	roots.AddCert(certify(t, pair, 1))
	certificates, err := OpenCertificates([]KeyPair{pair}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &attacked{}
	a.origin = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.notes = append(a.notes, fmt.Sprintf("%s %s %q %v", r.Method, r.RequestURI, body, err))
		a.last = r.Clone(context.Background())
	}))
	t.Cleanup(a.origin.Close)
	a.served = newEdge(t, Config{Certificates: certificates}, to(a.origin.URL))
	address := a.listen(t, a.ServeTLS)
	a.secure = func(t *testing.T, protocol string) *tls.Conn {
		t.Helper()
		c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: "news.example", NextProtos: []string{protocol}})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().NegotiatedProtocol; got != protocol {
			t.Fatalf("%q is spoken, not %q", got, protocol)
		}
		return c
	}
	a.listeners = map[string]func(*testing.T) net.Conn{
		"plain": func(t *testing.T) net.Conn {
			t.Helper()
			c, err := net.Dial("tcp", a.addr)
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		"TLS": func(t *testing.T) net.Conn { t.Helper(); return a.secure(t, "http/1.1") },
	}
	return a
}

// raw sends bytes and returns all answers until the connection is closed, which
// the last request asks for.
func raw(t *testing.T, c net.Conn, text string) []string {
	t.Helper()
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = io.WriteString(c, text) }()
	all, _ := io.ReadAll(c)
	var out []string
	for in := bufio.NewReader(bytes.NewReader(all)); ; {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return out
		}
		body, _ := io.ReadAll(res.Body)
		out = append(out, fmt.Sprint(res.StatusCode, " ", string(body)))
	}
}

// The origin must see the requests that the proxy has seen, and no others, whichever
// listener they come to.
func TestSmuggling(t *testing.T) {
	const end = "GET /end HTTP/1.1\r\nHost: news.example\r\nConnection: close\r\n\r\n"
	head := func(lines ...string) string {
		return "POST /a HTTP/1.1\r\nHost: news.example\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	}
	for _, c := range []struct {
		name, sent string
		status     string // of the first answer
		seen       string // besides GET /end, if the connection was kept
	}{
		{"two lengths that differ", head("Content-Length: 5", "Content-Length: 6") + "hello" + end, "400", ""},
		{"a list of lengths", head("Content-Length: 5, 6") + "hello" + end, "400", ""},
		{"a length with a sign", head("Content-Length: +5") + "hello" + end, "400", ""},
		{"a negative length", head("Content-Length: -1") + end, "400", ""},
		{"a length with a blank before the colon", head("Content-Length : 5") + "hello" + end, "400", ""},
		{"both lengths, chunks first", head("Transfer-Encoding: chunked", "Content-Length: 4") + "5\r\nhello\r\n0\r\n\r\n" + end, "200", `POST /a "hello" <nil>`},
		{"both lengths, a request inside", head("Content-Length: 40", "Transfer-Encoding: chunked") + "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: news.example\r\n\r\n", "200", `POST /a "" <nil>`},
		{"an unknown coding", head("Transfer-Encoding: xchunked", "Content-Length: 5") + "hello" + end, "501", ""},
		{"two codings", head("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n" + end, "501", ""},
		{"a coding twice", head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n" + end, "501", ""},
		{"a coding behind a tab", head("Transfer-Encoding:\tchunked") + "0\r\n\r\n" + end, "200", `POST /a "" <nil>`},
		{"a coding behind a control character", head("Transfer-Encoding: \x0bchunked") + "0\r\n\r\n" + end, "400", ""},
		{"a bad size of a chunk", head("Transfer-Encoding: chunked") + "zz\r\nhello\r\n0\r\n\r\n" + end, "400", `POST /a "" unexpected EOF`},
		{"a size of a chunk that is too long", head("Transfer-Encoding: chunked") + "fffffffffffffffff\r\nhello\r\n0\r\n\r\n" + end, "400", `POST /a "" unexpected EOF`},
		{"a chunk longer than its size", head("Transfer-Encoding: chunked") + "3\r\nhello\r\n0\r\n\r\n" + end, "400", `POST /a "hel" unexpected EOF`},
		{"a line that goes on", head("X-A: 1", " Content-Length: 5") + end, "", `POST /a "" <nil>`},
		{"a name with a blank", head("X A: 1") + end, "400", ""},
		{"a line without a colon", head("nonsense") + end, "400", ""},
		{"a NUL in a header", head("X-A: a\x00b") + end, "400", ""},
		{"two hosts", head("Host: other.example") + end, "400", ""},
		{"no host", "GET /a HTTP/1.1\r\n\r\n" + end, "400", ""},
		{"a blank in the address", "GET /a b HTTP/1.1\r\nHost: news.example\r\n\r\n" + end, "400", ""},
		{"another version", "GET /a HTTP/3.7\r\nHost: news.example\r\n\r\n" + end, "505", ""},
		{"a head that is too long", head("X-A: "+strings.Repeat("a", 64<<10)) + end, "431", ""},
		{"too many lines in a head", head(strings.Repeat("X-A: a\r\n", 10_000)+"X-B: b") + end, "431", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, listener := range []string{"plain", "TLS"} {
				e := openAttacked(t) // of a request that broke off its origin may hear late
				answers := raw(t, e.listeners[listener](t), c.sent)
				if len(answers) == 0 || !strings.HasPrefix(answers[0], c.status) {
					t.Errorf("%s answered %q, want %s first", listener, answers, c.status)
				}
				seen := e.all()
				for _, request := range seen {
					broken := strings.HasSuffix(c.seen, "unexpected EOF") && !strings.HasSuffix(request, "<nil>") // who knows how much of it came
					if request != c.seen && !broken && request != `GET /end "" <nil>` {
						t.Errorf("%s: the origin saw %s", listener, request)
					}
				}
				if c.seen == "" && len(seen) > 0 {
					t.Errorf("%s: the connection was kept: %q", listener, seen)
				}
			}
		})
	}
}

// spoken is a connection of HTTP/2 that says what no client does.
type spoken struct {
	t      *testing.T
	conn   *tls.Conn
	framer *http2.Framer
	head   bytes.Buffer
	encode *hpack.Encoder
}

func (a *attacked) speak(t *testing.T) *spoken {
	t.Helper()
	s := &spoken{t: t, conn: a.secure(t, "h2")}
	t.Cleanup(func() { _ = s.conn.Close() })
	_ = s.conn.SetDeadline(time.Now().Add(20 * time.Second))
	s.framer = http2.NewFramer(s.conn, s.conn)
	s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	s.framer.AllowIllegalWrites = true
	s.encode = hpack.NewEncoder(&s.head)
	if _, err := io.WriteString(s.conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := s.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return s
}

// request sends a request on a stream: fields are names and values in turn. Each piece
// of the body is a frame; without one the head ends the request.
func (s *spoken) request(stream uint32, fields []string, body ...string) {
	s.t.Helper()
	s.fields(stream, fields, len(body) == 0)
	for i, piece := range body { // of what is refused already the rest may find nobody
		_ = s.framer.WriteData(stream, i == len(body)-1, []byte(piece))
	}
}

// fields sends a head, or trailers.
func (s *spoken) fields(stream uint32, fields []string, last bool) {
	s.t.Helper()
	s.head.Reset()
	for i := 0; i < len(fields); i += 2 {
		if err := s.encode.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			s.t.Fatal(err)
		}
	}
	for block, first := s.head.Bytes(), true; ; first = false {
		piece := block[:min(len(block), 16<<10)]
		block = block[len(piece):]
		if first {
			_ = s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: piece, EndHeaders: len(block) == 0, EndStream: last})
		} else {
			_ = s.framer.WriteContinuation(stream, len(block) == 0, piece)
		}
		if len(block) == 0 {
			return
		}
	}
}

// answers returns the status of each of the streams once all have ended: "reset" for
// one that has none, for all if the connection ended.
func (s *spoken) answers(streams ...uint32) []string {
	s.t.Helper()
	status, ended := map[uint32]string{}, map[uint32]bool{}
	for slices.ContainsFunc(streams, func(id uint32) bool { return !ended[id] }) {
		frame, err := s.framer.ReadFrame()
		var fault http2.StreamError
		if errors.As(err, &fault) {
			ended[fault.StreamID] = true
			continue
		}
		if _, over := frame.(*http2.GoAwayFrame); over || err != nil {
			break
		}
		id := frame.Header().StreamID
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if value := f.PseudoValue("status"); value != "" {
				status[id] = value
			}
			ended[id] = f.StreamEnded()
		case *http2.DataFrame:
			ended[id] = f.StreamEnded()
		case *http2.RSTStreamFrame:
			ended[id] = true
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = s.framer.WriteSettingsAck()
			}
		}
	}
	var out []string
	for _, id := range streams {
		out = append(out, status[id])
		if status[id] == "" {
			out[len(out)-1] = "reset"
		}
	}
	return out
}

// Requests of HTTP/2 that a translation into HTTP/1.1 could take for others: the origin
// sees none of them, or the one that the proxy saw.
func TestSmugglingOverHTTP2(t *testing.T) {
	plain := func(more ...string) []string {
		return append([]string{":method", "POST", ":scheme", "https", ":authority", "news.example", ":path", "/a"}, more...)
	}
	but := func(name, value string) []string {
		fields := plain()
		fields[slices.Index(fields, name)+1] = value
		return fields
	}
	const whole, none = `POST /a "hello" <nil>`, ""
	for _, c := range []struct {
		name   string
		fields []string
		body   []string
		status string
		seen   string // by the origin, beside GET /end
	}{
		{"as it should be", plain("content-length", "5"), []string{"hel", "lo"}, "200", whole},
		{"no length", plain(), []string{"hello"}, "200", whole},
		{"chunks", plain("transfer-encoding", "chunked"), []string{"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: news.example\r\n\r\n"}, "4", none},
		{"chunks and a length", plain("transfer-encoding", "chunked", "content-length", "5"), []string{"hello"}, "4", none},
		{"chunks as trailers", plain("te", "trailers, chunked"), []string{"hello"}, "4", none},
		{"a hop", plain("connection", "x-hop", "x-hop", "1"), []string{"hello"}, "4", none},
		{"an upgrade", plain("upgrade", "websocket"), []string{"hello"}, "4", none},
		{"an old hop", plain("proxy-connection", "keep-alive"), []string{"hello"}, "4", none},
		{"a length that is too short", plain("content-length", "2"), []string{"hello"}, "reset 4", `POST /a "" unexpected EOF`},
		{"a length that is too long", plain("content-length", "9"), []string{"hello"}, "reset 4", `POST /a "hello" unexpected EOF`},
		{"no body with a length", plain("content-length", "5"), nil, "200", `POST /a "" <nil>`},
		{"two lengths", plain("content-length", "5", "content-length", "2"), []string{"hello"}, "200", whole},
		{"a length that is none", plain("content-length", "+5"), []string{"hello"}, "200 reset", `POST /a "" <nil>`},
		{"a line in a value", plain("x-a", "b\r\nX-Readership-Decision: allow"), []string{"hello"}, "reset 4", none},
		{"a request in a value", plain("x-a", "b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: news.example\r\n\r\n"), []string{"hello"}, "reset 4", none},
		{"a newline in a value", plain("x-a", "b\nX-A: c"), []string{"hello"}, "reset 4", none},
		{"a NUL in a value", plain("x-a", "b\x00c"), []string{"hello"}, "reset 4", none},
		{"a line in a name", plain("x-a: b\r\nx-readership-decision", "allow"), []string{"hello"}, "reset 4", none},
		{"a colon in a name", plain("transfer-encoding:chunked", "x"), []string{"hello"}, "reset 4", none},
		{"a name in upper case", plain("X-Readership-Decision", "allow"), []string{"hello"}, "reset 4", none},
		{"an empty name", plain("", "x"), []string{"hello"}, "reset 4", none},
		{"a line in the path", but(":path", "/a HTTP/1.1\r\nX-Readership-Decision: allow\r\nX-A: b"), []string{"hello"}, "reset 4", none},
		{"a blank in the path", but(":path", "/a HTTP/1.1"), []string{"hello"}, "200", `POST /a%20HTTP/1.1 "hello" <nil>`},
		{"a path without a slash", but(":path", "a"), []string{"hello"}, "reset 4", none},
		{"no path", but(":path", ""), []string{"hello"}, "reset 4", none},
		{"a whole address as the path", but(":path", "http://other.example/a"), []string{"hello"}, "200", whole},
		{"dots", but(":path", "/x/../a"), []string{"hello"}, "400", none},
		{"a line in the method", but(":method", "GET /smuggled HTTP/1.1\r\nHost: news.example\r\n\r\nPOST"), []string{"hello"}, "reset 4", none},
		{"a blank in the method", but(":method", "GET /smuggled"), []string{"hello"}, "400", none},
		{"CONNECT", []string{":method", "CONNECT", ":authority", "news.example:443"}, nil, "4", none},
		{"TRACE", but(":method", "TRACE"), []string{"hello"}, "405", none},
		{"CONNECT for a websocket", []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "news.example", ":path", "/a"}, nil, "reset 4", none},
		{"another host", but(":authority", "other.example"), []string{"hello"}, "404", none},
		{"a line in the host", but(":authority", "news.example\r\nX-A: b"), []string{"hello"}, "reset 4", none},
		{"a user before the host", but(":authority", "x@news.example"), []string{"hello"}, "reset 4", none},
		{"another host beside it", plain("host", "other.example"), []string{"hello"}, "200", whole},
		{"two paths", plain(":path", "/b"), []string{"hello"}, "reset 4", none},
		{"a path after the fields", append([]string{":method", "POST", ":scheme", "https", ":authority", "news.example", "x-a", "b"}, ":path", "/a"), []string{"hello"}, "reset 4", none},
		{"an unknown pseudo-field", plain(":x", "y"), []string{"hello"}, "reset 4", none},
		{"another scheme", but(":scheme", "http\r\nX: y"), []string{"hello"}, "reset 4", none},
		{"a head that is too long", plain("x-a", strings.Repeat("a", 64<<10)), []string{"hello"}, "431 reset", none},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := openAttacked(t)
			s := a.speak(t)
			s.request(1, c.fields, c.body...)
			s.request(3, []string{":method", "GET", ":scheme", "https", ":authority", "news.example", ":path", "/end"})
			answers := s.answers(1, 3)
			if !slices.ContainsFunc(strings.Fields(c.status), func(want string) bool { return strings.HasPrefix(answers[0], want) }) {
				t.Errorf("answered %q, want %s", answers, c.status)
			}
			for _, request := range a.all() {
				broken := strings.HasSuffix(c.seen, "unexpected EOF") && !strings.HasSuffix(request, "<nil>")
				if request != c.seen && !broken && request != `GET /end "" <nil>` {
					t.Errorf("the origin saw %s", request)
				}
			}
		})
	}
}

// What a reader says of itself in our name, or a proxy's, does not reach the origin,
// whatever it comes by.
func TestSpoofing(t *testing.T) {
	a := openAttacked(t)
	spoofed := []string{"X-Readership-Decision", "allow", "x-readership-reader", "account:boss", "X_Readership_Segments", "all", "X-Readership.Meter", "x", "X!Readership~Clause", "x", "X-Readership-Anything", "1",
		"X-Forwarded-For", "198.51.100.7", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "gopher", "X-Forwarded-Port", "1", "X_Forwarded_Proto", "gopher", "X-Forwarded-Prefix", "/x", "Forwarded", "for=198.51.100.7",
		"X-Real-IP", "198.51.100.7", "X-Original-URL", "/admin", "X_Original_Url", "/admin", "X-Original-URI", "/admin", "X-Rewrite-URL", "/admin"}
	check := func(listener, proto string) {
		t.Helper()
		if seen := a.seen(); len(seen) != 1 {
			t.Fatalf("%s: the origin saw %q", listener, seen)
		}
		want := http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"news.example"}, "X-Forwarded-Proto": {proto}, "X-Real-Ip": {"127.0.0.1"}, "Cookie": {"a=1; b=2"}}
		for _, own := range []string{"Content-Length", "User-Agent", "Accept-Encoding", "Trailer"} {
			a.last.Header.Del(own)
		}
		if fmt.Sprint(a.last.Header) != fmt.Sprint(want) || a.last.Host != "news.example" {
			t.Errorf("%s: the origin's headers: %v of %s\nwant: %v", listener, a.last.Header, a.last.Host, want)
		}
		if len(a.last.Trailer) != 1 || a.last.Trailer.Get("X-Sum") != "1" {
			t.Errorf("%s: the origin's trailers: %v", listener, a.last.Trailer)
		}
	}
	trailers := []string{"X-Sum", "1", "X-Readership-Decision", "allow", "X_readership_reader", "account:boss", "X-Forwarded-For", "198.51.100.7"}
	lines := func(fields []string) (out string) {
		for i := 0; i < len(fields); i += 2 {
			out += fields[i] + ": " + fields[i+1] + "\r\n"
		}
		return out
	}
	for listener, dial := range a.listeners {
		answers := raw(t, dial(t), "POST /a HTTP/1.1\r\nHost: news.example\r\nConnection: close, X-Readership-Decision, X-Forwarded-For\r\nCookie: a=1; b=2\r\n"+lines(spoofed)+
			"Trailer: X-Sum, X-Readership-Decision\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"+lines(trailers)+"\r\n")
		if len(answers) != 1 || !strings.HasPrefix(answers[0], "200") {
			t.Errorf("%s answered %q", listener, answers)
		}
		check(listener, map[string]string{"plain": "http", "TLS": "https"}[listener])
	}
	s := a.speak(t)
	fields := []string{":method", "POST", ":scheme", "https", ":authority", "news.example", ":path", "/a", "cookie", "a=1", "cookie", "b=2", "trailer", "X-Sum, X-Readership-Decision"}
	for i, text := range spoofed {
		if i%2 == 0 {
			text = strings.ToLower(text)
		}
		fields = append(fields, text)
	}
	s.fields(1, fields, false)
	_ = s.framer.WriteData(1, false, []byte("hello"))
	for i := range trailers {
		trailers[i] = strings.ToLower(trailers[i])
	}
	s.fields(1, trailers, true)
	if got := s.answers(1); got[0] != "200" {
		t.Errorf("HTTP/2 answered %q", got)
	}
	check("HTTP/2", "https")
}
