package collect

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"

	"github.com/readership/readership/internal/event"
)

func TestPostHog(t *testing.T) {
	const ok = `{"status":1}`
	to := func(path, body string) call {
		return call{path: path, headers: headers{"Content-Type": "text/plain"}, body: body}
	}
	form := func(body string) string {
		return "data=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(body)))
	}
	page := `"$current_url":"https://news.example/a?utm_source=x","$referrer":"https://t.co/","title":"A","$lib":"web","utm_source":"x","gclid":null`
	const where = `"url":"https://news.example/a?utm_source=x","utm_source":"x","referrer":"https://t.co/"`
	const plain = `{"api_key":"w-news","event":"shared","uuid":"m1","distinct_id":"d1","properties":{"$device_id":"d1","n":2}}`
	const stored = `{"id":"ID","type":"shared","device":"d1","properties":{"n":2},"marks":["claimed_device"]}`
	hearAll(t, []heard{
		{"a page view", to("/e/", `{"api_key":"w-news","sent_at":"2026-03-04T05:06:06.089Z","batch":[{"uuid":"m1","event":"$pageview","timestamp":"2026-03-04T05:06:00Z","properties":{"distinct_id":"d1","$device_id":"d1","$is_identified":false,"$pageview_id":"p1","desk":"sport",`+page+`}}]}`), 200, ok, "stored",
			[]string{`{"id":"ID","type":"page_view","view":"VIEW","device":"d1","time":"2026-03-04T05:06:01Z","title":"A","properties":{"desk":"sport"},` + where + `,"marks":["claimed_device"]}`}},
		{"a page that is left", to("/e/", `{"api_key":"w-news","event":"$pageleave","uuid":"m1","distinct_id":"d1","properties":{"$device_id":"d1","$prev_pageview_id":"p1","$prev_pageview_duration":500,"$prev_pageview_max_content_percentage":0.75}}`), 200, ok, "stored",
			[]string{`{"id":"ID","type":"engagement","view":"VIEW","device":"d1","scroll_percent":75,"marks":["claimed_device"]}`}},
		{"who it is", to("/capture/", `{"api_key":"w-news","event":"$identify","uuid":"m1","distinct_id":"u1","properties":{"$device_id":"d1","$user_id":"u1"},"$set":{"plan":"gold","address":{"city":"Bern"}},"$set_once":{"plan":"none","first":true,"$initial_referrer":"x","utm_source":"x"}}`), 200, ok, "stored",
			[]string{`{"id":"ID","type":"identify","device":"d1","account":"u1","properties":{"traits.plan":"gold","traits.first":true,"traits.address.city":"Bern"},"marks":["claimed_device"]}`}},
		{"a group and another name", to("/batch/", `{"api_key":"w-news","batch":[{"event":"$groupidentify","uuid":"m1","distinct_id":"u1","properties":{"$group_type":"team","$group_key":"g1","$group_set":{"name":"Team"}}},{"event":"$create_alias","uuid":"m2","distinct_id":"u1","properties":{"alias":"u2"}}]}`), 200, ok, "stored",
			[]string{`{"id":"ID","type":"group","device":"account:u1","account":"u1","properties":{"group":"g1","group_type":"team","group.name":"Team"}}`,
				`{"id":"ID","type":"alias","device":"account:u1","account":"u1","properties":{"previous_id":"u2"}}`}},
		{"a screen of an app", to("/batch", `{"api_key":"w-news","batch":[{"event":"$screen","uuid":"m1","distinct_id":"d1","properties":{"$is_identified":false,"$screen_name":"Start"}}]}`), 200, ok, "stored",
			[]string{`{"id":"ID","type":"page_view","view":"VIEW","device":"d1","title":"Start","marks":["claimed_device"]}`}},
		{"revenue", to("/capture", `{"token":"w-news","event":"paid","uuid":"m1","distinct_id":"u1","properties":{"revenue":4.5,"currency":"usd"}}`), 200, ok, "stored",
			[]string{`{"id":"ID","type":"paid","device":"account:u1","account":"u1","value":4.5,"currency":"USD"}`}},
		{"one event", to("/i/v0/e/", plain), 200, ok, "stored", []string{stored}},
		{"a form", to("/e/", form(plain)), 200, ok, "stored", []string{stored}},
		{"a form of JSON", to("/e", "data="+url.QueryEscape(plain)), 200, ok, "stored", []string{stored}},
		{"a list whose token is in the properties", to("/i/v0/e", `[{"event":"shared","properties":{"token":"w-news","distinct_id":"d1","$device_id":"d1","$insert_id":"m1","n":2},"offset":7089}]`), 200, ok, "stored",
			[]string{`{"id":"ID","type":"shared","device":"d1","time":"2026-03-04T05:06:00Z","properties":{"n":2},"marks":["claimed_device"]}`}},
		{"without a cookie", to("/e/", `{"api_key":"w-news","event":"shared","uuid":"m1","distinct_id":"$posthog_cookieless","properties":{"$cookieless_mode":true,"$device_id":null}}`), 200, ok, "stored",
			[]string{`{"id":"ID","type":"shared","marks":["cookieless"]}`}},
		{"without a profile", to("/batch/", `{"api_key":"w-news","batch":[{"event":"shared","uuid":"m1","distinct_id":"d1","properties":{"$process_person_profile":false,"n":2}}]}`), 200, ok, "stored", []string{stored}},
		{"an unknown token", to("/e/", `{"api_key":"nobody","event":"shared"}`), 401, "", "invalid:token", nil},
		{"no event", to("/e/", `{"api_key":"w-news","batch":[{},7,{"event":"shared","uuid":"m1","properties":{"n":2,"$device_id":"d1"}}]}`), 200, ok, "stored, invalid:type", []string{stored}},
		{"no JSON", to("/e/", `data`), 400, "", "invalid:body", nil},
		{"the newer batch", call{path: "/i/v1/analytics/events", headers: headers{"Authorization": "Bearer w-news"}, body: `{"batch":[{"event":"shared","uuid":"m1","distinct_id":"d1","options":{"process_person_profile":false},"properties":{"n":2}}]}`}, 200, `{"results":{}}`, "stored", []string{stored}},
		{"flags", call{path: "/flags/", query: "v=2", body: `{"token":"w-news","distinct_id":"d1"}`}, 200, `{}`, "", nil},
		{"config", call{method: http.MethodGet, path: "/array/w-news/config"}, 200, `{}`, "", nil},
		{"config as a script", call{method: http.MethodGet, path: "/array/w-news/config.js"}, 200, `(window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{})["w-news"]={"config":{},"siteApps":[]};`, "", nil},
		{"a script of nobody", call{method: http.MethodGet, path: "/array/nobody/config.js"}, 401, "", "invalid:token", nil},
		{"recordings", call{path: "/s/", body: `{"api_key":"w-news"}`}, 200, ok, "", nil},
	})
}

// Who asks not to be known again is not, whatever cookie there is, and gets none.
func TestPostHogCookieless(t *testing.T) {
	w := newWorld(t)
	_, cookie := issue(w, 7)
	a := w.hear(call{path: "/e/", headers: headers{"Cookie": CookieName + "=" + cookie},
		body: `{"api_key":"w-assume","event":"shared","uuid":"m1","distinct_id":"$posthog_cookieless","properties":{"$cookieless_mode":true,"n":2}}`})
	if ev := w.stored(); ev.Flags&event.FlagCookieless == 0 || cookieOf(a) != "" {
		t.Errorf("%q, a cookie %q", ev.Device, cookieOf(a))
	}
}

func FuzzPostHog(f *testing.F) {
	fuzzDialect(f, http.MethodPost, "/e/", []int{200, 401},
		`{"api_key":"w-news","sent_at":"2026-03-04T05:06:06Z","batch":[{"event":"$pageview","uuid":"m1","properties":{"$current_url":"https://news.example/"}},{"event":"$identify","$set":{"a":1}}]}`,
		`data=eyJhcGlfa2V5Ijoidy1uZXdzIiwiZXZlbnQiOiJ4In0=`, `[{"event":"x","properties":{"token":"w-news"},"offset":5}]`)
}
