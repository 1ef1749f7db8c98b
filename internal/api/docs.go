package api

import (
	"embed"
	"net/http"
)

//go:embed docsite
var docFiles embed.FS

// registerDocs serves the description and the page that explains it. It comes
// last: every operation is described by then.
func (a *API) registerDocs() {
	d, err := a.describe()
	if err != nil {
		panic("the OpenAPI description cannot be written: " + err.Error()) // a programming error, met by every test
	}
	a.openapi = d
	serve := func(pattern, kind string, body []byte) {
		tag := etag(body)
		a.mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", kind)
			h.Set("Cache-Control", "no-cache")
			h.Set("Etag", tag)
			h.Set("Content-Security-Policy", "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'")
			if tagged(r.Header.Get("If-None-Match"), tag) {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			writeUnlessHead(w, r, body)
		})
	}
	serve("/openapi.json", "application/json", d.json)
	serve("/openapi.yaml", "application/yaml", d.yaml)
	for _, f := range []struct{ path, file, kind string }{
		{"/docs", "index.html", "text/html; charset=utf-8"},
		{"/docs/docs.js", "docs.js", "text/javascript; charset=utf-8"},
		{"/docs/docs.css", "docs.css", "text/css; charset=utf-8"},
	} {
		body, err := docFiles.ReadFile("docsite/" + f.file)
		if err != nil {
			panic("the documentation was not built in: " + err.Error())
		}
		serve(f.path, f.kind, body)
	}
}
