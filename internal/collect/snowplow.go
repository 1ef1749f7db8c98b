package collect

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/readership/readership/internal/event"
)

// snowplow speaks to the trackers of Snowplow: payloads of texts, as JSON or as
// a query.
var snowplow = dialect{name: "snowplow", final: http.StatusUnprocessableEntity, routes: []route{
	{http.MethodPost, "/com.snowplowanalytics.snowplow/tp2", (*foreign).snowplowPost},
	{http.MethodGet, "/i", (*foreign).snowplowGet},
}}

// snowplowHeartbeat is the seconds of attention that a page ping stands for. It
// does not say how far apart pings are: this is what the trackers' documentation
// sets, and what Snowplow's own models count.
const snowplowHeartbeat = 10

// payload is one event of Snowplow, by the names of its protocol.
type payload func(name string) string

// snowplowPost answers a list of payloads.
func (x *foreign) snowplowPost() {
	doc, ok := x.json()
	if !ok {
		return
	}
	for _, e := range doc.get("data").members() {
		x.snowplowEvent(func(name string) string { return e.get(name).text() })
	}
	if x.unclaimed() {
		x.unknownKey("aid")
		return
	}
	x.answer(http.StatusOK, "text/plain; charset=utf-8", "ok")
}

// snowplowGet answers one payload.
func (x *foreign) snowplowGet() {
	x.snowplowEvent(func(name string) string { return x.asked.get(name) })
	if x.unclaimed() {
		x.unknownKey("aid")
		return
	}
	x.answerGIF()
}

// snowplowEvent stores one event.
func (x *foreign) snowplowEvent(get payload) {
	f := x.event(x.siteNamed("aid", get("aid")))
	if x.q.Header.Get("SP-Anonymous") != "" {
		x.forgetConnection()
	}
	f.text[fieldID] = x.id(get("eid"))
	x.snowplowTime(f, get)
	f.text[fieldDevice], f.text[fieldAccount] = get("duid"), get("uid")
	f.text[fieldURL], f.text[fieldReferrer], f.text[fieldTitle] = get("url"), get("refr"), get("page")
	view := x.snowplowContexts(get)
	if view == "" {
		view = x.pageView(get("url"), x.request.received)
	}
	switch e := get("e"); e {
	case "pv":
		f.text[fieldType], f.text[fieldView] = event.TypePageView, view
	case "pp":
		f.text[fieldType], f.text[fieldView] = event.TypeEngagement, view
		f.set(fieldEngaged, snowplowHeartbeat)
		f.setSeen(get)
	case "se":
		action := get("se_ac")
		if action == "" {
			action = get("se_ca")
		}
		x.setType(f, action)
		x.putText(fieldProperties, "category", get("se_ca"))
		x.putText(fieldProperties, "label", get("se_la"))
		x.putText(fieldProperties, "property", get("se_pr"))
		x.putNumber("value", get("se_va"))
	case "ue":
		x.snowplowOwn(f, get)
	case "tr":
		x.setType(f, "transaction")
		if total, err := strconv.ParseFloat(get("tr_tt"), 64); err == nil {
			f.setValue(total, get("tr_cu"))
		}
		x.putText(fieldProperties, "order_id", get("tr_id"))
	case "ti":
		x.setType(f, "transaction_item")
		x.putText(fieldProperties, "order_id", get("ti_id"))
		x.putText(fieldProperties, "sku", get("ti_sk"))
		x.putText(fieldProperties, "name", get("ti_nm"))
		x.putText(fieldProperties, "category", get("ti_ca"))
		x.putNumber("price", get("ti_pr"))
		x.putNumber("quantity", get("ti_qu"))
	default:
		f.fail(codeWrongType, "e", "must be one of pv, pp, se, ue, tr, ti")
	}
	x.store()
}

// snowplowTime sets when the event happened: as its sender vouches for, or by
// the device's clock, which says when it sent the event too.
func (x *foreign) snowplowTime(f *fields, get payload) {
	if at := get("ttm"); at != "" {
		f.setTime(at, 0)
		return
	}
	f.setTime(get("dtm"), x.behind(get("stm")))
}

// setSeen sets how much of the page's height has been seen: as far as it was
// scrolled, and a window more.
func (f *fields) setSeen(get payload) {
	_, window, _ := strings.Cut(get("vp"), "x")
	_, page, _ := strings.Cut(get("ds"), "x")
	top, err := strconv.ParseFloat(get("pp_may"), 64)
	height, err2 := strconv.ParseFloat(window, 64)
	whole, err3 := strconv.ParseFloat(page, 64)
	if err == nil && err2 == nil && err3 == nil && top >= 0 && height >= 0 && whole > 0 {
		f.set(fieldScroll, min((top+height)/whole, 1)*100)
	}
}

// urlAlphabet turns base64 of either alphabet into that for URLs, also after a
// form has made blanks of plus signs.
var urlAlphabet = strings.NewReplacer("+", "-", "/", "_", " ", "-")

// snowplowJSON is the JSON that a payload holds as text or in base64.
func (x *foreign) snowplowJSON(get payload, plain, packed string) value {
	source := get(plain)
	if source == "" {
		b, err := base64.RawURLEncoding.DecodeString(urlAlphabet.Replace(strings.TrimRight(get(packed), "=")))
		if err != nil {
			return value{}
		}
		source = text(b)
	}
	doc, _, _ := x.parse(&x.inner, source)
	return doc
}

// schemaName is the name in the address of a schema,
// iglu:vendor/name/format/version, and whether it is one of Snowplow's.
func schemaName(schema string) (name string, theirs bool) {
	vendor, rest, _ := strings.Cut(strings.TrimPrefix(schema, "iglu:"), "/")
	name, _, _ = strings.Cut(rest, "/")
	return name, strings.HasPrefix(vendor, "com.snowplowanalytics.")
}

// snowplowOwn reads an event with a schema: its name is the type, its members are
// the properties.
func (x *foreign) snowplowOwn(f *fields, get payload) {
	own := x.snowplowJSON(get, "ue_pr", "ue_px").get("data")
	name, theirs := schemaName(own.get("schema").text())
	if name == "" {
		f.fail(codeMissingField, "ue_pr", "an event must have a schema")
		return
	}
	if theirs && name == "screen_view" {
		f.text[fieldType] = event.TypePageView
		f.text[fieldTitle] = own.in("data", "name").text()
		f.text[fieldView] = x.view(own.in("data", "id").text())
	} else {
		x.setType(f, name)
	}
	x.keepAll(fieldProperties, own.get("data"))
}

// snowplowContexts keeps the contexts that are the publisher's own as properties
// CONTEXT.MEMBER, and returns the view that the context of the web page names.
func (x *foreign) snowplowContexts(get payload) (view string) {
	for _, context := range x.snowplowJSON(get, "co", "cx").get("data").members() {
		switch name, theirs := schemaName(context.get("schema").text()); {
		case theirs && name == "web_page":
			view = x.view(context.in("data", "id").text())
		case !theirs && name != "":
			x.keep(fieldProperties, name, context.get("data"))
		}
	}
	return view
}

// forgetConnection leaves out what the connection says of the reader: the address
// and what follows from it, and the cookie.
func (x *foreign) forgetConnection() {
	x.forgetReader()
	if x.current != nil {
		r := &x.current.request
		r.who.place, r.address = nil, netip.Addr{}
	}
}
