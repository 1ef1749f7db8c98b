package query

import (
	"github.com/readership/readership/internal/event"
)

// qualityMillis is the attention from which a page view is a quality view.
const qualityMillis = 15_000

// sumOne adds rows of one group: rows, or all of first ≤ row < last.
func (bs *blockScan) sumOne(group uint32, first, last, n int, rows []uint16, need needs) {
	c := &bs.s.sums
	if need&needEvents != 0 {
		c.events[group] += uint32(n)
	}
	if need&needPeople != 0 && need&needViews == 0 {
		c.people[group] += uint32(n)
	}
	if need&needViews != 0 {
		c.views[group] += uint32(n)
	}
	if need&needConversions != 0 {
		c.conversions[group] += uint32(n)
	}
	if need&(needEngaged|needQuality|needScroll|needRecirculation|needRevenue) == 0 {
		return
	}
	bs.sumRare(first, last, rows, need, func(int) uint32 { return group })
}

// sum adds rows of several groups.
func (bs *blockScan) sum(gids []uint32, first int, rows []uint16, need needs) {
	c := &bs.s.sums
	if need&needEvents != 0 {
		countGroups(c.events, gids)
	}
	if need&needPeople != 0 && need&needViews == 0 {
		countGroups(c.people, gids)
	}
	if need&needViews != 0 {
		countGroups(c.views, gids)
	}
	if need&needConversions != 0 {
		countGroups(c.conversions, gids)
	}
	if need&(needEngaged|needQuality|needScroll|needRecirculation|needRevenue) == 0 {
		return
	}
	bs.sumRare(first, first+len(gids), rows, need, func(k int) uint32 { return gids[k] })
}

// countGroups counts in two halves where groups are few: the next row of the
// same group need not wait for the last.
func countGroups(counts, gids []uint32) {
	const few = 256
	if len(counts) > few || len(gids) < 4*len(counts) {
		for _, g := range gids {
			counts[g]++
		}
		return
	}
	var parts [4][few]uint32
	k := 0
	for ; k+4 <= len(gids); k += 4 {
		parts[0][gids[k]&(few-1)]++
		parts[1][gids[k+1]&(few-1)]++
		parts[2][gids[k+2]&(few-1)]++
		parts[3][gids[k+3]&(few-1)]++
	}
	for ; k < len(gids); k++ {
		counts[gids[k]]++
	}
	for g := range counts {
		counts[g] += parts[0][g] + parts[1][g] + parts[2][g] + parts[3][g]
	}
}

// sumRare adds what is beside the rows: attention, scroll, values.
func (bs *blockScan) sumRare(first, last int, rows []uint16, need needs, group func(int) uint32) {
	b, c := bs.b, &bs.s.sums
	each := func(fn func(k, row int)) {
		if rows == nil {
			for row := first; row < last; row++ {
				fn(row-first, row)
			}
			return
		}
		for k, row := range rows {
			fn(k, int(row))
		}
	}
	if need&(needEngaged|needQuality) != 0 && first < b.Engaged.Len() {
		each(func(k, row int) {
			millis := b.EngagedMillis(row)
			if millis == 0 {
				return
			}
			if c.engaged != nil {
				c.engaged[group(k)] += uint64(millis)
			}
			if c.quality != nil && millis >= qualityMillis {
				c.quality[group(k)]++
			}
		})
	}
	if need&needScroll != 0 && first < b.Scroll.Len() {
		each(func(k, row int) { c.scroll[group(k)] += uint64(b.ScrollPercent(row)) })
	}
	if need&needRecirculation != 0 {
		t := bs.s.trail
		each(func(k, row int) {
			switch t.of(bs.index, row) {
			case trailFollowed:
				c.followed[group(k)]++
				c.articles[group(k)]++
			case trailArticle:
				c.articles[group(k)]++
			}
		})
	}
	if need&needRevenue != 0 && len(b.ValueRows) > 0 {
		bs.sumRevenue(each, group)
	}
}

// sumRevenue adds the values of conversions in the site's currency, or in any
// where the groups are told apart by it. A value without a currency is in the
// site's.
func (bs *blockScan) sumRevenue(each func(func(k, row int)), group func(int) uint32) {
	b, r := bs.b, bs.s.run
	currency := b.ColumnAt(int(event.ColCurrency))
	texts := bs.s.dict(int(event.ColCurrency)).Texts
	if currency != nil && currency.Local != nil {
		texts = currency.Local.Texts
	}
	next := 0
	each(func(k, row int) {
		if next > 0 && int(b.ValueRows[next-1]) > row {
			next = 0 // repeated rows of lists do not go back, but stay safe
		}
		for next < len(b.ValueRows) && int(b.ValueRows[next]) < row {
			next++
		}
		if next == len(b.ValueRows) || int(b.ValueRows[next]) != row {
			return
		}
		if !r.allCurrencies && currency != nil {
			if code := currency.At(row); code != 0 && texts[code] != r.view.Site.Currency {
				return
			}
		}
		bs.s.sums.revenue[group(k)] += b.Values[next]
	})
}

// readers adds the readers of rows to the sets of their groups.
func (bs *blockScan) readers(group uint32, one bool, first, last, n int, rows []uint16, need needs) error {
	d, subjects := bs.s.sets, bs.b.Subject
	if d.pairs != nil {
		return bs.pairReaders(group, one, first, n, rows)
	}
	switch {
	case one && rows == nil:
		d.addAll(group, subjects[first:last])
	case one:
		d.addRows(group, subjects, rows)
	default:
		d.addGroups(bs.s.gids[:n], subjects, first, rows)
	}
	return nil
}

// addGroups adds the reader of each row to the set of the row's group.
func (d *distinct) addGroups(gids, subjects []uint32, first int, rows []uint16) {
	words, set := d.words, d.bits
	if d.only != nil {
		for k, g := range gids {
			gids[k] = d.only[g]
		}
	}
	if rows == nil {
		subjects = subjects[first : first+len(gids)]
		for k, g := range gids {
			s := subjects[k]
			set[int(g)*words+int(s>>6)] |= 1 << (s & 63)
		}
		return
	}
	rows = rows[:len(gids)]
	for k, g := range gids {
		s := subjects[rows[k]]
		set[int(g)*words+int(s>>6)] |= 1 << (s & 63)
	}
}

func (bs *blockScan) pairReaders(group uint32, one bool, first, n int, rows []uint16) error {
	s := bs.s
	d := s.sets
	values := make([]uint32, len(s.run.dims))
	for k := range n {
		row := first + k
		if rows != nil {
			row = int(rows[k])
		}
		g := group
		if !one {
			g = s.gids[k]
		}
		subject := bs.b.Subject[row]
		if !d.pairs.add(g, subject) {
			continue
		}
		s.sums.visitors[g]++
		if bs.fresh != nil && bs.fresh[subject] == s.bucketOf(g, values) {
			s.sums.fresh[g]++
		}
	}
	if d.pairs.n > maxDistinct {
		return errTooManyReaders
	}
	return nil
}
