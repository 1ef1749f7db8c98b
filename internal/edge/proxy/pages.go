package proxy

import (
	"html"
	"net/http"
	"strconv"
	"strings"

	"github.com/readership/readership/internal/problem"
)

// refuse answers for an origin that cannot: a page for people, a problem for
// programs. No cache may keep it.
func refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	p := problem.New(status, detail).WithHeader("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable {
		p.WithHeader("Retry-After", "1")
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		p.Respond(w)
		return
	}
	h := w.Header()
	for name, values := range p.Header {
		h[name] = values
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	title := html.EscapeString(p.Title)
	page := `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>` + title +
		`</title><style>body{font:1rem/1.5 system-ui,sans-serif;margin:20vh auto;max-width:32rem;padding:0 1rem}small{color:#666}</style>` +
		`<h1>` + title + `</h1><p>` + html.EscapeString(detail) + `</p><p><small>` + strconv.Itoa(status) + `</small></p></html>` + "\n"
	h.Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(page))
	}
}
