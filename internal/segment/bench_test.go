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
	"github.com/readership/readership/internal/rubric/incremental"
)

const benchStart = int64(1_790_000_000_000)

// benched is an engine with the segments of a program.
type benched struct {
	e       *engine.Engine
	service *Service
	enc     event.Encoder
	seq     uint64
	site    *event.Site
	now     int64
	step    int64 // between events

	properties [10]event.Property
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
	for i := range benchItems {
		f.enc.AddFact(event.Fact{Kind: event.FactItem, Site: "news", Key: benchItems[i], Value: benchItem(i)})
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
// of its reader, of 100 that there are, as its host, country, campaign do.
func (f *benched) propertied(at int64, device, item, turn int) {
	ev := event.Event{Time: at, Device: benchDevices[device], Properties: f.properties[:]}
	ev.Columns[event.ColType] = event.TypePageView
	ev.Columns[event.ColItem] = benchItems[item]
	of := func(p int) string { return benchValues[(device+7*p+turn%4*25)%100] }
	for p := range f.properties {
		f.properties[p] = event.Property{Name: benchNames[p], Value: of(p)}
	}
	ev.Columns[event.ColReferrerHost], ev.Columns[event.ColCountry], ev.Columns[event.ColUTMCampaign] = of(1), of(2), of(3)
	f.enc.Add("news", &ev, f.seq<<20|uint64(f.enc.Rows()+1), 0)
}

// benchItem is an article with one section of 100, one author of 100 and five
// tags of 500.
func benchItem(i int) []byte {
	tag := func(k int) string { return fmt.Sprint("t", (i*(2*k+1)+i/100*7)%100+100*k) }
	return fmt.Appendf(nil, `{"section":"s%d","authors":["w%d"],"tags":[%q,%q,%q,%q,%q]}`, i%100, i*7%100, tag(0), tag(1), tag(2), tag(3), tag(4))
}

// Names, made once: it is not they that is measured.
var benchDevices, benchItems, benchValues, benchNames = numbered("d", 20_000), numbered("a", 2000), numbered("v", 100), numbered("p", 10)

func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(prefix, i)
	}
	return out
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

// matching are n segments of different plans, each of another predicate. Of 1,000
// a page view matches 10: by its item's section, author and five tags, by its
// referrer, country and campaign.
func matching(n int) string {
	random := rand.New(rand.NewPCG(1, 2))
	var out strings.Builder
	for i := range n {
		kind, value := i%10, i/10
		where := []string{"item.section == \"s%d\"", "\"w%d\" in item.authors", "referrer_host == \"v%d\"", "country == \"v%d\"", "utm_campaign == \"v%d\"", "\"t%d\" in item.tags"}[min(kind, 5)]
		if kind > 5 {
			value += 100 * (kind - 5)
		}
		fmt.Fprintf(&out, "segment s%d = events |> where type == \"page_view\" and "+where+" |> last %dd |> count >= %d\n", i, value, 1+random.IntN(14), 1+random.IntN(20))
	}
	return out.String()
}

// properties are the same of ten properties, of which each is a column of its own,
// with limits so low that most events change something.
func properties(n int) string {
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

// BenchmarkEvent is a page view with ten properties, of one of 20,000 readers who
// have 30 in the window of 30 days, in messages of 100; without segments it is
// what the engine takes. Events come at the pace of a visit, a reader's about a
// quarter of an hour apart, or daily: then readers leave as many segments as they
// enter, and 30 rows stay 30. What is due when a message has come is part of what
// its events take. changes/op is how many memberships an event changes, those that
// time takes later with them, changing/op how many events change one at once.
func BenchmarkEvent(b *testing.B) {
	for _, c := range []struct {
		name, text string
		daily      bool
	}{
		{"none", "", false},
		{"matching100", matching(100), false},
		{"matching1000", matching(1000), false},
		{"properties1000", properties(1000), false},
		{"counting100", counting(100), false},
		{"counting1000", counting(1000), false},
		{"daily/none", "", true},
		{"daily/matching1000", matching(1000), true},
		{"daily/properties1000", properties(1000), true},
		{"daily/counting1000", counting(1000), true},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := newBenched(b, c.text)
			next := f.views(b)
			if err := f.service.Start(context.Background()); err != nil {
				b.Fatal(err)
			}
			if c.text != "" {
				f.settle(b, "s0", f.now)
			}
			if !c.daily {
				f.step /= 100
			}
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
			b.StopTimer()
			if c.text != "" {
				f.reportChanges(b, next)
			}
		})
	}
}

// views gives 20,000 readers 30 page views, one a day on average, and returns what
// gives some reader one more.
func (f *benched) views(b *testing.B) (next func()) {
	const rows, batch = 30, 100
	random := rand.New(rand.NewPCG(3, 4))
	i, readers := 0, len(benchDevices)
	f.now, f.step = benchStart, 24*3600_000/int64(readers)
	next = func() {
		f.now += f.step
		f.propertied(f.now, random.IntN(readers), random.IntN(len(benchItems)), random.IntN(100))
		if i++; i%batch == 0 {
			f.send(b, f.now)
			f.rest(b)
		}
	}
	for range readers * rows {
		next()
	}
	return next
}

// rest has the shard do what is due.
func (f *benched) rest(b *testing.B) {
	if _, err := f.e.EachWatcher(b.Context(), "news", func(_ int, w engine.Watcher, l *engine.Live) {
		for w != nil && w.Work(l) != engine.LeftNothing {
		}
	}); err != nil {
		b.Fatal(err)
	}
}

// reportChanges counts what 20,000 more events change, in messages of 100 readers.
func (f *benched) reportChanges(b *testing.B, next func()) {
	const more, batch = 20_000, 100
	follow := f.service.Changes("news", 0, false)
	for range batch { // it is told from the next message on
		next()
	}
	f.settle(b, "s0", f.now)
	changes, changing := -1, 0 // the first is a reset
	count := func() {
		for told, ok, _ := follow.take(); ok; told, ok, _ = follow.take() {
			if changes < 0 {
				changes = 0
				continue
			}
			changes += len(told.Changes)
			readers := map[string]bool{}
			for _, c := range told.Changes {
				if c.Because == incremental.ByEvent.String() {
					readers[c.Reader] = true
				}
			}
			changing += len(readers)
		}
	}
	for i := range more {
		if i%batch == 0 {
			count()
		}
		next()
	}
	f.settle(b, "s0", f.now)
	count()
	b.ReportMetric(float64(changes)/more, "changes/op")
	b.ReportMetric(float64(changing)/more, "changing/op")
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
