// Package route finds the route of a request: tables are checked, compiled and
// asked here, by the interface that stores them and by the proxy that serves
// them. It knows no network.
package route

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/readership/readership/internal/event"
)

// Defaults of a route's settings.
const (
	DefaultTimeout  = 30 * time.Second
	DefaultRetries  = 2
	DefaultInterval = 5 * time.Second
)

// Rule is a route as requests need it. It is immutable.
type Rule struct {
	Site    *event.Site
	Trusted []netip.Prefix // the site's trusted proxies
	Access  string
	OnDeny  string
	Origins []Origin
	Health  string        // path of the check; "" for none
	Every   time.Duration // between checks
	Timeout time.Duration // for the head of an answer
	Retries int
	Strip   string // beginning of the path that the origin does not know
	Rename  bool   // the origin is asked by its own name
}

// Origin is an origin of a Rule.
type Origin struct {
	URL    *url.URL // its path has no slash at the end
	Weight int
}

// Table finds the rule of a request. It is immutable.
type Table struct {
	hosts map[string]*paths
}

// paths are the rules of one host.
type paths struct {
	site    string
	exact   map[string]*Rule
	begins  map[string]*Rule // by prefix
	lengths []int            // that prefixes have, longest first
}

// Build compiles the routes of sites. Where two sites have one host, the site
// that comes first has it. Routes that cannot be read are left out and told of
// as faults: Check has found them before they were stored, unless the site has
// changed since.
func Build(sites []*event.Site, routes func(site *event.Site) []event.Route) (t *Table, faults []string) {
	t = &Table{hosts: map[string]*paths{}}
	for _, site := range sites {
		trusted := prefixes(site.TrustedProxies)
		table := routes(site)
		bad := map[int]bool{}
		for i, f := range check(site, table) {
			for _, fault := range f {
				faults = append(faults, "site "+site.ID+": "+fault.Location+" "+fault.Message)
			}
			bad[i] = len(f) > 0
		}
		for i := range table {
			if !bad[i] {
				if fault := t.add(site, trusted, &table[i]); fault != "" {
					faults = append(faults, fault)
				}
			}
		}
	}
	for _, p := range t.hosts {
		slices.SortFunc(p.lengths, func(a, b int) int { return b - a })
		p.lengths = slices.Compact(p.lengths)
	}
	return t, faults
}

func (t *Table) add(site *event.Site, trusted []netip.Prefix, r *event.Route) (fault string) {
	host := Host(r.Host)
	p := t.hosts[host]
	if p == nil {
		p = &paths{site: site.ID, exact: map[string]*Rule{}, begins: map[string]*Rule{}}
		t.hosts[host] = p
	}
	if p.site != site.ID {
		return "site " + site.ID + ": the host " + host + " is served for site " + p.site
	}
	rule := &Rule{Site: site, Trusted: trusted, Access: r.Access, OnDeny: r.OnDeny, Timeout: DefaultTimeout, Retries: DefaultRetries,
		Strip: strings.TrimSuffix(r.StripPrefix, "/"), Rename: r.PreserveHost != nil && !*r.PreserveHost}
	if rule.OnDeny == "" {
		rule.OnDeny = event.OnDenyOffer
	}
	if r.Timeout != "" {
		rule.Timeout, _ = event.ParseDuration(r.Timeout)
	}
	if r.Retries != nil {
		rule.Retries = *r.Retries
	}
	if h := r.Health; h != nil {
		rule.Health, rule.Every = h.Path, DefaultInterval
		if h.Interval != "" {
			rule.Every, _ = event.ParseDuration(h.Interval)
		}
	}
	for _, o := range r.Origins {
		u, _ := url.Parse(o.URL)
		u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
		weight := 1
		if o.Weight != nil {
			weight = *o.Weight
		}
		rule.Origins = append(rule.Origins, Origin{u, weight})
	}
	path, prefix := pattern(r.Path)
	if prefix {
		p.begins[path] = rule
		p.lengths = append(p.lengths, len(path))
	} else {
		p.exact[path] = rule
	}
	return ""
}

// pattern returns what a route's path matches: decoded, without the star.
func pattern(path string) (text string, prefix bool) {
	if path == "" {
		return "/", true
	}
	path, prefix = strings.CutSuffix(path, "*")
	text, _ = url.PathUnescape(path)
	return text, prefix
}

// Match returns the rule for a path of a host, as Host and Clean return them:
// that of the longest path. Nil: there is none.
func (t *Table) Match(host, path string) *Rule {
	p := t.hosts[host]
	if p == nil {
		return nil
	}
	if r := p.exact[path]; r != nil {
		return r
	}
	for _, n := range p.lengths {
		if n <= len(path) {
			if r := p.begins[path[:n]]; r != nil {
				return r
			}
		}
	}
	return nil
}

// Serves says whether a host has routes.
func (t *Table) Serves(host string) bool { return t.hosts[host] != nil }

// Each calls fn with every rule.
func (t *Table) Each(fn func(*Rule)) {
	for _, p := range t.hosts {
		for _, r := range p.exact {
			fn(r)
		}
		for _, r := range p.begins {
			fn(r)
		}
	}
}

// Host brings the name of a host into the form that tables have: lower case,
// ASCII, without port and without dots at the end.
func Host(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		if name, _, err := net.SplitHostPort(host); err == nil {
			if host = name; strings.IndexByte(name, ':') >= 0 {
				host = "[" + name + "]"
			}
		}
	}
	host = strings.TrimRight(host, ".")
	plain := true
	for i := range len(host) {
		c := host[i]
		plain = plain && c < 0x80 && (c < 'A' || c > 'Z')
	}
	if plain {
		return host
	}
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		return ascii
	}
	return strings.ToLower(host)
}

// Clean returns the path by which the rule of a request is found: decoded, each
// row of slashes as one, without parameters of segments (;…), a backslash as a
// slash. Origins read paths in one or another of these ways, and none of them
// may lead past a route with an access block. For the same reason a path with
// . or .. as a segment or with a NUL is not ok, nor is one that decodes to such a
// path if it is decoded again: no browser sends one.
func Clean(u *url.URL) (path string, ok bool) {
	for again := u.Path; strings.IndexByte(again, '%') >= 0; {
		decoded, err := url.PathUnescape(again)
		if err != nil || decoded == again {
			break
		}
		if again = decoded; !undotted(again) {
			return "", false
		}
	}
	path = u.Path
	if path == "" {
		return "/", true
	}
	if path[0] != '/' {
		return "", false
	}
	if simple(path) {
		return path, true
	}
	if strings.IndexByte(path, 0) >= 0 {
		return "", false
	}
	out := make([]byte, 0, len(path))
	for rest := path[1:]; ; {
		end := strings.IndexAny(rest, `/\`)
		segment := rest
		if end >= 0 {
			segment = rest[:end]
		}
		segment, _, _ = strings.Cut(segment, ";")
		if segment == "." || segment == ".." {
			return "", false
		}
		if segment != "" || end < 0 { // the last may be empty: that is a slash at the end
			out = append(append(out, '/'), segment...)
		}
		if end < 0 {
			return string(out), true
		}
		rest = rest[end+1:]
	}
}

// undotted says that a path has no dots as a segment and no NUL.
func undotted(path string) bool {
	for segment := range strings.FieldsFuncSeq(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		if segment, _, _ = strings.Cut(segment, ";"); segment == "." || segment == ".." {
			return false
		}
	}
	return strings.IndexByte(path, 0) < 0
}

// simple says that a path is as Clean would leave it.
func simple(path string) bool {
	for i := range len(path) {
		switch path[i] {
		case 0, ';', '\\':
			return false
		case '/':
			if i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.') {
				return false
			}
		}
	}
	return true
}

func prefixes(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range list {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p.Masked())
		} else if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
		}
	}
	return out
}
