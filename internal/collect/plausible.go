package collect

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/readership/readership/internal/event"
)

// plausible is what plausible-tracker, @plausible-analytics/tracker and the
// script of Plausible speak. They lose what is not taken at once, so whatever can
// be read is answered 202. Our own script (tracker/) adds id and view, so that
// what it sends twice is stored once and engagement finds its page view.
var plausible = dialect{name: "plausible", cookieless: true, routes: []route{
	{http.MethodPost, "/api/event", (*foreign).plausible},
}}

// Limits of Plausible.
const (
	plausibleURL   = 2000 // bytes
	plausibleName  = 120  // characters
	plausibleProps = 30
)

func (x *foreign) plausible() {
	doc, ok := x.json()
	if !ok {
		return
	}
	for _, domain := range strings.SplitN(doc.get("d", "domain").text(), ",", maxSites) {
		x.plausibleEvent(doc, x.siteNamed("domain", domain))
		x.store()
	}
	x.answer(http.StatusAccepted, "text/plain; charset=utf-8", "ok")
}

// plausibleEvent fills one event.
func (x *foreign) plausibleEvent(doc value, site sender) {
	f := x.event(site)
	name := doc.get("n", "name").text()
	page := strings.TrimSpace(doc.get("u", "url").text())
	switch {
	case name == "":
		f.fail(codeMissingField, "name", "an event must have a name")
	case tooLong(name, plausibleName):
		f.fail(codeTooLong, "name", "a name may have 120 characters")
	case page == "":
		f.fail(codeMissingField, "url", "an event must have a url")
	case len(page) > plausibleURL:
		f.fail(codeTooLong, "url", "a URL may have 2,000 bytes")
	case strings.HasPrefix(page, "data:"):
		f.fail(codeWrongType, "url", "must not be a data URL")
	}
	f.text[fieldURL] = page
	f.noHost = locate(page).host == "" || schemeEnd(page) == 0
	f.text[fieldReferrer] = doc.get("r", "referrer").text()
	f.text[fieldID] = x.id(doc.get("id").text())
	own := x.view(doc.get("view").text())
	at := x.request.received
	switch name {
	case "pageview":
		f.text[fieldType] = event.TypePageView
		f.text[fieldView] = cmp.Or(own, x.pageView(page, at))
	case event.TypeEngagement:
		f.text[fieldType] = event.TypeEngagement
		// Its page view was there before this time began.
		engaged := x.plausibleEngagement(f, doc)
		f.text[fieldView] = cmp.Or(own, x.pageView(page, at-engaged))
	default:
		x.setType(f, name)
	}
	if h := doc.get("h", "hashMode"); h.kind() == kindTrue || h.text() == "1" {
		x.hashRoute(f, page)
	}
	if i := doc.get("i", "interactive"); i.kind() == kindFalse {
		x.put(fieldProperties, "interactive", "false", event.KindBool)
	}
	revenue := x.object(doc.get("$", "revenue"))
	f.setMoney(revenue.get("amount"), revenue.get("currency").text())
	x.plausibleProps(doc)
}

// plausibleEngagement sets what was measured and returns the milliseconds.
func (x *foreign) plausibleEngagement(f *fields, doc value) (millis int64) {
	e, engaged := doc.get("e").number()
	if engaged = engaged && doc.get("e").kind() == kindNumber && e >= 0 && e <= maxEngaged*1000; engaged {
		f.set(fieldEngaged, e/1000)
		millis = int64(e)
	}
	sd, scrolled := doc.get("sd").number()
	if scrolled = scrolled && doc.get("sd").kind() == kindNumber && sd >= 0 && sd <= 100; scrolled {
		f.set(fieldScroll, sd)
	}
	if !engaged && !scrolled {
		f.fail(codeMissingField, "e", "an engagement must have a number of sd or e")
	}
	return millis
}

// plausibleProps takes the custom properties.
func (x *foreign) plausibleProps(doc value) {
	kept := 0
	for name, v := range x.object(doc.get("p", "props", "m", "meta")).members() {
		if k := v.kind(); k == kindObject || k == kindArray || !v.there() || strings.TrimSpace(v.text()) == "" {
			continue
		}
		if kept++; kept > plausibleProps {
			return
		}
		x.keep(fieldProperties, name, v)
	}
}

// hashRoute makes the fragment of a page part of its item, for pages that are
// told apart by it.
func (x *foreign) hashRoute(f *fields, page string) {
	_, fragment, _ := strings.Cut(page, "#")
	if fragment == "" || x.current == nil {
		return
	}
	f.text[fieldItem] = x.arena.join(ItemAddress(x.current.request.site.Site, page), "#", fragment)
}
