package gate

import (
	"strings"
	"testing"

	"github.com/readership/readership/internal/event"
)

func TestAsOriginsRead(t *testing.T) {
	site := &event.Site{IDParams: []string{"id"}}
	for in, want := range map[string]string{
		"/": "/", "/a/b?c=d": "/a/b?c=d", "/%61%2c(b)": "/a,(b)", "/caf%c3%a9": "/caf%C3%A9", "/caf\xc3\xa9": "/caf%C3%A9", "/a%20b%25%3F%23": "/a%20b%25%3F%23", "/a//b;x/c\\d": "/a/b/c/d", "/a%2fb": "/a/b",
		"/a#b": "/a", "/a?b#c": "/a?b", "/a?": "/a", "/a?id=1&id=1": "/a?id=1&id=1", "/a?id=1&x=%zz": "bad", "/a?id=1&id=2": "bad", "/a?id=1&%69d=2": "bad", "/a?x=1&x=2": "/a?x=1&x=2",
		"/a/../b": "bad", "/a/%2e%2e/b": "bad", "/%zz": "bad", "/a%00": "bad", "/a\x01": "bad",
	} {
		got, err := asOriginsRead(site, "https://news.example:8080"+in)
		if err != nil {
			got = "https://news.example:8080bad"
		}
		if got != "https://news.example:8080"+want {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
}

// An address that is as origins read it stays so.
func FuzzAsOriginsRead(f *testing.F) {
	for _, seed := range []string{"/a//b;c?id=1", "/%2561", "/%61%zz", "/..%2f", "/a?id=1&id=2#x"} {
		f.Add(seed)
	}
	site := &event.Site{IDParams: []string{"id"}}
	f.Fuzz(func(t *testing.T, target string) {
		if !strings.HasPrefix(target, "/") {
			return
		}
		once, err := asOriginsRead(site, "http://news.example"+target)
		if err != nil {
			return
		}
		if twice, err := asOriginsRead(site, once); err != nil || twice != once {
			t.Errorf("%q: %q, and that is %q, %v", target, once, twice, err)
		}
	})
}
