// Package edge is the program's public side: the fast listener, which serves
// collection and nothing else, and the same as an http.Handler for the main
// listener. What a request means is decided in internal/collect; here bytes
// come in and go out, within limits.
package edge

import (
	"context"
	"encoding/json"
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

// Headers of every answer.
const (
	headerRequestID = "X-Request-Id"
	headerPosition  = "X-Readership-Position"
)

// Config is what a fast listener stands on.
type Config struct {
	Collect func(ctx context.Context, q *collect.Request, out *collect.Response)
	// Acked is the position that answers carry which Collect did not make.
	Acked func() event.Position
	// Version is answered at /healthz.
	Version string
	// Random makes request ids. nil: the system's.
	Random io.Reader
	Logger *slog.Logger // nil: none
	Limits Limits
}

// Limits bound what connections take. Zero values have defaults.
type Limits struct {
	HeaderBytes int           // of one request; 16 KB
	Connections int           // at once; 16,384
	BodyTime    time.Duration // for a request to be sent; of an import, for each read; 30 s
	IdleTime    time.Duration // of a connection between requests; 60 s
	AnswerTime  time.Duration // for an answer to be taken; 30 s
}

func (l Limits) withDefaults() Limits {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	setTime := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	set(&l.HeaderBytes, 16<<10)
	set(&l.Connections, 16<<10)
	setTime(&l.BodyTime, 30*time.Second)
	setTime(&l.IdleTime, 60*time.Second)
	setTime(&l.AnswerTime, 30*time.Second)
	return l
}

// Server is the fast listener. Life: NewServer, Serve, Shutdown.
type Server struct {
	cfg    Config
	ids    *ids
	server *fasthttp.Server
	calls  sync.Pool // of *fastCall
	health []byte
}

// NewServer makes a fast listener.
func NewServer(cfg Config) *Server {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, ids: newIDs(cfg.Random)}
	s.health, _ = json.Marshal(struct {
		Status  string `json:"status"`
		Version string `json:"version"`
	}{"ok", cfg.Version})
	s.calls.New = func() any { return &fastCall{server: s} }
	s.server = &fasthttp.Server{
		Handler: s.handle, ErrorHandler: s.unreadable,
		Concurrency:    cfg.Limits.Connections,
		ReadBufferSize: cfg.Limits.HeaderBytes, WriteBufferSize: 4 << 10,
		ReadTimeout: cfg.Limits.BodyTime, IdleTimeout: cfg.Limits.IdleTime, WriteTimeout: cfg.Limits.AnswerTime,
		StreamRequestBody: true, DisablePreParseMultipartForm: true,
		NoDefaultServerHeader: true, NoDefaultContentType: true, LazyRequestTime: true,
		CloseOnShutdown: true,
		Logger:          quiet{cfg.Logger},
	}
	return s
}

// Serve answers the connections of l until Shutdown; nil then.
func (s *Server) Serve(l net.Listener) error { return s.server.Serve(lingering{l}) }

// Shutdown stops accepting, answers what is in flight and returns, with ctx's
// error if that takes too long.
func (s *Server) Shutdown(ctx context.Context) error { return s.server.ShutdownWithContext(ctx) }

// Connections returns how many are open.
func (s *Server) Connections() int { return int(s.server.GetOpenConnectionsCount()) }

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
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	c := s.calls.Get().(*fastCall)
	c.ctx = ctx
	defer func() {
		if fault := recover(); fault != nil {
			s.failed(ctx, fault, c.out.Position)
		}
		c.ctx, c.stream, c.patient, c.q = nil, nil, false, collect.Request{}
		s.calls.Put(c)
	}()
	path := text(ctx.Path())
	switch {
	case path == collect.PathEvents || path == collect.PathPixel:
		c.read(path)
		s.cfg.Collect(context.Background(), &c.q, &c.out)
	case path == "/healthz" && (ctx.IsGet() || ctx.IsHead()):
		c.out.Reset()
		c.out.Position = s.cfg.Acked()
		c.out.Status, c.out.ContentType = http.StatusOK, "application/json"
		c.out.Body = append(c.out.Body, s.health...)
	case path == "/healthz":
		s.problem(&c.out, problem.New(http.StatusMethodNotAllowed, "the method must be one of GET, HEAD").WithHeader("Allow", "GET, HEAD"))
	default:
		s.problem(&c.out, problem.New(http.StatusNotFound, "there is nothing at this address on the collecting listener"))
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

// problem makes out the answer p.
func (s *Server) problem(out *collect.Response, p *problem.Problem) {
	out.Reset()
	out.Status, out.ContentType = p.Status, problem.ContentType
	out.Position = s.cfg.Acked()
	for name, values := range p.Header {
		out.Set(name, values[0])
	}
	if body, err := json.Marshal(p); err == nil {
		out.Body = append(out.Body, body...)
	}
}

// answer sends a problem for a request that has no call.
func (s *Server) answer(ctx *fasthttp.RequestCtx, p *problem.Problem) {
	c := &fastCall{server: s, ctx: ctx}
	s.problem(&c.out, p)
	c.out.Close = true
	ctx.Response.Reset()
	c.write()
}

// failed answers for a handler that panicked.
func (s *Server) failed(ctx *fasthttp.RequestCtx, fault any, at event.Position) {
	s.cfg.Logger.Error("request failed", "path", string(ctx.Path()), "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
	s.answer(ctx, problem.New(http.StatusInternalServerError, "something went wrong; the log has it"))
}

// unreadable answers for a request that is not HTTP or outside the limits.
func (s *Server) unreadable(ctx *fasthttp.RequestCtx, err error) {
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &small):
		s.answer(ctx, problem.Newf(http.StatusRequestHeaderFieldsTooLarge, "the request line and headers may have %d bytes", s.cfg.Limits.HeaderBytes))
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.answer(ctx, problem.New(http.StatusRequestTimeout, "the request took too long to arrive"))
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		s.answer(ctx, problem.New(http.StatusRequestEntityTooLarge, "the body is too large"))
	default:
		s.answer(ctx, problem.New(http.StatusBadRequest, "the request cannot be read"))
	}
}
