package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/readership/readership/internal/api"
	"github.com/readership/readership/internal/edge"
)

// fast is the fast listener: collection, decisions, memberships and
// recommendations, and the tracker's scripts.
type fast struct {
	server   *edge.Server
	listener net.Listener
	done     chan struct{}
}

// listenFast opens the fast listener, if one is wanted. It comes last: it
// answers at once.
func (n *node) listenFast(context.Context) error {
	if n.cfg.CollectListen == "" {
		return nil
	}
	listener, err := net.Listen("tcp", n.cfg.CollectListen)
	if err != nil {
		return fmt.Errorf("--collect-listen %s: %w", n.cfg.CollectListen, err)
	}
	n.cfg.CollectListen = listener.Addr().String() // the same port if we start again
	cfg := n.edgeConfig()
	cfg.Sites, cfg.Scripts = n.api, n.scripts.Serves
	if n.segments != nil { // an edge passes such questions on
		cfg.Memberships = &edge.Memberships{Keys: n.keys, Engine: n.engine, Acked: n.committer.Acked, Segments: n.segments, Now: n.cfg.Now}
	}
	cfg.Decisions = &edge.Decisions{Keys: n.keys, Engine: n.engine, Front: n.decisions, Limit: n.limits.decisions, Problem: api.Problem}
	f := &fast{listener: listener, done: make(chan struct{}), server: edge.NewServer(cfg)}
	n.fast = f
	go func() {
		defer close(f.done)
		if err := f.server.Serve(listener); err != nil {
			n.front.fail(fmt.Errorf("fast listener: %w", err))
		}
	}()
	// What runs is drained first of all; this is for a start that failed.
	n.stops.add("fast listener", func() error { return f.stop(0) })
	return nil
}

// edgeConfig is what both listeners collect with.
func (n *node) edgeConfig() edge.Config {
	return edge.Config{Collect: n.collector.Collect, Start: n.collector.Start, Acked: n.committer.Acked, Version: n.cfg.Version,
		Random: n.cfg.Random, Logger: n.cfg.Logger, Limits: n.cfg.connectionLimits(), Exempt: n.collector.Exempt}
}

// stop stops accepting and waits for requests in flight.
func (f *fast) stop(wait time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	err := f.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // connections that are still busy end with the process
	}
	return err
}
