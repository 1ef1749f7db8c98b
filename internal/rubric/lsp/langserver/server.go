// Package langserver speaks the Language Server Protocol over a stream: package lsp
// answers, this one reads requests, publishes diagnostics and keeps the order.
//
// Requests are answered one after the other as they come. Diagnostics are worked
// out apart, on a copy of the documents, once nothing was typed for a moment; what
// is out of date by then is not published.
package langserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.lsp.dev/jsonrpc2"

	"github.com/readership/readership/internal/rubric/lsp"
	"github.com/readership/readership/internal/rubric/schema"
)

// Config is what a server works with.
type Config struct {
	Schema *schema.Schema
	Files  lsp.Files // nil: open documents only
	// Delay is how long nothing is typed before documents are checked; 150 ms if
	// it is 0.
	Delay time.Duration
	// Live asks a running server for what names there are, with values, at the
	// start and every LiveEvery; nil asks nobody.
	Live func(ctx context.Context) (*schema.Schema, map[string][]string, error)
	// Version is the program's.
	Version string
}

// LiveEvery is how often Live is asked.
const LiveEvery = 5 * time.Minute

// ErrNoShutdown says that the client left without asking for the end.
var ErrNoShutdown = errors.New("the client left without `shutdown`")

// Run serves one client until it leaves, the stream ends or ctx does. It closes
// the stream. A read of the stream that its Close does not end is left behind.
func Run(ctx context.Context, stream io.ReadWriteCloser, c Config) error {
	if c.Delay == 0 {
		c.Delay = 150 * time.Millisecond
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{config: c, stream: stream, work: lsp.New(c.Schema, c.Files), wake: make(chan struct{}, 1)}
	s.conn = jsonrpc2.NewConn(tolerant{jsonrpc2.NewStream(s)})
	var owned sync.WaitGroup
	defer owned.Wait()
	defer cancel()
	owned.Go(func() { s.diagnose(ctx) })
	if c.Live != nil {
		owned.Go(func() { s.live(ctx) })
	}
	s.conn.Go(ctx, s.handle)
	select {
	case <-s.conn.Done():
	case <-ctx.Done():
		_ = stream.Close()
		return context.Cause(ctx)
	}
	if err := s.conn.Err(); err != nil {
		return fmt.Errorf("language server: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == running {
		return ErrNoShutdown
	}
	return nil
}

// state is where the conversation is.
type state uint8

const (
	fresh state = iota
	running
	ended // by `shutdown`
)

type server struct {
	config Config
	stream io.ReadWriteCloser
	conn   jsonrpc2.Conn
	wake   chan struct{} // holds one: documents have changed
	exited atomic.Bool   // nothing is read any more

	mu    sync.Mutex // guards what follows
	work  *lsp.Workspace
	state state
}

// Read implements io.Reader: behind `exit` nothing is read.
func (s *server) Read(p []byte) (int, error) {
	if s.exited.Load() {
		return 0, io.EOF
	}
	return s.stream.Read(p)
}

// Write implements io.Writer.
func (s *server) Write(p []byte) (int, error) { return s.stream.Write(p) }

// Close implements io.Closer.
func (s *server) Close() error { return s.stream.Close() }

// tolerant answers messages that cannot be read and goes on with the next.
type tolerant struct{ jsonrpc2.Stream }

// Read implements jsonrpc2.Stream.
func (t tolerant) Read(ctx context.Context) (jsonrpc2.Message, int64, error) {
	for {
		m, n, err := t.Stream.Read(ctx)
		var fault *jsonrpc2.Error
		if !errors.As(err, &fault) {
			return m, n, err
		}
		if _, err := t.Write(ctx, jsonrpc2.NewResponse(jsonrpc2.ID{}, nil, fault)); err != nil {
			return nil, 0, err
		}
	}
}

// handle answers a request or takes a notification, whose errors nobody hears.
func (s *server) handle(ctx context.Context, r *jsonrpc2.Request) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, jsonrpc2.Errorf(jsonrpc2.InternalError, "%s: panic: %v", r.Method(), p)
		}
		if !r.IsCall() {
			result, err = nil, nil
		}
	}()
	if r.Method() == "exit" {
		s.exited.Store(true)
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Method() == "initialize" && s.state == fresh:
		return decoded(r, s.initialize)
	case s.state == fresh:
		return nil, jsonrpc2.NewError(jsonrpc2.ServerNotInitialized, "`initialize` comes first")
	case s.state == ended || r.Method() == "initialize":
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidRequest, "unexpected "+r.Method())
	case r.Method() == "shutdown":
		s.state = ended
		return nil, nil
	}
	if method := methods[r.Method()]; method != nil {
		return method(s, r)
	}
	return nil, fmt.Errorf("%q: %w", r.Method(), jsonrpc2.ErrMethodNotFound)
}

// decoded calls fn with the parameters of a request.
func decoded[P any](r *jsonrpc2.Request, fn func(P) (any, error)) (any, error) {
	var p P
	if err := json.Unmarshal(r.Params(), &p); err != nil {
		return nil, jsonrpc2.Errorf(jsonrpc2.InvalidParams, "%s: %v", r.Method(), err)
	}
	return fn(p)
}

// changed lets the documents be checked.
func (s *server) changed() {
	select {
	case s.wake <- struct{}{}:
	default: // they will be
	}
}

// diagnose publishes diagnostics when documents have changed, until ctx ends.
func (s *server) diagnose(ctx context.Context) {
	published := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		for quiet := false; !quiet; {
			timer := time.NewTimer(s.config.Delay)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-s.wake:
				timer.Stop()
			case <-timer.C:
				quiet = true
			}
		}
		s.publish(ctx, published)
	}
}

// published is the parameter of textDocument/publishDiagnostics.
type published struct {
	URI         string           `json:"uri"`
	Version     *int32           `json:"version,omitempty"`
	Diagnostics []lsp.Diagnostic `json:"diagnostics"`
}

// publish says what is wrong with the open documents, and that nothing is with
// those that were open before.
func (s *server) publish(ctx context.Context, before map[string]bool) {
	s.mu.Lock()
	work := s.work.Snapshot()
	s.mu.Unlock()
	open := work.Documents()
	for uri := range before {
		if !slices.ContainsFunc(open, func(d lsp.Document) bool { return d.URI == uri }) {
			delete(before, uri)
			_ = s.conn.Notify(ctx, "textDocument/publishDiagnostics", published{URI: uri, Diagnostics: []lsp.Diagnostic{}}) // the client may have gone
		}
	}
	for _, d := range open {
		found := s.diagnostics(work, d.URI)
		s.mu.Lock()
		now, ok := s.work.Document(d.URI)
		s.mu.Unlock()
		if !ok || now.Version != d.Version {
			continue // the next round speaks of it
		}
		before[d.URI] = true
		_ = s.conn.Notify(ctx, "textDocument/publishDiagnostics", published{URI: d.URI, Version: &d.Version, Diagnostics: found})
	}
}

// diagnostics are those of a document; a panic is one, not the server's end.
func (s *server) diagnostics(work *lsp.Workspace, uri string) (out []lsp.Diagnostic) {
	defer func() {
		if p := recover(); p != nil {
			out = []lsp.Diagnostic{{Severity: 1, Source: "rubric", Code: "internal", Message: fmt.Sprintf("the checker failed: %v", p)}}
		}
	}()
	return work.Diagnose(uri)
}

// live keeps names and values up to date.
func (s *server) live(ctx context.Context) {
	told := false
	tick := time.NewTicker(LiveEvery)
	defer tick.Stop()
	for {
		site, values, err := s.config.Live(ctx)
		switch {
		case err == nil:
			told = false
			s.mu.Lock()
			s.work.Schema, s.work.Values = site, values
			s.mu.Unlock()
			s.changed()
		case ctx.Err() == nil && !told:
			told = true
			_ = s.conn.Notify(ctx, "window/logMessage", map[string]any{"type": 2, "message": "names and values of the site are not known: " + err.Error()}) // the client may have gone
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
