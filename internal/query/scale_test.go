package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// TestManyRowsAndValues asks blocks that are full, columns of every width and
// dictionaries of blocks, and compares with the plain loop.
func TestManyRowsAndValues(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const rows = 70_000
	rng := rand.New(rand.NewPCG(1, 2))
	events := make([]generated, rows)
	start := floorTo(t0, 24*3600_000) - 2*24*3600_000 // one UTC day: a full block and the next
	for i := range events {
		g := &events[i]
		g.Time = start + int64(i)*1100 + int64(rng.IntN(900))
		if i%50 == 0 {
			g.Time -= 3600_000 // late
		}
		g.Device = fmt.Sprint("d", rng.IntN(20_000))
		g.Columns[event.ColType] = event.TypePageView
		if i%9 == 0 {
			g.Columns[event.ColType] = "click"
		}
		if i%100 == 3 {
			g.Columns[event.ColBotClass], g.Flags = "search", event.FlagRobot
		}
		g.Columns[event.ColItem] = fmt.Sprint("a", rng.IntN(3000))
		g.Columns[event.ColURL] = fmt.Sprint("https://news.example/", rng.IntN(40_000))
		g.Columns[event.ColCountry] = []string{"DE", "FR", "US", ""}[rng.IntN(4)]
		g.Columns[event.ColPath] = fmt.Sprint("/", rng.IntN(90_000))
		g.Properties = []event.Property{{Name: "n", Value: fmt.Sprint(rng.IntN(300)), Kind: event.KindNumber}}
		if i%1000 == 7 {
			g.Properties[0].Kind = event.KindString
		}
	}
	questions := []string{
		`{"metrics":["page_views","visitors"],"dimensions":["item"],"limit":10}`,
		`{"metrics":["page_views"],"dimensions":["item"],"limit":10}`,
		`{"metrics":["events"],"dimensions":["item","country"],"limit":50,"offset":3}`,
		`{"metrics":["visitors","page_views"],"dimensions":["url"],"limit":20}`,
		`{"metrics":["page_views","visitors","new_visitors"],"dimensions":["url","n"],"limit":20,"order_by":[["page_views","desc"],["url","desc"]]}`,
		`{"metrics":["visitors"],"dimensions":["n"],"limit":1000}`,
		`{"metrics":["page_views","visitors"],"dimensions":["path"],"limit":5}`,
		`{"metrics":["visitors","page_views"],"dimensions":["time:5min"],"limit":10000}`,
		`{"metrics":["visitors","new_visitors","events"],"dimensions":["time:hour"],"limit":10000}`,
		`{"metrics":["page_views"],"dimensions":["time:5min","country"],"limit":10000}`,
		`{"metrics":["page_views","visitors"],"dimensions":["country"],"filters":[["is","item",["a5"]]]}`,
		`{"metrics":["page_views","visitors","visits"],"dimensions":["country","n"],"filters":[["is","country",["DE","FR"]],["gt","n",[290]]]}`,
		`{"metrics":["visits","bounce_rate","page_views"],"dimensions":["item"],"filters":[["is","country",["DE"]],["is","n",[7]]],"limit":30}`,
		`{"metrics":["page_views"],"filters":[["is","url",["https://news.example/77"]]]}`,
		`{"metrics":["page_views","events","visitors"],"filters":[["contains","path",["99"]],["not",["is","country",["(none)"]]]]}`,
		`{"metrics":["visits","visit_seconds","views_per_visit"],"dimensions":["time:hour"],"limit":1000}`,
		`{"metrics":["visits"],"dimensions":["country"]}`,
	}
	site := event.Site{ID: "news"}
	n := newNaive(site, t0, nil, events)
	views, caches := map[int]*engine.View{}, map[int]*Cache{}
	for _, shards := range []int{1, 2} {
		f := newFeed(t, shards, site)
		for i := 0; i < rows; i += 5000 {
			f.enc.Reset(t0)
			for k := i; k < min(i+5000, rows); k++ {
				f.enc.Add("news", &events[k].Event, uint64(k+1), 0)
			}
			f.send()
		}
		views[shards], caches[shards] = f.view("news"), &Cache{}
	}
	for _, text := range questions {
		for _, span := range []string{`"30d"`, fmt.Sprintf(`[%d,%d]`, start+3600_123, start+30*3600_000)} {
			body := text[:len(text)-1] + `,"include":{"totals":true},"date_range":` + span + `}`
			var rows []Row
			var totals []float64
			for _, shards := range []int{1, 2} {
				res, err := Ask(context.Background(), views[shards], []byte(body), Options{Now: t0, Threads: shards, Cache: caches[shards]})
				if err != nil {
					t.Fatalf("%s: %v", body, err)
				}
				if shards == 1 {
					rows, totals = n.answer(res.Query, res.from)
					rows = rows[min(res.Query.Offset, len(rows)):]
					rows = rows[:min(res.Query.Limit, len(rows))]
				}
				options := cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateNaNs()}
				if diff := cmp.Diff(rows, res.Rows, options); diff != "" {
					t.Errorf("%d shards: %s (-want +got):\n%.2000s", shards, body, diff)
				}
				if diff := cmp.Diff(totals, res.Totals, options); diff != "" {
					t.Errorf("%d shards: %s totals (-want +got):\n%s", shards, body, diff)
				}
			}
		}
	}
}

func TestEqualMasks(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for n := range 70 {
		a8, a16 := make([]uint8, n), make([]uint16, n)
		for i := range a8 {
			a8[i], a16[i] = uint8(rng.IntN(3))*127, uint16(rng.IntN(4))*0x7fff
		}
		for _, code := range []uint16{0, 1, 127, 254, 0x7fff, 0xfffe, 0x8000} {
			want8, want16, got8, got16 := make(mask, n), make(mask, n), make(mask, n), make(mask, n)
			equal(want8, a8, uint8(code))
			equal8(got8, a8, uint8(code))
			equal(want16, a16, code)
			equal16(got16, a16, code)
			if !cmp.Equal(want8, got8) || !cmp.Equal(want16, got16) {
				t.Fatalf("code %d of %v %v: %v %v", code, a8, a16, got8, got16)
			}
		}
	}
}
