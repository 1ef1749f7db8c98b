package collect

import (
	"net/http"
	"strings"
	"testing"
)

func TestCloudEvents(t *testing.T) {
	send := func(kind, body string) call {
		return call{path: "/v1/cloudevents", headers: headers{"Content-Type": kind, "Authorization": "Bearer w-news"}, body: body}
	}
	const one = `{"specversion":"1.0","id":"1","source":"/cms","type":"page_view","time":"2026-03-04T05:00:00Z","subject":"a1","traceparent":"00-1","data":{"device":"d1","url":"https://news.example/a","value":2,"desk":"sport","properties":{"n":1},"consent":{"analytics":true}}}`
	const row = `{"type":"page_view","id":"ID","view":"VIEW","time":"2026-03-04T05:00:00Z","device":"d1","url":"https://news.example/a","value":2,"currency":"EUR","properties":{"source":"/cms","subject":"a1","traceparent":"00-1","desk":"sport","n":1},"marks":["claimed_device"]}`
	imports := send(cloudEventOne, strings.Replace(one, `"device":"d1"`, `"account":"a7"`, 1))
	imports.headers["Authorization"], imports.query = "Bearer import", "site=news"
	unknown := imports
	unknown.query = "site=nobody"
	nameless := imports
	nameless.query = ""
	hearAll(t, []heard{
		{"structured", send("application/cloudevents+json; charset=utf-8", one), 200, `{"accepted":1,"duplicates":0,"rejected":[],"rejected_total":0}`, "stored", []string{row}},
		{"binary", call{path: "/v1/cloudevents", query: "key=w-news", headers: headers{"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "/c%C3%A4s", "Ce-Type": "com.example.read", "Ce-Time": "2026-03-04T05:00:00Z"},
			body: `{"device":"d1","title":"A"}`}, 200, "", "stored", []string{`{"type":"com.example.read","id":"ID","time":"2026-03-04T05:00:00Z","device":"d1","title":"A","properties":{"source":"/cäs"},"marks":["claimed_device"]}`}},
		{"binary without data", call{path: "/v1/cloudevents", query: "key=w-news", headers: headers{"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "s", "Ce-Type": "x"}}, 200, "", "stored",
			[]string{`{"type":"x","id":"ID","marks":["cookieless"]}`}},
		{"binary of another kind", call{path: "/v1/cloudevents", query: "key=w-news", headers: headers{"Content-Type": "text/xml", "Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "s", "Ce-Type": "x"}, body: "<a/>"}, 400, "", "invalid:datacontenttype", nil},
		{"binary that is no JSON", call{path: "/v1/cloudevents", query: "key=w-news", headers: headers{"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "s", "Ce-Type": "x"}, body: "{"}, 400, "", "invalid:data", nil},
		{"batched, one bad, one twice", send(cloudEventBatch, "["+one+`,{"specversion":"0.3","id":"2","source":"/cms","type":"x"},7,`+one+"]"), 200, "", "stored, duplicate, invalid:specversion, invalid:wrong_type", []string{row}},
		{"batched, all bad", send(cloudEventBatch, `[{"specversion":"1.0","source":"s","type":"x"}]`), 200, "", "invalid:id", nil},
		{"batched, empty", send(cloudEventBatch, `[]`), 200, "", "", nil},
		{"batched, no array", send(cloudEventBatch, one), 400, "", "", nil},
		{"an API key", imports, 200, "", "stored", []string{strings.NewReplacer(`"device":"d1"`, `"device":"account:a7","account":"a7"`, `"claimed_device"`, `"proven"`).Replace(row)}},
		{"an API key without a site", nameless, 422, "", "", nil},
		{"an API key, an unknown site", unknown, 404, "", "", nil},
		{"no key", call{path: "/v1/cloudevents", headers: headers{"Content-Type": cloudEventOne}, body: one}, 401, "", "", nil},
		{"an unknown key", call{path: "/v1/cloudevents", query: "key=nothing", headers: headers{"Content-Type": cloudEventOne}, body: one}, 401, "", "", nil},
		{"no source", send(cloudEventOne, `{"specversion":"1.0","id":"1","type":"x"}`), 400, "", "invalid:source", nil},
		{"no type", send(cloudEventOne, `{"specversion":"1.0","id":"1","source":"s"}`), 400, "", "invalid:type", nil},
		{"bytes", send(cloudEventOne, `{"specversion":"1.0","id":"1","source":"s","type":"x","data_base64":"AA=="}`), 400, "", "invalid:data_base64", nil},
		{"data that is a list", send(cloudEventOne, `{"specversion":"1.0","id":"1","source":"s","type":"x","data":[1]}`), 400, "", "invalid:data", nil},
		{"a bad field", send(cloudEventOne, `{"specversion":"1.0","id":"1","source":"s","type":"x","data":{"url":7}}`), 400, "", "invalid:url", nil},
		{"a forbidden field", send(cloudEventOne, `{"specversion":"1.0","id":"1","source":"s","type":"x","data":{"ip":"1.2.3.4"}}`), 400, "", "invalid:ip", nil},
		{"no JSON", send(cloudEventOne, `{`), 400, "", "invalid:body", nil},
	})
	w := newWorld(t)
	if w.hear(send(cloudEventOne, "{")); w.count("news", verdictRefused, "cloudevents:malformed_json") != 1 {
		t.Errorf("%v", w.memory.counts)
	}
}

func FuzzCloudEvents(f *testing.F) {
	const one = `{"specversion":"1.0","id":"1","source":"/cms","type":"page_view","data":{"device":"d1","properties":{"n":1},"consent":{"analytics":true}}}`
	for _, seed := range []string{one, "[" + one + "]", "{"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, body string, batch bool) {
		w := newWorld(t)
		kind := cloudEventOne
		if batch {
			kind = cloudEventBatch
		}
		a := w.hear(call{method: http.MethodPost, path: "/v1/cloudevents", query: "key=w-news", headers: headers{"Content-Type": kind}, body: body})
		if a.Status != 200 && a.Status != 400 && a.Status != 413 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}
