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
		owner uint32
		Burn
	}
	rapid.Check(t, func(t *rapid.T) {
		table := NewTable()
		var model []held
		saved := map[int][]byte{}
		now := int64(0)
		check := func(table *Table) {
			if table.Len() != len(model) {
				t.Fatalf("%d burns, want %d", table.Len(), len(model))
			}
			for owner := range uint32(6) {
				var got, seen, want []event.Position
				table.Of(owner, func(b *Burn) bool { got = append(got, b.Position); return true })
				table.View().Of(owner, func(b *Burn) { seen = append(seen, b.Position) })
				for _, h := range slices.SortedFunc(slices.Values(model), func(a, b held) int { return b.Compare(&a.Burn) }) {
					if h.owner == owner {
						want = append(want, h.Position)
					}
				}
				if !slices.Equal(got, want) || !slices.Equal(seen, want) {
					t.Fatalf("%d has %v, of a view %v, want %v", owner, got, seen, want)
				}
			}
		}
		for n := range rapid.IntRange(1, 400).Draw(t, "steps") {
			owner := uint32(rapid.IntRange(0, 5).Draw(t, "owner"))
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				model = slices.DeleteFunc(model, func(h held) bool { return h.owner == owner && h.Position%2 == 0 })
				table.Remove(owner, func(b *Burn) bool { return b.Position%2 == 0 })
			case 1:
				now += 50
				for !table.Sweep(3, now, func(*Burn) {}) {
				}
				model = slices.DeleteFunc(model, func(h held) bool { return h.Until <= now })
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
				if check(loaded); rapid.Bool().Draw(t, "restart") {
					table = loaded
				}
			default:
				var burns []Burn // a login brings several, some of which came before
				for i := range rapid.IntRange(1, 4).Draw(t, "burns") {
					b := Burn{Position: event.Position(4*n + i), Time: now + int64(rapid.IntRange(-2, 2).Draw(t, "time")), Until: now + int64(rapid.IntRange(1, 200).Draw(t, "kept"))}
					if own := rapid.IntRange(0, 2*len(model)+1).Draw(t, "known"); own < len(model) {
						b = model[own].Burn
					}
					if !slices.ContainsFunc(burns, func(o Burn) bool { return o.Position == b.Position }) {
						burns = append(burns, b)
					}
				}
				slices.SortFunc(burns, func(a, b Burn) int { return a.Compare(&b) })
				for _, b := range burns {
					if !slices.ContainsFunc(model, func(h held) bool { return h.owner == owner && h.Position == b.Position }) {
						model = append(model, held{owner, b})
					}
				}
				table.Add(owner, now, burns...)
			}
			check(table)
		}
	})
}

// TestMost: a reader keeps so many burns that are not over, the newest.
func TestMost(t *testing.T) {
	table := NewTable()
	for n := range int64(3 * Most) {
		until := int64(1 << 40)
		if n%3 == 0 {
			until = n + 10
		}
		table.Add(7, n, Burn{Position: event.Position(n + 1), Time: n, Until: until})
	}
	count, last, oldest := 0, int64(3*Most), int64(0)
	table.Of(7, func(b *Burn) bool {
		if b.Time >= last {
			t.Fatalf("%d comes after %d", b.Time, last)
		}
		if last = b.Time; b.Until > 3*Most {
			count, oldest = count+1, b.Time
		}
		return true
	})
	if count < Most-10 || count > Most || table.Len() > Most || oldest < 3*Most/2-10 {
		t.Errorf("%d burns, %d in all, from %d on", count, table.Len(), oldest)
	}
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
