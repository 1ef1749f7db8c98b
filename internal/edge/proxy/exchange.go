package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/edge"
	"github.com/readership/readership/internal/edge/route"
	"github.com/readership/readership/internal/edge/upstream"
)

// exchange is one request on its way to an origin and back. It is reused, and
// with it the reverse proxy whose hooks it is.
type exchange struct {
	server  *Server
	proxy   httputil.ReverseProxy
	rule    *route.Rule
	balance *balancer
	peer    peer
	in      *http.Request
	out     http.ResponseWriter
	outcome Outcome
	fell    bool   // the gate gave no decision and its block fails open
	tried   uint64 // origins by place
	status  int    // of the answer that is sent on
}

func (s *Server) newExchange() *exchange {
	e := &exchange{server: s}
	e.proxy = httputil.ReverseProxy{Rewrite: e.rewrite, Transport: e, ModifyResponse: e.answered, ErrorHandler: e.failed,
		BufferPool: buffers{}, ErrorLog: s.errorLog}
	return e
}

// forward asks an origin and sends its answer on. It panics with
// http.ErrAbortHandler when the answer breaks off.
func (e *exchange) forward(w http.ResponseWriter, r *http.Request) {
	e.in, e.out = r, w
	if e.balance.plain && upstream.Serves(r) {
		e.pass(w, r)
	} else {
		e.proxy.ServeHTTP(w, r)
	}
}

// reset makes the exchange ready for the next request.
func (e *exchange) reset() {
	*e = exchange{server: e.server, proxy: e.proxy}
}

// rewrite is the reverse proxy's hook: it makes the request to the origin of the
// reader's. What belongs to one hop has been taken off.
func (e *exchange) rewrite(p *httputil.ProxyRequest) {
	out := p.Out
	out.URL.RawQuery = p.In.URL.RawQuery // whatever an origin makes of it
	if out.Body != nil {
		control, trusted := http.NewResponseController(e.out), e.peer.trusted
		_ = control.EnableFullDuplex() // HTTP/2 is so anyway
		out.Trailer = p.In.Trailer     // it is filled in when the body has been read
		strip(out.Trailer, trusted)
		out.Body = &patientBody{ReadCloser: out.Body, control: control, stall: e.server.cfg.Limits.StallTime,
			ended: func() { strip(out.Trailer, trusted) }}
	}
	e.tell(p.In, out)
}

// tell makes the head of the request to the origin of the reader's, in.
func (e *exchange) tell(in, out *http.Request) {
	strip(out.Header, e.peer.trusted)
	e.peer.forward(in.Header, out.Header, in.Host)
	for name, values := range e.outcome.Request {
		out.Header[name] = values
	}
	if e.fell {
		out.Header[headerFallback] = []string{"1"}
	}
	if e.rule.Strip != "" {
		cutPath(out.URL, e.rule.Strip)
	}
}

// cutPath cuts a beginning off a URL's path and leaves the rest encoded as it came.
func cutPath(u *url.URL, beginning string) {
	rest, ok := strings.CutPrefix(u.Path, beginning)
	if !ok {
		return
	}
	raw := u.RawPath
	for range len(beginning) {
		if raw == "" {
			break // there is none: the path needs no other encoding than the usual
		}
		if raw[0] == '%' {
			raw = raw[2:]
		}
		raw = raw[1:]
	}
	if !strings.HasPrefix(rest, "/") {
		rest, raw = "/"+rest, "/"+raw
	}
	u.Path, u.RawPath = rest, raw
}

// answered is the reverse proxy's hook for the origin's answer.
func (e *exchange) answered(res *http.Response) error {
	e.status = res.StatusCode
	edge.CloseUnclear(e.out, e.in) // again: an early answer takes all headers with it
	if _, said := res.Header["Content-Type"]; !said {
		e.out.Header()["Content-Type"] = nil // nobody guesses it for the origin
	}
	if e.outcome.Answered != nil {
		e.outcome.Answered(res.StatusCode, res.Header)
	}
	addHeaders(res.Header, e.outcome.Answer)
	return nil
}

// addHeaders puts a gate's headers into an answer.
func addHeaders(h, more http.Header) {
	for name, values := range more {
		if name == "Set-Cookie" {
			h[name] = append(h[name], values...)
		} else {
			h[name] = values
		}
	}
}

// failed is the reverse proxy's hook for requests that no origin answered.
func (e *exchange) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case r.Context().Err() != nil: // nobody is left to be told
		panic(http.ErrAbortHandler)
	case errors.Is(err, errNoOrigin):
		refuse(w, e.in, http.StatusServiceUnavailable, "This page cannot be served at the moment: every server that could is busy or out of service. Try again in a moment.")
	case isTimeout(err):
		e.server.cfg.Logger.Warn("origin did not answer in time", "site", e.rule.Site.ID, "path", e.in.URL.Path, "error", err)
		refuse(w, e.in, http.StatusGatewayTimeout, "The server behind this page took too long to answer.")
	case errors.Is(err, upstream.ErrRequest):
		refuse(w, e.in, http.StatusBadRequest, "The address or the header has bytes that cannot be sent on.")
	case errors.Is(err, errReader):
		refuse(w, e.in, http.StatusBadRequest, "The request broke off.")
	default:
		e.server.cfg.Logger.Warn("origin gave no answer", "site", e.rule.Site.ID, "path", e.in.URL.Path, "error", err)
		refuse(w, e.in, http.StatusBadGateway, "The server behind this page could not be reached.")
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// errNoOrigin says that there is no origin that could be asked.
var errNoOrigin = errors.New("no origin has room")

// safe says whether a request may be sent twice.
func safe(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return r.Body == nil && r.Header["Upgrade"] == nil
	}
	return false
}

// RoundTrip implements http.RoundTripper: it asks one origin after the other
// until one answers, as far as the request may be repeated.
func (e *exchange) RoundTrip(out *http.Request) (*http.Response, error) {
	s := e.server
	left := e.rule.Retries
	if !safe(out) {
		left = 0
	}
	body, _ := out.Body.(*patientBody)
	path, rawPath := out.URL.Path, out.URL.RawPath
	var failure error
	for {
		now := s.cfg.Now()
		o, bit := e.balance.pick(e.tried, now, int64(s.cfg.Limits.OriginRequests))
		if o == nil {
			if failure == nil {
				failure = errNoOrigin
			}
			return nil, failure
		}
		e.tried |= bit
		if failure != nil { // what was sent before may still be read by who sent it
			again := *out.URL
			out = out.WithContext(out.Context())
			out.URL = &again
			s.metrics.retries.Inc()
		}
		out.URL.Scheme, out.URL.Host = o.url.Scheme, o.url.Host
		out.URL.Path, out.URL.RawPath = joined(o.url, path, rawPath)
		if e.rule.Rename {
			out.Host = ""
		}
		res, err := e.attempt(o, out)
		if err == nil {
			if left > 0 && unfit(res.StatusCode) && e.balance.another(e.tried, now, int64(s.cfg.Limits.OriginRequests)) {
				left--
				failure = errors.New(o.url.Host + " answered " + res.Status)
				_ = res.Body.Close()
				continue
			}
			return res, nil
		}
		failure = err
		var dial *dialError
		switch {
		case out.Context().Err() != nil, errors.Is(err, errReader), errors.Is(err, upstream.ErrRequest):
			return nil, err
		case left > 0:
			left--
		case errors.As(err, &dial) && body.untouched():
			// The origin has seen nothing, so any request may go to another.
		default:
			return nil, err
		}
	}
}

// unfit says whether an answer means that the origin could not, rather than
// that there is no other answer.
func unfit(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// joined puts the origin's path before a request's.
func joined(origin *url.URL, path, rawPath string) (string, string) {
	if origin.Path == "" {
		return path, rawPath
	}
	if rawPath == "" && origin.RawPath == "" {
		return origin.Path + path, ""
	}
	full := url.URL{Path: path, RawPath: rawPath}
	return origin.Path + path, origin.EscapedPath() + full.EscapedPath()
}

// attempt asks one origin. Short answers to what can be repeated are read whole
// before they are sent on, so that an origin that dies over one can be
// replaced.
func (e *exchange) attempt(o *origin, out *http.Request) (*http.Response, error) {
	room := int64(e.server.cfg.Limits.OriginRequests)
	if o.flying.Add(1) > room {
		o.flying.Add(-1)
		return nil, errNoOrigin
	}
	res, err := e.send(o, out)
	if err == nil && res.StatusCode < 100 { // no answer can have it, and writing one would panic
		_ = res.Body.Close()
		err = fmt.Errorf("%s answered with status %q", o.url.Host, res.Status)
	}
	if err == nil && safe(out) && out.Method == http.MethodGet && res.ContentLength > 0 && res.ContentLength <= shortBody && !here(res) {
		err = readShort(res)
	}
	if err != nil {
		o.flying.Add(-1)
		if out.Context().Err() == nil && !errors.Is(err, errReader) && !errors.Is(err, upstream.ErrRequest) {
			o.failed(e.server.cfg.Now(), err)
		}
		return nil, err
	}
	o.succeeded()
	if duplex, ok := res.Body.(io.ReadWriteCloser); ok && res.StatusCode == http.StatusSwitchingProtocols {
		res.Body = &countedDuplex{ReadWriteCloser: duplex, origin: o}
	} else {
		res.Body = &counted{ReadCloser: res.Body, origin: o}
	}
	return res, nil
}

// send sends a request to an origin.
func (e *exchange) send(o *origin, out *http.Request) (res *http.Response, err error) {
	if o.client != nil && upstream.Serves(out) {
		res, err = o.client.Ask(out, e.early)
	} else {
		res, err = o.transport.RoundTrip(out)
	}
	if err == nil && res.StatusCode < 100 { // net/http reads it, and panics when it is written
		_ = res.Body.Close()
		return nil, errors.New("the status of the answer is none: " + res.Status)
	}
	return res, err
}

// here says that the whole body of an answer has come already.
func here(res *http.Response) bool {
	b, ok := res.Body.(*upstream.Body)
	return ok && b.Here()
}

// shortBody is the longest answer that is read whole before it is sent on.
const shortBody = 64 << 10

// readShort reads the body of an answer whose length is known. The origin's
// connection is free then.
func readShort(res *http.Response) error {
	b := shortBodies.Get().(*shortAnswer)
	b.buffer = growTo(b.buffer, int(res.ContentLength))
	if _, err := io.ReadFull(res.Body, b.buffer); err != nil {
		_ = res.Body.Close()
		shortBodies.Put(b)
		return err
	}
	if res.ProtoMajor > 1 { // trailers come after the last byte
		_, _ = res.Body.Read(b.end[:])
	}
	_ = res.Body.Close()
	b.rest = b.buffer
	res.Body = b
	return nil
}

func growTo(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// shortAnswer is a body that was read whole.
type shortAnswer struct {
	buffer, rest []byte
	end          [1]byte
}

var shortBodies = sync.Pool{New: func() any { return new(shortAnswer) }}

// Read implements io.Reader.
func (b *shortAnswer) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// WriteTo implements io.WriterTo.
func (b *shortAnswer) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b.rest)
	b.rest = b.rest[n:]
	return int64(n), err
}

// Close implements io.Closer. It is called once.
func (b *shortAnswer) Close() error {
	b.rest = nil
	shortBodies.Put(b)
	return nil
}

// counted is a body that counts as a request under way until it is closed.
type counted struct {
	io.ReadCloser
	origin *origin
	once   sync.Once
}

// WriteTo implements io.WriterTo.
func (c *counted) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, c.ReadCloser) }

// Close implements io.Closer.
func (c *counted) Close() (err error) {
	c.once.Do(func() {
		c.origin.flying.Add(-1)
		err = c.ReadCloser.Close()
	})
	return err
}

// countedDuplex is the same of an upgraded connection.
type countedDuplex struct {
	io.ReadWriteCloser
	origin *origin
	once   sync.Once
}

// Close implements io.Closer.
func (c *countedDuplex) Close() (err error) {
	c.once.Do(func() {
		c.origin.flying.Add(-1)
		err = c.ReadWriteCloser.Close()
	})
	return err
}

// errReader says that the body of the request could not be read: not the
// origin's fault.
var errReader = errors.New("the request's body broke off")

// patientBody is the body of a request, which may come slowly but not stall.
type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
	stall   time.Duration
	read    atomic.Bool // something was asked of it
	ended   func()      // is called before its end is told
}

// Close implements io.Closer. The body outlives an attempt that failed; it is
// the server's to close.
func (b *patientBody) Close() error { return nil }

func (b *patientBody) untouched() bool { return b == nil || !b.read.Load() }

// Read implements io.Reader.
func (b *patientBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	_ = b.control.SetReadDeadline(time.Now().Add(b.stall)) // not all writers have deadlines
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.control.SetReadDeadline(time.Time{}) // else it would end the wait for the answer
		if errors.Is(err, io.EOF) {
			b.ended()
		} else {
			err = errors.Join(errReader, err)
		}
	}
	return n, err
}

// buffers are what bodies are copied through.
type buffers struct{}

var bufferPool = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// Get implements httputil.BufferPool.
func (buffers) Get() []byte { return bufferPool.Get().(*[32 << 10]byte)[:] }

// Put implements httputil.BufferPool.
func (buffers) Put(b []byte) { bufferPool.Put((*[32 << 10]byte)(b)) }

var _ http.RoundTripper = (*exchange)(nil)
