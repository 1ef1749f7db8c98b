// Package ask turns requests for decisions into questions of package access,
// whatever listener they come through: it reads the body, and settles who asks and
// what the request proves.
package ask

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/problem"
)

// Visitors says who makes a request and what its page is. *collect.Collector is
// one.
type Visitors interface {
	Visitor(site *event.Site, q *collect.Request) collect.Visitor
	Account(site *event.Site, v *collect.Visitor) string
	NewDevice(site *event.Site, v *collect.Visitor) (device, cookie string, err error)
	Hash(site *event.Site, v *collect.Visitor, at int64) string
	Verified(v *collect.Visitor) bool
	Describe(site *event.Site, page *collect.Page, columns *[event.NumColumns]string) *problem.Fault
}

// Front answers requests for decisions. Safe for concurrent use.
type Front struct {
	Service  *access.Service
	Visitors Visitors
	Links    *identity.Links
	Sessions *identity.Sessions
	// Profiles are what is proven of a site's readers.
	Profiles func(site string) *engine.Profiles

	readers sync.Pool // of *reader
	asked   sync.Pool // of *Asked
}

// Call is a request of a site, whose key was checked.
type Call struct {
	Site *event.Site
	// Any says that it may speak for any reader: an API key with the scope
	// decisions, or a person. Else it came with the site's write key.
	Any bool
	// Commits says that it may commit.
	Commits bool
	// Segments says that answers name those of the reader, as they do with Any: they
	// go to a server of the publisher's.
	Segments bool
	// Request has the headers and the connection; its body is not read.
	Request *collect.Request
	// Position is what answers include at least.
	Position event.Position
}

// Answer is what a call is answered with.
type Answer struct {
	Verdicts []*access.Verdict
	Many     bool // the body was an array
	Cookies  []string
}

// AppendBody appends the answer as JSON.
func (a *Answer) AppendBody(body []byte) []byte {
	body = slices.Grow(body, usualBody*len(a.Verdicts)+2)
	if !a.Many {
		return a.Verdicts[0].AppendJSON(body)
	}
	for i, v := range a.Verdicts {
		body = v.AppendJSON(append(body, "[,"[min(i, 1)]))
	}
	if len(a.Verdicts) == 0 {
		body = append(body, '[')
	}
	return append(body, ']')
}

// usualBody is what most verdicts have room in.
const usualBody = 512

// Asked is a body that was read: questions to decide.
type Asked struct {
	asker asker
	asks  []access.Ask
	many  bool

	started access.Started // by Start
	one     single
}

// single is the memory of one question and its answer.
type single struct {
	ask     [1]access.Ask
	columns [event.NumColumns]string
	verdict [1]*access.Verdict
	answer  Answer
}

// Commits says whether a question commits its answer: then it is not to be
// decided twice.
func (a *Asked) Commits() bool {
	return slices.ContainsFunc(a.asks, func(q access.Ask) bool { return q.Commit })
}

// Decide answers the questions of a body. Errors: those of Read and Answer.
func (f *Front) Decide(ctx context.Context, c *Call, body []byte) (*Answer, error) {
	asked, err := f.Read(c, body)
	if err != nil {
		return nil, err
	}
	return f.Answer(ctx, asked)
}

// Read reads the questions of a body, of which it keeps nothing; none is decided
// yet. Errors: *problem.Problem for what is wrong with the request, else the
// visitors'.
func (f *Front) Read(c *Call, body []byte) (*Asked, error) {
	r, _ := f.readers.Get().(*reader)
	if r == nil {
		r = new(reader)
	}
	defer f.readers.Put(r)
	questions, many, err := r.questions(body)
	if err != nil {
		return nil, err
	}
	asked, _ := f.asked.Get().(*Asked)
	if asked == nil {
		asked = new(Asked)
	}
	asked.asker, asked.many = asker{front: f, call: c}, many
	asker := &asked.asker
	if err := asker.settle(); err != nil {
		return nil, err
	}
	asks := asked.one.ask[:]
	if len(questions) != 1 {
		asks = make([]access.Ask, len(questions))
	}
	asked.asks = asks
	var faults []problem.Fault
	for i := range questions {
		columns := &asked.one.columns
		if i > 0 {
			columns = new([event.NumColumns]string)
		}
		if questions[i].commit && !c.Commits {
			return nil, problem.New(http.StatusForbidden, "a commit needs the scope decisions:write").WithCode("missing_scope")
		}
		at := "body"
		if many {
			at = place(i)
		}
		if err := asker.ask(&questions[i], at, &asks[i], columns, &faults); err != nil {
			return nil, err
		}
	}
	if len(faults) > 0 {
		return nil, faulty(faults)
	}
	return asked, nil
}

// Answer decides questions in their order. Errors: *problem.Problem for what is wrong
// with questions, of which none is committed then, else what Problem does not know.
func (f *Front) Answer(ctx context.Context, a *Asked) (out *Answer, err error) {
	if a.asker.unknown != "" {
		if out, err = f.answerUnknown(ctx, a); out != nil || err != nil {
			return out, err
		}
	}
	out = &Answer{Many: a.many, Verdicts: make([]*access.Verdict, 0, len(a.asks))}
	session, asks := &a.asker.session, a.asks
	if len(asks) > 0 {
		session.carry(&asks[0].Given)
	}
	if err := f.Service.DecideAll(ctx, asks, func(i int, v *access.Verdict) {
		session.burned(v)
		if i+1 < len(asks) {
			session.carry(&asks[i+1].Given)
		}
		out.Verdicts = append(out.Verdicts, v)
	}); err != nil {
		var wrong access.Faults
		if !errors.As(err, &wrong) {
			return nil, Problem(err)
		}
		faults := make([]problem.Fault, len(wrong))
		for i, f := range wrong {
			at := "body"
			if a.many {
				at = place(f.Question)
			}
			faults[i], _ = faultOf(f.Err, at)
		}
		return nil, faulty(faults)
	}
	out.Cookies, err = a.asker.cookies()
	return out, err
}

// Start is Answer without the wait, for one question that access.Service.Start
// takes; ok is false, with nothing done, for any others. Once done was called, perhaps
// before Start returns, Result has the answer.
func (f *Front) Start(a *Asked, done func()) (ok bool) {
	if a.many || a.asker.session.user != "" || a.asker.unknown != "" {
		return false
	}
	a.started, ok = f.Service.Start(&a.asks[0], done)
	return ok
}

// Result is what came of a question that was started.
func (f *Front) Result(a *Asked) (*Answer, error) {
	v, err := a.started.Result()
	if err != nil {
		return nil, Problem(err)
	}
	a.one.verdict[0] = v
	a.one.answer = Answer{Verdicts: a.one.verdict[:]}
	a.one.answer.Cookies, err = a.asker.cookies()
	return &a.one.answer, err
}

// Release gives back the memory of a question that was started, after Start has
// returned, and of its Result.
func (f *Front) Release(a *Asked) {
	if a.started.Release() {
		*a = Asked{}
		f.asked.Put(a)
	}
}

// Commit commits a bare decision.
func (f *Front) Commit(ctx context.Context, c *Call, id string) (*Answer, error) {
	asker, err := f.asker(c)
	if err != nil {
		return nil, err
	}
	return f.commit(ctx, asker, id)
}

func (f *Front) commit(ctx context.Context, asker *asker, id string) (*Answer, error) {
	c := asker.call
	own := access.Own{Any: c.Any, Account: asker.account, Device: asker.own.Device, Users: asker.users(), Burns: asker.session.burns}
	if asker.unknown != "" {
		own.Device = asker.unknown
	}
	v, err := f.Service.Commit(ctx, c.Site, id, own, c.Position)
	if err != nil {
		return nil, Problem(err)
	}
	asker.session.burned(v)
	if asker.unknown != "" {
		asker.cookie = "" // only a decision makes a device
	}
	out := &Answer{Verdicts: []*access.Verdict{v}}
	out.Cookies, err = asker.cookies()
	return out, err
}

// Problem is the answer to an error of package access; other errors stay as they
// are.
func Problem(err error) error {
	var unknown *access.UnknownAccess
	fault, of := faultOf(err, "body")
	switch {
	case errors.As(err, &unknown):
		return problem.New(http.StatusNotFound, err.Error()).WithCode("unknown_access")
	case of:
		return faulty([]problem.Fault{fault})
	case errors.Is(err, access.ErrNotDecision):
		return problem.New(http.StatusNotFound, err.Error()).WithCode("not_decision")
	case errors.Is(err, access.ErrNotYours):
		return errNotYours()
	case errors.Is(err, access.ErrNotKept):
		return problem.New(http.StatusNotFound, err.Error()).WithCode("decision_not_kept")
	case errors.Is(err, access.ErrTooLate):
		return problem.New(http.StatusGone, err.Error()).WithCode("too_late")
	}
	return err
}

// faultOf is the fault of a question at a place in the body; ok is false of an error
// that is none.
func faultOf(err error, at string) (f problem.Fault, ok bool) {
	var rejected *access.Rejected
	field, code := "", ""
	switch {
	case errors.As(err, &rejected):
		field, code = ".time", rejected.Code
	case errors.Is(err, access.ErrTooLong):
		code = "too_long"
	case errors.Is(err, access.ErrFuture):
		field, code = ".at", "time_in_future"
	case errors.Is(err, access.ErrPast):
		field, code = ".time", "time_too_old"
	case errors.Is(err, access.ErrOutside):
		field, code = ".at", "outside_window"
	default:
		return f, false
	}
	return problem.Fault{Location: at + field, Code: code, Message: err.Error()}, true
}
