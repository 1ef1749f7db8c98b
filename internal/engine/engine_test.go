package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/event"
)

const t0 = int64(1_790_000_000_000) // a day in September 2026

// feed applies messages to an engine as the committer would.
type feed struct {
	t   testing.TB
	e   *engine.Engine
	enc event.Encoder
	seq uint64
	// tape keeps what is sent, by position; nil: nobody plays it again.
	tape *[]taped
}

type taped struct {
	position event.Position
	message  []byte
}

// play applies what was sent to another engine, from a place of the tape on.
func (f *feed) play(tape []taped) {
	f.t.Helper()
	for _, m := range tape {
		if err := f.e.Apply(m.position, bytes.Clone(m.message)); err != nil {
			f.t.Fatal(err)
		}
		f.seq = m.position.Sequence()
	}
}

func newFeed(t testing.TB, cfg engine.Config, site event.Site) *feed {
	t.Helper()
	e, err := engine.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	f := &feed{t: t, e: e}
	f.site(t0, site)
	return f
}

func (f *feed) site(stamp int64, site event.Site) {
	f.enc.Reset(stamp)
	value, err := json.Marshal(site.WithDefaults())
	if err != nil {
		f.t.Fatal(err)
	}
	f.enc.AddFact(event.Fact{Kind: event.FactSite, Key: site.ID, Site: site.ID, Value: value})
	f.send()
}

func (f *feed) send() event.Position {
	f.t.Helper()
	f.seq++
	p := event.MakePosition(20000, 0, f.seq)
	message := f.enc.AppendTo(nil)
	if f.tape != nil {
		*f.tape = append(*f.tape, taped{p, bytes.Clone(message)})
	}
	if err := f.e.Apply(p, message); err != nil {
		f.t.Fatal(err)
	}
	return p
}

func (f *feed) view(site string) *engine.View {
	f.t.Helper()
	v, err := f.e.View(context.Background(), site, event.MakePosition(20000, 0, f.seq))
	if err != nil {
		f.t.Fatalf("view: %v (%+v)", err, f.e.Failure())
	}
	return v
}

func pageView(time int64, device, item string) event.Event {
	e := event.Event{Time: time, Device: device}
	e.Columns[event.ColType] = event.TypePageView
	e.Columns[event.ColItem] = item
	return e
}

func TestRowsVisitsAndEngagement(t *testing.T) {
	f := newFeed(t, engine.Config{Shards: 2}, event.Site{ID: "news"})
	f.enc.Reset(t0 + 1)
	first := pageView(t0, "d1", "a1")
	second := pageView(t0+20*60_000, "d1", "a2")
	apart := pageView(t0+60*60_000, "d1", "a1")
	other := pageView(t0+5, "d2", "a1")
	for i, e := range []*event.Event{&first, &second, &apart, &other} {
		f.enc.Add("news", e, uint64(i+1), uint64(100+i))
	}
	engaged := event.Event{Time: t0 + 70*60_000, Device: "d1", EngagedMillis: 12_000, Scroll: 60}
	engaged.Columns[event.ColType] = event.TypeEngagement
	f.enc.Add("news", &engaged, 9, 102)
	f.send()

	v := f.view("news")
	rows, visits, views := 0, 0, 0
	var engagedMillis uint32
	for _, s := range v.Shards {
		for _, b := range s.Blocks {
			rows += b.N
			for i := range b.N {
				engagedMillis += b.EngagedMillis(i)
			}
			for _, n := range b.Views {
				views += int(n)
			}
		}
		for _, c := range s.Visits {
			for i := range c.Visits {
				if c.Visits[i].Counted() {
					visits++
				}
			}
		}
	}
	if rows != 4 || views != 4 || visits != 3 || engagedMillis != 12_000 {
		t.Fatalf("rows %d views %d visits %d engaged %d, want 4 4 3 12000", rows, views, visits, engagedMillis)
	}
}

// messages encodes n page views by the given number of devices, a property mix
// and batches as an import has, all on one day.
func messages(n, devices, batch int) [][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rng, 1.2, 10, 26_000)
	var enc event.Encoder
	var out [][]byte
	names := make([]string, devices)
	for i := range names {
		names[i] = fmt.Sprintf("%08x-%04x-4000-8000-%012x", rng.Uint32(), i&0xffff, i)
	}
	values := make([]string, 64)
	for i := range values {
		values[i] = fmt.Sprint(i)
	}
	id := uint64(1)
	props := make([]event.Property, 6)
	for done := 0; done < n; done += batch {
		enc.Reset(t0 + int64(done))
		for i := range batch {
			e := pageView(t0+int64(done+i)*50, names[rng.IntN(devices)], fmt.Sprint(zipf.Uint64()))
			for p := range props {
				props[p] = event.Property{Name: "p" + values[p], Value: values[rng.IntN(4+p*6)], Kind: event.KindString}
			}
			e.Properties = props
			id += 0x9e3779b97f4a7c15
			enc.Add("news", &e, id, id+1)
		}
		out = append(out, enc.AppendTo(nil))
	}
	return out
}

func BenchmarkApply(b *testing.B) {
	const n, batch = 1_000_000, 2000
	list := messages(n, 200_000, batch)
	size := 0
	for _, m := range list {
		size += len(m)
	}
	for b.Loop() {
		f := newFeed(b, engine.Config{Shards: 1}, event.Site{ID: "news"})
		for i, m := range list {
			if err := f.e.Apply(event.MakePosition(20000, 0, f.seq+uint64(i)+1), m); err != nil {
				b.Fatal(err)
			}
		}
		if err := f.e.Wait(context.Background(), event.MakePosition(20000, 0, f.seq+uint64(len(list)))); err != nil {
			b.Fatal(err)
		}
		f.e.Close()
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(size)/n, "B/event")
}

func TestShardsDivideSubjects(t *testing.T) {
	for i := range 1000 {
		h := subject.Hash(fmt.Sprint(i))
		if s := engine.ShardOf(h, 3); s < 0 || s > 2 {
			t.Fatalf("shard %d", s)
		}
	}
}
