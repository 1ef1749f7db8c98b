package incremental

import (
	"cmp"
	"slices"

	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
)

// Meter is the state of a meter of one reader while decisions follow each other
// in order of time: what fold.View.Meter works out from all burns again. Its set
// is looked at anew only when a burn leaves it, and when a device is carried
// over. It is for one goroutine.
type Meter struct {
	of    *plan.Meter
	rule  uint64 // of its limit
	clock *clock

	burns   []fold.Burn // in order of time, ties in the order in which they came
	carried bool        // some come from devices
	set     []fold.Burn // the first of each item; of those before lo the time is over
	lo      int
	until   int64 // the first instant at which the set may be another
	opened  int64 // when the period began, of from_first meters with a set

	places map[string]int // of items in a large set; nil: not laid out
}

// largeSet is how many items are looked through.
const largeSet = 24

// NewMeters returns the meters of a program, each without burns.
func NewMeters(p *plan.Program) []*Meter {
	c := &clock{calendar: p.Calendar}
	out := make([]*Meter, len(p.Meters))
	for i, m := range p.Meters {
		out[i] = &Meter{of: m, rule: m.Rule, clock: c, until: Never}
	}
	return out
}

// Reset forgets all burns, for another reader.
func (m *Meter) Reset() {
	*m = Meter{of: m.of, rule: m.rule, clock: m.clock, burns: m.burns[:0], set: m.set[:0], until: Never}
}

// At brings the meter up to an instant, no earlier one than before.
func (m *Meter) At(now int64) {
	switch {
	case now < m.until:
	case m.carried:
		m.again(now)
	case m.of.FromFirst > 0: // the period is over
		m.lo, m.until = len(m.set), Never
	default:
		from := m.clock.from(&m.of.Window, now)
		for m.lo < len(m.set) && m.set[m.lo].Time < from {
			m.lo++
		}
		m.until = Never
		if m.lo < len(m.set) {
			m.until = m.leaves(m.set[m.lo].Time, now)
		}
	}
}

// leaves returns when a burn in the window leaves it.
func (m *Meter) leaves(time, now int64) int64 {
	until := m.clock.border(m.of.Window.Periods, now)
	if m.of.Window.Last > 0 {
		until = min(until, time+m.of.Window.Last)
	}
	return until
}

// again works the set out from all burns.
func (m *Meter) again(now int64) {
	set, opened := fold.Set(m.of, m.burns, now, m.clock.calendar)
	m.set, m.opened = append(m.set[:0], set...), opened // what burns hold moves
	m.lo, m.until, m.places = 0, Never, nil
	for i := range m.burns {
		b := &m.burns[i]
		if m.of.FromFirst == 0 {
			if at := m.leaves(b.Time, now); at > now {
				m.until = min(m.until, at)
			}
			continue
		}
		// A period that one of the burns is in may be that of a device alone.
		for _, at := range [...]int64{b.Time + m.of.FromFirst, b.Start + m.of.FromFirst} {
			if at > now {
				m.until = min(m.until, at)
			}
		}
	}
}

// Used returns how many items are in the set.
func (m *Meter) Used() int64 { return int64(len(m.set) - m.lo) }

// Has tells whether an item is in the set.
func (m *Meter) Has(item string) bool {
	if len(m.set)-m.lo <= largeSet {
		for i := m.lo; i < len(m.set); i++ {
			if m.set[i].Item == item {
				return true
			}
		}
		return false
	}
	if m.places == nil {
		m.places = make(map[string]int, 2*len(m.set))
		for i := m.lo; i < len(m.set); i++ {
			m.places[m.set[i].Item] = i
		}
	}
	place, ok := m.places[item]
	return ok && place >= m.lo
}

// Limit returns the limit that holds; today is what its expression says.
func (m *Meter) Limit(today int64) int64 {
	if m.of.Sticky && m.lo < len(m.set) && m.set[m.lo].Rule == m.rule {
		return m.set[m.lo].Limit
	}
	return today
}

// ResetsAt returns the instant at which fewer items are in the set than now; a
// Time, missing if there is none.
func (m *Meter) ResetsAt(now int64) value.Value {
	if m.Used() == 0 {
		return value.Value{}
	}
	return fold.ResetsAt(m.of, m.burns, m.Used(), now, m.clock.calendar)
}

// Burns returns all burns in order of time. They are valid until the next
// change.
func (m *Meter) Burns() []fold.Burn { return m.burns }

// Burn adds an item that is not in the set, at the instant that the meter is at.
// today is what the expression of the limit says.
func (m *Meter) Burn(item string, now, today int64) {
	b := fold.Burn{Item: item, Time: now, Limit: m.Limit(today), Rule: m.rule}
	if m.of.FromFirst > 0 {
		if m.Used() == 0 {
			m.opened = now
		}
		b.Start = m.opened
		m.until = min(m.until, m.opened+m.of.FromFirst)
	} else {
		m.until = min(m.until, m.leaves(now, now))
	}
	m.burns = append(m.burns, b)
	m.set = append(m.set, b)
	if m.places != nil {
		m.places[item] = len(m.set) - 1
	}
}

// Carry adds the burns of a device, in order of time, whose reader logs in now.
func (m *Meter) Carry(device string, burns []fold.Burn, now int64) {
	if len(burns) == 0 {
		return
	}
	for _, b := range burns {
		b.Device, b.Joined = device, now
		m.burns = append(m.burns, b)
	}
	slices.SortStableFunc(m.burns, func(a, b fold.Burn) int { return cmp.Compare(a.Time, b.Time) })
	m.carried = true
	m.again(now)
}
