package plan

import (
	"math"

	"github.com/readership/readership/internal/rubric/value"
)

// Source is where the rows of a stream come from.
type Source uint8

// Sources. Both leave copies out where a metric looks at all readers.
const (
	Events    Source = iota // in metrics without robots
	AllEvents               // in metrics only
)

var sourceNames = [...]string{Events: "events", AllEvents: "all_events"}

// String returns the source as it is written.
func (s Source) String() string { return sourceNames[s] }

// MarshalText writes the source as it is written.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Stream is rows of the subject in order of time, ties by log sequence, that
// went through stages.
type Stream struct {
	ID     int
	Source Source

	// Stages are what rows go through, in order. The first is a Filter, an empty
	// one if nothing is asked of the rows; two Filters never follow each other:
	// their conditions and windows are taken together.
	Stages []Stage

	// Name is that of the `let` that first defined it; "" without one.
	Name string
	Place

	// Bases are the predicates of the first stages of the stream and of those in
	// its stages: a row that none of them holds for changes nothing.
	Bases []int

	// Age is the greatest age in milliseconds that a row of the stream has, Reach
	// the greatest of the rows that decide which rows it has. Neither exceeds the
	// site's window.
	Age, Reach int64

	// Periods are those of its windows, and of the streams in its stages.
	Periods Periods

	// Waits tells that rows enter as time passes, without a new one (`unless`).
	Waits bool

	// PerRequest tells that the item asked for decides which rows it has.
	PerRequest bool

	// Size is how many stages it has, with those of the streams in them.
	Size int64
}

// Base returns the first stage.
func (s *Stream) Base() *Stage { return &s.Stages[0] }

// StageKind is what a stage does.
type StageKind uint8

// Kinds of stages. Behind each: the members of Stage that it has.
const (
	// Filter keeps the rows for which Predicate holds and that Window has.
	Filter StageKind = iota
	// Distinct keeps of the rows that have all Keys the first of each.
	Distinct
	// Then keeps the rows of Other before which, by more than nothing and Within
	// at most, a row has come.
	Then
	// Unless keeps the rows that are Within old at least and that no row of Other
	// has followed, by more than nothing and Within at most.
	Unless
	// By groups rows by Keys; in metrics only.
	By
)

var stageNames = [...]string{Filter: "filter", Distinct: "distinct", Then: "then", Unless: "unless", By: "by"}

// String returns the kind's name in plans.
func (k StageKind) String() string { return stageNames[k] }

// MarshalText writes the kind's name.
func (k StageKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Stage is one step of a stream.
type Stage struct {
	Kind      StageKind
	Predicate int
	Window    Window
	Keys      []*Expr
	Other     int   // stream
	Within    int64 // milliseconds
	Place
}

// Window says which rows count at an instant now. A row must be in all parts of
// it that are set; the zero Window has every row up to now.
type Window struct {
	Last     int64 // now − Last < time; 0: any
	Since    int64 // Since ≤ time, if HasSince; Unix milliseconds
	HasSince bool
	Periods  Periods // start of each of these that now is in ≤ time
}

// IsZero tells whether the window has every row.
func (w Window) IsZero() bool { return w == Window{} }

// From returns the earliest time, in Unix milliseconds, that a row in the window
// has at an instant.
func (w Window) From(now int64, c value.Calendar) int64 {
	from := int64(math.MinInt64)
	if w.Last > 0 {
		from = now - w.Last + 1
	}
	if w.HasSince {
		from = max(from, w.Since)
	}
	for p := range value.NumPeriods {
		if w.Periods.Has(p) {
			from = max(from, c.Start(p, now))
		}
	}
	return from
}

// Until returns the first instant after now at which a row of the given time,
// which the window has now, is no longer in it; math.MaxInt64 if it stays.
func (w Window) Until(time, now int64, c value.Calendar) int64 {
	until := int64(math.MaxInt64)
	if w.Last > 0 {
		until = time + w.Last
	}
	for p := range value.NumPeriods {
		if w.Periods.Has(p) {
			until = min(until, c.Next(p, now))
		}
	}
	return until
}

// Span returns the greatest age in milliseconds that a row in the window can
// have, math.MaxInt64 if there is no bound.
func (w Window) Span() int64 {
	span := int64(math.MaxInt64)
	if w.Last > 0 {
		span = w.Last
	}
	for p := range value.NumPeriods {
		if w.Periods.Has(p) {
			span = min(span, p.Longest())
		}
	}
	return span
}

// and returns the window of the rows that both have.
func (w Window) and(o Window) Window {
	switch {
	case w.Last == 0:
		w.Last = o.Last
	case o.Last > 0:
		w.Last = min(w.Last, o.Last)
	}
	if o.HasSince && (!w.HasSince || o.Since > w.Since) {
		w.Since, w.HasSince = o.Since, true
	}
	w.Periods |= o.Periods
	return w
}

// Class says what a condition looks at.
type Class uint8

// Classes of conditions.
const (
	OnRow   Class = iota // columns and properties of the row
	OnItem               // the catalogue entry of the row's item
	OnBoth               // both
	OnAsked              // also the item asked for
)

var classNames = [...]string{OnRow: "row", OnItem: "item", OnBoth: "both", OnAsked: "asked"}

// String returns the class's name in plans.
func (c Class) String() string { return classNames[c] }

// Condition is one Boolean about a row, no conjunction.
type Condition struct {
	ID    int
	Class Class
	Expr  *Expr

	// Lookup is set if the condition says that a column or property of the row
	// has one of some values: such conditions can be found by the value.
	Lookup *Lookup

	Columns    []Column // of the row, ascending
	Properties []string // of the row, sorted
	Fields     []Field  // of the row's item, ascending
	Attributes []string // of the row's item, sorted

	Predicates []int // that have it, ascending
}

// Lookup is `COLUMN == VALUE` or `COLUMN in [VALUES]`.
type Lookup struct {
	Column   Column // if Property is ""
	Property string
	Values   []value.Value // one at least, each once
}

// Predicate is what a filter asks of a row: all of its conditions. One without
// conditions holds for every row.
type Predicate struct {
	ID int

	// The conditions by class, each list ascending. The row part alone never
	// changes once a row is stored; the item part changes with the catalogue only.
	Row, Item, Both, Asked []int

	Streams  []int // that have it in one of their stages, ascending
	Folds    []int // that a row it holds for can change, as a base, ascending
	Segments []int // likewise, others' segments included, ascending
}

// End is what a fold makes of rows.
type End uint8

// Ends. Those from Sum on look at Of, and leave out rows that do not have it.
const (
	Count    End = iota // Int
	Any                 // Bool
	Sum                 // the type of Of; 0 of nothing
	Avg                 // Decimal or Duration
	Least               // min: the type of Of, as for the others
	Greatest            // max
	First               // of the earliest row that has it
	Latest              // of the latest row that has it
)

var endNames = [...]string{Count: "count", Any: "any", Sum: "sum", Avg: "avg", Least: "min", Greatest: "max", First: "first", Latest: "latest"}

// String returns the end as it is written.
func (e End) String() string { return endNames[e] }

// MarshalText writes the end as it is written.
func (e End) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// Fold is the value of a stream.
type Fold struct {
	ID     int
	Stream int
	End    End
	Of     *Expr // on the row; nil for Count and Any
	Type   value.Type
	Place  // of its first use

	// PerRequest tells that the value depends on the item asked for.
	PerRequest bool

	Segments []int // that depend on it, others' segments included, ascending
}
