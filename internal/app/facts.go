package app

import (
	"context"
	"sync"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// factGate keeps the daily snapshot and other writers of facts apart: between
// reading a fact and writing it again nobody may change it, else the snapshot
// would bring the old value back.
type factGate struct {
	*eventlog.Committer
	mu sync.RWMutex
}

// CommitFacts writes facts as the committer does, while no snapshot reads.
func (g *factGate) CommitFacts(ctx context.Context, facts ...event.Fact) (event.Position, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.Committer.CommitFacts(ctx, facts...)
}
