package gate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/event"
)

// kept is what has to be known of a decision to commit it: the gate has made it, so
// it asks for no proof.
type kept struct {
	site *event.Site
	id   string
}

// kept returns what is known of a ruling.
func (r *ruling) kept() kept { return kept{r.site, r.verdict.DecisionID} }

// commit commits a decision. Once it is in the log, or can never be, again is false.
func (g *Gate) commit(ctx context.Context, k kept) (again bool) {
	_, err := g.Front.Service.Commit(ctx, k.site, k.id, access.Own{Any: true}, 0)
	switch {
	case err == nil:
		return false
	case access.Away(err), errors.Is(err, context.Canceled):
		return true
	}
	g.figures.lost.Add(1)
	var unknown *access.UnknownAccess
	if !errors.Is(err, access.ErrTooLate) && !errors.Is(err, access.ErrNotDecision) && !errors.As(err, &unknown) {
		g.Logger.Warn("a page that was shown could not be counted", "site", k.site.ID, "decision", k.id, "error", err)
	}
	return false
}

// commits are the commits of pages that were shown. They run beside their
// requests; those that find nobody to take them are tried again, as long as a
// decision can be committed.
type commits struct {
	do      func(context.Context, kept) (again bool)
	running sync.WaitGroup
	slots   chan struct{} // one for each that runs

	mu      sync.Mutex
	waiting []kept // guarded by mu; the oldest first
	dropped uint64 // guarded by mu
	settled uint64 // guarded by mu; of those that waited, tried again
}

// Bounds of commits.
const (
	maxRunning = 1024 // at once; further ones wait
	maxWaiting = 1 << 16
	tryEvery   = time.Second
)

func newCommits(do func(context.Context, kept) bool) *commits {
	return &commits{do: do, slots: make(chan struct{}, maxRunning)}
}

// begin commits a decision beside its request. It never waits.
func (c *commits) begin(k kept) {
	select {
	case c.slots <- struct{}{}:
		c.running.Go(func() {
			defer func() { <-c.slots }()
			c.one(k)
		})
	default:
		c.later(k)
	}
}

func (c *commits) one(k kept) {
	ctx, cancel := context.WithTimeout(context.Background(), access.BareTime)
	defer cancel()
	if c.do(ctx, k) {
		c.later(k)
	}
}

// later has a decision committed when there is somebody to take it. Of too many the
// newest is not.
func (c *commits) later(k kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) >= maxWaiting {
		c.dropped++
		return
	}
	c.waiting = append(c.waiting, k)
}

func (c *commits) run(ctx context.Context) {
	tick := time.NewTicker(tryEvery)
	defer tick.Stop()
	defer c.running.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.again(ctx)
		}
	}
}

// again tries those that wait: one, and the others if there is somebody to take it.
func (c *commits) again(ctx context.Context) {
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	if len(waiting) == 0 {
		return
	}
	if ctx.Err() != nil || c.do(ctx, waiting[0]) {
		c.mu.Lock()
		c.waiting = append(waiting, c.waiting...)
		c.mu.Unlock()
		return
	}
	for _, k := range waiting[1:] {
		c.begin(k)
	}
	c.mu.Lock()
	c.settled += uint64(len(waiting))
	c.mu.Unlock()
}

// counts returns how many decisions wait for their commit, have waited for it, and
// were too many to wait.
func (c *commits) counts() (waiting, settled, dropped uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return uint64(len(c.waiting)), c.settled, c.dropped
}
