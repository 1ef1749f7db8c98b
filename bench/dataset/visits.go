package dataset

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// Visits describes the data set of the memory promise: page views with random
// 36-character device, id and view ids, each followed by one engagement event.
type Visits struct {
	Seed    uint64
	Views   int
	Devices int
	Items   int
	Start   int64 // Unix milliseconds
	Days    int
}

// DefaultVisits has 10 M page views by 2 M devices on 26,000 articles in 29
// days that end at end (Unix milliseconds).
func DefaultVisits(end int64) Visits {
	return Visits{Seed: 7, Views: 10_000_000, Devices: 2_000_000, Items: 26_000, Start: end - 29*dayMillis, Days: 29}
}

// pageView is one page view; its ids follow from its number.
type pageView struct {
	time    int64
	device  uint32
	item    uint32
	engaged uint16 // seconds
	kind    uint8  // of its visit: device, referrer and so on
}

// WriteNDJSON writes the events in time order: 2 × Views lines. Visits have
// one to twelve page views, seconds to minutes apart; a device returns on
// several days. Every part of it comes from Seed.
func (v Visits) WriteNDJSON(w io.Writer) error {
	views := v.pageViews()
	b := bufio.NewWriterSize(w, 1<<20)
	var line []byte
	var waiting []engagement // in the order of their time
	for n := range views {
		p := &views[n]
		for len(waiting) > 0 && waiting[0].at <= p.time {
			line = v.appendEngagement(line[:0], views, waiting[0])
			waiting = waiting[1:]
			if _, err := b.Write(line); err != nil {
				return err
			}
		}
		line = v.appendView(line[:0], p, n)
		if _, err := b.Write(line); err != nil {
			return err
		}
		e := engagement{at: p.time + int64(p.engaged)*1000, view: n}
		at, _ := slices.BinarySearchFunc(waiting, e, func(a, b engagement) int { return cmp(a.at, b.at) })
		waiting = slices.Insert(waiting, at, e)
	}
	for _, e := range waiting {
		line = v.appendEngagement(line[:0], views, e)
		if _, err := b.Write(line); err != nil {
			return err
		}
	}
	return b.Flush()
}

// engagement is the ping that follows a page view.
type engagement struct {
	at   int64
	view int // number of the page view
}

func (v Visits) pageViews() []pageView {
	r := rand.New(rand.NewPCG(v.Seed, 0x7157))
	items := newZipf(v.Items, 1.0)
	views := make([]pageView, 0, v.Views)
	for device := 0; len(views) < v.Views; device = (device + 1) % v.Devices {
		// Visits go around the devices, so that each has its share; the
		// length varies.
		at := v.Start + int64(r.IntN(v.Days))*dayMillis + dayTime(r)
		kind := uint8(r.IntN(256))
		for n := 1 + skewed(r, 12); n > 0 && len(views) < v.Views; n-- {
			engaged := uint16(1 + skewed(r, 120))
			views = append(views, pageView{time: at, device: uint32(device), item: uint32(items.draw(r)), engaged: engaged, kind: kind})
			at += int64(engaged)*1000 + 1000 + int64(r.ExpFloat64()*20_000)
		}
	}
	slices.SortFunc(views, func(a, b pageView) int {
		if a.time != b.time {
			return cmp(a.time, b.time)
		}
		return cmp(a.device, b.device)
	})
	return views
}

// The kinds of ids that appendUUID makes.
const (
	uuidDevice = iota
	uuidView
	uuidID
	uuidPing
)

func (v Visits) appendView(dst []byte, p *pageView, n int) []byte {
	dst = append(dst, `{"type":"page_view","id":"`...)
	dst = v.appendUUID(dst, uuidID, n)
	dst = append(dst, `","view":"`...)
	dst = v.appendUUID(dst, uuidView, n)
	dst = append(dst, `","device":"`...)
	dst = v.appendUUID(dst, uuidDevice, int(p.device))
	dst = append(dst, `","time":`...)
	dst = strconv.AppendInt(dst, p.time, 10)
	dst = fmt.Appendf(dst, `,"item":"a%d","properties":{"device_group":"%d","environment":"%d","os_code":"%d","country_code":"%d","region_code":"%d","referrer_type":"%d"}}`,
		p.item, p.kind%4, p.kind/4%3, p.kind%19, p.kind/16%11, p.device%28, p.kind/8%7)
	return append(dst, '\n')
}

func (v Visits) appendEngagement(dst []byte, views []pageView, e engagement) []byte {
	p := &views[e.view]
	dst = append(dst, `{"type":"engagement","id":"`...)
	dst = v.appendUUID(dst, uuidPing, e.view)
	dst = append(dst, `","view":"`...)
	dst = v.appendUUID(dst, uuidView, e.view)
	dst = append(dst, `","device":"`...)
	dst = v.appendUUID(dst, uuidDevice, int(p.device))
	dst = fmt.Appendf(dst, `","time":%d,"engaged_seconds":%d,"scroll_percent":%d}`, e.at, p.engaged, min(100, int(p.engaged)))
	return append(dst, '\n')
}

// appendUUID appends 36 characters in the form of a random UUID that follow
// from the seed, the kind and the number.
func (v Visits) appendUUID(dst []byte, kind, n int) []byte {
	const digits = "0123456789abcdef"
	a := Mix(v.Seed ^ Mix(uint64(kind)<<56|uint64(n)))
	b := Mix(a)
	for i := range 36 {
		switch i {
		case 8, 13, 18, 23:
			dst = append(dst, '-')
			continue
		case 14:
			dst = append(dst, '4')
			continue
		}
		dst = append(dst, digits[a&15])
		a = a>>4 | b<<60
		b >>= 4
	}
	return dst
}

// Mix is the finalizer of splitmix64: a permutation that looks random, as the
// keyed hashes of ids do.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// DayCount is what one UTC day, or span, of the data set holds. Engaged is in
// seconds.
type DayCount struct{ Views, Visitors, Engaged int }

// Since counts the page views from an instant on, Unix milliseconds, and their
// devices.
func (v Visits) Since(from int64) (c DayCount) {
	seen := make([]bool, v.Devices)
	for _, p := range v.pageViews() {
		if p.time < from {
			continue
		}
		c.Views++
		c.Engaged += int(p.engaged)
		if !seen[p.device] {
			seen[p.device] = true
			c.Visitors++
		}
	}
	return c
}

// PerDay counts the days plainly, by their date.
func (v Visits) PerDay() map[string]DayCount {
	type deviceDay struct {
		device uint32
		day    int64
	}
	days, seen := map[int64]DayCount{}, map[deviceDay]struct{}{}
	for _, p := range v.pageViews() {
		day := p.time / dayMillis
		c := days[day]
		c.Views++
		c.Engaged += int(p.engaged)
		if _, ok := seen[deviceDay{p.device, day}]; !ok {
			seen[deviceDay{p.device, day}] = struct{}{}
			c.Visitors++
		}
		days[day] = c
	}
	named := make(map[string]DayCount, len(days))
	for day, c := range days {
		named[time.UnixMilli(day*dayMillis).UTC().Format(time.DateOnly)] = c
	}
	return named
}
