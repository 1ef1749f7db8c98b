package gate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// Errors that X-Readership-Error names.
const (
	errUnknownAccess = "unknown_access"   // no such key, site or access block
	errNoPage        = "no_page"          // the request does not say for which page
	errHost          = "host_not_allowed" // the page is on none of the site's domains
	errBadPage       = "bad_page"         // its address cannot be decided about
	errDecide        = "no_decision"
)

// ServeHTTP answers GET …/auth: whether the page of a request to another server may
// be served. It needs the path value "site".
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(headerCache, cacheNothing)
	query := readQuery(r.URL.RawQuery)
	site, ok := g.known(r.PathValue("site"), query.key)
	if !ok {
		refuse(w, errUnknownAccess, "no such site, or the key is none of its")
		return
	}
	v := &view{site: site, access: query.access, request: collect.Fetched(r)}
	if v.url, ok = pageOf(r, query.uri, g.secure(v)); !ok {
		refuse(w, errBadPage, "X-Original-URI and X-Forwarded-Uri name two pages: take from the reader's request the one that your server does not set")
		return
	} else if v.url == "" {
		refuse(w, errNoPage, "X-Original-URI or X-Forwarded-Uri has to name the page")
		return
	}
	forward := query.mode == modeForward
	if id := r.Header.Get(headerID); forward && id != "" && g.Front.Service.Walled(site, id) {
		if ruled, err := g.again(r.Context(), v, id); err == nil {
			g.wall(w, r, ruled)
			return
		}
	}
	ruled, err := g.decide(r.Context(), v)
	if err != nil {
		g.refused(w, v, err)
		return
	}
	setVerdict(w.Header(), ruled.verdict)
	for _, cookie := range ruled.cookies {
		w.Header().Add(headerCookie, cookie)
	}
	switch {
	case !ruled.stopped():
		if !ruled.asked.Commits() {
			g.Attention.wait(ruled)
		}
		w.WriteHeader(http.StatusOK)
	case forward:
		if ruled.counted() {
			g.commits.begin(ruled.kept()) // the wall is ours
		}
		g.wall(w, r, ruled)
	default:
		if ruled.verdict.Decision == access.Charge {
			w.Header().Set(headerPrice, price(ruled.verdict))
		}
		w.WriteHeader(http.StatusForbidden)
	}
}

// modeForward is for servers that pass every answer on but 2xx.
const modeForward = "forward"

// query are the parameters of …/auth.
type query struct{ access, mode, key, uri string }

// readQuery reads the first of each. What follows uri= is the page's, to the end:
// Envoy puts it there.
func readQuery(raw string) (q query) {
	for raw != "" {
		if uri, ok := strings.CutPrefix(raw, "uri="); ok {
			q.uri = uri
			return q
		}
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		for at, to := range map[string]*string{"access": &q.access, "mode": &q.mode, "key": &q.key} {
			if name == at && *to == "" {
				*to = value
			}
		}
	}
	return q
}

// known finds a site; a key that is named has to be one of the site's, or to decide
// for its readers.
func (g *Gate) known(id, key string) (*event.Site, bool) {
	if key != "" {
		own, ok := g.Keys.WriteKey(key)
		if !ok {
			var who *auth.Principal
			who, ok = g.Keys.APIKey(key)
			ok = ok && who.Has(auth.DecisionsRead|auth.DecisionsWrite, id)
		} else {
			ok = own == id
		}
		if !ok {
			return nil, false
		}
	}
	return g.Engine.Site(id)
}

func (g *Gate) secure(v *view) bool {
	visitor := g.Front.Visitors.Visitor(v.site, v.request)
	return visitor.Secure
}

// pageOf returns the address of the page that another server asks about; "" if none
// is named. ok is false where two are: servers pass on what readers send, and only
// one of these headers is the server's own.
func pageOf(r *http.Request, uri string, secure bool) (page string, ok bool) {
	host, scheme := r.Host, "http"
	if secure {
		scheme = "https"
	}
	if uri == "" {
		original, forwarded := r.Header.Values("X-Original-URI"), r.Header.Values("X-Forwarded-Uri")
		for _, named := range slices.Concat(original, forwarded) {
			if uri != "" && named != uri {
				return "", false
			}
			uri = named
		}
		if uri == "" {
			return "", true
		}
		if name := r.Header.Get("X-Forwarded-Host"); name != "" && len(original) == 0 {
			host = name
		}
	}
	if !strings.HasPrefix(uri, "/") {
		if _, rest, ok := strings.Cut(uri, "://"); ok { // a request line may hold all of it
			_, path, _ := strings.Cut(rest, "/")
			uri = "/" + path
		} else {
			uri = "/" + uri
		}
	}
	return scheme + "://" + host + uri, true
}

// again returns a ruling that was made before, of a wall that is to be shown now.
func (g *Gate) again(ctx context.Context, v *view, id string) (*ruling, error) {
	r, err := g.read(v)
	if err != nil {
		return nil, err
	}
	r.verdict, err = g.Front.Service.Commit(ctx, v.site, id, access.Own{Any: true}, g.Acked())
	if err == nil && (r.verdict.Access != v.access || !r.stopped()) {
		err = access.ErrNotDecision
	}
	return r, err
}

// wall answers with what the offer of a ruling says.
func (g *Gate) wall(w http.ResponseWriter, r *http.Request, ruled *ruling) {
	page, err := g.page(ruled)
	if err != nil {
		g.refused(w, ruled.view, err)
		return
	}
	setVerdict(w.Header(), ruled.verdict)
	for name, values := range page.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(page.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(page.Body) // who is gone need not be told
	}
}

// refused answers for an error.
func (g *Gate) refused(w http.ResponseWriter, v *view, err error) {
	var unknown *access.UnknownAccess
	var p *problem.Problem
	switch {
	case errors.As(err, &unknown):
		refuse(w, errUnknownAccess, err.Error())
	case errors.As(err, &p) && p.Status == http.StatusNotFound:
		refuse(w, errUnknownAccess, p.Detail)
	case errors.As(err, &p) && len(p.Errors) > 0 && p.Errors[0].Code == errHost:
		refuse(w, errHost, p.Detail)
	case errors.As(err, &p):
		refuse(w, errBadPage, p.Detail)
	default:
		g.Logger.Warn("no decision", "site", v.site.ID, "page", v.url, "error", err)
		refuse(w, errDecide, "no decision could be had")
	}
}

// refuse answers that a page is not to be served, for want of a decision.
func refuse(w http.ResponseWriter, code, why string) {
	h := w.Header()
	h.Set(headerError, code)
	h.Set(headerType, "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, code+": "+why+"\n")
}
