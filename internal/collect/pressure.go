package collect

import (
	"math"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// pressure sets how many bytes of bodies may be worked on at once. Under load
// requests wait for a processor before any of our code sees them, so what is
// in hand says little; how long goroutines wait to run says it all. While that
// is too long the limit falls, so that more requests are refused, cheaply, and
// the wait of all shortens; else it rises again.
type pressure struct {
	greatest, least int64 // bounds of limit

	limit atomic.Int64
	next  atomic.Int64 // when to look again, Unix nanoseconds

	mu     sync.Mutex // guards sample and before
	sample []metrics.Sample
	before []uint64
}

const (
	// longWait is the wait for a processor, of 99 in a hundred, from which on
	// less is admitted.
	longWait = 10 * time.Millisecond
	lookWait = 5 * time.Millisecond
	// fewWaits are too few to say anything.
	fewWaits = 16
)

func newPressure(greatest int64) *pressure {
	p := &pressure{greatest: greatest, least: min(greatest, 4<<10), sample: []metrics.Sample{{Name: "/sched/latencies:seconds"}}}
	p.limit.Store(greatest)
	return p
}

// bytes returns the limit now. Whoever comes first after lookWait moves it.
func (p *pressure) bytes(now time.Time) int64 {
	at := now.UnixNano()
	if next := p.next.Load(); at >= next && p.next.CompareAndSwap(next, at+int64(lookWait)) && p.mu.TryLock() {
		metrics.Read(p.sample)
		p.move(p.sample[0].Value.Float64Histogram())
		p.mu.Unlock()
	}
	return p.limit.Load()
}

// move adapts the limit to the waits since it was last called.
func (p *pressure) move(h *metrics.Float64Histogram) {
	total := uint64(0)
	first := p.before == nil
	if first {
		p.before = make([]uint64, len(h.Counts))
	}
	since := make([]uint64, len(h.Counts))
	for i, n := range h.Counts {
		since[i] = n - p.before[i]
		total += since[i]
	}
	copy(p.before, h.Counts)
	if first {
		return
	}
	limit := p.limit.Load()
	if total >= fewWaits && quantile(h.Buckets, since, total-total/100) > longWait.Seconds() {
		limit = max(limit/2, p.least)
	} else {
		limit = min(limit+p.greatest/200, p.greatest)
	}
	p.limit.Store(limit)
}

// quantile returns the lower bound of the bucket that holds the n-th value.
func quantile(bounds []float64, counts []uint64, n uint64) float64 {
	for i, c := range counts {
		if c >= n {
			return max(bounds[i], 0)
		}
		n -= c
	}
	return math.Inf(1)
}
