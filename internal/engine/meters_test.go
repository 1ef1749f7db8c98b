package engine

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine/burn"
	"github.com/readership/readership/internal/event"
)

// TestMetersAreFreed: what burns say of their meters takes room as long as there are
// such burns; views and checkpoints say the same of them.
func TestMetersAreFreed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBurns()
		want := map[event.Position]meter{}
		type view struct {
			list []meter
			want map[uint32]meter
		}
		var views []view
		now := int64(sweptAfter)
		for n := range event.Position(rapid.IntRange(1, 60).Draw(t, "steps")) {
			switch rapid.IntRange(0, 6).Draw(t, "step") {
			case 0:
				now += 40
				b.begin()
				for b.sweep {
					b.expire(now)
				}
				b.begin()
				for b.sweep { // what went in the first is not seen by the second
					b.expire(now)
				}
				live := map[meter]bool{}
				b.table.Each(func(x *burn.Burn) { live[want[x.Position]] = true })
				if len(b.meters.codes) != len(live) {
					t.Fatalf("%d meters are kept, %d are in use", len(b.meters.codes), len(live))
				}
			case 1:
				v := view{b.meters.list, map[uint32]meter{}}
				b.table.Each(func(x *burn.Burn) { v.want[x.Meter] = want[x.Position] })
				views = append(views, v)
			case 2:
				texts := b.meters.texts()
				b.meters = newMeters()
				b.meters.load(texts)
			default:
				m := meter{name: "m", limit: int64(rapid.IntRange(0, 5).Draw(t, "limit")), rule: 7}
				want[n] = m
				b.table.Add(uint32(n%3), now, burn.Burn{Position: n, Time: now, Until: now - sweptAfter + int64(rapid.IntRange(1, 100).Draw(t, "kept")), Meter: b.meters.code(m)})
			}
			b.table.Each(func(x *burn.Burn) {
				if got := meterAt(b.meters.list, x.Meter); got != want[x.Position] {
					t.Fatalf("burn %d is of %v, want %v", x.Position, got, want[x.Position])
				}
			})
		}
		for _, v := range views {
			for code, m := range v.want {
				if got := meterAt(v.list, code); got != m {
					t.Fatalf("a view says %v, want %v", got, m)
				}
			}
		}
		if most := 6 + 1; len(b.meters.list) > most {
			t.Fatalf("%d numbers for %d meters", len(b.meters.list), most)
		}
	})
}

// TestMetersShrink: limits that follow traits leave nothing once their burns are
// over.
func TestMetersShrink(t *testing.T) {
	b := newBurns()
	now := int64(1)
	for day := range 50 {
		for n := range 20 {
			b.table.Add(uint32(n), now, burn.Burn{Position: event.Position(100*day + n), Time: now, Until: now + 1, Meter: b.meters.code(meter{name: fmt.Sprint(day, n)})})
		}
		now += 2 * sweptAfter
		b.begin()
		for b.sweep {
			b.expire(now)
		}
	}
	if n := len(b.meters.list); n > 60 || len(slices.Compact(b.meters.texts())) > 60 {
		t.Errorf("%d meters are kept", n)
	}
}
