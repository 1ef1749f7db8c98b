package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/readership/readership/internal/api"
	"github.com/readership/readership/internal/problem"
)

// front is the main listener. It answers from the first moment on: until
// everything is up it says 503 and why, so that a long replay can be watched.
type front struct {
	server   *http.Server
	listener net.Listener
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
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(n.cfg.Logger.Handler(), slog.LevelDebug)}
	n.front = f
	go func() {
		defer close(f.done)
		if err := f.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
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

// drain stops accepting on both listeners and waits for what is in flight.
func (n *node) drain() error {
	var group errgroup.Group
	group.Go(func() error { return n.front.stop(n.cfg.DrainTime) })
	if n.fast != nil {
		group.Go(func() error { return n.fast.stop(n.cfg.DrainTime) })
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

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
