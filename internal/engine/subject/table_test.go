package subject_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/subject"
)

var names = rapid.OneOf(
	rapid.StringN(0, 40, 300),
	rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`),
	rapid.StringMatching(`[0-9A-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`),
	rapid.Custom(func(t *rapid.T) string { return fmt.Sprint(rapid.IntRange(0, 50).Draw(t, "n")) }),
)

// TestTableEqualsMap: names, rows and first_seen are those of a plain map, also
// after some rows have left, and after a checkpoint.
func TestTableEqualsMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := subject.NewTable(rapid.Uint64().Draw(t, "seed"))
		rows := map[string][]block.RowID{}
		seen := map[string]int64{}
		next := block.RowID(0)
		t.Repeat(map[string]func(*rapid.T){
			"row": func(t *rapid.T) {
				name, time := names.Draw(t, "name"), rapid.Int64Range(0, 1<<40).Draw(t, "time")
				for range rapid.IntRange(1, 20).Draw(t, "rows") {
					o, _ := table.Get(name, subject.Hash(name), time)
					s := table.Mut(o)
					s.Seen(time)
					table.AddRow(s, next)
					rows[name] = append(rows[name], next)
					next++
				}
				if was, ok := seen[name]; !ok || time < was {
					seen[name] = time
				}
			},
			"leave": func(t *rapid.T) {
				before := block.RowID(rapid.Uint32Range(0, uint32(next)).Draw(t, "before"))
				gone := func(r block.RowID) bool { return r < before }
				for name := range rows {
					o, ok := table.Find(name, subject.Hash(name))
					if !ok {
						t.Fatalf("%q is not found", name)
					}
					table.Trim(o, gone)
					rows[name] = slices.DeleteFunc(rows[name], gone)
				}
			},
			"compact": func(t *rapid.T) { table.Compact() },
			"restore": func(t *rapid.T) {
				pages := map[subject.Part][][]byte{}
				restored := subject.NewTable(1)
				// Everything is unsaved in a table that was never saved: copy it whole.
				fresh := subject.NewTable(2)
				for o := range table.Len() {
					name := table.Name(uint32(o))
					p, _ := fresh.Get(name, subject.Hash(name), table.Ptr(uint32(o)).FirstSeen())
					var list []block.RowID
					table.Rows(uint32(o), func(r block.RowID) bool { list = append(list, r); return true })
					for i := len(list) - 1; i >= 0; i-- {
						fresh.AddRow(fresh.Mut(p), list[i])
					}
				}
				fresh.Unsaved().Each(func(part subject.Part, _ int, appendTo func([]byte) []byte) {
					pages[part] = append(pages[part], appendTo(nil))
				})
				for _, part := range subject.Parts {
					for _, page := range pages[part] {
						if err := restored.Load(part, page); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := restored.Loaded(func(block.RowID) bool { return false }); err != nil {
					t.Fatal(err)
				}
				table = restored
			},
			"": func(t *rapid.T) {
				for name, want := range rows {
					o, ok := table.Find(name, subject.Hash(name))
					if !ok || table.Name(o) != name {
						t.Fatalf("%q is not found", name)
					}
					var got []block.RowID
					table.Rows(o, func(r block.RowID) bool { got = append(got, r); return true })
					slices.Reverse(got)
					if !slices.Equal(got, want) {
						t.Fatalf("%q has rows %v, want %v", name, got, want)
					}
					if s := table.Ptr(o); s.FirstSeen() != seen[name] {
						t.Fatalf("%q first seen %d, want %d", name, s.FirstSeen(), seen[name])
					}
				}
			},
		})
	})
}

// TestPairsEqualMap: pairs, their owners and names are those of a plain map,
// also after removals and a checkpoint.
func TestPairsEqualMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pairs := subject.NewPairs(1)
		model := map[uint32]map[string]uint64{}
		owner := rapid.Uint32Range(0, 4)
		t.Repeat(map[string]func(*rapid.T){
			"get": func(t *rapid.T) {
				o, name := owner.Draw(t, "owner"), names.Draw(t, "name")
				n, added := pairs.Get(o, name, subject.Hash(name))
				if _, known := model[o][name]; known == added {
					t.Fatalf("%d %q is added: %v", o, name, added)
				}
				if model[o] == nil {
					model[o] = map[string]uint64{}
				}
				position := rapid.Uint64().Draw(t, "position")
				pairs.Mut(n).Position, model[o][name] = position, position
			},
			"remove": func(t *rapid.T) {
				o := owner.Draw(t, "owner")
				for name := range model[o] {
					n, ok := pairs.Find(o, name, subject.Hash(name))
					if !ok {
						t.Fatalf("%d %q is not found", o, name)
					}
					pairs.Remove(n)
					delete(model[o], name)
					break
				}
			},
			"restore": func(t *rapid.T) {
				pairs.MarkUnsaved()
				restored := subject.NewPairs(2)
				var err error
				pairs.Unsaved().Each(subject.PartOfDevices, subject.PartDeviceNames, func(part subject.Part, _ int, appendTo func([]byte) []byte) {
					if err == nil {
						err = restored.Load(part == subject.PartDeviceNames, appendTo(nil))
					}
				})
				if err == nil {
					err = restored.Loaded(5)
				}
				if err != nil {
					t.Fatal(err)
				}
				pairs = restored
			},
			"": func(t *rapid.T) {
				for o := range uint32(5) {
					got := map[string]uint64{}
					pairs.Of(o, func(n uint32) bool { got[pairs.Name(n)] = pairs.Ptr(n).Position; return true })
					if len(got) != len(model[o]) {
						t.Fatalf("%d has %d pairs, want %d", o, len(got), len(model[o]))
					}
					for name, position := range model[o] {
						if n, ok := pairs.Find(o, name, subject.Hash(name)); !ok || got[name] != position || pairs.Ptr(n).Position != position {
							t.Fatalf("%d %q is %d, want %d", o, name, got[name], position)
						}
						seen := false
						pairs.Named(name, func(n uint32) { seen = seen || pairs.Ptr(n).Owner == o })
						if !seen {
							t.Fatalf("%q is not found by its name", name)
						}
					}
				}
			},
		})
	})
}

// FuzzLoadPairs: pages of a checkpoint are refused or give pairs that can be
// walked.
func FuzzLoadPairs(f *testing.F) {
	pairs := subject.NewPairs(0)
	for i := range 20 {
		name := fmt.Sprint("account-", i)
		pairs.Get(uint32(i%3), name, subject.Hash(name))
	}
	pages := map[subject.Part][]byte{}
	pairs.Unsaved().Each(subject.PartOfAccounts, subject.PartAccountNames, func(part subject.Part, _ int, appendTo func([]byte) []byte) {
		pages[part] = appendTo(nil)
	})
	f.Add(pages[subject.PartOfAccounts], pages[subject.PartAccountNames])
	f.Fuzz(func(t *testing.T, records, names []byte) {
		pairs := subject.NewPairs(0)
		if pairs.Load(false, records) != nil || pairs.Load(true, names) != nil || pairs.Loaded(3) != nil {
			return
		}
		for o := range uint32(3) {
			pairs.Of(o, func(n uint32) bool { pairs.Name(n); return true })
		}
		view := pairs.View()
		for n := range view.Len() {
			if _, ok := view.At(n); ok {
				view.Name(n)
			}
		}
	})
}

// FuzzLoad: pages of a checkpoint are refused or give a table that can be
// walked.
func FuzzLoad(f *testing.F) {
	table := subject.NewTable(0)
	for i := range 30 {
		name := fmt.Sprint("reader-", i%4)
		o, _ := table.Get(name, subject.Hash(name), int64(i))
		table.AddRow(table.Mut(o), block.RowID(i))
	}
	pages := map[subject.Part][]byte{}
	table.Unsaved().Each(func(part subject.Part, _ int, appendTo func([]byte) []byte) {
		pages[part] = appendTo(nil)
	})
	f.Add(pages['u'], pages['n'], pages['1'], pages['2'], pages['3'])
	f.Fuzz(func(t *testing.T, subjects, names, small, medium, large []byte) {
		table := subject.NewTable(0)
		for i, data := range [][]byte{subjects, names, small, medium, large} {
			if table.Load(subject.Parts[i], data) != nil {
				return
			}
		}
		if table.Loaded(func(r block.RowID) bool { return r%3 == 0 }) != nil {
			return
		}
		for o := range table.Len() {
			table.Name(uint32(o))
			table.Rows(uint32(o), func(block.RowID) bool { return true })
		}
	})
}
