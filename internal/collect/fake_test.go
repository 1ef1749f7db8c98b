package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// memory is a committer that keeps events in memory and judges as the real one
// does, as far as answers show it.
type memory struct {
	mu     sync.Mutex
	events []event.Event
	ids    map[string]bool
	counts map[event.Count]uint64
	ready  error
	fail   func(n int) error // of the n-th commit, from 0
	n      int
	after  func(ev *event.Event) (code string)
	keep   bool
}

func (m *memory) Ready() error { return m.ready }

func (m *memory) Acked() event.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return event.MakePosition(20000, 0, uint64(m.n))
}

func (m *memory) Count(site, verdict, reason string, n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count(event.Count{Site: site, Verdict: verdict, Reason: reason}, n)
}

func (m *memory) count(c event.Count, n uint64) {
	if m.counts == nil {
		m.counts = map[event.Count]uint64{}
	}
	c.Site, c.Verdict, c.Reason = strings.Clone(c.Site), strings.Clone(c.Verdict), strings.Clone(c.Reason)
	c.N = 0
	m.counts[c] += n
}

func (m *memory) Submit(sub *eventlog.Submission, done func(error)) error {
	go func() { done(m.Commit(context.Background(), sub)) }()
	return nil
}

func (m *memory) Commit(_ context.Context, s *eventlog.Submission) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Verdicts, s.Done = s.Verdicts[:0], 0
	m.n++
	if m.fail != nil {
		if err := m.fail(m.n - 1); err != nil {
			for range s.Events {
				s.Verdicts = append(s.Verdicts, eventlog.Verdict{})
			}
			return err
		}
	}
	for i := range s.Events {
		ev := &s.Events[i]
		v := eventlog.Verdict{Outcome: eventlog.Stored}
		if m.after != nil {
			if code := m.after(ev); code != "" {
				v = eventlog.Verdict{Outcome: eventlog.Rejected, Code: code, Message: "no"}
				m.count(event.Count{Site: s.Site.ID, Verdict: verdictRejected, Reason: code}, 1)
			}
		}
		if m.keep && v.Outcome == eventlog.Stored {
			if m.ids[ev.ID] {
				v.Outcome = eventlog.Duplicate
			} else {
				m.ids[strings.Clone(ev.ID)] = true
				m.events = append(m.events, clone(ev))
			}
		}
		s.Verdicts = append(s.Verdicts, v)
	}
	for _, c := range s.Refused {
		m.count(c, c.N)
	}
	s.Done = len(s.Events)
	s.Position = event.MakePosition(20000, 0, uint64(m.n))
	return nil
}

// clone copies an event and its texts.
func clone(ev *event.Event) event.Event {
	out := *ev
	out.ID, out.Device, out.View = strings.Clone(ev.ID), strings.Clone(ev.Device), strings.Clone(ev.View)
	for c := range out.Columns {
		out.Columns[c] = strings.Clone(out.Columns[c])
	}
	out.Properties = slices.Clone(ev.Properties)
	for i := range out.Properties {
		p := &out.Properties[i]
		p.Name, p.Value = strings.Clone(p.Name), strings.Clone(p.Value)
	}
	return out
}

type sites map[string]*event.Site

func (s sites) Site(id string) (*event.Site, bool) { site, ok := s[id]; return site, ok }

func (s sites) Sites() (out []*event.Site) {
	for _, site := range s {
		out = append(out, site)
	}
	return out
}

func (s sites) SiteNow(site string, wall int64) int64 {
	if site == "replay" {
		return replayNow
	}
	return wall
}

type items map[string]string

func (i items) ItemByAddress(site, address string) (string, bool) {
	id, ok := i[site+" "+address]
	return id, ok
}

type keys struct {
	write map[string]string
	api   map[string]*auth.Principal
}

func (k keys) WriteKey(key string) (string, bool) { s, ok := k.write[key]; return s, ok }

func (k keys) APIKey(key string) (*auth.Principal, bool) { p, ok := k.api[key]; return p, ok }

type sessions map[string]*auth.Principal

func (s sessions) Check(_ context.Context, token string) (*auth.Principal, error) {
	if p, ok := s[token]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("no such session")
}

// The instant of every test: 2026-03-04T05:06:07.089Z.
const nowMillis = 1772600767089

const replayNow = 1507032000000

// world is a collector with everything around it.
type world struct {
	t      testing.TB
	c      *Collector
	memory *memory
	sites  sites
	now    int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOf(t, Rates{})
}

// newWorldOf makes a world with bounds on how often requests come.
func newWorldOf(t testing.TB, bounds Rates) *world {
	t.Helper()
	w := &world{t: t, now: nowMillis, memory: &memory{ids: map[string]bool{}, keep: true}}
	site := func(s event.Site) *event.Site { s = s.WithDefaults(); return &s }
	w.sites = sites{
		"news": site(event.Site{ID: "news", Domains: []string{"news.example", "Other.example"}, IDParams: []string{"id", "p"},
			TrustedProxies: []string{"10.0.0.0/8"}}),
		"drop":   site(event.Site{ID: "drop", Domains: []string{"news.example"}, Privacy: event.Privacy{WithoutConsent: "drop"}}),
		"assume": site(event.Site{ID: "assume", Domains: []string{"news.example"}, Privacy: event.Privacy{WithoutConsent: "assume"}}),
		"replay": site(event.Site{ID: "replay", Domains: []string{"news.example"}, Clock: event.ClockEvent}),
		"open":   site(event.Site{ID: "open"}),
	}
	k := keys{write: map[string]string{"gone": "gone"}, api: map[string]*auth.Principal{
		"import": {Kind: auth.KindAPI, Scopes: auth.EventsImport},
		"query":  {Kind: auth.KindAPI, Scopes: auth.QueryRead},
		"other":  {Kind: auth.KindAPI, Scopes: auth.EventsImport, Sites: []string{"open"}},
	}}
	for id := range w.sites {
		k.write["w-"+id] = id
	}
	var err error
	w.c, err = New(Config{Sites: w.sites, Items: items{"news news.example/claimed": "a77", "news news.example/alias": "a78"},
		Committer: w.memory, Keys: k, Secret: []byte("a secret of the tests"), SessionCookie: "session",
		Sessions: sessions{"token": {Kind: auth.KindPerson, Scopes: auth.EventsImport}},
		Now:      func() time.Time { return time.UnixMilli(w.now) }, Random: rand.NewChaCha8([32]byte{1}), Rates: bounds})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// headers implements Header.
type headers map[string]string

func (h headers) Get(name string) string { return h[name] }

// call is one request of a test.
type call struct {
	method, path, query string
	headers             headers
	body                string
	reader              io.Reader // instead of body
	remote              string
	tls                 bool
}

// answer is what came of it.
type answer struct {
	Response
	verdict struct {
		Accepted      *int             `json:"accepted"`
		Duplicates    *int             `json:"duplicates"`
		Rejected      []map[string]any `json:"rejected"`
		RejectedTotal int              `json:"rejected_total"`
		NoConsent     int              `json:"no_consent"`
		Cut           []map[string]any `json:"cut"`
		Events        []map[string]any `json:"events"`
		Title         string           `json:"title"`
		Status        int              `json:"status"`
		Detail        string           `json:"detail"`
		Code          string           `json:"code"`
		Errors        []struct {
			Location, Code, Message string
			Value                   any
		} `json:"errors"`
	}
}

func (w *world) do(c call) *answer {
	w.t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.path == "" {
		c.path = PathEvents
	}
	if c.headers == nil {
		c.headers = headers{}
	}
	if c.remote == "" {
		c.remote = "192.0.2.7"
	}
	q := &Request{Method: c.method, Path: c.path, Query: c.query, Header: c.headers, Host: "collect.example",
		Remote: netip.MustParseAddr(c.remote), TLS: c.tls, Length: int64(len(c.body)), Body: strings.NewReader(c.body)}
	if c.reader != nil {
		q.Body, q.Length = c.reader, -1
	}
	a := &answer{}
	w.c.Collect(w.t.Context(), q, &a.Response)
	if strings.Contains(a.ContentType, "json") {
		if err := json.Unmarshal(a.Body, &a.verdict); err != nil {
			w.t.Fatalf("answer %s: %v", a.Body, err)
		}
	}
	return a
}

// send posts a body with the write key of the site news.
func (w *world) send(body string) *answer {
	w.t.Helper()
	return w.do(call{query: "key=w-news", body: body})
}

// imports posts a body with an API key to a site.
func (w *world) imports(site, body string) *answer {
	w.t.Helper()
	return w.do(call{query: "site=" + site, headers: headers{"Authorization": "Bearer import", "Content-Type": "application/x-ndjson"}, body: body})
}

// stored returns the only event that was stored, and forgets it.
func (w *world) stored() event.Event {
	w.t.Helper()
	if len(w.memory.events) != 1 {
		w.t.Fatalf("%d events are stored", len(w.memory.events))
	}
	ev := w.memory.events[0]
	w.memory.events = nil
	return ev
}

// count returns a line of the ledger.
func (w *world) count(site, verdict, reason string) uint64 {
	return w.memory.counts[event.Count{Site: site, Verdict: verdict, Reason: reason}]
}

// typical is a line of an import.
func typical(i int) string {
	return fmt.Sprintf(`{"id":"%016x","type":"page_view","time":%d,"device":"%d","item":"a%d","properties":{"environment":"4","group":"1","os":"17","country":"1","region":"25","referrer_type":"2"}}`,
		i*7919, 1507032000000+i, i%200000, i%5000)
}

func typicalLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		b.WriteString(typical(i))
		b.WriteByte('\n')
	}
	return b.Bytes()
}
