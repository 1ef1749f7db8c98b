package query

import (
	"context"
	"math"
)

// merged are the groups of all shards together.
type merged struct {
	run    *run
	sums   *counters
	ids    []uint32 // groups that exist, ascending
	group  *grouper
	names  [][]string // by dimension; nil for time
	shards []shardGroups
}

// shardGroups says which groups of a shard became which.
type shardGroups struct{ groups, ids []uint32 }

// merge adds the shards up.
func (r *run) merge() *merged {
	m := &merged{run: r}
	if r.period.from >= r.period.to {
		m.sums = &counters{}
		return m
	}
	for _, s := range r.shards {
		m.shards = append(m.shards, shardGroups{groups: s.existing()})
	}
	if len(r.shards) == 1 {
		m.alone(r.shards[0])
		return m
	}
	translations := make([][][]uint32, len(r.shards))
	var cards []uint32
	for i := range r.dims {
		if i == r.time {
			m.names = append(m.names, nil)
			cards = append(cards, uint32(r.buckets.n()))
			for k := range r.shards {
				translations[k] = append(translations[k], nil)
			}
			continue
		}
		all := newNumbering()
		var entry *cacheEntry
		var fixed []string // names that are the same in every shard
		for k, s := range r.shards {
			sp := s.space(&r.dims[i])
			if sp.own == nil {
				entry, fixed = sp.entry, sp.names
				translations[k] = append(translations[k], sp.global)
				continue
			}
			table := make([]uint32, len(sp.own.texts))
			for n, text := range sp.own.texts {
				table[n] = all.number(text)
			}
			translations[k] = append(translations[k], table)
		}
		names := all.texts
		if entry != nil {
			names = entry.names()
		} else if fixed != nil {
			names = fixed
		}
		m.names = append(m.names, names)
		cards = append(cards, uint32(len(names)))
	}
	m.group = newGrouper(cards, make([]*numbering, len(cards)), maxDense)
	values := make([]uint32, len(r.dims))
	for k, s := range r.shards {
		sg := &m.shards[k]
		sg.ids = make([]uint32, len(sg.groups))
		for j, g := range sg.groups {
			s.group.split(g, values)
			id := uint32(0)
			for i, v := range values {
				if t := translations[k][i]; t != nil {
					v = t[v]
				}
				id = m.group.one(i, id, v)
			}
			sg.ids[j] = id
		}
	}
	m.sums = &counters{}
	size := m.group.size()
	m.sums.grow(size, r.need)
	for k, s := range r.shards {
		m.sums.add(&s.sums, m.shards[k].groups, m.shards[k].ids)
	}
	m.ids = existing(m.sums, size)
	return m
}

// alone takes the groups of the only shard as they are.
func (m *merged) alone(s *shard) {
	m.sums, m.group, m.ids = &s.sums, s.group, m.shards[0].groups
	m.shards[0].ids = m.ids
	for i := range m.run.dims {
		if i == m.run.time {
			m.names = append(m.names, nil)
			continue
		}
		m.names = append(m.names, s.space(&m.run.dims[i]).texts())
	}
}

func (s *shard) existing() []uint32 {
	if s.group == nil {
		return nil
	}
	return existing(&s.sums, s.group.size())
}

// existing lists the groups that hold anything that was asked for.
func existing(c *counters, size int) []uint32 {
	var ids []uint32
	lists := make([][]uint32, 0, 6)
	for _, l := range [...][]uint32{c.views, c.events, c.people, c.visitors, c.visits, c.conversions} {
		if l != nil {
			lists = append(lists, l)
		}
	}
	for g := range size {
		for _, l := range lists {
			if g < len(l) && l[g] != 0 {
				ids = append(ids, uint32(g))
				break
			}
		}
	}
	return ids
}

// name returns the value of dimension i.
func (m *merged) name(i int, value uint32) string {
	if value == 0 {
		return None
	}
	return m.names[i][value]
}

// value returns a metric of a group; NaN where there is none.
func (m *merged) value(metric Metric, id uint32) float64 {
	c := m.sums
	at := func(s []uint32) float64 {
		if int(id) >= len(s) {
			return 0
		}
		return float64(s[id])
	}
	at64 := func(s []uint64) float64 {
		if int(id) >= len(s) {
			return 0
		}
		return float64(s[id])
	}
	switch metric {
	case PageViews:
		return at(c.views)
	case Visitors:
		return at(c.visitors)
	case Visits:
		return at(c.visits)
	case BounceRate:
		return ratio(at(c.bounces), at(c.visits))
	case VisitSeconds:
		return ratio(at64(c.stayed), at(c.visits)*1000)
	case ViewsPerVisit:
		return ratio(at64(c.visitViews), at(c.visits))
	case EngagedSeconds:
		return at64(c.engaged) / 1000
	case EngagedSecondsPerView:
		return ratio(at64(c.engaged), at(c.views)*1000)
	case QualityViews:
		return at(c.quality)
	case ScrollPercent:
		return ratio(at64(c.scroll), at(c.views))
	case Events:
		return at(c.events)
	case Conversions:
		return at(c.conversions)
	case ConversionRate:
		return ratio(at(c.converted), at(c.visits))
	case Revenue:
		if int(id) >= len(c.revenue) {
			return 0
		}
		return float64(c.revenue[id]) / 1e6
	case NewVisitors:
		return at(c.fresh)
	case RecirculationRate:
		return ratio(at(c.followed), at(c.articles))
	}
	return math.NaN()
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}

// countReaders counts the readers of some groups in a pass of its own: the
// groups that are shown, once they are known.
func (m *merged) countReaders(ctx context.Context, ids []uint32) error {
	r := m.run
	if len(ids) == 0 {
		return nil
	}
	slot := make(map[uint32]uint32, len(ids))
	for k, id := range ids {
		slot[id] = uint32(k)
	}
	place := make(map[*shard]int, len(r.shards))
	for k, s := range r.shards {
		place[s] = k
	}
	err := r.each(func(s *shard) error {
		sg := &m.shards[place[s]]
		d := &distinct{words: (s.view.Subjects.Len() + 63) / 64}
		d.only = make([]uint32, s.group.size())
		for g := range d.only {
			d.only[g] = uint32(len(ids))
		}
		for j, id := range sg.ids {
			if k, ok := slot[id]; ok {
				d.only[sg.groups[j]] = k
			}
		}
		d.bits = make([]uint64, (len(ids)+1)*d.words)
		s.sets = d
		return s.scanFor(ctx, needDistinct)
	})
	if err != nil {
		return err
	}
	m.sums.visitors = grown(m.sums.visitors, m.group.size())
	if r.needNew {
		m.sums.fresh = grown(m.sums.fresh, m.group.size())
	}
	for _, s := range r.shards {
		var fresh []uint32
		if r.needNew {
			fresh = s.freshBuckets()
		}
		for k, id := range ids {
			m.sums.visitors[id] += s.sets.count(k)
			if r.needNew {
				m.sums.fresh[id] += s.sets.countFresh(k, fresh, m.bucketOf(id))
			}
		}
	}
	return nil
}

// bucketOf returns the time bucket of a group, 0 without a time dimension.
func (m *merged) bucketOf(id uint32) uint32 {
	if m.run.time < 0 {
		return 0
	}
	values := make([]uint32, len(m.run.dims))
	m.group.split(id, values)
	return values[m.run.time]
}
