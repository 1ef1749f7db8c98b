package collect

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/readership/readership/internal/event"
)

// gtag is what Google's browser tag sends. It wants 204 and reads nothing.
var gtag = dialect{name: "gtag", routes: []route{
	{http.MethodGet, "/g/collect", (*foreign).gtagCollect},
	{http.MethodPost, "/g/collect", (*foreign).gtagCollect},
}}

// gtagLines bounds the events of one request; the tag sends 25 at most.
const gtagLines = 100

// gtagCollect takes the event of the query, or of each line of the body with
// what the query says of all.
func (x *foreign) gtagCollect() {
	site := x.siteNamed("tid", x.asked.get("tid"))
	lines := strings.SplitN(strings.TrimSpace(text(x.body)), "\n", gtagLines)
	for i, line := range lines {
		own := x.params(strings.TrimSpace(line))
		x.gtagEvent(site, own, strconv.Itoa(i))
		if !x.store() || !x.gtagEngaged(site, own, strconv.Itoa(i)) {
			return
		}
	}
	x.answer(http.StatusNoContent, "", "")
}

// gtagGet reads a parameter of an event, else of the request.
func (x *foreign) gtagGet(own params, name string) string {
	if value := own.get(name); value != "" {
		return value
	}
	return x.asked.get(name)
}

// gtagPage begins an event with its reader, its page and the page's view.
func (x *foreign) gtagPage(site sender, own params) (f *fields, view string) {
	get := func(name string) string { return x.gtagGet(own, name) }
	f = x.event(site)
	f.text[fieldDevice], f.text[fieldAccount] = get("cid"), get("uid")
	f.text[fieldURL], f.text[fieldReferrer], f.text[fieldTitle] = get("dl"), get("dr"), get("dt")
	// gcs is G1 and two digits: may advertise, may analyse.
	if consent := get("gcs"); len(consent) == 4 && strings.HasPrefix(consent, "G1") && consent[3] != '-' {
		f.consent = saidOf(consent[3] == '1')
	}
	return f, x.view(get("cid"), get("_p"), get("dl"))
}

// gtagEvent fills one event; n tells it from others of the request.
func (x *foreign) gtagEvent(site sender, own params, n string) {
	get := func(name string) string { return x.gtagGet(own, name) }
	f, view := x.gtagPage(site, own)
	if get("v") != "2" {
		f.fail(codeWrongType, "v", "must be 2")
	}
	if get("en") == "" {
		f.fail(codeMissingField, "en", "an event must have a name")
	}
	x.googleType(f, get("en"), view)
	if f.text[fieldType] == event.TypeEngagement {
		engaged, _ := strconv.ParseFloat(get("_et"), 64)
		f.setEngaged(engaged)
	}
	f.text[fieldID] = x.gtagID(own, n)
	currency := own.get("ep.currency", "cu")
	if currency == "" {
		currency = x.asked.get("ep.currency", "cu")
	}
	for _, list := range []params{x.asked, own} {
		for _, one := range list {
			x.gtagParameter(f, one, currency)
		}
	}
}

// gtagID makes an idempotency key of what tells a hit from others, n being what
// tells an event from others of its hit.
func (x *foreign) gtagID(own params, n string) string {
	get := func(name string) string { return x.gtagGet(own, name) }
	if get("_p") == "" || get("_s") == "" {
		return ""
	}
	return x.id(get("cid"), get("sid"), get("_p"), get("_s"), get("en"), n)
}

// gtagParameter takes a parameter of the publisher's: ep. of events and up. of
// readers, with n for numbers.
func (x *foreign) gtagParameter(f *fields, one parameter, currency string) {
	kind, name, _ := strings.Cut(one.name, ".")
	switch {
	case kind == "epn" && name == "value":
		if v, err := strconv.ParseFloat(one.value, 64); err == nil {
			f.setValue(v, currency)
		}
	case kind == "ep" && (name == "currency" || name == "debug_mode"):
	case kind == "ep":
		x.putText(fieldProperties, name, one.value)
	case kind == "epn":
		x.putNumber(name, one.value)
	case kind == "up" || kind == "upn":
		x.putText(fieldTraits, name, one.value)
	}
}

// gtagEngaged adds the reading time that an event of another type carries to its
// page view. That of a page view belongs to the page before, which it does not
// name.
func (x *foreign) gtagEngaged(site sender, own params, n string) bool {
	name := x.gtagGet(own, "en")
	engaged, err := strconv.ParseFloat(x.gtagGet(own, "_et"), 64)
	if err != nil || engaged < 1 || name == "page_view" || name == "user_engagement" || x.current == nil {
		return true
	}
	f, view := x.gtagPage(site, own)
	f.text[fieldType], f.text[fieldView], f.text[fieldID] = event.TypeEngagement, view, x.gtagID(own, n+" engaged")
	f.setEngaged(engaged)
	return x.store()
}
