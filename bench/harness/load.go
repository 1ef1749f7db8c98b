package harness

import (
	"context"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Load is a stream of collection requests over raw connections: closed loop
// (each connection sends its next request when it has the answer), or open
// loop at a fixed rate, whatever the answers.
type Load struct {
	Addr        string // host:port of the fast listener
	WriteKey    string
	Connections int
	Batch       int     // events a request
	Rate        float64 // requests/s, open loop; 0: closed loop
	Duration    time.Duration
	// Body builds the body of request n (from 0); nil: page views by many
	// devices. It appends to dst.
	Body func(dst []byte, n uint64, batch int) []byte
	// Request, if set, builds request n whole, head and body, in place of Body and
	// WriteKey. It appends to dst.
	Request func(dst []byte, n uint64) []byte
	// Ask, if set, sends request n on connection i and reads its answer, in place of
	// Addr, Body and Request: for servers that speak something else. Each connection
	// has one request under way. An error counts as broken.
	Ask func(i int, n uint64) error
	// Read, if set, is given the body of each answer of status 200, valid until it
	// returns. It is called for one answer at a time.
	Read func(n uint64, body []byte)
	// Answered, if set, is called after each answer; with Ask from several
	// goroutines.
	Answered func(n uint64, a Answer)
}

// Answer is one answered request.
type Answer struct {
	Status     int
	RetryAfter bool
	Waited     time.Duration // from when the request was due
	Took       time.Duration // from when it was sent
}

// LoadReport sums up a Load. Durations are sorted.
type LoadReport struct {
	Offered  uint64          // requests that were due
	Accepted []time.Duration // from when they were sent
	Due      []time.Duration // the same, from when they were due: more where all connections were busy
	Refused  []time.Duration // from when they were sent
	// RefusedBare counts refusals without Retry-After, Others answers that are
	// neither 200 nor 429 nor 503, Broken requests without an answer.
	RefusedBare, Others, Broken int
	Took                        time.Duration
}

// Run sends until Duration is over or ctx ends and waits for the last answers.
func (l Load) Run(ctx context.Context) (*LoadReport, error) {
	if l.Batch == 0 {
		l.Batch = 1
	}
	if l.Body == nil {
		l.Body = PageViews
	}
	defer collectLater()()
	if l.Ask == nil {
		r, err := l.drive(ctx)
		if r != nil {
			r.sort()
		}
		return r, err
	}
	reports := make([]LoadReport, l.Connections)
	var wg sync.WaitGroup
	var next atomic.Uint64 // number of the next request
	start := time.Now()
	end := start.Add(l.Duration)
	for i := range l.Connections {
		wg.Go(func() { l.asking(ctx, i, &next, &reports[i], start, end) })
	}
	wg.Wait()
	sum := &LoadReport{Took: time.Since(start)}
	for i := range reports {
		r := &reports[i]
		sum.Accepted = append(sum.Accepted, r.Accepted...)
		sum.Due = append(sum.Due, r.Due...)
		sum.Refused = append(sum.Refused, r.Refused...)
		sum.RefusedBare += r.RefusedBare
		sum.Others += r.Others
		sum.Broken += r.Broken
	}
	sum.Offered = next.Load()
	sum.sort()
	return sum, nil
}

// garbageLimit is what the program may take while garbage is not collected.
const garbageLimit = 6 << 30

// later counts the loads that run.
var later struct {
	sync.Mutex
	loads, percent int
	limit          int64
}

// collectLater collects what garbage there is, and no more until all loads have ended
// that have called it, or there is too much: while it is collected a generator sends
// late. What a scenario holds, millions of clicks, makes that long.
func collectLater() (ended func()) {
	later.Lock()
	defer later.Unlock()
	if later.loads++; later.loads == 1 {
		runtime.GC()
		later.percent, later.limit = debug.SetGCPercent(-1), debug.SetMemoryLimit(garbageLimit)
	}
	return func() {
		later.Lock()
		defer later.Unlock()
		if later.loads--; later.loads == 0 {
			debug.SetGCPercent(later.percent)
			debug.SetMemoryLimit(later.limit)
		}
	}
}

func (r *LoadReport) sort() {
	slices.Sort(r.Accepted)
	slices.Sort(r.Due)
	slices.Sort(r.Refused)
}

// asking asks on connection i.
func (l *Load) asking(ctx context.Context, i int, next *atomic.Uint64, r *LoadReport, start, end time.Time) {
	for ctx.Err() == nil {
		n := next.Add(1) - 1
		due := time.Now()
		if l.Rate > 0 {
			due = start.Add(time.Duration(float64(n) / l.Rate * 1e9))
		}
		if due.After(end) {
			next.Add(^uint64(0))
			return
		}
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait) // the schedule of an open loop
		}
		sent := time.Now()
		err := l.Ask(i, n)
		now := time.Now()
		a := Answer{Status: 200, Waited: now.Sub(due), Took: now.Sub(sent)}
		if err != nil {
			a.Status = 0
			r.Broken++
		} else {
			r.add(a)
		}
		if l.Answered != nil {
			l.Answered(n, a)
		}
	}
}

func (r *LoadReport) add(a Answer) {
	switch a.Status {
	case 200:
		r.Accepted = append(r.Accepted, a.Took)
		r.Due = append(r.Due, a.Waited)
	case 429, 503:
		r.Refused = append(r.Refused, a.Took)
		if !a.RetryAfter {
			r.RefusedBare++
		}
	default:
		r.Others++
	}
}

// Quantile returns the q-quantile of sorted durations; 0 of none.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// PageViews builds a body of page views: one object, or an array of several.
func PageViews(dst []byte, n uint64, batch int) []byte {
	if batch > 1 {
		dst = append(dst, '[')
	}
	for i := range uint64(batch) {
		k := n*uint64(batch) + i
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"type":"page_view","device":"d`...)
		dst = strconv.AppendUint(dst, k%200000, 10)
		dst = append(dst, `","item":"a`...)
		dst = strconv.AppendUint(dst, k%5000, 10)
		dst = append(dst, `","url":"https://news.example/sport/a`...)
		dst = strconv.AppendUint(dst, k%5000, 10)
		dst = append(dst, `","referrer":"https://t.co/abc","title":"The final","properties":{"section":"sport","author":"jd","premium":true}}`...)
	}
	if batch > 1 {
		dst = append(dst, ']')
	}
	return dst
}
