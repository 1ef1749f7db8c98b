// Package api is the HTTP interface: one file a resource, on Huma over
// net/http. It also serves the documentation, the metrics and the dashboard's
// files, and mounts the collector.
//
// A request passes, in order: request id and recovery (serve.go), routing,
// the guard (guard.go: who, which position, which site, which body), the
// handler of the resource. Errors are problem.Problem throughout.
package api

import (
	"context"
	"crypto/rand"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"time"
	_ "time/tzdata" // time zones of sites do not depend on the machine

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/readership/readership/internal/access/ask"
	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/auth/credentials"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rate"
	"github.com/readership/readership/internal/segment"
	"github.com/readership/readership/internal/simulate"
	"github.com/readership/readership/internal/store"
)

// Engine is what the interface reads of the engine.
type Engine interface {
	Position() event.Position
	LogTime() int64
	Wait(ctx context.Context, position event.Position) error
	Site(id string) (*event.Site, bool)
	Sites() []*event.Site
	SiteNow(site string, wall int64) int64
	Item(site, id string) (*event.Item, bool)
	Items(site string) []*event.Item
	Ledger(site string, from, to int64) []engine.LedgerLine
	Losses(site string, from, to int64) []engine.LedgerLine
	View(ctx context.Context, site string, at event.Position) (*engine.View, error)
	// Readers is View with what finds one reader's rows.
	Readers(ctx context.Context, site string, at event.Position) (*engine.View, error)
	// Fact returns the value of a fact of a site.
	Fact(kind, site, key string) (value []byte, ok bool)
	// Profiles are what is proven of a site's readers beside their rows.
	Profiles(site string) *engine.Profiles
}

// Committer is what the interface writes through.
type Committer interface {
	// CommitFacts appends facts to the log and returns their position once
	// they are durable.
	CommitFacts(ctx context.Context, facts ...event.Fact) (event.Position, error)
	// Acked is the position of the newest acknowledged commit.
	Acked() event.Position
}

// Tracker serves the scripts that pages load.
type Tracker interface {
	http.Handler
	// Name is the script of our own tag, below the server's address.
	Name() string
	// Paths are the addresses of all scripts in the terms of http.ServeMux.
	Paths() []string
}

// Deps is what the interface stands on.
type Deps struct {
	Engine    Engine
	Committer Committer
	Store     store.Store
	Keys      *credentials.Keys
	Sessions  *credentials.Sessions
	Hasher    *auth.Hasher
	Queries   Queries
	Programs  *program.Programs
	Segments  *segment.Service
	Devices   *identity.Devices // signed for apps
	Links     *identity.Links
	Decisions *ask.Front
	// Routing is the edge's; nil: nothing serves routes here, they are stored only.
	Routing Routing
	// Quarantine is asked by operators.
	Quarantine Quarantine

	// Collect answers POST /v1/events and GET /v1/pixel.gif.
	Collect http.Handler
	// Auth answers GET …/auth; nil: it is not there.
	Auth http.Handler
	// Elsewhere answers what an edge leaves to the process that holds the engine;
	// nil: this is no edge, everything is answered here.
	Elsewhere http.Handler
	// Tracker serves the scripts that pages load. nil: there are none.
	Tracker Tracker
	// Assets are the built files of the dashboard with index.html at the root.
	// Without them a plain page says that they were not built.
	Assets fs.FS
	// NotReady lists what keeps the process from its work, beside what this
	// package sees itself; Warnings what an operator should know. Both may be
	// nil.
	NotReady func(ctx context.Context) []string
	Warnings func(ctx context.Context) []string
	// Metrics are served at /metrics; the package adds its own to it.
	Metrics *prometheus.Registry

	Now    func() time.Time // default time.Now
	Random io.Reader        // default crypto/rand
	Logger *slog.Logger     // default none
	// Version is the program's, for the OpenAPI description.
	Version string
	// PublicURL is the address that snippets name, without a slash at the end;
	// by default the one that the request came to.
	PublicURL string
	Limits    Limits
}

// Limits bound what requests may take. Zero values have defaults.
type Limits struct {
	Queries      int           // queries at once; 2 a core
	QueryWaiting int           // queries that wait for their turn; 64
	QueryTime    time.Duration // of one query, waiting included; 30 s
	Exports      int           // of rows at once; 4
	Streams      int           // open event streams; 1,000
	BehindTime   time.Duration // that a read waits for its position; 5 s
	BodyTime     time.Duration // to send a body; 30 s

	Decisions *rate.Limit // of one sender's requests for decisions and commits; nil: no bound
	Questions *rate.Limit // of one sender's queries and live figures; nil: no bound
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
	set(&l.Queries, 2*runtime.GOMAXPROCS(0))
	set(&l.QueryWaiting, 64)
	set(&l.Exports, 4)
	set(&l.Streams, 1000)
	setTime(&l.QueryTime, 30*time.Second)
	setTime(&l.BehindTime, 5*time.Second)
	setTime(&l.BodyTime, 30*time.Second)
	return l
}

// API is the HTTP interface. It is an http.Handler.
type API struct {
	Deps
	mux     *routes
	huma    huma.API
	csrf    *http.CrossOriginProtection
	metrics *metrics
	static  *static
	queries gate
	exports gate // apart, for a slow reader keeps its slot
	live    liveCache
	openapi described

	siteWrites sync.Mutex // serialises check, commit and apply of site settings
	itemWrites sync.Mutex // the same of items with a condition
	// The same of accounts, of entitlement lists and of offers.
	accountWrites, listWrites, offerWrites sync.Mutex

	programWrites sync.Mutex // the same of programs
	routeWrites   sync.Mutex // the same of routes

	simulations *simulate.Queue[*simulated]
	simulators  simulate.Room

	streams  chan struct{} // a slot for each open stream
	draining chan struct{} // closed by Drain
	drain    sync.Once
}

// New builds the interface.
func New(d Deps) *API {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Random == nil {
		d.Random = rand.Reader
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Metrics == nil {
		d.Metrics = prometheus.NewRegistry()
	}
	if d.Version == "" {
		d.Version = "dev"
	}
	d.Limits = d.Limits.withDefaults()
	a := &API{
		Deps: d, mux: &routes{ServeMux: http.NewServeMux()}, csrf: http.NewCrossOriginProtection(),
		metrics: newMetrics(d.Metrics), static: newStatic(d.Assets),
		queries:  gate{slots: make(chan struct{}, d.Limits.Queries), waiting: make(chan struct{}, d.Limits.QueryWaiting)},
		exports:  gate{slots: make(chan struct{}, d.Limits.Exports), waiting: make(chan struct{}, d.Limits.QueryWaiting)},
		streams:  make(chan struct{}, d.Limits.Streams),
		draining: make(chan struct{}), simulations: simulate.NewQueue[*simulated](d.Now, d.Logger), simulators: simulate.NewRoom(),
	}
	config := huma.DefaultConfig("Readership", d.Version)
	config.CreateHooks = nil // no $schema members and links in answers
	config.DocsPath, config.OpenAPIPath, config.SchemasPath = "", "", ""
	config.Info.Description = description
	config.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	config.Components.SecuritySchemes = securitySchemes
	config.Tags = tags
	a.huma = humago.New(a.mux, config)
	a.huma.UseMiddleware(a.guard)

	a.registerHealth()
	a.registerSetup()
	a.registerSessions()
	a.registerPeople()
	a.registerKeys()
	a.registerSites()
	a.registerWriteKeys()
	a.registerCollect()
	a.registerTracker()
	a.registerQuery()
	a.registerLive()
	a.registerLedger()
	a.registerEvents()
	a.registerItems()
	a.registerPrograms()
	a.registerSegmentChanges()
	a.registerSchema()
	a.registerSegments()
	a.registerSimulations()
	a.registerViews()
	a.registerAccounts()
	a.registerLogins()
	a.registerDevices()
	a.registerReaders()
	a.registerLists()
	a.registerLinks()
	a.registerOffers()
	a.registerAuth()
	a.registerRoutes()
	a.registerDecisions()
	a.registerQuarantine()
	a.registerDocs()
	return a
}

// routes is a mux that knows its patterns.
type routes struct {
	*http.ServeMux
	patterns []string
}

// HandleFunc implements humago.Mux.
func (r *routes) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	r.Handle(pattern, http.HandlerFunc(handler))
}

// Handle registers a handler.
func (r *routes) Handle(pattern string, handler http.Handler) {
	r.patterns = append(r.patterns, pattern)
	r.ServeMux.Handle(pattern, handler)
}

// Drain ends all event streams and refuses new ones, so that a server can shut
// down: give it to http.Server.RegisterOnShutdown. It does not wait.
func (a *API) Drain() { a.drain.Do(func() { close(a.draining) }) }

// Close ends what goes on beside requests and returns when it has ended. The
// engine is still open then.
func (a *API) Close() { a.simulations.Close() }

var _ http.Handler = (*API)(nil)
