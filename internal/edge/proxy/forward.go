package proxy

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/readership/readership/internal/edge/upstream"
)

// hopHeaders are of one hop (RFC 9110, section 7.6.1), with those that were once.
var hopHeaders = [...]string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// removeHop removes the headers of one hop, those that Connection names among them.
func removeHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range hopHeaders {
		delete(h, name)
	}
}

// pass is forward for requests that package upstream serves: what
// httputil.ReverseProxy does with them, without what it does for others.
func (e *exchange) pass(w http.ResponseWriter, r *http.Request) {
	address := *r.URL
	out := (&http.Request{Method: r.Method, URL: &address, Host: r.Host, Header: make(http.Header, len(r.Header)+6)}).WithContext(r.Context())
	for name, values := range r.Header {
		out.Header[name] = values
	}
	removeHop(out.Header)
	if httpguts.HeaderValuesContainsToken(r.Header["Te"], "trailers") {
		out.Header["Te"] = []string{"trailers"}
	}
	e.tell(r, out)
	res, err := e.RoundTrip(out)
	if err != nil {
		e.failed(w, out, err)
		return
	}
	defer res.Body.Close()
	removeHop(res.Header)
	_ = e.answered(res)
	h := w.Header()
	for name, values := range res.Header {
		if already := h[name]; len(already) > 0 {
			values = append(already, values...)
		}
		h[name] = values
	}
	announced := len(res.Trailer)
	for name := range res.Trailer {
		h.Add("Trailer", name)
	}
	w.WriteHeader(res.StatusCode)
	if copyBody(w, res) != nil {
		panic(http.ErrAbortHandler)
	}
	if len(res.Trailer) == 0 {
		return
	}
	_ = http.NewResponseController(w).Flush() // so that it is in chunks
	prefix := ""
	if len(res.Trailer) != announced {
		prefix = http.TrailerPrefix
	}
	for name, values := range res.Trailer {
		h[prefix+name] = values
	}
}

// copyBody sends a body on. Where its length is not known, and of events, the head
// and each piece go out as they come: somebody may wait for them.
func copyBody(w http.ResponseWriter, res *http.Response) error {
	c, _ := res.Body.(*counted)
	events := strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream")
	if c != nil && res.ContentLength >= 0 && !events {
		_, err := c.WriteTo(w)
		return err
	}
	var body *upstream.Body
	if c != nil {
		body, _ = c.ReadCloser.(*upstream.Body)
	}
	control := http.NewResponseController(w)
	b := bufferPool.Get().(*[32 << 10]byte)
	defer bufferPool.Put(b)
	for {
		if body == nil || !body.Ready() {
			_ = control.Flush()
		}
		n, err := res.Body.Read(b[:])
		if n > 0 {
			if _, err := w.Write(b[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// early sends an answer on that comes before the last.
func (e *exchange) early(status int, header http.Header) {
	if !e.in.ProtoAtLeast(1, 1) {
		return // it would be taken for the last (RFC 9110, section 15.2)
	}
	removeHop(header)
	h := e.out.Header()
	for name, values := range header {
		h[name] = append(h[name], values...)
	}
	e.out.WriteHeader(status)
	clear(h)
}
