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
// small one, a tenth for a large one. What a burst has left free beyond that
// goes back to the system.
func tuneGarbage() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(sample)
	live, free := sample[0].Value.Uint64(), sample[1].Value.Uint64()
	debug.SetGCPercent(gcPercent(live))
	if free > max(spareBytes, live/16) {
		debug.FreeOSMemory()
	}
}

func gcPercent(live uint64) int {
	return int(min(100, max(10, spareBytes*100/max(live, 1))))
}
