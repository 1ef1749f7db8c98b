package query

import (
	"regexp"
	"time"
)

// Limits of a question, from docs/querying.md.
const (
	MaxMetrics     = 20
	MaxDimensions  = 8
	MaxLimit       = 10_000
	MaxOffset      = 1_000_000
	MaxFilterNodes = 500
	MaxFilterDepth = 16
	MaxValues      = 1_000
	MaxTextBytes   = 2_048
	MaxBuckets     = 100_000
	DefaultLimit   = 100
)

// Query is a question that has been read and found valid by itself.
// Answering it does not change it.
type Query struct {
	Metrics    []Metric
	Dimensions []Dimension
	Range      Range
	Filter     *Filter // nil keeps every row
	Order      []Order
	Limit      int
	Offset     int
	Totals     bool
	TimeLabels bool
	Timezone   *time.Location // nil: the site's
	Compare    Compare

	body map[string]any // as asked, for the echo
}

// Range is a span of time as asked. Exactly one of its forms is set.
type Range struct {
	Pair     bool
	From, To int64         // Unix milliseconds: From ≤ t < To
	Span     time.Duration // up to now, now included
	Period   string        // day, week, month, year: from its beginning to now
}

// Compare says what a period is compared with.
type Compare string

// What a period can be compared with.
const (
	CompareNone           Compare = ""
	ComparePreviousPeriod Compare = "previous_period"
	ComparePreviousWeek   Compare = "previous_week"
	CompareYear           Compare = "year"
)

// Order is one key of the order of groups.
type Order struct {
	Metric    int // place in Query.Metrics; -1: by Dimension
	Dimension int // place in Query.Dimensions
	Desc      bool
}

// Op is what a node of a filter does.
type Op uint8

// The operators of filters.
const (
	OpIs Op = iota
	OpIsNot
	OpContains
	OpMatches
	OpGreater
	OpLess
	OpAnd
	OpOr
	OpNot
)

var opNames = []string{"is", "is_not", "contains", "matches", "gt", "lt", "and", "or", "not"}

// Filter is a node of a filter: a test of a column or a combination.
type Filter struct {
	Op        Op
	Dimension Dimension // of a test
	Values    []string  // of a test
	Subs      []*Filter // of a combination

	segment  bool             // Values[0] must be the name of a segment
	patterns []*regexp.Regexp // of OpMatches
	numbers  []float64        // of OpGreater, OpLess
	location string           // in the request
}

// each calls fn with every test of the tree.
func (f *Filter) each(fn func(*Filter)) {
	if f == nil {
		return
	}
	if f.Op < OpAnd {
		fn(f)
	}
	for _, s := range f.Subs {
		s.each(fn)
	}
}

// timeDimension returns the place of the time dimension, -1 if there is none.
func (q *Query) timeDimension() int {
	for i := range q.Dimensions {
		if q.Dimensions[i].Kind == KindTime {
			return i
		}
	}
	return -1
}
