// Package schema is what a program is checked against: the calendar and window
// of its site, the names that are known there, and what a program may cost.
package schema

import (
	"time"

	"github.com/readership/readership/internal/rubric/value"
)

const day = 24 * 3600_000

// MaxBurns is the longest window over burns, in milliseconds.
const MaxBurns = 400 * day

// Schema describes one site. It is not changed by a check.
type Schema struct {
	Calendar value.Calendar
	Window   int64 // of events, in milliseconds

	// Names that the site has seen, in any order. A program may name others: it
	// gets a warning, or for an attribute an error. Nil for properties, traits or
	// entitlements means that it is not known which there are: no warnings.
	Properties, Traits, Entitlements []string
	Attributes                       []string

	Limits Limits
}

// Limits bound what a program may cost. The zero value of each means its
// default.
type Limits struct {
	Nodes          int64 // of one definition's expressions, written out; 10,000
	Stages         int64 // of one definition's streams, written out; 1,000
	Definitions    int64 // segments, meters, access blocks and metrics; 2,000
	BytesPerReader int64 // of all definitions; 16,384
	NanosPerEvent  int64 // of all segments together and of each access block; 200,000
}

// WithDefaults returns the limits with defaults where nothing is set.
func (l Limits) WithDefaults() Limits {
	set := func(n *int64, v int64) {
		if *n == 0 {
			*n = v
		}
	}
	set(&l.Nodes, 10_000)
	set(&l.Stages, 1000)
	set(&l.Definitions, 2000)
	set(&l.BytesPerReader, 16_384)
	set(&l.NanosPerEvent, 200_000)
	return l
}

// Default returns the schema of a site of which nothing is known: UTC, weeks
// from Monday, a window of 30 days.
func Default() *Schema {
	return &Schema{Calendar: value.Calendar{Zone: time.UTC, WeekStart: time.Monday}, Window: 30 * day}
}
