package fold_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// plainSet says word for word what the set of a meter is, however long it takes.
func plainSet(m *plan.Meter, burns []fold.Burn, now int64, c value.Calendar) (set []fold.Burn) {
	current := func(burns []fold.Burn) (set []fold.Burn) {
		from := m.Window.From(now, c)
		if m.FromFirst > 0 {
			for i, b := range burns {
				if i == 0 && b.Start != 0 {
					from = b.Start
				}
				if i == 0 && b.Start == 0 || b.Time >= from+m.FromFirst {
					from = b.Time
				}
			}
			if from+m.FromFirst <= now {
				return nil
			}
		}
		for _, b := range burns {
			if b.Time >= from && !slices.ContainsFunc(set, func(o fold.Burn) bool { return o.Item == b.Item }) {
				set = append(set, b)
			}
		}
		return set
	}
	arrived := func(b fold.Burn) int64 {
		if b.Device != "" {
			return b.Joined
		}
		return b.Time
	}
	inOrder := func(burns []fold.Burn, of func(fold.Burn) int64) []fold.Burn {
		return slices.SortedStableFunc(slices.Values(burns), func(a, b fold.Burn) int { return cmp.Compare(of(a), of(b)) })
	}
	time := func(b fold.Burn) int64 { return b.Time }
	switch m.Merge {
	case plan.MergeUnion:
		return current(plainUnion(m, burns, c))
	case plan.MergeAccount:
		return current(slices.DeleteFunc(slices.Clone(burns), func(b fold.Burn) bool { return b.Device != "" }))
	}
	var kept []fold.Burn
	var last fold.Burn
	for _, b := range inOrder(burns, arrived) {
		switch {
		case b.Device == "":
			kept = append(kept, b)
		case b.Device != last.Device || b.Joined != last.Joined:
			last = b
			device := slices.DeleteFunc(slices.Clone(burns), func(o fold.Burn) bool { return o.Device != b.Device || o.Joined > b.Joined })
			if len(current(device)) > len(current(inOrder(kept, time))) {
				kept = device
			}
		}
	}
	return current(inOrder(kept, time))
}

// plainUnion leaves out what an earlier read of the item stood for, in the window
// of the login that brought one of the two.
func plainUnion(m *plan.Meter, burns []fold.Burn, c value.Calendar) []fold.Burn {
	if m.Window.Last == 0 {
		return burns
	}
	type burn struct {
		fold.Burn
		place, rank int
		arrived     int64
	}
	var all []burn
	for i, b := range burns {
		x := burn{b, i, 0, b.Time}
		if b.Device != "" {
			x.rank, x.arrived = 1, b.Joined
		}
		all = append(all, x)
	}
	slices.SortStableFunc(all, func(a, b burn) int { return cmp.Or(cmp.Compare(a.arrived, b.arrived), a.rank-b.rank) })
	var kept []burn
	for _, b := range all {
		from, at := m.Window.From(b.Joined, c), -1
		if b.Device != "" && b.Time >= from {
			at = slices.IndexFunc(kept, func(k burn) bool { return k.Item == b.Item && k.Time >= from })
		}
		if at < 0 {
			kept = append(kept, b)
		} else if b.Time < kept[at].Time {
			kept[at] = b
		}
	}
	slices.SortFunc(kept, func(a, b burn) int { return a.place - b.place })
	var out []fold.Burn
	for _, k := range kept {
		out = append(out, k.Burn)
	}
	return out
}

// windowed are burns of which a store returns those of the window alone.
type windowed memory.Burns

func (s windowed) Burns(meter string, since int64) []fold.Burn {
	return slices.DeleteFunc(slices.Clone(s[meter]), func(b fold.Burn) bool { return b.Time < since })
}

// TestMeterIsThePlainOne: a meter is what the plain reading of its burns says, of
// few burns and of many, when only those since the window's begin are there too.
func TestMeterIsThePlainOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.SampledFrom([]string{"last 3d", "per day", "per week", "last 20d", "from_first 3d"}).Draw(t, "window")
		merge := rapid.SampledFrom(plan.Merges).Draw(t, "merge")
		p := program(t, fmt.Sprintf("meter m (limit: 3, merge: %s) = burns |> %s |> distinct item", merge, window))
		all := memory.Burns{}
		distinct := rapid.SampledFrom([]int{3, 60}).Draw(t, "items")
		for range rapid.IntRange(0, 60).Draw(t, "burns") {
			b := fold.Burn{Item: fmt.Sprint("a", rapid.IntRange(0, distinct).Draw(t, "item")), Time: hour * rapid.Int64Range(1, 240).Draw(t, "time")}
			if rapid.Bool().Draw(t, "carried over") {
				b.Device, b.Joined = rapid.SampledFrom([]string{"d", "e", "f"}).Draw(t, "device"), b.Time+hour*rapid.Int64Range(0, 60).Draw(t, "joined")
			}
			if rapid.Bool().Draw(t, "opened") {
				b.Start = b.Time - hour*rapid.Int64Range(0, 80).Draw(t, "start")
			}
			all.Add("m", b)
		}
		now := hour * rapid.Int64Range(1, 300).Draw(t, "now")
		until := slices.DeleteFunc(slices.Clone(all["m"]), func(b fold.Burn) bool { return b.Time > now })
		want := plainSet(p.Meters[0], until, now, p.Calendar)
		resets := int64(0) // the first hour at which it is smaller
		for h := now + hour; resets == 0 && len(want) > 0 && h < now+24*40*hour; h += hour {
			if len(plainSet(p.Meters[0], until, h, p.Calendar)) < len(want) {
				resets = h
			}
		}
		for what, burns := range map[string]fold.Burns{"all burns": all, "those of the window": windowed(all)} {
			v := view(p, now, nil)
			v.Burns, v.Profile = burns, &memory.Profile{Account: true}
			m := v.Meter(0)
			if !slices.Equal(m.Entries, want) {
				t.Fatalf("of %s: %v, want %v", what, m.Entries, want)
			}
			if resets != m.ResetsAt.N {
				t.Fatalf("of %s it resets at %d, want %d", what, m.ResetsAt.N, resets)
			}
		}
	})
}

// TestDynamicLimit: a limit that follows a number of the reader is no greater than
// a limit can be.
func TestDynamicLimit(t *testing.T) {
	p := program(t, "meter m (limit: size(reader.traits.name ?? \"\")  + 1000) = burns |> per day |> distinct item")
	v := view(p, at(t, "02T10:00"), nil)
	v.Profile = &memory.Profile{Traits: map[string]value.Value{"name": value.OfText("longer than five")}}
	if m := v.Meter(0); m.Limit != plan.MaxLimit || m.Today != plan.MaxLimit {
		t.Errorf("a limit of %d, %d today", m.Limit, m.Today)
	}
}
