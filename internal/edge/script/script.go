// Package script serves the browser tracker: the script of our own tag under a
// name that the operator chooses, and one for pages that carry Plausible's.
package script

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/tracker"
)

// DefaultName is what our script is called unless the operator says otherwise.
const DefaultName = "rs.js"

// plausibleFolder is where Plausible's tags look for theirs, whatever its
// extensions are called.
const plausibleFolder = "/js/"

// maxAge is how long browsers and caches use a script without asking, in seconds;
// for a day more they may use it while they ask.
const maxAge = 3600

// CheckName says what is wrong with a name: it is one segment of an address, as
// the script finds the server by what stands before it.
func CheckName(name string) error {
	if len(name) > 64 || !strings.HasSuffix(name, ".js") || strings.HasPrefix(name, ".") ||
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return fmt.Errorf("%q is no name of a script: letters, digits, dots, dashes and underscores, ending in .js", name)
	}
	return nil
}

// Scripts serves the tracker. Safe for concurrent use.
type Scripts struct {
	name  string
	files map[string]*file // by name in the build
}

// file is a script in each of its codings.
type file struct {
	plain, gzip, brotli []byte
	tag                 string
}

// New serves the scripts of a build under name. What was not built is answered
// with a script that says so where developers look.
func New(build fs.FS, name string) *Scripts {
	s := &Scripts{name: name, files: map[string]*file{}}
	for _, built := range []string{tracker.Native, tracker.Plausible} {
		f := &file{}
		var err error
		if f.plain, err = fs.ReadFile(build, built); err != nil {
			f.plain = []byte("console.warn('Readership: the tracker was not built into this program');\n")
		} else {
			f.gzip, _ = fs.ReadFile(build, built+".gz")
			f.brotli, _ = fs.ReadFile(build, built+".br")
		}
		sum := sha256.Sum256(f.plain)
		f.tag = base64.RawURLEncoding.EncodeToString(sum[:12])
		s.files[built] = f
	}
	return s
}

// Name is what our script is called: its address is the server's and the name.
func (s *Scripts) Name() string { return s.name }

// Paths are the addresses of the scripts in the terms of http.ServeMux.
func (s *Scripts) Paths() []string { return []string{"/" + s.name, plausibleFolder + "{script}"} }

// Serves says whether there is a script at a path.
func (s *Scripts) Serves(at string) bool { return s.at(at) != nil }

// at finds the script of a path, nil: none.
func (s *Scripts) at(at string) *file {
	if at == "/"+s.name {
		return s.files[tracker.Native]
	}
	name, ok := strings.CutPrefix(at, plausibleFolder)
	if !ok || path.Ext(name) != ".js" || strings.Contains(name, "/") {
		return nil
	}
	if first, _, _ := strings.Cut(name, "."); first == "script" || first == "plausible" {
		return s.files[tracker.Plausible]
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Scripts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := s.at(r.URL.Path)
	if f == nil {
		problem.Newf(http.StatusNotFound, "there is no script at %s", r.URL.Path).Respond(w)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		problem.Newf(http.StatusMethodNotAllowed, "%s is not possible here", r.Method).WithHeader("Allow", "GET, HEAD").Respond(w)
		return
	}
	body, coding := f.coded(r.Header.Get("Accept-Encoding"))
	h := w.Header()
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d, stale-while-revalidate=86400", maxAge))
	h.Set("Vary", "Accept-Encoding")
	// Pages of any origin load it, also those that say what may be loaded.
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	tag := `"` + f.tag + coding + `"`
	h.Set("Etag", tag)
	if known := r.Header.Get("If-None-Match"); known == "*" || strings.Contains(known, `"`+f.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if coding != "" {
		h.Set("Content-Encoding", map[string]string{"-br": "br", "-gz": "gzip"}[coding])
	}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = bytes.NewReader(body).WriteTo(w) // the reader may have gone
	}
}

// coded picks the smallest coding that the reader takes. Each has a tag of its
// own: they are different bytes.
func (f *file) coded(accepted string) (body []byte, suffix string) {
	for _, c := range []struct {
		name, suffix string
		body         []byte
	}{{"br", "-br", f.brotli}, {"gzip", "-gz", f.gzip}} {
		if len(c.body) > 0 && takes(accepted, c.name) {
			return c.body, c.suffix
		}
	}
	return f.plain, ""
}

// takes says whether an Accept-Encoding header names a coding, and not to refuse it.
func takes(header, coding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		weight, weighed := strings.CutPrefix(strings.TrimSpace(params), "q=")
		q, err := strconv.ParseFloat(weight, 64)
		return !weighed || err == nil && q > 0
	}
	return false
}

var _ http.Handler = (*Scripts)(nil)
