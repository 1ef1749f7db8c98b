package collect

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/event"
)

// anything are values that mean something somewhere, or nothing.
var anything = []any{"", "news", "open", "drop", "nobody", "w-open", "https://news.example/a", "https://evil.example/", "pageview", "engagement", "identify", "page",
	"2026-03-04T05:00:00Z", "1970-01-01T00:00:00Z", "usd", "news,open,nobody", `{"a":1}`, "?idsite=drop&rec=1&r=1", 0.0, 1.0, -1.0, 2.5, 1e300, float64(nowMillis), nil, true, false,
	[]any{}, []any{1.0, "x"}, map[string]any{}, map[string]any{"a": map[string]any{"b": []any{nil}}}}

// mutated is a JSON value in which anything may stand in the place of anything;
// members are gone or have come, and lists are longer.
func mutated(r *rapid.T, v any) any {
	if rapid.IntRange(0, 15).Draw(r, "other") == 0 {
		return rapid.SampledFrom(anything).Draw(r, "value")
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if rapid.IntRange(0, 20).Draw(r, "gone") > 0 {
				out[name] = mutated(r, v[name])
			}
		}
		return out
	case []any:
		out := []any{}
		for _, one := range v {
			for range rapid.IntRange(1, 4).Draw(r, "times") {
				out = append(out, mutated(r, one))
			}
		}
		return out
	}
	return v
}

// Whatever JSON comes, the answer has a status that the clients understand, and
// every event of it has one verdict in the ledger (hear).
func TestDialectsTakeAnything(t *testing.T) {
	const cloudEvent = `{"specversion":"1.0","id":"1","source":"s","type":"page_view","time":"2026-03-04T05:00:00Z","data":{"device":"d","url":"https://news.example/a","value":1,"properties":{"a":1},"consent":{"analytics":true}}}`
	const message = `{"type":"track","event":"x","userId":"u","anonymousId":"d","messageId":"m","timestamp":"2026-03-04T05:00:00Z","properties":{"a":1},"context":{"page":{"url":"https://news.example/a"}}}`
	const posted = `{"event":"$pageview","uuid":"u","distinct_id":"d","timestamp":"2026-03-04T05:00:00Z","properties":{"$current_url":"https://news.example/a","a":1}}`
	places := []struct {
		path, query, kind, body string
		statuses                []int
	}{
		{"/api/event", "", "text/plain", `{"n":"pageview","u":"https://news.example/a","d":"news","p":{"a":1},"$":{"amount":1,"currency":"usd"}}`, []int{202}},
		{"/api/event", "", "", `{"n":"engagement","u":"https://news.example/a","d":"drop,open","e":1,"sd":2}`, []int{202}},
		{"/api/send", "", "", `{"type":"event","payload":{"website":"news","url":"https://news.example/a","name":"x","data":{"a":1},"id":"u","timestamp":1772600000}}`, []int{200, 400}},
		{"/api/batch", "", "", `[{"type":"event","payload":{"website":"drop","url":"https://news.example/a"}},{"type":"identify","payload":{"website":"open","id":"u","data":{"a":1}}}]`, []int{200}},
		{"/matomo.php", "", "", `{"requests":["?idsite=news&rec=1&url=https%3A%2F%2Fnews.example%2F&_id=d&rand=1","?idsite=drop&rec=1",{"idsite":"open","rec":1,"e_c":"a","e_a":"b"}],"token_auth":""}`, []int{200, 204}},
		{"/mp/collect", "measurement_id=open", "", `{"client_id":"c","user_id":"u","events":[{"name":"page_view","params":{"page_location":"https://news.example/a","value":1}}]}`, []int{204}},
		{"/debug/mp/collect", "measurement_id=open", "", `{"client_id":"c","events":[{"name":"x","params":{"a":1}}]}`, []int{200}},
		{"/v1/cloudevents", "key=w-news", cloudEventOne, cloudEvent, []int{200, 400}},
		{"/v1/cloudevents", "key=w-drop", cloudEventBatch, "[" + cloudEvent + "]", []int{200, 400}},
		{"/v1/batch", "", "", `{"writeKey":"w-news","sentAt":"2026-03-04T05:06:00Z","batch":[` + message + `]}`, []int{200, 401}},
		{"/v1/t", "", "text/plain", strings.Replace(message, "{", `{"writeKey":"w-open",`, 1), []int{200, 401}},
		{"/beacon/v1/batch", "writeKey=w-drop", "", `{"batch":[` + message + `]}`, []int{200}},
		{"/com.snowplowanalytics.snowplow/tp2", "", "", `{"schema":"iglu:x","data":[{"e":"pv","aid":"news","url":"https://news.example/a","eid":"1","duid":"d","dtm":"1772600767089","stm":"1772600767089"},{"e":"se","aid":"open","se_ac":"a"}]}`, []int{200, 422}},
		{"/batch", "", "", `{"api_key":"w-news","batch":[` + posted + `]}`, []int{200, 401}},
		{"/e/", "", "", strings.Replace(posted, "{", `{"token":"w-drop",`, 1), []int{200, 401}},
	}
	stored := 0
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		if rapid.Bool().Draw(r, "the log rejects") {
			w.memory.after = func(ev *event.Event) string {
				if ev.Type() == event.TypePageView {
					return "outside_window"
				}
				return ""
			}
		}
		for range 4 {
			to := rapid.SampledFrom(places).Draw(r, "address")
			var doc any
			if err := json.Unmarshal([]byte(to.body), &doc); err != nil {
				t.Fatalf("%s: %v", to.body, err)
			}
			body, err := json.Marshal(mutated(r, doc))
			if err != nil {
				r.Fatal(err)
			}
			if to.path == "/matomo.php" && body[0] != '{' {
				continue // a form
			}
			a := w.hear(call{method: http.MethodPost, path: to.path, query: to.query, headers: headers{"Content-Type": to.kind}, body: string(body)})
			if !slices.Contains(to.statuses, a.Status) {
				r.Errorf("%s %s: %d %s", to.path, body, a.Status, a.Body)
			}
			if t.Failed() {
				r.FailNow()
			}
		}
		stored += len(w.memory.events)
	})
	if stored < 100 {
		t.Errorf("only %d events were stored, so little was tried", stored)
	}
}
