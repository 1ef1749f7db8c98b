package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rubric/plan"
)

// attempt is one decision under way. Nobody waits for it in a goroutine of its
// own: the reader's turn, the committer or the clock ends it, whichever is first. The
// clock cannot where whoever asks decides: the turn looks at it in the end.
type attempt struct {
	*Service
	ask     *Ask
	program *program.Compiled
	block   *plan.Access
	ticket  *ticket // not written once the attempt has started, but for a commit's id
	own     ticket  // memory of ticket, and below of what is answered
	wording wording
	rest    [usualRest]byte
	begun   time.Time
	id      string        // of a commit
	limit   time.Duration // for all of it
	policy  bool          // the block's policy answers if nobody else does in time
	sure    bool          // it answers whatever the error: others of its array are committed
	wait    bool          // for room in the engine's queue
	few     engine.Few    // about whom whoever asks decides itself

	mu    sync.Mutex
	done  func()      // nil: it is told
	timer *time.Timer // that calls late; nil: there was none yet
	armed bool        // it is set
	call  *call       // of a commit
	rings bool        // the timer may still call late, which then does nothing
	ended answer
}

// answer is what comes of an attempt.
type answer struct {
	verdict *Verdict
	shared  bool   // the verdict is for others too: each takes its copy
	bare    []byte // to seal into the id, of a decision without a commit
	err     error
}

// direct says whether nothing has to be waited for or written before it can be
// decided.
func (a *attempt) direct() bool {
	return a.Remote != nil || a.Engine.Queued() >= a.ask.Position && !a.ask.joins() && !(a.ask.Commit && (a.ask.Claimed != "" || a.ticket.Given.writes()))
}

// joins says whether an account is asked about that was proven on a device: its
// rows and burns may not be the account's yet.
func (ask *Ask) joins() bool { return ask.Device != "" && strings.HasPrefix(ask.Reader, "account:") }

// writes says whether a commit may have to write facts before it.
func (g *Given) writes() bool { return len(g.Lists) > 0 || g.Link != nil && g.Link.Uses > 0 }

// prepare does what direct says is to be done.
func (a *attempt) prepare(ctx context.Context) error {
	if err := a.ready(ctx); err != nil || !a.ask.Commit {
		return err
	}
	if err := a.write(ctx); err != nil {
		return err
	}
	return a.look(ctx)
}

// ready waits until the engine has what the answer must include, the device's
// rows and burns where an account was proven on it among it.
func (a *attempt) ready(ctx context.Context) error {
	if a.Engine.Queued() < a.ask.Position {
		if err := a.Engine.Wait(ctx, a.ask.Position); err != nil {
			return err
		}
	}
	if !a.ask.joins() {
		return nil
	}
	account := strings.TrimPrefix(a.ask.Reader, "account:")
	joined := false
	if err := a.Engine.InTurn(ctx, a.ask.Site.ID, "device:"+a.ask.Device, func(r *engine.Reader) { joined = r.JoinedTo(account) }); err != nil || joined {
		return err
	}
	_, err := a.Committer.CommitFacts(ctx, fact(a.ask.Site.ID, event.FactJoin, a.ask.Device, event.Login{Account: account}))
	return err // a question that is asked now comes after it
}

// write writes what has to be there before the commit is applied: the use of a
// link, a seat on a list. Most requests have neither.
func (a *attempt) write(ctx context.Context) error {
	if !a.ticket.Given.writes() || a.ticket.Shown.stopped() {
		return nil
	}
	var facts []event.Fact
	if err := a.inTurn(ctx, func(q *question, d *decision) { facts = d.needs(q, a.ask.Site.ID) }); err != nil || len(facts) == 0 {
		return err
	}
	_, err := a.Committer.CommitFacts(ctx, facts...)
	return err
}

// look lays the ticket of a commit about a claimed device out, with what the
// device's events come to: where the commit is applied they are out of reach.
func (a *attempt) look(ctx context.Context) error {
	if a.ask.Claimed == "" {
		return nil
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

// inTurn decides on the state that is applied, and calls fn with it. Without an
// error fn has run; with one it may still run, so what it sets is not to be read.
func (a *attempt) inTurn(ctx context.Context, fn func(*question, *decision)) error {
	return a.Engine.InTurn(ctx, a.ask.Site.ID, a.seen(), func(r *engine.Reader) {
		q := a.question(r)
		fn(&q, decide(&q))
	})
}

// seen is the reader whose events are seen.
func (a *attempt) seen() string { return cmp.Or(a.ask.Claimed, a.ticket.Reader) }

func (a *attempt) question(r *engine.Reader) question {
	t := a.ticket
	return question{plan: a.program.Plan, access: a.block, reader: r, item: t.Item, at: t.At, given: &t.Given, seen: t.seen(a.program, a.block)}
}

// await starts the attempt and waits for its end.
func (a *attempt) await(ctx context.Context) (*Verdict, error) {
	done := make(chan struct{})
	if err := a.start(ctx, func() { close(done) }); err != nil {
		return nil, err
	}
	select {
	case <-done:
	case <-ctx.Done():
		a.end(answer{err: fmt.Errorf("wait for the decision: %w", ctx.Err())})
		<-done
	}
	return a.result()
}

// start sends the attempt on its way; done is told once of its end, perhaps
// before start returns. With an error, which only one that does not wait has,
// nothing was done.
func (a *attempt) start(ctx context.Context, done func()) error {
	a.done = done
	if a.Remote != nil {
		a.send()
		return nil
	}
	if a.ask.Commit {
		a.submit()
		return nil
	}
	if a.wait {
		limited, cancel := context.WithTimeout(ctx, a.limit)
		defer cancel()
		ctx = limited
	}
	err := a.Engine.Turn(ctx, a.ask.Site.ID, a.seen(), a.wait, a.few, a.bare)
	switch {
	case err == nil:
		a.arm(nil)
	case a.wait:
		a.end(answer{err: err})
	default:
		return err
	}
	return nil
}

// arm ends the attempt when its time is over; call is what it waits for.
func (a *attempt) arm(call *call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done != nil {
		a.call, a.armed = call, true
		if left := a.limit - a.Now().Sub(a.begun); a.timer == nil {
			a.timer = time.AfterFunc(left, a.late)
		} else {
			a.timer.Reset(left)
		}
	}
}

// late ends the attempt when its time is over.
func (a *attempt) late() { a.end(answer{err: errDeadline}) }

var errDeadline = fmt.Errorf("decide: %w", context.DeadlineExceeded)

// end ends the attempt, unless it has ended.
func (a *attempt) end(with answer) {
	a.mu.Lock()
	done, armed, call := a.done, a.armed, a.call
	if a.done = nil; done != nil {
		if with.shared {
			with.verdict = a.wording.copy(with.verdict)
			if !a.ask.Segments {
				with.verdict.Segments = nil
			}
		}
		a.ended = with
	}
	a.mu.Unlock()
	if done == nil {
		return
	}
	if armed {
		a.rings = !a.timer.Stop()
	}
	if call != nil {
		a.Decider.waiting.leave(call, a)
	}
	done()
}

// result is the answer, after the end.
func (a *attempt) result() (*Verdict, error) { return a.answer(a.ended) }

// answer answers with a verdict, or by the policy where there is none.
func (a *attempt) answer(with answer) (*Verdict, error) {
	v, err := with.verdict, with.err
	if err != nil {
		if a.Remote != nil && a.ask.Commit && Away(err) {
			a.keep()
		}
		if v, err = a.fallback(err); err != nil {
			return nil, err
		}
	} else if with.bare != nil {
		v.DecisionID = a.ticket.sealed(a.IDs, a.ask.Site.ID, with.bare)
	}
	v.Token, v.TookMicros = a.ask.Token.String(), a.Now().Sub(a.begun).Microseconds()
	return v, nil
}

// over says whether the attempt has ended.
func (a *attempt) over() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.done == nil
}

// bare decides without a commit, in the turn of the reader. What has ended meanwhile
// takes none of it: a queue that is too long gets shorter by that.
func (a *attempt) bare(r *engine.Reader, err error) {
	if a.over() {
		return
	}
	if err != nil {
		a.end(answer{err: err})
		return
	}
	t := a.ticket
	if t.At < r.From {
		a.end(answer{err: ErrOutside})
		return
	}
	space := workspaces.Get().(*workspace)
	defer space.done()
	space.question = a.question(r)
	d := space.decide()
	rest, err := t.lay(a.rest[:0], showing(d.Clause.Outcome), d.Index, true, t.looked(d))
	if err != nil {
		a.end(answer{err: err})
		return
	}
	v := d.verdict(&a.wording, t.Version, "", t.Reader)
	if a.ask.Segments {
		v.Segments = segmentsOf(d)
	}
	if a.Now().Sub(a.begun) >= a.limit { // nobody else ends what whoever asks works at
		a.end(answer{err: errDeadline})
		return
	}
	a.end(answer{verdict: v, bare: rest})
}

// submit sends the commit to the log, unless another request has done so and waits
// for it: then both get the one answer. What is decided where it is applied is
// durable, so what the log says counts only where it refuses.
func (a *attempt) submit() {
	t, waiting := a.ticket, &a.Decider.waiting
	if a.id == "" {
		if err := t.packed(a.rest[:0]); err != nil {
			a.end(answer{err: err})
			return
		}
		a.id = t.seal(a.IDs, a.ask.Site.ID)
	}
	c, first := waiting.join(codeOf(a.id), a)
	if c == nil {
		a.end(answer{err: eventlog.ErrOverloaded})
		return
	}
	a.arm(c)
	if !first {
		return
	}
	c.event[0] = t.event(a.IDs, a.id, a.ask.Given.Columns)
	c.sub = eventlog.Submission{Site: a.ask.Site, Events: c.event[:], Verdicts: c.verdicts}
	taken := func(err error) {
		if err = refusal(&c.sub, err); err != nil {
			waiting.end(c, err)
		}
		c.letGo()
	}
	if err := a.Committer.Submit(&c.sub, taken); err != nil {
		waiting.end(c, err)
		c.letGo()
	}
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

// errRepeated says that a decision was committed before.
var errRepeated = errors.New("the decision is committed already")

// Rejected says that the log does not take a commit for its time.
type Rejected struct{ Code, Message string }

// Error implements error.
func (r *Rejected) Error() string { return r.Message }

// Away says whether an error means that there is nobody to decide or to write.
func Away(err error) bool {
	for _, of := range [...]error{ErrAway, context.DeadlineExceeded, engine.ErrClosed, engine.ErrFailed, engine.ErrPanic,
		eventlog.ErrOverloaded, eventlog.ErrDiskFull, eventlog.ErrUnavailable, eventlog.ErrClosed} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// fallback answers by the policy of the access block if err means that nobody
// else answers in time.
func (a *attempt) fallback(err error) (*Verdict, error) {
	if !a.policy || !Away(err) && (!a.sure || errors.Is(err, context.Canceled)) {
		return nil, err
	}
	a.fallbacks.Add(1)
	v := &Verdict{Decision: Allow, Access: a.block.Name, ProgramVersion: a.ticket.Version, Reader: a.ticket.Reader, Fallback: true, DecisionID: a.id, Counts: countsOf(a.block)}
	last := a.block.Clauses[len(a.block.Clauses)-1]
	outcome := plan.Allow
	if a.block.Closed {
		v.Decision, outcome, v.Counts = Deny, plan.Deny, nil
		if last.Outcome == plan.Deny {
			v.Offer = last.Offers
		}
	}
	if v.DecisionID == "" {
		rest, err := a.ticket.lay(nil, showing(outcome), len(a.block.Clauses)-1, true, nil)
		if err != nil {
			return nil, err
		}
		v.DecisionID = a.ticket.sealed(a.IDs, a.ask.Site.ID, rest)
	}
	return v, nil
}
