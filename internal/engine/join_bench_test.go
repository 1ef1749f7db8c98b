package engine_test

import (
	"fmt"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// BenchmarkApplyAccounts applies page views by readers of whom one in three is
// logged in, as single events and in batches, in one shard and in two.
func BenchmarkApplyAccounts(b *testing.B) {
	for _, c := range []struct{ shards, batch int }{{1, 500}, {2, 500}, {2, 5}} {
		b.Run(fmt.Sprintf("%d shards %d a message", c.shards, c.batch), func(b *testing.B) {
			const messages = 400
			var enc event.Encoder
			var log [][]byte
			n := 0
			for m := range messages {
				enc.Reset(t0 + int64(m))
				for range c.batch {
					n++
					reader := n * 7919 % 20_000
					e := pageView(t0+int64(n), fmt.Sprint("d", reader), fmt.Sprint("a", n%5000))
					e.Columns[event.ColURL] = fmt.Sprint("https://news.example/", n%5000)
					if reader%3 == 0 {
						e = proven(e, fmt.Sprint("k", reader))
					}
					enc.Add("news", &e, uint64(n), uint64(n)*0x9e3779b97f4a7c15) // as if hashed
				}
				log = append(log, enc.AppendTo(nil))
			}
			b.ReportAllocs()
			events := 0
			for b.Loop() {
				b.StopTimer()
				f := newFeed(b, engine.Config{Shards: c.shards}, event.Site{ID: "news"})
				b.StartTimer()
				for _, m := range log {
					f.seq++
					if err := f.e.Apply(event.MakePosition(20000, 0, f.seq), m); err != nil {
						b.Fatal(err)
					}
				}
				f.view("news")
				events += n
				b.StopTimer()
				_ = f.e.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkJoin logs devices with 200 rows in.
func BenchmarkJoin(b *testing.B) {
	const rows = 200
	f := newFeed(b, engine.Config{Shards: 2}, event.Site{ID: "news"})
	b.ReportAllocs()
	device, joined := 0, 0
	for b.Loop() {
		b.StopTimer()
		const each = 50
		for d := range each {
			f.enc.Reset(t0)
			for i := range rows {
				e := pageView(t0+int64(i)*1000, fmt.Sprint("d", device+d), fmt.Sprint("a", i%100))
				e.Columns[event.ColURL] = fmt.Sprint("https://news.example/", i%100)
				f.enc.Add("news", &e, f.seq<<20|uint64(i), 0)
			}
			f.send()
		}
		f.view("news")
		b.StartTimer()
		for d := range each {
			f.facts(t0, factOf(event.FactJoin, fmt.Sprint("d", device+d), event.Login{Account: fmt.Sprint("k", device+d)}))
		}
		f.view("news")
		device += each
		joined += each
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(joined), "µs/join")
}
