package app

import (
	"context"
	"slices"
	"sync"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// committer is what everything is written through: the log's own, or that of
// another process. *eventlog.Committer and *cluster.Writer are ones.
type committer interface {
	Commit(ctx context.Context, s *eventlog.Submission) error
	Submit(s *eventlog.Submission, done func(error)) error
	CommitFacts(ctx context.Context, facts ...event.Fact) (event.Position, error)
	CommitRead(ctx context.Context, read func() (event.Fact, bool, error)) (event.Position, error)
	Count(site, verdict, reason string, n uint64)
	Acked() event.Position
	Ready() error
	Others() uint64
	Stats() eventlog.Stats
}

// factGate keeps the daily snapshot and other writers of facts apart: between
// reading a fact and writing it again nobody may change it, else the snapshot
// would bring the old value back.
type factGate struct {
	committer
	mu sync.RWMutex
	// erasing keeps erasures, meters that are emptied and sites that are removed apart
	// from the snapshot of readers: what it read before one it must not write after
	// it. It is taken before mu.
	erasing sync.RWMutex
}

// CommitFacts writes facts as the committer does, while no snapshot reads.
func (g *factGate) CommitFacts(ctx context.Context, facts ...event.Fact) (event.Position, error) {
	if slices.ContainsFunc(facts, erases) {
		g.erasing.Lock()
		defer g.erasing.Unlock()
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.committer.CommitFacts(ctx, facts...)
}

// erases says whether a fact takes away what the snapshot of readers may have read.
func erases(f event.Fact) bool {
	return f.Kind == event.FactErase || f.Kind == event.FactEmpty || f.Kind == event.FactSite && len(f.Value) == 0
}
