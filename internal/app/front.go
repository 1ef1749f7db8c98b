package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/readership/readership/internal/api"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/edge"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// front is the main listener. It answers from the first moment on: until
// everything is up it says 503 and why, so that a long replay can be watched.
type front struct {
	server   *http.Server
	listener net.Listener
	guard    *edge.Guard
	trusts   atomic.Pointer[collect.Collector]
	handler  atomic.Pointer[http.Handler]
	step     atomic.Pointer[string]
	random   io.Reader
	failed   chan error
	done     chan struct{}
}

// listen opens the main listener.
func (n *node) listen(context.Context) error {
	listener, err := net.Listen("tcp", n.cfg.Listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", n.cfg.Listen, err)
	}
	n.cfg.Listen = listener.Addr().String() // the same port if we start again
	f := &front{listener: listener, random: n.cfg.Random, failed: make(chan error, 1), done: make(chan struct{})}
	f.server = &http.Server{Handler: f, ErrorLog: slog.NewLogLogger(n.cfg.Logger.Handler(), slog.LevelDebug)}
	f.guard = edge.NewGuard(listener, edge.Config{Limits: n.cfg.connectionLimits(), Acked: f.acked, Exempt: f.exempt, Random: n.cfg.Random})
	f.guard.Prepare(f.server)
	n.front = f
	go func() {
		defer close(f.done)
		if err := f.server.Serve(f.guard); !errors.Is(err, http.ErrServerClosed) {
			f.fail(fmt.Errorf("main listener: %w", err))
		}
	}()
	// What runs is drained first of all; this is for a start that failed.
	n.stops.add("main listener", func() error { return f.stop(0) })
	return nil
}

// fail ends the process with err; the first one counts.
func (f *front) fail(err error) {
	select {
	case f.failed <- err:
	default:
	}
}

// drain stops accepting on all listeners and waits for what is in flight.
func (n *node) drain() error {
	var group errgroup.Group
	group.Go(func() error { return n.front.stop(n.cfg.DrainTime) })
	if n.fast != nil {
		group.Go(func() error { return n.fast.stop(n.cfg.DrainTime) })
	}
	if n.proxy != nil {
		group.Go(func() error { return n.proxy.stop(n.cfg.DrainTime) })
	}
	return group.Wait()
}

// stop stops accepting and waits for requests in flight.
func (f *front) stop(wait time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	err := f.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = f.server.Close()
	}
	<-f.done
	return err
}

func (f *front) starting(step string) {
	if f != nil {
		f.step.Store(&step)
	}
}

func (f *front) ready(h http.Handler) { f.handler.Store(&h) }

// opened is told of what knows the sites, and what was acknowledged, once it is
// there.
func (f *front) opened(c *collect.Collector) { f.trusts.Store(c) }

// acked is the position that answers carry to what cannot be read.
func (f *front) acked() event.Position {
	if c := f.trusts.Load(); c != nil {
		return c.Acked()
	}
	return 0
}

// exempt says whether an address speaks for many.
func (f *front) exempt(a netip.Addr) bool {
	if c := f.trusts.Load(); c != nil {
		return c.Exempt(a)
	}
	return collect.Local(a)
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	edge.CloseUnclear(w, r)
	if h := f.handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	api.Mark(w, r, f.random, 0)
	if r.URL.Path == "/healthz" {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}`))
		return
	}
	step := "start"
	if s := f.step.Load(); s != nil {
		step = *s
	}
	problem.New(http.StatusServiceUnavailable, "the server is starting: "+step).WithCode("not_ready").WithRetryAfter(time.Second).Respond(w)
}
