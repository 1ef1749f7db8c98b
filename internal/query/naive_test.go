package query

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
)

// nrow is a row as the naive executor sees it.
type nrow struct {
	event.Event
	view    uint64
	engaged uint32
	scroll  uint8
	visit   *nvisit
}

type nvisit struct {
	rows       []*nrow // in time order
	start, end int64
}

// naive answers questions by plain loops over decoded rows.
type naive struct {
	site    event.Site
	now     int64
	from    int64
	items   map[string]event.Item
	address map[string]string
	rows    []*nrow
	visits  []*nvisit
	seen    map[string]int64
	members map[string][]string // segments by device, or account:ID
}

// newNaive folds events in order of arrival.
func newNaive(site event.Site, now int64, items []event.Item, events []generated) *naive {
	n := &naive{site: site.WithDefaults(), now: now, items: map[string]event.Item{}, address: map[string]string{}, seen: map[string]int64{}}
	n.from = now - n.site.WindowDuration().Milliseconds()
	for _, i := range items {
		n.items[i.ID] = i
		for _, a := range append([]string{i.URL}, i.Aliases...) {
			if a != "" {
				n.address[a] = i.ID
			}
		}
	}
	byView := map[uint64]*nrow{}
	waiting := map[uint64][]generated{}
	type point struct {
		t   int64
		row *nrow
	}
	points := map[string][]point{}
	engage := func(r *nrow, g generated) {
		r.engaged += g.EngagedMillis
		r.scroll = max(r.scroll, g.Scroll)
		points[r.Device] = append(points[r.Device], point{g.Time, nil})
	}
	for _, g := range events {
		if g.Type() == event.TypeEngagement {
			if r := byView[g.view]; r != nil {
				engage(r, g)
			} else {
				waiting[g.view] = append(waiting[g.view], g)
			}
			continue
		}
		r := &nrow{Event: g.Event, view: g.view}
		n.rows = append(n.rows, r)
		if s, ok := n.seen[g.Device]; !ok || g.Time < s {
			n.seen[g.Device] = g.Time
		}
		points[g.Device] = append(points[g.Device], point{g.Time, r})
		if g.Type() == event.TypePageView && g.view != 0 && byView[g.view] == nil {
			byView[g.view] = r
			for _, w := range waiting[g.view] {
				engage(r, w)
			}
			delete(waiting, g.view)
		}
	}
	for _, list := range points {
		slices.SortStableFunc(list, func(a, b point) int { return cmp.Compare(a.t, b.t) })
		var v *nvisit
		for _, p := range list {
			if v == nil || p.t-v.end > 30*60_000 {
				v = &nvisit{start: p.t}
				n.visits = append(n.visits, v)
			}
			v.end = p.t
			if p.row != nil {
				v.rows = append(v.rows, p.row)
				p.row.visit = v
			}
		}
	}
	n.visits = slices.DeleteFunc(n.visits, func(v *nvisit) bool { return len(v.rows) == 0 })
	return n
}

func (n *naive) canonical(item string) string {
	if _, ok := n.items[item]; ok {
		return item
	}
	if id, ok := n.address[item]; ok {
		return id
	}
	return item
}

func isView(r *nrow) bool  { return r.Type() == event.TypePageView }
func isRobot(r *nrow) bool { return r.Columns[event.ColBotClass] != "" }

func orNone(s string) string {
	if s == "" {
		return None
	}
	return s
}

// values lists the values of a dimension in a row.
func (n *naive) values(d *Dimension, r *nrow, loc *time.Location) []string {
	item, known := event.Item{}, false
	id := r.Columns[event.ColItem]
	if id != "" {
		id = n.canonical(id)
		item, known = n.items[id]
	}
	attribute := func() string {
		if v, ok := item.Attributes[d.Property]; ok && known {
			return v
		}
		return None
	}
	property := func() (string, bool) {
		for _, p := range r.Properties {
			if p.Name == d.Property {
				return p.Value, true
			}
		}
		return None, false
	}
	list := func(l []string) []string {
		var out []string
		for _, v := range l {
			if !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
		if out == nil {
			return []string{None}
		}
		return out
	}
	views := func() (out []*nrow) {
		if r.visit != nil {
			for _, o := range r.visit.rows {
				if isView(o) {
					out = append(out, o)
				}
			}
		}
		return out
	}
	switch d.Kind {
	case KindColumn:
		if d.Column == event.ColItem {
			return []string{orNone(id)}
		}
		return []string{orNone(r.Columns[d.Column])}
	case KindSection:
		return []string{orNone(item.Section)}
	case KindTier:
		return []string{orNone(item.Tier)}
	case KindAuthor:
		return list(item.Authors)
	case KindTag:
		return list(item.Tags)
	case KindAttribute:
		return []string{attribute()}
	case KindProperty, kindUnknown:
		v, ok := property()
		if !ok && d.Kind == kindUnknown {
			v = attribute()
		}
		return []string{v}
	case KindEntryItem:
		if l := views(); len(l) > 0 {
			return []string{orNone(n.canonical(l[0].Columns[event.ColItem]))}
		}
		return []string{None}
	case KindExitItem:
		if l := views(); len(l) > 0 {
			return []string{orNone(n.canonical(l[len(l)-1].Columns[event.ColItem]))}
		}
		return []string{None}
	case KindLoyalty:
		return []string{n.loyalty(r, loc)}
	case KindSegment:
		if r.Flags&event.FlagProven != 0 {
			return list(n.members["account:"+r.Columns[event.ColAccount]])
		}
		return list(n.members[r.Device])
	}
	panic("no values of " + d.Name)
}

func (n *naive) loyalty(r *nrow, loc *time.Location) string {
	if seen := n.seen[r.Device]; r.visit != nil && seen >= r.visit.start && seen <= r.visit.end {
		return "new"
	}
	number := func(t int64) int {
		y, m, d := time.UnixMilli(t).In(loc).Date()
		return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
	}
	days := map[int]bool{}
	for _, o := range n.rows {
		if o.Device == r.Device {
			if d := number(o.Time); d <= number(r.Time) && d > number(r.Time)-30 {
				days[d] = true
			}
		}
	}
	if len(days) >= 8 {
		return "loyal"
	}
	return "returning"
}

func (n *naive) passes(f *Filter, r *nrow, loc *time.Location) bool {
	if f == nil {
		return true
	}
	switch f.Op {
	case OpAnd:
		for _, s := range f.Subs {
			if !n.passes(s, r, loc) {
				return false
			}
		}
		return true
	case OpOr:
		for _, s := range f.Subs {
			if n.passes(s, r, loc) {
				return true
			}
		}
		return false
	case OpNot:
		return !n.passes(f.Subs[0], r, loc)
	}
	return f.passesAny(n.values(&f.Dimension, r, loc))
}

// ngroup gathers what belongs to one group.
type ngroup struct {
	keys   []string
	rows   []*nrow
	visits map[*nvisit]bool
}

// answer returns the rows of the answer, all of them in order, and the totals.
func (n *naive) answer(q *Query, p period) (rows []Row, totals []float64) {
	site := n.site
	f := frameOf(q, &site, n.now)
	p.from, p.to = max(p.from, n.from), min(p.to, n.now+1)
	robots := q.names(event.ColBotClass)
	groups := map[string]*ngroup{}
	total := &ngroup{visits: map[*nvisit]bool{}}
	time := q.timeDimension()
	b := &buckets{}
	if time >= 0 {
		b = newBuckets(q.Dimensions[time].Resolution, f.loc, f.weekStart, p.from, p.to, 1<<30)
	}
	labels, places := make([]string, b.n()), map[string]int{}
	for i := range labels {
		labels[i] = b.label(i)
		places[labels[i]] = i
	}
	label := func(t int64) string { return labels[b.of(t)] }
	// each calls fn with each combination of keys.
	var each func(i int, keys []string, pick func(i int) []string, fn func(keys []string))
	each = func(i int, keys []string, pick func(i int) []string, fn func([]string)) {
		if i == len(q.Dimensions) {
			fn(keys)
			return
		}
		for _, v := range pick(i) {
			each(i+1, append(slices.Clone(keys), v), pick, fn)
		}
	}
	group := func(keys []string) *ngroup {
		k := strings.Join(keys, "\x00")
		g := groups[k]
		if g == nil {
			g = &ngroup{keys: keys, visits: map[*nvisit]bool{}}
			groups[k] = g
		}
		return g
	}
	for _, r := range n.rows {
		if r.Time < p.from || r.Time >= p.to || !n.passes(q.Filter, r, f.loc) {
			continue
		}
		total.rows = append(total.rows, r)
		each(0, nil, func(i int) []string {
			if i == time {
				return []string{label(r.Time)}
			}
			return n.values(&q.Dimensions[i], r, f.loc)
		}, func(keys []string) { g := group(keys); g.rows = append(g.rows, r) })
	}
	if needsOf(q.Metrics)&needVisits != 0 {
		viewed := false
		for i := range q.Dimensions {
			viewed = viewed || q.Dimensions[i].viewed()
		}
		for _, v := range n.visits {
			if v.start < p.from || v.start >= p.to {
				continue
			}
			if !robots && slices.ContainsFunc(v.rows, isRobot) {
				continue
			}
			var views []*nrow
			for _, r := range v.rows {
				if isView(r) && n.passes(q.Filter, r, f.loc) {
					views = append(views, r)
				}
			}
			if q.Filter != nil && len(views) == 0 {
				continue
			}
			total.visits[v] = true
			if !viewed {
				views = v.rows[:1]
			}
			for _, r := range views {
				each(0, nil, func(i int) []string {
					switch {
					case i == time:
						return []string{label(v.start)}
					case q.Dimensions[i].viewed():
						return n.values(&q.Dimensions[i], r, f.loc)
					}
					return n.values(&q.Dimensions[i], v.rows[0], f.loc)
				}, func(keys []string) { group(keys).visits[v] = true })
			}
		}
	}
	bounds := func(keys []string) period {
		if time < 0 || keys == nil {
			return p
		}
		i, ok := places[keys[time]]
		if !ok {
			panic("no bucket " + keys[time])
		}
		out := period{max(b.starts[i], p.from), p.to}
		if i+1 < b.n() {
			out.to = b.starts[i+1]
		}
		return out
	}
	currencies := slices.ContainsFunc(q.Dimensions, func(d Dimension) bool { return d.Kind == KindColumn && d.Column == event.ColCurrency })
	for _, g := range groups {
		values, exists := n.metrics(q, g, bounds(g.keys), robots, currencies)
		if exists {
			rows = append(rows, Row{Dimensions: g.keys, Metrics: values})
		}
	}
	totals, _ = n.metrics(q, total, p, robots, false)
	if len(q.Dimensions) == 0 {
		single, _ := n.metrics(q, total, p, robots, currencies)
		rows = []Row{{Metrics: single}}
	}
	n.sort(q, rows, f)
	return rows, totals
}

func (n *naive) sort(q *Query, rows []Row, f frame) {
	dimension := func(i int, a, b *Row) int {
		if q.Dimensions[i].Kind == KindTime {
			at, _ := time.Parse(time.RFC3339, a.Dimensions[i])
			bt, _ := time.Parse(time.RFC3339, b.Dimensions[i])
			return at.Compare(bt)
		}
		return strings.Compare(a.Dimensions[i], b.Dimensions[i])
	}
	slices.SortFunc(rows, func(a, b Row) int {
		for _, o := range q.Order {
			c := 0
			if o.Metric >= 0 {
				x, y := a.Metrics[o.Metric], b.Metrics[o.Metric]
				switch {
				case math.IsNaN(x) && math.IsNaN(y):
				case math.IsNaN(x):
					return 1
				case math.IsNaN(y):
					return -1
				default:
					c = cmp.Compare(x, y)
				}
			} else {
				c = dimension(o.Dimension, &a, &b)
			}
			if o.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		for i := range q.Dimensions {
			if c := dimension(i, &a, &b); c != 0 {
				return c
			}
		}
		return 0
	})
}

func (n *naive) metrics(q *Query, g *ngroup, p period, robots, currencies bool) (values []float64, exists bool) {
	var views, conversions []*nrow
	devices, fresh := map[string]bool{}, map[string]bool{}
	for _, r := range g.rows {
		if isRobot(r) && !robots {
			continue
		}
		devices[r.Device] = true
		if s := n.seen[r.Device]; s >= p.from && s < p.to {
			fresh[r.Device] = true
		}
		switch r.Type() {
		case event.TypePageView:
			views = append(views, r)
		case event.TypeConversion:
			conversions = append(conversions, r)
		}
	}
	var engaged, scroll, quality, articles, followed, revenue float64
	for _, r := range views {
		engaged += float64(r.engaged)
		scroll += float64(r.scroll)
		if r.engaged >= 15_000 {
			quality++
		}
		if n.article(r) {
			articles++
			later := false
			for _, o := range r.visit.rows {
				later = later || isView(o) && o.Time > r.Time && n.article(o) && n.canonical(o.Columns[event.ColItem]) != n.canonical(r.Columns[event.ColItem])
			}
			if later {
				followed++
			}
		}
	}
	for _, r := range conversions {
		c := r.Columns[event.ColCurrency]
		if r.Flags&event.FlagHasValue != 0 && (currencies || c == "" || c == n.site.Currency) {
			revenue += float64(r.Value)
		}
	}
	var bounces, stayed, visitViews, converted float64
	for v := range g.visits {
		count, interactive, long, conversion := 0, false, false, false
		for _, r := range v.rows {
			switch r.Type() {
			case event.TypePageView:
				count++
				long = long || r.engaged >= 10_000
			case event.TypeImpression, event.TypeRequest, event.TypeDecision, event.TypeWallShown:
			case event.TypeConversion:
				interactive, conversion = true, true
			default:
				interactive = true
			}
		}
		if count == 1 && !interactive && !long {
			bounces++
		}
		if conversion {
			converted++
		}
		stayed += float64(v.end - v.start)
		visitViews += float64(count)
	}
	visits := float64(len(g.visits))
	for _, m := range q.Metrics {
		var v float64
		var support int
		switch m {
		case PageViews:
			v, support = float64(len(views)), len(views)
		case Visitors:
			v, support = float64(len(devices)), len(devices)
		case NewVisitors:
			v, support = float64(len(fresh)), len(devices)
		case Visits:
			v, support = visits, len(g.visits)
		case BounceRate:
			v, support = ratio(bounces, visits), len(g.visits)
		case VisitSeconds:
			v, support = ratio(stayed, visits*1000), len(g.visits)
		case ViewsPerVisit:
			v, support = ratio(visitViews, visits), len(g.visits)
		case ConversionRate:
			v, support = ratio(converted, visits), len(g.visits)
		case EngagedSeconds:
			v, support = engaged/1000, len(views)
		case EngagedSecondsPerView:
			v, support = ratio(engaged, float64(len(views))*1000), len(views)
		case QualityViews:
			v, support = quality, len(views)
		case ScrollPercent:
			v, support = ratio(scroll, float64(len(views))), len(views)
		case Events:
			v, support = float64(len(g.rows)), len(g.rows)
		case Conversions:
			v, support = float64(len(conversions)), len(conversions)
		case Revenue:
			v, support = revenue/1e6, len(conversions)
		case RecirculationRate:
			v, support = ratio(followed, articles), len(views)
		default:
			panic(fmt.Sprint("metric ", m))
		}
		values = append(values, v)
		exists = exists || support > 0
	}
	return values, exists
}

func (n *naive) article(r *nrow) bool {
	id := r.Columns[event.ColItem]
	if id == "" || !isView(r) {
		return false
	}
	kind := n.items[n.canonical(id)].Kind
	return kind == "" || kind == "article"
}
