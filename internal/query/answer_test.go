package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// smallSite has a handful of readers of two items in two shards.
func smallSite(t testing.TB) *feed {
	f := newFeed(t, 2, event.Site{ID: "news", Timezone: "Europe/Berlin"})
	f.item("news", event.Item{ID: "a1", Section: "sport", Tags: []string{"x", "y"}, Attributes: map[string]string{"desk": "eu"}})
	f.enc.Reset(t0)
	for i, e := range []struct {
		device, item, path string
		before             time.Duration
	}{{"d1", "a1", "/1", time.Minute}, {"d1", "a2", "/2", 30 * time.Second}, {"d2", "a1", "/1", time.Hour}, {"d3", "", `/"q",<&`, 26 * time.Hour}} {
		var ev event.Event
		ev.Time, ev.Device = t0-e.before.Milliseconds(), e.device
		ev.Columns[event.ColType], ev.Columns[event.ColItem], ev.Columns[event.ColPath] = event.TypePageView, e.item, e.path
		ev.Properties = []event.Property{{Name: "price", Value: "2.5", Kind: event.KindNumber}}
		f.enc.Add("news", &ev, uint64(i+1), 0)
	}
	f.send()
	return f
}

func ask(t testing.TB, f *feed, body string) *Result {
	t.Helper()
	clock := func() time.Time { return time.UnixMilli(t0) }
	res, err := Ask(context.Background(), f.view("news"), []byte(body), Options{Now: t0, Clock: clock, Threads: 2})
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return res
}

func TestEncodings(t *testing.T) {
	f := smallSite(t)
	res := ask(t, f, `{"metrics":["page_views","bounce_rate"],"date_range":"24h","dimensions":["path"],"compare":"previous_period","include":{"totals":true},"filters":[["gt","price",[1]]]}`)
	var out strings.Builder
	if err := res.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	want := `{"results":[` +
		`{"dimensions":["/1"],"metrics":[2,0.5],"comparison":{"metrics":[0,null],"change":[null,null]}},` +
		`{"dimensions":["/2"],"metrics":[1,0],"comparison":{"metrics":[0,null],"change":[null,null]}}],` +
		`"totals":[3,0.5],"totals_comparison":{"metrics":[1,1],"change":[2,-0.5]},` +
		`"meta":{"as_of":"2026-10-26T16:30:00+01:00","position":"20000-0-3","exact":true,"took_ms":0,"warnings":["a visit counts under each path that it viewed: the rows add up to more than the total"]},` +
		`"query":{"compare":"previous_period","compared_range":["2026-10-24T17:30:00.001+02:00","2026-10-25T16:30:00.001+01:00"],"date_range":["2026-10-25T16:30:00.001+01:00","2026-10-26T16:30:00.001+01:00"],"dimensions":["path"],"filters":[["gt","price",["1"]]],"include":{"time_labels":false,"totals":true},"limit":100,"metrics":["page_views","bounce_rate"],"offset":0,"order_by":[["page_views","desc"]],"timezone":"Europe/Berlin"}}` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	out.Reset()
	if err := res.WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	want = "path,page_views,page_views_comparison,page_views_change,bounce_rate,bounce_rate_comparison,bounce_rate_change\n/1,2,0,,0.5,,\n/2,1,0,,0,,\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("CSV (-want +got):\n%s", diff)
	}
	out.Reset()
	res = ask(t, f, `{"metrics":["visitors"],"date_range":"7d","dimensions":["path"],"order_by":[["path","asc"]],"limit":1}`)
	if err := res.WriteNDJSON(&out); err != nil {
		t.Fatal(err)
	}
	var row struct{ Dimensions []string }
	if err := json.Unmarshal([]byte(out.String()), &row); err != nil || row.Dimensions[0] != `/"q",<&` {
		t.Errorf("NDJSON %q: %v", out.String(), err)
	}
}

func TestEmptySite(t *testing.T) {
	f := newFeed(t, 3, event.Site{ID: "news"})
	for _, body := range []string{
		`{"metrics":["page_views","visitors","visits","bounce_rate"],"date_range":"7d","include":{"totals":true},"filters":[["is","country",["DE"]],["is","item",["a"]],["is","loyalty",["new"]]]}`,
		`{"metrics":["recirculation_rate","new_visitors"],"date_range":"day","dimensions":["time:hour","tag","entry_item","properties.x"],"compare":"year","include":{"totals":true,"time_labels":true}}`,
	} {
		res := ask(t, f, body)
		if len(res.Totals) == 0 || res.Totals[0] > 0 {
			t.Errorf("totals %v", res.Totals)
		}
	}
}

func TestNamesThatTheViewKnows(t *testing.T) {
	f := smallSite(t)
	for name, want := range map[string]string{"price": "2.5", "desk": "(none)", "properties.desk": "(none)", "attributes.desk": "(none)"} {
		res := ask(t, f, `{"metrics":["page_views"],"date_range":"7d","dimensions":["`+name+`"]}`)
		if got := res.Rows[0].Dimensions[0]; got != want && len(res.Rows) == 1 {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	_, err := Ask(context.Background(), f.view("news"), []byte(`{"metrics":["page_view"],"date_range":"7d","dimensions":["item","pric"],"filters":[["not",["is","dsk",["eu"]]]]}`), Options{Now: t0})
	var p *problem.Problem
	if !errors.As(err, &p) {
		t.Fatal(err)
	}
	var got []string
	for _, f := range p.Errors {
		got = append(got, f.Location+": "+f.Message)
	}
	want := []string{
		`body.metrics[0]: unknown metric "page_view"; did you mean "page_views"?`,
		`body.dimensions[1]: unknown dimension "pric"; did you mean "price"?`,
		`body.filters[0][1][1]: unknown dimension "dsk"; did you mean "desk"?`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestRangesOutsideTheWindow(t *testing.T) {
	f := smallSite(t)
	res := ask(t, f, `{"metrics":["page_views"],"date_range":["0001-01-01T00:00:00Z","9999-12-31T00:00:00Z"],"dimensions":["time:5min"],"limit":10000}`)
	if len(res.Warnings) != 2 || len(res.Rows) != 3 {
		t.Errorf("warnings %q, %d rows", res.Warnings, len(res.Rows))
	}
	_, err := Ask(context.Background(), f.view("news"), []byte(`{"metrics":["page_views"],"date_range":[0,9999999999999],"dimensions":["time:5min"],"include":{"time_labels":true}}`), Options{Now: t0})
	var p *problem.Problem
	if !errors.As(err, &p) || p.Status != 422 || p.Errors[0].Code != "too_many_buckets" {
		t.Errorf("error %v, want too_many_buckets", err)
	}
}

func TestTimeLabels(t *testing.T) {
	f := smallSite(t)
	res := ask(t, f, `{"metrics":["page_views"],"date_range":["2026-10-25T00:00:00+02:00","2026-10-27T00:00:00+01:00"],"dimensions":["time:day"],"include":{"time_labels":true}}`)
	if diff := cmp.Diff([]string{"2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"}, res.TimeLabels); diff != "" {
		t.Error(diff)
	}
}

func TestCancelled(t *testing.T) {
	f := smallSite(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, body := range []string{`{"metrics":["visitors"],"date_range":"7d"}`, `{"metrics":["visits"],"date_range":"7d"}`, `{"metrics":["visits"],"date_range":"7d","dimensions":["item"]}`} {
		if _, err := Ask(ctx, f.view("news"), []byte(body), Options{Now: t0}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// FuzzAsk: no question ends in anything but an answer that encodes or a
// problem.
func FuzzAsk(f *testing.F) {
	site := smallSite(f)
	v := site.view("news")
	for _, q := range benchQuestions {
		f.Add(benchBody(q.body))
	}
	f.Add([]byte(`{"metrics":["recirculation_rate","new_visitors","revenue"],"date_range":"month","dimensions":["time:hour","tag","author","entry_item","price","desk","loyalty"],"compare":"year","include":{"totals":true,"time_labels":true},"filters":[["or",[["gt","price",[1]],["not",["matches","path",["1"]]]]]],"order_by":[["tag","desc"]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		res, err := Ask(context.Background(), v, body, Options{Now: t0})
		if err != nil {
			var p *problem.Problem
			if !errors.As(err, &p) {
				t.Fatal(err)
			}
			return
		}
		var out strings.Builder
		if err := res.WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		if !json.Valid([]byte(out.String())) {
			t.Fatalf("not JSON: %s", out.String())
		}
		out.Reset()
		if err := errors.Join(res.WriteCSV(&out), res.WriteNDJSON(&out)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPropertiesBeyondTheLimitAreNotExact(t *testing.T) {
	f := smallSite(t)
	f.enc.Reset(t0)
	for i := range 300 {
		ev := event.Event{Time: t0, Device: "d1", Properties: []event.Property{{Name: fmt.Sprintf("p%d", i), Value: "1", Kind: event.KindNumber}}}
		ev.Columns[event.ColType] = "own"
		f.enc.Add("news", &ev, uint64(100+i), 0)
	}
	f.send()
	const where = `{"metrics":["events"],"date_range":"24h","filters":[["is","properties.%s",["1"]]]}`
	if res := ask(t, f, fmt.Sprintf(where, "p0")); !res.Exact || len(res.Warnings) != 0 || res.Rows[0].Metrics[0] != 1 {
		t.Errorf("a kept property: %+v", res)
	}
	if res := ask(t, f, fmt.Sprintf(where, "p299")); res.Exact || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], `"p299"`) {
		t.Errorf("a property past the limit: %+v", res)
	}
}
