package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/readership/readership/internal/edge/origintest"
)

// An answer with a status that is none is no answer, and leaves nothing behind.
func TestStatusThatIsNone(t *testing.T) {
	e := newEdge(t, Config{}, to("http://"+origintest.Listen(t, origintest.Answers("HTTP/1.1 099 Odd\r\nContent-Length: 100000\r\n\r\nok"))))
	for _, method := range []string{"GET", "POST"} {
		r, _ := http.NewRequestWithContext(t.Context(), method, "http://"+e.addr+"/", strings.NewReader("text"))
		if method == "GET" {
			r.Body, r.ContentLength = nil, 0
		}
		r.Host = "news.example"
		res, err := plain.Do(r)
		if err != nil {
			t.Errorf("%s: %v", method, err)
		} else {
			_ = res.Body.Close()
			if res.StatusCode != 502 {
				t.Errorf("%s: %s", method, res.Status)
			}
		}
		for _, o := range e.pool.origins {
			if n := o.flying.Load(); n != 0 {
				t.Errorf("%s: %d under way", method, n)
			}
		}
	}
}

// Whether a connection ends with its answer is ours to say, whatever came before.
func TestEarlyAnswersKeepTheEnd(t *testing.T) {
	e := newEdge(t, Config{}, to("http://"+origintest.Listen(t, origintest.Answers("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))))
	for _, text := range []string{
		"GET / HTTP/1.0\r\nHost: news.example\r\nConnection: keep-alive\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: news.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, text)
		r := bufio.NewReader(c)
		res, err := http.ReadResponse(r, nil)
		if err == nil && res.StatusCode == http.StatusEarlyHints && res.ProtoAtLeast(1, 1) {
			res, err = http.ReadResponse(r, nil)
		}
		if err != nil || res.StatusCode != 200 || !res.Close {
			t.Errorf("%q: %v %v", text, res, err)
		}
	}
}

// A reader who leaves ends the request to the origin, wherever it stands.
func TestReadersLeave(t *testing.T) {
	for name, c := range map[string]struct{ length, sent int }{"head": {-1, 0}, "long": {1 << 20, 100 << 10}, "chunks": {-1, 100 << 10}, "short": {1000, 100}} {
		t.Run(name, func(t *testing.T) {
			begun, ended := make(chan struct{}), make(chan struct{})
			e := newEdge(t, Config{}, to(backend(t, func(w http.ResponseWriter, r *http.Request) {
				if c.length >= 0 {
					w.Header().Set("Content-Length", strconv.Itoa(c.length))
				}
				if c.sent > 0 {
					_, _ = io.WriteString(w, strings.Repeat("a", c.sent))
					_ = http.NewResponseController(w).Flush()
				}
				begun <- struct{}{}
				<-r.Context().Done()
				ended <- struct{}{}
			})))
			reader, err := net.Dial("tcp", e.addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(reader, "GET / HTTP/1.1\r\nHost: news.example\r\n\r\n")
			<-begun
			_ = reader.Close()
			<-ended
		})
	}
}
