package query

import "time"

// stamper writes many times of a zone: RFC 3339 with the offset. It remembers
// the day and the offset of the time before.
type stamper struct {
	loc        *time.Location
	begin, end int64 // the offset holds in begin ≤ t < end, milliseconds
	offset     int64
	suffix     string
	day        int64
	date       string
	out        []byte
}

// append writes a time to s.out.
func (s *stamper) append(t int64) {
	if t%1000 != 0 {
		s.out = append(s.out, formatTime(t, s.loc)...)
		return
	}
	if s.end <= t || t < s.begin || s.end == 0 {
		s.move(t)
	}
	local := t + s.offset
	day := floorTo(local, 86400_000)
	if s.date == "" || day != s.day {
		s.day, s.date = day, time.UnixMilli(day).UTC().Format(time.DateOnly)
	}
	seconds := int((local - day) / 1000)
	out := append(append(s.out, s.date...), 'T')
	out = append(two(out, seconds/3600), ':')
	out = append(two(out, seconds/60%60), ':')
	out = two(out, seconds%60)
	s.out = append(out, s.suffix...)
}

func two(out []byte, n int) []byte { return append(out, byte('0'+n/10), byte('0'+n%10)) }

func (s *stamper) move(t int64) {
	at := time.UnixMilli(t).In(s.loc)
	_, seconds := at.Zone()
	first, next := at.ZoneBounds()
	s.begin, s.end = -1<<62, 1<<62
	if !first.IsZero() {
		s.begin = first.UnixMilli()
	}
	if !next.IsZero() {
		s.end = next.UnixMilli()
	}
	s.offset, s.suffix, s.date = int64(seconds)*1000, at.Format("Z07:00"), ""
}
