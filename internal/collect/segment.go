package collect

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/jsontext"
)

// segment speaks to the trackers of Segment, and, on the paths that they share,
// to those of RudderStack and PostHog.
var segment = dialect{name: "segment", routes: segmentRoutes(), stubs: []route{
	{http.MethodGet, "/v1/projects/{key}/settings", (*foreign).segmentSettings},
}}

// segmentCalls are the types of a message by the last segment of a path: in full
// for servers, a letter for browsers.
var segmentCalls = []struct{ name, letter string }{
	{"track", "t"}, {"page", "p"}, {"screen", "s"}, {"identify", "i"}, {"group", "g"}, {"alias", "a"},
}

// segmentRoutes are the addresses with and without the version, and with the
// version twice, as it comes about where a host is set that has it already.
func segmentRoutes() (routes []route) {
	post := func(path string, answer func(*foreign)) {
		routes = append(routes, route{http.MethodPost, path, answer})
	}
	for _, prefix := range []string{"", "/v1", "/v1/v1"} {
		for _, call := range segmentCalls {
			one := func(x *foreign) { x.segmentOne(call.name) }
			post(prefix+"/"+call.letter, one)
			if prefix != "" {
				post(prefix+"/"+call.name, one)
			}
		}
		post(prefix+"/b", (*foreign).segmentBatch)
		post(prefix+"/batch", (*foreign).segmentBatch)
	}
	return routes
}

// segmentSettings answers what a browser's tracker asks before anything else:
// where its messages go.
func (x *foreign) segmentSettings() {
	if !x.siteOfKey("key", x.segment).known() {
		x.unknownKey("key")
		return
	}
	b := append(x.out.Body, `{"integrations":{"Segment.io":{"apiKey":`...)
	b = jsontext.Append(b, strings.Clone(x.segment))
	if host := x.q.Host; host != "" {
		b = append(b, `,"apiHost":`...)
		b = append(jsontext.Append(b, strings.ToValidUTF8(host, "")+"/v1"), `,"protocol":`...)
		b = jsontext.Append(b, x.pageScheme())
	}
	x.out.Body = append(b, `}},"plan":{"track":{"__default":{"enabled":true}},"identify":{"__default":{"enabled":true}},"group":{"__default":{"enabled":true}}},"metrics":{"sampleRate":0}}`...)
	x.out.Status, x.out.ContentType = http.StatusOK, "application/json"
}

// pageScheme is how the page was loaded that asks: what it loads must come over
// TLS if it did.
func (x *foreign) pageScheme() string {
	for _, name := range []string{"Origin", "Referer"} {
		if page := x.q.Header.Get(name); page != "" && page != "null" {
			if strings.HasPrefix(page, "http:") {
				return "http"
			}
			return "https"
		}
	}
	if x.q.TLS {
		return "https"
	}
	return "http"
}

// unknownKey refuses a request whose key, in a field, belongs to no site. No client
// sends it again.
func (x *foreign) unknownKey(path string) {
	x.verdicts.invalidate(path)
	x.out.Set(HeaderVerdict, x.verdicts.text())
	x.problem(x.dialect.finally(unauthorized("no site is known by this key")))
}

// unclaimed says that there were events, and none that belongs to a site.
func (x *foreign) unclaimed() bool { return x.tally.seen > 0 && len(x.targets) == 0 }

// basicUser is the user of Basic authorization, "" if there is none.
func (x *foreign) basicUser() string {
	const scheme = "Basic "
	header := x.q.Header.Get("Authorization")
	if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return ""
	}
	pair, err := base64.StdEncoding.DecodeString(strings.TrimSpace(header[len(scheme):]))
	if err != nil {
		return ""
	}
	user, _, _ := strings.Cut(string(pair), ":")
	return user
}

// segmentBatch answers a batch of messages, of Segment or PostHog.
func (x *foreign) segmentBatch() {
	x.belongs(x.siteOfKey("writeKey", x.basicUser()))
	doc, ok := x.json()
	if !ok {
		return
	}
	if isPostHog(doc) {
		x.speak(&posthog)
		x.posthogEvents(doc)
		return
	}
	x.segmentMessages(doc, doc.get("batch"), "")
}

// segmentOne answers one message, whose type the path says.
func (x *foreign) segmentOne(call string) {
	x.belongs(x.siteOfKey("writeKey", x.basicUser()))
	if doc, ok := x.json(); ok {
		x.segmentMessages(doc, value{}, call)
	}
}

// segmentMessages stores the messages of a batch, or doc as one of type call.
func (x *foreign) segmentMessages(doc, batch value, call string) {
	key := x.basicUser()
	if key == "" {
		key = doc.get("writeKey").text()
	}
	for _, m := range batch.members() {
		if key == "" { // some libraries name it in every message
			key = m.get("writeKey").text()
		}
	}
	if x.q.Header.Get("AnonymousId") != "" {
		x.speak(&rudderstack)
	}
	x.messages(x.siteOfKey("writeKey", key), doc, batch, call)
}

// messages is segmentMessages for a sender.
func (x *foreign) messages(from sender, doc, batch value, call string) {
	if !from.known() {
		x.unknownKey("writeKey")
		return
	}
	sent := doc.get("sentAt").text()
	if sent == "" {
		sent = x.q.Header.Get("SentAt")
	}
	if call != "" {
		x.message(from, doc, call, sent)
	}
	for _, m := range batch.members() {
		x.message(from, m, m.get("type").text(), sent)
	}
	if x.dialect.name == nameRudderStack {
		x.answer(http.StatusOK, "text/plain; charset=utf-8", "OK")
		return
	}
	x.answer(http.StatusOK, "application/json", `{"success":true}`)
}

// message stores one message. sent is when the request was sent by the clock
// that its times are of.
func (x *foreign) message(from sender, m value, call, sent string) {
	f := x.event(from)
	f.text[fieldID] = x.id(m.get("messageId").text())
	if own := m.get("sentAt").text(); own != "" {
		sent = own
	}
	f.setTime(m.get("timestamp", "originalTimestamp").text(), x.behind(sent))
	f.text[fieldDevice], f.text[fieldAccount] = m.get("anonymousId").text(), m.get("userId").text()
	f.setPreference(m.in("context", "consent", "categoryPreferences"))
	properties, traits := m.get("properties"), m.get("traits")
	if call == "page" || call == "screen" {
		f.setPage(properties)
	}
	f.setPage(m.in("context", "page"))
	switch call {
	case "track":
		x.setType(f, m.get("event").text())
		f.setMoney(properties.get("revenue"), properties.get("currency").text())
		x.keepMembers(properties, "", f.isMoney)
	case "page", "screen":
		f.text[fieldType] = event.TypePageView
		if f.text[fieldTitle] == "" {
			f.text[fieldTitle] = m.get("name").text()
		}
		x.keep(fieldProperties, "name", m.get("name"))
		x.keep(fieldProperties, "category", m.get("category"))
		x.keepMembers(properties, "", isPageMember)
	case event.TypeIdentify:
		f.text[fieldType] = event.TypeIdentify
		if !traits.there() { // RudderStack's
			traits = m.in("context", "traits")
		}
		x.keepAll(fieldTraits, traits)
	case "group":
		f.text[fieldType] = "group"
		x.keep(fieldProperties, "group", m.get("groupId"))
		x.keepMembers(traits, "group.", nil)
	case "alias":
		f.text[fieldType] = "alias"
		x.keep(fieldProperties, "previous_id", m.get("previousId"))
	default:
		f.fail(codeWrongType, "type", "must be one of track, page, screen, identify, group, alias")
	}
	x.store()
}

// setPreference sets consent by what the reader prefers of the categories that
// consent managers ask for.
func (f *fields) setPreference(categories value) {
	for name, v := range categories.members() {
		if k := v.kind(); strings.EqualFold(name, "analytics") && (k == kindTrue || k == kindFalse) {
			f.consent = saidOf(k == kindTrue)
		}
	}
}

// setPage sets what is not set yet of the page that an object describes.
// Trackers of RudderStack say in tab_url what the browser shows, and in url what
// the page calls itself.
func (f *fields) setPage(page value) {
	set := func(where field, name string) {
		if s := page.get(name).text(); s != "" && f.text[where] == "" {
			f.text[where] = s
		}
	}
	if tab := page.get("tab_url").text(); tab != "" && tab != page.get("url").text() {
		set(fieldCanonical, "url")
		set(fieldURL, "tab_url")
	}
	set(fieldURL, "url")
	set(fieldReferrer, "referrer")
	set(fieldTitle, "title")
}

// isPageMember says whether a property of a page is a field of the event, or
// follows from one.
func isPageMember(name string) bool {
	switch name {
	case "url", "path", "search", "referrer", "title", "tab_url", "referring_domain":
		return true
	}
	return false
}

// keepMembers keeps the members of an object as properties, their names behind a
// prefix, but for those that skip names.
func (x *foreign) keepMembers(object value, prefix string, skip func(name string) bool) {
	for name, v := range object.members() {
		if skip == nil || !skip(name) {
			x.keep(fieldProperties, prefix+name, v)
		}
	}
}

// isMoney says whether a property has become value or currency.
func (f *fields) isMoney(name string) bool {
	return name == "revenue" && f.has(fieldValue) || name == "currency" && f.text[fieldCurrency] != ""
}
