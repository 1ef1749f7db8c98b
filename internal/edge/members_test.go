package edge

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/segment"
)

// people answers questions about readers, in memory.
type people struct{ hold chan struct{} }

func (people) APIKey(key string) (*auth.Principal, bool) {
	return &auth.Principal{Kind: auth.KindAPI, Scopes: auth.SegmentsRead}, key == "read"
}
func (people) Site(id string) (*event.Site, bool)         { return site, id == site.ID }
func (people) SiteNow(_ string, wall int64) int64         { return wall }
func (people) Position() event.Position                   { return event.MakePosition(20516, 1, 7) }
func (people) Wait(context.Context, event.Position) error { return nil }
func (p people) Of(_ context.Context, _ *event.Site, reader string, at int64) (segment.Answer, error) {
	switch reader {
	case "nobody":
		return segment.Answer{}, engine.ErrUnknownReader
	case "device:panic":
		panic("as asked")
	case "device:hold":
		<-p.hold
	}
	return segment.Answer{Segments: []string{"a", "b"}, At: at, Version: 3}, nil
}

// OfAtOnce knows those whose names say so.
func (p people) OfAtOnce(_ *event.Site, reader string, at int64) (segment.Answer, bool) {
	if reader == "device:panic at once" {
		panic("as asked")
	}
	return segment.Answer{Segments: []string{"known"}, At: at, Version: 3}, strings.HasPrefix(reader, "device:known")
}

// membersListener serves questions about people; what Memberships leave is
// answered 418.
func membersListener(t testing.TB, p people) (address string) {
	t.Helper()
	acked := func() event.Position { return event.MakePosition(20516, 1, 7) }
	s := NewServer(Config{Acked: acked, Limits: Limits{AddressConnections: 1 << 14}, Sites: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
		Memberships: &Memberships{Keys: p, Engine: p, Acked: acked, Segments: p, Now: func() time.Time { return time.UnixMilli(nowMillis) }}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// TestMemberships answers plain questions by itself and leaves the others, and
// their connection with them.
func TestMemberships(t *testing.T) {
	l := listener{url: "http://" + membersListener(t, people{})}
	read := map[string]string{"Authorization": "Bearer read"}
	for _, c := range []struct {
		path    string
		headers map[string]string
		want    int
	}{
		{"/v1/sites/news/readers/device:panic/segments", read, 500},
		{"/v1/sites/news/readers/device:panic%20at%20once/segments", read, 500},
		{"/v1/sites/news/readers/device:a%2Fb/segments", read, 200},
		{"/v1/sites/news/readers/device:known%2Fb/segments", read, 200},
		{"/v1/sites/other/readers/device:known/segments", read, 418},
		{"/v1/sites/news/readers/device:d/segments?at=1", read, 418},
		{"/v1/sites/news/readers/nobody/segments", read, 418},
		{"/v1/sites/other/readers/device:d/segments", read, 418},
		{"/v1/sites/news/readers/device:d/segments", map[string]string{"Authorization": "Bearer other"}, 418},
		{"/v1/sites/news/readers/device:d/segments", nil, 418},
		{"/v1/sites/news/readers/device:d/segments", map[string]string{"Authorization": "Bearer read", "X-Readership-Position": "1-1-1"}, 418},
		{"/v1/sites/news/readers/device:%ff/segments", read, 418},
		{"/v1/sites/news/decisions", read, 418},
		{"/v1/sites/news/readers/device:d", read, 404},
	} {
		status, header, body := l.do(t, one{method: "GET", path: c.path, headers: c.headers})
		if status != c.want {
			t.Errorf("%s: %d %s, want %d", c.path, status, body, c.want)
		}
		want := `{"reader":"device:a/b","at":"2026-03-04T05:06:07.089Z","segments":["a","b"],"program_version":3,"took_us":0,"position":"20516-1-7"}` + "\n"
		if strings.Contains(c.path, "known") {
			want = strings.NewReplacer("device:a", "device:known", `"a","b"`, `"known"`).Replace(want)
		}
		if status == 200 && (body != want || header.Get("X-Readership-Position") != "20516-1-7" || len(header.Get("X-Request-Id")) != 24) {
			t.Errorf("%v %s", header, body)
		}
	}
}

// TestMembershipsFull refuses questions when too many wait, and answers those
// that wait.
func TestMembershipsFull(t *testing.T) {
	p := people{hold: make(chan struct{})}
	address := membersListener(t, p)
	const extra = 8
	refused, answered := make(chan string, extra), make(chan int, maxAnswering+maxAsked)
	ask := func() (net.Conn, error) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_, err = fmt.Fprint(conn, "GET /v1/sites/news/readers/device:hold/segments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer read\r\n\r\n")
		}
		return conn, err
	}
	for range maxAnswering + maxAsked + extra {
		conn, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer conn.Close()
			var b [4 << 10]byte
			n, _ := conn.Read(b[:])
			if answer := string(b[:n]); strings.HasPrefix(answer, "HTTP/1.1 503 ") {
				refused <- answer
			} else {
				answered <- n
			}
		}()
	}
	for range extra {
		if answer := <-refused; !strings.Contains(answer, "\r\nRetry-After: 1\r\n") || !strings.Contains(answer, `"overloaded"`) {
			t.Fatal(answer)
		}
	}
	// Who is known needs nobody beside the loop.
	l := listener{url: "http://" + address}
	if status, _, body := l.do(t, one{method: "GET", path: "/v1/sites/news/readers/device:known/segments", headers: map[string]string{"Authorization": "Bearer read"}}); status != 200 {
		t.Errorf("%d %s of a reader who is known", status, body)
	}
	close(p.hold)
	for range maxAnswering + maxAsked {
		if n := <-answered; n == 0 {
			t.Fatal("a question was not answered")
		}
	}
}

// BenchmarkMemberships answers a question in process.
func BenchmarkMemberships(b *testing.B) {
	p := people{}
	m := &Memberships{Keys: p, Engine: p, Acked: p.Position, Segments: p, Now: time.Now}
	k := newCall(&Server{cfg: Config{Memberships: m}})
	k.head.read([]byte("GET /v1/sites/news/readers/device:known/segments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer read\r\n\r\n"))
	k.q.Path, k.q.Header = text(k.head.path), &k.head
	b.ReportAllocs()
	for b.Loop() {
		a, ok := m.read(&k.q)
		if !ok || !m.atOnce(&a, &k.out) {
			b.Fatal("not answered")
		}
	}
}
