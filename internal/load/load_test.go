package load

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHistogramAgreesWithSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(math.Exp(rapid.Float64Range(0, 30).Draw(t, "exponent")))
		}), 1, 300).Draw(t, "values")
		var a, b Histogram
		for i, v := range values {
			if i%2 == 0 {
				a.Record(v)
			} else {
				b.Record(v)
			}
		}
		a.Add(&b)
		slices.Sort(values)
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
			want := values[max(0, int(math.Ceil(q*float64(len(values))))-1)]
			if got := a.Quantile(q); got < want || float64(got) > float64(want)*1.01+1 {
				t.Fatalf("quantile %g of %v: got %d, want %d", q, values, got, want)
			}
		}
		if a.Max() != values[len(values)-1] || a.Count() != uint64(len(values)) {
			t.Fatalf("max %d, count %d", a.Max(), a.Count())
		}
	})
}

func TestTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run, conn := rapid.Uint32().Draw(t, "run"), rapid.Uint16().Draw(t, "conn")
		number := rapid.Uint64Range(0, 1<<48-1).Draw(t, "number")
		var text [tokenLen]byte
		writeToken(text[:], run, conn, number)
		r, c, n, ok := readToken(text[:])
		if !ok || r != run || c != conn || n != number {
			t.Fatalf("%s read as %x %x %x", text, r, c, n)
		}
	})
}

// sink is a server that keeps the events it acknowledged.
type sink struct {
	mu     sync.Mutex
	rows   bytes.Buffer
	ids    map[string]bool
	views  map[string]bool
	orphan int
	before func(request int) int // status to answer instead, 0: none
	n      int
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if body[0] != '[' {
		body = append(append([]byte("["), body...), ']')
	}
	var events []map[string]any
	if err := json.Unmarshal(body, &events); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.n++
	n := s.n
	s.mu.Unlock()
	if s.before != nil {
		if status := s.before(n); status != 0 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(status)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	receipt := struct {
		Accepted   int `json:"accepted"`
		Duplicates int `json:"duplicates"`
	}{}
	for _, e := range events {
		id := e["id"].(string)
		if s.ids[id] {
			receipt.Duplicates++
			continue
		}
		s.ids[id] = true
		receipt.Accepted++
		if view, ok := e["view"].(string); ok {
			if e["type"] == "engagement" && !s.views[view] {
				s.orphan++
			}
			s.views[view] = true
		}
		row, _ := json.Marshal(e)
		s.rows.Write(append(row, '\n'))
	}
	_ = json.NewEncoder(w).Encode(receipt)
}

func offer(t *testing.T, s *sink, o Options) *Report {
	t.Helper()
	s.ids, s.views = make(map[string]bool), make(map[string]bool)
	web := httptest.NewServer(s)
	defer web.Close()
	o.Server, o.Now = web.URL, time.Now
	if o.Mix.Devices == 0 {
		o.Mix = DefaultMix()
	}
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRunOffersItsRate(t *testing.T) {
	s := &sink{}
	r := offer(t, s, Options{Steps: []Step{{500, 200 * time.Millisecond}, {1000, 200 * time.Millisecond}}, Connections: 8, Pipeline: 4, Batch: 5, Seed: 7})
	if len(r.Steps) != 2 {
		t.Fatalf("%d steps", len(r.Steps))
	}
	for i, want := range []uint64{100, 200} {
		step := r.Steps[i]
		if step.Sent+step.Unsent != want || step.Latency.Count != step.Sent || step.Accepted != 5*step.Sent {
			t.Errorf("step %d: %+v", i, step)
		}
	}
	if s.orphan != 0 {
		t.Errorf("%d engagements without a view", s.orphan)
	}
	var text bytes.Buffer
	if err := r.Text(&text); err != nil || !strings.Contains(text.String(), "8 connections, 5 events a request, seed 7") {
		t.Errorf("%v %s", err, text.String())
	}
}

func TestRunAsFastAsPossible(t *testing.T) {
	s := &sink{}
	r := offer(t, s, Options{Steps: []Step{{0, 100 * time.Millisecond}}, Connections: 2, Pipeline: 4, Batch: 1})
	if r.Failed() || r.Steps[0].Unsent != 0 {
		t.Errorf("%+v", r.Steps[0])
	}
}

func TestLatencyCountsFromWhenARequestWasDue(t *testing.T) {
	const stall = 300 * time.Millisecond
	s := &sink{before: func(n int) int {
		if n == 20 {
			time.Sleep(stall)
		}
		return 0
	}}
	r := offer(t, s, Options{Steps: []Step{{100, 800 * time.Millisecond}}, Connections: 1, Pipeline: 1, Batch: 1})
	// The one connection stalls for 300 ms, so about 30 of 80 requests are
	// late, by up to 300 ms each.
	if p90 := r.Steps[0].Latency.P90; p90 < 100 {
		t.Errorf("p90 is %g ms: the stall is left out", p90)
	}
	if p50 := r.Steps[0].Service.P50; p50 > 100 {
		t.Errorf("median service time is %g ms", p50)
	}
}

func TestRefusals(t *testing.T) {
	s := &sink{before: func(n int) int {
		if n%2 == 0 {
			return http.StatusTooManyRequests
		}
		return 0
	}}
	r := offer(t, s, Options{Steps: []Step{{0, 50 * time.Millisecond}}, Connections: 1, Pipeline: 1, Batch: 1})
	step := r.Steps[0]
	if step.Refused.Count == 0 || step.Refused.Count != step.Statuses[429] || step.NoRetry != 0 {
		t.Errorf("%+v", step)
	}
}

func TestVerify(t *testing.T) {
	s := &sink{}
	mix := DefaultMix()
	mix.Numbers, mix.Engaged = true, 0
	r := offer(t, s, Options{Steps: []Step{{0, 50 * time.Millisecond}}, Connections: 3, Pipeline: 1, Batch: 4, Keep: true, Mix: mix})
	rows := s.rows.String()
	v, err := r.Verify(strings.NewReader(rows))
	if err != nil || v.Acknowledged == 0 || v.Missing != 0 || v.Doubled != 0 || v.Found != v.Acknowledged {
		t.Errorf("%+v %v", v, err)
	}
	first, rest, _ := strings.Cut(rows, "\n")
	v, err = r.Verify(strings.NewReader(rest))
	if err != nil || v.Missing != 1 {
		t.Errorf("a row less: %+v %v", v, err)
	}
	v, err = r.Verify(strings.NewReader(rows + first + "\n"))
	if err != nil || v.Doubled != 1 {
		t.Errorf("a row twice: %+v %v", v, err)
	}
}

func TestRunSurvivesLostConnections(t *testing.T) {
	s := &sink{}
	s.before = func(n int) int {
		if n == 3 {
			panic(http.ErrAbortHandler)
		}
		return 0
	}
	r := offer(t, s, Options{Steps: []Step{{200, 200 * time.Millisecond}}, Connections: 2, Pipeline: 1, Batch: 1})
	step := r.Steps[0]
	if step.Failures["connection lost"] != 1 || step.Latency.Count != step.Sent-1 {
		t.Errorf("%+v", step)
	}
}

func BenchmarkRequest(b *testing.B) {
	c := newCorpus(1, DefaultMix(), 1, requestHead("127.0.0.1", "key"))
	var buf []byte
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		buf = c.appendRequest(buf[:0], i%len(c.templates), 1, 2, uint64(i))
		i++
	}
}
