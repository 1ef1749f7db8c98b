package api

import (
	"net/http"
	"testing"
)

// FuzzBodies sends any bytes to every operation that reads a body itself or
// through the schema: the answer is never a failure of ours.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{`{}`, `[]`, `{"id":"x","domains":["a"],"window":"30d","identity":{"secret":null}}`, `[{"id":"a","published_at":1e300}]`,
		"{\"id\":\"a\"}\n{\"id\":\"b\"}", `{"name":"x","scopes":["query:read"]}`, `null`, `"x"`, `{"timezone":{"a":[{}]}}`, "\xff", `{"published_at":"x","attributes":{"a":null}}`,
		`{"program":"access a { allow b }","from":0,"to":1e300,"against":{"version":-1},"timezone":"UTC"}`, `{"program":{"files":{"main":"active"}},"against":"active"}`,
		`{"email":"a@b","password":"correct horse","role":"viewer","token":"x"}`} {
		f.Add([]byte(seed))
	}
	s := newServer(f)
	s.site("news")
	f.Fuzz(func(t *testing.T, body []byte) {
		s.t = t
		for _, op := range [][2]string{{"POST", "/v1/sites"}, {"PATCH", "/v1/sites/news"}, {"POST", "/v1/sites/news/items"}, {"PUT", "/v1/sites/news/items/a"},
			{"POST", "/v1/sites/news/simulations"}, {"POST", "/v1/sites/news/write-keys"}, {"POST", "/v1/keys"}, {"POST", "/v1/sites/news/views"}, {"POST", "/v1/setup"}, {"POST", "/v1/people"}} {
			for _, kind := range []string{"application/json", "application/x-ndjson", "application/merge-patch+json"} {
				r := s.do(op[0], op[1], string(body), "Content-Type: "+kind)
				if r.StatusCode >= http.StatusInternalServerError {
					t.Errorf("%s %s %s: %d %s", op[0], op[1], kind, r.StatusCode, r.body)
				}
			}
		}
	})
}
