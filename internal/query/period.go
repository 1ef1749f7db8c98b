package query

import (
	"fmt"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
)

// frame is where the times of a question are placed: a zone, a calendar, now.
type frame struct {
	loc       *time.Location
	weekStart time.Weekday
	now       int64
}

// frameOf returns the frame of a question to a site.
func frameOf(q *Query, site *event.Site, now int64) frame {
	f := frame{loc: q.Timezone, weekStart: time.Monday, now: now}
	if f.loc == nil {
		loc, err := time.LoadLocation(site.Timezone)
		if err != nil {
			loc = time.UTC // the API refuses unknown zones; an old fact may hold one
		}
		f.loc = loc
	}
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(site.WeekStart, d.String()) {
			f.weekStart = d
		}
	}
	return f
}

// period is a resolved range: from ≤ t < to, Unix milliseconds.
type period struct{ from, to int64 }

// resolve places a range.
func (f *frame) resolve(r *Range) period {
	switch {
	case r.Pair:
		return period{r.From, r.To}
	case r.Span > 0:
		return period{f.now - r.Span.Milliseconds() + 1, f.now + 1}
	}
	return period{f.periodStart(r.Period, 0), f.now + 1}
}

// periodStart returns the start of the calendar period of now, or of the one
// that many periods before.
func (f *frame) periodStart(unit string, before int) int64 {
	year, month, day := time.UnixMilli(f.now).In(f.loc).Date()
	switch unit {
	case "day":
		day -= before
	case "week":
		weekday := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday()
		day -= int(weekday-f.weekStart+7)%7 + 7*before
	case "month":
		day = 1
		month -= time.Month(before)
	case "year":
		month, day = 1, 1
		year -= before
	}
	return startOfDay(year, month, day, f.loc)
}

// compared returns the period that p is compared with.
func (f *frame) compared(c Compare, r *Range, p period) period {
	switch c {
	case ComparePreviousWeek:
		return period{f.shift(p.from, 0, -7), f.shift(p.to, 0, -7)}
	case CompareYear:
		return period{f.shift(p.from, -1, 0), f.shift(p.to, -1, 0)}
	}
	if r.Period != "" {
		// So far in this month against as much of the last one, at most all of it.
		from := f.periodStart(r.Period, 1)
		return period{from, min(from+p.to-p.from, p.from)}
	}
	if days, ok := f.wholeDays(p); ok {
		return period{f.shift(p.from, 0, -days), p.from}
	}
	return period{p.from - (p.to - p.from), p.from}
}

// shift moves an instant by the calendar and keeps the clock's reading.
func (f *frame) shift(t int64, years, days int) int64 {
	at := time.UnixMilli(t).In(f.loc)
	return at.AddDate(years, 0, days).UnixMilli()
}

// wholeDays returns the number of days of a period between two midnights.
func (f *frame) wholeDays(p period) (int, bool) {
	if p.to-p.from > int64(100*366*24*time.Hour/time.Millisecond) {
		return 0, false
	}
	number := func(t int64) (int, bool) {
		year, month, day := time.UnixMilli(t).In(f.loc).Date()
		return int(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400), startOfDay(year, month, day, f.loc) == t
	}
	first, ok1 := number(p.from)
	last, ok2 := number(p.to)
	return last - first, ok1 && ok2
}

// clip cuts a period to what the window holds and to now, and says so.
func (f *frame) clip(p period, window int64, cut, what string, warnings *[]string) period {
	warn := func(format string, args ...any) { *warnings = append(*warnings, fmt.Sprintf(format, args...)) }
	if p.from < window {
		why := ""
		if cut != "" {
			why = ", cut short by " + cut
		}
		warn("%s begins before the window%s: what lies before %s is empty", what, why, formatTime(window, f.loc))
		p.from = window
	}
	if p.to > f.now+1 {
		warn("%s ends after now: what lies after %s is empty", what, formatTime(f.now, f.loc))
		p.to = f.now + 1
	}
	p.to = max(p.to, p.from)
	return p
}
