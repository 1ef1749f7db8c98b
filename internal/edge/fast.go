// Package edge is the program's public side: the fast listener, which serves
// collection, decisions, memberships and recommendations, and collection as an
// http.Handler for the main listener. What a request means is decided in
// internal/collect and behind Config.Sites; here bytes come in and go out,
// within limits.
package edge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/event"
)

// Headers of every answer.
const (
	headerRequestID = "X-Request-Id"
	headerPosition  = "X-Readership-Position"
)

// Config is what a listener stands on.
type Config struct {
	Collect func(ctx context.Context, q *collect.Request, out *collect.Response)
	// Start is Collect without the wait; see collect.Collector. The fast
	// listener needs it.
	Start func(q *collect.Request, out *collect.Response, committed func()) (collect.Pending, collect.Stage)
	// Sites answers what the fast listener serves of sites beside collection, as
	// the main listener does: decisions, memberships, recommendations. nil: they
	// are not there.
	Sites http.Handler
	// Scripts says at which paths Sites serves the tracker; nil: at none.
	Scripts func(path string) bool
	// Memberships and Decisions answer some of these faster; nil: Sites answers all.
	Memberships *Memberships
	Decisions   *Decisions
	// Acked is the position that answers carry which Collect did not make.
	Acked func() event.Position
	// Version is answered at /healthz.
	Version string
	// Random makes request ids. nil: the system's.
	Random io.Reader
	Logger *slog.Logger // nil: none
	Limits Limits
	// Exempt says of which addresses as many connections may come as there are
	// places: proxies'. nil: of none.
	Exempt func(netip.Addr) bool
}

// answers says whether a loop has what a request asks for.
func (c *Config) answers(a asks) bool {
	return a == asksNothing || a == asksMembers && c.Memberships != nil || a == asksDecisions && c.Decisions != nil
}

// Limits bound what connections take. Zero values have defaults.
type Limits struct {
	HeaderBytes        int           // of one request, with its first line; 32 KB
	Connections        int           // at once; 16,384
	AddressConnections int           // at once of one address, or network of IPv6 (/64); 2,048
	BodyTime           time.Duration // for a request to be sent; of an import, for each read; 30 s
	IdleTime           time.Duration // of a connection between requests; 60 s
	AnswerTime         time.Duration // for an answer, or 64 KB of one, to be taken; 30 s
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
	set(&l.HeaderBytes, 32<<10)
	set(&l.Connections, 16<<10)
	set(&l.AddressConnections, 2<<10)
	setTime(&l.BodyTime, 30*time.Second)
	setTime(&l.IdleTime, 60*time.Second)
	setTime(&l.AnswerTime, 30*time.Second)
	return l
}

// Server is the fast listener. Life: NewServer, Serve, Shutdown.
type Server struct {
	cfg Config
	answers
	places  *places
	health  []byte
	general *general

	mu       sync.Mutex
	listener net.Listener // guarded by mu
	loops    *loops       // guarded by mu; nil: the general server does it all
	stopped  bool         // guarded by mu
}

// NewServer makes a fast listener.
func NewServer(cfg Config) *Server {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, answers: newAnswers(&cfg), places: newPlaces(&cfg.Limits, cfg.Exempt)}
	s.health, _ = json.Marshal(struct {
		Status  string `json:"status"`
		Version string `json:"version"`
	}{"ok", cfg.Version})
	s.general = newGeneral(s)
	return s
}

// Serve answers the connections of l until Shutdown; nil then.
func (s *Server) Serve(l net.Listener) error {
	loops, err := newLoops(s, l)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return errors.Join(l.Close(), loops.close())
	}
	s.listener, s.loops = l, loops
	s.mu.Unlock()
	if loops == nil {
		s.general.guard.Listener = l
		return s.general.serve(s.general.guard)
	}
	failed := make(chan error, 1)
	go func() { failed <- s.general.serve(s.general) }()
	if err := loops.accept(); err != nil {
		return errors.Join(err, s.general.Close(), <-failed)
	}
	return <-failed
}

// Shutdown stops accepting, answers what is in flight and returns, with ctx's
// error if that takes too long.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	l, loops := s.listener, s.loops
	s.stopped, s.listener = true, nil
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	closed := l.Close()
	if loops == nil {
		closed = nil // the general server closes it too
	}
	loops.drain(ctx.Done())
	if loops != nil {
		_ = s.general.Close() // nothing more is handed over, though it may not be serving yet
	}
	err := s.general.http.Shutdown(ctx)
	return errors.Join(closed, err, loops.close(), ctx.Err())
}

// Connections says what became of the connections.
func (s *Server) Connections() Connections { return s.places.connections() }
