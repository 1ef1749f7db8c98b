// Package plan is a checked program: typed, with everything that it names put in
// its place. Both evaluators, the explainer and the cost model read it.
//
// A Program has definitions (Segment, Meter, Access, Metric, Test), which hold
// expressions (Expr). What expressions take from the rows of a reader are Folds;
// a fold is the end of a Stream; a stream is rows of a source that went through
// stages; the first stage, and every other filter, has a Predicate, which is a
// conjunction of Conditions on one row.
//
//	Segment, Meter, Clause ─ Expr ─► Fold ─► Stream ─► Predicate ─► Condition
//	      └──────► Segment, Meter ◄──┘          └─ then, unless ─► Stream
//
// Folds, streams, predicates and conditions are interned: equal ones, whatever
// their names, order and places in the text, exist once. They refer to each
// other by their index in the Program's slices, which is their ID. What depends
// on what is laid out in both directions.
//
// A plan does not change once it is made and may be shared.
package plan

import (
	"time"

	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/value"
)

// Program is a whole program for one site.
type Program struct {
	Files    []*source.File
	Calendar value.Calendar
	Window   int64 // the site's window, in milliseconds

	Conditions []*Condition
	Predicates []*Predicate
	Streams    []*Stream // a stream comes after those in its stages
	Folds      []*Fold

	Segments []*Segment // a segment comes after those it depends on
	Meters   []*Meter   // a meter comes after those it depends on
	Accesses []*Access
	Metrics  []*Metric
	Tests    []*Test // but for a plan that was made for one test only what it is called and its site

	// Properties, Attributes and Traits are those that the program names, with
	// the types that follow from their use, by name.
	Properties, Attributes, Traits []Typed

	// ByFact has for each fact about readers the segments that depend on it,
	// others' segments included, in ascending order.
	ByFact [NumFacts][]int

	// Cost is that of all segments and meters together.
	Cost Cost
}

// Typed is a name that comes from data, and its type: Bool, Decimal, Text, Time
// or Any. A value of another type is missing. Attributes are stored as texts: as
// a Bool, Decimal or Time they are read from theirs.
type Typed struct {
	Name string
	Type value.Type
}

// Place is a part of a program's text.
type Place struct {
	File int // index in Program.Files
	source.Span
}

// Segment is a named Boolean about a reader.
type Segment struct {
	ID   int
	Name string
	Place
	Expr *Expr
	Uses Uses
	Cost Cost
}

// Merge is what becomes of a device's burns when its reader logs in.
type Merge uint8

// Merges.
const (
	MergeUnion   Merge = iota // of both sets, the earliest read of an item kept
	MergeMax                  // the larger set
	MergeAccount              // the account's set
)

var mergeNames = [...]string{MergeUnion: "union", MergeMax: "max", MergeAccount: "account"}

// Merges are the merges as they are written.
var Merges = mergeNames[:]

// String returns the merge as it is written.
func (m Merge) String() string { return mergeNames[m] }

// MarshalText writes the merge as it is written.
func (m Merge) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Meter is a set of items with the time of their first burn, in a window, and a
// limit of their number.
type Meter struct {
	ID   int
	Name string
	Place
	Limit  *Expr // Int, never missing
	Sticky bool
	Merge  Merge

	// The window is one of the three. FromFirst is a period of milliseconds that
	// its first burn opens.
	Window    Window
	FromFirst int64

	Uses Uses // of the limit
	Cost Cost
}

// Span returns the longest time in milliseconds that a burn can count.
func (m *Meter) Span() int64 {
	if m.FromFirst > 0 {
		return m.FromFirst
	}
	return m.Window.Span()
}

// Counts is what makes a page view count.
type Counts uint8

// What counts. Engaged and Scroll have an amount.
const (
	CountsRequest Counts = iota
	CountsRendered
	CountsEngaged // for milliseconds
	CountsScroll  // percent
)

var countsNames = [...]string{CountsRequest: "request", CountsRendered: "rendered", CountsEngaged: "engaged", CountsScroll: "scroll"}

// CountsNames are the rules as they are written.
var CountsNames = countsNames[:]

// String returns the rule as it is written, without its amount.
func (c Counts) String() string { return countsNames[c] }

// MarshalText writes the rule as it is written, without its amount.
func (c Counts) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Access is a block of clauses; the first that holds decides.
type Access struct {
	ID   int
	Name string
	Place
	Counts   Counts
	Amount   int64 // of Counts: milliseconds or percent
	Closed   bool  // what is decided when the engine does not answer: deny
	Deadline int64 // milliseconds

	Clauses []*Clause // the last has no condition
	Uses    Uses      // of all clauses
	Cost    Cost
}

// Outcome is what a clause decides.
type Outcome uint8

// Outcomes.
const (
	Allow Outcome = iota
	Deny
	Charge
)

var outcomeNames = [...]string{Allow: "allow", Deny: "deny", Charge: "charge"}

// String returns the outcome as it is written.
func (o Outcome) String() string { return outcomeNames[o] }

// MarshalText writes the outcome as it is written.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Clause is one line of an access block.
type Clause struct {
	Outcome Outcome
	Name    string
	Place
	Cond     *Expr  // nil: it always holds
	Burns    int    // meter that a commit burns; -1 for none
	Price    *Expr  // Decimal, never missing; of Charge, else nil
	Currency string // of Price
	Offers   string // the page shown; "" for none
	Asks     []int  // meters that the condition names, in the order it does
	Uses     Uses   // of condition and price
}

// Metric is a number over all readers of the site, by keys.
type Metric struct {
	ID   int
	Name string
	Place
	Expr *Expr   // a number or duration over folds
	Keys []*Expr // of each of its folds; nil for one number

	// Adds tells that the folds of two spans add up to those of both: what the
	// metric is over both is then worked out from their sums.
	Adds bool
	Uses Uses
	Cost Cost
}

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

// Cost is what a definition costs, by estimate (package cost).
type Cost struct {
	Rows           int64    // of an active reader that one evaluation looks at
	BytesPerReader int64    // that are kept for an active reader
	NanosPerEvent  int64    // of an event that may change its value; of an access block, of a decision
	Nodes          int64    // of its expressions, written out
	Shares         []string // some other definitions that have a fold in common with it
}

// At returns an instant as the calendar of the site shows it.
func (p *Program) At(ms int64) time.Time { return time.UnixMilli(ms).In(p.Calendar.Zone) }

// Segment returns the segment of a name, nil if there is none.
func (p *Program) Segment(name string) *Segment {
	for _, s := range p.Segments {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Meter returns the meter of a name, nil if there is none.
func (p *Program) Meter(name string) *Meter {
	for _, m := range p.Meters {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Access returns the access block of a name, nil if there is none.
func (p *Program) Access(name string) *Access {
	for _, a := range p.Accesses {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// Metric returns the metric of a name, nil if there is none.
func (p *Program) Metric(name string) *Metric {
	for _, m := range p.Metrics {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Text returns what is written at a place.
func (p *Program) Text(at Place) string { return p.Files[at.File].Slice(at.Span) }
