package engine_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
)

const day = int64(24 * 60 * 60 * 1000)

// days sends rows of one device and one other reader on each of n days, a
// message a day, and returns the feed.
func days(t *testing.T, cfg engine.Config, window string, n int) *feed {
	f := newFeed(t, cfg, event.Site{ID: "news", Window: window})
	for d := range n {
		f.enc.Reset(t0 + int64(d)*day)
		for i := range 50 {
			e := pageView(t0+int64(d)*day+int64(i), fmt.Sprint("reader-", i%7, "-", d%3), fmt.Sprint("a", i))
			f.enc.Add("news", &e, uint64(1+d*1000+i), 0)
		}
		f.send()
	}
	return f
}

func TestDaysLeaveTheWindow(t *testing.T) {
	f := days(t, engine.Config{Shards: 2}, "10d", 40)
	v := f.view("news")
	if want := v.Now - 10*day; v.From != want {
		t.Fatalf("from %d, want %d", v.From, want)
	}
	for _, s := range v.Shards {
		for _, b := range s.Blocks {
			if int64(b.Day+1)*day <= v.From {
				t.Errorf("block of day %d is still there", b.Day)
			}
		}
		for _, c := range s.Visits {
			if int64(c.Day+1)*day <= v.From-day {
				t.Errorf("visits of day %d are still there", c.Day)
			}
		}
	}
	stats, err := f.e.Stats(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if n := stats.Sites[0].Blocks; n > 2*12 {
		t.Errorf("%d blocks stay, want at most 24", n)
	}
	if n := stats.Sites[0].Subjects; n != 21 {
		t.Errorf("%d readers are known, want 21: first_seen outlives the window", n)
	}
}

func TestIdleSitesMoveWithLogTime(t *testing.T) {
	f := days(t, engine.Config{}, "5d", 3)
	f.enc.Reset(t0 + 30*day)
	f.enc.AddCount(event.Count{Site: "other", Verdict: "rejected", Reason: "bad_time", N: 1})
	f.send()
	v := f.view("news")
	if n := len(v.Shards[0].Blocks); n != 0 {
		t.Fatalf("%d blocks stay though log time has passed them", n)
	}
	if got := f.e.Ledger("other", 0, t0+31*day); len(got) != 1 || got[0].N != 1 {
		t.Fatalf("ledger %v", got)
	}
}

func TestMemoryCutsTheWindow(t *testing.T) {
	const limit = 5 << 20
	cfg := engine.Config{Shards: 1, Memory: limit}
	f := newFeed(t, cfg, event.Site{ID: "news"})
	id := uint64(1)
	for d := range 20 {
		for range 20 {
			f.enc.Reset(t0 + int64(d)*day)
			for i := range 2000 {
				e := pageView(t0+int64(d)*day+int64(i), fmt.Sprint("reader-", i%500), fmt.Sprint("a", i%300))
				id++
				f.enc.Add("news", &e, id, 0)
			}
			f.send()
		}
	}
	v := f.view("news")
	if v.Cut != "memory" || v.From <= v.Now-30*day {
		t.Fatalf("window from %d, cut %q: want it cut for memory", v.From, v.Cut)
	}
	// What is from then on is whole.
	for _, b := range v.Shards[0].Blocks {
		n := 0
		for i := range b.N {
			if b.Unix(i) >= v.From {
				n++
			}
		}
		if int64(b.Day)*day >= v.From && n != 40_000 {
			t.Errorf("day %d holds %d rows, want 40000", b.Day, n)
		}
	}
	stats, err := f.e.Stats(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	b := stats.Sites[0].Bytes
	if total := b.Rows + b.Subjects + b.Visits + b.Dictionaries + b.IDs; total > limit*5/4 {
		t.Errorf("engine takes %d bytes, the limit is %d", total, limit)
	}
	lost := uint64(0)
	for _, l := range f.e.Losses("news", 0, v.Now+day) {
		if l.Verdict == "left" && l.Reason == "memory" {
			lost += l.N
		}
	}
	if lost == 0 {
		t.Error("the ledger does not say what left early")
	}
	if got := f.e.Ledger("news", 0, v.Now+day); len(got) != 0 {
		t.Errorf("what left early counts as arrived: %v", got)
	}
}

// TestShortenedWindowIsRestored: what is made anew when the window is cut for
// memory replaces what the checkpoint before held of it.
func TestShortenedWindowIsRestored(t *testing.T) {
	cfg := engine.Config{Dir: t.TempDir()}
	f := newFeed(t, cfg, event.Site{ID: "news"})
	id := uint64(1)
	send := func(from, to int, readers int) {
		for d := from; d < to; d++ {
			f.enc.Reset(t0 + int64(d)*day)
			for i := range 40_000 {
				e := pageView(t0+int64(d)*day+int64(i), fmt.Sprint("reader-", i%readers), fmt.Sprint("a", i%300))
				id += 0x9e3779b97f4a7c15 // spread as hashes are
				f.enc.Add("news", &e, id, id)
			}
			f.send()
		}
	}
	send(0, 5, 20_000)
	if err := f.e.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	chains := func() int64 {
		stats, err := f.e.Stats(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return stats.Sites[0].Bytes.Chains
	}
	before := chains()
	f.e.SetMemory(1 << 20)
	send(5, 12, 50) // chains are trimmed as rows come
	if after := chains(); after > before/2 {
		t.Fatalf("chains take %d bytes after the window was cut, before it %d", after, before)
	}
	times := func() (all []int64) {
		v := f.view("news")
		for _, b := range v.Shards[0].Blocks {
			for i := range b.N {
				all = append(all, b.Unix(i))
			}
		}
		return all
	}
	want := times()
	if err := f.e.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if at := event.MakePosition(20000, 0, f.seq); e.Position() != at {
		t.Fatalf("restored at %s, want %s", e.Position(), at)
	}
	f.e = e
	if got := times(); len(got) == 0 || !slices.Equal(got, want) {
		t.Errorf("%d rows are restored, want %d", len(got), len(want))
	}
	stats, err := f.e.Stats(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got := stats.Sites[0].Bytes.Chains; got > before/2 {
		t.Errorf("chains take %d bytes when restored", got)
	}
}

func TestMalformedMessageStopsTheEngine(t *testing.T) {
	f := newFeed(t, engine.Config{}, event.Site{ID: "news"})
	f.seq++
	bad := event.MakePosition(20000, 0, f.seq)
	if err := f.e.Apply(bad, []byte{0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	<-f.e.Failed()
	if got := f.e.Failure(); got.Position != bad {
		t.Fatalf("failed at %s, want %s", got.Position, bad)
	}
	e, err := engine.Open(engine.Config{Skip: map[event.Position]bool{bad: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Apply(bad, []byte{0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	if err := e.Wait(context.Background(), bad); err != nil {
		t.Fatalf("a skipped message stops the engine: %v", err)
	}
}
