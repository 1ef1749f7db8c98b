package value

import "time"

// Period is a part of the calendar.
type Period uint8

// Periods.
const (
	Day Period = iota
	Week
	Month
	NumPeriods
)

var periodNames = [...]string{Day: "day", Week: "week", Month: "month"}

// String returns the period as it is written.
func (p Period) String() string { return periodNames[p] }

// MarshalText writes the period as it is written.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Longest returns the most milliseconds that a period has: a day has 25 hours
// when clocks are set back, and zones have changed by more than one hour.
func (p Period) Longest() int64 {
	const hour = 3600_000
	days := [...]int64{Day: 1, Week: 7, Month: 31}
	return days[p]*24*hour + 2*hour
}

// Calendar is a time zone and the day on which weeks begin.
type Calendar struct {
	Zone      *time.Location
	WeekStart time.Weekday
}

// Start returns the first instant of the period that an instant is in. Both are
// Unix milliseconds.
func (c Calendar) Start(p Period, ms int64) int64 { return c.start(p, ms, 0) }

// Next returns the first instant of the period after the one that an instant is
// in: the earliest at which Start gives another answer.
func (c Calendar) Next(p Period, ms int64) int64 { return c.start(p, ms, 1) }

func (c Calendar) start(p Period, ms int64, add int) int64 {
	t := time.UnixMilli(ms).In(c.Zone)
	y, m, d := t.Date()
	switch p {
	case Week:
		d -= (int(t.Weekday()) - int(c.WeekStart) + 7) % 7
		d += 7 * add
	case Month:
		m, d = m+time.Month(add), 1
	default:
		d += add
	}
	return c.midnight(y, m, d).UnixMilli()
}

// midnight returns the first instant of a day. Where clocks are changed at
// midnight that is not always 00:00, and 00:00 may come twice.
func (c Calendar) midnight(y int, m time.Month, d int) time.Time {
	utc := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	t := time.Date(y, m, d, 0, 0, 0, 0, c.Zone)
	start, end := t.ZoneBounds()
	shown := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	switch {
	case shown.Before(utc): // there is no 00:00, and t lies before the jump
		return end
	case shown.After(utc): // t lies behind it
		return start
	case start.IsZero():
		return t
	}
	_, offset := start.Add(-time.Millisecond).Zone()
	if first := utc.Add(-time.Duration(offset) * time.Second); first.Before(start) {
		return first
	}
	return t
}

// Hour returns the hour of the day of a time, 0 to 23.
func (c Calendar) Hour(v Value) Value {
	if v.Type != Time {
		return Value{}
	}
	return OfInt(int64(time.UnixMilli(v.N).In(c.Zone).Hour()))
}

// Weekday returns the day of the week of a time: 1 for Monday to 7 for Sunday,
// whatever day weeks begin on.
func (c Calendar) Weekday(v Value) Value {
	if v.Type != Time {
		return Value{}
	}
	return OfInt(int64(time.UnixMilli(v.N).In(c.Zone).Weekday()+6)%7 + 1)
}
