package collect

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/jsontext"
)

// posthog speaks to the trackers of PostHog. Batches without a slash at the end
// of their path come through segment.go.
var posthog = dialect{name: "posthog", routes: []route{
	{http.MethodPost, "/batch/", (*foreign).posthogCapture},
	{http.MethodPost, "/capture", (*foreign).posthogCapture},
	{http.MethodPost, "/capture/", (*foreign).posthogCapture},
	{http.MethodPost, "/e", (*foreign).posthogCapture},
	{http.MethodPost, "/e/", (*foreign).posthogCapture},
	{http.MethodPost, "/i/v0/e", (*foreign).posthogCapture},
	{http.MethodPost, "/i/v0/e/", (*foreign).posthogCapture},
	{http.MethodPost, "/i/v1/analytics/events", (*foreign).posthogV1},
}, stubs: []route{
	{http.MethodPost, "/s/", (*foreign).posthogNothing}, // recordings of sessions
	{http.MethodPost, "/flags", (*foreign).posthogFlags},
	{http.MethodPost, "/flags/", (*foreign).posthogFlags},
	{http.MethodPost, "/decide/", (*foreign).posthogFlags},
	{http.MethodGet, "/array/{token}/config", (*foreign).posthogConfig},
	{http.MethodGet, "/array/{token}/config.js", (*foreign).posthogScript},
}}

// isPostHog says whether a batch is PostHog's and not Segment's.
func isPostHog(doc value) bool {
	if doc.kind() != kindObject || doc.get("writeKey").there() {
		return false
	}
	return doc.get("api_key", "token").there()
}

// posthogCapture answers events: JSON, or a form with JSON in base64 as data.
func (x *foreign) posthogCapture() {
	if strings.HasPrefix(text(x.body), "data=") {
		x.body = posthogForm(x.params(text(x.body)).get("data"))
	}
	if doc, ok := x.json(); ok {
		x.posthogEvents(doc)
	}
}

// posthogForm is what the parameter data of a form says: base64, in which a form
// may have made blanks of plus signs, or JSON as it is.
func posthogForm(data string) []byte {
	b, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(data, " ", "+"))
	if err != nil {
		return []byte(data)
	}
	return b
}

// posthogEvents stores one event, a list of them, or a batch.
func (x *foreign) posthogEvents(doc value) {
	x.posthogAll(doc, doc.get("api_key", "token").text(), `{"status":1}`)
}

// posthogV1 answers the newer kind of batch, whose token is a bearer's. Results
// that it does not name are good.
func (x *foreign) posthogV1() {
	if doc, ok := x.json(); ok {
		x.posthogAll(doc, x.bearer(), `{"results":{}}`)
	}
}

// posthogAll stores events and answers. token is of those that name none.
func (x *foreign) posthogAll(doc value, token, answer string) {
	list := doc.get("batch")
	if doc.kind() == kindArray {
		list = doc
	}
	sent := doc.get("sent_at").text()
	if sent == "" {
		sent = x.asked.get("_", "sent_at")
	}
	behind := x.behind(sent)
	if list.kind() != kindArray {
		x.posthogEvent(doc, token, behind)
	}
	for _, e := range list.members() {
		x.posthogEvent(e, token, behind)
	}
	if x.unclaimed() {
		x.unknownKey("token")
		return
	}
	x.answer(http.StatusOK, "application/json", answer)
}

// posthogEvent stores one event.
func (x *foreign) posthogEvent(e value, token string, behind int64) {
	properties := e.get("properties")
	for _, own := range []value{e.get("api_key", "token"), properties.get("token")} {
		if token == "" {
			token = own.text()
		}
	}
	f := x.event(x.siteOfKey("token", token))
	f.text[fieldID] = x.id(e.get("uuid").text())
	if f.text[fieldID] == "" {
		f.text[fieldID] = x.id(properties.get("$insert_id").text())
	}
	x.posthogTime(f, e, behind)
	if properties.get("$cookieless_mode").kind() == kindTrue || e.in("options", "cookieless_mode").kind() == kindTrue {
		x.forgetReader()
	} else {
		f.text[fieldDevice], f.text[fieldAccount] = posthogReader(e, properties)
	}
	f.text[fieldURL] = properties.get("$current_url").text()
	f.text[fieldTitle] = properties.get("title").text()
	if referrer := properties.get("$referrer").text(); referrer != "$direct" {
		f.text[fieldReferrer] = referrer
	}
	x.posthogMeaning(f, e, properties)
	x.store()
}

// posthogTime sets when the event happened: at a time of the sender's clock, or
// some milliseconds before it was received.
func (x *foreign) posthogTime(f *fields, e value, behind int64) {
	if at := e.get("timestamp").text(); at != "" {
		f.setTime(at, behind)
	} else if ago, ok := e.get("offset").number(); ok && ago >= 0 && ago <= maxBehind {
		f.setMillis(x.request.received - int64(ago))
	}
}

// posthogReader tells a device from an account. Browsers name a device, and an
// account once there is one; apps say whether distinct_id is one; what servers
// name is one, unless they ask for no profile of it.
func posthogReader(e, properties value) (device, account string) {
	id := e.get("distinct_id").text()
	if id == "" {
		id = properties.get("distinct_id").text()
	}
	device, account = properties.get("$device_id").text(), properties.get("$user_id").text()
	anonymous := properties.get("$is_identified").kind() == kindFalse || properties.get("$process_person_profile").kind() == kindFalse ||
		e.in("options", "process_person_profile").kind() == kindFalse
	switch {
	case anonymous && device == "":
		device = id
	case !anonymous && account == "" && id != device:
		account = id
	}
	return device, account
}

// posthogMeaning sets type and properties.
func (x *foreign) posthogMeaning(f *fields, e, properties value) {
	switch name := e.get("event").text(); name {
	case "$pageview":
		f.text[fieldType] = event.TypePageView
		f.text[fieldView] = x.view(properties.get("$pageview_id").text())
	case "$screen":
		f.text[fieldType] = event.TypePageView
		f.text[fieldTitle] = properties.get("$screen_name").text()
	case "$pageleave":
		f.text[fieldType] = event.TypeEngagement
		f.text[fieldView] = x.view(properties.get("$prev_pageview_id", "$pageview_id").text())
		if share, ok := properties.get("$prev_pageview_max_content_percentage").number(); ok && share >= 0 {
			f.set(fieldScroll, min(share, 1)*100)
		}
		return
	case "$identify", "$set":
		f.text[fieldType] = event.TypeIdentify
		x.posthogTraits(e.get("$set_once"))
		x.posthogTraits(properties.get("$set_once"))
		x.posthogTraits(e.get("$set"))
		x.posthogTraits(properties.get("$set"))
		return
	case "$groupidentify":
		f.text[fieldType] = "group"
		x.keep(fieldProperties, "group", properties.get("$group_key"))
		x.keep(fieldProperties, "group_type", properties.get("$group_type"))
		x.keepMembers(properties.get("$group_set"), "group.", nil)
		return
	case "$create_alias":
		f.text[fieldType] = "alias"
		x.keep(fieldProperties, "previous_id", properties.get("alias"))
		return
	default:
		x.setType(f, name)
		f.setMoney(properties.get("revenue"), properties.get("currency").text())
	}
	x.keepMembers(properties, "", func(name string) bool { return isPostHogMember(name) || f.isMoney(name) })
}

// posthogTraits keeps what is said of a person. What begins with $ or utm_, the
// tracker has added by itself.
func (x *foreign) posthogTraits(object value) {
	for name, v := range object.members() {
		if !isPostHogMember(name) {
			x.keep(fieldTraits, name, v)
		}
	}
}

// isPostHogMember says whether a property is the tracker's own, or a field of
// the event, and not the publisher's.
func isPostHogMember(name string) bool {
	switch name {
	case "token", "distinct_id", "title":
		return true
	}
	return strings.HasPrefix(name, "$") || strings.HasPrefix(name, "utm_")
}

// posthogNothing takes what is not kept.
func (x *foreign) posthogNothing() { x.answer(http.StatusOK, "application/json", `{"status":1}`) }

// posthogFlags answers that there are no feature flags.
func (x *foreign) posthogFlags() { x.answer(http.StatusOK, "application/json", `{}`) }

// posthogConfig answers that nothing is set from here.
func (x *foreign) posthogConfig() { x.answer(http.StatusOK, "application/json", `{}`) }

// posthogScript is posthogConfig as the script that browsers load first.
func (x *foreign) posthogScript() {
	if !x.siteOfKey("token", x.segment).known() {
		x.unknownKey("token")
		return
	}
	b := append(x.out.Body, `(window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{})[`...)
	x.out.Body = append(jsontext.Append(b, x.segment), `]={"config":{},"siteApps":[]};`...)
	x.out.Status, x.out.ContentType = http.StatusOK, "text/javascript; charset=utf-8"
}
