package gate

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/edge/proxy"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/rubric/plan"
)

// Ask implements proxy.Gate. A page counts when the origin has answered with it; a
// wall when it is served.
func (g *Gate) Ask(ctx context.Context, q *proxy.Question) (proxy.Outcome, error) {
	v := &view{site: q.Site, access: q.Access, url: q.URL(), routed: true, request: collect.Fetched(q.Request)}
	v.request.Remote, v.request.TLS = q.Address, q.Secure
	r, err := g.decide(ctx, v)
	if err != nil {
		return g.unserved(v, err)
	}
	out := proxy.Outcome{Request: http.Header{}, Answer: http.Header{}}
	setVerdict(out.Request, r.verdict)
	if len(r.cookies) > 0 {
		out.Answer[headerCookie] = r.cookies
	}
	charge := r.verdict.Decision == access.Charge
	switch {
	case r.stopped() && (charge || q.OnDeny != event.OnDenyTeaser):
		out.Action = proxy.Serve
		if out.Page, err = g.page(r); err != nil {
			return proxy.Outcome{}, err
		}
		if r.counted() {
			g.commits.begin(r.kept())
		}
		return out, nil
	case r.stopped():
		out.Action = proxy.Teaser
	}
	out.Answered = func(status int, h http.Header) {
		private(h)
		if r.asked.Commits() {
			return
		}
		page := rendered(q.Request, status, h)
		switch now := page && (r.stopped() || r.block.Counts == plan.CountsRendered); {
		case now && r.seen():
			g.shown(ctx, r, h)
		case r.stopped():
		case page:
			g.Attention.wait(r)
		case data(q.Request, status, h):
			g.Attention.waitFor(r)
		}
	}
	return out, nil
}

// shown commits what the reader is about to see. Of a reader of whom nothing may
// be stored the answer carries what is burned, so it waits.
func (g *Gate) shown(ctx context.Context, r *ruling, h http.Header) {
	if !r.asked.Session() {
		g.commits.begin(r.kept())
		return
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	answer, err := g.Front.CommitPage(limited, r.asked, r.verdict.DecisionID)
	if err != nil {
		g.figures.lost.Add(1)
		g.Logger.Warn("a page that was shown could not be counted", "site", r.site.ID, "page", r.url, "error", err)
		return
	}
	for _, cookie := range answer.Cookies {
		h.Add(headerCookie, cookie)
	}
}

// rendered says that an answer is a page that a reader sees: one in HTML, or of no
// type, which browsers take for it, or parts of one, whatever it was asked for with;
// or word that the browser has it still.
func rendered(r *http.Request, status int, h http.Header) bool {
	switch {
	case r.Method == http.MethodHead, status == http.StatusNoContent, status == http.StatusResetContent, h.Get("Content-Length") == "0":
		return false
	case status == http.StatusNotModified:
		dest := r.Header.Get("Sec-Fetch-Dest")
		return dest == "document" || dest == "iframe" || dest == "" && strings.Contains(r.Header.Get("Accept"), "html")
	case status/100 != 2:
		return false
	}
	media, _, _ := strings.Cut(h.Get(headerType), ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "text/html", "application/xhtml+xml", "":
		return true
	case "multipart/byteranges":
		return status == http.StatusPartialContent
	}
	return false
}

// data says that an answer is what a script may make a page of, as apps and pages that
// change without being loaded do. Whether anybody sees it, a page view says: much of
// it is fetched ahead, or is no text at all.
func data(r *http.Request, status int, h http.Header) bool {
	if r.Method == http.MethodHead || status/100 != 2 {
		return false
	}
	media, _, _ := strings.Cut(h.Get(headerType), ";")
	switch media = strings.ToLower(strings.TrimSpace(media)); media {
	case "application/json", "application/x-ndjson", "text/x-component", "text/x-script":
		return true
	}
	return strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// private keeps a page that was decided about for one reader out of shared caches,
// and has the reader's own ask again.
func private(h http.Header) {
	if said := strings.ToLower(strings.Join(h.Values(headerCache), ",")); !strings.Contains(said, "no-store") {
		h.Set(headerCache, "private, no-cache")
	}
	for _, name := range otherCaches {
		h.Del(name)
	}
}

// otherCaches are what some caches go by in place of Cache-Control.
var otherCaches = [...]string{"Expires", "Surrogate-Control", "Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Edge-Control", "X-Accel-Expires"}

// unserved says what becomes of a page that nothing could be decided about: where
// there was nobody to decide it is by the block's policy, which has answered then;
// what is left are addresses that are none, and blocks that are not there.
func (g *Gate) unserved(v *view, err error) (proxy.Outcome, error) {
	var p *problem.Problem
	if !errors.As(err, &p) || p.Status/100 != 4 {
		return proxy.Outcome{}, err
	}
	return proxy.Outcome{Action: proxy.Serve, Page: &proxy.Page{Status: http.StatusForbidden, Header: http.Header{
		headerType: {"text/plain; charset=utf-8"}, headerCache: {cacheNothing}}, Body: []byte(p.Detail + "\n")}}, nil
}

var _ proxy.Gate = (*Gate)(nil)
