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
	for _, tt := range []struct {
		memory int64
		live   uint64
		want   int
	}{
		{0, 0, 3200}, {0, 8 << 20, 3100}, {0, 64 << 20, 300}, {0, 128 << 20, 100}, {0, 480 << 20, 8},
		{256 << 20, 16 << 20, 300}, {4 << 30, 128 << 20, 100}, {8 << 30, 128 << 20, 212},
		{64 << 30, 8 << 20, 4900}, {64 << 30, 64 << 20, 525}, {64 << 30, 128 << 20, 212}, {64 << 30, 8 << 30, 6},
	} {
		if got := gcPercent(tt.live, smallGoal(tt.memory)); got != tt.want {
			t.Errorf("of %d MB, with %d MB alive, the heap may grow by %d %%, want %d", tt.memory>>20, tt.live>>20, got, tt.want)
		}
	}
}
