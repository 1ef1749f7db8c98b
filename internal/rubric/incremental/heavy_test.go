package incremental

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/value"
)

// TestBlocks compares what blocks of rows answer with what the rows do.
func TestBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4*blockRows).Draw(t, "rows")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		k := known{bits: make(Set, words(n))}
		every := rapid.IntRange(1, 200).Draw(t, "every")
		for i := range n {
			if random.IntN(every) == 0 {
				k.bits.put(i)
			}
		}
		lo := rapid.IntRange(0, n).Draw(t, "lo")
		hi := rapid.IntRange(lo, n).Draw(t, "hi")
		plain := span{bits: k.bits, lo: lo, hi: hi}
		counted := plain
		counted.blocks = k.tally(n)
		if got, want := counted.count(), plain.count(); got != want {
			t.Fatalf("count: %d, want %d", got, want)
		}
		at := rapid.IntRange(0, n).Draw(t, "n-th")
		if got, want := counted.nth(at), plain.nth(at); got != want {
			t.Fatalf("nth(%d): %d, want %d", at, got, want)
		}
		want := plain.first()
		for range at {
			if want < hi {
				want = plain.next(want + 1)
			}
		}
		if got := plain.nth(at); got != want {
			t.Fatalf("nth(%d): %d, want %d", at, got, want)
		}
	})
}

// TestHeavyReader has a reader with as many rows as need several blocks, some of
// them late.
func TestHeavyReader(t *testing.T) {
	w := newWorld(randomSource{rand.New(rand.NewPCG(1, 1))}, newCounts(), noFault)
	w.items = append(w.items, make(catalogue, 200)...)
	w.calendar, w.window = value.Calendar{Zone: zones[0]}, 30*day
	g := newGenerator(w)
	for i, last := range []int64{hour, day, 7 * day, 30 * day} {
		g.counting(3000*i, last, false, g.reads())
		g.counting(i, last, true, g.reads())
		g.counting(50*i, last, true)
	}
	w.program = g.b.Program()
	w.e = New(w.program, nil)
	w.e.Bind(newTable(w, w.e.Inputs()))
	s := w.subjects[0]
	w.e.Reset(s, w.now, &s.state)
	var changes []Change
	for i := range 20_000 {
		w.now += int64(w.pick(int(2 * 40 * day / 20_000)))
		changes = w.e.Advance(s, w.now, &s.state, changes[:0])
		at := w.now
		if w.pick(100) == 0 {
			at -= int64(w.pick(int(2 * hour)))
			s.late = 2 * hour
		}
		r := w.newRow(at)
		r.set(event.ColItem, itemName(1+w.pick(200)))
		s.chain = append(s.chain, r)
		changes = w.e.Arrived(s, []Entry{r.entry()}, w.now, &s.state, changes)
		if i%2000 == 1999 {
			if wrong := w.check("event", s, w.now); wrong != "" {
				t.Fatal(wrong)
			}
			if wrong := w.checkAt(s, w.now-day); wrong != "" {
				t.Fatal(wrong)
			}
		}
	}
	if !s.state.Heavy() {
		t.Error("the reader is not heavy")
	}
}

// BenchmarkHeavy applies an event of a reader with 1,000,000 rows over which 100
// segments count rows and items.
func BenchmarkHeavy(b *testing.B) {
	e, c, s := bench(b, 1_000_000, func(g *generator) {
		for i := range 100 {
			g.counting(1+i, int64(1+i%25)*day, i%2 == 0, g.reads())
		}
	})
	if !s.Heavy() {
		b.Fatal("the reader is not heavy")
	}
	last := c.entries[len(c.entries)-1]
	var changes []Change
	for b.Loop() {
		last.Sequence++
		changes = e.Arrived(c, []Entry{last}, benchNow, s, changes[:0])
	}
}
