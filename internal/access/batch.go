package access

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// DecideAll answers questions in their order, each as Decide does, and tells each
// answer. Commits that follow each other go to the log together, where nothing
// has to be written before one of them. A question about an access block that is
// not there refuses all of them. Any other error ends it; what was committed
// before, and with it, stays.
func (s *Service) DecideAll(ctx context.Context, asks []Ask, each func(i int, v *Verdict)) error {
	for i := 1; i < len(asks); i++ { // the first is looked up before any commit
		if err := s.known(&asks[i]); err != nil {
			return err
		}
	}
	for i := 0; i < len(asks); {
		n := 0
		for s.Remote == nil && i+n < len(asks) && asks[i+n].plain() {
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

// known says whether there is the access block that is asked.
func (s *Service) known(ask *Ask) error {
	_, err := s.Block(ask.Site, ask.Access)
	return err
}

// plain says whether a question is a commit before which nothing has to be read or
// written.
func (a *Ask) plain() bool {
	return a.Commit && !a.joins() && a.Given.Session == nil && !a.Given.writes()
}

// commitAll commits plain questions together.
func (s *Service) commitAll(ctx context.Context, asks []Ask, each func(i int, v *Verdict)) error {
	s.asked.Add(uint64(len(asks)))
	attempts := make([]*attempt, 0, len(asks))
	after := int64(math.MinInt64)
	var failed error
	for i := range asks {
		a, err := s.begin(ctx, &asks[i], after)
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
