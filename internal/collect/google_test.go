package collect

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
)

func TestGA4(t *testing.T) {
	send := func(body string) call {
		return call{path: "/mp/collect", query: "measurement_id=OPEN&api_secret=s", body: body}
	}
	const claimed = `"marks":["claimed_device"]`
	hearAll(t, []heard{
		{"a page view, an engagement, a purchase", send(`{"client_id":"c1","user_id":"u1","user_properties":{"plan":{"value":"gold"}},"events":[
			{"name":"page_view","params":{"page_location":"https://news.example/a","page_referrer":"https://t.co/","page_title":"A","session_id":"7","desk":"sport"}},
			{"name":"user_engagement","params":{"page_location":"https://news.example/a","session_id":"7","engagement_time_msec":"1500"}},
			{"name":"purchase","timestamp_micros":1772600000000000,"params":{"value":12.5,"currency":"usd","transaction_id":"T1","items":[{"id":1}]}}]}`), 204, "", "stored",
			[]string{`{"type":"page_view","url":"https://news.example/a","referrer":"https://t.co/","title":"A","view":"VIEW","device":"c1","account":"u1","properties":{"session_id":"7","desk":"sport","traits.plan":"gold"},` + claimed + `}`,
				`{"type":"engagement","url":"https://news.example/a","view":"VIEW","engaged_seconds":1.5,"device":"c1","account":"u1","properties":{"session_id":"7","traits.plan":"gold"},` + claimed + `}`,
				`{"type":"conversion","time":"2026-03-04T04:53:20Z","value":12.5,"currency":"USD","device":"c1","account":"u1","properties":{"transaction_id":"T1","items":"[{\"id\":1}]","traits.plan":"gold"},` + claimed + `}`}},
		{"the secret is a write key", call{path: "/mp/collect", query: "measurement_id=unknown&api_secret=w-news", body: `{"client_id":"c1","events":[{"name":"x"}]}`}, 204, "", "stored",
			[]string{`{"type":"x","device":"c1",` + claimed + `}`}},
		{"one of two is bad", send(`{"client_id":"c1","events":[{"params":{}},{"name":"x"}]}`), 204, "", "stored, invalid:events.name", []string{`{"type":"x","device":"c1",` + claimed + `}`}},
		{"nobody", send(`{"events":[{"name":"x"}]}`), 204, "", "invalid:client_id", nil},
		{"no JSON", send(`{`), 204, "", "invalid:body", nil},
		{"no site", call{path: "/mp/collect", query: "measurement_id=G-1", body: `{"client_id":"c1","events":[{"name":"x"}]}`}, 204, "", "invalid:measurement_id", nil},
		{"the debug address, well", call{path: "/debug/mp/collect", query: "measurement_id=open", body: `{"client_id":"c1","events":[{"name":"x"}]}`}, 200, `{"validationMessages":[]}`, "stored", nil},
	})
	w := newWorld(t)
	a := w.hear(call{path: "/debug/mp/collect", query: "measurement_id=news", body: `{"events":[{"name":"x"},{"name":"x","params":{"page_location":"https://evil.example/"}}]}`})
	var answer struct{ ValidationMessages []map[string]string }
	if err := json.Unmarshal(a.Body, &answer); err != nil || len(answer.ValidationMessages) != 2 || answer.ValidationMessages[0]["validationCode"] != "MISSING_FIELD" || len(w.memory.counts) != 0 {
		t.Errorf("%s", a.Body)
	}
}

func TestGtag(t *testing.T) {
	const common = "v=2&tid=open&cid=c1&_p=11&sid=5&dl=https%3A%2F%2Fnews.example%2Fa"
	const claimed = `"marks":["claimed_device"]`
	const by = `"url":"https://news.example/a","device":"c1"`
	hearAll(t, []heard{
		{"a page view", call{method: http.MethodGet, path: "/g/collect", query: common + "&_s=1&en=page_view&dr=https%3A%2F%2Ft.co%2F&dt=A&uid=u1&ep.desk=sport&epn.n=2&up.plan=gold&_et=3000"}, 204, "", "stored",
			[]string{`{"type":"page_view","id":"ID",` + by + `,"account":"u1","referrer":"https://t.co/","title":"A","view":"VIEW","properties":{"desk":"sport","n":2,"traits.plan":"gold"},` + claimed + `}`}},
		{"two lines", call{path: "/g/collect", query: common + "&_s=2", body: "en=user_engagement&_et=1500\r\nen=Signup&ep.plan=gold&_et=250"}, 204, "", "stored",
			[]string{`{"type":"engagement","id":"ID",` + by + `,"view":"VIEW","engaged_seconds":1.5,` + claimed + `}`, `{"type":"Signup","id":"ID",` + by + `,"properties":{"plan":"gold"},` + claimed + `}`,
				`{"type":"engagement","id":"ID",` + by + `,"view":"VIEW","engaged_seconds":0.25,` + claimed + `}`}},
		{"a purchase", call{method: http.MethodGet, path: "/g/collect", query: common + "&en=purchase&epn.value=12.5&cu=usd&ep.transaction_id=T1"}, 204, "", "stored",
			[]string{`{"type":"conversion",` + by + `,"value":12.5,"currency":"USD","properties":{"transaction_id":"T1"},` + claimed + `}`}},
		{"consent refused", call{method: http.MethodGet, path: "/g/collect", query: common + "&en=page_view&gcs=G100&ep.desk=sport"}, 204, "", "stored",
			[]string{`{"type":"page_view","url":"https://news.example/a","view":"VIEW","marks":["cookieless"]}`}},
		{"no name", call{method: http.MethodGet, path: "/g/collect", query: common}, 204, "", "invalid:en", nil},
		{"another version", call{method: http.MethodGet, path: "/g/collect", query: "v=1&tid=open&cid=c1&en=x"}, 204, "", "invalid:v", nil},
		{"no site", call{method: http.MethodGet, path: "/g/collect", query: "v=2&tid=G-1&cid=c1&en=x"}, 204, "", "invalid:tid", nil},
	})
	w := newWorld(t)
	send := func(query, body string) string {
		return w.hear(call{path: "/g/collect", query: common + query, body: body}).Get(HeaderVerdict)
	}
	if a, b := send("&_s=9", "en=x&_et=250"), send("&_s=9", "en=x&_et=250"); a != "stored" || b != "duplicate" || len(w.memory.events) != 2 {
		t.Errorf("with reading time: %s %s, %d events", a, b, len(w.memory.events))
	}
	w.memory.events = nil
	if a, b, c := send("&_s=1&en=x", ""), send("&_s=1&en=x", ""), send("&_s=2", "en=x\nen=x"); a != "stored" || b != "duplicate" || c != "stored" || len(w.memory.events) != 3 {
		t.Errorf("%s %s %s, %d events", a, b, c, len(w.memory.events))
	}
}

func FuzzGA4(f *testing.F) {
	fuzzDialect(f, http.MethodPost, "/mp/collect", []int{200, 204}, `{"client_id":"c1","user_id":"u","events":[{"name":"page_view","params":{"page_location":"https://news.example/a","value":1}},{}]}`)
}

func FuzzGtag(f *testing.F) {
	q := url.Values{"v": {"2"}, "tid": {"open"}, "cid": {"c"}, "en": {"x"}, "ep.a": {"b"}, "epn.n": {"1"}, "_et": {"5"}, "gcs": {"G111"}}
	fuzzDialect(f, http.MethodPost, "/g/collect", []int{200, 204}, q.Encode(), "en=a\nen=b&v=2&tid=open&_et=9")
}
