package simulate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/simulate"
)

// BenchmarkRun simulates blocks over 300,000 page views of ten days by 50,000
// devices, of which a few read much.
func BenchmarkRun(b *testing.B) {
	e, err := engine.Open(engine.Config{Shards: 2})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	var enc event.Encoder
	seq := uint64(0)
	send := func() {
		seq++
		if err := e.Apply(event.MakePosition(20000, 0, seq), enc.AppendTo(nil)); err != nil {
			b.Fatal(err)
		}
	}
	site, err := json.Marshal(event.Site{ID: "news", Window: "30d"}.WithDefaults())
	if err != nil {
		b.Fatal(err)
	}
	enc.Reset(start)
	enc.AddFact(event.Fact{Kind: event.FactSite, Site: "news", Key: "news", Value: site})
	send()
	const views = 300_000
	random := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < views; i += 1000 {
		now := start + int64(i)*10*day/views
		enc.Reset(now)
		for range 1000 {
			ev := event.Event{Device: fmt.Sprint(int(random.ExpFloat64() * 20_000)), Time: now - random.Int64N(minute)}
			ev.Columns[event.ColType], ev.Columns[event.ColItem] = event.TypePageView, fmt.Sprint("a", int(random.ExpFloat64()*500))
			enc.Add("news", &ev, 0, 0)
		}
		send()
	}
	view, err := e.Readers(context.Background(), "news", 0)
	if err != nil {
		b.Fatal(err)
	}
	const month = "meter m (limit: 5) = burns |> per month |> distinct item\n"
	const metered = "allow again if item in m\nallow metered if m.left > 0 burns m\ndeny rest\n}"
	for _, c := range []struct{ name, text string }{
		{"meter", month + "access story {\nallow free if item.tier == \"free\"\n" + metered},
		{"rolling", "meter m (limit: 5) = burns |> last 1d |> distinct item\naccess story {\n" + metered},
		{"segment", month + "segment fan = events |> last 7d |> distinct item |> count >= 5\naccess story {\nallow fans if fan\n" + metered},
		{"fold", month + "access story {\ndeny same if (events |> where item.id == request.item.id |> last 1d |> count) > 3\n" + metered},
	} {
		p := rubric.CheckText(map[string]string{event.MainFile: c.text}, schema.Default())
		if !p.OK() {
			b.Fatal(p.Render())
		}
		b.Run(c.name, func(b *testing.B) {
			q := simulate.Question{Block: simulate.Block{Program: p.Plan, Access: p.Plan.Accesses[0]}, From: view.From, To: view.Now + 1}
			for b.Loop() {
				r, err := simulate.NewRoom().Run(context.Background(), view, q, nil)
				if err != nil || r.Decisions != views {
					b.Fatal(r, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/views, "ns/decision")
		})
	}
}
