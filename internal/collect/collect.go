// Package collect turns HTTP bytes into events: POST /v1/events and
// GET /v1/pixel.gif of the HTTP contract, and what foreign trackers send
// (dialect.go), whatever server they come through.
//
// A request passes Collect: method and CORS, who sends it (authorize.go), how
// often (rates.go), room (Committer.Ready), the body (body.go), JSON to fields (scanner.go, read.go),
// fields to events (judge.go), the commit, the answer (answer.go). Events are
// gathered in parts of at most 1,000, which are committed one after the other;
// a large import is read, parsed and committed at the same time (stream.go).
//
// Texts of events alias the request's body and a pooled arena, so nothing of an
// event may be kept after its commit has returned.
package collect

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/enrich"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/identity"
)

// Paths that Collect answers.
const (
	PathEvents = "/v1/events"
	PathPixel  = "/v1/pixel.gif"
)

// Committer stores events. *eventlog.Committer is one.
type Committer interface {
	// Commit returns when the events are durable. See eventlog.Committer.
	Commit(ctx context.Context, s *eventlog.Submission) error
	// Submit is Commit without the wait. See eventlog.Committer.
	Submit(s *eventlog.Submission, done func(error)) error
	// Ready returns what Commit would, before anything of a body is taken.
	Ready() error
	// Acked is the position of the newest acknowledged commit.
	Acked() event.Position
	// Count adds to the ledger.
	Count(site, verdict, reason string, n uint64)
}

// Sites are the settings in force. Of an id the same pointer is returned until
// the settings change.
type Sites interface {
	Site(id string) (*event.Site, bool)
	Sites() []*event.Site
	// SiteNow is the site's now for a wall clock, in Unix milliseconds.
	SiteNow(site string, wall int64) int64
}

// Items finds the catalogue entry that claims an address (ItemAddress).
type Items interface {
	ItemByAddress(site, address string) (id string, ok bool)
}

// Keys knows keys, from memory.
type Keys interface {
	WriteKey(key string) (site string, ok bool)
	APIKey(key string) (*auth.Principal, bool)
}

// Tokens verifies the tokens of the publishers' sign-in, from memory.
// *identity.Tokens is one.
type Tokens interface {
	Verify(site *event.Site, header identity.Header) *identity.Token
}

// Logins knows which devices are logged in, from memory.
type Logins interface {
	Login(site, device string) (account string, ok bool)
}

// Sessions knows the dashboard's session tokens.
type Sessions interface {
	Check(ctx context.Context, token string) (*auth.Principal, error)
}

// Config is what a Collector stands on.
type Config struct {
	Sites     Sites
	Items     Items
	Committer Committer
	Keys      Keys
	// Hint is told of the pages of the site that browsers view, the address of each
	// as an item, and when the view arrived, Unix milliseconds; it does not wait, and
	// keeps neither text. nil: nobody is.
	Hint func(site *event.Site, page, address string, at int64)
	// Tokens and Logins may be nil: then only an API key proves an account.
	Tokens Tokens
	Logins Logins
	// Sessions may be nil: then no cookie works as a key.
	Sessions Sessions
	// Enrich says what follows from connections. nil: one without configuration.
	Enrich *enrich.Enricher
	// SessionCookie is the name of the dashboard's session cookie.
	SessionCookie string

	// Secret signs device cookies and salts the cookieless identity. It is at
	// least 16 random bytes, the same on every edge and after every restart.
	Secret []byte
	// Others counts the requests of readers so far; imports give way to them. nil:
	// they do not. Applied waits until a position is applied.
	Others  func() uint64
	Applied func(context.Context, event.Position) error
	// Now is the wall clock. nil: time.Now.
	Now func() time.Time
	// Random makes devices and seeds the ids of events without one. nil: the
	// system's.
	Random io.Reader
	// Logger is told of failures that are ours. nil: none.
	Logger *slog.Logger
	Limits Limits
	Rates  Rates
}

// Limits bound what requests take. Zero values have defaults.
type Limits struct {
	Body    int64 // decompressed bytes of a body; 5 MB
	Import  int64 // of an NDJSON import; 1 GB
	Bodies  int64 // bytes of all bodies that are held at once; 256 MB
	Active  int64 // bytes of bodies, imports apart, that are worked on at once; 256 KB a core
	Imports int   // imports that are read at once; 8
	Workers int   // goroutines that parse one import; GOMAXPROCS
	// Patience is how long an import waits for the committer before it is
	// refused; 10 s.
	Patience time.Duration
}

func (l Limits) withDefaults() Limits {
	set := func(p *int64, v int64) {
		if *p == 0 {
			*p = v
		}
	}
	set(&l.Body, 5<<20)
	set(&l.Import, 1<<30)
	set(&l.Bodies, 256<<20)
	set(&l.Active, int64(runtime.GOMAXPROCS(0))*(256<<10))
	if l.Imports == 0 {
		l.Imports = 8
	}
	if l.Workers == 0 {
		l.Workers = runtime.GOMAXPROCS(0)
	}
	if l.Patience == 0 {
		l.Patience = 10 * time.Second
	}
	return l
}

// Collector answers requests that bring events. Safe for concurrent use.
type Collector struct {
	sites         Sites
	items         Items
	committer     Committer
	keys          Keys
	sessions      Sessions
	sessionCookie string
	secret        []byte
	now           func() time.Time
	logger        *slog.Logger
	limits        Limits

	devices   *identity.Devices
	hint      func(site *event.Site, page, address string, at int64) // may be nil
	tokens    Tokens                                                 // nil: no site has any
	logins    Logins                                                 // nil: nobody is logged in
	enrich    *enrich.Enricher
	infos     siteCache
	crossing  crossing
	names     siteNames
	randomMu  sync.Mutex
	random    io.Reader    // guarded by randomMu
	bodies    atomic.Int64 // bytes of bodies held
	active    atomic.Int64 // bytes of bodies worked on; see exchange.admit
	pressure  *pressure
	rates     *rates
	courtesy  *courtesy
	imports   atomic.Int64 // imports being read
	exchanges sync.Pool    // of *exchange
	parts     sync.Pool    // of *part
	described sync.Pool    // of *request
	blocks    sync.Pool    // of *block
	buffers   sync.Pool    // of *bufio.Reader
	gunzips   sync.Pool    // of *gzip.Reader
	zstds     sync.Pool    // of *zstd.Decoder
}

// minSecret is the least length of Config.Secret in bytes.
const minSecret = 16

// New makes a collector.
func New(cfg Config) (*Collector, error) {
	if cfg.Sites == nil || cfg.Items == nil || cfg.Committer == nil || cfg.Keys == nil {
		return nil, errors.New("collect: Sites, Items, Committer and Keys are needed")
	}
	if len(cfg.Secret) < minSecret {
		return nil, fmt.Errorf("collect: Secret has %d bytes, it needs %d", len(cfg.Secret), minSecret)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = cryptorand.Reader
	}
	if cfg.Enrich == nil {
		cfg.Enrich = enrich.New()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Collector{
		sites: cfg.Sites, items: cfg.Items, committer: cfg.Committer, keys: cfg.Keys, sessions: cfg.Sessions, sessionCookie: cfg.SessionCookie,
		secret: append([]byte(nil), cfg.Secret...), now: cfg.Now, random: cfg.Random, logger: cfg.Logger,
		limits: cfg.Limits.withDefaults(), devices: identity.NewDevices(cfg.Secret),
		tokens: cfg.Tokens, logins: cfg.Logins, hint: cfg.Hint, enrich: cfg.Enrich,
	}
	c.rates = newRates(cfg.Rates)
	c.pressure = newPressure(c.limits.Active)
	c.courtesy = newCourtesy(cfg.Others, cfg.Applied)
	c.exchanges.New = func() any { return &exchange{c: c} }
	c.parts.New = func() any { return &part{random: c.newRandom()} }
	c.blocks.New = func() any { return newBlock(c.newRandom()) }
	return c, nil
}

// Acked is the position of the newest acknowledged commit.
func (c *Collector) Acked() event.Position { return c.committer.Acked() }

// newRandom makes a generator of ids.
func (c *Collector) newRandom() *rand.ChaCha8 {
	c.randomMu.Lock()
	defer c.randomMu.Unlock()
	var seed [32]byte
	if _, err := io.ReadFull(c.random, seed[:]); err != nil {
		// The system's source never fails; one that was passed in and does
		// leaves nothing to go on with.
		panic(fmt.Sprintf("collect: no randomness: %v", err))
	}
	return rand.NewChaCha8(seed)
}

// Collect answers a request for PathEvents, PathPixel or one of Patterns; any
// other path is 404.
// It reads q and its body until it returns and keeps nothing of them. out is
// reset first.
func (c *Collector) Collect(ctx context.Context, q *Request, out *Response) {
	x := c.begin(q, out)
	defer c.end(x)
	x.serve(ctx)
}

// begin makes the exchange of a request.
func (c *Collector) begin(q *Request, out *Response) *exchange {
	out.Reset()
	x := c.exchanges.Get().(*exchange)
	x.q, x.out = q, out
	return x
}

// end gives back what the exchange held.
func (c *Collector) end(x *exchange) {
	out := x.out
	x.release()
	c.exchanges.Put(x)
	out.Position = max(out.Position, c.committer.Acked())
}
