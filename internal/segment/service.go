// Package segment keeps and answers who is in the segments of sites' programs.
//
// In each shard of the engine a watcher keeps the state of every reader up to
// date with the incremental evaluator (internal/rubric/incremental): segments as
// bits and the instant until which they hold. The plain evaluator over a view of
// the engine (internal/rubric/fold) says what all of it means and answers about
// earlier instants of whole segments.
//
//	message ─► watcher (shard) ─► population ─► evaluator ◄─ table (rows, items)
//	              │ changes           └─ states, timers, jobs
//	           stream ─► Changes       Of, Size, Members
package segment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rubric/incremental"
)

// ErrUnknownSegment says that the active program has no segment of a name.
var ErrUnknownSegment = errors.New("unknown segment")

// Config says what a Service stands on.
type Config struct {
	Engine   *engine.Engine
	Programs *program.Programs
	// HeavyRows is from how many rows on a reader's are kept laid out; 0:
	// incremental.MaxRows.
	HeavyRows int
	Logger    *slog.Logger
}

// Service answers about segments. Its methods are safe for concurrent use.
type Service struct {
	cfg Config

	mu      sync.Mutex
	streams map[string]*stream          // by site
	plans   map[string][]*compiled      // by site: those used last
	ahead   map[string]map[int]prepared // by site, by shard
	lost    map[string]prepared         // by site: the version whose states are not kept, and why
	changed chan struct{}               // closed when ahead changes
	compile chan struct{}               // something waits for the compiler
	done    sync.WaitGroup
	stop    context.CancelFunc
}

// compiled is a version of a site's program, perhaps not compiled yet.
type compiled struct {
	site     *event.Site
	settings string
	version  int
	plan     *program.Compiled // nil: not compiled yet, or it cannot be
	err      error             // why not
	tried    bool
}

// prepared is what came of the states of a version.
type prepared struct {
	version int
	err     error // nil: every reader has a state
}

// keptPlans is how many programs of a site are kept: the active one, a prepared
// one, and those with the settings before.
const keptPlans = 4

// New returns a service that keeps nothing before Start: it answers by the plain
// evaluator.
func New(cfg Config) *Service {
	cfg.HeavyRows = cmp.Or(cfg.HeavyRows, incremental.MaxRows)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, streams: map[string]*stream{}, plans: map[string][]*compiled{}, ahead: map[string]map[int]prepared{}, lost: map[string]prepared{},
		changed: make(chan struct{}), compile: make(chan struct{}, 1), stop: func() {}}
}

// Start begins to keep states: once the log is replayed, else every message of
// the past would be followed. They are worked out in the background. Close ends
// it. Errors are the engine's, and ctx's.
func (s *Service) Start(ctx context.Context) error {
	run, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.done.Go(func() { s.compileAll(run) })
	return s.cfg.Engine.Watch(ctx, func(shard int, site string) engine.Watcher {
		s.forget(shard, site)
		return &watcher{service: s, stream: s.streamOf(site), site: site, shard: shard}
	})
}

// forget drops what is known of a site that was removed, before a shard follows
// one that is made under its name.
func (s *Service) forget(shard int, site string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.plans, site)
	delete(s.ahead[site], shard)
	delete(s.lost, site)
}

// Close stops what works beside the engine.
func (s *Service) Close() error {
	s.stop()
	s.done.Wait()
	return nil
}

func (s *Service) streamOf(site string) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[site]
	if st == nil {
		st = newStream(s.cfg.Engine.Shards())
		s.streams[site] = st
	}
	return st
}

// plan returns a version of a site's program, nil if it is not compiled yet: then
// it will be, and the watchers are woken. The error says that it cannot be.
func (s *Service) plan(site *event.Site, settings string, version int) (*program.Compiled, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.plans[site.ID]
	for _, c := range list {
		if c.version == version && c.settings == settings {
			return c.plan, c.err
		}
	}
	if len(list) == keptPlans {
		list = slices.Delete(list, 0, 1)
	}
	s.plans[site.ID] = append(list, &compiled{site: site, settings: settings, version: version})
	select {
	case s.compile <- struct{}{}:
	default:
	}
	return nil, nil
}

// compileAll compiles what is asked for until ctx ends.
func (s *Service) compileAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.compile:
		}
		for c := s.uncompiled(); c != nil; c = s.uncompiled() {
			plan, err := s.cfg.Programs.At(c.site, c.version)
			if err != nil {
				s.cfg.Logger.Warn("segments are not kept: the program cannot be compiled", "site", c.site.ID, "version", c.version, "error", err)
			}
			s.mu.Lock()
			c.plan, c.err = plan, err
			s.mu.Unlock()
			if ctx.Err() != nil || s.cfg.Engine.Wake() != nil {
				return
			}
		}
	}
}

func (s *Service) uncompiled() *compiled {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.plans {
		for _, c := range list {
			if !c.tried {
				c.tried = true
				return c
			}
		}
	}
	return nil
}

// ready notes that a shard has the states of a prepared version, or why it never
// will.
func (s *Service) ready(site string, shard, version int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ahead[site] == nil {
		s.ahead[site] = map[int]prepared{}
	}
	s.ahead[site][shard] = prepared{version, err}
	close(s.changed)
	s.changed = make(chan struct{})
}

// broke notes why the states of a version are not kept.
func (s *Service) broke(site string, version int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost[site] = prepared{version, err}
}

// Broken returns why segments of active programs are not kept, by site, where they
// are not: rows are read for each answer instead. It lasts until another version is
// active or the process starts again.
func (s *Service) Broken() map[string]error {
	s.mu.Lock()
	lost := maps.Clone(s.lost)
	s.mu.Unlock()
	out := map[string]error{}
	for site, of := range lost {
		if state, err := s.cfg.Programs.State(site); err == nil && state.Version == of.version {
			out[site] = of.err
		}
	}
	return out
}

// Prepared waits until every shard has the states of a version that FactPrepare
// names, or one of them cannot have them. The error is that one's, ctx's, or the
// engine's.
func (s *Service) Prepared(ctx context.Context, site string, version int) error {
	for {
		s.mu.Lock()
		n, changed := 0, s.changed
		var failed error
		for _, p := range s.ahead[site] {
			if p.version == version {
				n++
				failed = cmp.Or(failed, p.err)
			}
		}
		s.mu.Unlock()
		switch {
		case failed != nil:
			return fmt.Errorf("prepare version %d of the program of site %s: %w", version, site, failed)
		case n == s.cfg.Engine.Shards():
			return nil
		}
		select {
		case <-changed:
		case <-s.cfg.Engine.Failed():
			return engine.ErrFailed
		case <-ctx.Done():
			return fmt.Errorf("prepare version %d of the program of site %s: %w", version, site, ctx.Err())
		}
	}
}

// Changes returns the changes of a site's segments from now on or, if resume is
// set, those that come after a position of the log.
func (s *Service) Changes(site string, after event.Position, resume bool) *Changes {
	st := s.streamOf(site)
	if !st.on.Swap(true) {
		_ = s.cfg.Engine.Wake() // a stopped engine has no changes
	}
	return &Changes{stream: st, after: after, resume: resume}
}
