package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/access/ask"
	"github.com/readership/readership/internal/api"
	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/auth/credentials"
	"github.com/readership/readership/internal/catalog"
	"github.com/readership/readership/internal/cluster"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/edge"
	"github.com/readership/readership/internal/edge/gate"
	"github.com/readership/readership/internal/edge/script"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/enrich"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rate"
	"github.com/readership/readership/internal/segment"
	"github.com/readership/readership/internal/store"
	"github.com/readership/readership/internal/store/sqlite"
	"github.com/readership/readership/tracker"
	"github.com/readership/readership/web"
)

// node is the running parts. Its stops undo what was started.
type node struct {
	cfg   *Config
	stops stack
	front *front
	fast  *fast    // nil without --collect-listen
	proxy *proxied // nil without --proxy-listen and --proxy-tls-listen

	poison     *poison
	checkpoint event.Position    // that the engine was opened with
	quarantine []api.Quarantined // what is skipped of the log

	log       *eventlog.Log
	conn      *cluster.Conn // to other processes; nil: there are none
	engine    *engine.Engine
	committer committer
	asker     *cluster.Asker // of an edge
	facts     *factGate
	store     store.Store
	keys      *credentials.Keys
	sessions  *credentials.Sessions
	hasher    *auth.Hasher
	tokens    *identity.Tokens
	secret    []byte          // signs devices and links
	decider   *access.Decider // of every shard of the engine
	decisions *ask.Front
	limits    limits
	gate      *gate.Gate
	attention *gate.Attention
	collector *collect.Collector
	pages     *catalog.Fetcher
	scripts   *script.Scripts
	programs  *program.Programs
	segments  *segment.Service
	api       *api.API
	enrich    *enrich.Enricher
}

// start brings everything up. What a failed start has begun is stopped.
func start(ctx context.Context, cfg *Config, poison *poison) (n *node, err error) {
	n = &node{cfg: cfg, poison: poison}
	stops := &n.stops // n is nil once a step has failed
	defer func() {
		if err != nil {
			err = errors.Join(err, stops.unwind())
		}
	}()
	for _, step := range n.steps() {
		if !step.here {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n.front.starting(step.name)
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return n, nil
}

// step is the start of one part.
type step struct {
	name string
	do   func(context.Context) error
	here bool // the process's roles have it
}

// steps are all parts in the order in which they start.
func (n *node) steps() []step {
	edge, engine := n.cfg.runs("edge"), n.cfg.runs("engine")
	return []step{
		{"listen", n.listen, true},
		{"nats-server", n.join, n.cfg.NATS != ""},
		{"event log", n.openLog, true},
		{"engine", n.openEngine, true},
		{"replay", n.replay, edge},
		{"replay", n.follow, !edge},
		{"skipped messages", n.agree, engine},
		{"segments", n.startSegments, engine},
		{"database", n.openStore, engine},
		{"keys", n.layKeysOut, !edge},
		{"keys", n.learnKeys, !engine},
		{"collection", n.openCollector, true},
		{"decisions", n.openDecisions, true},
		{"gate", n.openGate, true},
		{"interface", n.openAPI, true},
		{"fast listener", n.listenFast, true},
		{"proxy", n.listenProxy, edge},
		{"questions of edges", n.answerEdges, !edge},
		{"upkeep", n.startUpkeep, engine},
		{"upkeep", n.startCheckpoints, !engine},
	}
}

// serve answers requests until ctx ends or the engine fails.
func (n *node) serve(ctx context.Context) error {
	n.front.ready(n.api)
	if err := n.announce(ctx); err != nil {
		return err
	}
	stopDemo, err := n.startDemo(ctx)
	if err != nil {
		return err
	}
	defer stopDemo()
	select {
	case <-ctx.Done():
		n.cfg.Logger.Info("stopping: what is in flight is answered")
		return nil
	case err := <-n.front.failed:
		return err
	case <-n.engine.Failed():
		return n.failure()
	}
}

// failure returns why the engine stands still.
func (n *node) failure() error {
	f := n.engine.Failure()
	if f == nil {
		return engine.ErrFailed
	}
	return &engineFailed{f.Position, f.Err}
}

func (n *node) path(name string) string { return filepath.Join(n.cfg.Data, name) }

func (n *node) openLog(context.Context) error {
	cfg := eventlog.Config{Dir: n.path("log"), Max: n.cfg.LogMax, Logger: n.cfg.Logger}
	if n.cfg.NATS != "" {
		a, err := cluster.ParseAddress(n.cfg.NATS)
		if err != nil {
			return err
		}
		cfg.External = &eventlog.External{URL: a.URL, Replicas: a.Replicas, Options: a.Options}
	}
	log, err := eventlog.Open(cfg)
	if err != nil {
		return err
	}
	n.log = log
	n.stops.add("event log", log.Close)
	return nil
}

func (n *node) openEngine(context.Context) error {
	n.programs = program.New(n)
	n.decider = access.NewDecider(n.programs)
	dir := n.path("checkpoint")
	if !n.cfg.runs("engine") {
		dir = n.path("checkpoint-facts")
	}
	if err := n.dropStale(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	cfg := engine.Config{Shards: runtime.GOMAXPROCS(0), Dir: dir, Memory: n.cfg.engineMemory(),
		Decide:  func(int) engine.Decider { return n.decider },
		Prepare: n.decider,
		Address: collect.ItemAddress, Skip: n.poison.positions(), Seed: rand.Uint64(), Pause: func() { time.Sleep(time.Second) }, Pace: pace(n.cfg.Now), Logger: n.cfg.Logger}
	if !n.cfg.runs("engine") {
		cfg.FactsOnly, cfg.Shards, cfg.Decide, cfg.Prepare = true, 1, nil, nil
	}
	e, err := engine.Open(cfg)
	if err != nil {
		return err
	}
	n.engine, n.checkpoint = e, e.Position()
	n.stops.add("engine", e.Close)
	if e.Position() > n.log.Last() {
		return fmt.Errorf("the checkpoint holds the log up to %s, but the log ends at %s: restore %s from its backup, or remove %s to go on with what the log has",
			e.Position(), n.log.Last(), n.path("log"), dir)
	}
	return nil
}

// replay reads the log once into the engine and the committer, each from where
// it stands.
func (n *node) replay(ctx context.Context) error {
	if n.conn != nil {
		if err := n.conn.Claim(ctx); err != nil {
			return err
		}
	}
	committer, err := eventlog.NewCommitter(eventlog.CommitterConfig{Dir: n.path("ids"), Now: n.cfg.Now, Logger: n.cfg.Logger}, n.log, n.sink())
	if err != nil {
		return err
	}
	n.committer, n.facts = committer, &factGate{committer: committer}
	n.stops.add("committer", committer.Close)
	from := min(n.engine.Position(), committer.LearnedPosition())
	err = n.catchUp(ctx, from, func(position event.Position, message []byte) error {
		err := committer.Learn(position, message)
		if errors.Is(err, event.ErrFormat) {
			// Nothing to learn; whether it is set aside the engine decides.
			committer.LearnBatch(position, &event.Batch{})
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := committer.Start(ctx); err != nil {
		return err
	}
	return n.serveWriter(committer)
}

// catchUp reads the log after a position into the engine; learn, which may be nil,
// is told of each message before.
func (n *node) catchUp(ctx context.Context, from event.Position, learn func(event.Position, []byte) error) error {
	begin, count, said := n.cfg.Now(), 0, n.cfg.Now()
	last := n.log.Last()
	err := n.log.Read(ctx, from, func(position event.Position, message []byte) error {
		if learn != nil {
			if err := learn(position, message); err != nil {
				return err
			}
		}
		if err := n.engine.Apply(position, message); err != nil {
			return err
		}
		count++
		if now := n.cfg.Now(); now.Sub(said) > 2*time.Second {
			said = now
			n.front.starting(fmt.Sprintf("replay of the log, at %s of %s", position, last))
			n.cfg.Logger.Info("replaying the log", "at", position, "of", last)
		}
		return nil
	})
	if err == nil {
		err = n.engine.Wait(ctx, last)
	}
	if errors.Is(err, engine.ErrFailed) {
		return n.failure()
	}
	if err != nil {
		return err
	}
	if count > 0 {
		n.cfg.Logger.Info("the log is replayed", "messages", count, "took", n.cfg.Now().Sub(begin))
	}
	return nil
}

func (n *node) openStore(ctx context.Context) error {
	db, err := sqlite.Open(ctx, n.path("readership.db"))
	if err != nil {
		return err
	}
	n.store = db
	n.stops.add("database", db.Close)
	if n.keys, err = credentials.OpenKeys(ctx, db, n.cfg.RootKey, n.cfg.Now, n.cfg.Random); err != nil {
		return err
	}
	if n.hasher, err = auth.NewHasher(n.cfg.Random); err != nil {
		return err
	}
	n.sessions = credentials.NewSessions(db, n.hasher, n.cfg.Now, n.cfg.Random)
	return nil
}

// limits bound how often one sender asks.
type limits struct{ decisions, questions *rate.Limit }

// What a sender may ask at once would take limitSpan to come evenly; so many
// senders are told apart, in 64 KB a limit.
const (
	limitSpan    = 10 * time.Second
	limitSenders = 4 << 10
)

func (c *Config) limits() limits {
	return limits{rate.NewLimit(c.DecisionRate, limitSpan, limitSenders, c.Now), rate.NewLimit(c.QueryRate, limitSpan, limitSenders, c.Now)}
}

// openCollector makes what turns requests into events. Its secret signs devices
// and links and lasts as long as the data folder.
func (n *node) openCollector(ctx context.Context) (err error) {
	if n.store != nil { // an edge has learned it
		if n.secret, err = n.store.Secret(ctx, secretName, secretBytes, n.cfg.Random); err != nil {
			return err
		}
	}
	n.tokens = identity.NewTokens(identity.Config{Sites: n.engine.Sites, Fetch: identity.FetchWith(&http.Client{}), Now: n.cfg.Now, Logger: n.cfg.Logger})
	n.background("key sets", n.tokens.Run)
	n.openEnrich()
	n.attention = gate.NewAttention(n.committer, n.cfg.Now)
	n.openPages()
	n.collector, err = collect.New(collect.Config{Sites: n.engine, Items: n.engine, Committer: n.attention, Tokens: n.tokens, Logins: n.engine,
		Keys: n.keys, Sessions: n.signedIn(), Enrich: n.enrich, Secret: n.secret, Others: n.others, Applied: n.engine.Wait, Rates: n.cfg.Rates, Hint: n.hint(),
		Now: n.cfg.Now, Random: n.cfg.Random, Logger: n.cfg.Logger})
	if err != nil {
		return err
	}
	if err := n.continueVisits(ctx); err != nil {
		return err
	}
	n.front.opened(n.collector)
	return nil
}

// The secret of the application database that signs devices and links.
const (
	secretName  = "collect"
	secretBytes = 32
)

// others counts the requests of readers, to which imports give way.
func (n *node) others() uint64 { return n.committer.Others() + n.decisions.Service.Asked() }

func (n *node) openAPI(context.Context) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &figures{node: n})
	n.limits = n.cfg.limits()
	n.scripts = script.New(tracker.Scripts, n.cfg.Tracker)
	if err := n.newProxy(registry); err != nil {
		return err
	}
	deps := api.Deps{
		Engine: n.engine, Committer: n.facts, Store: n.store, Keys: n.keys, Sessions: n.sessions, Hasher: n.hasher,
		Queries: &queries{engine: n.engine, segments: n.segments, clock: n.cfg.Now}, Programs: n.programs, Segments: n.segments, Devices: identity.NewDevices(n.secret), Links: identity.NewLinks(n.secret), Quarantine: quarantine{n}, Collect: edge.NewHandler(n.edgeConfig()), Tracker: n.scripts, Assets: web.Assets,
		Decisions: n.decisions, Auth: n.gate, NotReady: n.notReady, Warnings: n.warn, Metrics: registry,
		Now: n.cfg.Now, Random: n.cfg.Random, Logger: n.cfg.Logger, Version: n.cfg.Version,
		Limits: api.Limits{Decisions: n.limits.decisions, Questions: n.limits.questions},
	}
	if !n.cfg.runs("engine") {
		deps.Elsewhere = n.conn.NewForwarder(n.committer.Acked)
	}
	if n.proxy != nil {
		deps.Routing = routing{n.proxy}
	}
	n.api = api.New(deps)
	n.front.server.RegisterOnShutdown(n.api.Drain)
	n.stops.add("simulations", func() error { n.api.Close(); return nil })
	return nil
}

// startUpkeep starts the daily work. Its first round is done in the background:
// it may take long.
func (n *node) startUpkeep(ctx context.Context) error {
	u := &upkeep{engine: n.engine, facts: n.facts, log: n.keptLog(), store: n.store, now: n.cfg.Now, logger: n.cfg.Logger}
	n.background("upkeep", u.run)
	m := &memory{limit: n.cfg.Memory, engine: n.engine, committer: n.committer}
	n.background("memory", m.run)
	return nil
}

// background runs do until the node stops.
func (n *node) background(name string, do func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(ctx)
	}()
	n.stops.add(name, func() error {
		cancel()
		<-done
		return nil
	})
}

// notReady says what keeps the process from its work.
func (n *node) notReady(context.Context) []string {
	var reasons []string
	if err := n.committer.Ready(); err != nil {
		reasons = append(reasons, "no event can be taken: "+err.Error())
	} else if err := n.log.Room(); err != nil {
		reasons = append(reasons, "no event can be taken: "+err.Error())
	}
	if n.engine.Failure() != nil {
		reasons = append(reasons, n.failure().Error())
	}
	return reasons
}

// clockOff is how far log time and the clock may be apart without a word.
const clockOff = time.Minute

// warn says what an operator should know.
func (n *node) warn(ctx context.Context) []string {
	var out []string
	logTime := time.UnixMilli(n.engine.LogTime())
	if ahead := logTime.Sub(n.cfg.Now()); ahead > clockOff {
		out = append(out, fmt.Sprintf("log time is %s ahead of this machine's clock, which was set back: log time stands still until then", ahead.Round(time.Second)))
	}
	if len(n.quarantine) > 0 {
		out = append(out, fmt.Sprintf("%d messages of the log could not be applied and are left out: GET /v1/quarantine names them", len(n.quarantine)))
	}
	if n.segments != nil {
		for site, err := range n.segments.Broken() {
			out = append(out, fmt.Sprintf("segments of site %q are not kept up to date, each answer reads the rows: %v", site, err))
		}
	}
	out = append(out, n.apart(ctx)...)
	out = append(out, n.tokens.Warnings()...)
	if err := n.enrich.Geo.Err(); err != nil {
		out = append(out, fmt.Sprintf("the file of places %s cannot be used: %v", n.cfg.Geo, err))
	}
	if n.proxy != nil {
		out = append(out, n.proxy.server.Warnings()...)
	}
	stats, err := n.engine.Stats(ctx)
	if err != nil {
		return append(out, "the engine cannot be measured: "+err.Error())
	}
	for _, s := range stats.Sites {
		if s.Cut != "" {
			out = append(out, fmt.Sprintf("site %q holds its window only from %s: %s", s.Site, time.UnixMilli(s.From).UTC().Format(time.RFC3339), s.Cut))
		}
	}
	return out
}
