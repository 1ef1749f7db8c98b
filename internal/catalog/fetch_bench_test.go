package catalog

import (
	"fmt"
	"testing"

	"github.com/readership/readership/internal/event"
)

// BenchmarkHint measures what a view of a page that was looked at lately costs its
// collection, alone and with all cores at once.
func BenchmarkHint(b *testing.B) {
	site := &event.Site{ID: "news", Domains: []string{"news.example"}}
	pages := make([]string, 512)
	for i := range pages {
		pages[i] = fmt.Sprintf("news.example/politics/an-article-of-some-length-%d", i)
	}
	f := New(Config{})
	f.ctx = b.Context()
	for range maxFetches {
		f.slots <- struct{}{} // no fetch can begin
	}
	for _, page := range pages[:maxWaiting] {
		f.Hint(site, page, page, 1_700_000_000_000)
	}
	pages = pages[:maxWaiting]
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			f.Hint(site, pages[i%len(pages)], pages[i%len(pages)], 1_700_000_000_000)
		}
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				f.Hint(site, pages[i%len(pages)], pages[i%len(pages)], 1_700_000_000_000)
			}
		})
	})
}
