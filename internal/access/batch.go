package access

import (
	"context"
	"math"
	"strings"
	"time"
)

// DecideAll answers questions in their order, each as Decide does, and tells each
// answer. Commits that follow each other go to the log together, where nothing
// has to be written before one of them. The first error ends it; what was
// committed before, and with it, stays.
func (s *Service) DecideAll(ctx context.Context, asks []Ask, each func(i int, v *Verdict)) error {
	for i := 0; i < len(asks); {
		n := 0
		for i+n < len(asks) && asks[i+n].plain() {
			n++
		}
		if n < 2 {
			v, err := s.Decide(ctx, &asks[i])
			if err != nil {
				return err
			}
			each(i, v)
			i++
			continue
		}
		if err := s.commitAll(ctx, asks[i:i+n], func(k int, v *Verdict) { each(i+k, v) }); err != nil {
			return err
		}
		i += n
	}
	return nil
}

// plain says whether a question is a commit before which nothing has to be read or
// written.
func (a *Ask) plain() bool {
	g := &a.Given
	joins := a.Device != "" && strings.HasPrefix(a.Reader, "account:")
	return a.Commit && !joins && g.Session == nil && len(g.Lists) == 0 && g.Link == nil
}

// commitAll commits plain questions together.
func (s *Service) commitAll(ctx context.Context, asks []Ask, each func(i int, v *Verdict)) error {
	attempts := make([]*attempt, 0, len(asks))
	after := int64(math.MinInt64)
	var failed error
	for i := range asks {
		a, err := s.begin(&asks[i], after)
		if err != nil {
			failed = err // those before it are committed, as one by one
			break
		}
		after = a.ticket.At
		attempts = append(attempts, a)
	}
	if len(attempts) == 0 {
		return failed
	}
	together := time.Duration(0) // as long as all of them may take one by one
	for _, a := range attempts {
		together += a.deadline()
	}
	limited, cancel := context.WithTimeout(ctx, together)
	defer cancel()
	on := make([]*commitment, len(attempts))
	errs := make([]error, len(attempts))
	for i, a := range attempts {
		on[i], errs[i] = a.start(limited)
	}
	for i, a := range attempts {
		var v *Verdict
		err := errs[i]
		if err == nil {
			v, err = on[i].wait(limited)
		}
		if v, err = a.answer(ctx, v, err); err != nil {
			if failed == nil {
				failed = err
			}
			continue
		}
		each(i, v)
	}
	return failed
}

// start sends the commit of a plain question to the log.
func (a *attempt) start(ctx context.Context) (*commitment, error) {
	if err := a.Engine.Wait(ctx, a.ask.Position); err != nil {
		return nil, err
	}
	a.ticket.Given = a.ask.Given.used(a.block)
	if err := a.ticket.pack(false, nil); err != nil {
		return nil, err
	}
	return a.submit(&a.ask.Given.Columns)
}
