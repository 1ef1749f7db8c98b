package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/query"
)

// asks lets a test's server answer queries as the real one does.
func (s *server) asks() {
	s.queries.onQuery(func(ctx context.Context, q Question) (Result, error) {
		v, err := s.engine.View(ctx, q.Site, q.At)
		if err != nil {
			return nil, err
		}
		r, err := query.Ask(ctx, v, q.Body, query.Options{Now: s.engine.SiteNow(q.Site, q.Wall), Clock: s.clock})
		if err != nil {
			return nil, err
		}
		return result{r, v.Position}, nil
	})
}

type result struct {
	*query.Result
	at event.Position
}

func (r result) Position() event.Position { return r.at }

func schemaOn(t *testing.T, s *server, headers ...string) Schema {
	t.Helper()
	var got Schema
	if err := json.Unmarshal([]byte(s.want(200, "GET", "/v1/sites/news/schema", "", headers...).body), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func find(t *testing.T, list []SchemaName, name string) SchemaName {
	t.Helper()
	for _, n := range list {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("there is no %q in %v", name, list)
	return SchemaName{}
}

func TestSchema(t *testing.T) {
	s := newServer(t)
	s.asks()
	s.site("news")
	s.want(201, "PUT", "/v1/sites/news/items/a", `{"section":"sport","tags":["x","y"],"attributes":{"desk":"eu"}}`)
	s.want(201, "PUT", "/v1/sites/news/items/b", `{"section":"sport","tags":["y"],"tier":"metered"}`)
	s.want(201, "PUT", "/v1/sites/news/items/c", `{"section":"culture"}`)
	s.want(201, "PUT", "/v1/sites/news/accounts/1", `{"traits":{"plan":"gold","age":30},"entitlements":[{"name":"premium"}]}`)
	s.want(200, "PUT", "/v1/sites/news/program", "segment seen = events |> any\nmeter m (limit: 3) = burns |> per month |> distinct item\nmetric n = events |> count\naccess story { allow everyone }\n", textHeader)
	send := func(n int, kind, class string, properties ...event.Property) {
		for range n {
			ev := event.Event{Properties: properties}
			ev.Columns[event.ColType], ev.Columns[event.ColDeviceClass], ev.Columns[event.ColURL] = kind, class, "https://news.example/secret"
			s.log.event(t, "news", ev)
		}
	}
	send(2, "page_view", "phone", event.Property{Name: "mood", Value: "good"}, event.Property{Name: "price", Value: "2.5", Kind: event.KindNumber})
	send(3, "page_view", "desktop", event.Property{Name: "mood", Value: strings.Repeat("long", 100)}, event.Property{Name: "price", Value: "free"})
	send(9, "conversion", "phone", event.Property{Name: "goal", Value: "trial"}, event.Property{Name: "paid", Value: "true", Kind: event.KindBool})

	got := schemaOn(t, s)
	for _, c := range []struct {
		list []SchemaName
		want SchemaName
	}{
		{got.Columns, SchemaName{"device_class", "text", []string{"desktop", "phone"}}}, // views come before other events
		{got.Columns, SchemaName{"type", "text", []string{"page_view", "conversion"}}},
		{got.Columns, SchemaName{"url", "text", []string{}}},
		{got.Columns, SchemaName{"engaged_seconds", "decimal", []string{}}},
		{got.Properties, SchemaName{"mood", "text", []string{"good"}}},
		{got.Properties, SchemaName{"price", "any", []string{"free", "2.5"}}},
		{got.Properties, SchemaName{"goal", "text", []string{"trial"}}},
		{got.Properties, SchemaName{"paid", "boolean", []string{"true"}}},
		{got.Items, SchemaName{"section", "text", []string{"sport", "culture"}}},
		{got.Items, SchemaName{"tags", "list", []string{"y", "x"}}},
		{got.Items, SchemaName{"published_at", "time", []string{}}},
		{got.Attributes, SchemaName{"desk", "text", []string{"eu"}}},
		{got.Traits, SchemaName{"plan", "text", []string{}}},
		{got.Traits, SchemaName{"age", "decimal", []string{}}},
	} {
		if diff := cmp.Diff(c.want, find(t, c.list, c.want.Name)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	got.Columns, got.Properties, got.Items, got.Attributes, got.Traits = nil, nil, nil, nil, nil
	want := Schema{Timezone: "UTC", WeekStart: "monday", Window: "30d", Entitlements: []string{"premium"}, Complete: true,
		Segments: []string{"seen"}, Meters: []string{"m"}, Access: []string{"story"}, Metrics: []string{"n"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Values are an answer about rows: who may not ask for rows does not get them.
func TestSchemaWithoutValues(t *testing.T) {
	s := newServer(t)
	s.asks()
	s.site("news")
	ev := event.Event{Properties: []event.Property{{Name: "mood", Value: "good"}}}
	ev.Columns[event.ColType] = "page_view"
	s.log.event(t, "news", ev)
	s.want(201, "PUT", "/v1/sites/news/items/a", `{"section":"sport"}`)
	got := schemaOn(t, s, s.key(nil, "program:read"))
	for _, n := range []SchemaName{find(t, got.Properties, "mood"), find(t, got.Columns, "type"), find(t, got.Items, "section")} {
		if len(n.Values) > 0 {
			t.Errorf("%v", n)
		}
	}
	s.want(403, "GET", "/v1/sites/news/schema", "", s.key(nil, "query:read"))
	s.want(404, "GET", "/v1/sites/views/schema", "")
}

// A property with more values than can be counted has none to complete.
func TestSchemaIsBounded(t *testing.T) {
	s := newServer(t)
	s.site("news")
	var properties []event.Property
	for i := range schemaAsked + 1 {
		properties = append(properties, event.Property{Name: fmt.Sprintf("p%02d", i), Value: "x"})
	}
	s.log.event(t, "news", event.Event{Properties: properties[:60]})
	s.log.event(t, "news", event.Event{Properties: properties[60:]})
	s.queries.onQuery(func(_ context.Context, q Question) (Result, error) {
		if strings.Contains(string(q.Body), "p07") {
			return nil, problem.New(422, "too many groups").WithCode("too_many_groups")
		}
		rows := []string{`{"dimensions":["(none)"]}`}
		for i := range schemaValues + 1 {
			rows = append(rows, fmt.Sprintf(`{"dimensions":["%d"]}`, i))
		}
		return fixed{q.At, `{"results":[` + strings.Join(rows, ",") + `]}`}, nil
	})
	got := schemaOn(t, s)
	if len(got.Properties) != schemaAsked+1 {
		t.Fatalf("%d properties", len(got.Properties))
	}
	for name, want := range map[string]int{"p00": schemaValues, "p07": 0, "p63": schemaValues, "p64": 0} {
		if n := find(t, got.Properties, name); len(n.Values) != want || want > 0 && n.Values[0] != "0" {
			t.Errorf("%s: %d values", name, len(n.Values))
		}
	}
	s.queries.onQuery(func(context.Context, Question) (Result, error) { return nil, errTest })
	s.want(500, "GET", "/v1/sites/news/schema", "")
}
