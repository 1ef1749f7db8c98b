package edge

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/readership/readership/internal/collect"
)

// request is a plain request that the tables change.
const plainRequest = "POST /v1/events?key=k HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nUser-Agent: u\r\n\r\n{}"

// TestHeadPlain tells plain requests from others.
func TestHeadPlain(t *testing.T) {
	replaced := func(old, with string) string { return strings.Replace(plainRequest, old, with, 1) }
	for _, c := range []struct {
		name, request string
		want          reading
	}{
		{"plain", plainRequest, readPlain},
		{"no key", replaced("?key=k", ""), readGeneral},
		{"other parameter", replaced("key=k", "monkey=k"), readGeneral},
		{"empty key", replaced("key=k", "a=b&key=&key=k"), readGeneral},
		{"second parameter", replaced("key=k", "a=b&key=k"), readPlain},
		{"two connections", replaced("User-Agent: u", "Connection: close\r\nConnection: keep-alive"), readGeneral},
		{"key in a header", strings.Replace(replaced("?key=k", ""), "User-Agent: u", "AUTHORIZATION:bearer k", 1), readPlain},
		{"pixel", "GET /v1/pixel.gif?key=k HTTP/1.1\r\nhost: x\r\n\r\n", readPlain},
		{"preflight", "OPTIONS /v1/events HTTP/1.1\r\nHost: x\r\n\r\n", readPlain},
		{"not complete", plainRequest[:len(plainRequest)-4], readMore},
		{"no line", "POST /v1/ev", readMore},
		{"nothing", "", readMore},
		{"TLS", "\x16\x03\x01\x02", readGeneral},
		{"other path", replaced("/v1/events", "/v1/event"), readGeneral},
		{"escaped path", replaced("/v1/events", "/v1/%65vents"), readGeneral},
		{"absolute form", replaced("/v1/events", "http://x/v1/events"), readGeneral},
		{"fragment", replaced("key=k", "key=k#x"), readGeneral},
		{"HTTP/1.0", replaced("HTTP/1.1", "HTTP/1.0"), readGeneral},
		{"two blanks", replaced(" HTTP", "  HTTP"), readGeneral},
		{"no name of a host", replaced("Host: x", "Host: x/y"), readGeneral},
		{"no host", replaced("Host: x\r\n", ""), readGeneral},
		{"two hosts", replaced("Host: x", "Host: x\r\nHost: y"), readGeneral},
		{"two lengths", replaced("Content-Length: 2", "Content-Length: 2\r\nContent-Length: 2"), readGeneral},
		{"signed length", replaced("Length: 2", "Length: +2"), readGeneral},
		{"list of lengths", replaced("Length: 2", "Length: 2, 2"), readGeneral},
		{"no length", replaced("Content-Length: 2\r\n", ""), readGeneral},
		{"long", replaced("Length: 2", "Length: 65537"), readGeneral},
		{"chunks", replaced("User-Agent: u", "Transfer-Encoding: chunked"), readGeneral},
		{"both", replaced("User-Agent: u", "transfer-encoding: identity"), readGeneral},
		{"compressed", replaced("User-Agent: u", "Content-Encoding: gzip"), readGeneral},
		{"expectation", replaced("User-Agent: u", "Expect: 100-continue"), readGeneral},
		{"upgrade", replaced("User-Agent: u", "Upgrade: h2c"), readGeneral},
		{"two protocols", replaced("User-Agent: u", "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http"), readGeneral},
		{"a protocol", replaced("User-Agent: u", "X-Forwarded-Proto: https"), readPlain},
		{"trailer", replaced("User-Agent: u", "Trailer: x"), readGeneral},
		{"connection list", replaced("User-Agent: u", "Connection: keep-alive, x"), readGeneral},
		{"blank before the colon", replaced("User-Agent: u", "User-Agent : u"), readGeneral},
		{"folded", replaced("User-Agent: u", "User-Agent: u\r\n v"), readGeneral},
		{"bare newline", replaced("x\r\nContent", "x\nContent"), readGeneral},
		{"bare return", replaced("User-Agent: u", "User-Agent: u\rv"), readGeneral},
		{"zero byte", replaced("User-Agent: u", "User-Agent: \x00"), readGeneral},
		{"no colon", replaced("User-Agent: u", "User-Agent"), readGeneral},
		{"two cookies", replaced("User-Agent: u", "Cookie: a=1\r\nCookie: b=2"), readGeneral},
		{"two proxies", replaced("User-Agent: u", "X-Forwarded-For: 192.0.2.1\r\nx-forwarded-for: 192.0.2.2"), readGeneral},
		{"many fields", replaced("User-Agent: u", strings.Repeat("A: b\r\n", maxFields)+"A: b"), readGeneral},
		{"import of the pixel", replaced("/v1/events", "/v1/pixel.gif"), readGeneral},
		{"body of the pixel", "GET /v1/pixel.gif?key=k HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", readGeneral},
	} {
		var h head
		if got := h.read([]byte(c.request)); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestHeadInParts reads a request that arrives byte by byte.
func TestHeadInParts(t *testing.T) {
	size := strings.Index(plainRequest, "\r\n\r\n") + 4
	var h head
	for n := range size {
		if got := h.read([]byte(plainRequest[:n])); got != readMore {
			t.Fatalf("%d bytes: %d", n, got)
		}
	}
	if h.read([]byte(plainRequest[:size])) != readPlain || h.size != size || h.length != 2 || string(h.query) != "key=k" || h.Get("user-agent") != "u" {
		t.Errorf("%d %d %q %q", h.size, h.length, h.query, h.Get("user-agent"))
	}
}

// FuzzHead compares what is read as plain with net/http: both must see the same
// request, of the same length, or a request could be smuggled past one of them.
func FuzzHead(f *testing.F) {
	for _, s := range []string{plainRequest, "GET /v1/pixel.gif?key=k&a=%20 HTTP/1.1\r\nhost:x\r\nCookie: a=b\r\n\r\n",
		"OPTIONS /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		"GET /v1/sites/a/readers/device:b%2Fc/segments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n\r\n",
		"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: 07\r\nX-A:\t b \r\n\r\n{\"a\":1}GET ",
		"POST /v1/sites/news/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h head
		if h.read(b) != readPlain {
			return
		}
		source := bytes.NewReader(b)
		buffered := bufio.NewReaderSize(source, len(b)+16)
		r, err := http.ReadRequest(buffered)
		if err != nil {
			t.Fatal("net/http is stricter:", err)
		}
		rest := buffered.Buffered() + source.Len()
		if size := len(b) - rest; size != h.size {
			t.Fatalf("head of %d bytes, net/http reads %d", h.size, size)
		}
		if r.Method != string(h.method) || r.Host != string(h.host) || r.ContentLength != int64(h.length) || len(r.TransferEncoding) > 0 {
			t.Fatalf("%q %q %d, net/http reads %q %q %d %v", h.method, h.host, h.length, r.Method, r.Host, r.ContentLength, r.TransferEncoding)
		}
		if path, _, _ := strings.Cut(r.RequestURI, "?"); path != string(h.path) || h.asks == asksNothing && r.URL.Path != path || r.URL.RawQuery != string(h.query) || r.Close != h.close {
			t.Fatalf("%q %q %v, net/http reads %q %q %v", h.path, h.query, h.close, r.RequestURI, r.URL.RawQuery, r.Close)
		}
		for name, values := range r.Header {
			if got := h.Get(name); got != values[0] {
				t.Fatalf("%s: %q, net/http reads %q", name, got, values)
			}
		}
	})
}

// TestPlainBody gives the collector the body and nothing else.
func TestPlainBody(t *testing.T) {
	var h head
	if h.read([]byte(plainRequest+"GET ")) != readPlain {
		t.Fatal("not plain")
	}
	if body := plainRequest[h.size : h.size+h.length]; body != "{}" {
		t.Errorf("body %q", body)
	}
	if collect.MaxWhole != 65536 {
		t.Errorf("setLength reads numbers of the digits of 65536, not of %d", collect.MaxWhole)
	}
}
