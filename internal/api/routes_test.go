package api

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/readership/readership/internal/event"
)

// served counts how often a PUT waited for the edge.
type served struct {
	fixed map[string][]event.Route
	times int
}

func (s *served) Fixed(site string) ([]event.Route, bool) {
	routes, ok := s.fixed[site]
	return routes, ok
}

func (s *served) Serving(context.Context) error {
	s.times++
	return nil
}

func TestRoutes(t *testing.T) {
	edge := &served{fixed: map[string][]event.Route{"shop": {{Host: "shop.example", Origins: []event.Origin{{URL: "http://10.0.0.9"}}}}}}
	s := newServer(t, func(d *Deps) { d.Routing = edge })
	s.site("news")
	const path = "/v1/sites/news/routes"
	empty := s.want(200, "GET", path, "")
	if compact(t, empty.body) != "[]" || empty.Header.Get("ETag") == "" {
		t.Fatal(empty.Header, empty.body)
	}
	version := s.engine.RoutesVersion()
	want := `[{"host":"news.example","path":"/politik/*","origins":[{"url":"http://10.0.0.5","weight":9},{"url":"http://10.0.0.6"}],"access":"story","on_deny":"teaser"},` +
		`{"host":"www.news.example","origins":[{"url":"https://cms.example/base","weight":0}],"health":{"path":"/up","interval":"2s"},"timeout":"5s","retries":0,"strip_prefix":"/","preserve_host":false}]`
	r := s.want(200, "PUT", path, strings.Replace(want, `"news.example"`, `"News.Example."`, 1), "If-Match: "+empty.Header.Get("ETag"))
	if got := compact(t, r.body); got != want {
		t.Fatal(got)
	}
	if edge.times != 1 || s.engine.RoutesVersion() == version {
		t.Errorf("the edge was asked %d times, version %d after %d", edge.times, s.engine.RoutesVersion(), version)
	}
	again := s.want(200, "GET", path, "")
	if got := compact(t, again.body); got != want || again.Header.Get("ETag") != r.Header.Get("ETag") {
		t.Fatal(got)
	}
	s.want(304, "GET", path, "", "If-None-Match: "+r.Header.Get("ETag"))
	s.want(412, "PUT", path, "[]", "If-Match: "+empty.Header.Get("ETag"))
	if got := s.want(422, "PUT", path, `[{"host":"news.example","path":"/a/../b","origins":[]},{"path":"/","origins":[{"url":"x","weight":-1,"share":1}]},{"host":"other.example","origins":[{"url":"http://a"}],"on_deny":"wall","access":"a"}]`).codes(t); !slices.Equal(got, []string{
		"body[0].origins bad_value", "body[0].path bad_value", "body[1].host missing_field", "body[1].origins[0].share unknown_field", "body[1].origins[0].url bad_value",
		"body[1].origins[0].weight bad_value", "body[2].host not_of_site", "body[2].on_deny bad_value"}) {
		t.Error(got)
	}
	s.want(400, "PUT", path, `{`)
	s.want(422, "PUT", path, `{}`)
	s.want(200, "PUT", path, "[]")
	if got := s.want(200, "GET", path, ""); got.Header.Get("ETag") != empty.Header.Get("ETag") || compact(t, got.body) != "[]" {
		t.Error(got.Header, got.body)
	}

	// A host is served for one site.
	s.want(201, "POST", "/v1/sites", `{"id":"other","domains":["news.example"]}`)
	s.want(200, "PUT", path, `[{"host":"news.example","origins":[{"url":"http://10.0.0.5"}]}]`)
	if got := s.want(422, "PUT", "/v1/sites/other/routes", `[{"host":"blog.news.example","origins":[{"url":"http://a"}]},{"host":"news.example","origins":[{"url":"http://a"}]}]`).codes(t); !slices.Equal(got, []string{"body[1].host taken"}) {
		t.Error(got)
	}
	// What stands in the configuration is read here, and written there.
	s.want(201, "POST", "/v1/sites", `{"id":"shop","domains":["shop.example"]}`)
	if got := compact(t, s.want(200, "GET", "/v1/sites/shop/routes", "").body); got != `[{"host":"shop.example","origins":[{"url":"http://10.0.0.9"}]}]` {
		t.Error(got)
	}
	s.want(409, "PUT", "/v1/sites/shop/routes", "[]")
	// A site that is made again begins without.
	s.want(204, "DELETE", "/v1/sites/news", "")
	s.site("news")
	if got := compact(t, s.want(200, "GET", path, "").body); got != "[]" {
		t.Error(got)
	}
}
