package segment

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/program"
)

const benchStart = int64(1_790_000_000_000)

// benched is an engine with the segments of a program.
type benched struct {
	e       *engine.Engine
	service *Service
	enc     event.Encoder
	seq     uint64
	site    *event.Site
}

func newBenched(b *testing.B, text string) *benched {
	b.Helper()
	e, err := engine.Open(engine.Config{Shards: 1})
	if err != nil {
		b.Fatal(err)
	}
	f := &benched{e: e, service: New(Config{Engine: e, Programs: program.New(e)})}
	b.Cleanup(func() { _ = f.service.Close(); _ = e.Close() })
	f.enc.Reset(benchStart)
	f.enc.AddFact(event.Fact{Kind: event.FactSite, Key: "news", Value: []byte(`{"id":"news","timezone":"UTC","window":"30d","clock":"wall"}`)})
	for i := range 100 {
		f.enc.AddFact(event.Fact{Kind: event.FactItem, Site: "news", Key: fmt.Sprint("a", i), Value: fmt.Appendf(nil, `{"section":"s%d"}`, i)})
	}
	f.enc.AddFact(event.Fact{Kind: event.FactProgram, Site: "news", Key: "1", Value: fmt.Appendf(nil, `{"files":{"main":%q}}`, text+program.Initial)})
	f.enc.AddFact(event.Fact{Kind: event.FactActive, Site: "news", Value: []byte(`{"version":1,"stored":1}`)})
	f.send(b, benchStart)
	f.wait(b)
	f.site, _ = e.Site("news")
	return f
}

func (f *benched) send(b *testing.B, stamp int64) {
	f.seq++
	f.enc.SetStamp(stamp)
	if err := f.e.Apply(event.MakePosition(20000, 0, f.seq), f.enc.AppendTo(nil)); err != nil {
		b.Fatal(err)
	}
	f.enc.Reset(stamp)
}

func (f *benched) wait(b *testing.B) {
	if err := f.e.Wait(context.Background(), event.MakePosition(20000, 0, f.seq)); err != nil {
		b.Fatal(err)
	}
}

func (f *benched) view(at int64, device, item int) {
	ev := event.Event{Time: at, Device: fmt.Sprint("d", device)}
	ev.Columns[event.ColType] = event.TypePageView
	ev.Columns[event.ColItem] = fmt.Sprint("a", item)
	f.enc.Add("news", &ev, f.seq<<20|uint64(f.enc.Rows()+1), 0)
}

// propertied is a page view whose properties p0 to p9 each have one of four values
// of its reader, of 100 that there are.
func (f *benched) propertied(at int64, device, turn int) {
	ev := event.Event{Time: at, Device: fmt.Sprint("d", device)}
	ev.Columns[event.ColType] = event.TypePageView
	ev.Columns[event.ColItem] = fmt.Sprint("a", turn%100)
	for p := range 10 {
		ev.Properties = append(ev.Properties, event.Property{Name: fmt.Sprint("p", p), Value: fmt.Sprint("v", (device+7*p+turn%4*25)%100)})
	}
	f.enc.Add("news", &ev, f.seq<<20|uint64(f.enc.Rows()+1), 0)
}

// fill gives readers rows over 14 days, and waits for their states.
func (f *benched) fill(b *testing.B, readers, each int) (now int64) {
	for i := range each {
		now = benchStart + int64(i)*14*24*3600_000/int64(each)
		for d := range readers {
			f.view(now+int64(d), d, (i*7+d)%100)
			if f.enc.Rows() == 1000 {
				f.send(b, now+int64(d))
			}
		}
		f.send(b, now+int64(readers))
	}
	if err := f.service.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	return now + int64(readers)
}

// settle waits until all states hold.
func (f *benched) settle(b *testing.B, segment string, now int64) {
	for {
		kept := false
		if _, err := f.e.EachWatcher(context.Background(), "news", func(_ int, w engine.Watcher, l *engine.Live) {
			running := w.(*watcher).running
			kept = running != nil && running.ready(l)
		}); err != nil {
			b.Fatal(err)
		}
		if kept || segment == "" {
			break
		}
	}
	if segment != "" {
		if _, err := f.service.Size(context.Background(), f.site, segment, now); err != nil {
			b.Fatal(err)
		}
	}
}

// segments are n segments: each of one section, or all of every page view.
func segments(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "segment s%d = events |> where type == \"page_view\" and item.section == \"s%d\" |> last %dd |> count >= %d\n", i, i%100, 1+i%14, 3+i/14)
	}
	return out.String()
}

// matching are n segments of different plans: of 1,000 an event matches the
// predicates of 10, one of each property.
func matching(n int) string {
	random := rand.New(rand.NewPCG(1, 2))
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "segment s%d = events |> where type == \"page_view\" and properties.p%d == \"v%d\" |> last %dd |> count >= %d\n", i, i/100, i%100, 1+random.IntN(14), 1+random.IntN(3))
	}
	return out.String()
}

// counting are n segments of different plans that all count every page view, with
// 50 windows.
func counting(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "segment s%d = events |> where type == \"page_view\" |> last %dh |> count >= %d\n", i, 14*(1+i%50), 1+i/50)
	}
	return out.String()
}

// BenchmarkEvent is a page view with ten properties, of one of 20,000 readers with
// 30 rows in 30 days, in messages of 100; without segments it is what the engine
// takes. Time goes on with each, so that readers leave as well as enter:
// changes/op is how many memberships an event changes.
func BenchmarkEvent(b *testing.B) {
	const readers, rows, batch = 20_000, 30, 100
	for _, c := range []struct{ name, text string }{
		{"none", ""}, {"matching100", matching(100)}, {"matching1000", matching(1000)}, {"counting100", counting(100)}, {"counting1000", counting(1000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := newBenched(b, c.text)
			now, step, i := int64(benchStart), int64(24*3600_000/readers), 0
			event := func() {
				now += step
				f.propertied(now, i%readers, i/readers)
				if i++; i%batch == 0 {
					f.send(b, now)
					f.wait(b)
				}
			}
			for range readers * rows {
				event()
			}
			step /= 100
			if err := f.service.Start(context.Background()); err != nil {
				b.Fatal(err)
			}
			if c.text != "" {
				f.settle(b, "s0", now)
			}
			b.ReportAllocs()
			for b.Loop() {
				event()
			}
			b.StopTimer()
			if c.text == "" {
				return
			}
			changes, counted := f.service.Changes("news", 0, false), 0
			f.settle(b, "s0", now)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					batch, err := changes.Next(ctx)
					if err != nil {
						return
					}
					counted += len(batch.Changes)
				}
			}()
			const more = readers
			for range more {
				event()
			}
			f.settle(b, "s0", now)
			cancel()
			<-done
			b.ReportMetric(float64(counted)/more, "changes/op")
		})
	}
}

// BenchmarkOf asks for the segments of a reader with 200 rows: as they are kept,
// and worked out at another instant.
func BenchmarkOf(b *testing.B) {
	f := newBenched(b, segments(100))
	now := f.fill(b, 2000, 200)
	f.settle(b, "s0", now)
	for name, at := range map[string]int64{"kept": now, "cold": now - 1} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := f.service.Of(context.Background(), f.site, fmt.Sprint("device:d", i*7%2000), at); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// BenchmarkItem is a changed entry of the catalogue until the 20,000 readers who
// have a row of it are settled.
func BenchmarkItem(b *testing.B) {
	f := newBenched(b, segments(100))
	now := f.fill(b, 20_000, 10)
	f.settle(b, "s0", now)
	i := 0
	for b.Loop() {
		i++
		f.enc.AddFact(event.Fact{Kind: event.FactItem, Site: "news", Key: "a1", Value: fmt.Appendf(nil, `{"section":"s%d"}`, 50+i%2)})
		f.send(b, now)
		f.settle(b, "s0", now)
	}
}
