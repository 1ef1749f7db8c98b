package proxy

import (
	"bytes"
	"net"
	"net/http"
	"testing"

	"github.com/readership/readership/internal/event"
)

// memoryWriter takes an answer and keeps nothing.
type memoryWriter struct {
	header http.Header
	bytes  int
}

func (w *memoryWriter) Header() http.Header         { return w.header }
func (w *memoryWriter) Write(p []byte) (int, error) { w.bytes += len(p); return len(p), nil }
func (w *memoryWriter) WriteHeader(int)             {}

// A page of 10 KB from an origin over a socket, without the reader's connection.
func BenchmarkPage(b *testing.B) {
	page := bytes.Repeat([]byte("<p>The final. "), 10<<10/14)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	origin := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(page) })}
	go func() { _ = origin.Serve(l) }()
	defer origin.Close()
	source := &tables{sites: []*event.Site{{ID: "news", Domains: []string{"news.example"}}}, byOwner: map[string][]event.Route{}}
	source.set("news", to("http://"+l.Addr().String()))
	s := New(Config{Source: source})
	defer s.Shutdown(b.Context())
	r, _ := http.NewRequestWithContext(b.Context(), "GET", "/sport/a1", http.NoBody)
	r.Host, r.RemoteAddr = "news.example", "127.0.0.1:1"
	r.Header.Set("User-Agent", "Mozilla/5.0")
	b.ReportAllocs()
	for b.Loop() {
		w := &memoryWriter{header: http.Header{}}
		s.ServeHTTP(w, r)
		if w.bytes != len(page) {
			b.Fatalf("%d bytes", w.bytes)
		}
	}
}
