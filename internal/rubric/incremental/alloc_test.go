package incremental

import (
	"math/rand/v2"
	"testing"

	"github.com/readership/readership/internal/rubric/plan"
)

// TestNoMemory sees that nothing is allocated once sizes and codes are known,
// whatever a program asks.
func TestNoMemory(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(randomSource{rand.New(rand.NewPCG(seed, 2))}, newCounts(), noFault)
		for range 200 {
			if wrong := w.step(); wrong != "" {
				t.Fatal(wrong)
			}
		}
		w.e.maxRows = MaxRows // what is kept for a heavy reader is made anew by Reset
		s := w.subjects[numDevices]
		w.e.Reset(s, w.now, &s.state)
		if len(s.chain) == 0 || matchesTexts(w.program) {
			continue
		}
		set := w.e.NewSet()
		changes := w.e.Advance(s, w.now, &s.state, make([]Change, 0, 100))
		entries := []Entry{s.chain[len(s.chain)-1].entry()}
		allocs := testing.AllocsPerRun(50, func() {
			clear(set)
			w.e.Match(entries[0], set)
			changes = w.e.Arrived(s, entries, w.now, &s.state, changes[:0])
			w.e.Reset(s, w.now, &s.state)
			view := w.e.At(s, w.now, 1, &s.state)
			for _, seg := range w.program.Segments {
				view.Segment(seg.ID)
			}
		})
		if allocs > 0 {
			t.Errorf("seed %d: %v allocations\n%s", seed, allocs, w.program.Print())
		}
	}
}

// matchesTexts tells whether a program has regular expressions: what they need
// lies in a pool that the race detector empties.
func matchesTexts(p *plan.Program) bool {
	found := false
	rowExprs(p, func(x *plan.Expr) { x.Each(func(x *plan.Expr) { found = found || x.Op == plan.Matches }) })
	return found
}
