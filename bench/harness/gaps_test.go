package harness

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestClear: what is left out are the spans that share an instant with a gap.
func TestClear(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Unix(1_700_000_000, 0)
	left := 0
	for range 2000 {
		ms := func(from, to int) time.Duration { return time.Duration(from+random.IntN(to-from)) * time.Millisecond }
		var gaps []Gap
		for range random.IntN(6) {
			from := start.Add(ms(0, 60))
			gaps = append(gaps, Gap{from, from.Add(ms(1, 12))})
		}
		var spans []Span
		var want []time.Duration
		for range random.IntN(20) {
			s := Span{start.Add(ms(0, 70)), ms(0, 15)}
			spans = append(spans, s)
			begin := s.End.Add(-s.Waited)
			if !slices.ContainsFunc(gaps, func(g Gap) bool { return g.To.After(begin) && !g.From.After(s.End) }) {
				want = append(want, s.Waited)
			}
		}
		slices.Sort(want)
		left += len(spans) - len(want)
		if got := Clear(spans, gaps); !slices.Equal(got, want) {
			t.Fatalf("%v with %v: %v, want %v", spans, gaps, got, want)
		}
	}
	if left == 0 {
		t.Error("no span met a gap")
	}
}
