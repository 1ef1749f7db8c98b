package collect

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/readership/readership/internal/event"
)

func TestSnowplow(t *testing.T) {
	const path = "/com.snowplowanalytics.snowplow/tp2"
	send := func(payloads string) call {
		return call{path: path, headers: headers{"Content-Type": "application/json; charset=UTF-8"}, body: `{"schema":"iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4","data":[` + payloads + `]}`}
	}
	quoted := func(s string) string { return strings.ReplaceAll(s, `"`, `\"`) }
	packed := func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) }
	own := `{"schema":"iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0","data":{"schema":"iglu:example.news/shared/jsonschema/1-0-0","data":{"to":{"n":2},"yes":true}}}`
	contexts := `{"schema":"iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0","data":[{"schema":"iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0","data":{"id":"w1"}},{"schema":"iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-2","data":{"userId":"x"}},{"schema":"iglu:example.news/article/jsonschema/1-0-0","data":{"desk":"sport"}}]}`
	page := `"aid":"news","eid":"m1","duid":"d1","url":"https://news.example/a?utm_source=x","page":"A","refr":"https://t.co/"`
	const where = `"device":"d1","url":"https://news.example/a?utm_source=x","utm_source":"x","referrer":"https://t.co/","title":"A","marks":["claimed_device"]`
	hearAll(t, []heard{
		{"a page view", send(`{"e":"pv",` + page + `,"uid":"u1","dtm":"1772600760000","stm":"1772600766089","co":"` + quoted(contexts) + `"}`), 200, "ok", "stored",
			[]string{`{"id":"ID","type":"page_view","view":"VIEW","account":"u1","time":"2026-03-04T05:06:01Z","properties":{"article.desk":"sport"},` + where + `}`}},
		{"a page ping", send(`{"e":"pp",` + page + `,"vp":"1000x500","ds":"1000x2000","pp_mix":"0","pp_max":"0","pp_miy":"0","pp_may":"700","cx":"` + packed(contexts) + `"}`), 200, "ok", "stored",
			[]string{`{"id":"ID","type":"engagement","view":"VIEW","engaged_seconds":10,"scroll_percent":60,"properties":{"article.desk":"sport"},` + where + `}`}},
		{"a structured event", send(`{"e":"se",` + page + `,"se_ca":"video","se_ac":"play","se_la":"l","se_pr":"p","se_va":"2.50"}`), 200, "ok", "stored",
			[]string{`{"id":"ID","type":"play","properties":{"category":"video","label":"l","property":"p","value":2.5},` + where + `}`}},
		{"an own event as text", send(`{"e":"ue",` + page + `,"ue_pr":"` + quoted(own) + `"}`), 200, "ok", "stored",
			[]string{`{"id":"ID","type":"shared","properties":{"to.n":2,"yes":true},` + where + `}`}},
		{"an own event in base64", send(`{"e":"ue",` + page + `,"ue_px":"` + packed(own) + `"}`), 200, "ok", "stored",
			[]string{`{"id":"ID","type":"shared","properties":{"to.n":2,"yes":true},` + where + `}`}},
		{"an own event in base64 of the other alphabet", send(`{"e":"ue",` + page + `,"ue_px":"` + base64.StdEncoding.EncodeToString([]byte(strings.Replace(own, `"n":2`, `"n":2,"?":"???>>>ÿÿ"`, 1))) + `"}`), 200, "ok", "stored",
			[]string{`{"id":"ID","type":"shared","properties":{"to.n":2,"to.?":"???>>>ÿÿ","yes":true},` + where + `}`}},
		{"a transaction and what was sold", send(`{"e":"tr",` + page + `,"tr_id":"o1","tr_tt":"12.5","tr_cu":"usd"},{"e":"ti","aid":"news","eid":"m2","duid":"d1","ti_id":"o1","ti_sk":"s","ti_nm":"n","ti_ca":"c","ti_pr":"6.25","ti_qu":"2"}`), 200, "ok", "stored",
			[]string{`{"id":"ID","type":"transaction","value":12.5,"currency":"USD","properties":{"order_id":"o1"},` + where + `}`,
				`{"id":"ID","type":"transaction_item","device":"d1","properties":{"order_id":"o1","sku":"s","name":"n","category":"c","price":6.25,"quantity":2},"marks":["claimed_device"]}`}},
		{"bad ones in a batch", send(`{"e":"xx",` + page + `},{"aid":"news"},{"e":"ue","aid":"news","ue_px":"!"},{"e":"pv","aid":"nobody"},7,{"e":"se","aid":"news","se_ca":"c"}`), 200, "ok", "stored, invalid:e, invalid:ue_pr, invalid:aid",
			[]string{`{"type":"c","marks":["cookieless"]}`}},
		{"a query", call{method: http.MethodGet, path: "/i", query: "e=pv&aid=news&eid=m1&duid=d1&page=A&refr=https%3A%2F%2Ft.co%2F&url=https%3A%2F%2Fnews.example%2Fa%3Futm_source%3Dx"}, 200, gif, "stored",
			[]string{`{"id":"ID","type":"page_view","view":"VIEW",` + where + `}`}},
		{"an unknown site", send(`{"e":"pv","aid":"nobody"}`), 422, "", "invalid:aid", nil},
		{"a query of an unknown site", call{method: http.MethodGet, path: "/i", query: "e=pv"}, 422, "", "invalid:aid", nil},
		{"no JSON", call{path: path, body: `e=pv`}, 422, "", "invalid:body", nil},
		{"an unknown encoding", call{path: path, headers: headers{"Content-Encoding": "br"}, body: `x`}, 422, "", "", nil},
		{"too large", call{path: path, body: strings.Repeat(" ", 5<<20+1)}, 422, "", "", nil},
	})
}

// Pings find the view of their page without a context too.
func TestSnowplowViews(t *testing.T) {
	w := newWorld(t)
	for _, e := range []string{"pv", "pp"} {
		w.hear(call{method: http.MethodGet, path: "/i", query: "e=" + e + "&aid=news&duid=d1&url=https%3A%2F%2Fnews.example%2Fa"})
		w.now += 10_000
	}
	if a, b := w.memory.events[0].View, w.memory.events[1].View; a == "" || a != b {
		t.Errorf("%q is not %q", b, a)
	}
}

// Who asks for it is known neither by address nor by cookie, and gets no cookie.
func TestSnowplowAnonymous(t *testing.T) {
	device := func(h headers, aid, remote string) (event.Event, *answer) {
		w := newWorld(t)
		a := &answer{}
		w.c.Collect(t.Context(), &Request{Method: http.MethodGet, Path: "/i", Query: "e=pv&aid=" + aid + "&url=https%3A%2F%2Fnews.example%2Fa", Header: h, Remote: netip.MustParseAddr(remote)}, &a.Response)
		return w.memory.events[0], a
	}
	w := newWorld(t)
	_, cookie, err := w.c.devices.Make(w.c.random)
	if err != nil {
		t.Fatal(err)
	}
	known := headers{"User-Agent": "a", "Cookie": CookieName + "=" + cookie}
	if ev, _ := device(known, "news", "192.0.2.7"); ev.Flags&event.FlagCookieless != 0 {
		t.Error("the cookie is not read")
	}
	known["SP-Anonymous"] = "*"
	one, a := device(known, "assume", "192.0.2.7")
	two, _ := device(headers{"User-Agent": "a", "SP-Anonymous": "*"}, "assume", "198.51.100.1")
	if one.Flags&event.FlagCookieless == 0 || one.Device != two.Device || a.Get("Set-Cookie") != "" {
		t.Errorf("%q %q %q", one.Device, two.Device, a.Get("Set-Cookie"))
	}
	if ev, a := device(headers{"User-Agent": "a"}, "assume", "192.0.2.7"); ev.Flags&event.FlagCookieless != 0 || a.Get("Set-Cookie") == "" {
		t.Error("without the header there is no cookie")
	}
}

func FuzzSnowplow(f *testing.F) {
	fuzzDialect(f, http.MethodPost, "/com.snowplowanalytics.snowplow/tp2", []int{200, 422},
		`{"data":[{"e":"pv","aid":"news","url":"https://news.example/","co":"{\"data\":[{\"schema\":\"iglu:a/b/c/1\",\"data\":{\"x\":[1]}}]}"},{"e":"pp","aid":"news","vp":"1x2","ds":"3x4","pp_may":"1"}]}`,
		`{"data":[{"e":"ue","aid":"news","ue_px":"eyJkYXRhIjp7InNjaGVtYSI6ImlnbHU6YS9iIiwiZGF0YSI6e319fQ"}]}`)
}
