package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/nearest"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rubric/plan"
)

// Engine is what decisions are made on. *engine.Engine is one.
type Engine interface {
	SiteNow(site string, wall int64) int64
	Wait(ctx context.Context, position event.Position) error
	InTurn(ctx context.Context, site, name string, fn func(*engine.Reader)) error
}

// Committer is what commits go through. *eventlog.Committer is one.
type Committer interface {
	Submit(s *eventlog.Submission, done func(error)) error
	CommitFacts(ctx context.Context, facts ...event.Fact) (event.Position, error)
}

// Config is what a Service stands on. All is needed.
type Config struct {
	Engine    Engine
	Committer Committer
	Programs  Programs
	Decider   *Decider // of the engine
	IDs       *identity.Decisions
	Now       func() time.Time
	Random    io.Reader
}

// Service answers questions about what readers may read. Safe for concurrent use.
type Service struct {
	Config
	random    sync.Mutex
	fallbacks atomic.Uint64
}

// New makes a service.
func New(cfg Config) *Service { return &Service{Config: cfg} }

// Fallbacks returns how many answers the policies of access blocks have given,
// in place of the engine.
func (s *Service) Fallbacks() uint64 { return s.fallbacks.Load() }

// Ask is a question about one reader and one item.
type Ask struct {
	Site   *event.Site
	Access string
	// Reader is who asks, device:ID or account:ID. An account may come with the
	// Device that it is proven on, whose rows and burns are the account's by that.
	Reader, Device string
	// Claimed is a reader, device:ID, that a session says to be: its events are seen
	// in place of Reader's.
	Claimed string
	Item    string
	Given   Given
	Token   identity.Status // of the token that came
	// At is the instant that is asked about, Unix ms; 0: the site's now. Commits
	// may name it on sites with clock "event" only.
	At     int64
	Commit bool
	// Segments says that the answer names those of the reader.
	Segments bool
	// Position is what the answer includes at least.
	Position event.Position
}

// Errors of decisions, beside those of the engine and of the committer.
var (
	errNoBlock = errors.New("the program has no such access block any more")
	// ErrNotDecision says that an id is none of a decision of the site.
	ErrNotDecision = errors.New("this is not the id of a decision")
	// ErrTooLate says that a decision cannot be committed any more.
	ErrTooLate = errors.New("a decision can be committed for 10 minutes")
	// ErrNotKept says that nothing is known of a decision any more.
	ErrNotKept = errors.New("the decision is not kept any more")
	// ErrTooLong says that names are too long for the id of a decision.
	ErrTooLong = errTooLong
	// ErrFuture says that an instant lies after the site's now, ErrPast before
	// the clock of a site that is moved by a commit.
	ErrFuture = errors.New("the instant lies after the site's now")
	ErrPast   = errors.New("the time lies before the site's clock")
	// ErrOutside says that an instant lies before the site's window.
	ErrOutside = errors.New("the instant lies before the site's window")
)

// UnknownAccess says that a site's program has no access block of a name.
type UnknownAccess struct{ Name, Nearest string }

// Error implements error.
func (e *UnknownAccess) Error() string {
	said := fmt.Sprintf("there is no access block %q", e.Name)
	if e.Nearest != "" {
		said += fmt.Sprintf("; the nearest is %q", e.Nearest)
	}
	return said
}

// BareTime is for how long a bare decision can be committed and explained.
const BareTime = 10 * time.Minute

// Decide answers a question, and commits the answer if it is asked to: then it
// waits until the commit is applied. Past the deadline of the access block its
// policy answers, marked Fallback; a commit that is on its way counts all the
// same. Errors: *UnknownAccess, ErrTooLong, ErrFuture, ErrPast,
// engine.ErrUnknownSite, engine.ErrUnknownReader, and the committer's.
func (s *Service) Decide(ctx context.Context, ask *Ask) (*Verdict, error) {
	a, err := s.begin(ask, math.MinInt64)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, a.deadline())
	defer cancel()
	v, err := a.decide(limited)
	return a.answer(ctx, v, err)
}

// begin finds what a question is decided by. A commit that names its time must not
// lie before after.
func (s *Service) begin(ask *Ask, after int64) (*attempt, error) {
	begun := s.Now()
	active, err := s.Programs.Active(ask.Site)
	if err != nil {
		return nil, err
	}
	block, err := blockOf(active.Plan, ask.Access)
	if err != nil {
		return nil, err
	}
	now := s.Engine.SiteNow(ask.Site.ID, begun.UnixMilli())
	t := ticket{Reader: ask.Reader, Item: ask.Item, At: now, Version: active.Version, Access: ask.Access}
	switch {
	case ask.At == 0:
	case ask.Commit && ask.At < max(now, after) && s.clocked(ask.Site):
		return nil, ErrPast
	case !ask.Commit && ask.At > now:
		return nil, ErrFuture
	default:
		t.At = ask.At
	}
	if t.Nonce, err = s.Nonce(); err != nil {
		return nil, err
	}
	return &attempt{Service: s, ask: ask, program: active, block: block, ticket: &t, begun: begun}, nil
}

// deadline is how long the block lets a reader wait.
func (a *attempt) deadline() time.Duration {
	return time.Duration(a.block.Deadline) * time.Millisecond
}

// answer answers with a verdict, or by the policy where there is none.
func (a *attempt) answer(ctx context.Context, v *Verdict, err error) (*Verdict, error) {
	if err != nil {
		if v, err = a.fallback(ctx, err); err != nil {
			return nil, err
		}
	}
	v.Token, v.TookMicros = a.ask.Token.String(), a.Now().Sub(a.begun).Microseconds()
	return v, nil
}

// clocked says whether a site's event clock has been set: before, its now is the
// wall's.
func (s *Service) clocked(site *event.Site) bool {
	return site.Clock == event.ClockEvent && s.Engine.SiteNow(site.ID, math.MaxInt64) != math.MaxInt64
}

// blockOf finds an access block of a program.
func blockOf(p *plan.Program, name string) (*plan.Access, error) {
	if a := p.Access(name); a != nil {
		return a, nil
	}
	names := make([]string, len(p.Accesses))
	for i, a := range p.Accesses {
		names[i] = a.Name
	}
	return nil, &UnknownAccess{name, nearest.Closest(name, names)}
}

// Nonce makes a nonce.
func (s *Service) Nonce() (identity.Nonce, error) {
	s.random.Lock()
	defer s.random.Unlock()
	return s.IDs.NewNonce(s.Random)
}

// attempt is one decision under way.
type attempt struct {
	*Service
	ask     *Ask
	program *program.Compiled
	block   *plan.Access
	ticket  *ticket
	begun   time.Time
	id      string // once it is known
}

// decide decides, within the deadline of ctx.
func (a *attempt) decide(ctx context.Context) (*Verdict, error) {
	if err := a.ready(ctx); err != nil {
		return nil, err
	}
	a.ticket.Given = a.ask.Given.used(a.block)
	if !a.ask.Commit {
		return a.bare(ctx)
	}
	if err := a.write(ctx); err != nil {
		return nil, err
	}
	if err := a.look(ctx); err != nil {
		return nil, err
	}
	return a.commit(ctx, &a.ask.Given.Columns)
}

// look lays the ticket of a commit out, with what a claimed device's events come
// to: where the commit is applied they are out of reach.
func (a *attempt) look(ctx context.Context) error {
	if a.ask.Claimed == "" {
		return a.ticket.pack(false, nil)
	}
	t := *a.ticket
	var failed error
	err := a.inTurn(ctx, func(_ *question, d *decision) { failed = t.pack(false, t.looked(d)) })
	if err == nil {
		err = failed
	}
	if err == nil {
		a.ticket = &t
	}
	return err
}

// ready waits until the engine has what the answer must include, the device's
// rows and burns where an account was proven on it among it.
func (a *attempt) ready(ctx context.Context) error {
	if err := a.Engine.Wait(ctx, a.ask.Position); err != nil {
		return err
	}
	account, ok := strings.CutPrefix(a.ask.Reader, "account:")
	if !ok || a.ask.Device == "" {
		return nil
	}
	joined := false
	if err := a.Engine.InTurn(ctx, a.ask.Site.ID, "device:"+a.ask.Device, func(r *engine.Reader) { joined = r.JoinedTo(account) }); err != nil || joined {
		return err
	}
	_, err := a.Committer.CommitFacts(ctx, fact(a.ask.Site.ID, event.FactJoin, a.ask.Device, event.Login{Account: account}))
	return err // a question that is asked now comes after it
}

// inTurn decides on the state that is applied, and calls fn with it. Without an
// error fn has run; with one it may still run, so what it sets is not to be read.
func (a *attempt) inTurn(ctx context.Context, fn func(*question, *decision)) error {
	q := question{plan: a.program.Plan, access: a.block, item: a.ticket.Item, at: a.ticket.At, given: &a.ticket.Given, seen: a.ticket.seen(a.program, a.block)}
	return a.Engine.InTurn(ctx, a.ask.Site.ID, cmp.Or(a.ask.Claimed, a.ticket.Reader), func(r *engine.Reader) {
		q.reader = r
		fn(&q, decide(&q))
	})
}

// bare answers without a commit.
func (a *attempt) bare(ctx context.Context) (*Verdict, error) {
	t, v := *a.ticket, new(Verdict)
	var failed error
	err := a.inTurn(ctx, func(q *question, d *decision) {
		if t.At < q.reader.From {
			failed = ErrOutside
			return
		}
		t.Shown, t.Clause = showing(d.Clause.Outcome), d.Index
		failed = t.pack(true, t.looked(d))
		v = d.verdict(t.Version, "", t.Reader)
		if a.ask.Segments {
			v.Segments = segmentsOf(d)
		}
	})
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, failed
	}
	v.DecisionID = t.seal(a.IDs, a.ask.Site.ID)
	return v, nil
}

// write writes what has to be there before the commit is applied: the use of a
// link, a seat on a list. Most requests have neither.
func (a *attempt) write(ctx context.Context) error {
	g := &a.ticket.Given
	if len(g.Lists) == 0 && (g.Link == nil || g.Link.Uses == 0) {
		return nil
	}
	var facts []event.Fact
	if err := a.inTurn(ctx, func(q *question, d *decision) { facts = d.needs(q, a.ask.Site.ID) }); err != nil || len(facts) == 0 {
		return err
	}
	_, err := a.Committer.CommitFacts(ctx, facts...)
	return err
}

// commit appends the commit and waits until it is applied.
func (a *attempt) commit(ctx context.Context, columns *[event.NumColumns]string) (*Verdict, error) {
	c, err := a.submit(columns)
	if err != nil {
		return nil, err
	}
	return c.wait(ctx)
}

// commitment is a commit on its way.
type commitment struct {
	attempt *attempt
	code    string
	call    *call
}

// submit sends the commit to the log, unless another request has done so and waits
// for it: then both get the one answer. Who submitted it must wait for it.
func (a *attempt) submit(columns *[event.NumColumns]string) (*commitment, error) {
	t, waiting := a.ticket, &a.Decider.waiting
	if a.id == "" {
		a.id = t.seal(a.IDs, a.ask.Site.ID)
	}
	code := codeOf(a.id)
	waits, first := waiting.join(code, t.Reader, a.id, a.ask.Segments)
	if waits == nil {
		return nil, eventlog.ErrOverloaded
	}
	if first {
		sub := &eventlog.Submission{Site: a.ask.Site, Events: []event.Event{t.event(a.IDs, a.id, columns)}}
		err := a.Committer.Submit(sub, func(err error) {
			if err = refusal(sub, err); err != nil {
				waiting.end(code, waits, err)
			}
		})
		if err != nil {
			waiting.end(code, waits, err)
		}
	}
	return &commitment{a, code, waits}, nil
}

// refusal returns why the log does not take a commit; nil: it does.
func refusal(sub *eventlog.Submission, err error) error {
	if err != nil {
		return err
	}
	switch verdict := &sub.Verdicts[0]; verdict.Outcome {
	case eventlog.Rejected:
		return &Rejected{verdict.Code, verdict.Message}
	case eventlog.Duplicate:
		return errRepeated
	}
	return nil
}

// wait waits until the commit is applied.
func (c *commitment) wait(ctx context.Context) (*Verdict, error) {
	defer c.attempt.Decider.waiting.leave(c.code, c.call)
	select {
	case <-c.call.done:
		return c.call.answer(c.attempt.ask.Segments)
	case <-ctx.Done():
		return nil, fmt.Errorf("commit the decision: %w", ctx.Err())
	}
}

// errRepeated says that a decision was committed before.
var errRepeated = errors.New("the decision is committed already")

// Rejected says that the log does not take a commit for its time.
type Rejected struct{ Code, Message string }

// Error implements error.
func (r *Rejected) Error() string { return r.Message }

// away says whether an error means that there is nobody to decide or to write.
func away(err error) bool {
	for _, of := range [...]error{context.DeadlineExceeded, engine.ErrClosed, engine.ErrFailed, engine.ErrPanic,
		eventlog.ErrOverloaded, eventlog.ErrDiskFull, eventlog.ErrUnavailable, eventlog.ErrClosed} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// fallback answers by the policy of the access block if err means that nobody
// else answers in time.
func (a *attempt) fallback(ctx context.Context, err error) (*Verdict, error) {
	if ctx.Err() != nil || !away(err) {
		return nil, err
	}
	a.fallbacks.Add(1)
	t := *a.ticket // a turn may still read the other
	t.rest = nil
	v := &Verdict{Decision: Allow, Access: a.block.Name, ProgramVersion: t.Version, Reader: t.Reader, Fallback: true, DecisionID: a.id}
	last := a.block.Clauses[len(a.block.Clauses)-1]
	outcome := plan.Allow
	if a.block.Closed {
		v.Decision, outcome = Deny, plan.Deny
		if last.Outcome == plan.Deny {
			v.Offer = last.Offers
		}
	}
	if v.DecisionID == "" {
		t.Shown, t.Clause = showing(outcome), len(a.block.Clauses)-1
		t.Given = a.ask.Given.used(a.block)
		if err := t.pack(true, nil); err != nil {
			return nil, err
		}
		v.DecisionID = t.seal(a.IDs, a.ask.Site.ID)
	}
	return v, nil
}

// Own is who commits a decision or asks about it.
type Own struct {
	// Any says that it may speak for any reader. Else it is the proven Account, the
	// proven Device, or the User of a session with its burns.
	Any             bool
	Account, Device string
	User            string
	Burns           []engine.Burn
}

// ErrNotYours says that a decision is another reader's.
var ErrNotYours = errors.New("the decision is another reader's")

// owns says whether a decision is one of o's.
func (o *Own) owns(t *ticket) bool {
	switch {
	case o.Any:
		return true
	case t.Given.Session != nil:
		return o.User != "" && t.Given.Session.User == o.User
	case o.Account != "" && t.Reader == engine.AccountSubject(o.Account):
		return true
	}
	return o.Device != "" && t.Reader == engine.ReaderName(o.Device)
}

// commitTime is how long a commit of its own may take.
const commitTime = 5 * time.Second

// Commit commits a bare decision, by the version of the program that it was made
// by. A second commit answers as the first did. Errors: ErrNotDecision,
// ErrNotYours, ErrTooLate, *UnknownAccess, the committer's, ctx's.
func (s *Service) Commit(ctx context.Context, site *event.Site, id string, own Own) (*Verdict, error) {
	begun := s.Now()
	t, err := openTicket(s.IDs, site.ID, id)
	if err != nil {
		return nil, ErrNotDecision
	}
	if !own.owns(t) {
		return nil, ErrNotYours
	}
	now := s.Engine.SiteNow(site.ID, begun.UnixMilli())
	if now-t.At > BareTime.Milliseconds() {
		return nil, ErrTooLate
	}
	if t.Given.Session != nil {
		t.Given.Session.Burns = own.Burns
	}
	p, block, err := s.Decider.find(site, t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, commitTime)
	defer cancel()
	a := attempt{Service: s, ask: &Ask{Site: site, Segments: own.Any}, program: p, block: block, ticket: t, id: id}
	if !t.Shown.stopped() {
		if err := a.write(ctx); err != nil {
			return nil, err
		}
	}
	v, err := a.commit(ctx, &t.Given.Columns)
	if errors.Is(err, errRepeated) {
		v, err = s.again(ctx, site, t, id)
	}
	if err != nil {
		return nil, err
	}
	v.TookMicros = s.Now().Sub(begun).Microseconds()
	return v, nil
}
