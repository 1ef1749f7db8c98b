package edge

import (
	"context"
	"net/http"
	"strings"

	"github.com/readership/readership/internal/access/ask"
	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/rate"
)

// Decisions answers requests for decisions as nearly all are: with an API key
// that may, and a JSON body without a fault. The others it leaves to the main
// listener's handler, but for errors that may come after a commit, as that
// handler would commit again.
type Decisions struct {
	Keys interface {
		APIKey(key string) (*auth.Principal, bool)
	}
	Engine interface {
		Site(id string) (*event.Site, bool)
	}
	Front interface {
		Read(c *ask.Call, body []byte) (*ask.Asked, error)
		Answer(ctx context.Context, a *ask.Asked) (*ask.Answer, error)
		Start(a *ask.Asked, done func()) (ok bool)
		Result(a *ask.Asked) (*ask.Answer, error)
		Release(a *ask.Asked)
	}
	// Limit bounds how often one key asks. Beyond it the main listener's handler
	// answers, which counts by the same. nil: no bound.
	Limit *rate.Limit
	// Problem is the main listener's answer to an error, nil if it only logs it.
	Problem func(err error) *problem.Problem
}

// decisionsOf finds the site of an address of decisions, as it was sent.
func decisionsOf(path string) (site string, ok bool) {
	rest, ok := strings.CutPrefix(path, sitePrefix)
	if !ok {
		return "", false
	}
	site, ok = strings.CutSuffix(rest, "/decisions")
	return site, ok && site != "" && !strings.Contains(site, "/")
}

// call lays a request out; false for one that is not its.
func (d *Decisions) call(q *collect.Request, at event.Position, into *ask.Call) (*auth.Principal, bool) {
	id, ok := decisionsOf(q.Path)
	scheme, key, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	if !ok || q.Query != "" || !strings.EqualFold(scheme, "Bearer") || q.Header.Get(headerPosition) != "" ||
		q.Header.Get("Content-Type") != "application/json" || q.Header.Get("Idempotency-Key") != "" {
		return nil, false
	}
	who, ok := d.Keys.APIKey(strings.TrimSpace(key))
	if !ok || !who.Has(auth.DecisionsRead, id) {
		return nil, false
	}
	site, ok := d.Engine.Site(id)
	*into = ask.Call{Site: site, Any: true, Commits: who.Scopes.Has(auth.DecisionsRead | auth.DecisionsWrite), Request: q, Position: at}
	return who, ok
}

// deciding is a request for decisions that has been read, on its way.
type deciding struct {
	call    ask.Call
	asked   *ask.Asked // nil: it is the main listener's to answer
	who     *auth.Principal
	tokens  int64 // as how many requests it was counted
	started bool
}

// read reads a request.
func (d *Decisions) read(of *deciding, q *collect.Request, at event.Position) {
	*of = deciding{}
	who, ok := d.call(q, at, &of.call)
	if !ok {
		return
	}
	asked, err := d.Front.Read(&of.call, q.Whole)
	if err != nil || asked == nil {
		return
	}
	of.who, of.tokens = who, rate.Tokens(int64(len(q.Whole)))
	kind, name := who.Sender()
	if _, ok := d.Limit.Take(kind, name, of.tokens); ok {
		of.asked = asked
	}
}

// decided makes the answer of a request; false, with nothing committed, for one
// that the main listener's handler has to answer.
func (s *Server) decided(of *deciding, answer *ask.Answer, err error, q *collect.Request, out *collect.Response) bool {
	switch {
	case err != nil && !of.asked.Commits():
		kind, name := of.who.Sender()
		s.cfg.Decisions.Limit.Give(kind, name, of.tokens) // the main listener's handler counts it again
		return false
	case err != nil:
		s.undecided(q, out, err)
		return true
	}
	out.Reset()
	out.Status, out.ContentType, out.Position = http.StatusOK, "application/json", s.cfg.Acked()
	out.Set("Cache-Control", "no-store")
	for _, cookie := range answer.Cookies {
		out.Set("Set-Cookie", cookie)
	}
	out.Body = answer.AppendBody(out.Body)
	return true
}

// undecided makes out the answer to an error that may have come after a commit.
func (s *Server) undecided(q *collect.Request, out *collect.Response, err error) {
	p := s.cfg.Decisions.Problem(err)
	if p == nil {
		s.cfg.Logger.Error("request failed", "path", q.Path, "error", err)
		p = problem.New(http.StatusInternalServerError, "something went wrong; the log has it")
	}
	s.problem(out, p)
}
