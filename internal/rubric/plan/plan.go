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
