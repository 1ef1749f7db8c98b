package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxJump is how far one event may move a site's event clock without the
// import allowing it.
const maxJump = 7 * 24 * time.Hour

// scan is what a first pass over the files found, in the order they are sent.
type scan struct {
	lines   int64
	timed   int64
	min     int64 // Unix milliseconds, of the lines with a time
	max     int64
	before  int64 // lines older than the window when they arrive
	jumps   int64 // lines that move an event clock too far at once
	leaving int64 // lines inside the window that the later ones push out of it
}

// rule is what a site does with times. Clock and window are milliseconds.
type rule struct {
	known    bool  // false: the key may not read the site
	event    bool  // the clock is the greatest event time
	clock    int64 // the site's now; 0: an event clock that is not set yet
	window   int64
	advance  bool
	perHour  map[int64]int64
	lastHour int64
	inHour   int64
}

// see counts one line with a time.
func (s *scan) see(ms int64, r *rule) {
	if s.timed == 0 || ms < s.min {
		s.min = ms
	}
	if s.timed == 0 || ms > s.max {
		s.max = ms
	}
	s.timed++
	if !r.known {
		return
	}
	switch {
	case r.event && r.clock != 0 && ms > r.clock+maxJump.Milliseconds() && !r.advance:
		s.jumps++
		return
	case r.event && ms > r.clock:
		r.clock = ms
	}
	if ms < r.clock-r.window {
		s.before++
		return
	}
	if r.event {
		r.count(ms)
	}
}

const hourMillis = 3600_000

// count keeps how many lines each hour has, to tell what will have left the
// window when the last line is in.
func (r *rule) count(ms int64) {
	hour := ms / hourMillis
	if hour != r.lastHour {
		r.flush()
		r.lastHour = hour
	}
	r.inHour++
}

func (r *rule) flush() {
	if r.inHour > 0 {
		if r.perHour == nil {
			r.perHour = make(map[int64]int64)
		}
		r.perHour[r.lastHour] += r.inHour
		r.inHour = 0
	}
}

// finish sums up what leaves. Whole hours only: it says "about".
func (s *scan) finish(r *rule) {
	r.flush()
	for hour, n := range r.perHour {
		if (hour+1)*hourMillis <= r.clock-r.window {
			s.leaving += n
		}
	}
}

// scanFile reads the times of a file's lines. parser is nil for events.
func (s *scan) scanFile(src *source, parser *Parser, r *rule) error {
	var entry Entry
	for {
		line, err := src.next()
		if errors.Is(err, errLongLine) {
			s.lines++
			continue
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		s.lines++
		if parser == nil {
			if ms, ok := eventTime(line); ok {
				s.see(ms, r)
			}
			continue
		}
		if parser.Parse(line, &entry) == nil {
			s.see(entry.Time, r)
		}
	}
}

// sentence is the first line that an import prints: what lies outside the
// window.
func (s *scan) sentence(site string, r *rule, window string) string {
	const day = "2 Jan 2006 15:04"
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(day) }
	span := ""
	if s.timed > 0 {
		span = fmt.Sprintf(" from %s to %s UTC", at(s.min), at(s.max))
	}
	text := fmt.Sprintf("%s%s; ", plural(s.lines, "line"), span)
	switch {
	case !r.known:
		return text + fmt.Sprintf("the key may not read site %q (scope sites:read), so what lies outside its window shows when it is sent", site)
	case s.before == 0 && s.jumps == 0 && s.leaving == 0:
		return text + fmt.Sprintf("none lies outside the window of site %q (%s)", site, window)
	}
	var parts []string
	if s.before > 0 {
		parts = append(parts, fmt.Sprintf("%s outside the window of site %q (%s) and will be rejected", lie(s.before), site, window))
	}
	if s.jumps > 0 {
		parts = append(parts, fmt.Sprintf("%s more than 7 days ahead of the site's clock and will be rejected (--advance allows it)", lie(s.jumps)))
	}
	if s.leaving > 0 {
		parts = append(parts, fmt.Sprintf("about %s left the window of site %q (%s) when the last line is in", have(s.leaving), site, window))
	}
	for i, p := range parts {
		if i > 0 {
			text += "; "
		}
		text += p
	}
	return text
}

func lie(n int64) string {
	if n == 1 {
		return "1 lies"
	}
	return thousands(n) + " lie"
}

func have(n int64) string {
	if n == 1 {
		return "1 has"
	}
	return thousands(n) + " have"
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// thousands writes n with commas.
func thousands(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
