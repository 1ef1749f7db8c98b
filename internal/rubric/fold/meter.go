package fold

import (
	"cmp"
	"math"
	"slices"

	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Burn is one item that a committed decision has burned of a meter.
type Burn struct {
	Item string
	Time int64 // of the decision, Unix milliseconds

	// Limit is the meter's limit at the time, Rule stands for the expression it
	// came from (LimitRule).
	Limit int64
	Rule  uint64

	// Start is when the period began that the burn fell into: its own time if it
	// opened one. Of from_first meters only, as burns before it may be gone.
	Start int64

	// Device is where the burn was carried over from when its reader logged in
	// at Joined; "" for the subject's own.
	Device string
	Joined int64
}

// Meter is the state of a meter at an instant.
type Meter struct {
	*plan.Meter
	Entries  []Burn      // the set: the first burn of each item, in order of time
	Limit    int64       // that holds
	Today    int64       // what the limit's expression says; another than Limit if an older one sticks
	ResetsAt value.Value // Time at which Used falls next; missing while it is 0
	Older    int64       // how many of the set are not among Entries; of a state that was recorded
	opened   int64       // when the period began, of from_first meters with entries
}

// Used returns how many items are in the set.
func (m *Meter) Used() int64 { return int64(len(m.Entries)) + m.Older }

// Left returns how many more items the limit allows.
func (m *Meter) Left() int64 { return max(0, m.Limit-m.Used()) }

// Has tells whether an item is in the set.
func (m *Meter) Has(item string) bool {
	return slices.ContainsFunc(m.Entries, func(b Burn) bool { return b.Item == item })
}

// Meter returns the state of a meter.
func (v *View) Meter(id int) *Meter {
	if m := v.meters[id]; m != nil {
		return m
	}
	p := v.Program.Meters[id]
	since := p.Window.From(v.Now, v.Program.Calendar)
	logins := v.Profile != nil && v.Profile.Registered()
	if p.FromFirst > 0 || logins && p.Merge == plan.MergeUnion && p.Window.Last > 0 {
		since = math.MinInt64 // any of them may have opened the period, or dropped another
	}
	burns := v.Burns.Burns(p.Name, since)
	for len(burns) > 0 && burns[len(burns)-1].Time > v.Now {
		burns = burns[:len(burns)-1]
	}
	m := &Meter{Meter: p, Today: min(v.Expr(p.Limit).N, plan.MaxLimit)}
	m.Entries, m.opened = Set(p, burns, v.Now, v.Program.Calendar)
	m.Limit = m.Today
	if len(m.Entries) > 0 {
		m.ResetsAt = ResetsAt(p, burns, m.Used(), v.Now, v.Program.Calendar)
		if first := m.Entries[0]; p.Sticky && first.Rule == LimitRule(v.Program, p) {
			m.Limit = first.Limit
		}
	}
	if v.meters == nil {
		v.meters = map[int]*Meter{}
	}
	v.meters[id] = m
	return m
}

// Asked calls fn with the meters that were asked, in the order of the program.
func (v *View) Asked(fn func(*Meter)) {
	for id := range v.Program.Meters {
		if m := v.meters[id]; m != nil {
			fn(m)
		}
	}
}

// Assume makes a state of a meter the one that Meter returns.
func (v *View) Assume(m *Meter) {
	if v.meters == nil {
		v.meters = map[int]*Meter{}
	}
	v.meters[m.ID] = m
}

// Burn returns what a commit burns of a meter.
func (v *View) Burn(meter int, item string) Burn {
	m := v.Meter(meter)
	b := Burn{Item: item, Time: v.Now, Limit: m.Limit, Rule: LimitRule(v.Program, m.Meter)}
	if m.FromFirst > 0 {
		b.Start = v.Now
		if len(m.Entries) > 0 {
			b.Start = m.opened
		}
	}
	return b
}

// Set returns the set of a meter at an instant, of burns up to then in order of
// time, and when its period began: that of from_first meters.
func Set(m *plan.Meter, burns []Burn, now int64, c value.Calendar) (set []Burn, from int64) {
	return current(m, merged(m, burns, now, c), now, c)
}

// merged returns the burns that count once devices were carried over.
func merged(m *plan.Meter, burns []Burn, now int64, c value.Calendar) []Burn {
	switch m.Merge {
	case plan.MergeAccount:
		return slices.DeleteFunc(slices.Clone(burns), func(b Burn) bool { return b.Device != "" })
	case plan.MergeMax:
		return larger(m, burns, now, c)
	default: // MergeUnion
		return united(m, burns, c)
	}
}

// united returns the burns of a meter without those of an item that, when a device
// was carried over, had an earlier one in the window: the earliest read is kept.
// Where all leave the window together it makes no difference.
func united(m *plan.Meter, burns []Burn, c value.Calendar) []Burn {
	if m.Window.Last == 0 || !slices.ContainsFunc(burns, func(b Burn) bool { return b.Device != "" }) {
		return burns
	}
	byArrival := make([]int, len(burns))
	for i := range burns {
		byArrival[i] = i
	}
	slices.SortStableFunc(byArrival, func(i, j int) int { // its own first: it burns nothing that a device has brought
		a, b := &burns[i], &burns[j]
		return cmp.Or(cmp.Compare(a.arrived(), b.arrived()), min(1, len(a.Device))-min(1, len(b.Device)))
	})
	kept := map[string][]int{} // by item, in the order in which they came
	dropped := make([]bool, len(burns))
	for _, i := range byArrival {
		b, at := &burns[i], -1
		if from := m.Window.From(b.Joined, c); b.Device != "" && b.Time >= from {
			at = slices.IndexFunc(kept[b.Item], func(k int) bool { return burns[k].Time >= from })
		}
		switch {
		case at < 0:
			kept[b.Item] = append(kept[b.Item], i)
		case b.Time < burns[kept[b.Item][at]].Time:
			dropped[kept[b.Item][at]] = true
			kept[b.Item][at] = i
		default:
			dropped[i] = true
		}
	}
	var out []Burn
	for i := range burns {
		if !dropped[i] {
			out = append(out, burns[i])
		}
	}
	return out
}

// arrived is when a burn came to its reader.
func (b *Burn) arrived() int64 {
	if b.Device != "" {
		return b.Joined
	}
	return b.Time
}

// current returns the first burn of each item in the window at an instant, and
// when the window begins.
func current(m *plan.Meter, burns []Burn, now int64, c value.Calendar) (set []Burn, from int64) {
	from = m.Window.From(now, c)
	if m.FromFirst > 0 {
		if from = opened(burns, m.FromFirst); from+m.FromFirst <= now {
			return nil, from
		}
	}
	for len(burns) > 0 && burns[0].Time < from {
		burns = burns[1:]
	}
	met := items{}
	for i := range burns {
		if met.add(burns[i].Item) {
			if set == nil {
				set = make([]Burn, 0, len(burns))
			}
			set = append(set, burns[i])
		}
	}
	return set, from
}

// items are a set of items: a list while they are few.
type items struct {
	few  [16]string
	n    int
	many map[string]bool // once there are more
}

// add adds an item; false: it is there.
func (s *items) add(item string) bool {
	if s.many != nil {
		if s.many[item] {
			return false
		}
		s.many[item] = true
		s.n++
		return true
	}
	if slices.Contains(s.few[:s.n], item) {
		return false
	}
	if s.n == len(s.few) {
		s.many = make(map[string]bool, 4*len(s.few))
		for _, one := range s.few {
			s.many[one] = true
		}
		s.many[item] = true
	} else {
		s.few[s.n] = item
	}
	s.n++
	return true
}

// opened returns when the last period began that one of the burns has opened:
// each begins with the first burn after the end of the one before.
func opened(burns []Burn, period int64) int64 {
	var start int64
	for i, b := range burns {
		if i == 0 && b.Start != 0 {
			start = b.Start
		}
		if i == 0 && b.Start == 0 || b.Time >= start+period {
			start = b.Time
		}
	}
	return start
}

// larger returns the burns of a meter that takes, each time that a device is
// carried over, the larger of the set so far and of the device's; later burns
// come to it. Of sets of one size it is the account's.
func larger(m *plan.Meter, burns []Burn, now int64, c value.Calendar) []Burn {
	if !slices.ContainsFunc(burns, func(b Burn) bool { return b.Device != "" }) {
		return burns
	}
	size := func(burns []Burn) int {
		set, _ := current(m, burns, now, c)
		return len(set)
	}
	byArrival := slices.Clone(burns)
	slices.SortStableFunc(byArrival, func(a, b Burn) int { return cmp.Compare(a.arrived(), b.arrived()) })
	devices := map[string][]Burn{} // in order of time
	for _, b := range burns {
		if b.Device != "" {
			devices[b.Device] = append(devices[b.Device], b)
		}
	}
	var kept []Burn
	counted, of := 0, 0 // the size of kept when it had so many burns
	var last Burn       // whose device was carried over
	for _, b := range byArrival {
		switch {
		case b.Device == "":
			kept = append(kept, b)
		case b.Device != last.Device || b.Joined != last.Joined:
			last = b
			if of != len(kept) {
				counted, of = size(inOrder(kept)), len(kept)
			}
			device := devices[b.Device]
			if slices.ContainsFunc(device, func(o Burn) bool { return o.Joined > b.Joined }) {
				device = slices.DeleteFunc(slices.Clone(device), func(o Burn) bool { return o.Joined > b.Joined })
			}
			if len(device) > counted { // else it cannot be larger
				if n := size(device); n > counted {
					kept, counted, of = slices.Clone(device), n, len(device)
				}
			}
		}
	}
	return inOrder(kept)
}

func inOrder(burns []Burn) []Burn {
	out := slices.Clone(burns)
	slices.SortStableFunc(out, func(a, b Burn) int { return cmp.Compare(a.Time, b.Time) })
	return out
}

// mostTried is how many instants are tried for the one at which a set with burns
// of devices falls. There are more only with many logins.
const mostTried = 64

// ResetsAt returns the first instant after now at which fewer items are in the
// set than are used now, if nothing more is burned; missing if there is none. With
// merge: max and many logins in the window it may be an earlier one. The set changes
// when a burn leaves the window, or when a period ends.
func ResetsAt(m *plan.Meter, burns []Burn, used, now int64, c value.Calendar) value.Value {
	if m.Merge != plan.MergeMax {
		return resetsAt(m, merged(m, burns, now, c), now, c)
	}
	var instants []int64
	for _, b := range burns {
		if m.FromFirst > 0 {
			instants = append(instants, b.Time+m.FromFirst, b.Start+m.FromFirst)
		} else {
			instants = append(instants, m.Window.Until(b.Time, now, c))
		}
	}
	slices.Sort(instants)
	instants = slices.Compact(instants)
	for len(instants) > 0 && instants[0] <= now {
		instants = instants[1:]
	}
	for i, at := range instants {
		if i == mostTried {
			return value.OfTime(at)
		}
		if set, _ := Set(m, burns, at, c); int64(len(set)) < used {
			return value.OfTime(at)
		}
	}
	return value.Value{}
}

// resetsAt is ResetsAt of one set of burns: the first item leaves it with its last
// burn, or all do with the period.
func resetsAt(m *plan.Meter, burns []Burn, now int64, c value.Calendar) value.Value {
	if m.FromFirst > 0 {
		if end := opened(burns, m.FromFirst) + m.FromFirst; len(burns) > 0 && end > now {
			return value.OfTime(end)
		}
		return value.Value{}
	}
	from := m.Window.From(now, c)
	met, items, leaves := items{}, 0, int64(math.MaxInt64)
	for _, b := range slices.Backward(burns) {
		if b.Time < from {
			break
		}
		if met.add(b.Item) {
			items, leaves = items+1, b.Time
		}
	}
	if items == 0 {
		return value.Value{}
	}
	return value.OfTime(m.Window.Until(leaves, now, c))
}
