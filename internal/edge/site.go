package edge

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// sitePrefix begins the addresses below a site.
const sitePrefix = "/v1/sites/"

// served says whether an address, as it was sent and without the query, belongs
// to what the fast listener serves beside collection: decisions about readers and
// pages, memberships and recommendations. These are the main listener's to answer (Config.Sites).
func served(path string) bool {
	rest, ok := strings.CutPrefix(path, sitePrefix)
	if !ok {
		return false
	}
	_, rest, _ = strings.Cut(rest, "/")
	area, rest, more := strings.Cut(rest, "/")
	switch area {
	case "decisions":
		return true
	case "auth":
		return !more
	case "recommendations":
		return more
	case "readers":
		_, what, _ := strings.Cut(rest, "/")
		return what == "segments"
	}
	return false
}

// siteCall is a request of the general server in the terms of net/http.
type siteCall struct {
	ctx    *fasthttp.RequestCtx
	header http.Header
	status int
}

// site answers a request by the main listener's handler.
func (g *general) site(ctx *fasthttp.RequestCtx) {
	w := &siteCall{ctx: ctx, header: http.Header{}}
	r, err := w.request()
	if err != nil {
		g.unreadable(ctx, err)
		return
	}
	g.server.cfg.Sites.ServeHTTP(w, r)
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.header.Get("Connection") == "close" {
		ctx.SetConnectionClose()
		if conn, ok := ctx.Conn().(*lingeringConn); ok {
			conn.unread.Store(true)
		}
	}
}

// request lays the request out as net/http does. It shares no memory with it.
func (w *siteCall) request() (*http.Request, error) {
	h := &w.ctx.Request.Header
	target := string(h.RequestURI())
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	r := &http.Request{
		Method: string(h.Method()), URL: u, RequestURI: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Host: string(h.Host()), RemoteAddr: w.ctx.RemoteAddr().String(), Body: http.NoBody,
		TLS: w.ctx.TLSConnectionState(),
	}
	for name, value := range h.All() {
		if key := http.CanonicalHeaderKey(string(name)); key != "Host" {
			r.Header.Add(key, string(value))
		}
	}
	if body := w.ctx.RequestBodyStream(); body != nil {
		r.Body, r.ContentLength = io.NopCloser(body), max(-1, int64(h.ContentLength()))
	}
	return r.WithContext(w.ctx), nil
}

// Header implements http.ResponseWriter.
func (w *siteCall) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *siteCall) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status = status
	w.ctx.SetStatusCode(status)
	for name, values := range w.header {
		if name == "Connection" || name == "Content-Length" {
			continue // the server's own
		}
		for _, value := range values {
			w.ctx.Response.Header.Add(name, value)
		}
	}
}

// Write implements http.ResponseWriter.
func (w *siteCall) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.ctx.Response.AppendBody(b)
	return len(b), nil
}

var _ http.ResponseWriter = (*siteCall)(nil)
