package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/store"
)

func TestSitesLifeCycle(t *testing.T) {
	s := newServer(t)
	r := s.want(201, "POST", "/v1/sites", `{"id":"news","domains":["News.example"],"timezone":"America/Sao_Paulo","window":"30d","clock":"wall"}`)
	made := r.json(t)
	key := made["write_key"].(string)
	if site, ok := s.keys.WriteKey(key); !ok || site != "news" {
		t.Fatalf("the write key is of %q", site)
	}
	if got := r.Header.Get("Location"); got != "/v1/sites/news" {
		t.Errorf("Location %q", got)
	}
	r = s.want(200, "GET", "/v1/sites/news", "")
	got := r.json(t)
	delete(made, "write_key")
	if d := cmp.Diff(made, got); d != "" {
		t.Errorf("what was made is not what is read\n%s", d)
	}
	if d := cmp.Diff([]any{"news.example"}, got["domains"]); d != "" {
		t.Error(d)
	}
	for field, want := range map[string]string{"name": "news", "window": "30d", "clock": "wall", "currency": "EUR", "week_start": "monday", "timezone": "America/Sao_Paulo"} {
		if got[field] != want {
			t.Errorf("%s is %v, want %s", field, got[field], want)
		}
	}
	tag := r.Header.Get("ETag")
	s.want(304, "GET", "/v1/sites/news", "", "If-None-Match: "+tag)

	s.want(409, "POST", "/v1/sites", `{"id":"news"}`)
	s.want(412, "PATCH", "/v1/sites/news", `{"name":"The News"}`, `If-Match: "other"`)
	r = s.want(200, "PATCH", "/v1/sites/news", `{"name":"The News","timezone":null,"privacy":{"ip":"none"},"identity":{"secret":"hush","cookie":"session"}}`,
		"If-Match: "+tag, "Content-Type: application/merge-patch+json")
	got = r.json(t)
	if got["name"] != "The News" || got["timezone"] != "UTC" || got["privacy"].(map[string]any)["ip"] != "none" || got["privacy"].(map[string]any)["retention"] != "25mo" {
		t.Errorf("patched to %s", r.body)
	}
	if strings.Contains(r.body, "hush") {
		t.Error("the secret is answered")
	}
	site, _ := s.engine.Site("news")
	if site.Identity.Secret == nil || *site.Identity.Secret != "hush" {
		t.Error("the secret is not stored")
	}
	s.want(200, "PATCH", "/v1/sites/news", `{"name":null}`)
	if site, _ = s.engine.Site("news"); site.Identity.Secret == nil || site.Name != "news" {
		t.Errorf("a patch of the name made %+v", site)
	}
	for patch, want := range map[string][]string{
		`{"clock":"event","id":"x"}`:             {"body.clock immutable", "body.id unknown_field"},
		`{"nam":null,"privacy":{"x":null}}`:      {"body.nam unknown_field", "body.privacy.x unknown_field"},
		`{"timezone":5,"window":"1h","clock":7}`: {"body.clock wrong_type", "body.timezone wrong_type", "body.window bad_value"},
	} {
		if got := s.want(422, "PATCH", "/v1/sites/news", patch).codes(t); !cmp.Equal(got, want) {
			t.Errorf("%s: %v", patch, got)
		}
	}
	if r := s.want(422, "PATCH", "/v1/sites/news", `{"clock":"event"}`); !cmp.Equal(r.codes(t), []string{"body.clock immutable"}) {
		t.Errorf("%v", r.codes(t))
	}
	s.want(422, "PATCH", "/v1/sites/news", `[]`)
	s.want(400, "PATCH", "/v1/sites/news", `{`)

	s.want(412, "DELETE", "/v1/sites/news", "", "If-Match: "+tag)
	s.want(204, "DELETE", "/v1/sites/news", "")
	s.want(404, "GET", "/v1/sites/news", "")
	if _, ok := s.keys.WriteKey(key); ok {
		t.Error("the write key outlives its site")
	}
	if !cmp.Equal(s.queries.forgotten, []string{"news"}) {
		t.Errorf("what queries keep of it is forgotten for %v", s.queries.forgotten)
	}
	s.site("news")
}

func TestChannelsOfASite(t *testing.T) {
	s := newServer(t)
	s.want(201, "POST", "/v1/sites", `{"id":"news"}`)
	rules := `[{"channel":"partner","referrer_host":["partner.example"],"utm_campaign":["spring*"]},{"channel":"app","click_id":["appid"]}]`
	got := s.want(200, "PATCH", "/v1/sites/news", `{"channels":`+rules+`}`).json(t)["channels"]
	if d := cmp.Diff([]any{
		map[string]any{"channel": "partner", "referrer_host": []any{"partner.example"}, "utm_campaign": []any{"spring*"}},
		map[string]any{"channel": "app", "click_id": []any{"appid"}},
	}, got); d != "" {
		t.Error(d)
	}
	s.want(200, "PATCH", "/v1/sites/news", `{"name":"News"}`)
	if site, _ := s.engine.Site("news"); len(site.Channels) != 2 || site.Channels[1].ClickID[0] != "appid" {
		t.Errorf("stored %+v", site.Channels)
	}
	want := []string{"body.channels[0].channel bad_value", "body.channels[0].referrer_kind[0] bad_value", "body.channels[1].utm_source[1] bad_value"}
	if got := s.want(422, "PATCH", "/v1/sites/news", `{"channels":[{"channel":"Paid Search","referrer_kind":["searches"]},{"channel":"a","utm_source":["a","b*c"]}]}`).codes(t); !cmp.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := s.want(422, "PATCH", "/v1/sites/news", `{"channels":[{"channel":"a","source":["x"]}]}`).codes(t); !cmp.Equal(got, []string{"body.channels[0].source unknown_field"}) {
		t.Errorf("%v", got)
	}
	if got := s.want(200, "PATCH", "/v1/sites/news", `{"channels":null}`).json(t)["channels"]; len(got.([]any)) != 0 {
		t.Errorf("%v", got)
	}
}

func TestSiteFaultsAreAllNamed(t *testing.T) {
	s := newServer(t)
	cases := []struct {
		name, body string
		want       []string
	}{
		{"nothing", `{}`, []string{"body.id missing_field"}},
		{"id", `{"id":"News"}`, []string{"body.id bad_value"}},
		{"long id", `{"id":"` + strings.Repeat("a", 64) + `"}`, []string{"body.id bad_value"}},
		{"types", `{"id":1,"domains":"x","window":3}`, []string{"body.domains wrong_type", "body.id wrong_type", "body.window wrong_type"}},
		{"unknown", `{"id":"a","color":1,"privacy":{"depth":2}}`, []string{"body.color unknown_field", "body.privacy.depth unknown_field"}},
		{"names differ by case", `{"ID":"a"}`, []string{"body.ID unknown_field", "body.id missing_field"}},
		{"schema and rules together", `{"timezone":"Mars","window":"500d","x":1,"domains":["http://a"]}`,
			[]string{"body.domains[0] bad_value", "body.id missing_field", "body.timezone bad_value", "body.window bad_value", "body.x unknown_field"}},
		{"local zone", `{"id":"a","timezone":"Local"}`, []string{"body.timezone bad_value"}},
		{"short window", `{"id":"a","window":"23h"}`, []string{"body.window bad_value"}},
		{"window text", `{"id":"a","window":"soon"}`, []string{"body.window bad_value"}},
		{"clock", `{"id":"a","clock":"sun"}`, []string{"body.clock bad_value"}},
		{"privacy", `{"id":"a","privacy":{"without_consent":"ask","ip":"half","retention":"ever"}}`,
			[]string{"body.privacy.ip bad_value", "body.privacy.retention bad_value", "body.privacy.without_consent bad_value"}},
		{"proxies", `{"id":"a","trusted_proxies":["10.0.0.0/8","::1","x"]}`, []string{"body.trusted_proxies[2] bad_value"}},
		{"currency", `{"id":"a","currency":"euro"}`, []string{"body.currency bad_value"}},
		{"token", `{"id":"a","identity":{"header":"authorization","cookie":"a b"}}`, []string{"body.identity.cookie bad_value", "body.identity.header bad_value"}},
		{"jwks", `{"id":"a","identity":{"jwks_url":"file:///etc/passwd"}}`, []string{"body.identity.jwks_url bad_value"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := s.want(422, "POST", "/v1/sites", c.body)
			if d := cmp.Diff(c.want, r.codes(t)); d != "" {
				t.Errorf("%s\n%s", d, r.body)
			}
		})
	}
	if r := s.want(422, "POST", "/v1/sites?colour=1", `{}`); !cmp.Equal(r.codes(t), []string{"body.id missing_field", "query.colour unknown_field"}) {
		t.Errorf("%v", r.codes(t))
	}
	if r := s.want(422, "GET", "/v1/sites?limit=0&cursor=!&x=1", ""); !cmp.Equal(r.codes(t), []string{"query.limit bad_value", "query.x unknown_field"}) {
		t.Errorf("%v", r.codes(t))
	}
	for _, good := range []string{`{"id":"a","window":"1d","privacy":{"retention":"90d"}}`, `{"id":"b","window":"400d","timezone":"Europe/Berlin","domains":["localhost:8080","zeitung.example","münchen.example"]}`,
		`{"id":"c","clock":"event","name":null}`} {
		s.want(201, "POST", "/v1/sites", good)
	}
}

func TestListsArePaged(t *testing.T) {
	s := newServer(t)
	for _, id := range []string{"e", "a", "c", "b", "d"} {
		s.site(id)
	}
	var got []string
	target := "/v1/sites?limit=2"
	for pages := 0; ; pages++ {
		if pages > 3 {
			t.Fatal("the pages do not end")
		}
		page := s.want(200, "GET", target, "").json(t)
		for _, site := range page["sites"].([]any) {
			got = append(got, site.(map[string]any)["id"].(string))
		}
		cursor, ok := page["cursor"].(string)
		if !ok {
			break
		}
		target = "/v1/sites?limit=2&cursor=" + cursor
	}
	if d := cmp.Diff([]string{"a", "b", "c", "d", "e"}, got); d != "" {
		t.Error(d)
	}
	if r := s.want(200, "GET", "/v1/sites", "", s.key([]string{"b"}, "sites:read")); strings.Count(r.body, `"id"`) != 1 {
		t.Errorf("a key for one site lists %s", r.body)
	}
	s.want(422, "GET", "/v1/sites?cursor=%25", "")
}

func TestUnknownSiteNamesTheNearestTheKeyMayKnow(t *testing.T) {
	s := newServer(t)
	s.want(404, "GET", "/v1/sites/news", "")
	s.site("news")
	s.site("nest")
	if r := s.want(404, "GET", "/v1/sites/newz", ""); !strings.Contains(r.body, `nearest is \"news\"`) {
		t.Error(r.body)
	}
	if r := s.want(403, "GET", "/v1/sites/newz", "", s.key([]string{"nest"}, "sites:read")); strings.Contains(r.body, "news") {
		t.Error(r.body)
	}
	s.want(404, "GET", "/v1/sites/"+strings.Repeat("x", 5000), "")
	s.want(404, "GET", "/v1/sites/a%2Fb", "")
}

func TestSiteThatCannotBeStoredLeavesNoKey(t *testing.T) {
	s := newServer(t)
	s.log.fail = eventlog.ErrDiskFull
	r := s.want(503, "POST", "/v1/sites", `{"id":"news"}`)
	if r.Header.Get("Retry-After") == "" || r.json(t)["code"] != "disk_full" {
		t.Errorf("%v %s", r.Header, r.body)
	}
	keys, err := s.store.ListWriteKeys(t.Context(), "", store.Page{})
	if err != nil || len(keys) != 0 {
		t.Errorf("keys %v, %v", keys, err)
	}
	s.log.fail = nil
	s.site("news")
}

func TestWriteKeys(t *testing.T) {
	s := newServer(t)
	s.site("news")
	s.site("blog")
	one := s.want(201, "POST", "/v1/sites/news/write-keys", `{"name":"app"}`).json(t)
	two := s.want(201, "POST", "/v1/sites/news/write-keys", "").json(t)
	for _, k := range []map[string]any{one, two} {
		if site, ok := s.keys.WriteKey(k["key"].(string)); !ok || site != "news" {
			t.Errorf("key of %q", site)
		}
	}
	if list := s.want(200, "GET", "/v1/sites/news/write-keys", "").json(t)["write_keys"].([]any); len(list) != 3 {
		t.Errorf("%d keys", len(list))
	}
	path := "/v1/sites/news/write-keys/" + one["id"].(string)
	s.want(404, "DELETE", strings.Replace(path, "news", "blog", 1), "")
	s.want(204, "DELETE", path, "")
	s.want(404, "DELETE", path, "")
	if _, ok := s.keys.WriteKey(one["key"].(string)); ok {
		t.Error("a deleted key works")
	}
}

func TestLedgerAddsUp(t *testing.T) {
	s := newServer(t)
	s.site("news")
	for range 3 {
		s.log.event(t, "news", event.Event{Columns: [event.NumColumns]string{event.ColType: "page_view"}})
	}
	if _, err := s.log.commit(func(e *event.Encoder) {
		e.AddCount(event.Count{Site: "news", Verdict: "rejected", Reason: "time_too_old", N: 4})
		e.AddCount(event.Count{Site: "news", Verdict: "duplicate", N: 2})
	}); err != nil {
		t.Fatal(err)
	}
	want := `{"total":9,"verdicts":[{"verdict":"duplicate","reason":"","count":2},{"verdict":"rejected","reason":"time_too_old","count":4},{"verdict":"stored","reason":"","count":3}]`
	for _, query := range []string{"", "?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z", "?from=2026-03-01T01:00:00+01:00", "?from=1772323200000"} {
		r := s.want(200, "GET", "/v1/sites/news/ledger"+query, "")
		if !strings.Contains(r.body, want[1:]) {
			t.Errorf("%s: %s", query, r.body)
		}
	}
	if got := s.want(200, "GET", "/v1/sites/news/ledger?to=2026-03-01T00:00:00Z", "").json(t)["total"]; got != 0.0 {
		t.Errorf("before: %v", got)
	}
	r := s.want(200, "GET", "/v1/sites/news/ledger?resolution=hour", "").json(t)
	series := r["series"].([]any)
	if len(series) != 3 || series[0].(map[string]any)["time"] != "2026-03-01T07:00:00Z" {
		t.Errorf("series %v", series)
	}
	if r := s.want(422, "GET", "/v1/sites/news/ledger?from=yesterday&to=never&resolution=week", ""); len(r.codes(t)) == 0 {
		t.Error(r.body)
	}
	if r := s.want(422, "GET", "/v1/sites/news/ledger?from=9&to=9", ""); !cmp.Equal(r.codes(t), []string{"query.to bad_range"}) {
		t.Error(r.body)
	}
}

func TestMethodsAndPaths(t *testing.T) {
	s := newServer(t)
	s.site("news")
	r := s.want(405, "PUT", "/v1/sites/news", `{}`)
	if got := r.Header.Get("Allow"); got != "DELETE, GET, HEAD, PATCH" {
		t.Errorf("Allow %q", got)
	}
	if got := s.want(405, "DELETE", "/v1/events", "").Header.Get("Allow"); got != "OPTIONS, POST" {
		t.Errorf("Allow %q", got)
	}
	if got := s.want(405, "POST", "/", "").Header.Get("Allow"); got != "GET, HEAD" {
		t.Errorf("Allow %q", got)
	}
	s.want(404, "GET", "/v1/nothing", "")
	s.want(404, "GET", "/v1", "")
	s.want(404, "GET", "/openapi.xml", "")
	if r := s.want(200, "HEAD", "/v1/sites/news", ""); r.Header.Get("ETag") == "" {
		t.Errorf("HEAD: %v", r.Header)
	}
	if r := s.want(200, "GET", "/live/article?x=1", ""); !strings.Contains(r.body, "<title>Readership") || r.Header.Get("Content-Security-Policy") == "" || r.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%v %s", r.Header, r.body)
	}
	if r := s.want(200, "GET", "/assets/app-1a2b.js", ""); !strings.Contains(r.Header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("%v", r.Header)
	}
	r = s.want(200, "GET", "/favicon.svg", "")
	s.want(304, "GET", "/favicon.svg", "", "If-None-Match: "+r.Header.Get("ETag"))
	s.want(404, "GET", "/assets/gone.js", "")
	if r := s.want(200, "GET", "/../../etc/passwd", ""); !strings.Contains(r.body, "<title>Readership") {
		t.Error(r.body)
	}
	for _, page := range []string{"/docs", "/docs/docs.js", "/docs/docs.css", "/openapi.json", "/openapi.yaml", "/healthz", "/readyz", "/metrics"} {
		if r := s.want(200, "GET", page, "", "-Authorization"); strings.Contains(r.body, "unpkg.com") || strings.Contains(r.body, "cdn.") {
			t.Errorf("%s needs another server", page)
		}
	}
	bare := newServer(t, func(d *Deps) { d.Assets = nil })
	if r := bare.want(http.StatusOK, "GET", "/", ""); !strings.Contains(r.body, "not built") {
		t.Error(r.body)
	}
}
