package query

import (
	"github.com/readership/readership/internal/event"
)

// Result is an answer. Metrics are NaN where there is no number.
type Result struct {
	Query    *Query
	Rows     []Row
	Totals   []float64 // nil unless asked for
	Compared []float64 // the totals of the period compared with; nil unless asked for

	AsOf       int64 // the site's now, Unix milliseconds
	At         event.Position
	TookMillis float64
	Exact      bool // false where a property that was asked for may not have been kept
	Warnings   []string
	TimeLabels []string // nil unless asked for

	frame frame
	from  period // as resolved
	prev  period
}

// Row is one group of an answer.
type Row struct {
	Dimensions []string
	Metrics    []float64
	Compared   []float64 // of the period compared with; nil unless asked for
}

// Position returns the position in the log that the answer includes.
func (r *Result) Position() event.Position { return r.At }

// change returns how a metric changed, as a share; ok is false where there is
// nothing to compare with.
func change(now, before float64) (share float64, ok bool) {
	if before == 0 || now-now != 0 || before-before != 0 {
		return 0, false
	}
	return (now - before) / before, true
}
