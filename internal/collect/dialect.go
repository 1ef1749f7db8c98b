package collect

import (
	"net/http"
	"slices"
	"strings"

	"github.com/readership/readership/internal/problem"
)

// A dialect is what a foreign tracker's clients speak: where they send requests,
// what these mean as events, and the answers that the clients need. It is one
// file here and one line in dialects; docs/dialects.md says what maps to what.
//
// To add one, write a file with
//
//	var example = dialect{name: "example", routes: []route{
//		{http.MethodPost, "/example/collect", (*foreign).example},
//	}, stubs: []route{
//		{http.MethodGet, "/example/{key}/config", (*foreign).exampleConfig},
//	}}
//
//	func (x *foreign) example() {
//		doc, ok := x.json()                      // or x.asked, x.params(text(x.body))
//		if !ok {
//			return                               // 400 has been answered
//		}
//		site := x.siteOfKey("write_key", doc.get("write_key").text())
//		for _, e := range doc.get("batch").members() {
//			f := x.event(site)                   // with an unknown one it is invalid:write_key
//			f.text[fieldType] = "page_view"
//			f.text[fieldURL] = e.get("url").text()
//			f.text[fieldID] = x.id(e.get("id").text())
//			f.setTime(e.get("at").text(), x.behind(doc.get("sent_at").text()))
//			x.keepAll(fieldProperties, e.get("props"))
//			x.store()
//		}
//		x.answer(http.StatusOK, "application/json", `{"ok":true}`)
//	}
//
// and add what maps to what to docs/dialects.md, a fuzz target beside its tests,
// a body to TestDialectsTakeAnything, and its client to clients/.
//
// The seam (foreign.go; fill.go has what fields are filled with) does the rest,
// alike for all: CORS with credentials, gzip by header and by its first bytes,
// JSON under any content type, room and limits (503 with Retry-After, 413),
// consent, robots and identity as of native events, the ledger with reasons
// "example:code", X-Readership-Verdict, and ?debug=1 (or the header
// X-Readership-Debug: 1), which answers what would be stored. A bad event never
// turns a batch into a 4xx: f.fail it and store it, which rejects it alone.
type dialect struct {
	// name marks the dialect's ids and the ledger's reasons.
	name   string
	routes []route
	// stubs bring no events: scripts and settings. They are answered when there is
	// no room for events too.
	stubs []route
	// cookieless says that its clients keep no cookie. Then none is set, and who is
	// not named otherwise is the daily hash: else every event had a new device.
	cookieless bool
	// final is the status by which its clients understand that a request will
	// never be taken; 0: any 4xx.
	final int
}

// finally gives an answer the status that the clients need to give up, if it says
// that the request will never be taken.
func (d *dialect) finally(p *problem.Problem) *problem.Problem {
	if d.final == 0 || p.Status >= 500 || p.Status == http.StatusTooManyRequests || p.Status == http.StatusRequestTimeout {
		return p
	}
	final := *p
	final.Status, final.Title = d.final, http.StatusText(d.final)
	return &final
}

// all are the addresses of the dialect.
func (d *dialect) all() []route { return slices.Concat(d.routes, d.stubs) }

// route is an address that a dialect answers. GET stands for HEAD too.
type route struct {
	method string
	// path is exact, or has one segment {name}, which x.segment holds.
	path   string
	answer func(*foreign)
}

// dialects are those that are spoken. No two have a method and path in common.
var dialects = []*dialect{
	&plausible, &umami, &matomo, &ga4, &gtag, &cloudEvents,
	&segment, &rudderstack, &snowplow, &posthog,
}

// Pattern is an address beside PathEvents and PathPixel that Collect answers, in
// the terms of http.ServeMux.
type Pattern struct{ Method, Path string }

// Patterns lists the addresses of the dialects, in their order.
func Patterns() (list []Pattern) {
	for _, d := range dialects {
		for _, r := range d.all() {
			path := r.path
			if strings.HasSuffix(path, "/") {
				path += "{$}"
			}
			list = append(list, Pattern{r.method, path})
		}
	}
	return list
}

// Serves says whether Collect answers at a path, whatever the method.
func Serves(path string) bool {
	if path == PathEvents || path == PathPixel {
		return true
	}
	found, _ := spoken.find(path)
	return found != nil
}

// endpoint is what the dialects answer at one path.
type endpoint struct {
	allowed string // methods, for Allow
	answers []answerer
}

// answerer answers a method.
type answerer struct {
	method  string
	dialect *dialect
	answer  func(*foreign)
	stub    bool
}

// endpoints are the paths of all dialects.
type endpoints struct {
	exact map[string]*endpoint
	open  []openEndpoint
}

// openEndpoint is a path with a segment that varies.
type openEndpoint struct {
	before, after string
	endpoint      *endpoint
}

var spoken = newEndpoints(dialects)

func newEndpoints(dialects []*dialect) *endpoints {
	all := &endpoints{exact: map[string]*endpoint{}}
	paths := map[string]*endpoint{}
	for _, d := range dialects {
		for i, r := range d.all() {
			p := paths[r.path]
			if p == nil {
				p = &endpoint{}
				paths[r.path] = p
				before, rest, open := strings.Cut(r.path, "{")
				if _, after, ok := strings.Cut(rest, "}"); open && ok {
					all.open = append(all.open, openEndpoint{before, after, p})
				} else {
					all.exact[r.path] = p
				}
			}
			p.answers = append(p.answers, answerer{r.method, d, r.answer, i >= len(d.routes)})
		}
	}
	for _, p := range paths {
		methods := []string{}
		for _, a := range p.answers {
			methods = append(methods, a.method)
			if a.method == http.MethodGet {
				methods = append(methods, http.MethodHead)
			}
		}
		slices.Sort(methods)
		p.allowed = strings.Join(append(methods, http.MethodOptions), ", ")
	}
	return all
}

// find returns what is answered at a path, nil if nothing is, and the segment
// that varies.
func (p *endpoints) find(path string) (found *endpoint, segment string) {
	if found = p.exact[path]; found != nil {
		return found, ""
	}
	for i := range p.open {
		if segment = p.open[i].segment(path); segment != "" {
			return p.open[i].endpoint, segment
		}
	}
	return nil, ""
}

// segment returns what of a path varies, "" if the path is another.
func (o *openEndpoint) segment(path string) string {
	rest, ok := strings.CutPrefix(path, o.before)
	if !ok {
		return ""
	}
	segment, ok := strings.CutSuffix(rest, o.after)
	if !ok || strings.Contains(segment, "/") {
		return ""
	}
	return segment
}

// answerer finds who answers a method, nil if nobody does.
func (p *endpoint) answerer(method string) *answerer {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range p.answers {
		if p.answers[i].method == method {
			return &p.answers[i]
		}
	}
	return nil
}
