package query

import (
	"math/bits"
	"slices"
)

// maxDense bounds the groups that are numbered by arithmetic alone.
const maxDense = 1 << 22

// grouper numbers combinations of dimension values. Dimension by dimension, a
// group's number is the number so far times the dimension's values, plus the
// value; or, where that would be too sparse, the number of the pair.
type grouper struct {
	levels []level
}

// level adds one dimension.
type level struct {
	card  uint32 // of the dimension; 0 with pairs or while it may grow
	pairs *pairs // nil: arithmetic
	own   *numbering
}

// newGrouper takes the number of values of each dimension; own is set where it
// may grow. limit bounds the groups numbered by arithmetic.
func newGrouper(cards []uint32, own []*numbering, limit uint64) *grouper {
	g := &grouper{}
	size, dense := uint64(1), true
	for i, card := range cards {
		l := level{card: card, own: own[i]}
		if i > 0 && (!dense || card == 0 || size*uint64(card) > limit) {
			l.pairs = newPairs()
			dense = false
		} else {
			dense = card != 0
			size *= uint64(card)
		}
		g.levels = append(g.levels, l)
	}
	return g
}

// dense returns the number of groups if they are numbered by arithmetic alone,
// else 0.
func (g *grouper) dense() int {
	n := 1
	for i := range g.levels {
		if g.levels[i].pairs != nil || g.levels[i].card == 0 {
			return 0
		}
		n *= int(g.levels[i].card)
	}
	return n
}

// size returns how many groups there are by now.
func (g *grouper) size() int {
	n := 1
	for i := range g.levels {
		l := &g.levels[i]
		switch {
		case l.pairs != nil:
			n = len(l.pairs.keys)
		case l.own != nil:
			n = len(l.own.texts)
		default:
			n *= int(l.card)
		}
	}
	return n
}

// one numbers the combination of a level's number so far and a value.
func (g *grouper) one(i int, so, value uint32) uint32 {
	l := &g.levels[i]
	if l.pairs != nil {
		return l.pairs.number(so, value)
	}
	return so*l.card + value
}

// split writes the values of a group, one a dimension.
func (g *grouper) split(group uint32, values []uint32) {
	for i := len(g.levels) - 1; i >= 0; i-- {
		l := &g.levels[i]
		switch {
		case l.pairs != nil:
			key := l.pairs.keys[group]
			group, values[i] = uint32(key>>32), uint32(key)
		case i == 0:
			values[0] = group
		default:
			group, values[i] = group/l.card, group%l.card
		}
	}
}

// pairs numbers pairs of numbers in order of appearance: a hash table with open
// addressing.
type pairs struct {
	slots []uint32 // place in keys + 1; 0 is empty
	shift uint
	keys  []uint64
}

func newPairs() *pairs { return &pairs{slots: make([]uint32, 1024), shift: 64 - 10} }

func (p *pairs) number(a, b uint32) uint32 {
	key := uint64(a)<<32 | uint64(b)
	mask := uint64(len(p.slots) - 1)
	for i := mix(key) >> p.shift; ; i = (i + 1) & mask {
		s := p.slots[i]
		if s == 0 {
			p.keys = append(p.keys, key)
			p.slots[i] = uint32(len(p.keys))
			if 2*len(p.keys) > len(p.slots) {
				p.grow()
			}
			return uint32(len(p.keys) - 1)
		}
		if p.keys[s-1] == key {
			return s - 1
		}
	}
}

func (p *pairs) grow() {
	p.slots = make([]uint32, 2*len(p.slots))
	p.shift--
	mask := uint64(len(p.slots) - 1)
	for n, key := range p.keys {
		i := mix(key) >> p.shift
		for p.slots[i] != 0 {
			i = (i + 1) & mask
		}
		p.slots[i] = uint32(n + 1)
	}
}

// mix spreads a key over the high bits.
func mix(key uint64) uint64 {
	key ^= key >> 32
	return key * 0x9e3779b97f4a7c15
}

// pairSet is a set of (group, reader) pairs.
type pairSet struct {
	slots []uint64 // key + 1; 0 is empty
	shift uint
	n     int
}

func newPairSet(size int) *pairSet {
	width := max(bits.Len(uint(size)), 10)
	return &pairSet{slots: make([]uint64, 1<<width), shift: uint(64 - width)}
}

// add reports whether the pair is new.
func (p *pairSet) add(a, b uint32) bool {
	key := (uint64(a)<<32 | uint64(b)) + 1
	mask := uint64(len(p.slots) - 1)
	for i := mix(key) >> p.shift; ; i = (i + 1) & mask {
		switch p.slots[i] {
		case key:
			return false
		case 0:
			p.slots[i] = key
			if p.n++; 3*p.n > 2*len(p.slots) {
				p.grow()
			}
			return true
		}
	}
}

func (p *pairSet) grow() {
	old := p.slots
	p.slots = make([]uint64, 2*len(old))
	p.shift--
	mask := uint64(len(p.slots) - 1)
	for _, key := range old {
		if key == 0 {
			continue
		}
		i := mix(key) >> p.shift
		for p.slots[i] != 0 {
			i = (i + 1) & mask
		}
		p.slots[i] = key
	}
}

// counters are the sums of groups; a slice is nil if nobody needs it.
type counters struct {
	events, people, views, quality, conversions []uint32
	articles, followed                          []uint32
	visitors, fresh                             []uint32
	engaged, scroll                             []uint64
	revenue                                     []int64
	visits, bounces, converted                  []uint32
	stayed, visitViews                          []uint64
}

// grow makes room for n groups in the counters that are needed.
func (c *counters) grow(n int, need needs) {
	u32 := func(on needs, list ...*[]uint32) {
		if need&on != 0 {
			for _, p := range list {
				*p = grown(*p, n)
			}
		}
	}
	u64 := func(on needs, list ...*[]uint64) {
		if need&on != 0 {
			for _, p := range list {
				*p = grown(*p, n)
			}
		}
	}
	u32(needEvents, &c.events)
	u32(needPeople, &c.people)
	u32(needDistinct|needPeople, &c.visitors)
	u32(needNew, &c.fresh)
	u32(needViews, &c.views)
	u32(needQuality, &c.quality)
	u64(needEngaged, &c.engaged)
	u64(needScroll, &c.scroll)
	u32(needConversions, &c.conversions)
	if need&needRevenue != 0 {
		c.revenue = grown(c.revenue, n)
	}
	u32(needRecirculation, &c.articles, &c.followed)
	u32(needVisits, &c.visits, &c.bounces, &c.converted)
	u64(needVisits, &c.stayed, &c.visitViews)
}

func grown[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	if n > cap(s) {
		s = slices.Grow(s, max(n, 2*cap(s))-len(s))
	}
	return s[:n]
}

// add adds the counters of o's groups to those named by to.
func (c *counters) add(o *counters, groups, to []uint32) {
	for _, p := range [...]struct{ to, from []uint32 }{
		{c.events, o.events}, {c.people, o.people}, {c.views, o.views}, {c.quality, o.quality}, {c.conversions, o.conversions},
		{c.articles, o.articles}, {c.followed, o.followed}, {c.visitors, o.visitors}, {c.fresh, o.fresh},
		{c.visits, o.visits}, {c.bounces, o.bounces}, {c.converted, o.converted},
	} {
		addTo(p.to, p.from, groups, to)
	}
	for _, p := range [...]struct{ to, from []uint64 }{{c.engaged, o.engaged}, {c.scroll, o.scroll}, {c.stayed, o.stayed}, {c.visitViews, o.visitViews}} {
		addTo(p.to, p.from, groups, to)
	}
	addTo(c.revenue, o.revenue, groups, to)
}

func addTo[T uint32 | uint64 | int64](dst, src []T, groups, to []uint32) {
	if src == nil {
		return
	}
	for k, g := range groups {
		dst[to[k]] += src[g]
	}
}
