package api

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/visit"
	"github.com/readership/readership/internal/event"
)

// Spans of the live board, in milliseconds, and its bounds.
const (
	activeMillis = 60 * 1000
	idleMillis   = 5 * 60 * 1000
	boardDays    = 2 // a visit that began more days ago is nobody's who reads
	boardLines   = 100
)

// none stands for a value that is not there, as in queries.
const none = "(none)"

// board counts who reads at an instant of the site's clock. A visit's last page
// view or engagement tells when its device was there last; a device has at most
// one visit within the last five minutes. Robots and visits without a page view
// are left out.
func board(v *engine.View, now int64) *Live {
	now = max(now, v.Now)
	out := &Live{AsOf: stamp(now), At: v.Position, Items: []LiveItem{}}
	items := map[string]*boardItem{}
	channels, countries, referrers := map[string]int{}, map[string]int{}, map[string]int{}
	for _, s := range v.Shards {
		out.PageViews += viewsSince(s, now-activeMillis)
		for _, chunk := range s.Visits {
			if int64(chunk.Day+boardDays+1)*block.DayMillis <= now {
				continue
			}
			for i := range chunk.Visits {
				visited := &chunk.Visits[i]
				seen := int64(chunk.Day)*block.DayMillis + int64(visited.Start) + int64(visited.Duration)
				if at, ok := s.Seen[chunk.ID(i)]; ok {
					seen = at
				}
				if seen <= now-idleMillis || !visited.Counted() || visited.Flags&visit.Robot != 0 || visited.Last == visit.NoRow {
					continue
				}
				item := readItem(v, s, items, visited.Last, seen)
				if seen <= now-activeMillis {
					out.Idle++
					item.Idle++
					continue
				}
				out.Readers++
				item.Readers++
				channels[textAt(s, visited.Row, event.ColChannel)]++
				countries[textAt(s, visited.Row, event.ColCountry)]++
				referrers[textAt(s, visited.Row, event.ColReferrerHost)]++
			}
		}
	}
	lines := slices.SortedFunc(maps.Values(items), func(x, y *boardItem) int {
		return cmp.Or(cmp.Compare(y.Readers, x.Readers), cmp.Compare(y.Idle, x.Idle), strings.Compare(x.Item, y.Item))
	})
	for _, item := range lines[:min(len(lines), boardLines)] {
		out.Items = append(out.Items, item.LiveItem)
	}
	out.Channels, out.Countries, out.Referrers = ranked(channels), ranked(countries), ranked(referrers)
	return out
}

// boardItem is a line of the board and when it was last seen.
type boardItem struct {
	LiveItem
	seen int64
}

// readItem returns the line of the item that a row viewed, made at first use.
// What the catalogue does not say of it, the page view seen last does.
func readItem(v *engine.View, s *engine.ShardView, items map[string]*boardItem, row block.RowID, seen int64) *boardItem {
	id := v.Items.Canonical(textAt(s, row, event.ColItem))
	item := items[id]
	if item == nil {
		item = &boardItem{LiveItem: LiveItem{Item: id}}
		items[id] = item
	}
	if seen <= item.seen {
		return item
	}
	item.seen = seen
	if url := textAt(s, row, event.ColURL); url != none {
		item.URL = url
	}
	if title := textAt(s, row, event.ColTitle); title != none {
		item.Title = title
	}
	if entry, ok := v.Items.Item(id); ok {
		item.Section = entry.Section
		item.Title = cmp.Or(entry.Title, item.Title)
		item.URL = cmp.Or(entry.URL, item.URL)
	}
	return item
}

// textAt returns a column's value at a row, none if it is missing or the row
// has left.
func textAt(s *engine.ShardView, row block.RowID, c event.Column) string {
	b := s.ByID[row.Block()]
	if b == nil {
		return none
	}
	column := b.ColumnAt(int(c))
	if column == nil || row.Row() >= b.N {
		return none
	}
	code := column.At(row.Row())
	if code == 0 {
		return none
	}
	if column.Local != nil {
		return column.Local.Texts[code]
	}
	return s.Columns[c].Dict.Texts[code]
}

// viewsSince counts page views after an instant, robots left out.
func viewsSince(s *engine.ShardView, since int64) int {
	n := 0
	for _, b := range s.Blocks {
		if b.Kind != block.Plain || b.N == 0 || int64(b.Day)*block.DayMillis+int64(b.MaxTime) <= since {
			continue
		}
		kinds, robots := b.ColumnAt(int(event.ColType)), b.ColumnAt(int(event.ColBotClass))
		if kinds == nil {
			continue
		}
		dict := s.Columns[event.ColType].Dict
		if kinds.Local != nil {
			dict = *kinds.Local
		}
		for i := range b.N {
			if b.Unix(i) > since && b.Time[i] != block.Gone && (robots == nil || robots.At(i) == 0) && dict.Texts[kinds.At(i)] == event.TypePageView {
				n++
			}
		}
	}
	return n
}

// ranked lists counts, the greatest first.
func ranked(counts map[string]int) []LiveCount {
	out := make([]LiveCount, 0, len(counts))
	for name, n := range counts {
		out = append(out, LiveCount{Name: name, Readers: n})
	}
	slices.SortFunc(out, func(x, y LiveCount) int {
		return cmp.Or(cmp.Compare(y.Readers, x.Readers), strings.Compare(x.Name, y.Name))
	})
	return out[:min(len(out), boardLines)]
}
