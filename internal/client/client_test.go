package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func metric(v float64) *float64 { return &v }

func TestSparkline(t *testing.T) {
	f := func(want string, values ...*float64) {
		t.Helper()
		if got := Sparkline(values); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("")
	f("▁▁", metric(0), metric(0))
	f("▁▅█", metric(0), metric(4), metric(7))
	f("█ ▁", metric(9), nil, metric(0))
}

func TestShortenKeepsThePeak(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *float64 { return metric(rapid.Float64Range(0, 100).Draw(t, "value")) }), 1, 500).Draw(t, "values")
		n := rapid.IntRange(1, 120).Draw(t, "n")
		short := shorten(values, n)
		if len(short) != min(len(values), n) {
			t.Fatalf("%d of %d values, want %d", len(short), len(values), n)
		}
		top := func(values []*float64) (top float64) {
			for _, v := range values {
				top = max(top, *v)
			}
			return top
		}
		if top(short) != top(values) {
			t.Fatal("the peak is lost")
		}
	})
}

func TestParseFilters(t *testing.T) {
	got, err := ParseFilters([]string{"type=page_view", "item!=home|start", "path~/a=b/", "status>399", "bytes<10"})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{
		[]any{"is", "type", []string{"page_view"}}, []any{"is_not", "item", []string{"home", "start"}},
		[]any{"contains", "path", []string{"/a=b/"}}, []any{"gt", "status", []string{"399"}}, []any{"lt", "bytes", []string{"10"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"", "type", "=x"} {
		if _, err := ParseFilters([]string{text}); err == nil {
			t.Errorf("%q passed", text)
		}
	}
}

func TestWriteTable(t *testing.T) {
	for _, tt := range []struct {
		name string
		q    Query
		r    Result
		want string
	}{
		{"ranking", Query{Metrics: []string{"page_views", "bounce_rate"}, Dimensions: []string{"item"}},
			Result{Results: []Row{{Dimensions: []string{"a"}, Metrics: []*float64{metric(12345), metric(0.5)}}, {Dimensions: []string{strings.Repeat("x", 70)}, Metrics: []*float64{metric(20), nil}}},
				Totals: []*float64{metric(12365), metric(0.25)}, Meta: Meta{AsOf: "2026-03-01T12:00:00Z", TookMS: 0.81, Warnings: []string{"cut"}}},
			`item                                                          page_views  bounce_rate
───────────────────────────────────────────────────────────────────────────────────────────────────────────
a                                                                 12,345         0.50  ████████████████████
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…xxxxxxxxxxxxxxxxxxxxxxxxxxxxx          20            –
───────────────────────────────────────────────────────────────────────────────────────────────────────────
total                                                             12,365         0.25
note: cut
as of 2026-03-01T12:00:00Z, 0.81 ms
`},
		{"series", Query{Metrics: []string{"page_views"}, Dimensions: []string{"time:hour"}},
			Result{Results: []Row{{Dimensions: []string{"10:00"}, Metrics: []*float64{metric(1)}}, {Dimensions: []string{"12:00"}, Metrics: []*float64{metric(7)}}},
				Meta: Meta{TimeLabels: []string{"10:00", "11:00", "12:00"}}},
			`page_views  ▂ █

time:hour  page_views
───────────────────────────────────────────
10:00               1  ██▉
12:00               7  ████████████████████
`},
		{"comparison", Query{Metrics: []string{"visits"}, Compare: "previous_period"},
			Result{Results: []Row{{Metrics: []*float64{metric(10)}, Comparison: &Comparison{Metrics: []*float64{metric(8)}, Change: []*float64{metric(0.25)}}}}},
			`visits  before   change
─────────────────────────────────────────────
    10       8  +25.0 %  ████████████████████
`},
		{"nothing", Query{Metrics: []string{"visits"}, Dimensions: []string{"item"}}, Result{}, "no rows match\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if err := WriteTable(&b, &tt.q, &tt.r); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func answering(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	c, err := New(web.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestProblemsAreErrors(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer key" {
			t.Error("no key")
		}
		w.WriteHeader(422)
		_, _ = io.WriteString(w, `{"title":"Unprocessable Entity","status":422,"detail":"no","errors":[{"location":"body.limit","message":"too large"}]}`)
	})
	err := c.Do(t.Context(), "POST", "/x", nil, map[string]int{"limit": 1}, nil)
	if got := Explain(err); got != "the server answered 422 Unprocessable Entity: no\n  body.limit: too large" {
		t.Errorf("%s", got)
	}
}

func TestSendRetries(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []string // status, body
		want    Receipt
		fails   bool
	}{
		{"at once", []string{"200", `{"accepted":3}`}, Receipt{Accepted: 3}, false},
		{"busy", []string{"429", `{}`, "200", `{"accepted":3}`}, Receipt{Accepted: 3}, false},
		{"stored in part", []string{"503", `{"title":"x","accepted":2}`, "200", `{"accepted":1,"duplicates":3}`}, Receipt{Accepted: 3, Duplicates: 1}, false},
		{"all rejected", []string{"400", `{"title":"x","accepted":0,"rejected":[{"index":0,"code":"bad_time"}]}`},
			Receipt{Rejected: []Rejected{{Code: "bad_time"}}, RejectedTotal: 1}, false},
		{"refused", []string{"403", `{"title":"Forbidden","status":403}`}, Receipt{}, true},
		{"never", []string{"503", "", "503", "", "503", "", "503", "", "503", ""}, Receipt{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			c := answering(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if string(body) != "events" || r.URL.Query().Get("site") != "news" || r.URL.Query().Get("advance") != "1" {
					t.Errorf("%s %s", r.URL, body)
				}
				status := map[string]int{"200": 200, "400": 400, "403": 403, "429": 429, "503": 503}[tt.answers[n]]
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, tt.answers[n+1])
				n += 2
			})
			waited := time.Duration(0)
			got, err := c.Send(t.Context(), []byte("events"), SendOptions{Site: "news", Advance: true, Patience: 3 * time.Second,
				Wait: func(_ context.Context, d time.Duration) error { waited += d; return nil }})
			if (err != nil) != tt.fails {
				t.Fatal(err)
			}
			if err == nil {
				if diff := cmp.Diff(tt.want, *got); diff != "" {
					t.Error(diff)
				}
			}
			if n != len(tt.answers) && tt.name != "never" || waited > 3*time.Second {
				t.Errorf("%d answers taken, %s waited", n/2, waited)
			}
		})
	}
}

func TestSendGivesUpWhenTold(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Send(ctx, nil, SendOptions{Patience: time.Hour, OnRetry: func(error, time.Duration) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestNewRefusesOtherAddresses(t *testing.T) {
	for _, server := range []string{"ftp://x", "http://", ":", "http://[::1"} {
		if _, err := New(server, ""); err == nil {
			t.Errorf("%q passed", server)
		}
	}
	c, err := New("127.0.0.1:8080", "")
	if err != nil || c.Server() != "http://127.0.0.1:8080" {
		t.Errorf("%v %v", c, err)
	}
}
