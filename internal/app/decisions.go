package app

import (
	"context"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/access/ask"
	"github.com/readership/readership/internal/identity"
)

// Fact implements program.Facts: the engine decides with programs, which are among
// its own facts.
func (n *node) Fact(kind, site, key string) ([]byte, bool) { return n.engine.Fact(kind, site, key) }

// openDecisions makes what answers questions about what readers may read.
func (n *node) openDecisions(context.Context) error {
	n.decisions = &ask.Front{
		Service: access.New(access.Config{Engine: n.engine, Committer: n.facts, Programs: n.programs, Decider: n.decider,
			IDs: identity.NewDecisions(n.secret), Now: n.cfg.Now, Random: n.cfg.Random}),
		Visitors: n.collector, Links: identity.NewLinks(n.secret), Sessions: identity.NewSessions(n.secret), Profiles: n.engine.Profiles,
	}
	return nil
}
