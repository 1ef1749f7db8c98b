package gate

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/readership/readership/internal/edge/route"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// asOriginsRead returns a page's address as origins may read it, however it is
// written: its path decoded as routes match it, and each parameter that names items
// once. By that address the page is decided about, so that none leads past a wall.
// Errors: *problem.Problem for one that can be read in two ways.
func asOriginsRead(site *event.Site, address string) (string, error) {
	begin := strings.Index(address, "://") + len("://")
	begin += strings.IndexByte(address[begin:], '/')
	host, target := address[:begin], address[begin:]
	target, _, _ = strings.Cut(target, "#")
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return "", unclear("the page's address cannot be read")
	}
	path, ok := route.Clean(u)
	if !ok {
		return "", unclear("the page's address has dots as a part of its path, or bytes that no address has")
	}
	if named := namedTwice(site.IDParams, u.RawQuery); named != "" {
		return "", unclear("the page's address names two items: by " + named)
	}
	path = escapedPath(path)
	if u.RawQuery == "" {
		return host + path, nil
	}
	return host + path + "?" + u.RawQuery, nil
}

func unclear(why string) error { return problem.New(http.StatusBadRequest, why) }

// namedTwice returns the parameter of params that a query has with two values; ""
// for none. Origins take the first, or the last.
func namedTwice(params []string, query string) string {
	if len(params) == 0 || query == "" {
		return ""
	}
	values, err := url.ParseQuery(query)
	for _, name := range params {
		for _, value := range values[name] {
			if value != values[name][0] {
				return name
			}
		}
		if err != nil && strings.Contains(query, name) {
			return name // what cannot be read may say anything
		}
	}
	return ""
}

// escapedPath percent-encodes of a decoded path what cannot stand in an address for
// itself.
func escapedPath(path string) string {
	return percentEncoded(path, func(c byte) bool { return c > ' ' && c < 0x7f && c != '%' && c != '?' && c != '#' })
}
