package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/readership/readership/internal/collect"
)

var update = flag.Bool("update", false, "write the golden files anew")

const golden = "../../docs/api/openapi.json"

// The description is a file under version control: a change of the interface
// shows in review, and the dashboard's types are made from it.
func TestOpenAPIGolden(t *testing.T) {
	s := newServer(t, func(d *Deps) { d.Version = "0.1.0" })
	var got bytes.Buffer
	if err := json.Indent(&got, s.api.openapi.json, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Fatalf("the description differs from %s; run go test ./internal/api -run OpenAPI -update and review the change", golden)
	}
}

// undescribed are routes outside of the description, with the reason.
var undescribed = map[string]string{
	"OPTIONS /v1/events":                             "preflight of browsers",
	"OPTIONS /v1/pixel.gif":                          "preflight of browsers",
	"OPTIONS /v1/sites/{site}/decisions":             "preflight of browsers",
	"OPTIONS /v1/sites/{site}/decisions/{id}/commit": "preflight of browsers",
	"GET /rs.js":                                     "a script that pages load",
	"GET /js/{script}":                               "a script that pages load",
	"GET /openapi.json":                              "the description itself",
	"GET /openapi.yaml":                              "the description itself",
	"GET /docs":                                      "a page",
	"GET /docs/docs.js":                              "of the page",
	"GET /docs/docs.css":                             "of the page",
}

func TestEveryRouteIsDescribed(t *testing.T) {
	s := newServer(t)
	var spec struct {
		Paths map[string]map[string]struct {
			OperationID string
			Summary     string
			Tags        []string
			Responses   map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal(s.api.openapi.json, &spec); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	ids := map[string]string{}
	for path, methods := range spec.Paths {
		for method, op := range methods {
			route := strings.ToUpper(method) + " " + path
			described[route] = true
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) == 0 || len(op.Responses) == 0 {
				t.Errorf("%s lacks an id, a summary, a tag or answers", route)
			}
			if other, ok := ids[op.OperationID]; ok {
				t.Errorf("%s and %s share the id %s", route, other, op.OperationID)
			}
			ids[op.OperationID] = route
		}
	}
	foreign := map[string]bool{} // what foreign trackers send to, in their words
	for _, p := range collect.Patterns() {
		foreign[p.Method+" "+p.Path], foreign["OPTIONS "+p.Path] = true, true
	}
	for _, route := range s.api.mux.patterns {
		if _, ok := undescribed[route]; !ok && !described[route] && !foreign[route] {
			t.Errorf("%s is not described", route)
		}
		delete(described, route)
	}
	for route := range described {
		t.Errorf("%s is described and not there", route)
	}
}
