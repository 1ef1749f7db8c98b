package collect

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/readership/readership/internal/event"
)

// basic is the Authorization header of a write key.
func basic(key string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"))
}

func TestSegment(t *testing.T) {
	const ok = `{"success":true}`
	key := headers{"Authorization": basic("w-news")}
	to := func(path, body string) call { return call{path: path, headers: key, body: body} }
	page := `"context":{"page":{"url":"https://news.example/a?utm_source=x","referrer":"https://t.co/","title":"A"}}`
	const where = `"url":"https://news.example/a?utm_source=x","utm_source":"x","referrer":"https://t.co/","title":"A"`
	hearAll(t, []heard{
		{"a page of a browser", to("/v1/p", `{"type":"page","name":"Home","category":"Front","messageId":"m1","anonymousId":"d1","userId":null,"properties":{"url":"https://news.example/b","path":"/b","search":"","referrer":"","title":"B","desk":"sport"},`+page+`}`),
			200, ok, "stored", []string{`{"id":"ID","type":"page_view","view":"VIEW","device":"d1","url":"https://news.example/b","referrer":"https://t.co/","title":"B","properties":{"name":"Home","category":"Front","desk":"sport"},"marks":["claimed_device"]}`}},
		{"a page that is named only", to("/v1/page", `{"name":"Home","messageId":"m1","userId":"u1"}`),
			200, ok, "stored", []string{`{"id":"ID","type":"page_view","view":"VIEW","device":"account:u1","account":"u1","title":"Home","properties":{"name":"Home"}}`}},
		{"a screen of an app", to("/v1/screen", `{"name":"Start","messageId":"m1","anonymousId":"d1","properties":{"build":7}}`),
			200, ok, "stored", []string{`{"id":"ID","type":"page_view","view":"VIEW","device":"d1","title":"Start","properties":{"name":"Start","build":7},"marks":["claimed_device"]}`}},
		{"a batch of each, one bad", to("/v1/batch", `{"batch":[
			{"type":"track","event":"Order Completed","messageId":"m1","anonymousId":"d1","properties":{"revenue":"12.5","currency":"usd","order":{"id":"o1","lines":[1,2]},"none":null},`+page+`},
			{"type":"identify","messageId":"m2","anonymousId":"d1","userId":"u1","traits":{"plan":"gold","address":{"city":"Bern"}}},
			{"type":"group","messageId":"m3","userId":"u1","groupId":"g1","traits":{"name":"Team","size":3}},
			{"type":"alias","messageId":"m4","userId":"u2","previousId":"u1"},
			{"type":"dance","messageId":"m5","userId":"u2"},
			{"type":"track","messageId":"m6","userId":"u2"},
			7]}`),
			200, ok, "stored, invalid:type", []string{
				`{"id":"ID","type":"Order Completed","device":"d1","value":12.5,"currency":"USD",` + where + `,"properties":{"order.id":"o1","order.lines":"[1,2]"},"marks":["claimed_device"]}`,
				`{"id":"ID","type":"identify","device":"d1","account":"u1","properties":{"traits.plan":"gold","traits.address.city":"Bern"},"marks":["claimed_device"]}`,
				`{"id":"ID","type":"group","device":"account:u1","account":"u1","properties":{"group":"g1","group.name":"Team","group.size":3}}`,
				`{"id":"ID","type":"alias","device":"account:u2","account":"u2","properties":{"previous_id":"u1"}}`,
			}},
		{"the key in the body", call{path: "/v1/t", body: `{"writeKey":"w-news","event":"Download","messageId":"m1","userId":"1"}`},
			200, ok, "stored", []string{`{"id":"ID","type":"Download","device":"account:1","account":"1"}`}},
		{"the key in the messages", call{path: "/b", body: `{"batch":[{"writeKey":"w-news","type":"track","event":"Download","messageId":"m1","userId":"1"}]}`},
			200, ok, "stored", []string{`{"id":"ID","type":"Download","device":"account:1","account":"1"}`}},
		{"a batch without the version", to("/batch", `{"batch":[{"type":"track","event":"Download","messageId":"m1","userId":"1"}]}`),
			200, ok, "stored", []string{`{"id":"ID","type":"Download","device":"account:1","account":"1"}`}},
		{"a batch of PostHog", call{path: "/batch", body: `{"api_key":"w-news","batch":[{"event":"Download","uuid":"m1","distinct_id":"1"}]}`},
			200, `{"status":1}`, "stored", []string{`{"id":"ID","type":"Download","device":"account:1","account":"1"}`}},
		{"the version twice", to("/v1/v1/t", `{"event":"Download","messageId":"m1","userId":"1"}`),
			200, ok, "stored", []string{`{"id":"ID","type":"Download","device":"account:1","account":"1"}`}},
		{"analytics refused", to("/v1/t", `{"event":"Download","messageId":"m1","anonymousId":"d1","userId":"1","properties":{"n":1},"context":{"consent":{"categoryPreferences":{"Advertising":true,"Analytics":false}}}}`),
			200, ok, "stored", []string{`{"id":"ID","type":"Download","marks":["cookieless"]}`}},
		{"analytics consented to", to("/v1/t", `{"event":"Download","messageId":"m1","context":{"consent":{"categoryPreferences":{"Advertising":false,"Analytics":true}}}}`),
			200, ok, "stored", []string{`{"id":"ID","type":"Download","device":"NEW"}`}},
		{"another host", to("/v1/p", `{"messageId":"m1","anonymousId":"d1","properties":{"url":"https://evil.example/"}}`), 200, ok, "invalid:url", nil},
		{"no key", call{path: "/v1/t", body: `{"event":"Download","userId":"1"}`}, 401, "", "invalid:writeKey", nil},
		{"an unknown key", call{path: "/v1/t", headers: headers{"Authorization": basic("nobody")}, body: `{"event":"Download","userId":"1"}`}, 401, "", "invalid:writeKey", nil},
		{"no JSON", to("/v1/t", `event=Download`), 400, "", "invalid:body", nil},
		{"an empty batch", to("/v1/batch", `{"batch":[]}`), 200, ok, "", nil},
		{"RudderStack's", call{path: "/v1/track", headers: headers{"Authorization": basic("w-news"), "AnonymousId": "ZDE=", "SentAt": "2026-03-04T05:06:00.000Z"},
			body: `{"event":"Download","messageId":"m1","anonymousId":"d1","originalTimestamp":"2026-03-04T05:05:00.000Z","context":{"page":{"url":"https://news.example/c","tab_url":"https://news.example/a?x=1"}}}`},
			200, "OK", "stored", []string{`{"id":"ID","type":"Download","device":"d1","time":"2026-03-04T05:05:07.089Z","url":"https://news.example/a?x=1","marks":["claimed_device"]}`}},
	})
}

// A message is stored once, and at the time that the sender's clock means.
func TestSegmentRepeats(t *testing.T) {
	w := newWorld(t)
	sent := time.UnixMilli(nowMillis).Add(-time.Hour) // the sender's clock is an hour behind
	body := `{"writeKey":"w-news","sentAt":"` + sent.Format(time.RFC3339Nano) + `","batch":[{"type":"track","event":"Download","messageId":"m1","anonymousId":"d1","timestamp":"` + sent.Add(-time.Minute).Format(time.RFC3339Nano) + `"}]}`
	if a := w.hear(call{path: "/v1/batch", body: body}); a.Get(HeaderVerdict) != "stored" {
		t.Fatal(a.Get(HeaderVerdict))
	}
	if got := w.stored().Time; got != nowMillis-60_000 {
		t.Errorf("%d ms from now", got-nowMillis)
	}
	w.now += 5000
	if a := w.hear(call{path: "/v1/b", body: body}); a.Get(HeaderVerdict) != "duplicate" || a.Status != 200 {
		t.Error(a.Get(HeaderVerdict))
	}
}

func TestSegmentSettings(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		headers  headers
		protocol string
	}{{headers{"Origin": "https://news.example"}, "https"}, {headers{"Origin": "http://news.example"}, "http"}, {headers{"Referer": "https://news.example/a"}, "https"}, {nil, "http"}} {
		a := w.hear(call{method: http.MethodGet, path: "/v1/projects/w-news/settings", headers: c.headers})
		var got struct {
			Integrations map[string]map[string]string
		}
		if err := json.Unmarshal(a.Body, &got); err != nil || a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		io := got.Integrations["Segment.io"]
		if io["apiKey"] != "w-news" || io["apiHost"] != "collect.example/v1" || io["protocol"] != c.protocol {
			t.Errorf("%v: %v", c.headers, io)
		}
	}
	if a := w.hear(call{method: http.MethodGet, path: "/v1/projects/nobody/settings"}); a.Status != 401 {
		t.Errorf("an unknown key: %d", a.Status)
	}
}

// The payloads of a Segment client of another language, as it makes them.
func TestSegmentPayloads(t *testing.T) {
	folder := os.Getenv("READERSHIP_SHARED")
	if folder == "" {
		folder = "../../../shared"
	}
	files, _ := filepath.Glob(filepath.Join(folder, "data", "fx-segment", "fixtures", "*.json"))
	if len(files) == 0 {
		t.Skip("real data is absent: fx-segment")
	}
	types := map[string]string{"page": event.TypePageView, "screen": event.TypePageView, "identify": event.TypeIdentify, "group": "group", "alias": "alias"}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var body struct {
				Batch []struct{ Type, Event, UserID, MessageID string }
			}
			if err := json.Unmarshal(raw, &body); err != nil {
				t.Fatal(err)
			}
			w := newWorld(t)
			// Its clock stands in 2009; all that is far from it is refused.
			a := w.hear(call{path: "/v1/batch", headers: headers{"Authorization": basic("w-news")}, body: string(raw)})
			if a.Status != 200 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			if strings.Contains(file, "timestamp") {
				if a.Get(HeaderVerdict) != "stored" || w.memory.events[0].Flags&event.FlagClock == 0 {
					t.Errorf("%s %+v", a.Get(HeaderVerdict), w.memory.events)
				}
				return
			}
			stored, ids := w.memory.events, map[string]bool{}
			n := 0
			for _, m := range body.Batch {
				if ids[m.MessageID] {
					continue // one id twice is one event
				}
				ids[m.MessageID] = true
				want := m.Event
				if m.Type != "track" {
					want = types[m.Type]
				}
				if ev := stored[n]; ev.Type() != want || ev.ID != "segment:"+m.MessageID || ev.Columns[event.ColAccount] != m.UserID || ev.Time != nowMillis {
					t.Errorf("%+v is not %+v", ev, m)
				}
				n++
			}
			if n != len(stored) {
				t.Errorf("%d stored of %d", len(stored), n)
			}
		})
	}
}

func FuzzSegment(f *testing.F) {
	fuzzDialect(f, http.MethodPost, "/v1/batch", []int{200, 401},
		`{"writeKey":"w-news","sentAt":"2026-03-04T05:06:00Z","batch":[{"type":"page","messageId":"m1","anonymousId":"d1","properties":{"url":"https://news.example/"}},{"type":"identify","userId":"1","traits":{"a":{"b":[1]}}}]}`,
		`{"api_key":"w-news","batch":[{"event":"x","distinct_id":"d"}]}`)
}
