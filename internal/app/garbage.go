package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/readership/readership/internal/engine"
)

// Parts of --memory that do not grow with what is held.
const (
	// outsideBytes is what lies outside the heap: the program, its stacks, files
	// that are mapped.
	outsideBytes = 52 << 20
	// besideBytes is the part of the heap that works beside the engine: the
	// database, the interface, bodies of requests, buffers of the log.
	besideBytes = 48 << 20
	// leastHeap and leastEngine are taken however little memory there is.
	leastHeap   = 48 << 20
	leastEngine = 8 << 20
)

// heapLimit is what of memory the heap may take beside the committer's ids,
// which lie outside it.
func heapLimit(memory, ids int64) int64 { return max(leastHeap, memory-outsideBytes-ids) }

// engineMemory is what the engine may hold of a heap; a quarter of that is left
// for garbage that is not collected yet: with less the collector would run all
// the time.
func engineMemory(heap int64) int64 { return max(leastEngine, (heap-besideBytes)/5*4) }

// memory keeps the process within --memory and gives back what it does not
// need. Ids come first: they must be known for 48 hours. The collector gets the
// rest as its limit, and the engine what is left beside everything else.
type memory struct {
	limit     int64 // bytes; 0: none
	engine    *engine.Engine
	committer committer
	heap      int64 // limit of the heap as it was set last
	percent   int   // by which the heap may grow, as it was set last
}

const (
	divideEvery = time.Second
	freeEvery   = 30 // rounds of divideEvery
	// divideStep is how much the limit must move to be set again: that stops
	// the world for a moment.
	divideStep = 1 << 20
)

// run works until ctx ends.
func (m *memory) run(ctx context.Context) {
	tick := time.NewTicker(divideEvery)
	defer tick.Stop()
	for round := 0; ; round++ {
		m.divide()
		m.collect(round%freeEvery == 0)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// divide sets the limits by what the ids take now.
func (m *memory) divide() {
	if m.limit == 0 {
		return
	}
	heap := heapLimit(m.limit, m.committer.Stats().IDBytes)
	if moved := heap - m.heap; moved > -divideStep && moved < divideStep {
		return
	}
	m.heap = heap
	debug.SetMemoryLimit(heap)
	m.engine.SetMemory(engineMemory(heap))
}

// Most of a large heap is rows and tables without pointers, which cost the collector
// next to nothing, so it need not double before it runs: spareBytes of garbage or a
// sixteenth will do. A heap that is small may grow to a part of what the process may
// take: each collection takes a core from readers for a moment, so the fewer of them
// there are, the fewer readers meet one.
const (
	spareBytes = 40 << 20
	goalPart   = 16 // of --memory
	leastGoal  = 64 << 20
	mostGoal   = 400 << 20
	usualGoal  = 256 << 20 // where no --memory is set
)

// smallGoal is what a small heap may grow to in a process that may take memory
// bytes, 0 for any.
func smallGoal(memory int64) uint64 {
	if memory == 0 {
		return usualGoal
	}
	return uint64(min(max(memory/goalPart, leastGoal), mostGoal))
}

// collect sets how far the heap may grow over what lives. What a burst has left
// free beyond that goes back to the system, if that is wanted now.
func (m *memory) collect(free bool) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(sample)
	goal := smallGoal(m.limit)
	live, unused := sample[0].Value.Uint64(), sample[1].Value.Uint64()
	if percent := gcPercent(live, goal); percent < m.percent-m.percent/16 || percent > m.percent+m.percent/16 {
		m.percent = percent
		debug.SetGCPercent(percent) // stops the world for a moment
	}
	if free && unused > spare(live, goal)+live/16 {
		debug.FreeOSMemory()
	}
}

// spare is how many bytes of garbage may lie about beside what lives. A small heap
// takes the same memory however much of it lives: it need not touch new pages.
func spare(live, goal uint64) uint64 {
	return max(spareBytes, live/16, goal-min(live, goal))
}

func gcPercent(live, goal uint64) int {
	return max(6, int(spare(live, goal)*100/max(live, leastLive)))
}

// hugeHeap is how much of the heap lies in huge pages: what a small one grows to
// between collections, and a quarter more, which is touched all the time. The rows of
// a large heap are left out: they would be rounded up to whole huge pages, and are
// touched once.
func hugeHeap(memory int64) int64 {
	goal := int64(smallGoal(memory))
	return goal + goal/4
}

// leastLive is about what lives in an empty process.
const leastLive = 8 << 20
