package app

import (
	"runtime/debug"
	"runtime/metrics"
)

// spareBytes is about how much garbage may lie about before it is collected.
// Most of the heap is rows and tables without pointers, which cost the collector
// next to nothing, so a large heap need not double before it runs.
const spareBytes = 48 << 20

// tuneGarbage sets how far the heap may grow over what lives: twice for a
// small one, an eighth for a large one.
func tuneGarbage() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	debug.SetGCPercent(gcPercent(sample[0].Value.Uint64()))
}

func gcPercent(live uint64) int {
	return int(min(100, max(12, spareBytes*100/max(live, 1))))
}
