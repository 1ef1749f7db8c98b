package openapitest

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestCheckFindsWhatDiffers(t *testing.T) {
	d, err := Load("../../docs/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path, media, body string
		status                  int
		wrong                   bool
	}{
		{"as described", "/healthz", "application/json", `{"status":"ok","version":"1"}`, 200, false},
		{"a missing member", "/healthz", "application/json", `{"status":"ok"}`, 200, true},
		{"another member", "/healthz", "application/json", `{"status":"ok","version":"1","x":1}`, 200, true},
		{"another type", "/healthz", "application/json", `{"status":"ok","version":1}`, 200, true},
		{"another media type", "/healthz", "text/html", `ok`, 200, true},
		{"no JSON", "/healthz", "application/json", `{`, 200, true},
		{"another status", "/v1/sites/news/program", "application/problem+json", `{}`, 418, true},
		{"a body of none", "/v1/sites/news", "", `x`, 304, true},
		{"what is not described", "/elsewhere", "", ``, 500, false},
	} {
		operation, err := d.Check(httptest.NewRequest(http.MethodGet, c.path, nil), c.status, http.Header{"Content-Type": {c.media}}, []byte(c.body))
		if (err != nil) != c.wrong || (operation == "") != (c.path == "/elsewhere") {
			t.Errorf("%s: %q, %v", c.name, operation, err)
		}
	}
}
