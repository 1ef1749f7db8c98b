package query

import (
	"sort"
	"time"
	_ "time/tzdata" // answers must not depend on the machine's zone files

	"github.com/readership/readership/internal/engine/block"
)

// Resolution is the length of the buckets of a time dimension.
type Resolution uint8

// The resolutions.
const (
	FiveMinutes Resolution = iota
	Hour
	Day
	Week
	Month
)

var resolutionNames = []string{"5min", "hour", "day", "week", "month"}

func resolutionByName(name string) (Resolution, bool) {
	for r, n := range resolutionNames {
		if n == name {
			return Resolution(r), true
		}
	}
	return 0, false
}

// buckets divides a range of time. Bucket i holds starts[i] ≤ t < starts[i+1];
// the last holds all that is later.
// A bucket lies between 5-minute borders of UTC: every offset in use since 1972
// is a multiple of 15 minutes.
type buckets struct {
	loc    *time.Location
	starts []int64 // Unix milliseconds, ascending
}

// n returns the number of buckets.
func (b *buckets) n() int { return len(b.starts) }

// label returns the start of bucket i: RFC 3339 with the zone's offset.
func (b *buckets) label(i int) string { return formatTime(b.starts[i], b.loc) }

func formatTime(millis int64, loc *time.Location) string {
	return time.UnixMilli(millis).In(loc).Format("2006-01-02T15:04:05.999Z07:00")
}

// of returns the bucket of t, which lies in the range.
func (b *buckets) of(t int64) int {
	return sort.Search(len(b.starts), func(i int) bool { return b.starts[i] > t }) - 1
}

// dayTable holds the bucket of each 5 minutes of a day. It has 512 places, so
// that a masked index needs no check.
type dayTable [512]uint32

// at returns the bucket of a time in milliseconds of the day.
func (d *dayTable) at(t uint32) uint32 { return d[t/block.BucketMillis&511] }

// day fills table with the bucket of each 5 minutes of a UTC day; what lies
// outside the range gets the nearest bucket.
func (b *buckets) day(day int, table *dayTable) {
	start := int64(day) * block.DayMillis
	i := max(b.of(start), 0)
	last := len(b.starts) - 1
	for k := range block.Buckets {
		t := start + int64(k)*block.BucketMillis
		for i < last && b.starts[i+1] <= t {
			i++
		}
		table[k] = uint32(i)
	}
}

// newBuckets divides from ≤ t < to; it stops after limit+1 buckets.
func newBuckets(r Resolution, loc *time.Location, weekStart time.Weekday, from, to int64, limit int) *buckets {
	b := &buckets{loc: loc}
	switch r {
	case FiveMinutes:
		for t := floorTo(from, block.BucketMillis); t < to && len(b.starts) <= limit; t += block.BucketMillis {
			b.starts = append(b.starts, t)
		}
	case Hour:
		b.hours(from, to, limit)
	default:
		year, month, day := time.UnixMilli(from).In(loc).Date()
		switch r {
		case Week:
			weekday := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday()
			day -= int(weekday-weekStart+7) % 7
		case Month:
			day = 1
		}
		for len(b.starts) <= limit {
			t := startOfDay(year, month, day, loc)
			if t >= to && len(b.starts) > 0 {
				break
			}
			if n := len(b.starts); n == 0 || b.starts[n-1] < t { // a zone may skip a day
				b.starts = append(b.starts, t)
			}
			switch r {
			case Day:
				day++
			case Week:
				day += 7
			case Month:
				month++
			}
		}
	}
	return b
}

// hours divides by the hours of the zone's clock. An hour that the clock shows
// twice makes two buckets, told apart by the offset; where the clock jumps
// within an hour, a bucket begins at the jump.
func (b *buckets) hours(from, to int64, limit int) {
	const hour = int64(time.Hour / time.Millisecond)
	for t := from; t < to; {
		offset, begin, end := zoneAt(t, b.loc)
		label := max(floorTo(t+offset, hour)-offset, begin)
		for label < min(end, to) {
			if b.starts = append(b.starts, label); len(b.starts) > limit {
				return
			}
			label = floorTo(label+offset, hour) - offset + hour
		}
		t = end
	}
}

// zoneAt returns the zone's offset at an instant in milliseconds, to a multiple
// of 5 minutes, and from when to when it holds.
func zoneAt(t int64, loc *time.Location) (offset, begin, end int64) {
	at := time.UnixMilli(t).In(loc)
	_, seconds := at.Zone()
	first, next := at.ZoneBounds()
	begin, end = -1<<62, 1<<62
	if !first.IsZero() {
		begin = first.UnixMilli()
	}
	if !next.IsZero() {
		end = next.UnixMilli()
	}
	return floorTo(int64(seconds)*1000, block.BucketMillis), begin, max(end, t+1)
}

// startOfDay returns the first instant that the zone's clock shows that day or
// a later one. Month and day may lie outside their usual range.
func startOfDay(year int, month time.Month, day int, loc *time.Location) int64 {
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).UnixMilli()
	// No zone is more than 15 hours off UTC.
	t := midnight - int64(15*time.Hour/time.Millisecond)
	for first := true; ; first = false {
		offset, _, end := zoneAt(t, loc)
		candidate := midnight - offset
		if candidate < t && !first {
			return t // the clock was put past midnight
		}
		if candidate < end {
			return candidate
		}
		t = end
	}
}

func floorTo(t, unit int64) int64 {
	r := t % unit
	if r < 0 {
		r += unit
	}
	return t - r
}
