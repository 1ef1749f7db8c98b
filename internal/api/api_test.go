package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/access/ask"
	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/auth/credentials"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/edge/script"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/openapitest"
	"github.com/readership/readership/internal/program"
	"github.com/readership/readership/internal/segment"
	"github.com/readership/readership/internal/store"
	"github.com/readership/readership/internal/store/sqlite"
)

// written is the description that every answer is held beside.
var written = sync.OnceValues(func() (*openapitest.Description, error) { return openapitest.Load(golden) })

const rootKey = "root-key-for-tests"

var testSecret = []byte("a secret of the tests, 32 bytes and more")

// memoryLog is a committer whose log is the engine's memory: it acknowledges
// and applies in one go, or holds messages back until release.
type memoryLog struct {
	mu       sync.Mutex
	engine   *engine.Engine
	encoder  event.Encoder
	now      func() time.Time
	sequence uint64
	acked    event.Position
	fail     error
	held     [][]byte
	holding  bool
	deadline time.Time // of the caller of CommitFacts; zero: it has none
}

func (l *memoryLog) CommitFacts(ctx context.Context, facts ...event.Fact) (event.Position, error) {
	l.deadline, _ = ctx.Deadline()
	return l.commit(func(e *event.Encoder) {
		for _, f := range facts {
			e.AddFact(f)
		}
	})
}

func (l *memoryLog) commit(fill func(*event.Encoder)) (event.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return 0, l.fail
	}
	l.encoder.Reset(l.now().UnixMilli())
	fill(&l.encoder)
	l.sequence++
	l.acked = event.MakePosition(int(l.now().Unix()/86400), 0, l.sequence)
	message := l.encoder.AppendTo(nil)
	if l.holding {
		l.held = append(l.held, message)
		return l.acked, nil
	}
	return l.acked, l.engine.Apply(l.acked, message)
}

// Submit implements access.Committer and, as the methods that follow,
// collect.Committer: every event is new.
func (l *memoryLog) Submit(s *eventlog.Submission, done func(error)) error {
	err := l.Commit(context.Background(), s)
	done(err)
	return nil
}

func (l *memoryLog) Commit(_ context.Context, s *eventlog.Submission) (err error) {
	s.Position, err = l.commit(func(e *event.Encoder) {
		for i := range s.Events {
			e.Add(s.Site.ID, &s.Events[i], uint64(i), 0)
		}
	})
	s.Verdicts = make([]eventlog.Verdict, len(s.Events))
	for i := range s.Verdicts {
		s.Verdicts[i].Outcome = eventlog.Stored
	}
	return err
}

func (l *memoryLog) Ready() error                   { return nil }
func (l *memoryLog) Count(_, _, _ string, _ uint64) {}

func (l *memoryLog) Acked() event.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked
}

// event stores an event of a site.
func (l *memoryLog) event(t testing.TB, site string, ev event.Event) {
	t.Helper()
	if ev.Device == "" {
		ev.Device = "d1"
	}
	if ev.Time == 0 {
		ev.Time = l.now().UnixMilli()
	}
	if _, err := l.commit(func(e *event.Encoder) {
		e.Add(site, &ev, uint64(len(ev.ID)), uint64(len(ev.View))) // as if hashed
		e.AddCount(event.Count{Site: site, Verdict: "stored", N: 1})
	}); err != nil {
		t.Fatal(err)
	}
}

// release applies what was held back.
func (l *memoryLog) release(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, message := range l.held {
		position := event.MakePosition(l.acked.Day(), 0, l.sequence-uint64(len(l.held)-1-i))
		if err := l.engine.Apply(position, message); err != nil {
			t.Fatal(err)
		}
	}
	l.held, l.holding = nil, false
}

// scripted answers queries as a test wants.
type scripted struct {
	mu    sync.Mutex
	query func(context.Context, Question) (Result, error)

	forgotten []string // sites
}

// onQuery replaces the answers.
func (s *scripted) onQuery(f func(context.Context, Question) (Result, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.query = f
}

func (s *scripted) Query(ctx context.Context, q Question) (Result, error) {
	s.mu.Lock()
	f := s.query
	s.mu.Unlock()
	return f(ctx, q)
}

func (s *scripted) Forget(site string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten = append(s.forgotten, site)
}

// fixed is a result with given texts.
type fixed struct {
	at   event.Position
	json string
}

func (f fixed) Position() event.Position { return f.at }
func (f fixed) WriteJSON(w io.Writer) error {
	_, err := io.WriteString(w, f.json)
	return err
}
func (f fixed) WriteCSV(w io.Writer) error {
	_, err := io.WriteString(w, "page_views\r\n1\r\n")
	return err
}
func (f fixed) WriteNDJSON(w io.Writer) error {
	_, err := io.WriteString(w, "{\"page_views\":1}\n")
	return err
}

// server is the interface under test on real parts.
type server struct {
	t       testing.TB
	api     *API
	engine  *engine.Engine
	log     *memoryLog
	store   store.Store
	keys    *credentials.Keys
	queries *scripted

	described *openapitest.Description

	mu  sync.Mutex
	now time.Time // zero: time.Now, for tests in a bubble
}

func (s *server) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.IsZero() {
		return time.Now()
	}
	return s.now
}

func (s *server) sleep(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// facts are those of a server's engine, once it is open.
type facts struct{ *server }

func (f facts) Fact(kind, site, key string) ([]byte, bool) { return f.engine.Fact(kind, site, key) }

func newServer(t testing.TB, change ...func(*Deps)) *server {
	t.Helper()
	return newServerAt(t, time.Date(2026, 3, 1, 7, 30, 0, 0, time.UTC), change...)
}

func newServerAt(t testing.TB, now time.Time, change ...func(*Deps)) *server {
	t.Helper()
	s := &server{t: t, now: now}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	programs := program.New(facts{s})
	decider := access.NewDecider(programs)
	s.engine, err = engine.Open(engine.Config{Shards: 2, Decide: func(int) engine.Decider { return decider }, Prepare: decider})
	must(err)
	t.Cleanup(func() { must(s.engine.Close()) })
	s.log = &memoryLog{engine: s.engine, now: s.clock}
	db, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "app.db"))
	must(err)
	t.Cleanup(func() { must(db.Close()) })
	s.store = db
	s.keys, err = credentials.OpenKeys(context.Background(), db, rootKey, s.clock, rand.Reader)
	must(err)
	hasher, err := auth.NewTestHasher(rand.Reader)
	must(err)
	s.queries = &scripted{
		query: func(_ context.Context, q Question) (Result, error) {
			return fixed{q.At, `{"results":[],"meta":{}}`}, nil
		},
	}
	segments := segment.New(segment.Config{Engine: s.engine, Programs: programs})
	t.Cleanup(func() { must(segments.Close()) })
	must(segments.Start(context.Background()))
	collector, err := collect.New(collect.Config{Sites: s.engine, Items: s.engine, Committer: s.log, Keys: s.keys, Logins: s.engine, Secret: testSecret, Now: s.clock})
	must(err)
	d := Deps{
		Decisions: &ask.Front{Service: access.New(access.Config{Engine: s.engine, Committer: s.log, Programs: programs, Decider: decider,
			IDs: identity.NewDecisions(testSecret), Now: s.clock, Random: rand.Reader}), Visitors: collector, Links: identity.NewLinks(testSecret),
			Sessions: identity.NewSessions(testSecret), Profiles: s.engine.Profiles},
		Engine: s.engine, Committer: s.log, Store: db, Keys: s.keys, Hasher: hasher,
		Sessions: credentials.NewSessions(db, hasher, s.clock, rand.Reader), Queries: s.queries, Programs: programs, Segments: segments, Devices: identity.NewDevices(testSecret), Links: identity.NewLinks(testSecret), Quarantine: quarantined{},
		Collect: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
		Auth:    http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
		Tracker: script.New(fstest.MapFS{"rs.js": {Data: []byte("1")}}, script.DefaultName),
		Assets:  fstest.MapFS{"index.html": {Data: []byte("<title>Readership</title>")}, "assets/app-1a2b.js": {Data: []byte("1")}, "favicon.svg": {Data: []byte("<svg/>")}},
		Now:     s.clock, Version: "test",
	}
	for _, c := range change {
		c(&d)
	}
	s.described, err = written()
	must(err)
	s.api = New(d)
	t.Cleanup(s.api.Close)
	return s
}

// reply is an answer, read whole.
type answered struct {
	*http.Response
	body string
}

// json decodes the body into a map.
func (r answered) json(t testing.TB) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(r.body), &out); err != nil {
		t.Fatalf("%v in %q", err, r.body)
	}
	return out
}

// codes lists "location code" of the faults of a problem.
func (r answered) codes(t testing.TB) []string {
	t.Helper()
	var p struct {
		Errors []struct{ Location, Code string }
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("%v in %q", err, r.body)
	}
	out := []string{}
	for _, e := range p.Errors {
		out = append(out, e.Location+" "+e.Code)
	}
	return out
}

// do sends a request with the root key unless headers say otherwise. Headers
// come as "Name: value"; "-Name" removes one.
func (s *server) do(method, target, body string, headers ...string) answered {
	s.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+rootKey)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		if name, ok := strings.CutPrefix(h, "-"); ok {
			r.Header.Del(name)
			continue
		}
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	raw, err := io.ReadAll(w.Result().Body)
	if err != nil {
		s.t.Fatal(err)
	}
	// Questions are answered by script here.
	if operation, err := s.described.Check(r, w.Code, w.Result().Header, raw); err != nil && operation != "query" {
		s.t.Error(err)
	}
	return answered{w.Result(), string(raw)}
}

// want sends a request and checks the status.
func (s *server) want(status int, method, target, body string, headers ...string) answered {
	s.t.Helper()
	r := s.do(method, target, body, headers...)
	if r.StatusCode != status {
		s.t.Fatalf("%s %s: status %d, want %d\n%s", method, target, r.StatusCode, status, r.body)
	}
	if status >= 400 && r.Header.Get("Content-Type") != "application/problem+json" && method != http.MethodHead {
		s.t.Fatalf("%s %s: an error of type %s", method, target, r.Header.Get("Content-Type"))
	}
	if r.Header.Get("X-Request-Id") == "" || r.Header.Get("X-Readership-Position") == "" {
		s.t.Fatalf("%s %s: headers %v", method, target, r.Header)
	}
	return r
}

// site creates a site and returns its write key.
func (s *server) site(id string) string {
	s.t.Helper()
	r := s.want(201, "POST", "/v1/sites", `{"id":"`+id+`","domains":["`+id+`.example"]}`)
	return r.json(s.t)["write_key"].(string)
}

// key creates an API key.
func (s *server) key(sites []string, scopes ...string) string {
	s.t.Helper()
	_, secret, err := s.keys.CreateKey(context.Background(), "test", scopes, sites)
	if err != nil {
		s.t.Fatal(err)
	}
	return "Authorization: Bearer " + secret
}

var errTest = errors.New("test")

func compact(t testing.TB, text string) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(text)); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return out.String()
}

// setupToken makes the token of the first run.
func (s *server) setupToken(t *testing.T) string {
	t.Helper()
	token, err := credentials.NewSetupToken(t.Context(), s.store, s.clock, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func operationID(op *huma.Operation) string {
	if op == nil {
		return ""
	}
	return op.OperationID
}
