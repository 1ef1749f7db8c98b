package route

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// Bounds of a table.
const (
	MaxRoutes   = 1000
	MaxOrigins  = 64 // of a route
	MaxWeight   = 1_000_000
	MaxRetries  = 10
	MaxTimeout  = time.Hour
	MinInterval = 100 * time.Millisecond
	MaxInterval = time.Hour
)

// Check returns what is wrong with a site's table. Locations begin with the
// route's index: [0].host.
func Check(site *event.Site, routes []event.Route) []problem.Fault {
	var out []problem.Fault
	if len(routes) > MaxRoutes {
		out = append(out, problem.Fault{Code: "too_many", Message: fmt.Sprintf("a site has at most %d routes, these are %d", MaxRoutes, len(routes))})
	}
	for _, faults := range check(site, routes) {
		out = append(out, faults...)
	}
	return out
}

// check returns the faults of each route.
func check(site *event.Site, routes []event.Route) [][]problem.Fault {
	out := make([][]problem.Fault, len(routes))
	seen := map[string]int{}
	for i := range routes {
		c := checker{at: "[" + strconv.Itoa(i) + "]."}
		c.route(site, &routes[i])
		path, prefix := pattern(routes[i].Path)
		key := fmt.Sprint(Host(routes[i].Host), path, prefix)
		if first, twice := seen[key]; twice {
			c.add("path", "duplicate", fmt.Sprintf("is that of route %d of the same host", first), routes[i].Path)
		} else {
			seen[key] = i
		}
		out[i] = c.faults
	}
	return out
}

type checker struct {
	at     string
	faults []problem.Fault
}

func (c *checker) add(field, code, message string, value any) {
	c.faults = append(c.faults, problem.Fault{Location: c.at + field, Code: code, Message: message, Value: value})
}

func (c *checker) route(site *event.Site, r *event.Route) {
	c.host(site, r.Host)
	c.path("path", r.Path, true)
	c.path("strip_prefix", r.StripPrefix, false)
	if pattern, _ := pattern(r.Path); r.StripPrefix != "" && !below(pattern, r.StripPrefix) {
		c.add("strip_prefix", "bad_value", "is no beginning of the path, by whole segments", r.StripPrefix)
	}
	if len(r.Origins) == 0 {
		c.add("origins", "missing_field", "a route has at least one origin", nil)
	}
	if len(r.Origins) > MaxOrigins {
		c.add("origins", "too_many", fmt.Sprintf("a route has at most %d origins", MaxOrigins), nil)
	}
	for i, o := range r.Origins {
		field := fmt.Sprintf("origins[%d].", i)
		if fault := badOrigin(o.URL); fault != "" {
			c.add(field+"url", "bad_value", fault, o.URL)
		}
		if o.Weight != nil && (*o.Weight < 0 || *o.Weight > MaxWeight) {
			c.add(field+"weight", "bad_value", fmt.Sprintf("is not between 0 and %d", MaxWeight), *o.Weight)
		}
	}
	if len(r.Access) > 128 {
		c.add("access", "too_long", "has at most 128 characters", nil)
	}
	switch r.OnDeny {
	case "", event.OnDenyTeaser, event.OnDenyOffer:
	default:
		c.add("on_deny", "bad_value", "is neither teaser nor offer", r.OnDeny)
	}
	if r.OnDeny != "" && r.Access == "" {
		c.add("on_deny", "bad_value", "says nothing without access", r.OnDeny)
	}
	if r.Timeout != "" {
		c.duration("timeout", r.Timeout, time.Millisecond, MaxTimeout)
	}
	if r.Retries != nil && (*r.Retries < 0 || *r.Retries > MaxRetries) {
		c.add("retries", "bad_value", fmt.Sprintf("is not between 0 and %d", MaxRetries), *r.Retries)
	}
	if r.Health != nil {
		if u, err := url.ParseRequestURI(r.Health.Path); err != nil || r.Health.Path[0] != '/' || u.Host != "" {
			c.add("health.path", "bad_value", "is not a path, such as /healthz", r.Health.Path)
		}
		if r.Health.Interval != "" {
			c.duration("health.interval", r.Health.Interval, MinInterval, MaxInterval)
		}
	}
}

func (c *checker) duration(field, text string, least, most time.Duration) {
	if d, err := event.ParseDuration(text); err != nil {
		c.add(field, "bad_value", err.Error(), text)
	} else if d < least || d > most {
		c.add(field, "bad_value", fmt.Sprintf("is not between %s and %s", least, most), text)
	}
}

func (c *checker) host(site *event.Site, host string) {
	switch name := Host(host); {
	case host == "":
		c.add("host", "missing_field", "is required", nil)
	case len(host) > 253 || strings.ContainsAny(host, "/\\?#@* \t\r\n"):
		c.add("host", "bad_value", "is not the name of a host", host)
	case hasPort(host):
		c.add("host", "bad_value", "has a port: leave it out, a route holds on every port", host)
	case len(site.Domains)+len(site.Aliases) == 0:
		c.add("host", "not_of_site", "is of no use: the site has no domains yet", host)
	case !Owns(site, name):
		c.add("host", "not_of_site", "is none of the site's domains and not below one", host)
	}
}

func hasPort(host string) bool {
	i := strings.LastIndexByte(host, ':')
	return i >= 0 && strings.IndexByte(host[i:], ']') < 0
}

// Owns says whether a host, as Host returns it, is one of the site's domains or
// aliases or below one. Addresses have nothing below them.
func Owns(site *event.Site, host string) bool {
	for _, list := range [][]string{site.Domains, site.Aliases} {
		for _, domain := range list {
			domain = Host(domain)
			rest, ok := strings.CutSuffix(host, domain)
			if !ok {
				continue
			}
			if _, err := netip.ParseAddr(strings.Trim(domain, "[]")); rest == "" || err != nil && rest[len(rest)-1] == '.' {
				return true
			}
		}
	}
	return false
}

func (c *checker) path(field, path string, star bool) {
	if path == "" {
		return
	}
	text := path
	if star {
		text = strings.TrimSuffix(path, "*")
	}
	decoded, err := url.PathUnescape(text)
	clean, ok := Clean(&url.URL{Path: decoded})
	switch {
	case path[0] != '/':
		c.add(field, "bad_value", "does not begin with a slash", path)
	case err != nil:
		c.add(field, "bad_value", "is not percent-encoded well", path)
	case strings.ContainsAny(text, "*?#"):
		c.add(field, "bad_value", "has a star at its end only, and neither ? nor #", path)
	case !ok || clean != decoded:
		c.add(field, "bad_value", "would match nothing: it has //, ;, a backslash, . or .. in it", path)
	case len(path) > 2048:
		c.add(field, "too_long", "has at most 2048 bytes", nil)
	}
}

// below says whether a pattern begins with whole segments of prefix.
func below(pattern, prefix string) bool {
	rest, ok := strings.CutPrefix(pattern, strings.TrimSuffix(prefix, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// badOrigin says what is wrong with the address of an origin; "" is nothing.
func badOrigin(address string) string {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return "is required"
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return "is not an address such as http://10.0.0.5:8080"
	case u.User != nil:
		return "carries a name or a password, which origins are not sent"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "has a query or a fragment"
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "has a port that is none"
		}
	}
	return ""
}
