package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/nearest"
	"github.com/readership/readership/internal/rubric/plan"
)

// Engine is what decisions are made on. *engine.Engine is one.
type Engine interface {
	Site(id string) (*event.Site, bool)
	SiteNow(site string, wall int64) int64
	Wait(ctx context.Context, position event.Position) error
	Position() event.Position
	Queued() event.Position
	InTurn(ctx context.Context, site, name string, fn func(*engine.Reader)) error
	Readers(ctx context.Context, site string, at event.Position) (*engine.View, error)
	Turn(ctx context.Context, site, name string, wait bool, few engine.Few, fn func(*engine.Reader, error)) error
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
	// Remote decides in place of Engine, which then knows the facts only. nil: Engine
	// decides.
	Remote Remote
}

// Service answers questions about what readers may read. Safe for concurrent use.
type Service struct {
	Config
	random    sync.Mutex
	fallbacks atomic.Uint64
	asked     atomic.Uint64
	remotes   *semaphore.Weighted // questions of other processes that wait
	attempts  sync.Pool           // of *attempt
}

// New makes a service.
func New(cfg Config) *Service {
	s := &Service{Config: cfg, remotes: semaphore.NewWeighted(maxRemotes)}
	s.attempts.New = func() any { return new(attempt) }
	return s
}

// Fallbacks returns how many answers the policies of access blocks have given,
// in place of the engine.
func (s *Service) Fallbacks() uint64 { return s.fallbacks.Load() }

// Asked returns how many questions were asked.
func (s *Service) Asked() uint64 { return s.asked.Load() }

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
	s.asked.Add(1)
	a, err := s.begin(ctx, ask, math.MinInt64)
	if err != nil {
		return nil, err
	}
	return a.decide(ctx)
}

// decide is Decide of an attempt that has begun.
func (a *attempt) decide(ctx context.Context) (*Verdict, error) {
	a.policy, a.wait = true, true
	if !a.direct() {
		limited, cancel := context.WithTimeout(ctx, a.limit)
		defer cancel()
		if err := a.prepare(limited); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			return a.answer(answer{err: err})
		}
	}
	return a.await(ctx)
}

// Start is Decide without the wait, for a question that needs nothing but the
// turn of its reader or a commit; ok is false, with nothing done, for any other.
// done is called once, from any goroutine, which goes on only when it returns,
// perhaps before Start does; then Result answers as Decide does.
func (s *Service) Start(ask *Ask, done func()) (of Started, ok bool) {
	if !s.settled(ask.Site, ask.Position) {
		return of, false
	}
	a, err := s.begin(context.Background(), ask, math.MinInt64) // which waits for nothing
	if err != nil || !a.direct() {
		return of, false
	}
	a.policy = true
	if a.start(context.Background(), done) != nil {
		return of, false
	}
	s.asked.Add(1)
	return Started{a}, true
}

// Started is a question that Start has taken.
type Started struct{ a *attempt }

// Result is the answer, once done was called.
func (s Started) Result() (*Verdict, error) { return s.a.result() }

// Release gives back the memory of the question and its answer, after Start has
// returned and Result was called: the verdict is over then. It says whether nobody has
// hold of the Ask any more; where the time was over before somebody had decided, who
// decides may still read it.
func (s Started) Release() (free bool) {
	a := s.a
	if a.ended.err != nil {
		return false
	}
	if !a.rings {
		service, timer := a.Service, a.timer
		*a = attempt{timer: timer}
		service.attempts.Put(a)
	}
	return true
}

// settled says whether a site's now is as of a position: the clock of a site with
// clock "event" is moved by what is applied.
func (s *Service) settled(site *event.Site, position event.Position) bool {
	return s.Remote != nil || site.Clock != event.ClockEvent || s.Engine.Position() >= position
}

// settle waits until settled, limit at most; late says that it is not, and that the
// caller is still there.
func (s *Service) settle(ctx context.Context, site *event.Site, position event.Position, limit time.Duration) (late bool, err error) {
	if s.settled(site, position) {
		return false, nil
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err = s.Engine.Wait(limited, position); err != nil && ctx.Err() == nil && Away(err) {
		return true, nil
	}
	return false, err
}

// begin finds what a question is decided by, and waits until that includes its
// position, as long as its access block allows. Those that are committed before it
// set the site's clock to clock; math.MinInt64: they do not.
func (s *Service) begin(ctx context.Context, ask *Ask, clock int64) (*attempt, error) {
	begun := s.Now()
	active, err := s.Programs.Active(ask.Site)
	if err != nil {
		return nil, err
	}
	block, err := blockOf(active.Plan, ask.Access)
	if err != nil {
		return nil, err
	}
	limit := time.Duration(block.Deadline) * time.Millisecond
	late, err := s.settle(ctx, ask.Site, ask.Position, limit) // if so, the policy answers
	if err != nil {
		return nil, err
	}
	now := s.nowAfter(ask.Site, clock, begun.UnixMilli())
	t := ticket{Reader: ask.Reader, Item: ask.Item, At: now, Version: active.Version, Access: ask.Access, Given: ask.Given.used(block)}
	switch {
	case ask.At == 0:
	case ask.Commit && ask.At < now && (clock != math.MinInt64 || s.clocked(ask.Site)):
		return nil, ErrPast
	case !ask.Commit && ask.At > now && !late:
		return nil, ErrFuture
	default:
		t.At = ask.At
	}
	if t.Nonce, err = s.Nonce(); err != nil {
		return nil, err
	}
	a := s.attempts.Get().(*attempt)
	a.Service, a.ask, a.program, a.block, a.own, a.begun, a.limit = s, ask, active, block, t, begun, limit
	a.ticket = &a.own
	if a.few = engine.Few(block.Few); ask.Segments {
		a.few = engine.Few(block.FewWithSegments)
	}
	return a, nil
}

// clocked says whether a site's event clock has been set: before, its now is the
// wall's.
func (s *Service) clocked(site *event.Site) bool {
	return site.Clock == event.ClockEvent && s.Engine.SiteNow(site.ID, math.MaxInt64) != math.MaxInt64
}

// nowAfter is a site's now once the commits before it have set its clock to clock;
// math.MinInt64: they do not. The wall's is over with the first that does.
func (s *Service) nowAfter(site *event.Site, clock, wall int64) int64 {
	if clock != math.MinInt64 && !s.clocked(site) {
		return clock
	}
	return max(s.Engine.SiteNow(site.ID, wall), clock)
}

// Block returns an access block of a site's active program. Errors:
// *UnknownAccess, those of the programs.
func (s *Service) Block(site *event.Site, name string) (*plan.Access, error) {
	active, err := s.Programs.Active(site)
	if err != nil {
		return nil, err
	}
	return blockOf(active.Plan, name)
}

// Walled says whether an id is of a decision that may have shown a wall: of a bare
// one that did, or of one that was committed at once.
func (s *Service) Walled(site *event.Site, id string) bool {
	t, err := openTicket(s.IDs, site.ID, id)
	return err == nil && t.Shown != showing(plan.Allow)
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

// SiteNow is a site's now, Unix milliseconds.
func (s *Service) SiteNow(site *event.Site) int64 {
	return s.Engine.SiteNow(site.ID, s.Now().UnixMilli())
}

// Nonce makes a nonce.
func (s *Service) Nonce() (identity.Nonce, error) {
	s.random.Lock()
	defer s.random.Unlock()
	return s.IDs.NewNonce(s.Random)
}

// Own is who commits a decision or asks about it.
type Own struct {
	// Any says that it may speak for any reader. Else it is the proven Account, the
	// proven Device, or the User of a session with its burns: one of the identities
	// that it has had for BareTime, at most two.
	Any             bool
	Account, Device string
	Users           []string
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
		return slices.Contains(o.Users, t.Given.Session.User)
	case o.Account != "" && t.Reader == engine.AccountSubject(o.Account):
		return true
	}
	return o.Device != "" && t.Reader == engine.ReaderName(o.Device)
}

// commitTime is how long a commit of its own may take.
const commitTime = 5 * time.Second

// Commit commits a bare decision, by the version of the program that it was made
// by, at the site's now as of a position at least. A second commit answers as the
// first did. Errors: ErrNotDecision, ErrNotYours, ErrTooLate, *UnknownAccess, the
// committer's, ctx's.
func (s *Service) Commit(ctx context.Context, site *event.Site, id string, own Own, position event.Position) (*Verdict, error) {
	begun := s.Now()
	t, err := openTicket(s.IDs, site.ID, id)
	if err != nil {
		return nil, ErrNotDecision
	}
	if !own.owns(t) {
		return nil, ErrNotYours
	}
	if late, err := s.settle(ctx, site, position, commitTime); err != nil || late {
		return nil, cmp.Or(err, errDeadline)
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
	limited, cancel := context.WithTimeout(ctx, commitTime)
	defer cancel()
	a := &attempt{Service: s, ask: &Ask{Site: site, Commit: true, Segments: own.Any, Given: Given{Columns: t.Given.Columns}},
		program: p, block: block, ticket: t, id: id, begun: begun, limit: commitTime, wait: true}
	if s.Remote == nil {
		if err := a.write(limited); err != nil {
			return nil, err
		}
	}
	v, err := a.await(limited)
	if errors.Is(err, errRepeated) {
		if v, err = s.again(limited, site, t, id); err == nil {
			v.TookMicros = s.Now().Sub(begun).Microseconds()
		}
	}
	return v, err
}
