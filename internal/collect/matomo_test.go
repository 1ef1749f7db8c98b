package collect

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestMatomo(t *testing.T) {
	get := func(more string) call {
		return call{method: http.MethodGet, path: "/matomo.php", query: "idsite=open&rec=1&_id=0123456789abcdef&url=https%3A%2F%2Fnews.example%2Fa&" + more}
	}
	const by = `"url":"https://news.example/a","device":"0123456789abcdef"`
	const claimed = `"marks":["claimed_device"]`
	hearAll(t, []heard{
		{"a page view", get("action_name=A&urlref=https%3A%2F%2Ft.co%2F&pv_id=abcdef&uid=u1&dimension1=blue&cvar=%7B%221%22%3A%5B%22plan%22%2C%22gold%22%5D%7D"), 200, gif, "stored",
			[]string{`{"type":"page_view","id":"ID",` + by + `,"account":"u1","title":"A","referrer":"https://t.co/","view":"VIEW","properties":{"dimension1":"blue","plan":"gold"},` + claimed + `}`}},
		{"without a picture", get("send_image=0"), 204, "", "stored", []string{`{"type":"page_view",` + by + `,` + claimed + `}`}},
		{"an event", get("e_c=Video&e_a=Play&e_n=Final&e_v=1.50&rand=1"), 200, gif, "stored",
			[]string{`{"type":"Play","id":"ID",` + by + `,"properties":{"event_category":"Video","event_name":"Final","event_value":1.5},` + claimed + `}`}},
		{"a goal", get("idgoal=3&revenue=12.5"), 200, gif, "stored", []string{`{"type":"conversion",` + by + `,"value":12.5,"currency":"EUR","properties":{"goal":"3"},` + claimed + `}`}},
		{"an order", get("idgoal=0&revenue=12.5&ec_id=O1&ec_items=%5B%5D"), 200, gif, "stored", []string{`{"type":"conversion",` + by + `,"value":12.5,"currency":"EUR","properties":{"goal":"0","order":"O1","items":"[]"},` + claimed + `}`}},
		{"a cart that is not an order yet", get("idgoal=0&revenue=12.5&ec_items=%5B%5D"), 200, gif, "stored", []string{`{"type":"cart_update",` + by + `,"value":12.5,"currency":"EUR","properties":{"items":"[]"},` + claimed + `}`}},
		{"an action of a plugin", get("ca=1&cra=oops"), 200, gif, "stored", []string{`{"type":"custom_action",` + by + `,` + claimed + `}`}},
		{"an event that says it is an action", get("ca=1&e_c=Video&e_a=Play"), 200, gif, "stored", []string{`{"type":"Play",` + by + `,"properties":{"event_category":"Video"},` + claimed + `}`}},
		{"a search", get("search=cup&search_cat=sport&search_count=0"), 200, gif, "stored",
			[]string{`{"type":"search",` + by + `,"properties":{"search":"cup","search_category":"sport","search_count":0},` + claimed + `}`}},
		{"an outlink", get("link=https%3A%2F%2Felsewhere.example%2F"), 200, gif, "stored", []string{`{"type":"click",` + by + `,"properties":{"link":"https://elsewhere.example/"},` + claimed + `}`}},
		{"a download that is its own page", call{path: "/piwik.php", body: "idsite=news&rec=1&_id=d&url=https://files.example/a.pdf&download=https://files.example/a.pdf"}, 200, gif, "stored",
			[]string{`{"type":"download","device":"d","properties":{"link":"https://files.example/a.pdf"},` + claimed + `}`}},
		{"content", get("c_n=Ad&c_p=banner&c_t=x"), 200, gif, "stored", []string{`{"type":"impression",` + by + `,"properties":{"content_name":"Ad","content_piece":"banner","content_target":"x"},` + claimed + `}`}},
		{"a ping", get("ping=1&pv_id=abcdef"), 200, gif, "stored", []string{`{"type":"engagement",` + by + `,"view":"VIEW","engaged_seconds":15,` + claimed + `}`}},
		{"a ping without its page", get("ping=1"), 200, gif, "invalid:pv_id", nil},
		{"not to be recorded", call{method: http.MethodGet, path: "/piwik.php", query: "idsite=open&url=https://news.example/a"}, 200, gif, "invalid:rec", nil},
		{"waited for a connection", get("cdo=60"), 200, gif, "stored", []string{`{"type":"page_view",` + by + `,"time":"2026-03-04T05:05:07.089Z",` + claimed + `}`}},
		{"a time without a token", get("cdt=2026-03-04+05%3A00%3A00"), 200, gif, "invalid:cdt", nil},
		{"an address without a token", get("cip=1.2.3.4"), 200, gif, "invalid:cip", nil},
		{"with a token", get("cdt=2026-02-04+05%3A00%3A00&cip=1.2.3.4&ua=X&cid=fedcba9876543210&uid=u1&token_auth=import"), 200, gif, "stored",
			[]string{`{"type":"page_view","url":"https://news.example/a","device":"fedcba9876543210","account":"u1","time":"2026-02-04T05:00:00Z","marks":["proven"]}`}},
		{"seconds with a token", get("cdt=1772600000&token_auth=import"), 200, gif, "stored", []string{`{"type":"page_view",` + by + `,"time":"2026-03-04T04:53:20Z"}`}},
		{"a bad time", get("cdt=noon&token_auth=import"), 200, gif, "invalid:cdt", nil},
		{"a token of Matomo's own", get("token_auth=nothing"), 200, gif, "stored", []string{`{"type":"page_view",` + by + `,` + claimed + `}`}},
		{"a token of Matomo's own that is to vouch", get("token_auth=nothing&cip=1.2.3.4"), 200, gif, "invalid:cip", nil},
		{"a token of another site", call{method: http.MethodGet, path: "/matomo.php", query: "idsite=news&rec=1&url=https://news.example/a&token_auth=other&cdt=1772600000"}, 200, gif, "invalid:cdt", nil},
		{"an unknown site", call{method: http.MethodGet, path: "/matomo.php", query: "idsite=99&rec=1"}, 200, gif, "invalid:idsite", nil},
		{"another host", call{method: http.MethodGet, path: "/matomo.php", query: "idsite=news&rec=1&url=https://evil.example/"}, 200, gif, "invalid:url", nil},
		{"bulk, labelled as a form", call{path: "/matomo.php", headers: headers{"Content-Type": "application/x-www-form-urlencoded"},
			body: `{"requests":["?idsite=open&rec=1&_id=d&url=https%3A%2F%2Fnews.example%2Fa","idsite=9&rec=1",{"idsite":"open","rec":1,"_id":"e","url":"https://news.example/b"},7]}`},
			200, `{"status":"success","tracked":2,"invalid":2}`, "stored, invalid:idsite",
			[]string{`{"type":"page_view","url":"https://news.example/a","device":"d",` + claimed + `}`, `{"type":"page_view","url":"https://news.example/b","device":"e",` + claimed + `}`}},
		{"bulk with a token", call{path: "/matomo.php", body: `{"requests":["?idsite=news&rec=1&_id=d&url=https%3A%2F%2Fnews.example%2Fa&cdt=1772000000"],"token_auth":"import"}`},
			200, `{"status":"success","tracked":1,"invalid":0}`, "stored", []string{`{"type":"page_view","url":"https://news.example/a","device":"d","time":"2026-02-25T06:13:20Z"}`}},
		{"bulk without an answer", call{path: "/matomo.php", body: `{"requests":[],"send_image":0}`}, 204, "", "", nil},
		{"no JSON", call{path: "/matomo.php", body: `{"requests":[`}, 400, "", "invalid:body", nil},
	})
}

// A page view is one by its id, an event by what its client adds at random.
func TestMatomoDuplicates(t *testing.T) {
	w := newWorld(t)
	send := func(query string) string {
		return w.hear(call{method: http.MethodGet, path: "/matomo.php", query: "idsite=news&rec=1&url=https://news.example/a&_id=d&" + query}).Get(HeaderVerdict)
	}
	for _, c := range []struct{ query, verdict string }{
		{"pv_id=a", "stored"}, {"pv_id=a&r=2", "duplicate"}, {"pv_id=b", "stored"}, {"pv_id=a&_id=e", "duplicate"},
		{"e_c=x&e_a=y&pv_id=a&rand=1", "stored"}, {"e_c=x&e_a=y&pv_id=a&rand=1", "duplicate"}, {"e_c=x&e_a=y&pv_id=a&rand=2", "stored"},
		{"e_c=x&e_a=y", "stored"}, {"e_c=x&e_a=y", "stored"},
	} {
		if got := send(c.query); got != c.verdict {
			t.Errorf("%s is %s, not %s", c.query, got, c.verdict)
		}
	}
	for i, want := range []string{"stored", "duplicate", "stored"} { // of nobody named, two pages by one id
		a := w.hear(call{method: http.MethodGet, path: "/matomo.php", query: fmt.Sprintf("idsite=news&rec=1&_id=&pv_id=c&url=https://news.example/%d", i/2)})
		if got := a.Get(HeaderVerdict); got != want {
			t.Errorf("%d is %s, not %s", i, got, want)
		}
	}
}

func FuzzMatomoGet(f *testing.F) {
	fuzzDialect(f, http.MethodGet, "/matomo.php", []int{200, 204},
		"idsite=open&rec=1&_id=0123456789abcdef&url=https%3A%2F%2Fnews.example%2Fa&pv_id=abcdef&uid=u1&cvar="+url.QueryEscape(`{"1":["a","b"]}`),
		"idsite=news&rec=1&cdt=2026-03-04+05%3A00%3A00&token_auth=import&e_c=a&e_a=b&e_v=1&send_image=0")
}

func FuzzMatomoPost(f *testing.F) {
	fuzzDialect(f, http.MethodPost, "/matomo.php", []int{200, 204},
		`{"requests":["?idsite=open&rec=1&url=https%3A%2F%2Fnews.example%2Fa",{"idsite":1}],"token_auth":"import"}`,
		"idsite=open&rec=1&idgoal=1&revenue=5", fmt.Sprintf(`{"requests":[%s]}`, strings.TrimSuffix(strings.Repeat(`"?idsite=news&rec=1",`, 40), ",")))
}
