package query

import (
	"context"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/visit"
)

// visits counts the visits that start in the period.
func (s *shard) visits(ctx context.Context) error {
	r := s.run
	var viewed []int
	for i := range r.dims {
		if i != r.time && r.dims[i].viewed() {
			viewed = append(viewed, i)
		}
	}
	if s.filter != nil || len(viewed) > 0 {
		return s.visitsByViews(ctx, viewed)
	}
	if len(r.dims) == btoi(r.time >= 0) {
		return s.visitsByTime(ctx)
	}
	var failed error
	values := make([]uint32, len(r.dims))
	err := s.eachVisit(ctx, r.period, r.robots, func(v *visit.Visit, start int64, _ int) {
		if failed != nil || !s.firstValues(v, start, values) {
			return
		}
		failed = s.addVisit(v, values)
	})
	if err != nil {
		return err
	}
	return failed
}

// visitsByTime counts all visits by bucket, without looking at rows. Visits of
// a chunk lie near each other in time, so it sums up runs of one bucket.
func (s *shard) visitsByTime(ctx context.Context) error {
	r, table, day := s.run, &s.table, -1<<30
	skip := visit.Dead | visit.Robot
	if r.robots {
		skip = visit.Dead
	}
	for _, c := range s.view.Visits {
		base := int64(c.Day) * block.DayMillis
		from, to := max(r.period.from-base, 0), min(r.period.to-base, block.DayMillis)
		if from >= to {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.time >= 0 && c.Day != day {
			day = c.Day
			r.buckets.day(day, table)
		}
		s.sums.addChunk(c.Visits, uint32(from), uint32(to-from), skip, r.time >= 0, table)
	}
	return nil
}

// addChunk adds the visits with from ≤ Start < from+span and none of the flags
// of skip.
func (c *counters) addChunk(visits []visit.Visit, from, span uint32, skip uint8, byTime bool, table *dayTable) {
	var n, bounces, converted, bucket uint32
	var stayed, views uint64
	flush := func() {
		c.visits[bucket] += n
		c.bounces[bucket] += bounces
		c.converted[bucket] += converted
		c.stayed[bucket] += stayed
		c.visitViews[bucket] += views
		n, bounces, converted, stayed, views = 0, 0, 0, 0, 0
	}
	for i := range visits {
		v := &visits[i]
		if v.Start-from >= span || v.Flags&skip != 0 || v.Row == visit.NoRow {
			continue
		}
		if byTime {
			if b := table.at(v.Start); b != bucket {
				flush()
				bucket = b
			}
		}
		n++
		if v.Bounce() {
			bounces++
		}
		converted += uint32(v.Flags & visit.Conversion / visit.Conversion)
		stayed += uint64(v.Duration)
		views += uint64(v.Views)
	}
	flush()
}

func (c *counters) addVisit(group uint32, v *visit.Visit) {
	c.visits[group]++
	if v.Bounce() {
		c.bounces[group]++
	}
	if v.Flags&visit.Conversion != 0 {
		c.converted[group]++
	}
	c.stayed[group] += uint64(v.Duration)
	c.visitViews[group] += uint64(v.Views)
}

// addVisit adds a visit to the group of values.
func (s *shard) addVisit(v *visit.Visit, values []uint32) error {
	group := uint32(0)
	for i, value := range values {
		group = s.group.one(i, group, value)
	}
	if size := s.group.size(); size > len(s.sums.visits) {
		if size > MaxGroups && s.group.dense() == 0 {
			return errTooManyGroups
		}
		s.sums.grow(size, s.run.need)
	}
	s.sums.addVisit(group, v)
	return nil
}

// firstValues writes what a visit's first event and its start say of each
// dimension. ok is false if that event has left.
func (s *shard) firstValues(v *visit.Visit, start int64, values []uint32) (ok bool) {
	r := s.run
	index := s.place(v.Row.Block())
	if index < 0 {
		return false
	}
	for i := range r.dims {
		switch {
		case i == r.time:
			values[i] = uint32(r.buckets.of(start))
		case !r.dims[i].viewed():
			values[i] = s.cellsAt(i, index).number(v.Row.Row())
		}
	}
	return true
}

// cellsAt returns the values of dimension i in the block at index and keeps
// them for the next visit.
func (s *shard) cellsAt(i, index int) *cells {
	if s.kept == nil {
		s.kept = make([][]cells, len(s.run.dims))
		s.known = make([][]bool, len(s.run.dims))
	}
	if s.kept[i] == nil {
		s.kept[i], s.known[i] = make([]cells, len(s.blocks)), make([]bool, len(s.blocks))
	}
	if !s.known[i][index] {
		s.kept[i][index], s.known[i][index] = s.cells(&s.run.dims[i], index), true
	}
	return &s.kept[i][index]
}

// visitsByViews counts visits of which a page view passes the filter, under
// each value of the viewed dimensions that those page views have.
func (s *shard) visitsByViews(ctx context.Context, viewed []int) error {
	r := s.run
	st, last, err := s.collect(ctx, r.period, r.robots)
	if err != nil || len(st.start) == 0 {
		return err
	}
	// A visit's page views may lie after the period: visits are never cut.
	span := period{r.period.from, last + 1}
	var seen *pairSet
	var combos *grouper
	kept := make([]bool, len(st.start))
	if len(viewed) > 0 {
		seen = newPairSet(2 * len(st.start))
		cards, own := make([]uint32, len(viewed)), make([]*numbering, len(viewed))
		for k, i := range viewed {
			sp := s.space(&r.dims[i])
			cards[k], own[k] = sp.card(), sp.own
		}
		combos = newGrouper(cards, own, maxDense)
	}
	values := make([]uint32, len(r.dims))
	for index, b := range s.blocks {
		lo, hi := within(b, span)
		if lo >= hi {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err := s.eachPassing(b, index, lo, hi, func(row int) error {
			i := st.find(b.Subject[row], b.Unix(row))
			if i < 0 {
				return nil
			}
			if len(viewed) == 0 {
				if kept[i] {
					return nil
				}
				kept[i] = true
				if !s.firstValues(st.visit[i], st.start[i], values) {
					return nil
				}
				return s.addVisit(st.visit[i], values)
			}
			return s.eachCombo(viewed, combos, values, 0, 0, index, row, func(combo uint32) error {
				if !seen.add(combo, uint32(i)) || !s.firstValues(st.visit[i], st.start[i], values) {
					return nil
				}
				return s.addVisit(st.visit[i], values)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachCombo calls fn for each combination of values that a row has in the
// viewed dimensions, from the k-th on; it writes them to values.
func (s *shard) eachCombo(viewed []int, combos *grouper, values []uint32, k int, combo uint32, index, row int, fn func(uint32) error) error {
	if k == len(viewed) {
		return fn(combo)
	}
	i := viewed[k]
	c := s.cellsAt(i, index)
	if c.lists == nil {
		values[i] = c.number(row)
		return s.eachCombo(viewed, combos, values, k+1, combos.one(k, combo, values[i]), index, row, fn)
	}
	for _, v := range c.lists[c.raw(row)] {
		values[i] = v
		if err := s.eachCombo(viewed, combos, values, k+1, combos.one(k, combo, v), index, row, fn); err != nil {
			return err
		}
	}
	return nil
}

// eachPassing calls fn with the page views of a block in lo ≤ time < hi that
// pass the filter.
func (s *shard) eachPassing(b *block.Block, index int, lo, hi uint32, fn func(row int) error) error {
	bs := blockScan{s: s, b: b, index: index, lo: lo, hi: hi}
	m := s.takeMask(b.N)
	defer s.giveMask(m)
	kept := keepAll
	if s.filter != nil {
		kept = s.eval(s.filter, b, index, m)
	}
	if kept != keepNone && (lo > b.MinTime || hi <= b.MaxTime) {
		kept = bs.cut(m, kept)
	}
	if kept == keepNone {
		return nil
	}
	if kept = bs.ofViews(m, kept); kept == keepNone {
		return nil
	}
	for first := 0; first < b.N; first += chunk {
		last := min(first+chunk, b.N)
		if kept == keepAll {
			for row := first; row < last; row++ {
				if err := fn(row); err != nil {
					return err
				}
			}
			continue
		}
		for _, row := range m.appendRows(s.rows[:0], first, last) {
			if err := fn(int(row)); err != nil {
				return err
			}
		}
	}
	return nil
}
