package value_test

import (
	"testing"
	"time"

	"github.com/readership/readership/internal/rubric/value"
	"pgregory.net/rapid"
)

// zones change their clocks at 1, 2 and 3 o'clock, at midnight (both ways), by
// half an hour, and by a whole day.
var zones = []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "America/Havana", "Pacific/Apia", "Asia/Kathmandu", "Africa/Cairo"}

func calendar(t rapid.TB, zone string) value.Calendar {
	z, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return value.Calendar{Zone: z, WeekStart: time.Monday}
}

// period names the period that an instant is in.
func period(c value.Calendar, p value.Period, ms int64) string {
	t := time.UnixMilli(ms).In(c.Zone)
	switch p {
	case value.Month:
		return t.Format("2006-01")
	case value.Week:
		back := (int(t.Weekday()) - int(c.WeekStart) + 7) % 7
		return time.Date(t.Year(), t.Month(), t.Day()-back, 12, 0, 0, 0, time.UTC).Format("2006-01-02")
	default:
		return t.Format("2006-01-02")
	}
}

// Start is the first instant of the period, Next the first after it.
func TestPeriods(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := calendar(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		c.WeekStart = time.Weekday(rapid.IntRange(0, 6).Draw(t, "week start"))
		p := value.Period(rapid.IntRange(0, 2).Draw(t, "period"))
		from, to := time.Date(1995, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		ms := rapid.Int64Range(from.UnixMilli(), to.UnixMilli()).Draw(t, "at")
		if rapid.Bool().Draw(t, "near a change") {
			_, end := time.UnixMilli(ms).In(c.Zone).ZoneBounds()
			if !end.IsZero() {
				ms = end.UnixMilli() + rapid.Int64Range(-4*3600_000, 4*3600_000).Draw(t, "off")
			}
		}
		start, next := c.Start(p, ms), c.Next(p, ms)
		name := period(c, p, ms)
		if start > ms || next <= ms || next-start > p.Longest() {
			t.Fatalf("%s of %d is %d to %d", p, ms, start, next)
		}
		if period(c, p, start) != name || period(c, p, start-1) == name {
			t.Errorf("%s %s in %s begins at %s", p, name, c.Zone, time.UnixMilli(start).In(c.Zone))
		}
		if period(c, p, next-1) != name || period(c, p, next) == name || c.Start(p, next) != next {
			t.Errorf("%s %s in %s ends at %s", p, name, c.Zone, time.UnixMilli(next).In(c.Zone))
		}
	})
}

// Days whose beginning is not plain.
func TestMidnights(t *testing.T) {
	for _, c := range []struct{ zone, at, start string }{
		{"Europe/Berlin", "2026-03-29T12:00:00+02:00", "2026-03-29T00:00:00+01:00"},
		{"Europe/Berlin", "2026-10-25T12:00:00+01:00", "2026-10-25T00:00:00+02:00"},
		{"America/Sao_Paulo", "2018-11-04T12:00:00-02:00", "2018-11-04T01:00:00-02:00"}, // no 00:00
		{"America/Sao_Paulo", "2018-02-17T23:30:00-03:00", "2018-02-17T00:00:00-02:00"}, // 23:00 comes twice
		{"America/Havana", "2026-11-01T12:00:00-05:00", "2026-11-01T00:00:00-04:00"},    // 00:00 comes twice
		{"Pacific/Apia", "2011-12-31T12:00:00+14:00", "2011-12-31T00:00:00+14:00"},      // the day before is none
	} {
		at, _ := time.Parse(time.RFC3339, c.at)
		got := calendar(t, c.zone).Start(value.Day, at.UnixMilli())
		want, _ := time.Parse(time.RFC3339, c.start)
		if got != want.UnixMilli() {
			t.Errorf("%s: the day of %s begins at %s, want %s", c.zone, c.at, time.UnixMilli(got).UTC(), want.UTC())
		}
	}
}

func TestHourAndWeekday(t *testing.T) {
	at := time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC) // a Sunday; Monday in Berlin
	for zone, want := range map[string][2]int64{"UTC": {23, 7}, "Europe/Berlin": {0, 1}} {
		c := calendar(t, zone)
		v := value.OfTime(at.UnixMilli())
		if c.Hour(v).N != want[0] || c.Weekday(v).N != want[1] {
			t.Errorf("%s: hour %s, weekday %s, want %v", zone, c.Hour(v), c.Weekday(v), want)
		}
	}
}
