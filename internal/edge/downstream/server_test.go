package downstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/edge/handover"
)

// serve serves a handler, as a proxy does, until the test ends, when nothing may be left.
func serve(t *testing.T, handler http.HandlerFunc) (s *Server, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, handler), l.Addr().String()
}

func serveOn(t *testing.T, l net.Listener, handler http.HandlerFunc) *Server {
	t.Helper()
	quiet := log.New(io.Discard, "", 0)
	general := handover.NewListener()
	theirs := &http.Server{Handler: handler, ErrorLog: quiet, MaxHeaderBytes: 4 << 10}
	go func() { _ = theirs.Serve(general) }()
	s := New(Config{Handler: handler, General: general, Base: context.WithValue(context.Background(), http.ServerContextKey, theirs),
		HeadBytes: 8 << 10, HeadTime: time.Minute, IdleTime: time.Minute, ErrorLog: quiet})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.Drain()
		if err := errors.Join(theirs.Shutdown(ctx), s.Wait(ctx), <-done); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return s
}

// conversation sends text and returns all that is answered until the server closes
// the connection, without dates.
func conversation(t testing.TB, address, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() { _, _ = io.WriteString(c, text) }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	all, err := io.ReadAll(c)
	if err != nil && len(all) == 0 {
		t.Fatalf("%q: %v", text, err)
	}
	return string(all)
}

// told is an answer as a client sees it.
type told struct {
	status          int
	header, trailer http.Header
	length          int64
	encoding        []string
	body            string
	broken          bool
}

// answers reads the answers to methods in turn; broken ones end it.
func answers(r *bufio.Reader, methods ...string) (all []told) {
	for i := 0; i < len(methods); {
		res, err := http.ReadResponse(r, &http.Request{Method: methods[i]})
		if err != nil {
			return append(all, told{broken: true})
		}
		body, err := io.ReadAll(res.Body)
		res.Header.Del("Date")
		all = append(all, told{res.StatusCode, res.Header, res.Trailer, res.ContentLength, res.TransferEncoding, string(body), err != nil})
		if err != nil {
			return all
		}
		if res.StatusCode >= 200 {
			i++
		}
	}
	return all
}

// exchange sends requests, each when the one before is answered.
func exchange(t testing.TB, address string, requests, methods []string) (all []told) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(c)
	for i, text := range requests {
		if _, err := io.WriteString(c, text); err != nil {
			return append(all, told{broken: true})
		}
		all = append(all, answers(r, methods[i])...)
		if all[len(all)-1].broken {
			return all
		}
	}
	if _, err := r.Peek(1); err == nil {
		all = append(all, told{broken: true, body: "something follows"})
	}
	return all
}

func (a told) equal(b told) bool {
	if a.broken && b.broken {
		return true // how much of it came is a question of buffers
	}
	same := func(a, b http.Header) bool { return maps.EqualFunc(a, b, slices.Equal) }
	return a.status == b.status && same(a.header, b.header) && same(a.trailer, b.trailer) && a.length == b.length &&
		slices.Equal(a.encoding, b.encoding) && a.body == b.body && a.broken == b.broken
}

// unframe forgets how an answer says where it ends.
func unframe(all []told, final int) {
	for i := range all {
		if all[i].status >= 200 {
			if final--; final == -1 {
				all[i].header.Del("Content-Length")
				all[i].length, all[i].encoding = 0, nil
			}
		}
	}
}

// act is what a handler does; all of them are done in turn.
type act struct {
	what, name string
	n          int
}

func (a act) do(w http.ResponseWriter, r *http.Request) {
	switch a.what {
	case "set":
		if a.name == "Content-Length" { // net/http would say two
			w.Header().Del(a.name)
		}
		w.Header().Add(a.name, fmt.Sprint(a.n))
	case "trail": // without it, whether there are trailers is a question of buffers
		_ = http.NewResponseController(w).Flush()
		w.Header().Set(a.name, fmt.Sprint(a.n))
	case "status":
		w.WriteHeader(a.n)
	case "write":
		_, _ = w.Write(bytes.Repeat([]byte("x"), a.n))
	case "flush":
		_ = http.NewResponseController(w).Flush()
	case "read":
		_, _ = io.CopyN(io.Discard, r.Body, int64(a.n))
	case "echo":
		text, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %q %v %d %v %q", r.Method, r.URL, r.Host, r.Header, r.ContentLength, err, text)
	case "abort":
		_, _ = io.Copy(io.Discard, r.Body) // what is not read resets the connection, and what was answered may be lost
		if r.Method != http.MethodHead {   // there, whether the head was out is a question of buffers
			panic(http.ErrAbortHandler)
		}
	}
}

func drawActs(t *rapid.T) (acts []act) {
	// A type is always said: net/http would guess it.
	acts = append(acts, act{"type", "", 0})
	draw := func(of ...act) { acts = append(acts, rapid.SampledFrom(of).Draw(t, "act")) }
	for range rapid.IntRange(0, 3).Draw(t, "before") {
		draw(act{"set", "X-A", 1}, act{"set", "Set-Cookie", 2}, act{"set", "Content-Length", 100}, act{"set", "Content-Length", 0}, act{"status", "", 103}, act{"read", "", 50}, act{"read", "", 50000})
	}
	if rapid.Bool().Draw(t, "trailer") {
		acts = append(acts, act{"trailer", "", 0})
	}
	draw(act{"status", "", 200}, act{"status", "", 404}, act{"status", "", 204}, act{"status", "", 304}, act{"status", "", 799}, act{"write", "", 10}, act{"flush", "", 0})
	for range rapid.IntRange(0, 4).Draw(t, "after") {
		draw(act{"write", "", 1}, act{"write", "", 90}, act{"write", "", 3000}, act{"write", "", 40000}, act{"write", "", 100000}, act{"flush", "", 0}, act{"set", "X-Late", 1}, act{"set", "X-Sum", 7},
			act{"trail", http.TrailerPrefix + "X-More", 8}, act{"echo", "", 0}, act{"abort", "", 0})
	}
	return acts
}

// TestAnswersAsNetHTTP: whatever handlers do, and however requests come, readers
// see what they would see of net/http, which is asked too: a header that makes a
// request not plain leads the same handler there.
func TestAnswersAsNetHTTP(t *testing.T) {
	acts := make(chan []act, 8)
	_, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Te")
		_ = http.NewResponseController(w).EnableFullDuplex() // as here always
		for _, a := range <-acts {
			switch a.what {
			case "type":
				w.Header().Set("Content-Type", "text/plain")
			case "trailer":
				w.Header().Set("Trailer", "X-Sum")
			default:
				a.do(w, r)
			}
		}
		_, _ = io.Copy(io.Discard, r.Body) // else net/http, told so, ends the connection
	})
	rapid.Check(t, func(rt *rapid.T) {
		var script [][]act
		var methods, here, there []string
		for n := rapid.IntRange(1, 3).Draw(rt, "requests"); n > 0; n-- {
			script = append(script, drawActs(rt))
			method := rapid.SampledFrom([]string{"GET", "GET", "HEAD", "POST"}).Draw(rt, "method")
			methods = append(methods, method)
			head := method + " " + rapid.SampledFrom([]string{"/", "/a?b=%20&c", "//d", "/%41;x"}).Draw(rt, "target") + " HTTP/1.1\r\nhost: news.example\r\n"
			for range rapid.IntRange(0, 3).Draw(rt, "fields") {
				head += rapid.SampledFrom([]string{"Accept: text/html", "accept:\t*/* ", "Cookie: a=b", "Pragma: no-cache", "x-Odd_name: \xff", "Connection: keep-alive"}).Draw(rt, "field") + "\r\n"
			}
			body := ""
			if method == "POST" {
				body = strings.Repeat("b", rapid.SampledFrom([]int{0, 5, 5000, 50000}).Draw(rt, "length"))
				head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
			}
			if n == 1 {
				head += "Connection: close\r\n"
			}
			here, there = append(here, head+"\r\n"+body), append(there, head+"TE: x\r\n\r\n"+body)
		}
		ask := func(requests []string) []told {
			for len(acts) > 0 {
				<-acts
			}
			for _, a := range script {
				acts <- a
			}
			return exchange(t, address, requests, methods)
		}
		ours, want := ask(here), ask(there)
		for i := range script {
			if !slices.ContainsFunc(script[i], func(a act) bool { return a.name == "Content-Length" }) {
				unframe(ours, i) // where a body ends may be said in either way
				unframe(want, i)
			}
		}
		if !slices.EqualFunc(ours, want, told.equal) {
			rt.Fatalf("%.200q of %v\nis   %.2000s\nwant %.2000s", here, script, fmt.Sprint(ours), fmt.Sprint(want))
		}
	})
}

// What is not plain is net/http's, from whichever request on, and so are errors.
func TestHandsOnWhatIsNotPlain(t *testing.T) {
	_, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		act{what: "echo"}.do(w, r)
	})
	const plain, end = "GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n", "GET /b HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
	for text, want := range map[string]string{
		plain + "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + end: "200 200 200",
		plain + "POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab":              "200 400",
		plain + "GET /c HTTP/1.1\r\n\r\n":                                                  "200 400",
		plain + "GET /c HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n":                            "200 400",
		"GET /c HTTP/1.1\nHost: a\nConnection: close\n\n":                                  "200",
		"GET /c HTTP/1.0\r\n\r\n":                                                          "200",
		"GET /c HTTP/1.1\r\nHost: a\r\nX-Long: " + strings.Repeat("x", 2<<20) + "\r\n\r\n": "431",
		"GET /c HTTP/1.1\r\nHost: a\r\nA B: c\r\n\r\n":                                     "400",
		"GET c HTTP/1.1\r\nHost: a\r\n\r\n":                                                "400",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n":                             "400",
		"GET http://a.example/c HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n":          "200",
	} {
		var statuses []string
		for _, a := range answers(bufio.NewReader(strings.NewReader(conversation(t, address, text))), strings.Fields(strings.Repeat("GET ", strings.Count(want, " ")+1))...) {
			statuses = append(statuses, fmt.Sprint(a.status))
		}
		if got := strings.Join(statuses, " "); got != want {
			t.Errorf("%.120q: %s, want %s", text, got, want)
		}
	}
}

// A handler that asks its context learns that its reader has left; what a reader
// sends early is kept for its turn.
func TestWatchesReaders(t *testing.T) {
	began, left := make(chan struct{}), make(chan error)
	_, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Errorf("body: %v", err)
		}
		switch r.URL.Path {
		case "/wait":
			began <- struct{}{}
			<-r.Context().Done()
			left <- r.Context().Err()
		case "/ask":
			_, cancel := context.WithCancel(r.Context())
			cancel()
			began <- struct{}{}
			<-began
		}
	})
	for _, request := range []string{"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n", "POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, request)
		<-began
		_ = c.Close()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("a reader that left: %v", err)
		}
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for range 3 { // with a watch that ends with its request, before and after the next has come
		_, _ = io.WriteString(c, "GET /ask HTTP/1.1\r\nHost: a\r\n\r\n")
		<-began
		_, _ = io.WriteString(c, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
		began <- struct{}{}
		for range 2 {
			res, err := http.ReadResponse(r, nil)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%v, %v", res, err)
			}
		}
	}
}

// Who sends a request's body on may outlive the handler. The deadlines that it sets are
// not those of the requests that follow.
func TestDeadlinesEndWithTheirRequests(t *testing.T) {
	controls := make(chan *http.ResponseController, 2)
	_, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Errorf("while it is answered: %v", err)
		}
		controls <- control
	})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for i := range 3 {
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("request %d: %v, %v", i, res, err)
		}
		control := <-controls
		_, _ = io.WriteString(c, "abc") // a whole request later, the handler has certainly returned
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
		if res, err = http.ReadResponse(r, nil); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("after request %d: %v, %v", i, res, err)
		}
		<-controls
		if err := control.SetReadDeadline(past); err == nil {
			t.Error("a deadline could be set after the end")
		}
	}
}

// movedListener tells when a connection's reads are made to end at once.
type movedListener struct {
	net.Listener
	moved func()
}

func (l *movedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &movedConn{c, l.moved}, err
}

type movedConn struct {
	net.Conn
	moved func()
}

func (c *movedConn) SetReadDeadline(t time.Time) error {
	err := c.Conn.SetReadDeadline(t)
	if t.Equal(past) {
		c.moved()
	}
	return err
}

// Who sends a body on may outlive a handler that aborts, too. A deadline that it sets
// is not in place of the one that ends the watch of the reader, who would be left a
// connection for ever.
func TestDeadlinesEndWithAborts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var control *http.ResponseController
	moved := make(chan error, 1)
	serveOn(t, &movedListener{l, func() { moved <- control.SetReadDeadline(time.Time{}) }}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Context().Done() // begins the watch
		control = http.NewResponseController(w)
		panic(http.ErrAbortHandler)
	})
	answer := conversation(t, l.Addr().String(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
	select {
	case err := <-moved:
		if answer != "" || err == nil {
			t.Errorf("answered %q; a deadline was set after the abort: %v", answer, err)
		}
	default:
		t.Error("no watch was ended")
	}
}

// A head is as long as it may be however it arrives.
func TestBoundsHeads(t *testing.T) {
	_, address := serve(t, func(w http.ResponseWriter, r *http.Request) {})
	text := "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Long: " + strings.Repeat("x", 9<<10) + "\r\n\r\n"
	for _, cut := range []int{0, 4 << 10} { // a buffer's length, after which there is room for more than may come
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, text[:cut])
		_, _ = io.WriteString(c, text[cut:])
		if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%v, %v", res, err)
		}
	}
}

func TestEndsWhenDrained(t *testing.T) {
	began, go_ := make(chan struct{}), make(chan struct{})
	s, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-go_
		_, _ = io.WriteString(w, "done")
	})
	idle, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	_, _ = io.WriteString(idle, "GET / HT") // no whole head
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-began
	s.Drain()
	if n, err := idle.Read(make([]byte, 1)); err == nil {
		t.Errorf("an idle connection was sent %d bytes", n)
	}
	close(go_)
	all, err := io.ReadAll(c)
	if a := answers(bufio.NewReader(bytes.NewReader(all)), "GET"); err != nil || len(a) != 1 || a[0].body != "done" || !strings.Contains(string(all), "Connection: close") {
		t.Errorf("under way: %q, %v", all, err)
	}
}

// FuzzHead: what is read of a plain head is what net/http reads of it, and where it
// ends does not depend on the pieces it comes in.
func FuzzHead(f *testing.F) {
	for _, text := range []string{
		"GET /a?b HTTP/1.1\r\nHost: news.example\r\nAccept: */*\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
		"GET / HTTP/1.1\r\nhost: a\r\nX-A: b\r\nx-a: c\r\nPragma: no-cache\r\n\r\nGET / HTTP/1.1\r\n", "GET /\nHost: a\n\n",
	} {
		f.Add([]byte(text), uint16(7))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint16) {
		var at, pieces lines
		said := at.look(b)
		for i := 1; i < len(b); i += 1 + int(cut) {
			if one := pieces.look(b[:i]); one != more {
				if one != said || pieces.end != at.end {
					t.Fatalf("%q: in pieces %d, %d, whole %d, %d", b, one, pieces.end, said, at.end)
				}
				break
			}
		}
		if said != whole {
			return
		}
		h := parse(b[:at.end], &http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1})
		if !h.plain {
			return
		}
		want, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatalf("%q is plain; net/http: %v", b, err)
		}
		r := h.request
		if r.Method != want.Method || r.URL.String() != want.URL.String() || r.URL.Path != want.URL.Path || r.RequestURI != want.RequestURI || r.Host != want.Host || r.Close != want.Close ||
			r.ContentLength != want.ContentLength || !maps.EqualFunc(r.Header, want.Header, slices.Equal) || want.TransferEncoding != nil || want.Trailer != nil {
			t.Fatalf("%q\nis   %+v\nwant %+v", b, r, want)
		}
	})
}
