package collect

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/readership/readership/internal/event"
)

// umami is what the script of Umami and @umami/node speak. The script reads cache
// from the answer, sends it back with its next event, and stops on disabled.
var umami = dialect{name: "umami", cookieless: true, routes: []route{
	{http.MethodPost, "/api/send", (*foreign).umamiSend},
	{http.MethodPost, "/api/batch", (*foreign).umamiBatch},
}}

// umamiMeasures are what a performance event measures, in milliseconds but for
// cls.
var umamiMeasures = []string{"lcp", "inp", "cls", "fcp", "ttfb"}

func (x *foreign) umamiSend() {
	doc, ok := x.json()
	if !ok {
		return
	}
	visit := x.umamiEvent(doc, umamiVisits{})
	x.store()
	if !x.commit() {
		return
	}
	switch {
	case x.current == nil:
		x.answer(http.StatusBadRequest, "application/json", `{"error":{"message":"Website not found.","code":"bad-request","status":400}}`)
	case x.verdicts.bot:
		x.answer(http.StatusOK, "application/json", `{"beep":"boop"}`)
	default:
		x.answer(http.StatusOK, "application/json", fmt.Sprintf(`{"cache":%q,"sessionId":%q,"visitId":%q}`, visit.token, visit.session, visit.visit))
	}
}

func (x *foreign) umamiBatch() {
	doc, ok := x.json()
	if !ok {
		return
	}
	visit, visits := umamiVisit{}, umamiVisits{}
	for _, one := range doc.members() {
		visit = x.umamiEvent(one, visits)
		if !x.store() {
			return
		}
	}
	if !x.commit() {
		return
	}
	x.answer(http.StatusOK, "application/json", fmt.Sprintf(`{"size":%d,"processed":%d,"errors":%d,"details":[],"cache":%q}`,
		x.tally.seen, x.tally.seen-x.tally.total, x.tally.total, visit.token))
}

// umamiVisits are the visits of one request, which has one reader: one on each site.
type umamiVisits map[*target]umamiVisit

// umamiEvent fills one event and returns the visit that it belongs to.
func (x *foreign) umamiEvent(doc value, visits umamiVisits) umamiVisit {
	payload := doc.get("payload")
	f := x.event(x.siteNamed("website", payload.get("website").text()))
	visit := umamiVisit{}
	if x.current != nil {
		var known bool
		if visit, known = visits[x.current]; !known {
			visit = x.umamiVisit(&x.current.request)
			visits[x.current] = visit
		}
		f.hash = visit.device
	}
	if page := payload.get("url").text(); page != "" {
		if locate(page).host == "" {
			if host := payload.get("hostname").text(); host != "" {
				page = x.arena.join("https://", host, "/", strings.TrimPrefix(page, "/"))
			}
		}
		f.text[fieldURL] = decodedOnce(page)
		f.noHost = locate(page).host == ""
	}
	f.text[fieldReferrer] = decodedOnce(payload.get("referrer").text())
	f.text[fieldTitle] = payload.get("title").text()
	if title, err := url.PathUnescape(f.text[fieldTitle]); err == nil && utf8.ValidString(title) {
		f.text[fieldTitle] = title // scripts of version 2 encode it
	}
	f.text[fieldDevice] = payload.get("vid").text()
	f.text[fieldAccount] = payload.get("id").text()
	if seconds, ok := payload.get("timestamp").number(); ok && seconds > 0 && seconds < maxTime/1000 {
		f.setMillis(int64(seconds * 1000))
	}
	where := fieldProperties
	switch kind := doc.get("type").text(); kind {
	case "event":
		f.text[fieldType] = event.TypePageView
		if name := payload.get("name").text(); name != "" {
			x.setType(f, name)
		}
	case "identify":
		f.text[fieldType] = event.TypeIdentify
		where = fieldTraits
	case "performance":
		f.text[fieldType] = kind
		for _, name := range umamiMeasures {
			x.keep(fieldProperties, name, payload.get(name))
		}
	default:
		f.fail(codeWrongType, "type", "must be one of event, identify, performance")
	}
	x.keepAll(where, payload.get("data"))
	x.putText(fieldProperties, "tag", payload.get("tag").text())
	return visit
}

// decodedOnce undoes the second encoding that scripts of version 2 give to
// addresses: %25C3 is %C3.
func decodedOnce(address string) string {
	if !strings.Contains(address, "%25") {
		return address
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(address, "%25")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('%')
		if len(after) < 2 || !isHex(after[0]) || !isHex(after[1]) {
			b.WriteString("25")
		}
		address = after
	}
}

// umamiVisit is the visit of a reader whom nothing names: who it is today, or
// was when the visit began, as the script's cache says.
type umamiVisit struct {
	token          string
	device         string // the cookieless identity
	session, visit string // UUIDs
}

// umamiHeader carries the cache of the answer before.
const umamiHeader = "X-Umami-Cache"

// A token is the visit's start and its newest event, both in seconds since 1970,
// the device, and an HMAC of these and the site. A visit that pauses for longer
// than umamiPause is over, and so is one that has gone on for umamiLongest.
const (
	umamiTimes   = 16
	umamiSum     = 16
	umamiPause   = 30 * 60
	umamiLongest = 24 * 60 * 60
)

// umamiVisit reads who a request is of and makes the token for its answer.
func (x *foreign) umamiVisit(r *request) umamiVisit {
	now := r.received / 1000
	start, device := now, ""
	token := x.q.Header.Get(umamiHeader)
	if strings.HasPrefix(token, "{") { // scripts of version 2 keep the whole answer
		doc, _, _ := x.parse(&x.inner, token)
		token = doc.get("cache").text()
	}
	if raw, err := base64.RawURLEncoding.DecodeString(token); err == nil && len(raw) == umamiTimes+hashBytes+umamiSum {
		body, sum := raw[:umamiTimes+hashBytes], raw[umamiTimes+hashBytes:]
		began, last := int64(binary.BigEndian.Uint64(body)), int64(binary.BigEndian.Uint64(body[8:]))
		if hmac.Equal(sum, r.umamiSum(body)) && now-last <= umamiPause && now-began <= umamiLongest {
			start, device = began, string(body[umamiTimes:])
		}
	}
	if device == "" {
		device = r.visitorHash(r.received)
	}
	body := binary.BigEndian.AppendUint64(nil, uint64(start))
	body = append(binary.BigEndian.AppendUint64(body, uint64(now)), device...)
	return umamiVisit{token: base64.RawURLEncoding.EncodeToString(append(body, r.umamiSum(body)...)), device: device,
		session: uuidOf(r.site.ID, device), visit: uuidOf(r.site.ID, device, fmt.Sprint(start))}
}

// umamiSum signs a token of a site.
func (r *request) umamiSum(body []byte) []byte {
	mac := hmac.New(sha256.New, r.collector.secret)
	mac.Write([]byte("umami\x00" + r.site.ID + "\x00"))
	mac.Write(body)
	return mac.Sum(nil)[:umamiSum]
}

// uuidOf makes a UUID (RFC 9562, version 8) of texts.
func uuidOf(parts ...string) string {
	u := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
