package edge

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/readership/readership/internal/collect"
)

// Handler serves collection on a net/http server, as the fast listener does.
// It keeps an X-Request-Id that was set before it.
type Handler struct {
	cfg   Config
	ids   *ids
	calls sync.Pool // of *httpCall
}

// NewHandler makes a Handler. It needs Collect, and of Limits BodyTime only.
func NewHandler(cfg Config) *Handler {
	cfg.Limits = cfg.Limits.withDefaults()
	return &Handler{cfg: cfg, ids: newIDs(cfg.Random), calls: sync.Pool{New: func() any { return new(httpCall) }}}
}

// httpCall is one request in the terms of collect. It is reused.
type httpCall struct {
	handler *Handler
	w       http.ResponseWriter
	r       *http.Request
	patient bool
	q       collect.Request
	out     collect.Response
}

// Get implements collect.Header.
func (c *httpCall) Get(name string) string { return collect.HTTPHeader(c.r.Header).Get(name) }

// Read implements io.Reader for the request's body.
func (c *httpCall) Read(p []byte) (int, error) {
	if c.patient {
		_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(c.handler.cfg.Limits.BodyTime))
	}
	return c.r.Body.Read(p)
}

// Patiently implements collect.Patient.
func (c *httpCall) Patiently() { c.patient = true }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := h.calls.Get().(*httpCall)
	c.handler, c.w, c.r = h, w, r
	defer func() {
		c.w, c.r, c.patient, c.q = nil, nil, false, collect.Request{}
		h.calls.Put(c)
	}()
	c.q = collect.Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: c, Host: r.Host, TLS: r.TLS != nil, Length: r.ContentLength}
	if address, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		c.q.Remote = address.Addr().Unmap()
	}
	if r.Body != nil && r.Body != http.NoBody {
		c.q.Body = c
	} else {
		c.q.Length = 0
	}
	if !c.patient && c.q.Body != nil {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.cfg.Limits.BodyTime))
	}
	// A sender that is gone does not undo what it has sent.
	h.cfg.Collect(context.WithoutCancel(r.Context()), &c.q, &c.out)
	c.write()
}

// write sends c.out.
func (c *httpCall) write() {
	h := c.w.Header()
	if h.Get(headerRequestID) == "" {
		id := c.r.Header.Get(headerRequestID)
		if !usable(id) {
			id = string(c.handler.ids.append(nil))
		}
		h.Set(headerRequestID, id)
	}
	h.Set(headerPosition, string(appendPosition(nil, c.out.Position)))
	for i := range c.out.Headers {
		h.Set(c.out.Headers[i].Name, c.out.Headers[i].Value)
	}
	if c.out.Close {
		h.Set("Connection", "close")
	}
	if c.out.ContentType != "" {
		h.Set("Content-Type", c.out.ContentType)
		h.Set("X-Content-Type-Options", "nosniff")
	}
	c.w.WriteHeader(c.out.Status)
	if c.out.ContentType != "" {
		_, _ = c.w.Write(c.out.Body)
	}
}

var (
	_ io.Reader       = (*httpCall)(nil)
	_ collect.Patient = (*httpCall)(nil)
	_ http.Handler    = (*Handler)(nil)
)
