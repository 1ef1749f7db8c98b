package route

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/event"
)

var site = &event.Site{ID: "news", Domains: []string{"News.example", "bücher.example", "192.0.2.1"}, Aliases: []string{"news.example:8080"}}

func routed(host, path string) event.Route {
	return event.Route{Host: host, Path: path, Origins: []event.Origin{{URL: "http://10.0.0.1"}}}
}

func TestCheckLocatesFaults(t *testing.T) {
	minus, many := -1, 100
	bad := func(change func(*event.Route)) event.Route {
		r := routed("news.example", "/a/*")
		change(&r)
		return r
	}
	for _, c := range []struct {
		name string
		r    event.Route
		want string // locations and codes
	}{
		{"good", routed("www.news.example", "/politik/*"), ""},
		{"good, with everything", event.Route{Host: "news.example", Path: "/a/*", Origins: []event.Origin{{URL: "https://o.example:8443/base", Weight: new(int)}}, Access: "story",
			OnDeny: "teaser", Health: &event.Health{Path: "/up?deep=1", Interval: "1s"}, Timeout: "5s", Retries: new(int), StripPrefix: "/a", PreserveHost: new(bool)}, ""},
		{"good, of a name beyond ASCII", routed("xn--bcher-kva.example", ""), ""},
		{"good, an address", routed("192.0.2.1", "/"), ""},
		{"below an address", routed("1.192.0.2.1", "/"), "[0].host not_of_site"},
		{"no host", routed("", "/"), "[0].host missing_field"},
		{"another's host", routed("evilnews.example", "/"), "[0].host not_of_site"},
		{"a port", routed("news.example:80", "/"), "[0].host bad_value"},
		{"a star", routed("*.news.example", "/"), "[0].host bad_value"},
		{"no slash", routed("news.example", "a"), "[0].path bad_value"},
		{"dots", routed("news.example", "/a/../b"), "[0].path bad_value"},
		{"encoded dots", routed("news.example", "/a/%2e%2e/b*"), "[0].path bad_value"},
		{"two slashes", routed("news.example", "/a//b"), "[0].path bad_value"},
		{"a star inside", routed("news.example", "/a/*/b"), "[0].path bad_value"},
		{"bad encoding", routed("news.example", "/a%zz"), "[0].path bad_value"},
		{"no origins", bad(func(r *event.Route) { r.Origins = nil }), "[0].origins missing_field"},
		{"a bad origin", bad(func(r *event.Route) { r.Origins = append(r.Origins, event.Origin{URL: "ftp://x"}) }), "[0].origins[1].url bad_value"},
		{"an origin with a password", bad(func(r *event.Route) { r.Origins[0].URL = "http://a:b@x" }), "[0].origins[0].url bad_value"},
		{"an origin with a query", bad(func(r *event.Route) { r.Origins[0].URL = "http://x/?a" }), "[0].origins[0].url bad_value"},
		{"a bad port", bad(func(r *event.Route) { r.Origins[0].URL = "http://x:70000" }), "[0].origins[0].url bad_value"},
		{"a bad weight", bad(func(r *event.Route) { r.Origins[0].Weight = &minus }), "[0].origins[0].weight bad_value"},
		{"on_deny alone", bad(func(r *event.Route) { r.OnDeny = "offer" }), "[0].on_deny bad_value"},
		{"a bad on_deny", bad(func(r *event.Route) { r.Access, r.OnDeny = "story", "wall" }), "[0].on_deny bad_value"},
		{"bad times", bad(func(r *event.Route) { r.Timeout, r.Health = "0s", &event.Health{Path: "up", Interval: "1"} }), "[0].timeout bad_value [0].health.path bad_value [0].health.interval bad_value"},
		{"many retries", bad(func(r *event.Route) { r.Retries = &many }), "[0].retries bad_value"},
		{"a strip that is no beginning", bad(func(r *event.Route) { r.StripPrefix = "/b" }), "[0].strip_prefix bad_value"},
		{"a strip of half a segment", bad(func(r *event.Route) { r.Path, r.StripPrefix = "/ab/*", "/a" }), "[0].strip_prefix bad_value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range Check(site, []event.Route{c.r}) {
				got = append(got, f.Location+" "+f.Code)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %q, want %q", strings.Join(got, " "), c.want)
			}
		})
	}
	twice := []event.Route{routed("news.example", ""), routed("NEWS.example.", "/*")}
	if f := Check(site, twice); len(f) != 1 || f[0].Location != "[1].path" || f[0].Code != "duplicate" {
		t.Errorf("twice: %v", f)
	}
	if f := Check(&event.Site{ID: "new"}, twice[:1]); len(f) != 1 || f[0].Location != "[0].host" {
		t.Errorf("a site without domains: %v", f)
	}
}

// A host is served for the first of the sites that route it, and not for one
// that has lost the domain.
func TestBuildLeavesOut(t *testing.T) {
	other := &event.Site{ID: "other", Domains: []string{"news.example"}}
	table, faults := Build([]*event.Site{site, other}, func(s *event.Site) []event.Route {
		if s == other {
			return []event.Route{routed("news.example", "/other"), routed("lost.example", "")}
		}
		return []event.Route{routed("news.example", "")}
	})
	if r := table.Match("news.example", "/other"); r == nil || r.Site != site || table.Serves("lost.example") || len(faults) != 2 {
		t.Errorf("%+v, lost %v, %q", r, table.Serves("lost.example"), faults)
	}
}

func TestHost(t *testing.T) {
	for in, want := range map[string]string{"News.Example:8080": "news.example", "news.example.": "news.example", "[::1]:80": "[::1]", "[::1]": "[::1]",
		"BÜCHER.example": "xn--bcher-kva.example", "": "", ":80": "", "127.0.0.1:1": "127.0.0.1"} {
		if got := Host(in); got != want {
			t.Errorf("Host(%q) = %q, want %q", in, got, want)
		}
	}
}

// The longest path that matches wins: as a search through all of them finds it.
func TestMatchIsTheLongest(t *testing.T) {
	paths := rapid.Custom(func(t *rapid.T) string {
		return "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab"}), 0, 4).Draw(t, "segments"), "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		patterns := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string {
			return paths.Draw(t, "path") + rapid.SampledFrom([]string{"", "*", "/*"}).Draw(t, "end")
		}), 1, 12, rapid.ID[string]).Draw(t, "patterns")
		var routes []event.Route
		for _, p := range patterns {
			if p = strings.Replace(p, "//", "/", 1); len(Check(site, append(routes, routed("news.example", p)))) == 0 {
				routes = append(routes, routed("news.example", p))
				routes[len(routes)-1].Access = p
			}
		}
		table, faults := Build([]*event.Site{site}, func(*event.Site) []event.Route { return routes })
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		path := paths.Draw(t, "asked")
		best, length := "", -1
		for _, r := range routes {
			prefix, star := strings.CutSuffix(r.Path, "*")
			if star && strings.HasPrefix(path, prefix) && len(prefix) > length || !star && path == r.Path {
				best, length = r.Path, len(prefix)
				if !star {
					length = 1 << 20
				}
			}
		}
		got := ""
		if r := table.Match("news.example", path); r != nil {
			got = r.Access
		}
		if got != best {
			t.Fatalf("%s: %q, want %q of %q", path, got, best, patterns)
		}
	})
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{"": "/", "/": "/", "/a/b": "/a/b", "/a//b/": "/a/b/", "//a": "/a", "///": "/", `/a\b`: "/a/b", "/a;x=1/b": "/a/b",
		"/;x/a": "/a", "/a/;x": "/a/", "/.well-known/x": "/.well-known/x", "/a/.b": "/a/.b", "/a/...": "/a/...",
		"/a/..": "bad", "/../a": "bad", "/a/./b": "bad", "/a/..;x/b": "bad", `/a/..\b`: "bad", "/a\x00": "bad", "*": "bad", "/a/%2e%2e/b": "bad", "/a/%252e./b": "bad", "/a%2f..%2Fb": "bad", "/a%5c.%3bx": "bad", "/a%00": "bad", "/a%2Fb%2e": "/a%2Fb%2e", "/100%": "/100%", "/100% ..": "/100% ..", "a": "bad"} {
		got, ok := Clean(&url.URL{Path: in})
		if !ok {
			got = "bad"
		}
		if got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

// However a path is written, what comes out can be read in one way only.
func FuzzClean(f *testing.F) {
	for _, seed := range []string{"/a//b;c/..\\d", "/%2e%2e/a", "/.", "/..;/a", "//", "/a/;/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		path, ok := Clean(u)
		if !ok {
			return
		}
		if path[0] != '/' || strings.Contains(path, "//") || strings.ContainsAny(path, ";\\\x00") ||
			strings.Contains(path+"/", "/../") || strings.Contains(path+"/", "/./") {
			t.Errorf("Clean(%q) = %q", target, path)
		}
		if again, ok := Clean(&url.URL{Path: path}); !ok || again != path {
			t.Errorf("Clean(%q) = %q, and that is %q, %v", target, path, again, ok)
		}
		if host := Host(target); Host(host) != host {
			t.Errorf("Host(%q) = %q, and that is %q", target, host, Host(host))
		}
	})
}

func ExampleTable_Match() {
	table, _ := Build([]*event.Site{site}, func(*event.Site) []event.Route {
		return []event.Route{routed("news.example", ""), routed("news.example", "/politik/*")}
	})
	fmt.Println(table.Match(Host("News.example:443"), "/politik/a") != table.Match("news.example", "/sport/b"))
	// Output: true
}
