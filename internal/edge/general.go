package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/valyala/fasthttp"

	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// general serves the requests of the fast listener that are not plain: bodies
// that are long, compressed or in chunks, other addresses, and whatever is not
// HTTP. It has a goroutine a connection.
type general struct {
	server *Server
	http   *fasthttp.Server
	calls  sync.Pool   // of *fastCall
	begun  chan *begun // connections that the loops hand over
	stop   chan struct{}
	once   sync.Once
}

func newGeneral(s *Server) *general {
	g := &general{server: s, begun: make(chan *begun), stop: make(chan struct{})}
	limits := s.cfg.Limits
	g.calls.New = func() any { return &fastCall{server: s} }
	g.http = &fasthttp.Server{
		Handler: g.handle, ErrorHandler: g.unreadable,
		Concurrency:    limits.Connections,
		ReadBufferSize: limits.HeaderBytes, WriteBufferSize: 4 << 10,
		ReadTimeout: limits.BodyTime, IdleTimeout: limits.IdleTime, WriteTimeout: limits.AnswerTime,
		StreamRequestBody: true, DisablePreParseMultipartForm: true,
		NoDefaultServerHeader: true, NoDefaultContentType: true, LazyRequestTime: true,
		CloseOnShutdown: true,
		Logger:          quiet{s.cfg.Logger},
	}
	return g
}

// begun is a connection of which some bytes have been read.
type begun struct {
	net.Conn
	read []byte
}

// Read implements net.Conn.
func (b *begun) Read(p []byte) (int, error) {
	if len(b.read) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.read)
	if b.read = b.read[n:]; len(b.read) == 0 {
		b.read = nil
	}
	return n, nil
}

// CloseWrite lets a connection linger.
func (b *begun) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// take serves a connection from here on.
func (g *general) take(c *begun) {
	select {
	case g.begun <- c:
	case <-g.stop:
		_ = c.Close()
	}
}

// Accept implements net.Listener, for connections that are handed over.
func (g *general) Accept() (net.Conn, error) {
	select {
	case c := <-g.begun:
		return c, nil
	case <-g.stop:
		return nil, io.EOF
	}
}

// Close implements net.Listener.
func (g *general) Close() error {
	g.once.Do(func() { close(g.stop) })
	return nil
}

// Addr implements net.Listener.
func (g *general) Addr() net.Addr { return nil }

// quiet sends what the server library reports to the log.
type quiet struct{ logger *slog.Logger }

func (q quiet) Printf(format string, args ...any) {
	q.logger.Debug("fast listener", "report", fmt.Sprintf(format, args...))
}

// fastCall is one request in the terms of collect. It is reused.
type fastCall struct {
	server  *Server
	ctx     *fasthttp.RequestCtx
	stream  io.Reader
	patient bool
	q       collect.Request
	out     collect.Response
	scratch []byte
}

// Get implements collect.Header.
func (c *fastCall) Get(name string) string {
	if name == "X-Forwarded-For" {
		if all := c.ctx.Request.Header.PeekAll(name); len(all) > 1 {
			list := make([]string, len(all))
			for i, v := range all {
				list[i] = string(v)
			}
			return strings.Join(list, ",")
		}
	}
	return text(c.ctx.Request.Header.Peek(name))
}

// Read implements io.Reader for the request's body.
func (c *fastCall) Read(p []byte) (int, error) {
	if c.patient {
		_ = c.ctx.SetReadDeadline(time.Now().Add(c.server.cfg.Limits.BodyTime))
	}
	return c.stream.Read(p)
}

// Patiently implements collect.Patient.
func (c *fastCall) Patiently() { c.patient = true }

// text is b as a string that shares its bytes.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// handle answers one request.
func (g *general) handle(ctx *fasthttp.RequestCtx) {
	c := g.calls.Get().(*fastCall)
	c.ctx = ctx
	defer func() {
		if fault := recover(); fault != nil {
			g.failed(ctx, fault, c.out.Position)
		}
		c.ctx, c.stream, c.patient, c.q = nil, nil, false, collect.Request{}
		g.calls.Put(c)
	}()
	path := text(ctx.Path())
	switch {
	case g.server.cfg.Sites != nil && served(text(ctx.URI().PathOriginal())):
		g.site(ctx)
		return
	case collect.Serves(path):
		c.read(path)
		g.server.cfg.Collect(context.Background(), &c.q, &c.out)
	case path == "/healthz" && (ctx.IsGet() || ctx.IsHead()):
		c.out.Reset()
		c.out.Position = g.server.cfg.Acked()
		c.out.Status, c.out.ContentType = http.StatusOK, "application/json"
		c.out.Body = append(c.out.Body, g.server.health...)
	case path == "/healthz":
		g.server.problem(&c.out, problem.New(http.StatusMethodNotAllowed, "the method must be one of GET, HEAD").WithHeader("Allow", "GET, HEAD"))
	default:
		g.server.problem(&c.out, problem.New(http.StatusNotFound, "there is nothing at this address on the fast listener"))
	}
	c.write()
}

// read fills c.q.
func (c *fastCall) read(path string) {
	ctx := c.ctx
	c.q = collect.Request{
		Method: text(ctx.Method()), Path: path, Query: text(ctx.URI().QueryString()), Header: c, Host: text(ctx.Host()),
		TLS: ctx.IsTLS(), Length: int64(ctx.Request.Header.ContentLength()),
	}
	if tcp, ok := ctx.RemoteAddr().(*net.TCPAddr); ok {
		c.q.Remote, _ = netip.AddrFromSlice(tcp.IP)
		c.q.Remote = c.q.Remote.Unmap()
	}
	if c.stream = ctx.RequestBodyStream(); c.stream != nil {
		c.q.Body = c
	} else {
		c.q.Length = 0
	}
	if c.q.Length < -1 {
		c.q.Length = 0 // neither a length nor chunks: there is no body
	}
}

var (
	bytesRequestID = []byte(headerRequestID)
	bytesPosition  = []byte(headerPosition)
)

// write sends c.out.
func (c *fastCall) write() {
	h := &c.ctx.Response.Header
	c.ctx.SetStatusCode(c.out.Status)
	id := c.ctx.Request.Header.Peek(headerRequestID)
	if !usable(id) {
		c.scratch = c.server.ids.append(c.scratch[:0])
		id = c.scratch
	}
	h.SetCanonical(bytesRequestID, id)
	c.scratch = appendPosition(c.scratch[:0], c.out.Position)
	h.SetCanonical(bytesPosition, c.scratch)
	for i := range c.out.Headers {
		h.Set(c.out.Headers[i].Name, c.out.Headers[i].Value)
	}
	if c.out.ContentType != "" {
		h.SetContentType(c.out.ContentType)
		h.Set("X-Content-Type-Options", "nosniff")
		c.ctx.SetBody(c.out.Body)
	}
	if c.out.Close {
		c.ctx.SetConnectionClose()
		if conn, ok := c.ctx.Conn().(*lingeringConn); ok {
			conn.unread.Store(true)
		}
	}
}

// answer sends a problem for a request that has no call.
func (g *general) answer(ctx *fasthttp.RequestCtx, p *problem.Problem) {
	c := &fastCall{server: g.server, ctx: ctx}
	g.server.problem(&c.out, p)
	c.out.Close = true
	ctx.Response.Reset()
	c.write()
}

// failed answers for a handler that panicked.
func (g *general) failed(ctx *fasthttp.RequestCtx, fault any, at event.Position) {
	g.server.cfg.Logger.Error("request failed", "path", string(ctx.Path()), "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
	g.answer(ctx, problem.New(http.StatusInternalServerError, "something went wrong; the log has it"))
}

// unreadable answers for a request that is not HTTP or outside the limits.
func (g *general) unreadable(ctx *fasthttp.RequestCtx, err error) {
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &small):
		g.answer(ctx, problem.Newf(http.StatusRequestHeaderFieldsTooLarge, "the request line and headers may have %d bytes", g.server.cfg.Limits.HeaderBytes))
	case errors.Is(err, os.ErrDeadlineExceeded):
		g.answer(ctx, problem.New(http.StatusRequestTimeout, "the request took too long to arrive"))
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		g.answer(ctx, problem.New(http.StatusRequestEntityTooLarge, "the body is too large"))
	default:
		g.answer(ctx, problem.New(http.StatusBadRequest, "the request cannot be read"))
	}
}
