package eventlog

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestIDSet compares the set with a map under additions, removals, passing
// hours and sweeps.
func TestIDSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s idSet
		defer s.clear()
		s.advance(1000)
		known := map[uint64]int64{} // hash → hour
		alive := func(h uint64) bool {
			hour, ok := known[h]
			return ok && s.hour-hour <= keepHours
		}
		// Few segments and homes, so that runs form and wrap around.
		hash := rapid.Custom(func(t *rapid.T) uint64 {
			segment := rapid.Uint64Range(0, 1).Draw(t, "segment")
			place := rapid.SampledFrom([]uint64{0, 1, 1 << 53, 1<<54 - 1, 1<<54 - 2}).Draw(t, "place")
			return (segment<<54 | place) ^ rapid.Uint64Range(0, 15).Draw(t, "low") | 1<<4
		})
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				h := hash.Draw(t, "hash")
				if got, want := s.add(h), !alive(h); got != want {
					t.Fatalf("add(%x) = %v, want %v", h, got, want)
				}
				if !alive(h) {
					known[h] = s.hour
				}
			},
			"add many": func(t *rapid.T) {
				for range rapid.IntRange(1, 600).Draw(t, "n") {
					h := random.Uint64()>>9 | 1 // half of one segment
					if got, want := s.add(h), !alive(h); got != want {
						t.Fatalf("add(%x) = %v, want %v", h, got, want)
					}
					known[h] = s.hour
				}
			},
			"remove": func(t *rapid.T) {
				h := hash.Draw(t, "hash")
				s.remove(h)
				delete(known, h)
			},
			"touch": func(t *rapid.T) {
				if h := hash.Draw(t, "hash"); alive(h) {
					s.touch(h)
					known[h] = s.hour
				}
			},
			"advance": func(t *rapid.T) {
				s.advance(s.hour + rapid.SampledFrom([]int64{0, 1, 1, 2, 10, 47, 48, 49, 100, 300}).Draw(t, "hours"))
			},
			"sweep": func(t *rapid.T) { s.sweep(rapid.SampledFrom([]int{1, 100, idSegments}).Draw(t, "segments")) },
			"": func(t *rapid.T) {
				n := 0
				for h := range known {
					if s.has(h) != alive(h) {
						t.Fatalf("has(%x) = %v, it was added in hour %d, now is %d", h, s.has(h), known[h], s.hour)
					}
					if alive(h) {
						n++
					}
				}
				if s.count < n {
					t.Fatalf("count is %d, %d are alive", s.count, n)
				}
			},
		})
	})
}

// TestIDSetForgets lets many weeks pass, hour by hour.
func TestIDSetForgets(t *testing.T) {
	var s idSet
	defer s.clear()
	for hour := int64(1000); hour < 2000; hour++ {
		s.advance(hour)
		for i := range uint64(20) {
			if h := (i<<54 | uint64(hour)<<20) * 0x9e3779b97f4a7c15; !s.add(h) {
				t.Fatal("an id is known that never was added")
			}
		}
		if hour%3 == 0 {
			s.sweep(idSegments)
		}
	}
	if s.count > 20*4*keepHours {
		t.Errorf("%d entries are left of %d hours", s.count, keepHours)
	}
}

func TestIDSetSize(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a table")
	}
	var s idSet
	defer s.clear()
	s.advance(1000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := 1; i <= 3_000_000; i++ {
		s.add(random.Uint64() | 1)
		if i%500_000 == 0 {
			if per := float64(s.size()) / float64(s.count); per > 13 {
				t.Errorf("%d ids take %.1f bytes each", s.count, per)
			}
		}
	}
}

func BenchmarkIDs(b *testing.B) {
	var s idSet
	defer s.clear()
	s.advance(1000)
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000_000 {
		s.add(random.Uint64() | 1)
	}
	for b.Loop() {
		if h := random.Uint64() | 1; !s.has(h) {
			s.add(h)
		}
	}
	b.ReportMetric(float64(s.size())/float64(s.count), "B/id")
}
