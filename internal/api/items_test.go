package api

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/event"
)

func TestItems(t *testing.T) {
	s := newServer(t)
	s.site("news")
	body := `{"url":"https://news.example/a","aliases":["https://news.example/b"],"kind":"article","title":"Tür \"auf\"","section":"sport","tags":["x"],"authors":["Ada"],
		"tier":"free","published_at":"2026-03-01T08:00:00+01:00","updated_at":1772348400000,"language":"de","image":"https://i.example/1.jpg","region":"BE","attributes":{"words":1200.5,"live":true,"desk":"x"}}`
	for _, id := range []string{"a1", "a/b", "device:a%2Fb", "https://news.example/x?y=1&z=ä#f", "..", ".", "a b", "//", "{id}"} {
		path := "/v1/sites/news/items/" + encoded(id)
		r := s.want(201, "PUT", path, body)
		want := fmt.Sprintf(`{"id":%q,"known":true,"url":"https://news.example/a","aliases":["https://news.example/b"],"kind":"article","title":"Tür \"auf\"","section":"sport","tags":["x"],"authors":["Ada"],`+
			`"tier":"free","published_at":"2026-03-01T07:00:00Z","updated_at":"2026-03-01T07:00:00Z","language":"de","image":"https://i.example/1.jpg","region":"BE","attributes":{"desk":"x","live":"true","words":"1200.5"}}`, id)
		if got := compact(t, r.body); got != want {
			t.Fatalf("%s\n got %s\nwant %s", id, got, want)
		}
		if item, ok := s.engine.Item("news", id); !ok || item.Title != `Tür "auf"` {
			t.Fatalf("%s is not in the engine", id)
		}
		for _, read := range []string{path, "/v1/sites/news/items?id=" + url.QueryEscape(id)} {
			if got := compact(t, s.want(200, "GET", read, "").body); got != want {
				t.Errorf("%s\n%s", read, got)
			}
		}
		s.want(200, "PUT", path, body)
		s.want(204, "DELETE", path, "")
		s.want(204, "DELETE", path, "")
		if got := s.want(200, "GET", path, "").json(t); got["known"] != false || got["id"] != id {
			t.Errorf("unknown: %v", got)
		}
	}
	if r := s.want(422, "PUT", "/v1/sites/news/items/a", `{"id":"b"}`); !cmp.Equal(r.codes(t), []string{"body.id bad_value"}) {
		t.Errorf("%v", r.codes(t))
	}
	r := s.want(422, "PUT", "/v1/sites/news/items/a", `{"title":1,"published_at":"monday","tags":["",3],"colour":1,"attributes":{"a":{},"b":[1],"":1},"url":"http://[::"}`)
	want := []string{"body.attributes. bad_value", "body.attributes.a wrong_type", "body.attributes.b wrong_type", "body.colour unknown_field", "body.published_at bad_time", "body.tags[1] wrong_type", "body.title wrong_type", "body.url bad_value"}
	if diff := cmp.Diff(want, r.codes(t)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	for _, target := range []string{"/v1/sites/news/items/%FF", "/v1/sites/%C3news/items"} {
		if got := s.want(400, "GET", target, "").codes(t); !cmp.Equal(got, []string{"path bad_utf8"}) {
			t.Errorf("%s: %v", target, got)
		}
	}
	if got := s.want(422, "GET", "/v1/sites/news/items?id=%FF", "").codes(t); !cmp.Equal(got, []string{"query.id bad_utf8"}) {
		t.Error(got)
	}
	s.want(422, "PUT", "/v1/sites/news/items/"+strings.Repeat("x", 513), `{}`)
}

// encoded writes an id as one segment of a path.
func encoded(id string) string {
	return strings.NewReplacer(".", "%2E", "+", "%2B").Replace(url.PathEscape(id))
}

func TestItemConditions(t *testing.T) {
	s := newServer(t)
	s.site("news")
	const path = "/v1/sites/news/items/a"
	s.want(412, "PUT", path, `{}`, "If-Match: *")
	r := s.want(201, "PUT", path, `{"title":"1"}`, "If-None-Match: *")
	tag := r.Header.Get("ETag")
	s.want(412, "PUT", path, `{"title":"2"}`, "If-None-Match: *")
	s.want(304, "GET", path, "", "If-None-Match: "+tag)
	if got := s.want(200, "GET", path, "").Header.Get("ETag"); got != tag {
		t.Errorf("ETag %s, then %s", tag, got)
	}
	s.want(200, "PUT", path, `{"title":"2"}`, `If-Match: "x", `+tag)
	s.want(412, "PUT", path, `{"title":"3"}`, "If-Match: "+tag)
	s.want(412, "DELETE", path, "", "If-Match: "+tag)
	s.want(204, "DELETE", path, "", "If-Match: *")
}

func TestManyItems(t *testing.T) {
	s := newServer(t)
	s.site("news")
	const path = "/v1/sites/news/items"
	if got := s.want(200, "POST", path, `[{"id":"a"},{"id":"b","title":"B"},{"id":"a","title":"A"}]`).json(t); got["created"] != 2.0 || got["updated"] != 0.0 {
		t.Errorf("%v", got)
	}
	if item, _ := s.engine.Item("news", "a"); item.Title != "A" {
		t.Error("the last of equal ids does not win")
	}
	if got := s.want(200, "POST", path, "{\"id\":\"b\"}\n\n{\"id\":\"c\",\"section\":\"sport\"}\r\n", "Content-Type: application/x-ndjson").json(t); got["created"] != 1.0 || got["updated"] != 1.0 {
		t.Errorf("%v", got)
	}
	before := s.log.sequence
	if got := s.want(200, "POST", path, `[{"id":"b"},{"id":"c","section":"sport","tags":[]}]`).json(t); got["unchanged"] != 2.0 || got["created"] != 0.0 || got["updated"] != 0.0 {
		t.Errorf("%v", got)
	}
	if s.log.sequence != before {
		t.Error("what stood in the catalogue was written again")
	}
	s.want(200, "POST", path, `{"id":"d","kind":"video","title":"Final"}`)
	s.want(200, "POST", path, `[]`)
	r := s.want(422, "POST", path, `[{"id":"x"},{"title":"no id"},{"id":"y","tags":"t","attributes":{"n":{}}},7]`)
	if d := cmp.Diff([]string{"body[1].id missing_field", "body[2].attributes.n wrong_type", "body[2].tags wrong_type", "body[3] wrong_type"}, r.codes(t)); d != "" && !cmp.Equal(
		[]string{"body[1].id missing_field", "body[2].tags wrong_type", "body[3] wrong_type"}, r.codes(t)) {
		t.Error(d)
	}
	if _, ok := s.engine.Item("news", "x"); ok {
		t.Error("a part of a refused list is stored")
	}
	if r := s.want(400, "POST", path, "{\"id\":\"b\"}\n{", "Content-Type: application/x-ndjson"); !cmp.Equal(r.codes(t), []string{"body[1] bad_json"}) {
		t.Errorf("%v", r.codes(t))
	}
	s.want(400, "POST", path, `[`)
	s.want(422, "POST", path, `7`)
	if r := s.want(422, "POST", path, `[{"id":"big","tags":["`+strings.Repeat(`x`, 500)+strings.Repeat(`","`+strings.Repeat("y", 500), 99)+`"]}]`); !cmp.Equal(r.codes(t), []string{"body[0] too_long"}) {
		t.Errorf("%v", r.codes(t))
	}

	ids := func(query string) string {
		t.Helper()
		var ids []string
		for _, i := range s.want(200, "GET", path+query, "").json(t)["items"].([]any) {
			ids = append(ids, i.(map[string]any)["id"].(string))
		}
		return strings.Join(ids, " ")
	}
	for query, want := range map[string]string{"": "a b c d", "?limit=2": "a b", "?section=sport": "c", "?kind=video": "d", "?q=FIN": "d", "?q=zzz": ""} {
		if got := ids(query); got != want {
			t.Errorf("%s: %s", query, got)
		}
	}

	// Many enough for several commits.
	var many strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&many, "{\"id\":\"m%d\",\"title\":%q}\n", i, strings.Repeat("t", 400))
	}
	before = s.log.sequence
	if got := s.want(200, "POST", path, many.String(), "Content-Type: application/x-ndjson").json(t); got["created"] != 2000.0 {
		t.Errorf("%v", got)
	}
	if n := s.log.sequence - before; n < 5 || n > 12 {
		t.Errorf("%d commits", n)
	}
	if _, ok := s.engine.Item("news", "m1999"); !ok {
		t.Error("the answer came before the items were applied")
	}
	s.want(413, "POST", path, `["`+strings.Repeat("x", 17<<20)+`"]`)
}

func TestExport(t *testing.T) {
	s := newServer(t)
	s.site("news")
	s.want(200, "GET", "/v1/sites/news/first-view", "")
	now := s.clock().UnixMilli()
	columns := func(kind string) (c [event.NumColumns]string) {
		c[event.ColType], c[event.ColItem], c[event.ColTitle] = kind, "a1", "Tür \"auf\""
		return c
	}
	s.log.event(t, "news", event.Event{Time: now - 5000, Columns: columns("click"), Properties: []event.Property{{Name: "type", Value: "page_view"}}})
	if got := s.want(200, "GET", "/v1/sites/news/first-view", "").json(t); got["seen"] != false {
		t.Errorf("%v", got)
	}
	s.log.event(t, "news", event.Event{ID: "1", View: "333", Time: now - 4000, Device: "dé", Columns: columns("page_view"), Value: 12_500_000, Flags: event.FlagHasValue,
		Properties: []event.Property{{Name: "n", Value: "1.5", Kind: event.KindNumber}, {Name: "b", Value: "true", Kind: event.KindBool}, {Name: "s", Value: "1"}}})
	s.log.event(t, "news", event.Event{ID: "22", View: "333", Time: now - 2000, Device: "dé", Columns: columns("engagement"), Scroll: 40, EngagedMillis: 1500})
	r := s.want(200, "GET", "/v1/sites/news/events", "")
	if r.Trailer.Get("X-Readership-Complete") != "1" && r.Header.Get("X-Readership-Complete") != "1" {
		t.Errorf("%v %v", r.Header, r.Trailer)
	}
	if got := r.Header.Get("Content-Type"); got != "application/x-ndjson" {
		t.Error(got)
	}
	for _, want := range []string{
		`{"time":"2026-03-01T07:29:55.000Z","device":"d1","type":"click","item":"a1","title":"Tür \"auf\"","properties":{"type":"page_view"}}` + "\n",
		`{"time":"2026-03-01T07:29:56.000Z","device":"dé","type":"page_view","item":"a1","title":"Tür \"auf\"","properties":{"n":1.5,"b":true,"s":"1"},"engaged_seconds":1.5,"scroll_percent":40,"value":12.5}` + "\n",
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("%s is not in\n%s", want, r.body)
		}
	}
	for query, want := range map[string]int{
		"?from=2026-03-01T07:29:56Z": 1, "?to=2026-03-01T07:29:56Z": 1, "?from=2026-03-01T08:29:55 01:00": 2, "?from=2026-03-01T08:29:55%2B01:00": 2, "?to=2026-02-01T00:00:00Z": 0,
	} {
		target := strings.ReplaceAll("/v1/sites/news/events"+query, " ", "+")
		if got := strings.Count(s.want(200, "GET", target, "").body, "\n"); got != want {
			t.Errorf("%s: %d rows", query, got)
		}
	}
	s.want(422, "GET", "/v1/sites/news/events?from=monday", "")
	got := s.want(200, "GET", "/v1/sites/news/first-view", "").json(t)
	if got["seen"] != true || got["view"].(map[string]any)["device"] != "dé" {
		t.Errorf("%v", got)
	}
}
