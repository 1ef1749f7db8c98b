package app

import (
	"context"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/access/ask"
	"github.com/readership/readership/internal/access/offer"
	"github.com/readership/readership/internal/edge/gate"
	"github.com/readership/readership/internal/identity"
)

// Fact implements program.Facts: the engine decides with programs, which are among
// its own facts.
func (n *node) Fact(kind, site, key string) ([]byte, bool) { return n.engine.Fact(kind, site, key) }

// openDecisions makes what answers questions about what readers may read.
func (n *node) openDecisions(context.Context) error {
	cfg := access.Config{Engine: n.engine, Committer: n.facts, Programs: n.programs, Decider: n.decider,
		IDs: identity.NewDecisions(n.secret), Now: n.cfg.Now, Random: n.cfg.Random}
	if !n.cfg.runs("engine") {
		var err error
		if n.asker, err = n.conn.NewAsker(); err != nil {
			return err
		}
		cfg.Remote = n.asker
	}
	n.decisions = &ask.Front{
		Service:  access.New(cfg),
		Visitors: n.collector, Links: identity.NewLinks(n.secret), Sessions: identity.NewSessions(n.secret), Profiles: n.engine.Profiles,
	}
	return nil
}

// openGate makes what decides about pages, for our proxy and for other servers.
func (n *node) openGate(context.Context) error {
	n.gate = gate.New(gate.Config{Front: n.decisions, Offers: offer.NewOffers(n.engine), Engine: n.engine, Keys: n.keys, Attention: n.attention,
		Acked: n.committer.Acked, Logger: n.cfg.Logger})
	n.background("gate", n.gate.Run)
	return nil
}
