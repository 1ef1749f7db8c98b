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
	// came from (plan.Meter.Rule).
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
	if id < len(v.meters) && v.meters[id] != nil {
		return v.meters[id]
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
	m := v.state()
	*m = Meter{Meter: p, Today: min(v.Expr(p.Limit).N, plan.MaxLimit)}
	m.Entries, m.opened = Set(p, burns, v.Now, v.Program.Calendar)
	m.Limit = m.Today
	if len(m.Entries) > 0 {
		m.ResetsAt = ResetsAt(p, burns, m.Used(), v.Now, v.Program.Calendar)
		if first := m.Entries[0]; p.Sticky && first.Rule == p.Rule {
			m.Limit = first.Limit
		}
	}
	v.keep(m)
	return m
}

// keep keeps a meter's state, which Meter returns from then on.
func (v *View) keep(m *Meter) {
	if n := len(v.Program.Meters); len(v.meters) == 0 {
		v.meters = slices.Grow(v.meters, n)[:n]
	}
	v.meters[m.ID] = m
}

// state returns room for the state of a meter. Each is worked out once, so that those
// returned before stay where they are.
func (v *View) state() *Meter {
	if len(v.states) == 0 {
		v.states = slices.Grow(v.states, len(v.Program.Meters))
	}
	v.states = v.states[:len(v.states)+1]
	return &v.states[len(v.states)-1]
}

// Asked calls fn with the meters that were asked, in the order of the program.
func (v *View) Asked(fn func(*Meter)) {
	for _, m := range v.meters {
		if m != nil {
			fn(m)
		}
	}
}

// Assume makes a state of a meter the one that Meter returns. Of a period it is known
// when it ends.
func (v *View) Assume(m *Meter) {
	if m.FromFirst > 0 && m.ResetsAt.Type == value.Time {
		m.opened = m.ResetsAt.N - m.FromFirst
	}
	v.keep(m)
}

// Burn returns what a commit burns of a meter.
func (v *View) Burn(meter int, item string) Burn {
	m := v.Meter(meter)
	b := Burn{Item: item, Time: v.Now, Limit: m.Limit, Rule: m.Rule}
	if m.FromFirst > 0 {
		b.Start = v.Now
		if m.Used() > 0 {
			b.Start = m.opened
		}
	}
	return b
}

// Set returns the set of a meter at an instant, of burns up to then in order of
// time, and when its period began: that of from_first meters. The set may share the
// memory of burns.
func Set(m *plan.Meter, burns []Burn, now int64, c value.Calendar) (set []Burn, from int64) {
	return current(m, merged(m, burns, now, c), now, c)
}

// merged returns the burns that count once devices were carried over.
func merged(m *plan.Meter, burns []Burn, now int64, c value.Calendar) []Burn {
	switch m.Merge {
	case plan.MergeAccount:
		return slices.DeleteFunc(slices.Clone(burns), func(b Burn) bool { return b.Device != "" })
	case plan.MergeMax:
		return larger(m, burns, now, c, nil)
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
		switch first := met.add(burns[i].Item); {
		case first && i == len(set): // none was there twice so far
			set = burns[: i+1 : i+1]
		case first:
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
// come to it. Of sets of one size it is the account's. compared is told of each two,
// in order of time; nil: nobody asks.
func larger(m *plan.Meter, burns []Burn, now int64, c value.Calendar, compared func(kept, device []Burn)) []Burn {
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
			if compared != nil {
				compared(inOrder(kept), device)
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

// ResetsAt returns the first instant after now at which fewer items are in the
// set than are used now, if nothing more is burned; missing if there is none. The set
// changes when a burn leaves the window, or when a period ends.
func ResetsAt(m *plan.Meter, burns []Burn, used, now int64, c value.Calendar) value.Value {
	if m.Merge == plan.MergeMax && slices.ContainsFunc(burns, func(b Burn) bool { return b.Device != "" }) {
		return falls(m, burns, int(used), now, c)
	}
	return resetsAt(m, merged(m, burns, now, c), now, c)
}

// mostTurns is how often falls follows another of two sets being the larger. It
// happens more often only after dozens of logins whose sets leave in turn.
const mostTurns = 64

// never is the instant of what does not happen.
const never = math.MaxInt64

// falls is ResetsAt with merge: max. As long as each login's larger set stays the
// larger one, the set loses what leaves it, and nothing else happens to it. Beyond
// mostTurns it is the last turn, before which it does not fall.
func falls(m *plan.Meter, burns []Burn, used int, now int64, c value.Calendar) value.Value {
	for turns := 0; ; turns++ {
		turn := int64(never)
		set := larger(m, burns, now, c, func(kept, device []Burn) {
			turn = min(turn, turnOf(leaves(m, kept, now, c), leaves(m, device, now, c)))
		})
		ends := leaves(m, set, now, c)
		if len(ends) < used || turns == mostTurns {
			return value.OfTime(now)
		}
		switch fall := ends[len(ends)-used]; {
		case fall < turn:
			return value.OfTime(fall)
		case turn == never:
			return value.Value{}
		}
		now = turn
	}
}

// leaves returns when each item of a set of burns, in order of time, leaves it, the
// first first: with its last burn, or all with the period.
func leaves(m *plan.Meter, burns []Burn, now int64, c value.Calendar) (out []int64) {
	from, end := m.Window.From(now, c), int64(0)
	if m.FromFirst > 0 {
		if from = opened(burns, m.FromFirst); from+m.FromFirst <= now {
			return nil
		}
		end = from + m.FromFirst
	}
	met := items{}
	for i := len(burns) - 1; i >= 0 && burns[i].Time >= from; i-- {
		if !met.add(burns[i].Item) {
			continue
		}
		if end == 0 {
			out = append(out, m.Window.Until(burns[i].Time, now, c))
		} else {
			out = append(out, end)
		}
	}
	slices.Sort(out)
	return out
}

// turnOf returns the first instant at which another of two sets is the larger than
// now, by when their items leave. Of sets of one size it is the one that was kept.
func turnOf(kept, device []int64) int64 {
	took := len(device) > len(kept)
	for len(kept)+len(device) > 0 {
		at := int64(never)
		for _, s := range [...][]int64{kept, device} {
			if len(s) > 0 {
				at = min(at, s[0])
			}
		}
		for len(kept) > 0 && kept[0] == at {
			kept = kept[1:]
		}
		for len(device) > 0 && device[0] == at {
			device = device[1:]
		}
		if (len(device) > len(kept)) != took {
			return at
		}
	}
	return never
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
