package access

import (
	"fmt"
	"testing"
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
		result, ok := d.service.Start(&ask, func() { done <- struct{}{} })
		if !ok {
			b.Fatal("it has to wait")
		}
		<-done
		if v, err := result(); err != nil || v.Fallback {
			b.Fatal(v, err)
		}
	}
}

func BenchmarkDecide(b *testing.B) { benchmarkDecide(b, false) }
func BenchmarkCommit(b *testing.B) { benchmarkDecide(b, true) }
