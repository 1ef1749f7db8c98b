package fold

import (
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// NoMeter is in place of a meter's ID where there is none.
const NoMeter = -1

// Decision is what an access block says of an item.
type Decision struct {
	Access *plan.Access
	Clause *plan.Clause // that decided
	Index  int          // its place in the block, from 0
	Price  value.Value  // Decimal in Clause.Currency, of a charge; else missing

	// Meter is the one that the decision speaks of, or NoMeter: the one that the
	// clause burns or asks; of a denial else the last above it that a clause
	// would have burned.
	Meter int
	// Burns is the meter that a commit burns, or NoMeter. Again tells that there
	// would be one, had it not the item already.
	Burns int
	Again bool
}

// Decide returns the decision of an access block about the item asked for. The
// clauses are tried in order; the first that holds decides.
func (v *View) Decide(access int) Decision {
	a := v.Program.Accesses[access]
	i := 0
	for !v.Holds(a.Clauses[i]) {
		i++
	}
	return v.DecidedBy(a, i)
}

// DecidedBy returns the decision of an access block if its i-th clause decides.
func (v *View) DecidedBy(a *plan.Access, i int) Decision {
	c := a.Clauses[i]
	d := Decision{Access: a, Clause: c, Index: i, Meter: shown(a.Clauses[:i+1]), Burns: c.Burns}
	if c.Price != nil {
		d.Price = v.Expr(c.Price)
	}
	if c.Burns != NoMeter && v.Meter(c.Burns).Has(v.Item) {
		d.Burns, d.Again = NoMeter, true
	}
	return d
}

// Holds tells whether the condition of a clause is true.
func (v *View) Holds(c *plan.Clause) bool { return c.Cond == nil || v.Expr(c.Cond).True() }

// shown returns the meter that the decision of the last of the clauses speaks
// of.
func shown(tried []*plan.Clause) int {
	last := tried[len(tried)-1]
	switch {
	case last.Burns != NoMeter:
		return last.Burns
	case len(last.Asks) > 0:
		return last.Asks[0]
	case last.Outcome != plan.Deny:
		return NoMeter
	}
	for i := len(tried) - 2; i >= 0; i-- {
		if tried[i].Burns != NoMeter {
			return tried[i].Burns
		}
	}
	return NoMeter
}
