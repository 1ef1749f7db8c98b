package collect

import (
	"encoding/json"
	"net/http"
	"testing"
)

func TestRudderStack(t *testing.T) {
	hearAll(t, []heard{
		{"a beacon", call{path: "/beacon/v1/batch", query: "writeKey=w-news", headers: headers{"Content-Type": "text/plain"}, body: `{"batch":[{"type":"identify","messageId":"m1","anonymousId":"d1","userId":"u1","context":{"traits":{"plan":"gold"}}}]}`},
			200, "OK", "stored", []string{`{"id":"ID","type":"identify","device":"d1","account":"u1","properties":{"traits.plan":"gold"},"marks":["claimed_device"]}`}},
		{"a beacon without a key", call{path: "/beacon/v1/batch", body: `{"batch":[]}`}, 401, "", "invalid:writeKey", nil},
		{"a beacon that is no JSON", call{path: "/beacon/v1/batch", query: "writeKey=w-news", body: `x`}, 400, "", "invalid:body", nil},
		{"a pixel", call{method: http.MethodGet, path: "/pixel/v1/track", query: "writeKey=w-news&anonymousId=d1&event=Opened&properties.letter=morning&context.page.url=https%3A%2F%2Fnews.example%2Fa"},
			200, gif, "stored", []string{`{"type":"Opened","device":"d1","url":"https://news.example/a","properties":{"letter":"morning"},"marks":["claimed_device"]}`}},
		{"a pixel without a name", call{method: http.MethodGet, path: "/pixel/v1/track", query: "writeKey=w-news&anonymousId=d1"},
			200, gif, "stored", []string{`{"type":"pixel_track","device":"d1","marks":["claimed_device"]}`}},
		{"a pixel of a page", call{method: http.MethodGet, path: "/pixel/v1/page", query: "writeKey=w-news&anonymousId=d1&messageId=m1"},
			200, gif, "stored", []string{`{"id":"ID","type":"page_view","view":"VIEW","device":"d1","title":"Unknown Page","properties":{"name":"Unknown Page"},"marks":["claimed_device"]}`}},
		{"a pixel whose names collide", call{method: http.MethodGet, path: "/pixel/v1/track", query: "writeKey=w-news&event=a&event.b=c&properties=1&properties.x=y&userId=u1"},
			200, gif, "invalid:type", nil},
		{"a pixel without a key", call{method: http.MethodGet, path: "/pixel/v1/track"}, 401, "", "invalid:writeKey", nil},
	})
}

func TestRudderStackConfig(t *testing.T) {
	w := newWorld(t)
	for _, c := range []call{{path: "/sourceConfig/", query: "writeKey=w-news&p=npm"}, {path: "/sourceConfig", headers: headers{"Authorization": basic("w-news")}}} {
		c.method = http.MethodGet
		a := w.hear(c)
		var got struct {
			Source struct {
				ID, WriteKey string
				Enabled      bool
				Destinations []any
			}
		}
		if err := json.Unmarshal(a.Body, &got); err != nil || a.Status != 200 || got.Source.WriteKey != "w-news" || got.Source.ID != "news" || !got.Source.Enabled || got.Source.Destinations == nil {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if a := w.hear(call{method: http.MethodGet, path: "/sourceConfig/"}); a.Status != 401 {
		t.Errorf("no key: %d", a.Status)
	}
}

func FuzzRudderStack(f *testing.F) {
	fuzzDialect(f, http.MethodGet, "/pixel/v1/track", []int{200, 401}, "writeKey=w-news&event=a&properties.x.y=1&userId=u", "writeKey=w-news&a.b=1&a=2&a.b.c.d.e.f=3")
}
