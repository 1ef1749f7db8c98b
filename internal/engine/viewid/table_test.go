package viewid

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine/block"
)

// TestTable compares the table with a map under additions, passing hours,
// blocks that leave and a checkpoint.
func TestTable(t *testing.T) {
	type entry struct {
		row  block.RowID
		hour int64
	}
	rapid.Check(t, func(t *rapid.T) {
		table := &Table{Journal: true}
		hour := int64(1000)
		table.Advance(hour)
		held := map[uint16]bool{}
		known := map[uint64]entry{}
		alive := func(h uint64) (block.RowID, bool) {
			e, ok := known[h]
			if !ok || hour-e.hour > Hours || !held[e.row.Block()] {
				return 0, false
			}
			return e.row, true
		}
		ids := rapid.Uint16Range(0, 3)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		t.Repeat(map[string]func(*rapid.T){
			"hold": func(t *rapid.T) {
				// A block's number is given again only long after it has left.
				if id := ids.Draw(t, "block"); !held[id] && !slices.ContainsFunc(entries(known), func(e entry) bool { return e.row.Block() == id }) {
					held[id] = true
					table.Hold(id)
				}
			},
			"release": func(t *rapid.T) {
				id := ids.Draw(t, "block")
				delete(held, id)
				table.Release(id)
			},
			"add": func(t *rapid.T) {
				id := ids.Draw(t, "block")
				if !held[id] {
					return
				}
				for i := range rapid.IntRange(1, 400).Draw(t, "n") {
					h := random.Uint64()>>rapid.SampledFrom([]int{4, 60}).Draw(t, "spread") | 1
					row := block.MakeRowID(id, i)
					if _, ok := alive(h); !ok {
						known[h] = entry{row, hour}
					}
					table.Add(h, row)
				}
			},
			"advance": func(t *rapid.T) {
				hour += rapid.SampledFrom([]int64{0, 0, 1, 2, 24, 47, 48, 49, 100}).Draw(t, "hours")
				table.Advance(hour)
			},
			"sweep": func(t *rapid.T) {
				for range tables {
					table.Advance(hour)
				}
			},
			"restore": func(t *rapid.T) {
				table.MarkUnsaved()
				saved := table.TakeAdded()
				table = &Table{Journal: true}
				for id := range held {
					table.Hold(id)
				}
				table.Restore(saved)
				table.Advance(hour)
			},
			"": func(t *rapid.T) {
				n := 0
				for h := range known {
					want, wantOK := alive(h)
					if got, ok := table.Find(h); ok != wantOK || got != want {
						t.Fatalf("Find(%x) = %v, %v; want %v, %v", h, got, ok, want, wantOK)
					}
					if wantOK {
						n++
					}
				}
				if table.Len() < n {
					t.Fatalf("%d ids, %d are known", table.Len(), n)
				}
			},
		})
	})
}

func entries[K comparable, V any](m map[K]V) []V {
	all := make([]V, 0, len(m))
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

// TestTableForgets lets many weeks pass: no id of then is known again when the
// hour bytes come round.
func TestTableForgets(t *testing.T) {
	var table Table
	table.Hold(1)
	hash := func(hour int64, i uint64) uint64 { return (i<<54|uint64(hour)<<20)*0x9e3779b97f4a7c15 | 1 }
	for hour := int64(1000); hour < 2000; hour++ {
		table.Advance(hour)
		for i := range uint64(20) {
			if _, ok := table.Find(hash(hour, i)); ok {
				t.Fatal("an id is known that never was added")
			}
			table.Add(hash(hour, i), block.MakeRowID(1, 0))
		}
		for old := int64(1000); old < hour-Hours; old += 7 {
			if _, ok := table.Find(hash(old, 3)); ok {
				t.Fatalf("in hour %d an id of hour %d is known", hour, old)
			}
		}
		for range tables / 3 {
			table.Advance(hour)
		}
	}
	if table.Len() > 20*4*Hours {
		t.Errorf("%d entries are left of %d hours", table.Len(), Hours)
	}
}

func TestTableSize(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a table")
	}
	var table Table
	table.Hold(1)
	table.Advance(1000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := 1; i <= 1_500_000; i++ {
		table.Add(random.Uint64()|1, block.MakeRowID(1, 0))
		if i%125_000 == 0 {
			if per := float64(table.Bytes()) / float64(table.Len()); per > 16 {
				t.Errorf("%d ids take %.2f bytes each", table.Len(), per)
			}
		}
	}
	table.Release(1)
	for range tables {
		table.Advance(1000)
	}
	if per := table.Bytes(); table.Len() > 0 || per > 1<<20 {
		t.Errorf("%d ids, %d bytes are left of a block that has gone", table.Len(), per)
	}
}
