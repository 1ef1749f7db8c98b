package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

// The generated log has the shape of a news portal's: two weeks, many readers
// with a few visits each, few items that most read.
const (
	benchDays    = 16
	benchReaders = 240_000
	benchItems   = 26_000
)

const benchStart = int64(1_759_276_800_000) // 2025-10-01T00:00:00Z

var benchProperties = []struct {
	name   string
	values int
}{{"device_group", 5}, {"environment", 3}, {"os_code", 20}, {"country_code", 11}, {"region_code", 28}, {"referrer_type", 7}}

// benchView is a site of n page views in as many shards as threads, in order
// of time.
func benchView(b *testing.B, n, shards int) *engine.View {
	f := newFeed(b, shards, event.Site{ID: "news", Clock: event.ClockEvent})
	rng := rand.New(rand.NewPCG(3, 4))
	items := rand.NewZipf(rng, 1.2, 10, benchItems-1)
	values := make([]*rand.Zipf, len(benchProperties))
	for i, p := range benchProperties {
		values[i] = rand.NewZipf(rng, 1.8, 1, uint64(p.values-1))
	}
	type session struct {
		device     int
		left       int
		properties [8]uint64
	}
	// Sessions are open side by side; each view is the next of a random one.
	open := make([]session, 600)
	var ev event.Event
	const batch = 4096
	for done := 0; done < n; done += batch {
		f.enc.Reset(benchStart + int64(done))
		last := int64(0)
		for i := range min(batch, n-done) {
			s := &open[rng.IntN(len(open))]
			if s.left == 0 {
				*s = session{device: int(float64(benchReaders) * rng.Float64() * rng.Float64()), left: 2 + rng.IntN(5)}
				for k := range values {
					s.properties[k] = values[k].Uint64()
				}
			}
			s.left--
			ev.Reset()
			ev.Time = benchStart + int64(float64(done+i)/float64(n)*benchDays*24*3600*1000)
			last = ev.Time
			ev.Device = strconv.Itoa(s.device)
			ev.Columns[event.ColType] = event.TypePageView
			ev.Columns[event.ColItem] = strconv.FormatUint(items.Uint64(), 10)
			for k, p := range benchProperties {
				ev.Properties = append(ev.Properties, event.Property{Name: p.name, Value: strconv.FormatUint(s.properties[k], 10)})
			}
			f.enc.Add("news", &ev, uint64(done+i+1), 0)
		}
		f.enc.SetClock("news", last)
		f.send()
	}
	return f.view("news")
}

// benchQuestions are the reference questions.
var benchQuestions = []struct{ name, body string }{
	{"Q1", `{"metrics":["page_views"],"dimensions":["time:5min"],@day,"limit":10000}`},
	{"Q2", `{"metrics":["page_views"],"dimensions":["time:hour"],@week,"limit":10000}`},
	{"Q3", `{"metrics":["page_views","visitors"],"dimensions":["time:day"],@all,"limit":10000}`},
	{"Q4", `{"metrics":["page_views"],"dimensions":["item"],@hour,"limit":10}`},
	{"Q5", `{"metrics":["page_views","visitors"],"dimensions":["item"],@week,"limit":10}`},
	{"Q6", `{"metrics":["page_views"],"dimensions":["item"],@all,"limit":10,"filters":[["is","device_group",["0"]],["is","region_code",["1"]]]}`},
	{"Q7", `{"metrics":["visitors"],@all}`},
	{"Q8", `{"metrics":["visitors"],"dimensions":["time:hour"],@week,"limit":10000}`},
	{"Q9", `{"metrics":["page_views"],"dimensions":["referrer_type","device_group"],@all,"limit":10000}`},
	{"Q10", `{"metrics":["page_views"],"dimensions":["time:5min"],@all,"limit":10000,"filters":[["is","item",["0"]]]}`},
	{"Q11", `{"metrics":["visits","bounce_rate"],"dimensions":["time:day"],@all,"limit":10000}`},
}

func benchBody(body string) []byte {
	span := func(from, length int64) string {
		return fmt.Sprintf(`"date_range":[%d,%d]`, benchStart+from*3600_000, benchStart+(from+length)*3600_000)
	}
	return []byte(strings.NewReplacer("@day", span(5*24, 24), "@week", span(4*24, 7*24), "@all", span(0, benchDays*24), "@hour", span(5*24+11, 1)).Replace(body))
}

// BenchmarkReferenceQuestions answers Q1 to Q11 with one thread a processor:
// compare -cpu 1 with -cpu 2.
func BenchmarkReferenceQuestions(b *testing.B) {
	const rows = 1_500_000
	v := benchView(b, rows, runtime.GOMAXPROCS(0))
	o := Options{Threads: runtime.GOMAXPROCS(0), Cache: &Cache{}}
	for _, q := range benchQuestions {
		body := benchBody(q.body)
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Ask(context.Background(), v, body, o); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
