package query

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// t0 is the now of the generated sites: a day after Berlin's clocks were set
// back.
var t0 = time.Date(2026, 10, 26, 15, 30, 0, 0, time.UTC).UnixMilli()

// generated is one event of a test with the view id that the committer would
// give.
type generated struct {
	event.Event
	view uint64
}

var (
	testSections = []string{"politics", "sport", ""}
	testZones    = []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe"}
)

func drawItems(t *rapid.T) (items []event.Item) {
	if !rapid.Bool().Draw(t, "catalogue") {
		return nil
	}
	for i := range 5 {
		item := event.Item{ID: fmt.Sprint("a", i), Section: rapid.SampledFrom(testSections).Draw(t, "section"), Tier: rapid.SampledFrom([]string{"", "free", "plus"}).Draw(t, "tier")}
		item.Tags = rapid.SampledFrom([][]string{nil, {"x"}, {"x", "y"}, {"y", "y", "z"}}).Draw(t, "tags")
		item.Authors = rapid.SampledFrom([][]string{nil, {"ann"}, {"ann", "bob"}}).Draw(t, "authors")
		item.Kind = rapid.SampledFrom([]string{"", "article", "video"}).Draw(t, "kind")
		if rapid.Bool().Draw(t, "attributes") {
			item.Attributes = map[string]string{"desk": rapid.SampledFrom([]string{"eu", "us"}).Draw(t, "desk")}
		}
		if rapid.Bool().Draw(t, "alias") {
			item.Aliases = []string{fmt.Sprint("a", i+5)}
		}
		items = append(items, item)
	}
	return items
}

// drawEvents makes events whose times differ for each device, so that no order
// of equal times matters.
func drawEvents(t *rapid.T) []generated {
	n := rapid.IntRange(0, 120).Draw(t, "events")
	out := make([]generated, 0, n)
	used := map[string]bool{}
	for len(out) < n {
		g := generated{}
		span := rapid.SampledFrom([]int{60, 24 * 60, 6 * 24 * 60, 40 * 24 * 60}).Draw(t, "span")
		g.Time = t0 - int64(rapid.IntRange(0, span).Draw(t, "minute"))*60_000 - int64(rapid.IntRange(0, 40).Draw(t, "ms"))
		device := rapid.IntRange(0, 5).Draw(t, "device")
		g.Device = fmt.Sprint("d", device)
		switch rapid.IntRange(0, 9).Draw(t, "type") {
		case 0, 1, 2, 3, 4:
			g.Columns[event.ColType] = event.TypePageView
			if rapid.Bool().Draw(t, "named") {
				g.view = uint64(1000 + 6*rapid.IntRange(0, 10).Draw(t, "view") + device)
			}
		case 5, 6:
			g.Columns[event.ColType] = event.TypeEngagement
			g.view = uint64(1000 + 6*rapid.IntRange(0, 10).Draw(t, "view") + device)
			g.EngagedMillis = uint32(rapid.SampledFrom([]int{0, 500, 9000, 15000}).Draw(t, "engaged"))
			g.Scroll = uint8(rapid.IntRange(0, 100).Draw(t, "scroll"))
		case 7:
			g.Columns[event.ColType] = rapid.SampledFrom([]string{"click", event.TypeImpression, "newsletter", event.TypeRequest}).Draw(t, "other")
		default:
			g.Columns[event.ColType] = event.TypeConversion
			if rapid.Bool().Draw(t, "valued") {
				g.Value, g.Flags = int64(rapid.IntRange(-5, 1<<20).Draw(t, "value")), event.FlagHasValue
			}
			g.Columns[event.ColCurrency] = rapid.SampledFrom([]string{"", "EUR", "USD"}).Draw(t, "currency")
		}
		if g.view != 0 && t0-g.Time > 29*24*3600_000 {
			g.view = 0 // attention for a view that has left is the engine's concern
		}
		if key := fmt.Sprint(g.Device, g.Time); used[key] {
			g.Time++
			if used[fmt.Sprint(g.Device, g.Time)] || g.Time > t0 {
				n--
				continue
			}
		}
		used[fmt.Sprint(g.Device, g.Time)] = true
		if rapid.IntRange(0, 3).Draw(t, "with item") > 0 {
			g.Columns[event.ColItem] = fmt.Sprint("a", rapid.IntRange(0, 8).Draw(t, "item"))
		}
		g.Columns[event.ColCountry] = rapid.SampledFrom([]string{"", "DE", "BR", "(none)"}).Draw(t, "country")
		g.Columns[event.ColPath] = rapid.SampledFrom([]string{"", "/a", "/b", "/a/b"}).Draw(t, "path")
		if device == 5 || rapid.IntRange(0, 15).Draw(t, "robot") == 0 {
			g.Columns[event.ColBotClass], g.Flags = rapid.SampledFrom([]string{"search", "ai"}).Draw(t, "bot"), g.Flags|event.FlagRobot
		}
		if rapid.IntRange(0, 4).Draw(t, "account") == 0 {
			g.Columns[event.ColAccount] = fmt.Sprint("k", rapid.IntRange(0, 2).Draw(t, "k"))
			if rapid.Bool().Draw(t, "proven") {
				g.Flags |= event.FlagProven
			}
		}
		if rapid.Bool().Draw(t, "price") {
			kind := event.Kind(rapid.IntRange(0, 1).Draw(t, "kind"))
			g.Properties = append(g.Properties, event.Property{Name: "price", Kind: kind, Value: rapid.SampledFrom([]string{"1", "2.5", "30", "-4"}).Draw(t, "p")})
		}
		if rapid.IntRange(0, 5).Draw(t, "empty") == 0 {
			g.Properties = append(g.Properties, event.Property{Name: "note", Value: rapid.SampledFrom([]string{"", "x"}).Draw(t, "n")})
		}
		out = append(out, g)
	}
	return out
}

var testDimensions = []string{"item", "path", "section", "author", "tag", "tier", "type", "country", "bot_class", "account", "currency",
	"entry_item", "exit_item", "loyalty", "segment", "properties.price", "properties.note", "attributes.desk", "host", "channel"}

var testSegments = []string{"fans", "loyal", "vip"}

// drawMembers draws the segments of devices and accounts.
func drawMembers(t *rapid.T) map[string][]string {
	out := map[string][]string{}
	for _, reader := range []string{"d0", "d1", "d2", "d3", "d4", "d5", "account:k0", "account:k1", "account:k2"} {
		for _, s := range testSegments {
			if rapid.Bool().Draw(t, "member") {
				out[reader] = append(out[reader], s)
			}
		}
	}
	return out
}

// segmentsOf answers with the segments that are asked for and no others.
func segmentsOf(v *engine.View, members map[string][]string) func(context.Context, []string) (*engine.View, *Segments, error) {
	return func(_ context.Context, only []string) (*engine.View, *Segments, error) {
		g := &Segments{Names: testSegments, Sets: [][]uint32{nil}, Accounts: map[string]uint32{}}
		set := func(reader string) uint32 {
			var numbers []uint32
			for i, name := range testSegments {
				if slices.Contains(members[reader], name) && (only == nil || slices.Contains(only, name)) {
					numbers = append(numbers, uint32(i)+1)
				}
			}
			if numbers == nil {
				return 0
			}
			g.Sets = append(g.Sets, numbers)
			return uint32(len(g.Sets) - 1)
		}
		for _, shard := range v.Shards {
			var codes []uint32
			for o := range shard.Subjects.Len() {
				codes = append(codes, set(shard.Subjects.Name(uint32(o))))
			}
			g.Subjects = append(g.Subjects, codes)
		}
		for reader := range members {
			if account, ok := strings.CutPrefix(reader, "account:"); ok {
				g.Accounts[account] = set(reader)
			}
		}
		return v, g, nil
	}
}

func drawFilter(t *rapid.T, depth int) any {
	ops := []string{"is", "is_not", "contains", "matches", "gt", "lt", "segment"}
	if depth < 3 {
		ops = append(ops, "and", "or", "not")
	}
	op := rapid.SampledFrom(ops).Draw(t, "op")
	switch op {
	case "segment":
		return []any{op, rapid.SampledFrom(testSegments).Draw(t, "segment")}
	case "and", "or":
		subs := []any{}
		for range rapid.IntRange(1, 3).Draw(t, "subs") {
			subs = append(subs, drawFilter(t, depth+1))
		}
		return []any{op, subs}
	case "not":
		return []any{op, drawFilter(t, depth+1)}
	}
	values := []any{}
	for range rapid.IntRange(1, 2).Draw(t, "values") {
		switch op {
		case "gt", "lt":
			values = append(values, rapid.SampledFrom([]any{0, 1, 2.5, "29"}).Draw(t, "number"))
		case "matches", "contains":
			values = append(values, rapid.SampledFrom([]any{"a", "/", "1", "o", "none"}).Draw(t, "text"))
		default:
			values = append(values, rapid.SampledFrom([]any{"a1", "a2", "a6", "DE", "sport", "page_view", "ann", "x", "(none)", "new", "fans", 1, 2.5, "/a", "ai", "", "k1"}).Draw(t, "value"))
		}
	}
	return []any{op, rapid.SampledFrom(testDimensions).Draw(t, "column"), values}
}

func drawQuestion(t *rapid.T) []byte {
	body := map[string]any{"limit": rapid.SampledFrom([]int{1, 3, 10_000}).Draw(t, "limit"), "include": map[string]any{"totals": true}}
	metrics := rapid.SliceOfNDistinct(rapid.IntRange(0, int(numMetrics)-1), 1, 5, rapid.ID[int]).Draw(t, "metrics")
	names := []string{}
	for _, m := range metrics {
		names = append(names, Metric(m).String())
	}
	body["metrics"] = names
	dims := []string{}
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(testDimensions)-1), 0, 3, rapid.ID[int]).Draw(t, "dims") {
		dims = append(dims, testDimensions[i])
	}
	if rapid.Bool().Draw(t, "time") {
		dims = slices.Insert(dims, rapid.IntRange(0, len(dims)).Draw(t, "place"), timePrefix+rapid.SampledFrom(resolutionNames).Draw(t, "resolution"))
	}
	body["dimensions"] = dims
	switch rapid.IntRange(0, 3).Draw(t, "range") {
	case 0:
		body["date_range"] = rapid.SampledFrom([]string{"1h", "90m", "24h", "7d", "40d", "day", "week", "month", "year"}).Draw(t, "span")
	default:
		from := t0 - int64(rapid.IntRange(0, 50*24*12).Draw(t, "from"))*300_000 + int64(rapid.IntRange(0, 1).Draw(t, "ms"))
		body["date_range"] = []any{from, from + int64(rapid.IntRange(1, 20*24*12).Draw(t, "length"))*300_000 - int64(rapid.IntRange(0, 1).Draw(t, "short"))}
	}
	if rapid.Bool().Draw(t, "filtered") {
		body["filters"] = []any{drawFilter(t, 0)}
	}
	if rapid.Bool().Draw(t, "ordered") {
		order := [][]string{}
		for _, n := range append(slices.Clone(names), dims...) {
			if rapid.Bool().Draw(t, "by") {
				order = append(order, []string{n, rapid.SampledFrom([]string{"asc", "desc"}).Draw(t, "direction")})
			}
		}
		body["order_by"] = order
	}
	body["offset"] = rapid.SampledFrom([]int{0, 0, 1}).Draw(t, "offset")
	if rapid.Bool().Draw(t, "zone") {
		body["timezone"] = rapid.SampledFrom(testZones).Draw(t, "timezone")
	}
	if rapid.Bool().Draw(t, "compared") {
		body["compare"] = rapid.SampledFrom([]string{"previous_period", "previous_week"}).Draw(t, "compare")
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestAnswersEqualNaiveLoop: for generated events and questions the executor
// and the plain loop agree on every row, in its order, and on the totals.
func TestAnswersEqualNaiveLoop(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		site := event.Site{ID: "news", Timezone: rapid.SampledFrom(testZones).Draw(rt, "site zone"), Window: "30d", WeekStart: rapid.SampledFrom([]string{"", "sunday"}).Draw(rt, "week")}
		items := drawItems(rt)
		events := drawEvents(rt)
		f := newFeed(t, rapid.IntRange(1, 3).Draw(rt, "shards"), site)
		defer f.e.Close()
		for _, i := range items {
			f.item("news", i)
		}
		for i := 0; i < len(events); {
			f.enc.Reset(t0)
			for k := rapid.IntRange(1, 40).Draw(rt, "batch"); k > 0 && i < len(events); k, i = k-1, i+1 {
				f.enc.Add("news", &events[i].Event, uint64(i+1), events[i].view)
			}
			f.send()
		}
		v := f.view("news")
		n := newNaive(site, t0, items, events)
		n.members = drawMembers(rt)
		cache := &Cache{}
		for range 4 {
			body := drawQuestion(rt)
			res, err := Ask(context.Background(), v, body, Options{Now: t0, Threads: 2, Cache: cache, Segments: segmentsOf(v, n.members)})
			if err != nil {
				rt.Fatalf("%s: %v", body, err)
			}
			rows, totals := n.answer(res.Query, res.from)
			full := rows
			rows = rows[min(res.Query.Offset, len(rows)):]
			rows = rows[:min(res.Query.Limit, len(rows))]
			if res.Query.Compare != CompareNone {
				n.compare(res, rows)
			}
			options := cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b float64) bool {
				return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) < 1e-9*max(math.Abs(a), math.Abs(b))
			})}
			if diff := cmp.Diff(rows, res.Rows, options); diff != "" {
				rt.Fatalf("%s\nof %d rows (-want +got):\n%s", body, len(full), diff)
			}
			if diff := cmp.Diff(totals, res.Totals, options); diff != "" {
				rt.Fatalf("%s\ntotals (-want +got):\n%s", body, diff)
			}
		}
	})
}

// compare adds what the plain loop makes of the period compared with.
func (n *naive) compare(res *Result, rows []Row) {
	q := res.Query
	before, _ := n.answer(q, res.prev)
	position := func(label string, p period) string {
		t := q.timeDimension()
		if t < 0 {
			return ""
		}
		f := frameOf(q, &n.site, n.now)
		b := newBuckets(q.Dimensions[t].Resolution, f.loc, f.weekStart, p.from, p.to, 1<<30)
		return fmt.Sprint(slices.Index(labels(b), label))
	}
	key := func(r Row, p period) string {
		out := ""
		for i, d := range r.Dimensions {
			if i == q.timeDimension() {
				d = position(d, p)
			}
			out += d + "\x00"
		}
		return out
	}
	found := map[string]Row{}
	for _, r := range before {
		found[key(r, res.prev)] = r
	}
	none, _ := n.metrics(q, &ngroup{}, period{}, false, false)
	for i := range rows {
		rows[i].Compared = none
		if r, ok := found[key(rows[i], res.from)]; ok {
			rows[i].Compared = r.Metrics
		}
	}
}
