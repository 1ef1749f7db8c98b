package collect

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/eventlog"
)

// TestStartIsCollect sends the same requests through both: answers, stored
// events and ledger are the same.
func TestStartIsCollect(t *testing.T) {
	events := rapid.SampledFrom([]string{`{"type":"a","id":"1"}`, `{"type":"b","id":"2","device":"d","url":"https://news.example/x?utm_source=y"}`, `{}`, `{"type":1}`,
		`{"type":"c","id":"3","title":"` + strings.Repeat("x", 600) + `"}`, `7`, `{"type":"f","id":"4","consent":{"analytics":true}}`, `{"type":`, "\xff"})
	queries := rapid.SampledFrom([]string{"key=w-news", "key=w-drop", "key=w-assume", "key=import&site=news", "key=w-news&debug=1", "key=no", "key=w-news&sent_at=x"})
	types := rapid.SampledFrom([]string{"", "application/json", "text/plain", "application/x-ndjson", "image/png"})
	faults := rapid.SampledFrom([]error{nil, nil, nil, eventlog.ErrDiskFull, errors.New("broken")})
	rapid.Check(t, func(t *rapid.T) {
		one, other := newWorld(&quietTB{}), newWorld(&quietTB{})
		for range rapid.IntRange(1, 6).Draw(t, "requests") {
			body := strings.Join(rapid.SliceOfN(events, 0, 5).Draw(t, "events"), rapid.SampledFrom([]string{",", "\n"}).Draw(t, "between"))
			if rapid.Bool().Draw(t, "array") {
				body = "[" + body + "]"
			}
			h := headers{"Content-Type": types.Draw(t, "type"), "Origin": rapid.SampledFrom([]string{"", "https://news.example"}).Draw(t, "origin")}
			path, method := PathEvents, http.MethodPost
			query := queries.Draw(t, "query")
			if rapid.IntRange(0, 4).Draw(t, "path") == 0 {
				path, method, body = PathPixel, http.MethodGet, ""
				query += "&type=a&id=5"
			}
			fault := faults.Draw(t, "fault")
			for _, w := range []*world{one, other} {
				w.memory.fail = func(int) error { return fault }
			}
			request := func() *Request {
				return &Request{Method: method, Path: path, Query: query, Header: h, Host: "x", Remote: netip.MustParseAddr("192.0.2.7"), Length: int64(len(body))}
			}
			var want, got Response
			q := request()
			q.Body = strings.NewReader(body)
			one.c.Collect(t.Context(), q, &want)
			q = request()
			q.Whole = []byte(body)
			other.begin(q, &got)
			if d := cmp.Diff(settled(want.Status, want.ContentType, want.Headers, want.Position, want.Close, string(want.Body)),
				settled(got.Status, got.ContentType, got.Headers, got.Position, got.Close, string(got.Body))); d != "" {
				t.Fatalf("%s %s?%s %q: %s", method, path, query, body, d)
			}
			clear(q.Whole) // it is the caller's again
		}
		if d := cmp.Diff(settled(one.memory.events, one.memory.counts), settled(other.memory.events, other.memory.counts)); d != "" {
			t.Fatal(d)
		}
	})
}

// random are the ids and devices that the collector makes.
var random = regexp.MustCompile(`[A-Za-z0-9_-]{22}(\.[A-Za-z0-9_-]{22})?`)

// settled writes values without what is random in them.
func settled(values ...any) string {
	return random.ReplaceAllString(fmt.Sprintf("%+v", values), "RANDOM")
}

// begin sends a request through Start and waits for its end.
func (w *world) begin(q *Request, out *Response) {
	ended := make(chan struct{})
	pending, stage := w.c.Start(q, out, func() { close(ended) })
	if stage == Admitted {
		stage = pending.Work()
	}
	if stage == Waiting {
		<-ended
		pending.Finish()
	}
}

// TestStartDoesNotWait goes on while the commit is being written.
func TestStartDoesNotWait(t *testing.T) {
	w := newWorld(t)
	held := &held{memory: w.memory}
	w.c.committer = held
	var out [2]Response
	var pending [2]Pending
	for i := range pending {
		body := fmt.Sprintf(`{"type":"a","id":"%d"}`, i)
		q := &Request{Method: http.MethodPost, Path: PathEvents, Query: "key=w-news", Header: headers{}, Whole: []byte(body), Length: int64(len(body))}
		var stage Stage
		if pending[i], stage = w.c.Start(q, &out[i], func() {}); stage != Admitted {
			t.Fatalf("%d: %d %s", i, out[i].Status, out[i].Body)
		}
	}
	for i := range pending {
		if stage := pending[i].Work(); stage != Waiting {
			t.Fatalf("%d: %d %s", i, out[i].Status, out[i].Body)
		}
	}
	for i := 1; i >= 0; i-- { // in any order
		held.done[i](held.memory.Commit(t.Context(), held.subs[i]))
		pending[i].Finish()
		if out[i].Status != 200 || out[i].Position == 0 {
			t.Errorf("%d: %d %s", i, out[i].Status, out[i].Body)
		}
	}
	if w.c.active.Load() != 0 {
		t.Errorf("%d bytes are still in hand", w.c.active.Load())
	}
}

// held is a committer that ends commits when the test says so.
type held struct {
	*memory
	subs []*eventlog.Submission
	done []func(error)
}

func (h *held) Submit(s *eventlog.Submission, done func(error)) error {
	h.subs, h.done = append(h.subs, s), append(h.done, done)
	return nil
}

var _ Committer = (*held)(nil)

// TestStartPanics gives back what a request held that came to grief.
func TestStartPanics(t *testing.T) {
	w := newWorld(t)
	w.c.committer = broken{w.memory}
	body := `{"type":"a"}`
	var out Response
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the committer did not panic")
			}
		}()
		pending, _ := w.c.Start(&Request{Method: http.MethodPost, Path: PathEvents, Query: "key=w-news", Header: headers{}, Whole: []byte(body), Length: int64(len(body))}, &out, func() {})
		pending.Work()
	}()
	if n := w.c.active.Load(); n != 0 {
		t.Errorf("%d bytes are still in hand", n)
	}
}

// TestAdmittedIsDropped gives back the place of a request whose sender has gone.
func TestAdmittedIsDropped(t *testing.T) {
	w := newWorld(t)
	body := `{"type":"a"}`
	var out Response
	pending, stage := w.c.Start(&Request{Method: http.MethodPost, Path: PathEvents, Query: "key=w-news", Header: headers{}, Whole: []byte(body), Length: int64(len(body))}, &out, func() {})
	if stage != Admitted || w.c.active.Load() == 0 {
		t.Fatalf("stage %d, %d bytes in hand: want it admitted", stage, w.c.active.Load())
	}
	pending.Drop()
	if n := w.c.active.Load(); n != 0 || len(w.memory.events) != 0 {
		t.Errorf("%d bytes are still in hand, %d events stored", n, len(w.memory.events))
	}
}

type broken struct{ *memory }

func (broken) Submit(*eventlog.Submission, func(error)) error { panic("as asked") }
