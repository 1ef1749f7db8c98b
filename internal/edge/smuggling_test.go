package edge

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/readership/readership/internal/collect"
)

// follower is a request that comes after another on its connection. Where the
// first is refused, or ends the connection, it must not be read as a request.
const follower = "POST /v1/events?key=write HTTP/1.1\r\nHost: x\r\nContent-Length: 24\r\n\r\n{\"type\":\"a\",\"id\":\"next\"}"

// smuggled is a request that a server before ours may understand otherwise.
type smuggled struct {
	name    string
	request string
	want    int  // status; 0: the connection ends, with or without a word
	goes    bool // the connection goes on: the follower is answered
	stored  int  // events of the request itself
}

func smuggling() []smuggled {
	const head = "POST /v1/events?key=write HTTP/1.1\r\nHost: x\r\n"
	const event = `{"type":"a","id":"one"}`
	sized := func(fields string) string { return fmt.Sprintf("%s%s\r\n%s", head, fields, event) }
	length := fmt.Sprintf("Content-Length: %d\r\n", len(event))
	chunks := func(body string) string { return head + "Transfer-Encoding: chunked\r\n\r\n" + body }
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(event), event)
	with := func(fields string) string { return sized(length + fields) }
	return []smuggled{
		{"as it should be", sized(length), 200, true, 1},
		{"chunks", chunks(chunk), 200, false, 1},

		{"two equal lengths", sized(length + length), 200, true, 1},
		{"two lengths", sized(length + "Content-Length: 5\r\n"), 400, false, 0},
		{"a list of lengths", sized("Content-Length: 23, 23\r\n"), 400, false, 0},
		{"a list of other lengths", sized("Content-Length: 23, 5\r\n"), 400, false, 0},
		{"a signed length", sized("Content-Length: +23\r\n"), 400, false, 0},
		{"a negative length", sized("Content-Length: -1\r\n"), 400, false, 0},
		{"a length in hex", sized("Content-Length: 0x17\r\n"), 400, false, 0},
		{"an empty length", sized("Content-Length:\r\n"), 400, false, 0},
		{"a length beyond numbers", sized("Content-Length: 99999999999999999999999\r\n"), 400, false, 0},
		{"a length with a blank inside", sized("Content-Length: 2 3\r\n"), 400, false, 0},

		{"both", head + length + "Transfer-Encoding: chunked\r\n\r\n" + chunk, 200, false, 1},
		{"both, the other way", head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunk, 200, false, 1},
		{"chunks by another case", head + "transfer-encoding: Chunked\r\n\r\n" + chunk, 200, false, 1},
		{"chunks twice", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk, 501, false, 0},
		{"chunks and identity", head + "Transfer-Encoding: chunked, identity\r\n\r\n" + chunk, 501, false, 0},
		{"identity and length", with("Transfer-Encoding: identity\r\n"), 501, false, 0},
		{"packed in chunks", head + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunk, 501, false, 0},
		{"another word", with("Transfer-Encoding: xchunked\r\n"), 501, false, 0},
		{"a word with a tab", with("Transfer-Encoding: \x0bchunked\r\n"), 400, false, 0},
		{"an empty coding", with("Transfer-Encoding:\r\n"), 501, false, 0},
		{"chunks, a blank before the colon", with("Transfer-Encoding : chunked\r\n"), 400, false, 0},
		{"chunks on a folded line", head + "Transfer-Encoding:\r\n chunked\r\n\r\n" + chunk, 200, false, 1},
		{"chunks of HTTP/1.0", "POST /v1/events?key=write HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk, 400, false, 0},

		{"a size with garbage", chunks("17;\r\n" + event + "\r\n0x0\r\n\r\n"), 400, false, 0},
		{"a size that is none", chunks("zz\r\n" + event + "\r\n0\r\n\r\n"), 400, false, 0},
		{"a size in hex of C", chunks("0x17\r\n" + event + "\r\n0\r\n\r\n"), 400, false, 0},
		{"a signed size", chunks("+17\r\n" + event + "\r\n0\r\n\r\n"), 400, false, 0},
		{"a negative size", chunks("-1\r\n" + event + "\r\n0\r\n\r\n"), 400, false, 0},
		{"an empty size", chunks("\r\n" + event + "\r\n0\r\n\r\n"), 400, false, 0},
		{"a size beyond numbers", chunks("fffffffffffffffff\r\n" + event + "\r\n0\r\n\r\n"), 400, false, 0},
		{"a size before a bare newline", chunks("17\n" + event + "\n0\n\n"), 400, false, 0},
		{"a chunk without its end", chunks("17\r\n" + event + "0\r\n\r\n"), 400, false, 0},
		{"a chunk longer than its size", chunks("16\r\n" + event + "\r\n0\r\n\r\n"), 400, false, 0},
		{"a huge extension", chunks("17;" + strings.Repeat("x", 64<<10) + "\r\n" + event + "\r\n0\r\n\r\n"), 400, false, 0},
		{"many extensions", chunks(strings.Repeat("1;"+strings.Repeat("x", 2000)+"\r\n \r\n", 40) + chunk), 400, false, 0},
		{"an extension", chunks("17;a=b\r\n" + event + "\r\n0\r\n\r\n"), 200, false, 1},
		{"trailers", chunks("17\r\n" + event + "\r\n0\r\nX-Readership-Reader: account:x\r\nContent-Length: 5\r\n\r\n"), 200, false, 1},

		{"a folded field", with("X-A: b\r\n c\r\n"), 200, true, 1},
		{"a folded first field", "POST /v1/events?key=write HTTP/1.1\r\n Host: x\r\n" + length + "\r\n" + event, 400, false, 0},
		{"a zero byte in a value", with("X-A: a\x00b\r\n"), 400, false, 0},
		{"a return in a value", with("X-A: a\rContent-Length: 5\r\n"), 400, false, 0},
		{"a control character in a value", with("X-A: a\x01b\r\n"), 400, false, 0},
		{"a deleting character in a value", with("X-A: a\x7fb\r\n"), 400, false, 0},
		{"a zero byte in a name", with("X\x00A: a\r\n"), 400, false, 0},
		{"a blank before the colon", with("X-A : a\r\n"), 400, false, 0},
		{"a tab before the colon", with("X-A\t: a\r\n"), 400, false, 0},
		{"a name of a letter that is none", with("X-Ä: a\r\n"), 400, false, 0},
		{"no name", with(": a\r\n"), 400, false, 0},
		{"no colon", with("X-A\r\n"), 400, false, 0},
		{"a newline in the target", "POST /v1/events?key=write\nX: y HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + event, 400, false, 0},
		{"bare newlines", strings.ReplaceAll(sized(length), "\r\n", "\n"), 200, true, 1},
		{"headers beyond the limit", with("X-Long: " + strings.Repeat("x", 100<<10) + "\r\n"), 431, false, 0},
		{"fields beyond the limit", with(strings.Repeat("X-Many: x\r\n", 8000)), 431, false, 0},
		{"a target beyond the limit", "POST /v1/events?key=write&x=" + strings.Repeat("x", 100<<10) + " HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + event, 431, false, 0},
		{"a line without an end", strings.Repeat("x", 100<<10), 431, false, 0},

		{"no host", strings.Replace(sized(length), "Host: x\r\n", "", 1), 400, false, 0},
		{"two hosts", with("Host: y\r\n"), 400, false, 0},
		{"a host with a blank", strings.Replace(sized(length), "Host: x", "Host: x y", 1), 400, false, 0},
		{"a host with a path", strings.Replace(sized(length), "Host: x", "Host: x/y", 1), 400, false, 0},
		{"absolute form", strings.Replace(sized(length), "/v1", "http://x/v1", 1), 200, true, 1},
		{"absolute form of another host", strings.Replace(sized(length), "/v1", "http://other.example/v1", 1), 200, true, 1},
		{"authority form", strings.Replace(sized(length), "/v1/events", "x:80", 1), 404, true, 0},
		{"CONNECT", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 404, true, 0},
		{"asterisk form", strings.Replace(sized(length), "/v1/events?key=write", "*", 1), 404, true, 0},
		{"no target", "POST  HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + event, 400, false, 0},
		{"a target without a slash", strings.Replace(sized(length), "/v1", "v1", 1), 400, false, 0},
		{"a bad escape", strings.Replace(sized(length), "/v1/", "/v1/%zz", 1), 400, false, 0},
		{"dots", strings.Replace(sized(length), "/v1/", "/x/../v1/", 1), 404, true, 0},
		{"two slashes", strings.Replace(sized(length), "/v1/", "//v1/", 1), 404, true, 0},
		{"two blanks", strings.Replace(sized(length), " HTTP", "  HTTP", 1), 400, false, 0},
		{"a blank method", " " + sized(length), 400, false, 0},
		{"a bad method", "PO(ST" + sized(length)[4:], 400, false, 0},

		{"HTTP/0.9", "GET /v1/pixel.gif?key=write&type=a\r\n\r\n", 400, false, 0},
		{"HTTP/1.0", strings.Replace(sized(length+"Connection: keep-alive\r\n"), "HTTP/1.1", "HTTP/1.0", 1), 200, false, 1},
		{"HTTP/1.2", strings.Replace(sized(length), "HTTP/1.1", "HTTP/1.2", 1), 200, true, 1},
		{"HTTP/3.0", strings.Replace(sized(length), "HTTP/1.1", "HTTP/3.0", 1), 505, false, 0},
		{"no version", strings.Replace(sized(length), "HTTP/1.1", "HTTP/x.y", 1), 400, false, 0},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, false, 0},
		{"an upgrade to HTTP/2", with("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), 200, true, 1},
		{"TLS", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("\x01", 154) + "\r\n\r\n", 400, false, 0},
		{"a length with a GET", "GET /v1/pixel.gif?key=write&type=a&id=one HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 200, true, 1},
	}
}

// exchanged sends bytes and returns the statuses of all answers until the
// connection ends.
func exchanged(t *testing.T, l listener, bytes string) (statuses []int) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil { // if nothing ends it
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(conn, bytes)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	r := bufio.NewReader(conn)
	for {
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("%s: %v", l.name, err)
			}
			return statuses
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatalf("%s: %v", l.name, err)
		}
		if answer.StatusCode >= 400 && (answer.Header.Get("Content-Type") != "application/problem+json" || answer.Header.Get("X-Request-Id") == "" || answer.Header.Get("X-Readership-Position") == "") {
			t.Errorf("%s: %d %v %s", l.name, answer.StatusCode, answer.Header, body)
		}
		statuses = append(statuses, answer.StatusCode)
	}
}

// TestSmuggling sends requests that a server before ours may understand
// otherwise, each with a plain one behind it: both listeners answer alike, and
// what is not sure to be a request of its own is not taken for one.
func TestSmuggling(t *testing.T) {
	both, stores := listeners(t, Limits{})
	for i, c := range smuggling() {
		t.Run(c.name, func(t *testing.T) {
			want, stored := []int{c.want}, c.stored
			if c.goes {
				want, stored = append(want, 200), stored+1
			}
			bytes := strings.NewReplacer(`"one"`, fmt.Sprintf(`"%03d"`, i), `"next"`, fmt.Sprintf(`"n%03d"`, i), "id=one", fmt.Sprint("id=p", i)).Replace(c.request + follower)
			for j, l := range both {
				before := stores[j].stored()
				if got := exchanged(t, l, bytes); !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", l.name, got, want)
				}
				if got := stores[j].stored() - before; got != stored {
					t.Errorf("%s: %d events are stored, want %d", l.name, got, stored)
				}
			}
		})
	}
}

// TestForged sends headers that only we, or a proxy that the site trusts, may
// say: they change nothing of what is stored.
func TestForged(t *testing.T) {
	both, _ := listeners(t, Limits{})
	ask := func(l listener, headers map[string]string) string {
		headers["User-Agent"] = "u"
		status, _, body := l.do(t, one{method: "POST", path: "/v1/events?key=write&debug=1", headers: headers,
			body: `{"type":"page_view","id":"1","url":"https://news.example/a"}`})
		if status != 200 {
			t.Fatalf("%s: %d %s", l.name, status, body)
		}
		return body
	}
	forged := map[string]string{}
	for _, name := range []string{"Decision", "Clause", "Offer", "Meter", "Decision-Id", "Reader", "Segments", "Fallback", "Verdict"} {
		forged["X-Readership-"+name] = "account:a7"
	}
	forged["X-Readership-Device"] = "d1.forged"
	forged["Cookie"] = "rsid=d1.forged"
	for _, l := range both {
		bare := ask(l, map[string]string{})
		if got := ask(l, forged); got != bare {
			t.Errorf("%s: forged headers: %s, want %s", l.name, got, bare)
		}
		// The connection is a trusted proxy's (127.0.0.0/8): the last address that
		// is none counts, whatever stands before it.
		one := ask(l, map[string]string{"X-Forwarded-For": "203.0.113.5"})
		if one == bare {
			t.Errorf("%s: the proxy's word does not count: %s", l.name, one)
		}
		if got := ask(l, map[string]string{"X-Forwarded-For": "198.51.100.1, 127.0.0.1, garbage, 203.0.113.5, 127.0.0.9"}); got != one {
			t.Errorf("%s: forged addresses before the last: %s, want %s", l.name, got, one)
		}
		if got := ask(l, map[string]string{"X-Forwarded-For": "203.0.113.5, x"}); got != bare {
			t.Errorf("%s: no address: %s, want %s", l.name, got, bare)
		}
	}
	distrustful := *site
	distrustful.TrustedProxies = nil
	both, _ = listenersOf(t, &distrustful, Limits{}, collect.Rates{})
	for _, l := range both {
		bare := ask(l, map[string]string{})
		if got := ask(l, map[string]string{"X-Forwarded-For": "203.0.113.5", "X-Real-Ip": "203.0.113.5", "Forwarded": "for=203.0.113.5", "X-Forwarded-Proto": "https"}); got != bare {
			t.Errorf("%s: an address of nobody that is trusted: %s, want %s", l.name, got, bare)
		}
	}
}
