package plan

import (
	"github.com/readership/readership/internal/rubric/value"
)

// Fact is a kind of things that an expression depends on beside rows.
type Fact uint8

// Facts. The first of them can change a reader's segments.
const (
	Registered   Fact = iota
	Entitlements      // with the times from which and until which they hold
	Traits
	FirstSeen
	Now        // the time itself, outside of windows
	Catalogue  // fields of the rows' items
	Experiment // arm
	AskedItem  // fields of the item asked for
	Request
	Bot
	NumFacts
)

var factNames = [...]string{Registered: "registered", Entitlements: "entitlements", Traits: "traits", FirstSeen: "first_seen", Now: "now",
	Catalogue: "catalogue", Experiment: "experiment", AskedItem: "item", Request: "request", Bot: "bot"}

// String returns the fact's name in plans and JSON.
func (f Fact) String() string { return factNames[f] }

// Facts is a set of facts.
type Facts uint16

// Has tells whether a fact is in the set.
func (s Facts) Has(f Fact) bool { return s>>f&1 == 1 }

// With returns the set with a fact.
func (s Facts) With(f Fact) Facts { return s | 1<<f }

// Uses is what a definition depends on. Lists are ascending, without doubles.
type Uses struct {
	Folds    []int // named by it
	Segments []int // named by it
	Meters   []int // named by it

	AllFolds    []int // with those of its segments and the limits of its meters, and so on
	AllSegments []int // likewise

	// The rest is about all of them too.
	Facts Facts
	Reach int64 // milliseconds before now that rows are looked at
	Periods
	PerRequest bool // one of the folds is
}

// Periods is a set of calendar periods.
type Periods uint8

// Has tells whether a period is in the set.
func (s Periods) Has(p value.Period) bool { return s>>p&1 == 1 }

// With returns the set with a period.
func (s Periods) With(p value.Period) Periods { return s | 1<<p }
