package app

import "testing"

func TestMemoryIsDivided(t *testing.T) {
	const mb = 1 << 20
	for _, tt := range []struct{ memory, ids int64 }{
		{256 * mb, 0}, {256 * mb, 60 * mb}, {524 * mb, 0}, {524 * mb, 218 * mb}, {8 << 30, 1 << 30}, {256 << 30, 20 << 30},
	} {
		heap := heapLimit(tt.memory, tt.ids)
		if heap+tt.ids+outsideBytes > tt.memory {
			t.Errorf("heap %d MB and ids %d MB do not fit into %d MB", heap/mb, tt.ids/mb, tt.memory/mb)
		}
		held := engineMemory(heap)
		if beside := heap - held; beside < besideBytes || beside < heap/11 {
			t.Errorf("of a heap of %d MB the engine may hold %d MB", heap/mb, held/mb)
		}
		if held < heap/8 {
			t.Errorf("of a heap of %d MB the engine may hold no more than %d MB", heap/mb, held/mb)
		}
	}
}

func TestCollectorRunsSoonerOnALargeHeap(t *testing.T) {
	for live, want := range map[uint64]int{0: 3200, 8 << 20: 3100, 64 << 20: 300, 128 << 20: 100, 240 << 20: 20, 480 << 20: 10, 8 << 30: 10} {
		if got := gcPercent(live); got != want {
			t.Errorf("with %d MB alive the heap may grow by %d %%, want %d", live>>20, got, want)
		}
	}
}
