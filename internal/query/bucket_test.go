package query

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine/block"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func labels(b *buckets) (out []string) {
	for i := range b.n() {
		out = append(out, b.label(i))
	}
	return out
}

func at(t testing.TB, text string) int64 {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v.UnixMilli()
}

func TestBuckets(t *testing.T) {
	cases := []struct {
		name, zone string
		r          Resolution
		from, to   string
		want       []string
	}{
		{"day that begins at one", "America/Sao_Paulo", Day, "2017-10-14T12:00:00-03:00", "2017-10-16T00:00:00-02:00",
			[]string{"2017-10-14T00:00:00-03:00", "2017-10-15T01:00:00-02:00"}},
		{"midnight twice", "America/Sao_Paulo", Day, "2018-02-17T00:00:00-02:00", "2018-02-18T00:00:01-03:00",
			[]string{"2018-02-17T00:00:00-02:00", "2018-02-18T00:00:00-03:00"}},
		{"hour twice", "Europe/Berlin", Hour, "2024-10-27T01:30:00+02:00", "2024-10-27T03:00:01+01:00",
			[]string{"2024-10-27T01:00:00+02:00", "2024-10-27T02:00:00+02:00", "2024-10-27T02:00:00+01:00", "2024-10-27T03:00:00+01:00"}},
		{"hour left out", "Europe/Berlin", Hour, "2024-03-31T01:00:00+01:00", "2024-03-31T04:00:00+02:00",
			[]string{"2024-03-31T01:00:00+01:00", "2024-03-31T03:00:00+02:00"}},
		{"quarter offset", "Asia/Kathmandu", Hour, "2024-05-01T00:00:00Z", "2024-05-01T01:30:00Z",
			[]string{"2024-05-01T05:00:00+05:45", "2024-05-01T06:00:00+05:45", "2024-05-01T07:00:00+05:45"}},
		{"half an hour of summer", "Australia/Lord_Howe", Hour, "2024-04-07T00:30:00+11:00", "2024-04-07T02:30:00+10:30",
			[]string{"2024-04-07T00:00:00+11:00", "2024-04-07T01:00:00+11:00", "2024-04-07T01:30:00+10:30", "2024-04-07T02:00:00+10:30"}},
		{"weeks", "UTC", Week, "2024-12-31T00:00:00Z", "2025-01-07T00:00:00Z", []string{"2024-12-30T00:00:00Z", "2025-01-06T00:00:00Z"}},
		{"months", "Europe/Berlin", Month, "2024-11-30T00:00:00+01:00", "2025-01-01T00:00:01+01:00",
			[]string{"2024-11-01T00:00:00+01:00", "2024-12-01T00:00:00+01:00", "2025-01-01T00:00:00+01:00"}},
		{"a day that never was", "Pacific/Apia", Day, "2011-12-29T00:00:00-10:00", "2012-01-01T00:00:00+14:00",
			[]string{"2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBuckets(c.r, zone(t, c.zone), time.Monday, at(t, c.from), at(t, c.to), MaxBuckets)
			if diff := cmp.Diff(c.want, labels(b)); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBucketOfEveryTime: each time lies in the bucket that its clock shows, and
// the table of a day says the same.
func TestBucketOfEveryTime(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Chatham", "Africa/Casablanca"}
	base := time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	rapid.Check(t, func(t *rapid.T) {
		loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		from := base + int64(rapid.IntRange(0, 900*24*12).Draw(t, "from"))*block.BucketMillis + int64(rapid.IntRange(0, 1).Draw(t, "ms"))
		to := from + int64(rapid.IntRange(1, 60*24*12).Draw(t, "length"))*block.BucketMillis/4 + 1
		r := Resolution(rapid.IntRange(0, int(Month)).Draw(t, "resolution"))
		first := time.Weekday(rapid.IntRange(0, 6).Draw(t, "week"))
		b := newBuckets(r, loc, first, from, to, 1<<30)
		for range 50 {
			at := rapid.Int64Range(from, to-1).Draw(t, "t")
			i := b.of(at)
			var table dayTable
			day := int(at / block.DayMillis)
			b.day(day, &table)
			if got := table[at%block.DayMillis/block.BucketMillis]; int(got) != i {
				t.Fatalf("%s: table has bucket %d, want %d", formatTime(at, loc), got, i)
			}
			if got, want := b.label(i), clockLabel(at, r, loc, first); got != want {
				t.Fatalf("%s %s: bucket %s, want %s", resolutionNames[r], formatTime(at, loc), got, want)
			}
		}
	})
}

// clockLabel walks back in 5-minute steps while the clock shows the same period.
func clockLabel(t int64, r Resolution, loc *time.Location, first time.Weekday) string {
	t = floorTo(t, block.BucketMillis)
	name := func(t int64) [4]int {
		l := time.UnixMilli(t).In(loc)
		year, month, day := l.Date()
		_, offset := l.Zone()
		switch r {
		case Hour:
			return [4]int{year, l.YearDay(), l.Hour(), offset}
		case Day:
			return [4]int{year, int(month), day}
		case Week:
			d := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
			d = d.AddDate(0, 0, -int(d.Weekday()-first+7)%7)
			return [4]int{d.Year(), d.YearDay()}
		case Month:
			return [4]int{year, int(month)}
		}
		return [4]int{int(t / block.BucketMillis)}
	}
	if r == Hour {
		l := time.UnixMilli(t).In(loc)
		start := t - int64(l.Minute())*60_000
		if begin, _ := l.ZoneBounds(); !begin.IsZero() {
			start = max(start, begin.UnixMilli())
		}
		return formatTime(start, loc)
	}
	want := name(t)
	for name(t-block.BucketMillis) == want {
		t -= block.BucketMillis
	}
	return formatTime(t, loc)
}

func TestPeriods(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	f := frame{loc: berlin, weekStart: time.Monday, now: at(t, "2024-04-03T10:00:00+02:00")}
	cases := []struct {
		name string
		r    Range
		c    Compare
		want [4]string // from, to, compared from, to
	}{
		{"day", Range{Period: "day"}, ComparePreviousPeriod, [4]string{"2024-04-03T00:00:00+02:00", "2024-04-03T10:00:00.001+02:00", "2024-04-02T00:00:00+02:00", "2024-04-02T10:00:00.001+02:00"}},
		{"week", Range{Period: "week"}, ComparePreviousWeek, [4]string{"2024-04-01T00:00:00+02:00", "2024-04-03T10:00:00.001+02:00", "2024-03-25T00:00:00+01:00", "2024-03-27T10:00:00.001+01:00"}},
		{"month", Range{Period: "month"}, ComparePreviousPeriod, [4]string{"2024-04-01T00:00:00+02:00", "2024-04-03T10:00:00.001+02:00", "2024-03-01T00:00:00+01:00", "2024-03-03T10:00:00.001+01:00"}},
		{"year", Range{Period: "year"}, CompareYear, [4]string{"2024-01-01T00:00:00+01:00", "2024-04-03T10:00:00.001+02:00", "2023-01-01T00:00:00+01:00", "2023-04-03T10:00:00.001+02:00"}},
		{"span", Range{Span: time.Hour}, ComparePreviousPeriod, [4]string{"2024-04-03T09:00:00.001+02:00", "2024-04-03T10:00:00.001+02:00", "2024-04-03T08:00:00.001+02:00", "2024-04-03T09:00:00.001+02:00"}},
		{"days across a change", Range{Pair: true, From: at(t, "2024-03-30T00:00:00+01:00"), To: at(t, "2024-04-02T00:00:00+02:00")}, ComparePreviousPeriod,
			[4]string{"2024-03-30T00:00:00+01:00", "2024-04-02T00:00:00+02:00", "2024-03-27T00:00:00+01:00", "2024-03-30T00:00:00+01:00"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := f.resolve(&c.r)
			prev := f.compared(c.c, &c.r, p)
			got := [4]string{formatTime(p.from, berlin), formatTime(p.to, berlin), formatTime(prev.from, berlin), formatTime(prev.to, berlin)}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
