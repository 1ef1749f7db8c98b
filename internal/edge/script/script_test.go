package script

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

func build() fstest.MapFS {
	return fstest.MapFS{
		"rs.js": {Data: []byte("native")}, "rs.js.gz": {Data: []byte("native, gzip")}, "rs.js.br": {Data: []byte("native, br")},
		"script.js": {Data: []byte("plausible")}, "script.js.gz": {Data: []byte("plausible, gzip")}, "script.js.br": {Data: []byte("plausible, br")},
	}
}

func get(t *testing.T, s *Scripts, method, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestScriptsAreServedUnderTheirNames(t *testing.T) {
	s := New(build(), "news.js")
	for path, want := range map[string]string{
		"/news.js": "native", "/js/script.js": "plausible", "/js/script.hash.outbound-links.js": "plausible", "/js/plausible.js": "plausible",
		"/rs.js": "", "/js/news.js": "", "/js/script.css": "", "/js/a/script.js": "", "/": "",
	} {
		w := get(t, s, "GET", path, nil)
		if got := w.Body.String(); (want == "") != (w.Code == http.StatusNotFound) || want != "" && got != want {
			t.Errorf("%s: %d %q, want %q", path, w.Code, got, want)
		}
		if s.Serves(path) != (want != "") {
			t.Errorf("Serves(%s) is %v", path, s.Serves(path))
		}
	}
	if w := get(t, s, "POST", "/news.js", nil); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", w.Code)
	}
	if w := get(t, s, "HEAD", "/news.js", nil); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "6" {
		t.Errorf("HEAD: %d %q", w.Code, w.Body)
	}
}

func TestTheSmallestCodingThatIsTaken(t *testing.T) {
	s := New(build(), DefaultName)
	tags := map[string]bool{}
	for accepted, want := range map[string]string{"": "native", "gzip, deflate, br": "native, br", "gzip": "native, gzip", "br;q=0, gzip;q=0.5": "native, gzip", "BR": "native, br", "zstd": "native"} {
		w := get(t, s, "GET", "/rs.js", http.Header{"Accept-Encoding": {accepted}})
		if w.Body.String() != want {
			t.Errorf("%q: got %q, want %q", accepted, w.Body, want)
		}
		tags[w.Header().Get("Etag")] = true
	}
	if len(tags) != 3 {
		t.Errorf("three codings have the tags %v", tags)
	}
	for tag := range tags {
		w := get(t, s, "GET", "/rs.js", http.Header{"If-None-Match": {"W/" + tag}, "Accept-Encoding": {"br"}})
		if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
			t.Errorf("known as %s: %d", tag, w.Code)
		}
	}
}

func TestWithoutABuildAScriptSaysSo(t *testing.T) {
	if w := get(t, New(fstest.MapFS{}, DefaultName), "GET", "/rs.js", http.Header{"Accept-Encoding": {"br"}}); w.Code != 200 || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{"rs.js": true, "a-B_9.min.js": true, "": false, "rs": false, "a/b.js": false, "../x.js": false, ".js": false, "ü.js": false, "a b.js": false} {
		if (CheckName(name) == nil) != good {
			t.Errorf("%q: %v", name, CheckName(name))
		}
	}
}
