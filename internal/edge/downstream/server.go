// Package downstream serves readers over HTTP/1.1, a goroutine a connection: an
// answer is written once, and nobody watches the connection meanwhile unless
// somebody wants to know. It serves plain requests, which nearly all are; a
// connection with any other is handed to net/http with what was read of it, for
// good.
//
//	Serve ─ head (request.go) ─┬─ plain: Handler, answer (answer.go), next head
//	                           └─ else: General
package downstream

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/edge/handover"
)

// Config says how a Server works. All is needed.
type Config struct {
	// Handler answers. Its requests' contexts end with their connections, not
	// when it returns.
	Handler http.Handler
	// General takes connections over that have a request which is not plain.
	General *handover.Listener
	// Base is the context of requests' contexts.
	Base context.Context
	// HeadBytes is the most that a request's head may have.
	HeadBytes int
	// HeadTime is how long a head may take, IdleTime how long a connection is kept
	// without a request, at most.
	HeadTime, IdleTime time.Duration
	ErrorLog           *log.Logger
}

// Server serves connections. Life: New, Serve for each listener, Drain, Wait.
type Server struct {
	Config
	draining atomic.Bool
	serving  sync.WaitGroup // connections

	mu        sync.Mutex
	listeners map[net.Listener]struct{} // guarded by mu
	conns     map[*conn]struct{}        // guarded by mu
}

// New makes a server.
func New(cfg Config) *Server {
	return &Server{Config: cfg, listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{}}
}

// Serve answers the connections of l, which it closes, until Drain; nil then.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	s.mu.Lock()
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	for pause := time.Duration(0); ; {
		if s.draining.Load() {
			return nil
		}
		nc, err := l.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			pause = 0
			s.begin(nc)
		case s.draining.Load() || errors.Is(err, net.ErrClosed):
			return nil
		case errors.As(err, &temporary) && temporary.Temporary(): // out of descriptors, say
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
			case <-s.Base.Done():
			}
		default:
			return err
		}
	}
}

// begin serves a connection.
func (s *Server) begin(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	if s.draining.Load() {
		s.mu.Unlock()
		_ = nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.serving.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.serving.Done()
		c.serve()
	}()
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// Drain stops accepting and ends connections that have no request under way; the
// others end with their answers.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		_ = l.Close()
	}
	for c := range s.conns {
		if c.state.CompareAndSwap(idle, ended) {
			_ = c.nc.Close()
		}
	}
}

// Wait returns when no connection is left. What is left when ctx ends is cut off,
// and ctx's error returned; handlers may still run then, as long as they take.
func (s *Server) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.serving.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		c.cancel()
		_ = c.nc.Close()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}
