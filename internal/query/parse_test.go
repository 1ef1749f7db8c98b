package query

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/problem"
)

func TestFaultsAreLocated(t *testing.T) {
	cases := map[string]struct {
		body string
		want string // location code, in order
	}{
		"no metrics, no range": {`{}`, "body.metrics missing_field, body.date_range missing_field"},
		"not an object":        {`[]`, "body wrong_type"},
		"unknown fields":       {`{"metric":["x"],"metrics":["visits"],"date_range":"7d","include":{"total":true}}`, "body.metric unknown_field, body.include.total unknown_field"},
		"metrics":              {`{"metrics":["page_view",3,"visits","visits"],"date_range":"7d"}`, "body.metrics[0] unknown_metric, body.metrics[1] wrong_type, body.metrics[3] duplicate"},
		"range":                {`{"metrics":["visits"],"date_range":["2020-01-02T00:00:00Z","2020-01-02T00:00:00Z"]}`, "body.date_range empty_range"},
		"times":                {`{"metrics":["visits"],"date_range":["2020-01-02",1e99]}`, "body.date_range[0] bad_time, body.date_range[1] bad_time"},
		"absurd times":         {`{"metrics":["visits"],"date_range":[-9223372036854775808,9223372036854775807]}`, "body.date_range[0] bad_time, body.date_range[1] bad_time"},
		"span":                 {`{"metrics":["visits"],"date_range":"7 days"}`, "body.date_range bad_range"},
		"no span":              {`{"metrics":["visits"],"date_range":"0h"}`, "body.date_range bad_range"},
		"long span":            {`{"metrics":["visits"],"date_range":"99999w"}`, "body.date_range bad_range"},
		"limits":               {`{"metrics":["visits"],"date_range":"7d","limit":0,"offset":-1}`, "body.limit out_of_range, body.offset out_of_range"},
		"limit type":           {`{"metrics":["visits"],"date_range":"7d","limit":1.5}`, "body.limit wrong_type"},
		"filter operator":      {`{"metrics":["visits"],"date_range":"7d","filters":[["isnt","country",["DE"]]]}`, "body.filters[0][0] unknown_operator"},
		"filter in a filter":   {`{"metrics":["visits"],"date_range":"7d","filters":[["or",[["is","country",["DE"]],["is","time:day",[]]]]]}`, "body.filters[0][1][1][1] unknown_dimension, body.filters[0][1][1][2] too_few"},
		"filter numbers":       {`{"metrics":["visits"],"date_range":"7d","filters":[["gt","price",["high"]]]}`, "body.filters[0][2][0] wrong_type"},
		"filter pattern":       {`{"metrics":["visits"],"date_range":"7d","filters":[["matches","path",["("]]]}`, "body.filters[0][2][0] bad_pattern"},
		"segment":              {`{"metrics":["visits"],"date_range":"7d","filters":[["segment"],["segment",7],["segment","loyal","vip"]],"dimensions":["segment"]}`, "body.filters[0] wrong_type, body.filters[1][1] wrong_type, body.filters[2] wrong_type"},
		"two times":            {`{"metrics":["visits"],"date_range":"7d","dimensions":["time:day","time:hour","time:fortnight"]}`, "body.dimensions[1] duplicate, body.dimensions[2] unknown_dimension"},
		"order":                {`{"metrics":["visits"],"date_range":"7d","order_by":[["page_views","desc"],["visits","down"]]}`, "body.order_by[0][0] unknown_name, body.order_by[1][1] wrong_value"},
		"zone and compare":     {`{"metrics":["visits"],"date_range":"7d","timezone":"Mars/Olympus","compare":"previous_day"}`, "body.timezone unknown_timezone, body.compare wrong_value"},
		"deep":                 {`{"metrics":["visits"],"date_range":"7d","filters":[` + strings.Repeat(`["not",`, 40) + `["is","country",["DE"]]` + strings.Repeat(`]`, 40) + `]}`, "body.filters[0]" + strings.Repeat("[1]", 16) + " too_deep"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.body))
			var p *problem.Problem
			if !errors.As(err, &p) || p.Status != 422 {
				t.Fatalf("error %v, want 422", err)
			}
			var got []string
			for _, f := range p.Errors {
				got = append(got, f.Location+" "+f.Code)
			}
			if diff := cmp.Diff(strings.Split(c.want, ", "), got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	for _, body := range []string{``, `{`, `{"metrics":`, `{} {}`, "{\"a\":\"\xff\"}", strings.Repeat("[", 20_000)} {
		var p *problem.Problem
		if _, err := Parse([]byte(body)); !errors.As(err, &p) || p.Status != 400 || len(p.Errors) != 1 || p.Errors[0].Location != "body" {
			t.Errorf("%.20q: %v, want 400 at body", body, err)
		}
	}
}

func TestSuggestions(t *testing.T) {
	_, err := Parse([]byte(`{"metrics":["pageviews"],"date_range":"7d","dimensions":["time:days"]}`))
	var p *problem.Problem
	if !errors.As(err, &p) || len(p.Errors) != 2 {
		t.Fatal(err)
	}
	for i, want := range []string{`"page_views"`, `"time:day"`} {
		if !strings.Contains(p.Errors[i].Message, want) {
			t.Errorf("%q does not suggest %s", p.Errors[i].Message, want)
		}
	}
}

func TestDefaults(t *testing.T) {
	q, err := Parse([]byte(`{"metrics":["visits"],"date_range":"7d","dimensions":["item","time:day"],"filters":[["is","n",[1.50,true,"x"]]]}`))
	if err != nil {
		t.Fatal(err)
	}
	if q.Limit != 100 || len(q.Order) != 1 || q.Order[0] != (Order{Metric: -1, Dimension: 1}) {
		t.Errorf("limit %d, order %v", q.Limit, q.Order)
	}
	if diff := cmp.Diff([]string{"1.5", "true", "x"}, q.Filter.Subs[0].Values); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"metrics":["page_views","visitors"],"date_range":["2017-10-03T11:00:00Z",1507032000000],"dimensions":["item","time:hour"],"filters":[["is","type",["page_view"]],["not",["or",[["gt","x",[3]],["matches","path",["^/a"]]]]]],"order_by":[["page_views","desc"]],"limit":1,"include":{"totals":true,"time_labels":false},"compare":"year","timezone":"Asia/Kathmandu"}`,
		`{"metrics":["visits"],"date_range":"24h"}`, `{"metrics":1,"date_range":{},"filters":[[]]}`, `[`, `{"metrics":["visits"],"date_range":"month","offset":9}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := Parse(body)
		if err != nil {
			var p *problem.Problem
			if !errors.As(err, &p) || p.Status != 400 && p.Status != 422 || p.Status == 422 && len(p.Errors) == 0 {
				t.Fatalf("error %v", err)
			}
			return
		}
		if len(q.Metrics) == 0 || q.Limit < 1 || q.Limit > MaxLimit || len(q.Order) == 0 {
			t.Fatalf("invalid question was taken: %+v", q)
		}
	})
}
