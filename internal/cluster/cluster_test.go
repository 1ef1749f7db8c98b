package cluster

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/natstest"
	"github.com/readership/readership/internal/problem"
)

func connect(t *testing.T, s *natstest.Server) *Conn {
	t.Helper()
	c, err := Connect(t.Context(), Address{URL: s.URL}, t.Name(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestParseAddress(t *testing.T) {
	a, err := ParseAddress("nats://me:secret@a:4222,tls://b:4222?replicas=3&creds=/etc/creds")
	if err != nil || a.URL != "nats://me:secret@a:4222,tls://b:4222" || a.Replicas != 3 || len(a.Options) != 1 {
		t.Errorf("%+v %v", a, err)
	}
	for _, bad := range []string{"", "?replicas=1", "a:4222", "nats://a?replicas=0", "nats://a?color=red"} {
		if _, err := ParseAddress(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestAsker(t *testing.T) {
	server := natstest.Start(t)
	edge, engine := connect(t, server), connect(t, server)
	asker, err := edge.NewAsker()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(limit time.Duration) (string, error) {
		type end struct {
			answer string
			err    error
		}
		ended := make(chan end, 1)
		asker.Ask(limit, []byte("who"), func(answer []byte, err error) { ended <- end{string(answer), err} })
		e := <-ended
		return e.answer, e.err
	}
	if _, err := ask(time.Minute); !errors.Is(err, ErrAway) || asker.Away() {
		t.Fatalf("nobody is there: %v", err)
	}
	hang := make(chan chan struct{}, 1)
	stop, err := engine.Answer(func(q []byte, reply func([]byte)) {
		select {
		case until := <-hang:
			<-until
		default:
		}
		reply(append(q, " is there"...))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if answer, err := ask(time.Minute); err != nil || answer != "who is there" {
		t.Fatalf("%q %v", answer, err)
	}
	// One that hangs: after some questions without an answer the others do not wait.
	until := make(chan struct{})
	hang <- until
	for range silentAfter {
		if _, err := ask(time.Millisecond); !errors.Is(err, ErrAway) {
			t.Fatal(err)
		}
	}
	if !asker.Away() {
		t.Fatal("nobody noticed")
	}
	for range 2 * silentAfter { // this test would not end if they waited
		if _, err := ask(time.Hour); !errors.Is(err, ErrAway) {
			t.Fatal(err)
		}
	}
	// It goes on: the asker finds out by itself, no question has to wait for that.
	close(until)
	for asker.Away() {
		runtime.Gosched()
	}
	if answer, err := ask(time.Minute); err != nil || answer != "who is there" {
		t.Fatalf("it is back: %q %v", answer, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// edgeLog is a committer in memory.
type edgeLog struct {
	acked event.Position
	facts []event.Fact
	count chan event.Count
}

func (l *edgeLog) Count(site, verdict, reason string, n uint64) {
	l.count <- event.Count{Site: site, Verdict: verdict, Reason: reason, N: n}
}

func (l *edgeLog) Acked() event.Position { return l.acked }

func (l *edgeLog) Commit(_ context.Context, s *eventlog.Submission) error {
	if s.Events[0].ID == "full" {
		return eventlog.ErrDiskFull
	}
	l.acked++
	s.Verdicts, s.Done, s.Position = []eventlog.Verdict{{Outcome: eventlog.Stored}}, 1, l.acked
	return nil
}

func (l *edgeLog) CommitFacts(_ context.Context, facts ...event.Fact) (event.Position, error) {
	l.acked++
	l.facts = append(l.facts, facts...)
	return l.acked, nil
}

func (l *edgeLog) CommitRead(ctx context.Context, read func() (event.Fact, bool, error)) (event.Position, error) {
	f, ok, err := read()
	if err != nil || !ok {
		return 0, err
	}
	return l.CommitFacts(ctx, f)
}

func TestWriter(t *testing.T) {
	server := natstest.Start(t)
	edge, engine := connect(t, server), connect(t, server)
	var saw atomic.Uint64
	w, err := engine.NewWriter(func(context.Context, event.Position) error { return nil }, func(p event.Position) { saw.Store(uint64(p)) })
	if err != nil {
		t.Fatal(err)
	}
	site := &event.Site{ID: "news"}
	single := func(id string) *eventlog.Submission {
		return &eventlog.Submission{Site: site, Events: []event.Event{{ID: id, Device: "d"}}}
	}
	if _, err := w.CommitFacts(t.Context(), event.Fact{Kind: "x"}); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("without an edge: %v", err)
	}
	if _, err := w.CommitRead(t.Context(), nil); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("without an edge: %v", err)
	}
	if err := edge.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := &edgeLog{count: make(chan event.Count, 1)}
	dropped := 0
	stop, err := edge.ServeWriter(&Log{Committer: log, Name: "the edge", Drop: func(day int) error { dropped = day; return nil },
		Site: func(id string) (*event.Site, bool) { return site, id == site.ID }})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Claim(t.Context()); err == nil || !strings.Contains(err.Error(), "the edge") {
		t.Errorf("a second writer: %v", err)
	}
	s := single("1")
	if err := w.Commit(t.Context(), s); err != nil || s.Done != 1 || s.Position != 1 || s.Verdicts[0].Outcome != eventlog.Stored {
		t.Errorf("%+v %v", s, err)
	}
	if s = single("full"); !errors.Is(w.Commit(t.Context(), s), eventlog.ErrDiskFull) || len(s.Verdicts) != 1 {
		t.Errorf("%+v", s)
	}
	w.Count("news", "refused", "key_rate", 3) // takes no message of its own
	if got := <-log.count; got != (event.Count{Site: "news", Verdict: "refused", Reason: "key_rate", N: 3}) || log.acked != 1 {
		t.Errorf("%+v, %d messages", got, log.acked)
	}
	if p, err := w.CommitFacts(t.Context(), event.Fact{Kind: "item", Key: "a"}); err != nil || p != 2 || w.Acked() != 2 || saw.Load() != 2 {
		t.Errorf("%s %s %v", p, w.Acked(), err)
	}
	if p, err := w.CommitRead(t.Context(), func() (event.Fact, bool, error) { return event.Fact{Kind: "burns", Value: []byte("b")}, true, nil }); err != nil || p != 3 {
		t.Errorf("%s %v", p, err)
	}
	failed := errors.New("it cannot be read")
	if _, err := w.CommitRead(t.Context(), func() (event.Fact, bool, error) { return event.Fact{}, false, failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if len(log.facts) != 2 || log.facts[1].Kind != "burns" || string(log.facts[1].Value) != "b" {
		t.Errorf("%+v", log.facts)
	}
	if err := w.DropBefore(20412); err != nil || dropped != 20412 {
		t.Error(dropped, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// TestNoCountIsLost: what is counted while there is no edge, or while every submission
// that may be on its way is, comes to the ledger.
func TestNoCountIsLost(t *testing.T) {
	server := natstest.Start(t)
	edge, engine := connect(t, server), connect(t, server)
	w, err := engine.NewWriter(func(context.Context, event.Position) error { return nil }, func(event.Position) {})
	if err != nil {
		t.Fatal(err)
	}
	for range maxWriting {
		if err := w.enter(); err != nil {
			t.Fatal(err)
		}
	}
	const each = 500
	count := func() {
		for i := range uint64(each) {
			w.Count("news", "refused", "key_rate", 1)
			w.Count([]string{"news", "sport"}[i%2], "refused", "overloaded", 2)
		}
	}
	count()
	log := &edgeLog{count: make(chan event.Count, 4*each)}
	stop, err := edge.ServeWriter(&Log{Committer: log, Name: "the edge", Site: func(id string) (*event.Site, bool) { return &event.Site{ID: id}, true }})
	if err != nil {
		t.Fatal(err)
	}
	count()
	got := map[event.Count]uint64{}
	for left := uint64(2 * each * 3); left > 0; {
		n := <-log.count
		left -= n.N
		got[event.Count{Site: n.Site, Verdict: n.Verdict, Reason: n.Reason}] += n.N
	}
	want := map[event.Count]uint64{{Site: "news", Verdict: "refused", Reason: "key_rate"}: 2 * each,
		{Site: "news", Verdict: "refused", Reason: "overloaded"}: 2 * each, {Site: "sport", Verdict: "refused", Reason: "overloaded"}: 2 * each}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, err := w.CommitRead(t.Context(), func() (event.Fact, bool, error) { panic("a bug") }); err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("a read that panics: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestForwarder(t *testing.T) {
	server := natstest.Start(t)
	edge, engine := connect(t, server), connect(t, server)
	front := httptest.NewServer(edge.NewForwarder(func() event.Position { return event.MakePosition(20412, 0, 7) }))
	defer front.Close()
	get := func() (int, string, http.Header) {
		t.Helper()
		client := http.Client{Timeout: time.Minute}
		res, err := client.Get(front.URL + "/v1/sites/news/readers/device:a%2Fb/segments?at=5")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body), res.Header
	}
	if status, body, header := get(); status != 503 || header.Get("Retry-After") == "" || !strings.Contains(body, "engine_away") {
		t.Fatal(status, body)
	}
	var long, fails atomic.Int64
	stop, err := engine.ServeHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fails.Load() > 0 {
			panic(http.ErrAbortHandler)
		}
		switch long.Load() {
		case 1: // than is kept
			for range forwardAnswer>>20 + 1 {
				_, _ = w.Write(make([]byte, 1<<20))
			}
			return
		case 2: // than the nats-server takes
			w.Header().Set("X-Long", strings.Repeat("x", 9<<20))
			return
		}
		w.Header().Set("X-Seen", r.URL.EscapedPath()+" "+r.URL.RawQuery+" "+r.Header.Get(headerPosition))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, r.RemoteAddr)
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	status, body, header := get()
	if status != http.StatusTeapot || !strings.HasPrefix(body, "127.0.0.1:") || header.Get("X-Seen") != "/v1/sites/news/readers/device:a%2Fb/segments at=5 20412-0-7" {
		t.Fatal(status, body, header)
	}
	// What cannot be passed on whole is an error, and what fails ends no process.
	for _, n := range []int64{1, 2} {
		long.Store(n)
		if status, body, header := get(); status != 500 || !strings.Contains(body, "too_large") || header.Get("Content-Type") != problem.ContentType {
			t.Errorf("%d: %d, %d bytes, %v", n, status, len(body), header)
		}
	}
	fails.Store(1)
	if status, body, _ := get(); status != 500 || !strings.Contains(body, "internal") {
		t.Error(status, body)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestLaidOut(t *testing.T) {
	server := natstest.Start(t)
	edge, engine := connect(t, server), connect(t, server)
	if err := engine.Put(t.Context(), "keys", []byte("1")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string, 10)
	ended := make(chan error, 1)
	go func() { ended <- edge.Watch(ctx, "keys", func(value []byte) { got <- string(value) }) }()
	for _, want := range []string{"1", "2"} {
		if value := <-got; value != want {
			t.Errorf("%q, want %q", value, want)
		}
		if err := engine.Put(t.Context(), "keys", []byte("2")); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
