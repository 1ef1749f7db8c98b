package collect

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/nearest"
	"github.com/readership/readership/internal/problem"
)

// request is what holds for every event of a request. It does not change once
// the body is being read, but for the fresh device.
type request struct {
	collector *Collector
	dialect   *dialect // nil: our own
	site      *siteInfo
	api       bool // an API key or a person: may name any reader, but proves nothing of the connection
	bulk      bool // goes after single events
	advance   bool
	debug     bool
	routed    bool // the page's host is the site's
	gpc, dnt  bool
	secure    bool  // the browser speaks TLS, to us or to a trusted proxy
	received  int64 // Unix milliseconds
	shift     int64 // received − sent_at
	earliest  int64 // with a write key

	key      uint64 // of the key's bucket (rates.go); 0: none
	address  netip.Addr
	agent    string
	language string
	who      connection

	cookieDevice string          // proved by rsid or X-Readership-Device
	token        *identity.Token // of the publisher's sign-in; nil with an API key
	unnamed      bool            // asks not to be known again: no device is made
	made         string          // a device made for this reader, "" if none
	cookie       string          // its cookie
	failed       error           // of making it
}

// freshDevice makes the device of a new cookie, once a request.
func (r *request) freshDevice() string {
	if r.made == "" {
		c := r.collector
		c.randomMu.Lock()
		r.made, r.cookie, r.failed = c.devices.Make(c.random)
		c.randomMu.Unlock()
	}
	return r.made
}

var errUnknownKey = errors.New("unknown key")

// authorize finds out who sends the request and for which site.
func (x *exchange) authorize(ctx context.Context) *problem.Problem {
	c, q, r := x.c, x.q, &x.request
	*r = request{collector: c, received: c.now().UnixMilli()}
	site, asked := x.query("site")
	var principal *auth.Principal
	key := bearer(q.Header.Get("Authorization"))
	if key == "" {
		key, _ = x.query("key")
	}
	switch own, ok := c.keys.WriteKey(key); {
	case key == "":
		var err error
		if principal, err = x.person(ctx); err != nil {
			return unauthorized("the request has no key")
		}
	case ok && asked && site != own:
		return problem.New(http.StatusForbidden, "the write key belongs to another site",
			problem.Fault{Location: "query.site", Code: "forbidden", Message: "a write key names its site", Value: strings.Clone(site)})
	case ok:
		site = own
	default:
		if principal, ok = c.keys.APIKey(key); !ok {
			return unauthorized("the key is not known")
		}
	}
	if principal != nil {
		r.api = true
		if p := x.mayImport(principal, site, asked); p != nil {
			return p
		}
	}
	settings, ok := c.sites.Site(site)
	if !ok {
		return c.unknownSite(site)
	}
	r.site = c.infos.of(settings, c.secret)
	if key != "" {
		r.key = c.rates.buckets.Key(bucketKey, key)
	}
	return x.readQuery()
}

func (x *exchange) mayImport(p *auth.Principal, site string, asked bool) *problem.Problem {
	if !p.Has(auth.EventsImport, "") {
		return problem.New(http.StatusForbidden, "the key has no scope events:import")
	}
	if !asked || site == "" {
		return problem.New(http.StatusUnprocessableEntity, "the request names no site",
			problem.Fault{Location: "query.site", Code: codeNames[codeMissingField], Message: "an API key needs ?site="})
	}
	if !p.Reaches(site) {
		return problem.New(http.StatusForbidden, "the key does not reach this site",
			problem.Fault{Location: "query.site", Code: "forbidden", Message: "is none of the key's sites", Value: strings.Clone(site)})
	}
	return nil
}

func unauthorized(detail string) *problem.Problem {
	return problem.New(http.StatusUnauthorized, detail).WithHeader("WWW-Authenticate", "Bearer")
}

func (c *Collector) unknownSite(site string) *problem.Problem {
	detail := "there is no such site"
	names := []string{}
	for _, s := range c.sites.Sites() {
		names = append(names, s.ID)
	}
	if near := nearest.Match(site, names); near != "" {
		detail += "; the nearest is " + near
	}
	return problem.New(http.StatusNotFound, detail,
		problem.Fault{Location: "query.site", Code: "unknown_site", Message: detail, Value: strings.Clone(site)})
}

// person returns who the dashboard's session cookie stands for, if the request
// comes from the dashboard's origin.
func (x *exchange) person(ctx context.Context) (*auth.Principal, error) {
	if x.c.sessions == nil || !sameOrigin(x.q) {
		return nil, errUnknownKey
	}
	token := CookieValue(x.q.Header.Get("Cookie"), x.c.sessionCookie)
	if token == "" {
		return nil, errUnknownKey
	}
	return x.c.sessions.Check(ctx, token)
}

// sameOrigin says whether a browser made the request for a page of this host.
func sameOrigin(q *Request) bool {
	switch q.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
		return true
	case "":
		origin := q.Header.Get("Origin")
		return origin == "" || strings.EqualFold(origin, "http://"+q.Host) || strings.EqualFold(origin, "https://"+q.Host)
	}
	return false
}

func bearer(header string) string {
	const scheme = "Bearer "
	if len(header) > len(scheme) && strings.EqualFold(header[:len(scheme)], scheme) {
		return strings.TrimSpace(header[len(scheme):])
	}
	return ""
}

// query returns a decoded parameter of the query.
func (x *exchange) query(name string) (value string, ok bool) {
	if x.q.Query == "" {
		return "", false
	}
	raw, ok := param(x.q.Query, name)
	value, _ = x.arena.unescape(raw)
	return value, ok
}

// readQuery reads the parameters that are about the request, and what the
// connection says of the reader.
func (x *exchange) readQuery() *problem.Problem {
	q, r := x.q, &x.request
	var faults []problem.Fault
	flag := func(name string, dst *bool) {
		switch value, _ := x.query(name); value {
		case "", "0", "false":
		case "1", "true":
			*dst = true
		default:
			faults = append(faults, problem.Fault{Location: "query." + name, Code: codeNames[codeWrongType], Message: "must be 1 or 0", Value: strings.Clone(value)})
		}
	}
	flag("debug", &r.debug)
	flag("advance", &r.advance)
	if !r.api {
		r.advance = false
	}
	if sent, ok := x.query("sent_at"); ok && sent != "" {
		at, ok := parseQueryTime(sent)
		if !ok {
			faults = append(faults, problem.Fault{Location: "query.sent_at", Code: codeNames[codeBadTime],
				Message: "must be an RFC 3339 time with an offset, or integer Unix milliseconds", Value: strings.Clone(sent)})
		}
		r.shift = r.received - at
	}
	if faults != nil {
		return problem.New(http.StatusUnprocessableEntity, "the query has a fault", faults...)
	}
	if r.api {
		r.earliest = minTime
		return nil
	}
	r.earliest = r.earliestTime()
	x.readConnection(q, r)
	return nil
}

// minTime lies before every time.
const minTime = -1 << 62

// earliestTime is the first time that a write key may send: 48 hours before the
// site's now. A site with clock "event" that has no now yet takes any.
func (r *request) earliestTime() int64 {
	now := r.received
	if r.site.Clock == event.ClockEvent {
		if now = r.collector.sites.SiteNow(r.site.ID, r.received); now >= r.received {
			return minTime
		}
	}
	return now - maxBehind
}

// readConnection reads what the connection says of the reader, but for what
// follows from the agent: limit does.
func (x *exchange) readConnection(q *Request, r *request) {
	v := x.c.visitor(r.site, q)
	r.gpc, r.dnt, r.agent, r.secure = v.GPC, v.DNT, v.agent, v.Secure
	r.language = x.arena.primaryLanguage(v.languages)
	r.address, r.cookieDevice, r.token = v.Address, v.Device, v.Token
}

// parseQueryTime is parseTime or parseMillis, for a query: a blank is a plus.
func parseQueryTime(s string) (int64, bool) {
	if at, ok := parseMillis(s); ok {
		return at, true
	}
	return parseTime(strings.ReplaceAll(s, " ", "+"))
}
