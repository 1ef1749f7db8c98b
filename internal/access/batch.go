package access

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/rubric/plan"
)

// Faults are what is wrong with some of several questions.
type Faults []Fault

// Fault is what is wrong with one question: an error of Decide.
type Fault struct {
	Question int // its place
	Err      error
}

// Error implements error.
func (f Faults) Error() string {
	said := make([]string, len(f))
	for i := range f {
		said[i] = fmt.Sprintf("question %d: %v", f[i].Question, f[i].Err)
	}
	return strings.Join(said, "; ")
}

// Unwrap is for errors.Is and errors.As.
func (f Faults) Unwrap() []error {
	out := make([]error, len(f))
	for i := range f {
		out[i] = f[i].Err
	}
	return out
}

// DecideAll answers questions in their order, each as Decide does, and tells each
// answer. Commits that follow each other go to the log together, where nothing
// has to be written before one of them. What is wrong with a question refuses all of
// them before the first is committed: *UnknownAccess, else Faults. Once one was sent to
// the log, the policy of its access block answers each that nobody else does, so that
// the only error is ctx's.
func (s *Service) DecideAll(ctx context.Context, asks []Ask, each func(i int, v *Verdict)) error {
	s.asked.Add(uint64(len(asks)))
	attempts, err := s.beginAll(ctx, asks)
	if err != nil {
		return err
	}
	sent := false
	for i := 0; i < len(attempts); {
		n := 0
		for s.Remote == nil && i+n < len(asks) && asks[i+n].plain() {
			n++
		}
		group := attempts[i : i+max(n, 1)]
		for _, a := range group {
			if a.sure = sent || n > 1; sent {
				a.resume()
			}
		}
		if n < 2 {
			v, err := group[0].decide(ctx)
			if err != nil {
				return err
			}
			each(i, v)
		} else if err := commitAll(ctx, group, func(k int, v *Verdict) { each(i+k, v) }); err != nil {
			return err
		}
		sent = sent || asks[i].Commit
		i += len(group)
	}
	return nil
}

// beginAll begins questions, as they stand once those before them are committed.
func (s *Service) beginAll(ctx context.Context, asks []Ask) ([]*attempt, error) {
	commits := slices.ContainsFunc(asks, func(a Ask) bool { return a.Commit })
	attempts, faults := make([]*attempt, 0, len(asks)), Faults(nil)
	clock := int64(math.MinInt64) // that those before have set
	for i := range asks {
		a, err := s.begin(ctx, &asks[i], clock)
		if err == nil && commits && len(asks) > 1 {
			err = a.check(clock)
		}
		switch {
		case err == nil:
			attempts = append(attempts, a)
			if asks[i].Commit && asks[i].Site.Clock == event.ClockEvent {
				clock = max(clock, a.ticket.At)
			}
		case ofQuestion(err):
			faults = append(faults, Fault{i, err})
		default:
			return nil, err
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return attempts, nil
}

// ofQuestion says whether an error lies in the question, and not in who is asked.
func ofQuestion(err error) bool {
	var rejected *Rejected
	return errors.Is(err, ErrTooLong) || errors.Is(err, ErrFuture) || errors.Is(err, ErrPast) || errors.Is(err, ErrOutside) || errors.As(err, &rejected)
}

// check returns what an attempt will be refused for, as far as that is known before
// it is sent. Those before it have set the site's clock to clock.
func (a *attempt) check(clock int64) error {
	site, t := a.ask.Site, a.ticket
	now, window := a.nowAfter(site, clock, a.begun.UnixMilli()), site.WindowDuration().Milliseconds()
	if !a.ask.Commit {
		if t.At < now-window {
			return ErrOutside
		}
		_, err := t.lay(nil, showing(plan.Allow), 0, true, nil)
		return err
	}
	if clock != math.MinInt64 || a.clocked(site) {
		if code, message := eventlog.OffClock(t.At, now, window); code != "" {
			return &Rejected{code, message}
		}
	}
	return t.packed(a.rest[:0])
}

// resume begins an attempt anew after others before it.
func (a *attempt) resume() {
	if a.begun = a.Now(); a.ask.At == 0 {
		a.ticket.At = a.Engine.SiteNow(a.ask.Site.ID, a.begun.UnixMilli())
	}
}

// plain says whether a question is a commit before which nothing has to be read or
// written.
func (a *Ask) plain() bool {
	return a.Commit && !a.joins() && a.Given.Session == nil && !a.Given.writes()
}

// commitAll commits plain questions together.
func commitAll(ctx context.Context, attempts []*attempt, each func(i int, v *Verdict)) error {
	together := time.Duration(0) // as long as all of them may take one by one
	for _, a := range attempts {
		together += a.limit
	}
	var running sync.WaitGroup
	running.Add(len(attempts))
	for _, a := range attempts {
		a.limit, a.policy, a.wait = together, true, true
		_ = a.start(ctx, running.Done) // it waits
	}
	all := make(chan struct{})
	go func() {
		running.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-ctx.Done():
		for _, a := range attempts {
			a.end(answer{err: fmt.Errorf("wait for the decisions: %w", ctx.Err())})
		}
		<-all
	}
	var failed error
	for i, a := range attempts {
		v, err := a.result()
		if err != nil {
			if failed == nil {
				failed = err
			}
			continue
		}
		each(i, v)
	}
	return failed
}
