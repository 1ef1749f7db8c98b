package access

import (
	"fmt"
	"testing"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/rubric/incremental"
	"github.com/readership/readership/internal/rubric/value"
	"github.com/readership/readership/internal/segment"
)

// Benchmarks of decisions on an engine in memory: a thousand readers in turn, each
// with a full meter.
func benchmarkDecide(b *testing.B, commit bool) {
	d := newDesk(b, metered)
	const readers = 1000
	for i := range readers {
		for k := range 3 {
			d.decide(fmt.Sprint("d", i), fmt.Sprint("a", k), true)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	done := make(chan struct{}, 1)
	for i := range b.N {
		ask := Ask{Site: d.site, Access: "story", Reader: "device:d" + fmt.Sprint(i%readers), Item: "a" + fmt.Sprint(i%5), Commit: commit}
		started, ok := d.service.Start(&ask, func() { done <- struct{}{} })
		if !ok {
			b.Fatal("it has to wait")
		}
		<-done
		if v, err := started.Result(); err != nil || v.Fallback {
			b.Fatal(v, err)
		}
		started.Release()
	}
}

func BenchmarkDecide(b *testing.B) { benchmarkDecide(b, false) }
func BenchmarkCommit(b *testing.B) { benchmarkDecide(b, true) }

// BenchmarkDecideByItemAsked is the turn of a reader with so many rows, over 25 days,
// whose access block counts those of the item that is asked for: nothing of it can be
// kept up to date beforehand.
func BenchmarkDecideByItemAsked(b *testing.B) {
	for _, rows := range []int{200, 1_000_000} {
		d := newDesk(b, program.Initial)
		const page = 10_000
		span := int64(25 * 24 * 3600_000)
		for first := 0; first < rows; first += page {
			d.mu.Lock()
			_, err := d.write(func(e *event.Encoder) {
				for n := first; n < min(rows, first+page); n++ {
					ev := event.Event{Time: d.now - span + span*int64(n)/int64(rows), Device: "d1"}
					ev.Columns[event.ColType], ev.Columns[event.ColItem] = event.TypePageView, fmt.Sprint("a", n%100)
					e.Add("news", &ev, uint64(n+1), 0)
				}
			})
			d.mu.Unlock()
			if err != nil {
				b.Fatal(err)
			}
		}
		for _, window := range []string{"1h", "1d", "25d"} {
			d.store("access story (deadline: 10s) { allow few if (events |> where item.id == request.item.id |> last " + window + " |> count) < 3\n deny much }")
			p, err := d.programs.Active(d.site)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprint(rows, " rows, last ", window), func(b *testing.B) {
				b.ReportAllocs()
				err := d.engine.InTurn(b.Context(), "news", "device:d1", func(r *engine.Reader) {
					for b.Loop() {
						v := segment.View(p.Plan, r, d.now)
						v.Item = "a1"
						if rows > incremental.MaxRows { // as of a reader whose rows are kept laid out
							v.Folded = func(int) (of value.Value, known bool) { return of, false }
						}
						v.Decide(0)
					}
				})
				if err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
