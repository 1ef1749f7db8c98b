// Package gate enforces access blocks at the page: before a page is served it asks
// what its reader may read, and commits what was shown.
//
//	nginx, Caddy, … ─ GET …/auth ─┐
//	proxy ─ Gate.Ask ─────────────┴─ view ─ decide ─ ruling ─► headers, cookie, wall
//	                                            shown ─ commit ─┘
//
// What a reader may read is decided by package access, and who the reader is by
// package ask; here requests come in and what follows for them goes out.
package gate

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/access/ask"
	"github.com/readership/readership/internal/access/offer"
	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/enrich"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/plan"
)

// Engine is what a Gate reads of the engine. *engine.Engine is one.
type Engine interface {
	Site(id string) (*event.Site, bool)
	Item(site, id string) (*event.Item, bool)
}

// Keys knows keys, from memory. *credentials.Keys is one.
type Keys interface {
	WriteKey(key string) (site string, ok bool)
	APIKey(key string) (*auth.Principal, bool)
}

// Config is what a Gate stands on. All is needed.
type Config struct {
	Front  *ask.Front
	Offers *offer.Offers
	Engine Engine
	Keys   Keys
	// Attention sees the events of readers. It is this gate's alone.
	Attention *Attention
	// Acked is the position of the newest acknowledged commit, which answers include.
	Acked  func() event.Position
	Logger *slog.Logger
}

// Gate decides about pages. It is an http.Handler for GET …/auth, and a proxy.Gate.
// Safe for concurrent use. Run has to run beside it.
type Gate struct {
	Config
	commits *commits
	figures figures
}

// New makes a gate.
func New(cfg Config) *Gate {
	g := &Gate{Config: cfg}
	g.commits = newCommits(g.commit)
	g.Attention.due = g.commits.begin
	return g
}

// Run commits what has to be committed later, until ctx ends; then it waits for
// what is on its way.
func (g *Gate) Run(ctx context.Context) { g.commits.run(ctx) }

// view is a request for a page.
type view struct {
	site    *event.Site
	access  string // block
	url     string // as the reader wrote it
	routed  bool   // its host is the site's, whatever the domains are
	request *collect.Request
}

// ruling is what was decided about a view.
type ruling struct {
	*view
	asked   *ask.Asked
	block   *plan.Access
	verdict *access.Verdict
	cookies []string
}

// read finds what a view asks.
func (g *Gate) read(v *view) (r *ruling, err error) {
	r = &ruling{view: v}
	if r.block, err = g.Front.Service.Block(v.site, v.access); err != nil {
		return nil, err
	}
	call := &ask.Call{Site: v.site, Segments: true, Commits: true, Request: v.request, Position: g.Acked()}
	page := &ask.Page{Access: v.access, Referrer: v.request.Header.Get("Referer"), Routed: v.routed}
	if page.URL, err = asOriginsRead(v.site, v.url); err != nil {
		return nil, err
	}
	if page.URL != v.url {
		page.As = v.url
	}
	r.asked, err = g.Front.ReadPage(call, page)
	return r, err
}

// decide decides about a view, and commits where the block counts requests.
// Errors: *access.UnknownAccess, *problem.Problem, those of access.Service.
func (g *Gate) decide(ctx context.Context, v *view) (*ruling, error) {
	r, err := g.read(v)
	if err != nil {
		return nil, err
	}
	if r.block.Counts == plan.CountsRequest && r.seen() {
		r.asked.Commit()
	}
	answer, err := g.Front.Answer(ctx, r.asked)
	if err != nil {
		return nil, err
	}
	r.verdict, r.cookies = answer.Verdicts[0], answer.Cookies
	g.figures.decided(r.verdict)
	if r.verdict.Fallback && r.asked.Commits() {
		g.commits.later(r.kept()) // perhaps nobody took it
	}
	return r, nil
}

// stopped says whether the reader does not get the page.
func (r *ruling) stopped() bool { return r.verdict.Decision != access.Allow }

// counted says whether what was decided is still to be committed by who serves the
// page.
func (r *ruling) counted() bool {
	return r.verdict.Commit == nil && !r.asked.Commits() && r.seen()
}

// seen says that the page is for somebody to look at.
func (r *ruling) seen() bool { return !speculative(r.request.Header) && !unfurls(r.asked) }

// speculative says that a browser fetches a page which its reader may never see.
func speculative(h collect.Header) bool {
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		switch purpose, _, _ := strings.Cut(h.Get(name), ";"); strings.ToLower(strings.TrimSpace(purpose)) {
		case "prefetch", "prerender", "preview":
			return true
		}
	}
	return false
}

// unfurls says that a program fetches a page to show a preview of a link to it.
func unfurls(a *ask.Asked) bool { return a.Column(event.ColBotClass) == enrich.ClassSocial }

// commitTime is how long the commit of a page may take where its answer waits.
const commitTime = time.Second

// price lays a price out for Crawler-Price: EUR 0.002.
func price(v *access.Verdict) string {
	amount, currency, _ := strings.Cut(v.Price, " ")
	return currency + " " + amount
}

var _ http.Handler = (*Gate)(nil)
