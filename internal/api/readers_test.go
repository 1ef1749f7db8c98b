package api

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
)

func TestAccounts(t *testing.T) {
	s := newServer(t)
	s.site("news")
	body := `{"traits":{"city":"Köln","age":41,"staff":true},"entitlements":[
		{"name":"premium","from":null,"until":"2026-04-01T00:00:00+02:00","state":"active","past_due_since":null},
		{"name":"archive","state":"past_due","past_due_since":1772000000000},{"name":"old","state":"ended"}]}`
	for _, id := range []string{"a7", "a/b", "device:a%2Fb", "x y", "ä"} {
		path := "/v1/sites/news/accounts/" + encoded(id)
		if got := s.want(200, "GET", path, "").json(t); got["known"] != false || got["id"] != id {
			t.Fatalf("unknown: %v", got)
		}
		r := s.want(201, "PUT", path, body)
		want := fmt.Sprintf(`{"id":%q,"known":true,"traits":{"age":41,"city":"Köln","staff":true},"entitlements":[`+
			`{"name":"premium","from":null,"until":"2026-03-31T22:00:00Z","state":"active","past_due_since":null,"holds":true},`+
			`{"name":"archive","from":null,"until":null,"state":"past_due","past_due_since":"2026-02-25T06:13:20Z","holds":true},`+
			`{"name":"old","from":null,"until":null,"state":"ended","past_due_since":null,"holds":false}]}`, id)
		if got := compact(t, r.body); got != want {
			t.Fatalf("%s\n got %s\nwant %s", id, got, want)
		}
		if got := compact(t, s.want(200, "GET", path, "").body); got != want {
			t.Fatalf("read again: %s", got)
		}
		s.want(304, "GET", path, "", "If-None-Match: "+r.Header.Get("ETag"))
		s.want(200, "PUT", path, body)
		s.want(412, "PUT", path, `{}`, `If-Match: "x"`)
		s.want(204, "DELETE", path, "")
		s.want(204, "DELETE", path, "")
	}
	s.want(201, "PUT", "/v1/sites/news/accounts/a7", `{"id":"a7"}`, "If-None-Match: *")
	s.want(412, "PUT", "/v1/sites/news/accounts/a7", `{"id":"a7"}`, "If-None-Match: *")
}

func TestAccountsArePatched(t *testing.T) {
	s := newServer(t)
	s.site("news")
	const path = "/v1/sites/news/accounts/a7"
	s.want(201, "PATCH", path, `{"traits":{"city":"Köln","age":41}}`, "Content-Type: application/merge-patch+json")
	r := s.want(200, "PATCH", path, `{"traits":{"age":null,"plan":"x"},"entitlements":[{"name":"premium","until":null}]}`)
	if got := r.json(t); !cmp.Equal(got["traits"], map[string]any{"city": "Köln", "plan": "x"}) || len(got["entitlements"].([]any)) != 1 {
		t.Fatal(r.body)
	}
	r = s.want(200, "PATCH", path, `{"entitlements":null}`)
	if got := r.json(t); len(got["entitlements"].([]any)) != 0 || len(got["traits"].(map[string]any)) != 2 {
		t.Fatal(r.body)
	}
	if got := s.want(422, "PATCH", path, `{"trait":{},"entitlements":[{"state":"lost"}]}`).codes(t); !slices.Equal(got,
		[]string{"body.entitlements[0].name missing_field", "body.entitlements[0].state bad_value", "body.trait unknown_field"}) {
		t.Error(got)
	}
	s.want(422, "PATCH", path, `[]`)
	s.want(400, "PATCH", path, `{`)
}

func TestFaultsOfAccounts(t *testing.T) {
	s := newServer(t)
	s.site("news")
	r := s.want(422, "PUT", "/v1/sites/news/accounts/a", `{"id":"b","traits":{"a":{},"":1,"b":"`+strings.Repeat("x", 513)+`"},"colour":1,"entitlements":[
		{"name":"","state":"lost"},{"name":"x","from":"2026-03-02T00:00:00Z","until":"2026-03-01T00:00:00Z"},{"name":"y","state":"past_due"},{"name":"z","until":"monday"}]}`)
	want := []string{"body.colour unknown_field", "body.entitlements[0].name bad_value", "body.entitlements[0].state bad_value", "body.entitlements[3].until bad_time",
		"body.id bad_value", "body.traits. bad_value", "body.traits.a wrong_type", "body.traits.b too_long"}
	if diff := cmp.Diff(want, r.codes(t)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if got := s.want(422, "PUT", "/v1/sites/news/accounts/a", `{"entitlements":[{"name":"x","from":"2026-03-02T00:00:00Z","until":"2026-03-01T00:00:00Z"},{"name":"y","state":"past_due"}]}`).codes(t); !slices.Equal(got,
		[]string{"body.entitlements[0].until bad_range", "body.entitlements[1].past_due_since missing_field"}) {
		t.Error(got)
	}
	many := `{"traits":{`
	for i := range 64 {
		many += fmt.Sprintf(`"t%d":"%s",`, i, strings.Repeat("x", 512))
	}
	if got := s.want(422, "PUT", "/v1/sites/news/accounts/a", strings.TrimSuffix(many, ",")+`}}`).codes(t); !slices.Equal(got, []string{"body too_long"}) {
		t.Error(got)
	}
	s.want(404, "PUT", "/v1/sites/nwes/accounts/a", `{}`)
	s.want(422, "PUT", "/v1/sites/news/accounts/"+strings.Repeat("x", 513), `{}`)
}

func TestManyAccounts(t *testing.T) {
	s := newServer(t)
	s.site("news")
	s.want(201, "PUT", "/v1/sites/news/accounts/a1", `{}`)
	r := s.want(200, "POST", "/v1/sites/news/accounts", `[{"id":"a1","traits":{"n":1}},{"id":"a2"},{"id":"a2","entitlements":[{"name":"premium","until":null}]}]`)
	if compact(t, r.body) != `{"created":1,"updated":1}` {
		t.Error(r.body)
	}
	var lines strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&lines, "{\"id\":\"n%d\",\"traits\":{\"text\":%q}}\n", i, strings.Repeat("x", 100))
	}
	if r := s.want(200, "POST", "/v1/sites/news/accounts", lines.String(), "Content-Type: application/x-ndjson"); compact(t, r.body) != `{"created":3000,"updated":0}` {
		t.Error(r.body)
	}
	if got := s.want(200, "GET", "/v1/sites/news/accounts/n2999", "").json(t); got["known"] != true {
		t.Error(got)
	}
	if got := s.want(422, "POST", "/v1/sites/news/accounts", `[{"id":"ok"},{"id":""},{"traits":{}},7]`).codes(t); !slices.Equal(got,
		[]string{"body[1].id bad_value", "body[2].id missing_field", "body[3] wrong_type"}) {
		t.Error(got)
	}
	if s.engine.Profiles("news").Account("ok") != nil {
		t.Error("a list with faults was written in part")
	}
}

// row stores a page view, of a proven account or of none.
func (s *server) row(device, account string, ago time.Duration) {
	s.t.Helper()
	e := event.Event{ID: fmt.Sprint(device, account, ago), Device: device, Time: s.clock().Add(-ago).UnixMilli()}
	e.Columns[event.ColType], e.Columns[event.ColItem], e.Columns[event.ColAccount] = event.TypePageView, "a1", account
	e.Properties = []event.Property{{Name: "words", Value: "12", Kind: event.KindNumber}, {Name: "desk", Value: `"x"`}}
	if account != "" {
		e.Flags |= event.FlagProven
	}
	s.log.event(s.t, "news", e)
}

func TestReaderIsExported(t *testing.T) {
	s := newServer(t)
	s.site("news")
	s.want(201, "PUT", "/v1/sites/news/accounts/a7", `{"traits":{"city":"Köln"},"entitlements":[{"name":"premium"}]}`)
	s.row("d/1", "", time.Hour)
	s.row("d/1", "a7", time.Minute)
	s.row("d/1", "", 0)
	s.want(200, "POST", "/v1/sites/news/logins", `{"device":"d/1","account":"a7"}`)
	r := s.want(200, "GET", "/v1/sites/news/readers/device:d%2F1", "")
	var got ReaderExport
	if err := json.Unmarshal([]byte(r.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Reader != "device:d/1" || !got.Known || got.Registered || got.LoggedInTo != "account:a7" || !slices.Equal(got.Accounts, []string{"account:a7"}) ||
		len(got.Rows) != 2 || got.Account != nil || !got.FirstSeen.Equal(s.clock().Add(-time.Hour)) {
		t.Fatal(r.body)
	}
	if diff := cmp.Diff(map[string]any{"time": "2026-03-01T06:30:00.000Z", "device": "d/1", "type": "page_view", "item": "a1",
		"properties": map[string]any{"words": 12.0, "desk": `"x"`}}, got.Rows[0]); diff != "" {
		t.Error(diff)
	}
	r = s.want(200, "GET", "/v1/sites/news/readers/account:a7", "")
	got = ReaderExport{}
	if err := json.Unmarshal([]byte(r.body), &got); err != nil {
		t.Fatal(err)
	}
	if !got.Registered || !slices.Equal(got.Devices, []string{"device:d/1"}) || len(got.Rows) != 3 || got.Account.Traits["city"] != "Köln" || !got.Account.Entitlements[0].Holds {
		t.Fatal(r.body)
	}
	if got.Rows[0]["joined"] != true || got.Rows[1]["proven"] != true || got.Rows[1]["account"] != "a7" || got.Rows[2]["joined"] != true {
		t.Error(r.body)
	}
	for _, unknown := range []string{"device:nobody", "account:nobody"} {
		r := s.want(200, "GET", "/v1/sites/news/readers/"+unknown, "")
		if got := r.json(t); got["known"] != false || got["first_seen"] != nil || len(got["rows"].([]any)) != 0 {
			t.Error(r.body)
		}
	}
	for _, bad := range []string{"d1", "device:", "account:", "reader:1"} {
		if got := s.want(422, "GET", "/v1/sites/news/readers/"+bad, "").codes(t); !slices.Equal(got, []string{"path.reader bad_value"}) {
			t.Errorf("%s: %v", bad, got)
		}
		s.want(422, "DELETE", "/v1/sites/news/readers/"+bad, "")
	}
}

func TestLogins(t *testing.T) {
	s := newServer(t)
	s.site("news")
	if r := s.want(200, "POST", "/v1/sites/news/logins", `{"device":"d1","account":"a7"}`); compact(t, r.body) != `{"device":"d1","account":"a7"}` {
		t.Error(r.body)
	}
	if account, ok := s.engine.Login("news", "d1"); !ok || account != "a7" {
		t.Error(account, ok)
	}
	s.want(200, "POST", "/v1/sites/news/logins", `{"device":"d1","account":"b2"}`)
	if account, _ := s.engine.Login("news", "d1"); account != "b2" {
		t.Error("a new login does not replace the old one")
	}
	s.want(204, "DELETE", "/v1/sites/news/logins/d1", "")
	s.want(204, "DELETE", "/v1/sites/news/logins/d1", "")
	if _, ok := s.engine.Login("news", "d1"); ok {
		t.Error("logged out, and still logged in")
	}
	if got := s.want(422, "POST", "/v1/sites/news/logins", `{"device":"account:a7","acount":"a7"}`).codes(t); !slices.Equal(got,
		[]string{"body.account missing_field", "body.acount unknown_field", "body.device bad_value"}) {
		t.Error(got)
	}
}

func TestErasure(t *testing.T) {
	s := newServer(t)
	s.site("news")
	s.want(201, "POST", "/v1/sites", `{"id":"long","window":"90d"}`)
	s.want(201, "PUT", "/v1/sites/news/accounts/a7", `{"traits":{"city":"Köln"}}`)
	s.row("d1", "", time.Hour)
	s.row("d1", "a7", time.Minute)
	s.row("d2", "", time.Minute)
	other := s.want(200, "GET", "/v1/sites/news/readers/device:d2", "").body
	r := s.want(200, "DELETE", "/v1/sites/news/readers/account:a7", "")
	if got := compact(t, r.body); got != `{"reader":"account:a7","memory":"2026-03-01T07:30:00Z","archive":"2026-03-02T07:30:00Z","log":"2026-06-02T01:00:00Z"}` {
		t.Error(got)
	}
	if got := s.want(200, "GET", "/v1/sites/news/readers/account:a7", "").json(t); got["known"] != false || len(got["rows"].([]any)) != 0 || len(got["account"].(map[string]any)["traits"].(map[string]any)) != 0 {
		t.Error(got)
	}
	if got := s.want(200, "GET", "/v1/sites/news/accounts/a7", "").json(t); got["known"] != false {
		t.Error(got)
	}
	if got := s.want(200, "GET", "/v1/sites/news/readers/device:d1", "").json(t); len(got["rows"].([]any)) != 1 || got["accounts"] != nil {
		t.Error(got)
	}
	s.want(200, "DELETE", "/v1/sites/news/readers/device:d1", "")
	if got := s.want(200, "GET", "/v1/sites/news/readers/device:d1", "").json(t); got["known"] != false {
		t.Error(got)
	}
	strip := func(body string) string {
		return body[:strings.Index(body, `"as_of"`)] + body[strings.Index(body, `"rows"`):]
	}
	if again := s.want(200, "GET", "/v1/sites/news/readers/device:d2", "").body; strip(again) != strip(other) {
		t.Errorf("another reader has changed:\n%s\n%s", other, again)
	}
	s.want(200, "DELETE", "/v1/sites/news/readers/device:nobody", "")
}

func TestDevices(t *testing.T) {
	s := newServer(t)
	writeKey := "Authorization: Bearer " + s.site("news")
	s.site("blog")
	devices := identity.NewDevices(testSecret)
	made := map[string]bool{}
	for _, body := range []string{"", "{}"} {
		got := s.want(201, "POST", "/v1/sites/news/devices", body, writeKey).json(t)
		device, ok := devices.Open(got["token"].(string))
		if !ok || device != got["device"] || made[device] {
			t.Errorf("%v opens as %q", got, device)
		}
		made[device] = true
	}
	got := s.want(201, "POST", "/v1/sites/news/devices", `{"device":"app-7"}`, s.key(nil, "readers:write")).json(t)
	if device, ok := devices.Open(got["token"].(string)); !ok || device != "app-7" {
		t.Errorf("%v opens as %q", got, device)
	}
	s.want(403, "POST", "/v1/sites/news/devices", `{"device":"app-7"}`, writeKey)
	s.want(403, "POST", "/v1/sites/news/devices", `{"device":"app-7"}`, s.key(nil, "readers:read"))
	s.want(403, "POST", "/v1/sites/blog/devices", `{}`, writeKey)
	s.want(401, "POST", "/v1/sites/news/devices", `{}`, "-Authorization")
	if got := s.want(422, "POST", "/v1/sites/news/devices", `{"device":"account:a7"}`).codes(t); !slices.Equal(got, []string{"body.device bad_value"}) {
		t.Error(got)
	}
}

func TestLists(t *testing.T) {
	s := newServer(t)
	s.site("news")
	const path = "/v1/sites/news/lists/campus"
	want := `{"name":"campus","entitlement":"premium","cidrs":["192.0.2.0/24","2001:db8::1"],"domains":["uni.example"],"seats":50}`
	r := s.want(201, "PUT", path, `{"entitlement":"premium","cidrs":["192.0.2.0/24","2001:db8::1"],"domains":["Uni.Example"],"seats":50}`)
	if got := compact(t, r.body); got != want {
		t.Fatal(got)
	}
	if got := compact(t, s.want(200, "GET", path, "").body); got != want {
		t.Fatal(got)
	}
	s.want(304, "GET", path, "", "If-None-Match: "+r.Header.Get("ETag"))
	profiles := s.engine.Profiles("news")
	if l, ok := profiles.Listed("premium", "device:d1", profiles.Matches(netip.MustParseAddr("192.0.2.9"), ""), s.clock().UnixMilli()); !ok || l.List != "campus" {
		t.Errorf("%+v", l)
	}
	s.want(412, "PUT", path, `{"entitlement":"x"}`, "If-None-Match: *")
	s.want(200, "PUT", path, `{"entitlement":"x"}`)
	s.want(201, "PUT", "/v1/sites/news/lists/a%2Fb", `{"entitlement":"x"}`)
	page := s.want(200, "GET", "/v1/sites/news/lists?limit=1", "").json(t)
	if len(page["lists"].([]any)) != 1 || page["cursor"] == nil {
		t.Error(page)
	}
	page = s.want(200, "GET", "/v1/sites/news/lists?cursor="+page["cursor"].(string), "").json(t)
	if lists := page["lists"].([]any); len(lists) != 1 || lists[0].(map[string]any)["name"] != "campus" {
		t.Error(page)
	}
	if got := s.want(422, "PUT", path, `{"cidrs":["192.0.2.0/33","x"],"domains":["@x","a:1"],"seats":-1}`).codes(t); !slices.Equal(got,
		[]string{"body.cidrs[0] bad_value", "body.cidrs[1] bad_value", "body.domains[0] bad_value", "body.domains[1] bad_value", "body.entitlement missing_field", "body.seats bad_value"}) {
		t.Error(got)
	}
	s.want(204, "DELETE", path, "")
	if r := s.want(404, "GET", "/v1/sites/news/lists/a-b", ""); !strings.Contains(r.body, "a/b") {
		t.Error(r.body)
	}
	s.want(404, "DELETE", path, "")
}

func TestLinks(t *testing.T) {
	s := newServer(t)
	s.site("news")
	s.want(201, "PUT", "/v1/sites/news/items/a1", `{"url":"https://news.example/a1?page=2#top"}`)
	links := identity.NewLinks(testSecret)
	open := func(r answered) identity.Link {
		t.Helper()
		link, ok := links.Open(r.json(t)["token"].(string))
		if !ok || link.Site != "news" || link.ID == "" {
			t.Fatalf("%s opens as %+v", r.body, link)
		}
		return link
	}
	r := s.want(201, "POST", "/v1/sites/news/links", `{"kind":"gift","item":"a1","giver":"account:7","expires_in":"14d","uses":10}`)
	got, link := r.json(t), open(r)
	if got["url"] != "https://news.example/a1?page=2&rs="+got["token"].(string)+"#top" || got["expires_at"] != "2026-03-15T07:30:00Z" || got["uses"] != 10.0 || got["left"] != 10.0 {
		t.Error(r.body)
	}
	if link.Kind != "gift" || link.Item != "a1" || link.Giver != links.Giver("news", "account:7") || link.Uses != 10 || link.Expires != s.clock().Add(14*24*time.Hour).UnixMilli() {
		t.Errorf("%+v", link)
	}
	use := event.LinkUse{Kind: link.Kind, Giver: link.Giver, Uses: link.Uses, Expires: link.Expires, At: s.clock().UnixMilli()}
	value, _ := json.Marshal(use)
	if _, err := s.log.CommitFacts(t.Context(), event.Fact{Kind: event.FactUse, Site: "news", Key: event.UseKey(link.ID, "device:d1"), Value: value}); err != nil {
		t.Fatal(err)
	}
	r = s.want(201, "POST", "/v1/sites/news/links", `{"kind":"gift","item":"unknown","giver":"account:7"}`)
	if got := r.json(t); got["left"] != 9.0 || got["url"] != "?rs="+got["token"].(string) || got["uses"] != 10.0 {
		t.Error(r.body)
	}
	r = s.want(201, "POST", "/v1/sites/news/links", `{"kind":"newsletter","item":"www.news.example/b","expires_in":"90m"}`)
	if got := r.json(t); got["url"] != "https://www.news.example/b?rs="+got["token"].(string) || got["uses"] != nil || got["left"] != nil {
		t.Error(r.body)
	}
	if link := open(r); link.Uses != 0 || link.Giver != "" || link.Expires != s.clock().Add(90*time.Minute).UnixMilli() {
		t.Errorf("%+v", link)
	}
	for body, want := range map[string]string{
		`{"kind":"gift","item":"a1"}`:                                                  "body.giver missing_field",
		`{"kind":"gift","item":"a1","giver":"ann"}`:                                    "body.giver bad_value",
		`{"kind":"loan","item":"a1"}`:                                                  "body.kind bad_value",
		`{"kind":"preview"}`:                                                           "body.item missing_field",
		`{"kind":"preview","item":"a1","uses":0}`:                                      "body.uses bad_value",
		`{"kind":"preview","item":"a1","uses":1001}`:                                   "body.uses bad_value",
		`{"kind":"preview","item":"a1","expires_in":"soon"}`:                           "body.expires_in bad_value",
		`{"kind":"preview","item":"a1","expires_in":"30s"}`:                            "body.expires_in bad_value",
		`{"kind":"preview","item":"a1","expires_in":"401d"}`:                           "body.expires_in bad_value",
		`{"kind":"gift","item":"` + strings.Repeat("x", 513) + `","giver":"device:d"}`: "body.item too_long",
	} {
		if got := s.want(422, "POST", "/v1/sites/news/links", body).codes(t); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %v, want %s", body, got, want)
		}
	}
}
