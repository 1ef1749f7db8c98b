package burn

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/event"
)

// TestTable: a table is what a plain list says, in views taken before too, and
// after it was saved and loaded.
func TestTable(t *testing.T) {
	type held struct {
		owner    uint32
		position event.Position
		until    int64
	}
	rapid.Check(t, func(t *rapid.T) {
		table := NewTable()
		var model []held
		saved := map[int][]byte{}
		now := int64(0)
		of := func(owner uint32) (out []event.Position) {
			for _, h := range slices.Backward(model) {
				if h.owner == owner {
					out = append(out, h.position)
				}
			}
			return out
		}
		check := func(table *Table, ordered bool) {
			if table.Len() != len(model) {
				t.Fatalf("%d burns, want %d", table.Len(), len(model))
			}
			for owner := range uint32(6) {
				var got, seen []event.Position
				table.Of(owner, func(b *Burn) bool { got = append(got, b.Position); return true })
				table.View().Of(owner, func(b *Burn) { seen = append(seen, b.Position) })
				want := of(owner)
				if !ordered {
					slices.Sort(got)
					slices.Sort(seen)
					slices.Sort(want)
				}
				if !slices.Equal(got, want) || !slices.Equal(seen, want) {
					t.Fatalf("%d has %v, of a view %v, want %v", owner, got, seen, want)
				}
			}
		}
		ordered := true
		for n := range rapid.IntRange(1, 400).Draw(t, "steps") {
			owner := uint32(rapid.IntRange(0, 5).Draw(t, "owner"))
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				model = slices.DeleteFunc(model, func(h held) bool { return h.owner == owner && h.position%2 == 0 })
				table.Remove(owner, func(b *Burn) bool { return b.Position%2 == 0 })
			case 1:
				now += 50
				for !table.Sweep(3, now) {
				}
				model = slices.DeleteFunc(model, func(h held) bool { return h.until <= now })
			case 2:
				table.Unsaved().Each(func(page int, value func([]byte) []byte) { saved[page] = value(nil) })
				loaded := NewTable()
				for page := range len(saved) {
					if err := loaded.Load(saved[page]); err != nil {
						t.Fatal(err)
					}
				}
				if err := loaded.Loaded(6, 1, 1, 0); err != nil {
					t.Fatal(err)
				}
				if ordered = false; rapid.Bool().Draw(t, "restart") {
					table = loaded
				} else {
					check(loaded, false)
				}
			default:
				h := held{owner, event.Position(n), now + int64(rapid.IntRange(1, 200).Draw(t, "kept"))}
				model = append(model, h)
				table.Add(owner, Burn{Position: h.position, Until: h.until})
			}
			check(table, ordered)
		}
	})
}

// FuzzLoad: bytes of a checkpoint are refused or read back as written.
func FuzzLoad(f *testing.F) {
	b := Burn{Position: 1, Time: 2, Until: 3, Start: 4, Joined: 5, Item: 1, Meter: 2, Row: 8, Device: 3, owner: 4}
	free := Burn{owner: noOwner}
	f.Add(free.append(b.append(nil)))
	f.Fuzz(func(t *testing.T, data []byte) {
		table := NewTable()
		if table.Load(data) != nil || table.Loaded(5, 5, 5, 5) != nil {
			return
		}
		n := 0
		table.Each(func(*Burn) { n++ })
		chained := 0
		for owner := range uint32(5) {
			table.Of(owner, func(*Burn) bool { chained++; return true })
		}
		table.MarkUnsaved()
		var again []byte
		table.Unsaved().Each(func(_ int, value func([]byte) []byte) { again = append(again, value(nil)...) })
		if n != table.Len() || chained != n || !bytes.Equal(again, data) {
			t.Fatalf("%d burns, %d of readers, %d in the table; %d of %d bytes", n, chained, table.Len(), len(again), len(data))
		}
	})
}
