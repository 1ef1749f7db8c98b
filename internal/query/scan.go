package query

import (
	"context"
	"slices"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
)

// chunk is the number of rows that go through the loops at once: a page of
// attention, and little enough to stay in the nearest cache.
const chunk = 4096

// needRows are the counters that rows fill; those of visits come from visits.
const needRows = needEvents | needViews | needEngaged | needQuality | needScroll | needConversions | needRevenue | needDistinct | needRecirculation | needPeople

// needOfViews are the counters that only page views fill.
const needOfViews = needViews | needEngaged | needQuality | needScroll | needRecirculation

// scan counts the rows of the period.
func (s *shard) scan(ctx context.Context) error { return s.scanFor(ctx, s.run.need) }

// scanFor is scan that counts only some of what is needed.
func (s *shard) scanFor(ctx context.Context, need needs) error {
	r := s.run
	need &= needRows
	if need == 0 {
		return nil
	}
	if need&needRecirculation != 0 {
		if err := s.follow(ctx); err != nil {
			return err
		}
	}
	var fresh []uint32
	if need&needNew != 0 && s.sets != nil && s.sets.pairs != nil {
		fresh = s.freshBuckets()
	}
	for i, b := range s.blocks {
		lo, hi := r.within(b)
		if lo >= hi {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		bs := blockScan{s: s, b: b, index: i, lo: lo, hi: hi, need: need, fresh: fresh}
		if err := bs.run(); err != nil {
			return err
		}
	}
	s.finish()
	return nil
}

// blockScan is the scan of one block.
type blockScan struct {
	s      *shard
	b      *block.Block
	index  int
	lo, hi uint32 // of the period, milliseconds of the day
	need   needs
	fresh  []uint32

	cells  []cells // by dimension, but for time
	listed int     // dimensions that are lists
	table  *dayTable
	single bool   // all rows are in one bucket
	bucket uint32 // with single
}

func (bs *blockScan) run() error {
	s, b, r := bs.s, bs.b, bs.s.run
	if b.Kind == block.Decisions {
		if bs.need &^= needEvents; bs.need == 0 {
			return nil
		}
	}
	bs.times()
	if r.filter == nil && len(r.dims) == btoi(r.time >= 0) {
		bs.counted()
		if bs.need == 0 {
			return nil
		}
	}
	m := s.takeMask(b.N)
	defer s.giveMask(m)
	kept := keepAll
	if s.filter != nil {
		kept = s.eval(s.filter, b, bs.index, m)
	}
	if kept != keepNone && (bs.lo > b.MinTime || bs.hi <= b.MaxTime) {
		kept = bs.cut(m, kept)
	}
	if kept == keepNone {
		return nil
	}
	bs.dimensions()
	return bs.streams(m, kept)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// times finds the buckets of the block's rows.
func (bs *blockScan) times() {
	r := bs.s.run
	if r.time < 0 {
		bs.single = true
		return
	}
	bs.table = &bs.s.table
	r.buckets.day(bs.b.Day, bs.table)
	first, last := max(bs.b.MinTime, bs.lo), min(bs.b.MaxTime, bs.hi-1)
	bs.bucket = bs.table.at(first)
	bs.single = bs.bucket == bs.table.at(last)
}

// counted takes events and page views from the block's own counts where the
// period takes in all of it.
func (bs *blockScan) counted() {
	b, sums := bs.b, &bs.s.sums
	if bs.lo > b.MinTime || bs.hi <= b.MaxTime {
		return
	}
	add := func(to []uint32, counts *[block.Buckets]uint32) {
		for k, n := range counts {
			if n != 0 {
				bucket := bs.bucket
				if bs.table != nil {
					bucket = bs.table[k]
				}
				to[bucket] += n
			}
		}
	}
	if bs.need&needEvents != 0 {
		add(sums.events, b.Events)
		bs.need &^= needEvents
	}
	if bs.need&needOfViews == needViews && (b.Robots == 0 || !bs.s.run.robots) {
		add(sums.views, b.Views)
		bs.need &^= needViews
	}
}

// cut adds the period to the mask.
func (bs *blockScan) cut(m mask, kept outcome) outcome {
	b := bs.b
	if kept == keepAll {
		m.inRange(b.Time[:b.N], bs.lo, bs.hi)
		clear(m[b.N:])
		return keepSome
	}
	t := bs.s.takeMask(b.N)
	t.inRange(b.Time[:b.N], bs.lo, bs.hi)
	clear(t[b.N:])
	m.and(t)
	bs.s.giveMask(t)
	return keepSome
}

func (bs *blockScan) dimensions() {
	r := bs.s.run
	bs.cells = make([]cells, len(r.dims))
	for i := range r.dims {
		if i == r.time {
			continue
		}
		bs.cells[i] = bs.s.cells(&r.dims[i], bs.index)
		if bs.cells[i].lists != nil {
			bs.listed++
		}
	}
}

// streams splits the rows by what may count: robots count as events only,
// page views and conversions have counters of their own.
func (bs *blockScan) streams(m mask, kept outcome) error {
	s, b := bs.s, bs.b
	robots := b.Robots > 0 && !s.run.robots
	if bs.need&needEvents != 0 && robots {
		if err := bs.stream(m, kept, needEvents); err != nil {
			return err
		}
		bs.need &^= needEvents
	}
	if robots && bs.need != 0 {
		column := cellsOf(b.ColumnAt(int(event.ColBotClass)))
		people := newCodeTest(onlyCode(0, b.ColumnAt(int(event.ColBotClass))))
		kept = bs.restrict(m, kept, &column, &people)
	}
	if bs.need == 0 || kept == keepNone {
		return nil
	}
	types := cellsOf(b.ColumnAt(int(event.ColType)))
	codes := s.typesOf(b)
	all := bs.need & (needEvents | needDistinct | needPeople)
	for _, part := range [...]struct {
		need needs
		code uint32
	}{{bs.need & needOfViews, codes.view}, {bs.need & (needConversions | needRevenue), codes.conversion}} {
		if part.need == 0 || part.code == 0 {
			continue
		}
		if c, same := types.constant(b.N); same {
			if c == part.code {
				// Every row is of this type: one pass for all.
				if err := bs.stream(m, kept, part.need|all); err != nil {
					return err
				}
				all = 0
			}
			continue
		}
		own := s.takeMask(b.N)
		copy(own, m)
		test := newCodeTest(onlyCode(part.code, b.ColumnAt(int(event.ColType))))
		got := bs.restrict(own, kept, &types, &test)
		if got != keepNone {
			if err := bs.stream(own, got, part.need); err != nil {
				return err
			}
		}
		s.giveMask(own)
	}
	if all == 0 {
		return nil
	}
	return bs.stream(m, kept, all)
}

// ofViews narrows a mask to page views.
func (bs *blockScan) ofViews(m mask, kept outcome) outcome {
	code := bs.s.typesOf(bs.b).view
	column := bs.b.ColumnAt(int(event.ColType))
	if code == 0 || column == nil {
		return keepNone
	}
	c := cellsOf(column)
	test := newCodeTest(onlyCode(code, column))
	return bs.restrict(m, kept, &c, &test)
}

// onlyCode is the table in which one code passes.
func onlyCode(code uint32, c *block.Column) []uint8 {
	most := code
	if c != nil {
		most = max(most, c.Max)
	}
	t := make([]uint8, most+1)
	t[code] = 1
	return t
}

// restrict narrows a mask by a test of a column.
func (bs *blockScan) restrict(m mask, kept outcome, c *cells, test *codeTest) outcome {
	if kept == keepAll {
		return keepCells(m, c, bs.b.N, test)
	}
	t := bs.s.takeMask(bs.b.N)
	defer bs.s.giveMask(t)
	switch keepCells(t, c, bs.b.N, test) {
	case keepNone:
		return keepNone
	case keepSome:
		m.and(t)
	}
	return kept
}

// stream counts the kept rows, chunk by chunk.
func (bs *blockScan) stream(m mask, kept outcome, need needs) error {
	s, b := bs.s, bs.b
	for first := 0; first < b.N; first += chunk {
		last := min(first+chunk, b.N)
		var rows []uint16
		if kept == keepSome {
			if rows = m.appendRows(s.rows[:0], first, last); len(rows) == 0 {
				continue
			}
		}
		if bs.listed > 1 {
			if err := bs.countLists(first, last, rows, need); err != nil {
				return err
			}
			continue
		}
		if err := bs.count(first, last, rows, need); err != nil {
			return err
		}
	}
	return nil
}

// countLists is count in small steps: several lists multiply a row.
func (bs *blockScan) countLists(first, last int, rows []uint16, need needs) error {
	const step = 64
	if rows == nil {
		for ; first < last; first += step {
			if err := bs.count(first, min(first+step, last), nil, need); err != nil {
				return err
			}
		}
		return nil
	}
	rows = slices.Clone(rows) // expand writes to the scratch they lie in
	for len(rows) > 0 {
		n := min(step, len(rows))
		if err := bs.count(first, last, rows[:n:n], need); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// count counts one chunk: rows, or all of first ≤ row < last.
func (bs *blockScan) count(first, last int, rows []uint16, need needs) error {
	s := bs.s
	n := last - first
	if rows != nil {
		n = len(rows)
	}
	group, one := bs.constant()
	if !one && bs.fused(first, last, rows, need) {
		return nil
	}
	if !one {
		if bs.listed > 0 {
			rows = bs.expand(first, last, rows)
			n = len(rows)
		}
		if n > len(s.gids) {
			s.gids = make([]uint32, max(n, chunk))
		}
		bs.number(s.gids[:n], first, rows)
		size := s.group.size()
		if size > MaxGroups && s.group.dense() == 0 {
			return errTooManyGroups
		}
		s.sums.grow(size, s.run.need)
	}
	if one {
		bs.sumOne(group, first, last, n, rows, need)
	} else {
		bs.sum(s.gids[:n], first, rows, need)
	}
	if need&needDistinct != 0 {
		return bs.readers(group, one, first, last, n, rows, need)
	}
	return nil
}

// fused counts the commonest questions in one loop a chunk: readers by time,
// and one counter by one column. It reports whether it has.
func (bs *blockScan) fused(first, last int, rows []uint16, need needs) bool {
	s, r := bs.s, bs.s.run
	if rows != nil || bs.listed > 0 {
		return false
	}
	if len(r.dims) == 2 {
		return bs.fusedPair(first, last, need)
	}
	if len(r.dims) != 1 {
		return false
	}
	if need&^needDistinct == 0 && r.time == 0 && s.sets.bits != nil && s.sets.only == nil {
		s.sets.addTimes(bs.b.Subject[first:last], bs.b.Time[first:last], bs.table)
		return true
	}
	counts := bs.only(need)
	c := &bs.cells[0]
	if counts == nil || r.time == 0 || c.table != nil || c.n < last || s.group.dense() == 0 {
		return false
	}
	switch c.width {
	case 1:
		histogram(counts, c.c8[first:last])
	case 2:
		histogram(counts, c.c16[first:last])
	case 4:
		histogram(counts, c.c32[first:last])
	default:
		return false
	}
	return true
}

// only returns the counter that need asks for, nil if there are more.
func (bs *blockScan) only(need needs) []uint32 {
	switch need {
	case needViews, needViews | needPeople:
		return bs.s.sums.views
	case needEvents:
		return bs.s.sums.events
	}
	return nil
}

// fusedPair counts by two columns of a byte.
func (bs *blockScan) fusedPair(first, last int, need needs) bool {
	const few = 1 << 10
	counts, groups := bs.only(need), bs.s.group.dense()
	a, b := &bs.cells[0], &bs.cells[1]
	if counts == nil || bs.s.run.time >= 0 || groups == 0 || groups > few || last-first < groups {
		return false
	}
	if a.width != 1 || b.width != 1 || a.table != nil || b.table != nil || a.n < last || b.n < last {
		return false
	}
	// Two halves, so that the next row of a group need not wait for the last.
	var parts [2][few]uint32
	mul := bs.s.group.levels[1].card
	codes, others := a.c8[first:last], b.c8[first:last]
	others = others[:len(codes)]
	k := 0
	for ; k+2 <= len(codes); k += 2 {
		parts[0][(uint32(codes[k])*mul+uint32(others[k]))&(few-1)]++
		parts[1][(uint32(codes[k+1])*mul+uint32(others[k+1]))&(few-1)]++
	}
	for ; k < len(codes); k++ {
		parts[0][(uint32(codes[k])*mul+uint32(others[k]))&(few-1)]++
	}
	for g := range counts[:groups] {
		counts[g] += parts[0][g] + parts[1][g]
	}
	return true
}

func histogram[T codeWidth](counts []uint32, src []T) {
	for _, v := range src {
		counts[v]++
	}
}

// constant returns the group of all rows of the block, if it is one.
func (bs *blockScan) constant() (group uint32, ok bool) {
	if !bs.single || bs.listed > 0 {
		return 0, false
	}
	r := bs.s.run
	for i := range r.dims {
		value := bs.bucket
		if i != r.time {
			var same bool
			if value, same = bs.cells[i].constant(bs.b.N); !same {
				return 0, false
			}
		}
		group = bs.s.group.one(i, group, value)
	}
	if n := bs.s.group.size(); n > 0 {
		bs.s.sums.grow(n, r.need)
	}
	return group, true
}

// number writes the groups of rows.
func (bs *blockScan) number(dst []uint32, first int, rows []uint16) {
	s, r := bs.s, bs.s.run
	for i := range r.dims {
		l := &s.group.levels[i]
		if l.pairs != nil {
			bs.pair(i, l, dst, first, rows)
			continue
		}
		mul := l.card
		if i == 0 {
			mul = 0
		}
		switch {
		case i == r.time:
			bs.timeAdd(dst, mul, first, rows)
		case bs.cells[i].lists != nil:
			for k, v := range s.lists[i][:len(dst)] {
				dst[k] = dst[k]*mul + v
			}
		default:
			bs.cells[i].mulAdd(dst, mul, first, rows)
		}
	}
}

// pair numbers groups by pairs of the number so far and the dimension's value.
func (bs *blockScan) pair(i int, l *level, dst []uint32, first int, rows []uint16) {
	values := make([]uint32, len(dst))
	switch {
	case i == bs.s.run.time:
		bs.timeAdd(values, 0, first, rows)
	case bs.cells[i].lists != nil:
		copy(values, bs.s.lists[i])
	default:
		bs.cells[i].mulAdd(values, 0, first, rows)
	}
	lastKey, lastNumber := ^uint64(0), uint32(0)
	for k, v := range values {
		if key := uint64(dst[k])<<32 | uint64(v); key != lastKey {
			lastKey, lastNumber = key, l.pairs.number(dst[k], v)
		}
		dst[k] = lastNumber
	}
}

// timeAdd is mulAdd of the time dimension.
func (bs *blockScan) timeAdd(dst []uint32, mul uint32, first int, rows []uint16) {
	if bs.single {
		mulAddConst(dst, mul, bs.bucket)
		return
	}
	// Rows near each other are mostly of the same 5 minutes.
	table, start, bucket := bs.table, uint32(1)<<31, uint32(0)
	if rows == nil {
		for k, t := range bs.b.Time[first : first+len(dst)] {
			if t-start >= block.BucketMillis {
				start, bucket = t/block.BucketMillis*block.BucketMillis, table.at(t)
			}
			dst[k] = dst[k]*mul + bucket
		}
		return
	}
	time := bs.b.Time
	for k, row := range rows[:len(dst)] {
		t := time[row]
		if t-start >= block.BucketMillis {
			start, bucket = t/block.BucketMillis*block.BucketMillis, table.at(t)
		}
		dst[k] = dst[k]*mul + bucket
	}
}

// expand repeats rows for every combination of values of the lists, which it
// writes beside them.
func (bs *blockScan) expand(first, last int, rows []uint16) []uint16 {
	s, r := bs.s, bs.s.run
	if rows == nil {
		rows = s.rows[:0]
		for row := first; row < last; row++ {
			rows = append(rows, uint16(row))
		}
	}
	if s.lists == nil {
		s.lists = make([][]uint32, len(r.dims))
	}
	for i := range bs.cells {
		c := &bs.cells[i]
		if c.lists == nil {
			continue
		}
		out := make([]uint16, 0, len(rows)+len(rows)/2)
		values := make([]uint32, 0, cap(out))
		from := make([]uint32, 0, cap(out))
		for k, row := range rows {
			for _, v := range c.lists[c.raw(int(row))] {
				out, values, from = append(out, row), append(values, v), append(from, uint32(k))
			}
		}
		for j := range i {
			if bs.cells[j].lists != nil {
				old := s.lists[j]
				moved := make([]uint32, len(from))
				for k, f := range from {
					moved[k] = old[f]
				}
				s.lists[j] = moved
			}
		}
		s.lists[i], rows = values, out
	}
	return rows
}
