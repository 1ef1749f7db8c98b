// Package dataset makes the events that benchmarks and acceptance tests run
// on. Everything comes from fixed seeds, so that two runs measure the same
// input: a click log like a news portal's (Synthetic, or the real one with
// Globo), repeated over more days (Repeat), and the visits that the memory
// promise is measured on (Visits).
package dataset

import (
	"bufio"
	"io"
	"slices"
	"strconv"
)

// Click is one page view of a click log. Codes are small integers without a
// key; they become properties.
type Click struct {
	Time     int64  // Unix milliseconds UTC
	Session  uint64 // only part of the event's id
	Reader   uint32
	Item     uint32
	Group    uint8 // device group
	Env      uint8
	OS       uint8
	Country  uint8
	Region   uint8
	Referrer uint8
	Copy     uint8 // which repetition of Repeat; part of the event's id
}

// PropertyNames are the names of a Click's codes, in the order of Codes.
var PropertyNames = [6]string{"device_group", "environment", "os_code", "country_code", "region_code", "referrer_type"}

// Codes returns the codes in the order of PropertyNames.
func (c *Click) Codes() [6]uint8 {
	return [6]uint8{c.Group, c.Env, c.OS, c.Country, c.Region, c.Referrer}
}

// AppendID appends the event's id: unique in a log and in every Repeat of it.
func (c *Click) AppendID(dst []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(c.Reader), 10)
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, c.Session, 10)
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, uint64(c.Item), 10)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, c.Time, 10)
	if c.Copy > 0 {
		dst = append(dst, '-')
		dst = strconv.AppendUint(dst, uint64(c.Copy), 10)
	}
	return dst
}

// AppendJSON appends the click as one line of NDJSON, a page_view event.
func (c *Click) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"id":"`...)
	dst = c.AppendID(dst)
	dst = append(dst, `","type":"page_view","time":`...)
	dst = strconv.AppendInt(dst, c.Time, 10)
	dst = append(dst, `,"device":"`...)
	dst = strconv.AppendUint(dst, uint64(c.Reader), 10)
	dst = append(dst, `","item":"`...)
	dst = strconv.AppendUint(dst, uint64(c.Item), 10)
	dst = append(dst, `","properties":{`...)
	for i, code := range c.Codes() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, PropertyNames[i]...)
		dst = append(dst, `":"`...)
		dst = strconv.AppendUint(dst, uint64(code), 10)
		dst = append(dst, '"')
	}
	return append(dst, "}}\n"...)
}

// WriteNDJSON writes the clicks one a line, in their order.
func WriteNDJSON(w io.Writer, clicks []Click) error {
	b := bufio.NewWriterSize(w, 1<<20)
	var line []byte
	for i := range clicks {
		line = clicks[i].AppendJSON(line[:0])
		if _, err := b.Write(line); err != nil {
			return err
		}
	}
	return b.Flush()
}

// Sort brings clicks into time order; equal times by reader, session, item.
func Sort(clicks []Click) {
	slices.SortFunc(clicks, func(a, b Click) int {
		switch {
		case a.Time != b.Time:
			return cmp(a.Time, b.Time)
		case a.Reader != b.Reader:
			return cmp(a.Reader, b.Reader)
		case a.Session != b.Session:
			return cmp(a.Session, b.Session)
		case a.Item != b.Item:
			return cmp(a.Item, b.Item)
		}
		return cmp(a.Copy, b.Copy)
	})
}

func cmp[T int64 | uint64 | uint32 | uint8](a, b T) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

const dayMillis = 24 * 3600 * 1000

// Repeat returns n clicks in time order: clicks again and again, each
// repetition three days after the one before. Stragglers more than ten days
// after the first click are left out when it repeats, so that 10 M clicks of a
// nine-day log fit a window of 30 days. With n ≤ len(clicks) it returns the
// first n.
func Repeat(clicks []Click, n int) []Click {
	if n <= len(clicks) {
		return clicks[:n]
	}
	end := clicks[0].Time + 10*dayMillis
	base := clicks
	for len(base) > 0 && base[len(base)-1].Time >= end {
		base = base[:len(base)-1]
	}
	out := make([]Click, 0, n)
	for k := uint8(0); len(out) < n; k++ {
		for i := range base {
			if len(out) == n {
				break
			}
			c := base[i]
			c.Time += int64(k) * 3 * dayMillis
			c.Copy = k
			out = append(out, c)
		}
	}
	Sort(out)
	return out
}
