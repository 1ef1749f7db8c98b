package eventlog

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/readership/readership/internal/event"
)

// memorySink decodes and keeps what it is given.
type memorySink struct {
	mu       sync.Mutex
	position event.Position
	rows     int
	counts   map[event.Count]uint64
	ids      map[uint64]int
	clocks   map[string]int64
	facts    []event.Fact
	stamps   []int64
}

func (s *memorySink) Apply(pos event.Position, message []byte) error {
	var b event.Batch
	if err := b.Decode(message); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if pos <= s.position {
		return fmt.Errorf("position %s after %s", pos, s.position)
	}
	s.position = pos
	s.stamps = append(s.stamps, b.Stamp)
	if s.counts == nil {
		s.counts, s.ids, s.clocks = make(map[event.Count]uint64), make(map[uint64]int), make(map[string]int64)
	}
	for _, c := range b.Counts {
		n := c.N
		c.N = 0
		s.counts[c] += n
	}
	for i := range b.Sites {
		s.rows += b.Sites[i].N
		for _, id := range b.Sites[i].ID {
			s.ids[id]++
		}
		if b.Sites[i].HasClock {
			s.clocks[b.Sites[i].Site] = b.Sites[i].Clock
		}
	}
	s.facts = append(s.facts, b.Facts...)
	return nil
}

// nullSink takes everything and does nothing.
type nullSink struct{}

func (nullSink) Apply(event.Position, []byte) error { return nil }

func startCommitter(tb testing.TB, cfg CommitterConfig, l *Log, sink Sink) *Committer {
	tb.Helper()
	if cfg.Dir == "" {
		cfg.Dir = tb.TempDir()
	}
	cfg.Logger = quiet
	c, err := NewCommitter(cfg, l, sink)
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Start(context.Background()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func pageView(id string, at int64) event.Event {
	e := event.Event{ID: id, Time: at, Device: "d-" + id}
	e.Columns[event.ColType] = event.TypePageView
	e.Columns[event.ColURL] = "https://news.example/sport/" + id[len(id)-1:]
	e.Columns[event.ColItem] = "news.example/sport/" + id[len(id)-1:]
	return e
}

var wallSite = &event.Site{ID: "news", Clock: event.ClockWall, Window: "30d"}

func TestCommit(t *testing.T) {
	sink := &memorySink{}
	c := startCommitter(t, CommitterConfig{}, openLog(t, Config{}), sink)
	now := time.Now().UnixMilli()
	s := &Submission{Site: wallSite, Events: []event.Event{
		pageView("a", now), pageView("b", now), pageView("a", now), pageView("c", now-31*dayMillis),
	}}
	if err := c.Commit(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	want := []Outcome{Stored, Stored, Duplicate, Rejected}
	for i, v := range s.Verdicts {
		if v.Outcome != want[i] {
			t.Errorf("event %d: %v", i, v)
		}
	}
	if s.Done != 4 || s.Position != c.Acked() || sink.rows != 2 {
		t.Error(s.Done, s.Position, c.Acked(), sink.rows)
	}
}

// checkStored says whether the log of l holds each id once.
func checkStored(t *testing.T, c *Committer, l *Log, ids []string) {
	t.Helper()
	sink := &memorySink{}
	if err := l.Read(context.Background(), 0, sink.Apply); err != nil {
		t.Fatal(err)
	}
	lost, doubled := 0, 0
	for _, id := range ids {
		hash, _ := c.key.hash(nil, wallSite.ID, hashID, id)
		switch sink.ids[hash] {
		case 0:
			lost++
		case 1:
		default:
			doubled++
		}
	}
	if lost > 0 || doubled > 0 {
		t.Errorf("of %d acknowledged events %d are lost, %d doubled", len(ids), lost, doubled)
	}
	if n := sink.counts[event.Count{Site: wallSite.ID, Verdict: "stored"}]; int(n) != sink.rows {
		t.Errorf("the ledger says %d stored, there are %d", n, sink.rows)
	}
}

func BenchmarkCommitSingle(b *testing.B) {
	l := openLog(b, Config{})
	c := startCommitter(b, CommitterConfig{}, l, nullSink{})
	const workers = 256
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	start := time.Now()
	for w := range workers {
		wg.Go(func() {
			id := fmt.Appendf(nil, "%08d-1234-5678-9abc-%016d", w, 0)
			var number [16]byte
			s := &Submission{Site: wallSite, Events: []event.Event{pageView("x", time.Now().UnixMilli())}}
			for i := 0; ; i++ {
				if next.Add(1) > int64(b.N) {
					return
				}
				copy(id[len(id)-12:], strconv.AppendInt(append(number[:0], '-'), 1e9+int64(i), 10))
				s.Events[0].ID = unsafe.String(&id[0], len(id))
				if err := c.Commit(context.Background(), s); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "events/s")
	st := c.Stats()
	b.ReportMetric(float64(st.Events)/float64(st.Commits), "events/commit")
	b.ReportMetric(float64(st.CommitNanos)/float64(st.Commits)/1e3, "us/append")
}

// importEvents makes n events of one site that look like a day of traffic.
func importEvents(n int, at int64) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		e := &events[i]
		e.ID = fmt.Sprintf("%08x-1234-5678-9abc-%012x", i, i*7)
		e.View = e.ID
		e.Time = at + int64(i)
		e.Device = fmt.Sprintf("device-%08x", i*7919%(n/5+1))
		e.Columns[event.ColType] = event.TypePageView
		e.Columns[event.ColItem] = fmt.Sprintf("article-%d", i*31%2000)
		e.Columns[event.ColURL] = fmt.Sprintf("https://news.example/sport/%d", i*31%2000)
		e.Columns[event.ColHost] = "news.example"
		e.Columns[event.ColCountry] = "DE"
		e.Columns[event.ColDeviceClass] = "mobile"
	}
	return events
}

func BenchmarkImport(b *testing.B) {
	l := openLog(b, Config{})
	c := startCommitter(b, CommitterConfig{}, l, nullSink{})
	const batch = 2000
	events := importEvents(100_000, time.Now().UnixMilli())
	b.ReportAllocs()
	b.ResetTimer()
	start := time.Now()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 2 {
		wg.Go(func() {
			s := &Submission{Site: &event.Site{ID: "news"}, Import: true}
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				at := i % (len(events) / batch) * batch
				// Another site each round, so that no id is known.
				s.Site = &event.Site{ID: fmt.Sprint(i / (len(events) / batch)), Window: "30d"}
				s.Events = events[at : at+batch]
				if err := c.Commit(context.Background(), s); err != nil {
					b.Error(err)
				}
				if s.Verdicts[0].Outcome != Stored {
					b.Error(s.Verdicts[0])
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)*batch/time.Since(start).Seconds(), "events/s")
	st := c.Stats()
	b.ReportMetric(float64(st.Bytes)/float64(st.Events), "B/event")
	b.ReportMetric(float64(st.Bytes)/float64(st.Commits), "B/commit")
}
