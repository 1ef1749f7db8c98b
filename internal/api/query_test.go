package api

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/problem"
)

func TestQueryFormats(t *testing.T) {
	s := newServer(t)
	s.site("news")
	var asked Question
	s.queries.onQuery(func(_ context.Context, q Question) (Result, error) {
		asked = q
		return fixed{q.At, `{"results":[]}`}, nil
	})
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "text/csv": "text/csv; charset=utf-8", "application/x-ndjson": "application/x-ndjson",
		"text/csv;q=0.5, application/json;q=0.4": "text/csv; charset=utf-8", "text/html, */*;q=0.1": "application/json", "text/*": "text/csv; charset=utf-8", "image/png": "application/json",
	} {
		r := s.want(200, "POST", "/v1/sites/news/query", `{"metrics":["page_views"]}`, "Accept: "+accept)
		if got := r.Header.Get("Content-Type"); got != want {
			t.Errorf("%q: %s", accept, got)
		}
	}
	if asked.Site != "news" || string(asked.Body) != `{"metrics":["page_views"]}` || asked.At != s.log.Acked() || asked.Wall != s.clock().UnixMilli() {
		t.Errorf("asked %+v", asked)
	}
	for _, target := range []string{"/v1/sites/news/query", "/v1/sites"} {
		if got := s.want(400, "POST", target, "").codes(t); !cmp.Equal(got, []string{"body missing_field"}) {
			t.Errorf("%s without a body: %v", target, got)
		}
	}
	s.want(422, "POST", "/v1/sites/news/query?format=csv", `{}`)
	s.want(413, "POST", "/v1/sites/news/query", `{"x":"`+strings.Repeat("x", 1<<20)+`"}`)
	s.want(415, "POST", "/v1/sites/news/query", `x`, "Content-Type: text/plain")
	s.want(415, "POST", "/v1/sites/news/query", `x`, "Content-Encoding: gzip")
	s.want(400, "POST", "/v1/sites/news/query", "{\"x\":\"\xff\"}")
	s.queries.onQuery(func(context.Context, Question) (Result, error) {
		return nil, problem.New(422, "no", problem.Fault{Location: "body.metrics", Code: "missing_field", Message: "is required"})
	})
	if r := s.want(422, "POST", "/v1/sites/news/query", `{}`); r.codes(t)[0] != "body.metrics missing_field" {
		t.Error(r.body)
	}
	s.queries.onQuery(func(context.Context, Question) (Result, error) { return nil, errTest })
	if r := s.want(500, "POST", "/v1/sites/news/query", `{}`); strings.Contains(r.body, errTest.Error()+"\"") {
		t.Errorf("an inner error is told: %s", r.body)
	}
	s.queries.onQuery(func(context.Context, Question) (Result, error) { panic("a bug") })
	if r := s.want(500, "POST", "/v1/sites/news/query", `{}`); strings.Contains(r.body, "a bug") {
		t.Errorf("a panic is told: %s", r.body)
	}
}

func TestQueriesAreBounded(t *testing.T) {
	s := newServer(t, func(d *Deps) { d.Limits = Limits{Queries: 1, QueryWaiting: 1, QueryTime: time.Minute} })
	s.site("news")
	running, release := make(chan struct{}), make(chan struct{})
	s.queries.onQuery(func(_ context.Context, q Question) (Result, error) {
		running <- struct{}{}
		<-release
		return fixed{q.At, `{}`}, nil
	})
	answers := make(chan int, 1)
	go func() { answers <- s.do("POST", "/v1/sites/news/query", `{}`).StatusCode }()
	<-running
	s.api.queries.waiting <- struct{}{} // as if one waited
	if r := s.want(503, "POST", "/v1/sites/news/query", `{}`); r.json(t)["code"] != "overloaded" || r.Header.Get("Retry-After") == "" {
		t.Error(r.body)
	}
	<-s.api.queries.waiting
	s.api.Limits.QueryTime = time.Millisecond // one that does wait is refused when its time is over
	if r := s.want(503, "POST", "/v1/sites/news/query", `{}`); r.json(t)["code"] != "overloaded" {
		t.Error(r.body)
	}
	close(release)
	if got := <-answers; got != 200 {
		t.Errorf("the running query: %d", got)
	}
}

func TestQueriesEndInTime(t *testing.T) {
	s := newServer(t, func(d *Deps) { d.Limits.QueryTime = time.Millisecond })
	s.site("news")
	s.queries.onQuery(func(ctx context.Context, _ Question) (Result, error) {
		<-ctx.Done()
		return nil, fmt.Errorf("scan: %w", ctx.Err())
	})
	if r := s.want(503, "POST", "/v1/sites/news/query", `{}`); r.json(t)["code"] != "timeout" || r.Header.Get("Retry-After") == "" {
		t.Error(r.body)
	}
}

func TestReadsSeeWrites(t *testing.T) {
	s := newServer(t, func(d *Deps) { d.Limits.BehindTime = 30 * time.Millisecond })
	s.site("news")
	s.log.holding = true
	s.log.event(t, "news", event.Event{Columns: [event.NumColumns]string{event.ColType: "page_view"}})
	if r := s.want(503, "GET", "/v1/sites/news/ledger", ""); r.json(t)["code"] != "behind" || r.Header.Get("Retry-After") == "" ||
		r.Header.Get("X-Readership-Position") != s.engine.Position().String() {
		t.Error(r.Header, r.body)
	}
	if r := s.want(503, "GET", "/readyz", ""); r.json(t)["code"] != "not_ready" {
		t.Error(r.body)
	}
	s.want(200, "GET", "/healthz", "")
	s.want(200, "GET", "/v1/keys", "") // does not read the engine
	waiting := make(chan answered)
	s.api.Limits.BehindTime = time.Minute
	go func() { waiting <- s.do("GET", "/v1/sites/news/ledger", "") }()
	s.log.release(t)
	r := <-waiting
	if r.json(t)["total"] != 1.0 {
		t.Error(r.body)
	}
	if got, want := r.Header.Get("X-Readership-Position"), s.log.Acked().String(); got != want {
		t.Errorf("position %s, want %s", got, want)
	}

	s.api.Limits.BehindTime = time.Millisecond
	next := event.MakePosition(s.log.Acked().Day(), 0, s.log.Acked().Sequence()+1)
	s.want(503, "GET", "/v1/sites/news", "", "X-Readership-Position: "+next.String())
	s.want(200, "GET", "/v1/sites/news", "", "X-Readership-Position: "+s.log.Acked().String())
	s.want(400, "GET", "/v1/sites/news", "", "X-Readership-Position: yesterday")
}

func TestRequestIDs(t *testing.T) {
	s := newServer(t)
	if got := s.want(200, "GET", "/healthz", "", "X-Request-Id: abc-1.Z_").Header.Get("X-Request-Id"); got != "abc-1.Z_" {
		t.Error(got)
	}
	for _, bad := range []string{"", strings.Repeat("x", 65), "a b", "a\"b"} {
		if got := s.want(200, "GET", "/healthz", "", "X-Request-Id: "+bad).Header.Get("X-Request-Id"); len(got) != 24 {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

func TestFailuresOfTheLog(t *testing.T) {
	s := newServer(t)
	s.site("news")
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{eventlog.ErrDiskFull, 503, "disk_full"}, {eventlog.ErrOverloaded, 503, "overloaded"}, {eventlog.ErrUnavailable, 503, "unavailable"},
		{eventlog.ErrClosed, 503, "shutting_down"}, {eventlog.ErrTooLarge, 413, ""}, {errTest, 500, ""},
	} {
		s.log.fail = fmt.Errorf("commit: %w", c.err)
		for _, op := range [][3]string{{"POST", "/v1/sites", `{"id":"x"}`}, {"PATCH", "/v1/sites/news", `{"name":"x"}`}, {"DELETE", "/v1/sites/news", ""},
			{"PUT", "/v1/sites/news/items/a", `{}`}, {"POST", "/v1/sites/news/items", `[{"id":"a"}]`}} {
			r := s.want(c.status, op[0], op[1], op[2])
			if code, _ := r.json(t)["code"].(string); code != c.code || (c.status == 503) != (r.Header.Get("Retry-After") != "") {
				t.Errorf("%v: %v %s", c.err, r.Header, r.body)
			}
		}
	}
}

func TestIdempotencyKeys(t *testing.T) {
	s := newServer(t)
	s.site("news")
	const key = "Idempotency-Key: 1"
	body := `{"name":"cms","scopes":["query:read"]}`
	first := s.want(201, "POST", "/v1/keys", body, key)
	again := s.want(201, "POST", "/v1/keys", body, key)
	if first.body != again.body || again.Header.Get("Idempotency-Replayed") != "true" || first.Header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%s\n%s", first.body, again.body)
	}
	if first.Header.Get("X-Request-Id") == again.Header.Get("X-Request-Id") {
		t.Error("the request id is replayed")
	}
	if n := strings.Count(s.want(200, "GET", "/v1/keys", "").body, `"id"`); n != 1 {
		t.Errorf("%d keys", n)
	}
	s.want(422, "POST", "/v1/keys", strings.Replace(body, "cms", "x", 1), key)
	s.want(422, "POST", "/v1/sites/news/write-keys", `{}`, key)
	if other := s.want(201, "POST", "/v1/keys", body, key, s.key(nil, "admin:write")); other.body == first.body {
		t.Error("another principal got the answer")
	}
	s.want(422, "POST", "/v1/keys", body, "Idempotency-Key: "+strings.Repeat("x", 256))
	s.want(422, "POST", "/v1/keys", `{}`, "Idempotency-Key: 2")
	s.want(422, "POST", "/v1/keys", `{}`, "Idempotency-Key: 2") // refusals are remembered too

	// A failure is not remembered: the retry may succeed.
	s.log.fail = eventlog.ErrDiskFull
	s.want(503, "POST", "/v1/sites", `{"id":"blog"}`, "Idempotency-Key: 3")
	s.log.fail = nil
	made := s.want(201, "POST", "/v1/sites", `{"id":"blog"}`, "Idempotency-Key: 3")
	again = s.want(201, "POST", "/v1/sites", `{"id":"blog"}`, "Idempotency-Key: 3")
	if made.body != again.body || again.Header.Get("Location") != "/v1/sites/blog" || again.Header.Get("ETag") != made.Header.Get("ETag") {
		t.Errorf("%v\n%s", again.Header, again.body)
	}
	if left := time.Until(s.log.deadline); s.log.deadline.IsZero() || left > claimTime {
		t.Errorf("a request that nobody waits for may go on for %s, its key is claimed for %s", left, claimTime)
	}
	s.sleep(23 * time.Hour)
	s.want(201, "POST", "/v1/sites", `{"id":"blog"}`, "Idempotency-Key: 3")
	s.sleep(2 * time.Hour)
	s.want(409, "POST", "/v1/sites", `{"id":"blog"}`, "Idempotency-Key: 3") // forgotten, done again

	// What is stored does not hold the key that was shown once.
	if r := s.want(201, "POST", "/v1/sites/news/write-keys", `{}`, "Idempotency-Key: 4"); r.Header.Get("X-Readership-Position") == "" {
		t.Error("no position")
	}
}

func TestIdempotentRequestUnderWay(t *testing.T) {
	s := newServer(t)
	s.site("news")
	started, release := make(chan struct{}), make(chan struct{})
	s.api.Committer = &slowLog{s.log, started, release}
	done := make(chan int)
	go func() {
		done <- s.do("POST", "/v1/sites/news/items", `[{"id":"a"}]`, "Idempotency-Key: 1").StatusCode
	}()
	<-started
	if r := s.want(409, "POST", "/v1/sites/news/items", `[{"id":"a"}]`, "Idempotency-Key: 1"); r.json(t)["code"] != "in_progress" {
		t.Error(r.body)
	}
	close(release)
	if got := <-done; got != 200 {
		t.Errorf("the first: %d", got)
	}
}

// slowLog holds a commit until it is released.
type slowLog struct {
	*memoryLog
	started, release chan struct{}
}

func (l *slowLog) CommitFacts(ctx context.Context, facts ...event.Fact) (event.Position, error) {
	close(l.started)
	<-l.release
	return l.memoryLog.CommitFacts(ctx, facts...)
}

// tape is a response writer that can be read while it is written.
type tape struct {
	mu     sync.Mutex
	header http.Header
	text   strings.Builder
}

func (w *tape) Header() http.Header { return w.header }
func (w *tape) WriteHeader(int)     {}
func (w *tape) Flush()              {}
func (w *tape) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *tape) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// listener reads a stream of events in a bubble.
type listener struct {
	t      *testing.T
	cancel context.CancelFunc
	writer *tape
	done   chan struct{}
	read   int
}

func (s *server) listen(t *testing.T, method, target, body string, headers ...string) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+rootKey)
	r.Header.Set("Accept", "text/event-stream")
	for _, h := range headers {
		if name, ok := strings.CutPrefix(h, "-"); ok {
			r.Header.Del(name)
			continue
		}
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	l := &listener{t: t, cancel: cancel, writer: &tape{header: http.Header{}}, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		s.api.ServeHTTP(l.writer, r)
	}()
	synctest.Wait()
	return l
}

// next returns what has come since it was last called: names of events with
// their data, ":" for a comment.
func (l *listener) next() []string {
	synctest.Wait()
	var out []string
	text := l.writer.String()[l.read:]
	l.read += len(text)
	name := ""
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		switch line := lines.Text(); {
		case line == ":":
			out = append(out, ":")
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			out = append(out, name+" "+line[len("data: "):])
		}
	}
	return out
}

func (l *listener) want(what ...string) {
	l.t.Helper()
	if got := l.next(); fmt.Sprint(got) != fmt.Sprint(what) {
		l.t.Fatalf("got %q, want %q", got, what)
	}
}

// ended says whether the stream is over.
func (l *listener) ended() bool {
	synctest.Wait()
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// inBubble runs a test with a clock of its own, on a server with one site.
func inBubble(t *testing.T, test func(*testing.T, *server)) {
	synctest.Test(t, func(t *testing.T) {
		s := newServerAt(t, time.Time{})
		s.site("news")
		test(t, s)
	})
}

func TestQueryStream(t *testing.T) {
	inBubble(t, func(t *testing.T, s *server) {
		var count atomic.Int64
		s.queries.onQuery(func(_ context.Context, q Question) (Result, error) {
			return fixed{q.At, fmt.Sprintf(`{"results":[%d],"meta":{"took_ms":%d}}`, count.Load(), time.Now().UnixMilli())}, nil
		})
		l := s.listen(t, "POST", "/v1/sites/news/query/stream", `{}`)
		first := l.next()
		if len(first) != 1 || !strings.HasPrefix(first[0], `result {"results":[0]`) {
			t.Fatalf("%q", first)
		}
		if !strings.HasPrefix(l.writer.String(), "id: "+s.log.Acked().String()+"\n") || l.writer.Header().Get("Content-Type") != "text/event-stream" {
			t.Errorf("%v %s", l.writer.Header(), l.writer)
		}
		time.Sleep(5 * time.Second)
		l.want() // only the time it took has changed
		count.Store(1)
		time.Sleep(time.Second)
		if got := l.next(); len(got) != 1 || !strings.HasPrefix(got[0], `result {"results":[1]`) {
			t.Fatalf("%q", got)
		}
		for range 10 {
			count.Add(1)
			time.Sleep(100 * time.Millisecond)
		}
		if got := l.next(); len(got) != 1 {
			t.Fatalf("more than one a second: %q", got)
		}
		time.Sleep(8 * time.Second)
		if got := l.next(); len(got) == 0 || got[len(got)-1] != ":" {
			t.Fatalf("after 15 s: %q", got)
		}
		s.queries.onQuery(func(context.Context, Question) (Result, error) { return nil, errTest })
		time.Sleep(2 * time.Second)
		l.want()
		s.queries.onQuery(func(_ context.Context, q Question) (Result, error) {
			return fixed{q.At, `{"results":[99]}`}, nil
		})
		time.Sleep(time.Second)
		l.want(`result {"results":[99]}`)
		l.cancel()
		if !l.ended() {
			t.Error("the stream outlives its reader")
		}
		if n := len(s.api.streams); n != 0 {
			t.Errorf("%d streams are counted", n)
		}
	})
}

func TestLiveStream(t *testing.T) {
	inBubble(t, func(t *testing.T, s *server) {
		read := func(device, item string) {
			s.log.event(t, "news", event.Event{Device: device, Columns: [event.NumColumns]string{event.ColType: "page_view", event.ColItem: item}})
		}
		read("d1", "a")
		a := s.listen(t, "GET", "/v1/sites/news/live", "")
		b := s.listen(t, "GET", "/v1/sites/news/live", "")
		both := func(want string) {
			t.Helper()
			for _, l := range []*listener{a, b} {
				if got := l.next(); len(got) == 0 || !strings.Contains(got[len(got)-1], want) {
					t.Fatalf("%s is not in %q", want, got)
				}
			}
		}
		both(`"readers":1,"idle":0,"page_views":1,"items":[{"item":"a","readers":1,"idle":0}]`)
		read("d2", "b")
		time.Sleep(999 * time.Millisecond)
		both(`"readers":2,"idle":0,"page_views":2`)
		time.Sleep(10 * time.Second)
		a.want()
		b.want()
		time.Sleep(50 * time.Second) // nobody did anything since
		for _, l := range []*listener{a, b} {
			if got := strings.Join(l.next(), ""); strings.Count(got, "result") != 1 || !strings.Contains(got, `"readers":0,"idle":2,"page_views":0`) {
				t.Fatalf("after a minute: %q", got)
			}
		}
		s.api.Drain()
		s.api.Drain()
		if !a.ended() || !b.ended() {
			t.Error("a stream outlives the server")
		}
		s.want(503, "GET", "/v1/sites/news/live", "", "Accept: text/event-stream")
		s.want(200, "GET", "/v1/sites/news/live", "")
		s.want(503, "GET", "/readyz", "")
	})
}

func TestStreamsGoOn(t *testing.T) {
	inBubble(t, func(t *testing.T, s *server) {
		before := s.log.Acked()
		s.site("blog")
		for last, want := range map[string]bool{"": false, before.String(): false, "99999999": true, event.MakePosition(60000, 0, 1).String(): true,
			event.MakePosition(before.Day()-30, 0, 1).String(): false, event.MakePosition(before.Day()-31, 0, 1).String(): true} {
			l := s.listen(t, "POST", "/v1/sites/news/query/stream", `{}`, "Last-Event-ID: "+last)
			got := l.next()
			if (got[0] == "reset {}") != want || !strings.HasPrefix(got[len(got)-1], "result ") {
				t.Errorf("%q: %q", last, got)
			}
			l.cancel()
			l.ended()
		}
	})
}

func TestStreamsEndWithTheRightToThem(t *testing.T) {
	inBubble(t, func(t *testing.T, s *server) {
		s.site("blog")
		s.person("ada@example.org", auth.RoleEditor, nil)
		made := s.want(201, "POST", "/v1/keys", `{"name":"x","scopes":["query:read"]}`).json(t)
		session := s.signIn("ada@example.org")
		ends := func(what string, revoke func(), site string, headers ...string) {
			t.Helper()
			l := s.listen(t, "POST", "/v1/sites/"+site+"/query/stream", `{}`, headers...)
			time.Sleep(time.Minute)
			if l.ended() {
				t.Fatalf("%s: the stream ends too early", what)
			}
			revoke()
			time.Sleep(15 * time.Second)
			if !l.ended() {
				t.Fatalf("%s: the stream goes on", what)
			}
		}
		ends("a deleted key", func() { s.want(204, "DELETE", "/v1/keys/"+made["id"].(string), "") }, "news", "Authorization: Bearer "+made["key"].(string))
		ends("a deleted site", func() { s.want(204, "DELETE", "/v1/sites/blog", "") }, "blog")
		ends("a session that ended", func() { s.want(204, "DELETE", "/v1/sessions/current", "", "-Authorization", session) }, "news", "-Authorization", session)
	})
}

func TestFirstViewStream(t *testing.T) {
	inBubble(t, func(t *testing.T, s *server) {
		l := s.listen(t, "GET", "/v1/sites/news/first-view", "")
		l.want(`result {"seen":false}`)
		time.Sleep(time.Minute)
		l.want(":", ":", ":", ":")
		view := func(page, robot string) {
			s.log.event(t, "news", event.Event{Columns: [event.NumColumns]string{event.ColType: "page_view", event.ColURL: page, event.ColBotClass: robot}})
			time.Sleep(250 * time.Millisecond)
		}
		view("https://news.example/robots", "tool")
		if got := l.next(); len(got) != 1 || !strings.Contains(got[0], `"bot_class":"tool"`) {
			t.Fatalf("%q", got)
		}
		view("https://news.example/a", "")
		if got := l.next(); len(got) != 1 || !strings.Contains(got[0], `"url":"https://news.example/a"`) {
			t.Fatalf("%q", got)
		}
		if !l.ended() {
			t.Error("the stream goes on")
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServerAt(t, time.Time{}, func(d *Deps) { d.Limits.Streams = 1 })
		s.site("news")
		l := s.listen(t, "GET", "/v1/sites/news/live", "")
		r := s.want(503, "GET", "/v1/sites/news/live", "", "Accept: text/event-stream")
		if r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		l.cancel()
		if !l.ended() {
			t.Fatal("the stream goes on")
		}
		s.queries.onQuery(func(context.Context, Question) (Result, error) { return nil, errTest })
		for range 3 {
			s.want(500, "POST", "/v1/sites/news/query/stream", `{}`) // gives its slot back
		}
	})
}

// The bytes go out as they are made, over a real connection, and the deadlines
// of a request do not cut a stream.
func TestStreamOverTheNetwork(t *testing.T) {
	s := newServer(t)
	s.site("news")
	web := httptest.NewUnstartedServer(s.api)
	web.Config.RegisterOnShutdown(s.api.Drain)
	web.Start()
	defer web.Close()
	request, err := http.NewRequestWithContext(t.Context(), "POST", web.URL+"/v1/sites/news/query/stream", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+rootKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() && lines.Text() != "" {
	}
	stopped := make(chan error)
	go func() { stopped <- web.Config.Shutdown(context.Background()) }()
	for lines.Scan() {
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
