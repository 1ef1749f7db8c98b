package api

import (
	"bytes"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/readership/readership/internal/problem"
)

// dashboardPolicy keeps the dashboard to its own files; thumbnails come from
// the publisher's sites.
const dashboardPolicy = "default-src 'self'; img-src 'self' data: https: http:; style-src 'self' 'unsafe-inline'; " +
	"connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"

// static serves the dashboard: its files, and index.html for every other path,
// since the dashboard has its own routes.
type static struct {
	files fs.FS
	index []byte
}

// notBuilt stands in for a dashboard that was left out of the build.
const notBuilt = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Readership</title><meta name="viewport" content="width=device-width"></head>
<body style="font-family: system-ui; max-width: 40em; margin: 4em auto; padding: 0 1em">
<h1>Readership runs</h1><p>The dashboard was not built into this program. The interface is described at <a href="/docs">/docs</a>.</p>
</body></html>
`

func newStatic(files fs.FS) *static {
	s := &static{files: files, index: []byte(notBuilt)}
	if files != nil {
		if index, err := fs.ReadFile(files, "index.html"); err == nil {
			s.index = index
		}
	}
	return s
}

// ServeHTTP implements http.Handler.
func (s *static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		problem.Newf(http.StatusMethodNotAllowed, "%s is not possible here", r.Method).WithHeader("Allow", "GET, HEAD").Respond(w)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	header := w.Header()
	if s.files != nil && name != "" && name != "index.html" && fs.ValidPath(name) {
		if file, err := fs.ReadFile(s.files, name); err == nil {
			s.file(w, r, name, file)
			return
		}
	}
	if strings.HasPrefix(name, "assets/") {
		problem.Newf(http.StatusNotFound, "there is no file %s", r.URL.Path).Respond(w)
		return
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Security-Policy", dashboardPolicy)
	header.Set("Referrer-Policy", "same-origin")
	writeUnlessHead(w, r, s.index)
}

// file serves one file. Files under assets/ have their hash in their name and
// never change.
func (s *static) file(w http.ResponseWriter, r *http.Request, name string, file []byte) {
	header := w.Header()
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = http.DetectContentType(file)
	}
	header.Set("Content-Type", kind)
	header.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/") {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	header.Set("Content-Security-Policy", dashboardPolicy)
	tag := etag(file)
	header.Set("Etag", tag)
	if tagged(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	for _, packed := range []struct{ encoding, suffix string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), packed.encoding) {
			continue
		}
		if small, err := fs.ReadFile(s.files, name+packed.suffix); err == nil {
			header.Set("Content-Encoding", packed.encoding)
			header.Set("Vary", "Accept-Encoding")
			file = small
			break
		}
	}
	writeUnlessHead(w, r, file)
}

func writeUnlessHead(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return
	}
	_, _ = bytes.NewReader(body).WriteTo(w) // the reader may have gone
}
