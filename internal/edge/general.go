package edge

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"unsafe"

	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/edge/handover"
	"github.com/readership/readership/internal/problem"
)

// general serves the requests of the fast listener that are not plain: bodies
// that are long, compressed or in chunks, other addresses, and whatever is not
// HTTP. It is net/http, as the main listener is, so that what could be read in
// two ways is read in one.
type general struct {
	*handover.Listener // of connections that the loops hand over
	server             *Server
	http               *http.Server
	collect            *Handler
	guard              *Guard
}

func newGeneral(s *Server) *general {
	g := &general{Listener: handover.NewListener(), server: s, collect: NewHandler(s.cfg)}
	g.guard = &Guard{Listener: g, answers: s.answers, limits: s.cfg.Limits, places: s.places}
	g.http = &http.Server{Handler: g, ErrorLog: slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug)}
	g.guard.Prepare(g.http)
	return g
}

// serve answers the connections of l until it is closed.
func (g *general) serve(l net.Listener) error {
	err := g.http.Serve(l)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// take serves a connection, which has a place, from here on.
func (g *general) take(c *handover.Conn, from netip.Addr) { g.Give(g.guard.conn(c, from)) }

// text is b as a string that shares its bytes.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// ServeHTTP implements http.Handler.
func (g *general) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if fault := recover(); fault != nil {
			g.failed(w, r, fault)
		}
	}()
	CloseUnclear(w, r)
	switch path := r.URL.Path; {
	case g.server.cfg.Sites != nil && (served(r.URL.EscapedPath()) || g.server.cfg.Scripts != nil && g.server.cfg.Scripts(path)):
		g.server.cfg.Sites.ServeHTTP(w, r)
	case collect.Serves(path):
		g.collect.ServeHTTP(w, r)
	case path == "/healthz" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		var out collect.Response
		out.Position = g.server.cfg.Acked()
		out.Status, out.ContentType, out.Body = http.StatusOK, "application/json", g.server.health
		g.write(w, r, &out)
	case path == "/healthz":
		g.problem(w, r, problem.New(http.StatusMethodNotAllowed, "the method must be one of GET, HEAD").WithHeader("Allow", "GET, HEAD"))
	default:
		g.problem(w, r, problem.New(http.StatusNotFound, "there is nothing at this address on the fast listener"))
	}
}

func (g *general) write(w http.ResponseWriter, r *http.Request, out *collect.Response) {
	c := httpCall{handler: g.collect, w: w, r: r, out: *out}
	c.write()
}

func (g *general) problem(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	var out collect.Response
	g.server.problem(&out, p)
	g.write(w, r, &out)
}

// failed answers for a handler that panicked, unless it has begun to answer.
func (g *general) failed(w http.ResponseWriter, r *http.Request, fault any) {
	if fault == http.ErrAbortHandler {
		panic(fault)
	}
	g.server.cfg.Logger.Error("request failed", "path", r.URL.Path, "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
	w.Header().Set("Connection", "close")
	g.problem(w, r, problem.New(http.StatusInternalServerError, "something went wrong; the log has it"))
}
