package collect

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/readership/readership/internal/event"
)

// ga4 is the Measurement Protocol of Google Analytics 4. It is always answered
// 2xx; the debug address says what was wrong.
var ga4 = dialect{name: "ga4", routes: []route{
	{http.MethodPost, "/mp/collect", (*foreign).ga4Collect},
	{http.MethodPost, "/debug/mp/collect", (*foreign).ga4Debug},
}}

func (x *foreign) ga4Collect() {
	x.ga4Events()
	x.answer(http.StatusNoContent, "", "")
}

// ga4Debug answers what would be wrong, and stores nothing.
func (x *foreign) ga4Debug() {
	x.request.debug = true
	x.ga4Events()
	if !x.commit() {
		return
	}
	type message struct {
		FieldPath      string `json:"fieldPath"`
		Description    string `json:"description"`
		ValidationCode string `json:"validationCode"`
	}
	answer := struct {
		ValidationMessages []message `json:"validationMessages"`
	}{[]message{}}
	for _, r := range x.tally.rejected {
		answer.ValidationMessages = append(answer.ValidationMessages, message{r.path, r.message, strings.ToUpper(r.code)})
	}
	text, _ := json.Marshal(answer)
	x.head()
	x.reply(http.StatusOK, "application/json", string(text))
}

// ga4Events fills the events of a request. A body that is no JSON is an event
// that is rejected: there is no other answer than 2xx.
func (x *foreign) ga4Events() {
	site := x.siteNamed("measurement_id", x.asked.get("measurement_id", "firebase_app_id"))
	if key := x.siteOfKey("api_secret", x.asked.get("api_secret")); key.known() {
		site = key
	}
	doc, why, at := x.parse(&x.tree, text(x.body))
	if why != "" {
		x.event(site).fail(codeMalformed, "body", why+" "+place(x.body, at))
		x.store()
		return
	}
	for _, one := range doc.get("events").members() {
		x.ga4Event(site, doc, one)
		if !x.store() {
			return
		}
	}
}

// ga4Event fills one event.
func (x *foreign) ga4Event(site sender, doc, one value) {
	f := x.event(site)
	name, with := one.get("name").text(), one.get("params")
	if name == "" {
		f.fail(codeMissingField, "events.name", "an event must have a name")
	}
	client := doc.get("client_id", "app_instance_id").text()
	if client == "" {
		f.fail(codeMissingField, "client_id", "a request must have a client_id")
	}
	f.text[fieldDevice], f.text[fieldAccount] = client, doc.get("user_id").text()
	if micros, ok := one.get("timestamp_micros").number(); ok {
		f.setMillis(int64(min(max(micros, 0), maxTime*1000) / 1000))
	} else if micros, ok := doc.get("timestamp_micros").number(); ok {
		f.setMillis(int64(min(max(micros, 0), maxTime*1000) / 1000))
	}
	page := with.get("page_location").text()
	f.text[fieldURL], f.text[fieldReferrer], f.text[fieldTitle] = page, with.get("page_referrer").text(), with.get("page_title").text()
	x.googleType(f, name, x.view(client, with.get("session_id", "ga_session_id").text(), page))
	if engaged, ok := with.get("engagement_time_msec").number(); ok && f.text[fieldType] == event.TypeEngagement {
		f.setEngaged(engaged)
	}
	f.setMoney(with.get("value"), with.get("currency").text())
	for name, v := range with.members() {
		switch name {
		case "page_location", "page_referrer", "page_title", "engagement_time_msec", "value", "currency", "debug_mode":
		default:
			x.keep(fieldProperties, name, v)
		}
	}
	for name, v := range doc.get("user_properties").members() {
		x.keep(fieldTraits, name, v.get("value"))
	}
}

// googleType sets the type of an event of Google's, and the page view that it is
// or speaks of.
func (x *foreign) googleType(f *fields, name, view string) {
	switch name {
	case "page_view":
		f.text[fieldType], f.text[fieldView] = event.TypePageView, view
	case "user_engagement":
		f.text[fieldType], f.text[fieldView] = event.TypeEngagement, view
	case "purchase":
		f.text[fieldType] = event.TypeConversion
	default:
		x.setType(f, name)
	}
}

// setEngaged sets engaged seconds from milliseconds; what cannot be is left out.
func (f *fields) setEngaged(millis float64) {
	if millis >= 0 && millis <= maxEngaged*1000 {
		f.set(fieldEngaged, millis/1000)
	}
}
