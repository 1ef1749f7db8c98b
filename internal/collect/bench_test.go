package collect

import (
	"bytes"
	"context"
	"net/http"
	"net/netip"
	"testing"

	"github.com/valyala/fastjson"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// nothing is a committer that stores nothing, for benchmarks alone.
type nothing struct{}

func (nothing) Ready() error                                 { return nil }
func (nothing) Acked() event.Position                        { return 1 }
func (nothing) Count(site, verdict, reason string, n uint64) {}
func (nothing) Submit(s *eventlog.Submission, done func(error)) error {
	done(nothing{}.Commit(context.Background(), s))
	return nil
}

func (nothing) Commit(_ context.Context, s *eventlog.Submission) error {
	s.Verdicts = s.Verdicts[:0]
	for range s.Events {
		s.Verdicts = append(s.Verdicts, eventlog.Verdict{Outcome: eventlog.Stored})
	}
	s.Done = len(s.Events)
	return nil
}

// pageView is what a page sends.
const pageView = `{"type":"page_view","device":"d1234","item":"a77","url":"https://news.example/sport/a77?utm_source=x","referrer":"https://t.co/abc","title":"The final","properties":{"section":"sport","author":"jd","premium":true}}`

// BenchmarkParseEvent reads and judges one line of an import.
func BenchmarkParseEvent(b *testing.B) {
	for name, site := range map[string]string{"import": "replay", "page": "news"} {
		line := []byte(typical(12345))
		if name == "page" {
			line = []byte(pageView)
		}
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			r := &request{collector: w.c, site: w.c.infos.of(w.sites[site], w.c.secret), api: name == "import", received: nowMillis, earliest: minTime}
			p := w.c.parts.Get().(*part)
			b.ReportAllocs()
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				p.reset(r)
				l := lines{src: line, line: 1}
				p.line(&l)
				if len(p.events) != 1 {
					b.Fatal(p.rejected)
				}
			}
		})
	}
}

// BenchmarkFastJSON reads the same line with a library, for comparison: no
// UTF-8 check, no judging.
func BenchmarkFastJSON(b *testing.B) {
	line := typical(12345)
	var p fastjson.Parser
	var ev event.Event
	b.ReportAllocs()
	for b.Loop() {
		v, err := p.Parse(line)
		if err != nil {
			b.Fatal(err)
		}
		ev.Reset()
		ev.ID = text(v.GetStringBytes("id"))
		ev.Columns[event.ColType] = text(v.GetStringBytes("type"))
		ev.Columns[event.ColItem] = text(v.GetStringBytes("item"))
		ev.Device = text(v.GetStringBytes("device"))
		ev.Time = v.GetInt64("time")
		v.GetObject("properties").Visit(func(key []byte, v *fastjson.Value) {
			ev.Properties = append(ev.Properties, event.Property{Name: text(key), Value: text(v.GetStringBytes())})
		})
	}
}

// BenchmarkCollectSingle is a request with one event, without a server.
func BenchmarkCollectSingle(b *testing.B) {
	b.Run("unlimited", func(b *testing.B) { benchmarkCollectSingle(b, Rates{}) })
	b.Run("limited", func(b *testing.B) { benchmarkCollectSingle(b, Rates{Key: 1e8, Address: 1e8, Device: 1e8}) })
}

func benchmarkCollectSingle(b *testing.B, bounds Rates) {
	w := newWorldOf(b, bounds)
	w.c.committer = nothing{}
	body := []byte(pageView)
	var reader bytes.Reader
	q := &Request{Method: http.MethodPost, Path: PathEvents, Host: "collect.example", Remote: netip.MustParseAddr("192.0.2.7"),
		Header: headers{"Authorization": "Bearer w-news", "Content-Type": "application/json", "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36", "Accept-Language": "de-DE,de;q=0.9"},
		Body:   &reader, Length: int64(len(body))}
	var out Response
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		w.c.Collect(context.Background(), q, &out)
		if out.Status != http.StatusOK {
			b.Fatalf("%s", out.Body)
		}
	}
}

// BenchmarkImport is a streamed import, without a server.
func BenchmarkImport(b *testing.B) {
	w := newWorld(b)
	w.c.committer = nothing{}
	const n = 100_000
	body := typicalLines(n)
	q := &Request{Method: http.MethodPost, Path: PathEvents, Query: "site=replay",
		Header: headers{"Authorization": "Bearer import", "Content-Type": "application/x-ndjson"}, Length: int64(len(body))}
	var out Response
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		q.Body = bytes.NewReader(body)
		w.c.Collect(context.Background(), q, &out)
		if out.Status != http.StatusOK {
			b.Fatalf("%s", out.Body)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRefuse is a request that finds no room.
func BenchmarkRefuse(b *testing.B) {
	w := newWorld(b)
	w.c.committer = full{}
	body := []byte(pageView)
	q := &Request{Method: http.MethodPost, Path: PathEvents, Host: "collect.example", Remote: netip.MustParseAddr("192.0.2.7"),
		Header: headers{"Authorization": "Bearer w-news", "Content-Type": "application/json", "User-Agent": "wrk"},
		Whole:  body, Length: int64(len(body))}
	var out Response
	b.ReportAllocs()
	for b.Loop() {
		if _, stage := w.c.Start(q, &out, func() {}); stage != Answered || out.Status != http.StatusServiceUnavailable {
			b.Fatalf("%d %s", out.Status, out.Body)
		}
	}
}

// full is a committer without room.
type full struct{ nothing }

func (full) Ready() error { return eventlog.ErrOverloaded }
