package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/store"
)

const password = "correct horse"

// person creates a person and returns their id.
func (s *server) person(email, role string, sites []string) string {
	s.t.Helper()
	hash, err := s.api.Hasher.Hash(s.t.Context(), password)
	if err != nil {
		s.t.Fatal(err)
	}
	p := store.Person{ID: "person-" + email, Email: email, Name: email, Role: role, Sites: sites, PasswordHash: hash}
	if err := s.store.CreatePerson(s.t.Context(), p); err != nil {
		s.t.Fatal(err)
	}
	return p.ID
}

// signIn returns the header of a session's cookie.
func (s *server) signIn(email string) string {
	s.t.Helper()
	r := s.want(201, "POST", "/v1/sessions", `{"email":"`+email+`","password":"`+password+`"}`, "-Authorization")
	return "Cookie: " + r.Cookies()[0].Name + "=" + r.Cookies()[0].Value
}

// Every operation, with a call that succeeds for who may make it.
var operations = []struct {
	id, method, path, body string
	scope                  string // "": open; "any": signed in
	site                   bool   // asks for site news
}{
	{"healthz", "GET", "/healthz", "", "", false},
	{"readyz", "GET", "/readyz", "", "", false},
	{"metrics", "GET", "/metrics", "", "", false},
	{"setup-state", "GET", "/v1/setup", "", "", false},
	{"setup", "POST", "/v1/setup", `{"token":"x","email":"x@example.org","password":"correct horse"}`, "", false},
	{"sign-in", "POST", "/v1/sessions", `{"email":"nobody@example.org","password":"x"}`, "", false},
	{"who-am-i", "GET", "/v1/sessions/current", "", "any", false},
	{"list-people", "GET", "/v1/people", "", "admin:read", false},
	{"create-person", "POST", "/v1/people", `{"email":"UNIQUE@example.org","role":"viewer","password":"correct horse","sites":["news"]}`, "admin:write", false},
	{"update-person", "PATCH", "/v1/people/none", `{}`, "admin:write", false},
	{"delete-person", "DELETE", "/v1/people/none", "", "admin:write", false},
	{"list-keys", "GET", "/v1/keys", "", "admin:read", false},
	{"create-key", "POST", "/v1/keys", `{"name":"x","scopes":["query:read"],"sites":["news"]}`, "admin:write", false},
	{"delete-key", "DELETE", "/v1/keys/none", "", "admin:write", false},
	{"list-sites", "GET", "/v1/sites", "", "sites:read", false},
	{"create-site", "POST", "/v1/sites", `{"id":"news"}`, "sites:write", false},
	{"get-site", "GET", "/v1/sites/news", "", "sites:read", true},
	{"update-site", "PATCH", "/v1/sites/news", `{"name":"x"}`, "sites:write", true},
	{"snippet", "GET", "/v1/sites/news/snippet", "", "sites:read", true},
	{"first-view", "GET", "/v1/sites/news/first-view", "", "query:read", true},
	{"create-write-key", "POST", "/v1/sites/news/write-keys", `{}`, "sites:write", true},
	{"list-write-keys", "GET", "/v1/sites/news/write-keys", "", "sites:read", true},
	{"delete-write-key", "DELETE", "/v1/sites/news/write-keys/none", "", "sites:write", true},
	{"query", "POST", "/v1/sites/news/query", `{}`, "query:read", true},
	{"live", "GET", "/v1/sites/news/live", "", "query:read", true},
	{"ledger", "GET", "/v1/sites/news/ledger", "", "query:read", true},
	{"export-events", "GET", "/v1/sites/news/events", "", "events:read", true},
	{"get-program", "GET", "/v1/sites/news/program", "", "program:read", true},
	{"get-schema", "GET", "/v1/sites/news/schema", "", "program:read", true},
	{"put-program", "PUT", "/v1/sites/news/program", `{"files":{"main":"segment all = events |> any"}}`, "program:write", true},
	{"check-program", "POST", "/v1/sites/news/program/check", `{"files":{"main":"segment all = events |> any"}}`, "program:read", true},
	{"get-program-version", "GET", "/v1/sites/news/program/versions/1", "", "program:read", true},
	{"create-simulation", "POST", "/v1/sites/news/simulations", `{}`, "program:read", true},
	{"list-program-versions", "GET", "/v1/sites/news/program/versions", "", "program:read", true},
	{"get-program-version", "GET", "/v1/sites/news/program/versions/0", "", "program:read", true},
	{"create-simulation", "POST", "/v1/sites/news/simulations", `{"program":{"version":0},"access":"none"}`, "program:read", true},
	{"get-simulation", "GET", "/v1/sites/news/simulations/none", "", "program:read", true},
	{"stop-simulation", "DELETE", "/v1/sites/news/simulations/none", "", "program:read", true},
	{"activate-program", "POST", "/v1/sites/news/program/versions/1/activate", "", "program:write", true},
	{"list-segments", "GET", "/v1/sites/news/segments", "", "segments:read", true},
	{"get-segment", "GET", "/v1/sites/news/segments/all", "", "segments:read", true},
	{"list-segment-members", "GET", "/v1/sites/news/segments/all/members", "", "segments:read", true},
	{"get-reader-segments", "GET", "/v1/sites/news/readers/device:d1/segments", "", "segments:read", true},
	{"list-items", "GET", "/v1/sites/news/items", "", "catalog:read", true},
	{"write-items", "POST", "/v1/sites/news/items", `[{"id":"a"}]`, "catalog:write", true},
	{"get-item", "GET", "/v1/sites/news/items/a", "", "catalog:read", true},
	{"put-item", "PUT", "/v1/sites/news/items/a", `{}`, "catalog:write", true},
	{"delete-item", "DELETE", "/v1/sites/news/items/b", "", "catalog:write", true},
	{"get-account", "GET", "/v1/sites/news/accounts/a7", "", "readers:read", true},
	{"put-account", "PUT", "/v1/sites/news/accounts/a7", `{}`, "readers:write", true},
	{"update-account", "PATCH", "/v1/sites/news/accounts/a7", `{}`, "readers:write", true},
	{"delete-account", "DELETE", "/v1/sites/news/accounts/a7", "", "readers:write", true},
	{"write-accounts", "POST", "/v1/sites/news/accounts", `[{"id":"a7"}]`, "readers:write", true},
	{"log-in", "POST", "/v1/sites/news/logins", `{"device":"d1","account":"a7"}`, "readers:write", true},
	{"log-out", "DELETE", "/v1/sites/news/logins/d1", "", "readers:write", true},
	{"create-device", "POST", "/v1/sites/news/devices", `{}`, "any", true},
	{"get-reader", "GET", "/v1/sites/news/readers/device:d1", "", "readers:read", true},
	{"erase-reader", "DELETE", "/v1/sites/news/readers/device:none", "", "readers:write", true},
	{"list-lists", "GET", "/v1/sites/news/lists", "", "sites:read", true},
	{"put-list", "PUT", "/v1/sites/news/lists/campus", `{"entitlement":"premium"}`, "sites:write", true},
	{"get-list", "GET", "/v1/sites/news/lists/campus", "", "sites:read", true},
	{"get-routes", "GET", "/v1/sites/news/routes", "", "sites:read", true},
	{"put-routes", "PUT", "/v1/sites/news/routes", `[]`, "sites:write", true},
	{"put-offer", "PUT", "/v1/sites/news/offers/wall", `{"title":"Stay"}`, "sites:write", true},
	{"get-offer", "GET", "/v1/sites/news/offers/wall", "", "sites:read", true},
	{"delete-offer", "DELETE", "/v1/sites/news/offers/wall", "", "sites:write", true},
	{"auth", "GET", "/v1/sites/news/auth?access=story", "", "", false},
	{"delete-list", "DELETE", "/v1/sites/news/lists/campus", "", "sites:write", true},
	{"create-link", "POST", "/v1/sites/news/links", `{"kind":"preview","item":"a1"}`, "decisions:write", true},
	{"decide", "POST", "/v1/sites/news/decisions", `{"access":"story","reader":{"device":"d1"},"item":{"id":"a"}}`, "decisions:read", true},
	{"commit-decision", "POST", "/v1/sites/news/decisions/none/commit", "", "decisions:write", true},
	{"explain-decision", "GET", "/v1/sites/news/decisions/none", "", "decisions:read", true},
	{"find-decisions", "GET", "/v1/sites/news/decisions?code=abcdefgh", "", "decisions:read", true},
	{"list-reader-decisions", "GET", "/v1/sites/news/readers/device:d1/decisions", "", "readers:read", true},
	{"empty-meter", "DELETE", "/v1/sites/news/readers/device:d1/meters/none", "", "readers:write", true},
	{"list-views", "GET", "/v1/sites/news/views", "", "query:read", true},
	{"create-view", "POST", "/v1/sites/news/views", `{"name":"x","state":{}}`, "query:write", true},
	{"get-view", "GET", "/v1/sites/news/views/none", "", "query:read", true},
	{"put-view", "PUT", "/v1/sites/news/views/none", `{"name":"x","state":{}}`, "query:write", true},
	{"delete-view", "DELETE", "/v1/sites/news/views/none", "", "query:write", true},
	{"list-quarantine", "GET", "/v1/quarantine", "", "admin:read", false},
	{"get-quarantined", "GET", "/v1/quarantine/20000-0-1", "", "admin:read", false},
	{"sign-out", "DELETE", "/v1/sessions/current", "", "any", false},
}

// forOwnReader are those that a write key may call for the reader who sends it.
var forOwnReader = map[string]bool{"decide": true, "commit-decision": true}

// elsewhere says where operations are tried that do not fit the table.
var elsewhere = map[string]string{
	"query-stream": "TestQueryStream", "follow-segments": "TestSegmentChanges", "delete-site": "TestSitesLifeCycle",
	"collect": "the collector has its own tests", "pixel": "the collector has its own tests",
}

func TestEveryOperationAsksForItsScope(t *testing.T) {
	s := newServer(t)
	writeKey := "Authorization: Bearer " + s.site("news")
	s.site("blog")
	s.person("viewer@example.org", auth.RoleViewer, nil)
	s.person("editor@example.org", auth.RoleEditor, nil)
	s.person("admin@example.org", auth.RoleAdmin, nil)
	s.person("elsewhere@example.org", auth.RoleAdmin, []string{"blog"})
	roles := map[string]auth.Scopes{"viewer@example.org": auth.RoleScopes(auth.RoleViewer), "editor@example.org": auth.RoleScopes(auth.RoleEditor),
		"admin@example.org": auth.AllScopes}

	tried := map[string]bool{}
	for n, op := range operations {
		tried[op.id] = true
		t.Run(op.id, func(t *testing.T) {
			s.t = t
			send := func(who string) int {
				body := strings.Replace(op.body, "UNIQUE", fmt.Sprint("u", n, len(who), strings.Map(func(r rune) rune {
					if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
						return r
					}
					return -1
				}, strings.ToLower(who))), 1)
				return s.do(op.method, op.path, body, who).StatusCode
			}
			passes := func(status int) bool {
				return status != http.StatusUnauthorized && status != http.StatusForbidden
			}
			if op.scope == "" {
				for _, who := range []string{"-Authorization", "Authorization: Bearer wrong"} {
					if status := send(who); status == http.StatusForbidden || status == http.StatusUnauthorized && op.id != "sign-in" {
						t.Errorf("%s: %d", who, status)
					}
				}
				return
			}
			for _, who := range []string{"-Authorization", "Authorization: Bearer wrong", "Authorization: Basic cm9vdA=="} {
				r := s.want(401, op.method, op.path, op.body, who)
				if r.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s: no WWW-Authenticate", who)
				}
			}
			if op.scope == "any" {
				if status := send(writeKey); !passes(status) {
					t.Errorf("a write key: %d", status)
				}
				return
			}
			area, verb, _ := strings.Cut(op.scope, ":")
			if status := send(writeKey); (status != 403) != forOwnReader[op.id] {
				t.Errorf("a write key: %d", status)
			}
			if status := send(s.key(nil, area+":write")); !passes(status) {
				t.Errorf("%s:write: %d", area, status)
			}
			if status := send(s.key(nil, area+":read")); passes(status) != (verb == "read") {
				t.Errorf("%s:read: %d", area, status)
			}
			var others []string
			for _, name := range auth.ScopeNames() {
				if !strings.HasPrefix(name, area+":") || name == "events:import" {
					others = append(others, name)
				}
			}
			if status := send(s.key(nil, others...)); status != 403 {
				t.Errorf("every scope of other areas: %d", status)
			}
			if status := send(s.key([]string{"news"}, area+":write")); !passes(status) {
				t.Errorf("a key for the site: %d", status)
			}
			if op.site {
				if status := send(s.key([]string{"blog"}, area+":write")); status != 403 {
					t.Errorf("a key for another site: %d", status)
				}
			}
			want, err := auth.ParseScope(op.scope)
			if err != nil {
				t.Fatal(err)
			}
			for email, scopes := range roles {
				if status := send2(s, op.method, op.path, strings.Replace(op.body, "UNIQUE", "r"+fmt.Sprint(n)+email[:3], 1), s.signIn(email)); passes(status) != scopes.Has(want) {
					t.Errorf("%s: %d", email, status)
				}
			}
			if op.site {
				if status := send2(s, op.method, op.path, op.body, s.signIn("elsewhere@example.org")); status != 403 {
					t.Errorf("an admin of another site: %d", status)
				}
			}
		})
	}
	for _, item := range s.api.huma.OpenAPI().Paths {
		for _, op := range []string{operationID(item.Get), operationID(item.Post), operationID(item.Put), operationID(item.Patch), operationID(item.Delete)} {
			if op != "" && !tried[op] && elsewhere[op] == "" {
				t.Errorf("%s is not in the table", op)
			}
		}
	}
}

func send2(s *server, method, path, body, cookie string) int {
	return s.do(method, path, body, "-Authorization", cookie).StatusCode
}

func TestSessions(t *testing.T) {
	s := newServer(t)
	s.site("news")
	s.person("ada@example.org", auth.RoleEditor, []string{"news"})
	r := s.want(201, "POST", "/v1/sessions", `{"email":"Ada@example.org","password":"correct horse"}`, "-Authorization", "User-Agent: test")
	cookie := r.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Secure || cookie.Path != "/" {
		t.Errorf("cookie %v", cookie)
	}
	if r := s.want(201, "POST", "/v1/sessions", `{"email":"ada@example.org","password":"correct horse"}`, "-Authorization", "X-Forwarded-Proto: https"); r.Cookies()[0].Secure {
		t.Error("an outsider's header makes the cookie secure")
	}
	session := "Cookie: " + cookie.Name + "=" + cookie.Value
	me := s.want(200, "GET", "/v1/sessions/current", "", "-Authorization", session).json(t)
	if me["email"] != "ada@example.org" || me["role"] != "editor" || me["kind"] != "person" || !cmp.Equal(me["sites"], []any{"news"}) {
		t.Errorf("%v", me)
	}
	if root := s.want(200, "GET", "/v1/sessions/current", "").json(t); root["kind"] != "root" || len(root["scopes"].([]any)) != len(auth.AllScopes.Names()) {
		t.Errorf("%v", root)
	}
	for _, body := range []string{`{"email":"ada@example.org","password":"wrong horse"}`, `{"email":"eve@example.org","password":"correct horse"}`} {
		if r := s.want(401, "POST", "/v1/sessions", body, "-Authorization"); r.json(t)["detail"] != "e-mail or password is wrong" {
			t.Error(r.body)
		}
	}
	s.want(422, "POST", "/v1/sessions", `{}`, "-Authorization")

	// Reading across origins is no harm; writing with the cookie is.
	for _, c := range []struct {
		status  int
		headers []string
	}{
		{200, []string{"Sec-Fetch-Site: same-origin"}}, {200, []string{"Origin: http://example.com"}}, {200, nil},
		{403, []string{"Sec-Fetch-Site: cross-site"}}, {403, []string{"Sec-Fetch-Site: same-site"}}, {403, []string{"Origin: https://evil.example"}},
	} {
		headers := append([]string{"-Authorization", session}, c.headers...)
		s.want(c.status, "POST", "/v1/sites/news/query", `{}`, headers...)
		s.want(200, "GET", "/v1/sites/news", "", headers...)
	}
	s.want(200, "POST", "/v1/sites/news/query", `{}`, "Sec-Fetch-Site: cross-site") // a key needs no origin
	s.want(403, "POST", "/v1/sessions", `{"email":"ada@example.org","password":"correct horse"}`, "-Authorization", "Sec-Fetch-Site: cross-site")

	r = s.want(204, "DELETE", "/v1/sessions/current", "", "-Authorization", session)
	if r.Cookies()[0].MaxAge >= 0 {
		t.Error("the cookie stays")
	}
	if r := s.want(401, "GET", "/v1/sessions/current", "", "-Authorization", session); r.json(t)["code"] != "session_ended" {
		t.Error(r.body)
	}
	session = s.signIn("ada@example.org")
	s.sleep(15 * 24 * time.Hour)
	s.want(401, "GET", "/v1/sessions/current", "", "-Authorization", session)
}

func TestSignInIsLimited(t *testing.T) {
	s := newServer(t)
	for range 10 {
		s.want(401, "POST", "/v1/sessions", `{"email":"ada@example.org","password":"x"}`, "-Authorization")
	}
	r := s.want(429, "POST", "/v1/sessions", `{"email":"ada@example.org","password":"x"}`, "-Authorization")
	if r.Header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After %q", r.Header.Get("Retry-After"))
	}
	s.sleep(30 * time.Second)
	s.want(401, "POST", "/v1/sessions", `{"email":"ada@example.org","password":"x"}`, "-Authorization")
}

func TestKeysOverHTTP(t *testing.T) {
	s := newServer(t)
	s.site("news")
	made := s.want(201, "POST", "/v1/keys", `{"name":"cms","scopes":["catalog:write"],"sites":["news"]}`).json(t)
	key := "Authorization: Bearer " + made["key"].(string)
	s.want(201, "PUT", "/v1/sites/news/items/a", `{}`, key)
	s.want(403, "GET", "/v1/sites/news", "", key)
	list := s.want(200, "GET", "/v1/keys", "")
	if strings.Contains(list.body, made["key"].(string)) {
		t.Error("the key is shown again")
	}
	s.want(204, "DELETE", "/v1/keys/"+made["id"].(string), "")
	s.want(401, "GET", "/v1/sites/news/items/a", "", key)
	if r := s.want(404, "DELETE", "/v1/keys/"+made["id"].(string), ""); strings.Contains(r.body, "nearest") {
		t.Error(r.body)
	}
	for _, c := range []struct {
		body string
		want []string
	}{
		{`{}`, []string{"body.name missing_field", "body.scopes missing_field"}},
		{`{"name":"","scopes":[],"sites":["A B"]}`, []string{"body.name bad_value", "body.scopes bad_value", "body.sites[0] bad_value"}},
		{`{"name":"x","scopes":["query:read"],"sites":["news","nwes"]}`, []string{"body.sites[1] unknown_site"}},
		{`{"name":"x","scopes":["query:read","query:raed"]}`, []string{"body.scopes[1] bad_value"}},
		{`{"name":"x","scopes":"query:read","expires":1}`, []string{"body.expires unknown_field", "body.scopes wrong_type"}},
	} {
		if r := s.want(422, "POST", "/v1/keys", c.body); !cmp.Equal(r.codes(t), c.want) {
			t.Errorf("%s: %v", c.body, r.codes(t))
		}
	}
	// A key for some sites gives no access beyond them.
	limited := s.key([]string{"news"}, "admin:write")
	s.want(403, "POST", "/v1/keys", `{"name":"x","scopes":["query:read"]}`, limited)
	s.want(403, "POST", "/v1/keys", `{"name":"x","scopes":["query:read"],"sites":["news","blog"]}`, limited)
	s.want(201, "POST", "/v1/keys", `{"name":"x","scopes":["query:read"],"sites":["news"]}`, limited)
	other := s.want(201, "POST", "/v1/keys", `{"name":"all","scopes":["query:read"]}`).json(t)
	s.want(404, "DELETE", "/v1/keys/"+other["id"].(string), "", limited)
	if r := s.want(200, "GET", "/v1/keys", "", limited); strings.Contains(r.body, `"all"`) {
		t.Error(r.body)
	}
	s.want(403, "POST", "/v1/sites", `{"id":"blog"}`, s.key([]string{"news"}, "sites:write"))
}

func TestPeople(t *testing.T) {
	s := newServer(t)
	s.site("news")
	made := s.want(201, "POST", "/v1/people", `{"email":"Ada@example.org","name":"Ada","role":"admin","password":"correct horse"}`).json(t)
	if made["email"] != "ada@example.org" {
		t.Errorf("%v", made)
	}
	path := "/v1/people/" + made["id"].(string)
	s.want(409, "POST", "/v1/people", `{"email":"ada@EXAMPLE.org","role":"viewer","password":"correct horse"}`)
	if r := s.want(422, "POST", "/v1/people", `{"email":"Ada <a@b>","role":"owner","password":"short"}`); !cmp.Equal(r.codes(t), []string{"body.email bad_value", "body.password bad_value", "body.role bad_value"}) {
		t.Errorf("%v", r.codes(t))
	}
	if r := s.want(422, "POST", "/v1/people", `{}`); !cmp.Equal(r.codes(t), []string{"body.email missing_field", "body.password missing_field", "body.role missing_field"}) {
		t.Errorf("%v", r.codes(t))
	}
	if r := s.want(409, "DELETE", path, ""); r.json(t)["code"] != "last_admin" {
		t.Error(r.body)
	}
	s.want(409, "PATCH", path, `{"role":"viewer"}`)
	other := s.want(201, "POST", "/v1/people", `{"email":"bob@example.org","role":"admin","password":"correct horse"}`).json(t)
	session := s.signIn("ada@example.org")
	s.want(200, "PATCH", path, `{"role":"viewer","sites":["news"]}`)
	me := s.want(200, "GET", "/v1/sessions/current", "", "-Authorization", session).json(t)
	if me["role"] != "viewer" {
		t.Errorf("the session keeps the old role: %v", me)
	}
	s.want(422, "PATCH", path, `{"role":null}`)
	s.want(422, "PATCH", path, `{"password":"short"}`)
	s.want(200, "PATCH", path, `{"password":"another horse"}`)
	s.want(401, "GET", "/v1/sessions/current", "", "-Authorization", session)
	s.want(201, "POST", "/v1/sessions", `{"email":"ada@example.org","password":"another horse"}`, "-Authorization")
	s.want(204, "DELETE", path, "")
	s.want(404, "PATCH", path, `{}`)
	if n := strings.Count(s.want(200, "GET", "/v1/people", "").body, `"id"`); n != 1 {
		t.Errorf("%d people", n)
	}
	s.want(409, "DELETE", "/v1/people/"+other["id"].(string), "")
}

func TestViews(t *testing.T) {
	s := newServer(t)
	s.site("news")
	s.person("a@example.org", auth.RoleViewer, nil)
	s.person("b@example.org", auth.RoleViewer, nil)
	a, b := s.signIn("a@example.org"), s.signIn("b@example.org")
	as := func(status int, who, method, path, body string, headers ...string) answered {
		t.Helper()
		return s.want(status, method, "/v1/sites/news/views"+path, body, append([]string{"-Authorization", who}, headers...)...)
	}
	r := as(201, a, "POST", "", `{"name":"Morning","state":{"span":"24h"}}`)
	view, tag := r.json(t), r.Header.Get("ETag")
	id := "/" + view["id"].(string)
	if !cmp.Equal(view["state"], map[string]any{"span": "24h"}) || view["own"] != true {
		t.Errorf("%v", view)
	}
	as(404, b, "GET", id, "")
	as(404, b, "PUT", id, `{"name":"x","state":{}}`)
	as(200, a, "PUT", id, `{"name":"Evening","shared":true,"state":{"span":"7d"}}`, "If-Match: "+tag)
	as(412, a, "PUT", id, `{"name":"Night","state":{}}`, "If-Match: "+tag)
	if got := as(200, b, "GET", id, "").json(t); got["name"] != "Evening" || got["own"] != false {
		t.Errorf("%v", got)
	}
	as(403, b, "DELETE", id, "")
	as(304, b, "GET", id, "", `If-None-Match: "2"`)
	if n := strings.Count(as(200, b, "GET", "", "").body, `"id"`); n != 1 {
		t.Errorf("%d views", n)
	}
	as(422, a, "POST", "", `{"name":"","state":[]}`)
	s.want(204, "DELETE", "/v1/sites/news/views"+id, "") // an admin may
	as(404, a, "GET", id, "")
}

func TestSetup(t *testing.T) {
	s := newServer(t)
	state := func(token string) map[string]any {
		t.Helper()
		return s.want(200, "GET", "/v1/setup?token="+token, "", "-Authorization").json(t)
	}
	token := s.setupToken(t)
	if d := cmp.Diff(map[string]any{"needed": true, "valid": true}, state(token)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"needed": true, "valid": false}, state("guess")); d != "" {
		t.Error(d)
	}
	body := `{"token":"` + token + `","email":"ada@example.org","name":"Ada","password":"correct horse","site":{"id":"news","domains":["news.example"]}}`
	if r := s.want(422, "POST", "/v1/setup", `{"token":"`+token+`","email":"x","password":"short","site":{"id":"A","timezone":"Mars"}}`, "-Authorization"); !cmp.Equal(r.codes(t), []string{"body.email bad_value", "body.password bad_value", "body.site.id bad_value", "body.site.timezone bad_value"}) {
		t.Errorf("%v", r.codes(t))
	}
	s.want(410, "POST", "/v1/setup", strings.Replace(body, token, "guess", 1), "-Authorization")
	r := s.want(201, "POST", "/v1/setup", body, "-Authorization", "Host: stats.example")
	done := r.json(t)
	key := done["site"].(map[string]any)["write_key"].(string)
	if snippet := done["snippet"].(string); !strings.Contains(snippet, `src="http://example.com/rs.js" data-site="news" data-key="`+key+`"`) || !strings.Contains(snippet, "http://example.com/v1/pixel.gif?key="+key) {
		t.Error(snippet)
	}
	session := "Cookie: " + r.Cookies()[0].Name + "=" + r.Cookies()[0].Value
	s.want(200, "GET", "/v1/keys", "", "-Authorization", session) // the first person is an admin
	if r := s.want(200, "GET", "/v1/sites/news/snippet", "", "-Authorization", session).json(t); r["write_key"] != key || r["html"] != done["snippet"] {
		t.Errorf("%v", r)
	}
	s.want(410, "POST", "/v1/setup", body, "-Authorization")
	if d := cmp.Diff(map[string]any{"needed": false, "valid": false}, state(token)); d != "" {
		t.Error(d)
	}

	late := newServer(t)
	token = late.setupToken(t)
	late.sleep(time.Hour)
	late.want(410, "POST", "/v1/setup", strings.Replace(body, "TOKEN", token, 1), "-Authorization")
}
