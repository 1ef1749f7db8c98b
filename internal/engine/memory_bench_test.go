package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// BenchmarkMemory reports bytes a page view, by part: 2,000,000 page views by
// 400,000 devices over 30 days in visits of about 2.7 page views, one
// engagement each, 26,000 items, 6 properties.
func BenchmarkMemory(b *testing.B) {
	const n, devices, batch = 2_000_000, 400_000, 2000
	for b.Loop() {
		rng := rand.New(rand.NewPCG(1, 2))
		zipf := rand.NewZipf(rng, 1.1, 20, 25_999)
		f := newFeed(b, engine.Config{Shards: 2}, event.Site{ID: "news"})
		names := make([]string, devices)
		for i := range names {
			names[i] = fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rng.Uint32(), i&0xffff, rng.IntN(4096), rng.IntN(4096), rng.Int64N(1<<48))
		}
		values := make([]string, 26_000)
		for i := range values {
			values[i] = fmt.Sprint(i)
		}
		sent, id := 0, uint64(1)
		span := 30 * day
		for sent < n {
			f.enc.Reset(t0 + int64(float64(span)*float64(sent)/n))
			for rows := 0; rows < batch; {
				start := t0 + int64(float64(span)*float64(sent)/n) + rng.Int64N(600_000)
				device := names[rng.IntN(devices)]
				for range 1 + rng.IntN(4) + rng.IntN(2) {
					e := pageView(start, device, values[zipf.Uint64()])
					for p := range 6 {
						e.Properties = append(e.Properties, event.Property{Name: "p" + values[p], Value: values[rng.IntN(3+p*8)]})
					}
					id += 0x9e3779b97f4a7c15
					f.enc.Add("news", &e, id, id)
					engaged := event.Event{Time: start + 40_000, Device: device, EngagedMillis: uint32(rng.IntN(90)) * 1000, Scroll: uint8(rng.IntN(100))}
					engaged.Columns[event.ColType] = event.TypeEngagement
					f.enc.Add("news", &engaged, id+1, id)
					start += 30_000 + rng.Int64N(200_000)
					rows++
					sent++
				}
			}
			f.send()
		}
		f.view("news")
		stats, err := f.e.Stats(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		s := stats.Sites[0]
		per := func(name string, bytes int64) { b.ReportMetric(float64(bytes)/float64(s.Rows), name+"-B/view") }
		per("rows", s.Bytes.Rows)
		per("visits", s.Bytes.Visits)
		per("subjects", s.Bytes.Bytes.Subjects)
		per("names", s.Bytes.Names)
		per("index", s.Bytes.Index)
		per("chains", s.Bytes.Chains)
		per("dictionaries", s.Bytes.Dictionaries)
		per("rows+subjects", s.Bytes.Rows+s.Bytes.Visits+s.Bytes.Subjects)
		per("ids", s.Bytes.IDs)
		b.ReportMetric(float64(s.Visits)/float64(s.Rows), "visits/view")
		b.ReportMetric(float64(s.IDs)/float64(s.Rows), "ids/view")
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/float64(s.Rows), "heap-B/view")
	}
}
