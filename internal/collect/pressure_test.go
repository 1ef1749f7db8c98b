package collect

import (
	"runtime/metrics"
	"testing"
)

func TestPressure(t *testing.T) {
	p := newPressure(512 << 10)
	h := &metrics.Float64Histogram{Counts: []uint64{0, 0, 0}, Buckets: []float64{0, 0.001, 0.02, 1}}
	wait := func(bucket int, n uint64) int64 {
		h.Counts[bucket] += n
		p.move(h)
		return p.limit.Load()
	}
	wait(0, 1)
	if got := wait(0, 1000); got != 512<<10 {
		t.Errorf("short waits: limit %d", got)
	}
	if got := wait(2, 5); got != 512<<10 {
		t.Errorf("too few waits to say anything: limit %d", got)
	}
	fell := wait(2, 100)
	if fell != 256<<10 {
		t.Errorf("long waits: limit %d, want %d", fell, 256<<10)
	}
	if got := wait(0, 100); got <= fell {
		t.Errorf("short waits again: limit %d does not rise from %d", got, fell)
	}
	for range 100 {
		wait(2, 100)
	}
	if got := p.limit.Load(); got != 4<<10 {
		t.Errorf("after many long waits: limit %d, want the least", got)
	}
	for range 300 {
		wait(0, 100)
	}
	if got := p.limit.Load(); got != 512<<10 {
		t.Errorf("after calm: limit %d, want the greatest", got)
	}
}
