package incremental

import (
	"slices"
	"sort"
	"time"

	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// clock knows the periods of the calendar that were asked for: working one out
// takes longer than most of what asks for it.
type clock struct {
	calendar value.Calendar
	periods  [value.NumPeriods][2]period // of now and of rows, those asked for last: instants that follow each other mostly lie in the same
	known    [value.NumPeriods][]period  // in order, maxKnown at most
}

type period struct{ start, next int64 }

const (
	ofNow = iota
	ofRow
)

// maxKnown bounds the periods of a kind that are remembered: more days than a
// window has.
const maxKnown = 512

// period returns the period that an instant is in.
func (c *clock) period(p value.Period, ms int64, of int) period {
	last := &c.periods[p][of]
	if ms < last.start || ms >= last.next {
		*last = c.find(p, ms)
	}
	return *last
}

// find looks a period up among those that are known.
func (c *clock) find(p value.Period, ms int64) period {
	known := c.known[p]
	i := sort.Search(len(known), func(i int) bool { return known[i].next > ms })
	if i < len(known) && known[i].start <= ms {
		return known[i]
	}
	found := period{c.calendar.Start(p, ms), c.calendar.Next(p, ms)}
	if len(known) == maxKnown {
		known, i = known[:0], 0
	}
	c.known[p] = slices.Insert(known, i, found)
	return found
}

// from returns the earliest time that a row in a window has at an instant.
func (c *clock) from(w *plan.Window, now int64) int64 {
	plain := *w
	plain.Periods = 0
	from := plain.From(now, c.calendar)
	for p := range value.NumPeriods {
		if w.Periods.Has(p) {
			from = max(from, c.period(p, now, ofNow).start)
		}
	}
	return from
}

// border returns the end of the first of some periods to end.
func (c *clock) border(periods plan.Periods, now int64) int64 {
	next := int64(Never)
	for p := range value.NumPeriods {
		if periods.Has(p) {
			next = min(next, c.period(p, now, ofNow).next)
		}
	}
	return next
}

// nextHour returns the first instant after now at which its hour or weekday may
// be another.
func (c *clock) nextHour(now int64) int64 {
	t := time.UnixMilli(now).In(c.calendar.Zone)
	into := time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
	next := t.Add(time.Hour - into)
	if _, end := t.ZoneBounds(); !end.IsZero() && end.Before(next) {
		next = end
	}
	return next.UnixMilli()
}
