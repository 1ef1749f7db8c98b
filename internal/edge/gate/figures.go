package gate

import (
	"sync/atomic"

	"github.com/readership/readership/internal/access"
)

// figures count what the gate does.
type figures struct {
	allowed, denied, charged, fallbacks, lost atomic.Uint64
}

func (f *figures) decided(v *access.Verdict) {
	switch v.Decision {
	case access.Allow:
		f.allowed.Add(1)
	case access.Deny:
		f.denied.Add(1)
	case access.Charge:
		f.charged.Add(1)
	}
	if v.Fallback {
		f.fallbacks.Add(1)
	}
}

// Figures are counts since the start, and how many commits wait.
type Figures struct {
	Decisions map[string]uint64 // by outcome: allow, deny, charge
	Fallbacks uint64            // of them, by the policy of the block
	Waiting   uint64            // commits that find nobody to take them
	Settled   uint64            // commits that were taken after they had waited
	Lost      uint64            // pages that were shown and never counted
}

// Figures returns the counts.
func (g *Gate) Figures() Figures {
	waiting, settled, dropped := g.commits.counts()
	return Figures{
		Decisions: map[string]uint64{access.Allow: g.figures.allowed.Load(), access.Deny: g.figures.denied.Load(), access.Charge: g.figures.charged.Load()},
		Fallbacks: g.figures.fallbacks.Load(), Waiting: waiting, Settled: settled, Lost: g.figures.lost.Load() + dropped + g.Attention.dropped(),
	}
}
