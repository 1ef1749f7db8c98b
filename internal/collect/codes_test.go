package collect

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/readership/readership/internal/event"
)

// at is a time as events write it, relative to the tests' now in milliseconds.
func at(delta int64) string { return fmt.Sprint(nowMillis + delta) }

const hour = 60 * 60 * 1000

// TestCodes rejects events one by one, each for one reason.
func TestCodes(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"p%d":%d,`, i, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	cases := []struct {
		name, body, code, path string
		key                    string // w: write key (default), i: API key
	}{
		{"empty object", `{}`, "missing_field", "type", ""},
		{"empty type", `{"type":""}`, "missing_field", "type", ""},
		{"null type", `{"type":null}`, "missing_field", "type", ""},
		{"number", `7`, "wrong_type", "", ""},
		{"string", `"page_view"`, "wrong_type", "", ""},
		{"null", `null`, "wrong_type", "", ""},
		{"type is a number", `{"type":7}`, "wrong_type", "type", ""},
		{"device is a number", `{"type":"a","device":7}`, "wrong_type", "device", ""},
		{"account is a list", `{"type":"a","account":["x"]}`, "wrong_type", "account", ""},
		{"title is an object", `{"type":"a","title":{"x":{}}}`, "wrong_type", "title", ""},
		{"url is a boolean", `{"type":"a","url":true}`, "wrong_type", "url", ""},
		{"unknown field", `{"type":"a","color":"red"}`, "unknown_field", "color", ""},
		{"unknown field with null", `{"type":"a","color":null}`, "unknown_field", "color", ""},
		{"escaped name of an unknown field", `{"type":"a","\u0063olor":1}`, "unknown_field", "color", ""},
		{"type too long", `{"type":"` + long(65) + `"}`, "too_long", "type", ""},
		{"id too long", `{"type":"a","id":"` + long(129) + `"}`, "too_long", "id", ""},
		{"event too long", `{"type":"a","title":"` + long(32<<10) + `"}`, "too_long", "", ""},
		{"properties are a list", `{"type":"a","properties":[]}`, "wrong_type", "properties", ""},
		{"property is a list", `{"type":"a","properties":{"x":1,"tags":["a"]}}`, "wrong_type", "properties.tags", ""},
		{"property is an object", `{"type":"a","properties":{"x":{"y":1}}}`, "wrong_type", "properties.x", ""},
		{"property is null", `{"type":"a","properties":{"x":null}}`, "wrong_type", "properties.x", ""},
		{"property out of range", `{"type":"a","properties":{"x":1e999}}`, "wrong_type", "properties.x", ""},
		{"property without a name", `{"type":"a","properties":{"":1}}`, "missing_field", "properties", ""},
		{"property with a long name", `{"type":"a","properties":{"` + long(129) + `":1}}`, "too_long", "properties." + long(64) + "…", ""},
		{"65 properties", `{"type":"a","properties":{` + many(65) + `}}`, "too_many", "properties", ""},
		{"65 traits", `{"type":"identify","traits":{` + many(65) + `}}`, "too_many", "traits", ""},
		{"trait is a list", `{"type":"identify","traits":{"x":[]}}`, "wrong_type", "traits.x", ""},
		{"time is a word", `{"type":"a","time":"yesterday"}`, "bad_time", "time", ""},
		{"time without offset", `{"type":"a","time":"2026-03-04T05:06:07"}`, "bad_time", "time", ""},
		{"day that is not", `{"type":"a","time":"2026-02-30T05:06:07Z"}`, "bad_time", "time", ""},
		{"fraction of a millisecond", `{"type":"a","time":1772600767089.5}`, "bad_time", "time", ""},
		{"time with an exponent", `{"type":"a","time":1e12}`, "bad_time", "time", ""},
		{"time of 30 digits", `{"type":"a","time":177260076708917726007670891772}`, "bad_time", "time", ""},
		{"before 1970", `{"type":"a","time":-1}`, "bad_time", "time", "i"},
		{"time is a boolean", `{"type":"a","time":true}`, "wrong_type", "time", ""},
		{"time is an object", `{"type":"a","time":{}}`, "wrong_type", "time", ""},
		{"48 h past", `{"type":"a","time":` + at(-48*hour-1) + `}`, "time_too_old", "time", ""},
		{"ahead with an API key", `{"type":"a","time":` + at(5*60*1000+1) + `}`, "time_in_future", "time", "i"},
		{"other host", `{"type":"a","url":"https://evil.example/"}`, "host_not_allowed", "url", ""},
		{"host that ends alike", `{"type":"a","url":"https://evilnews.example/"}`, "host_not_allowed", "url", ""},
		{"host in user", `{"type":"a","url":"https://news.example@evil.example/"}`, "host_not_allowed", "url", ""},
		{"no host", `{"type":"a","url":"/sport"}`, "host_not_allowed", "url", ""},
		{"ip", `{"type":"a","ip":"192.0.2.1"}`, "forbidden", "ip", ""},
		{"user agent", `{"type":"a","user_agent":"x"}`, "forbidden", "user_agent", ""},
		{"device of an account", `{"type":"a","device":"account:7"}`, "forbidden", "device", ""},
		{"engaged is a string", `{"type":"engagement","view":"v","engaged_seconds":"7"}`, "wrong_type", "engaged_seconds", ""},
		{"engaged below 0", `{"type":"engagement","view":"v","engaged_seconds":-1}`, "wrong_type", "engaged_seconds", ""},
		{"engaged out of range", `{"type":"engagement","view":"v","engaged_seconds":1e999}`, "wrong_type", "engaged_seconds", ""},
		{"engaged for a week", `{"type":"engagement","view":"v","engaged_seconds":604800}`, "wrong_type", "engaged_seconds", ""},
		{"engagement without view", `{"type":"engagement","engaged_seconds":7}`, "missing_field", "view", ""},
		{"scroll above 100", `{"type":"engagement","view":"v","scroll_percent":101}`, "wrong_type", "scroll_percent", ""},
		{"value out of range", `{"type":"conversion","value":1e13}`, "wrong_type", "value", ""},
		{"value is a string", `{"type":"conversion","value":"7"}`, "wrong_type", "value", ""},
		{"currency is a word", `{"type":"conversion","value":1,"currency":"euro"}`, "wrong_type", "currency", ""},
		{"consent is a boolean", `{"type":"a","consent":true}`, "wrong_type", "consent", ""},
		{"consent of something else", `{"type":"a","consent":{"ads":true}}`, "unknown_field", "consent.ads", ""},
		{"consent is a string", `{"type":"a","consent":{"analytics":"yes"}}`, "wrong_type", "consent.analytics", ""},
		{"tcf is a number", `{"type":"a","consent":{"tcf":1}}`, "wrong_type", "consent.tcf", ""},
		{"tcf is a word", `{"type":"a","consent":{"tcf":"hello"}}`, "wrong_type", "consent.tcf", ""},
		{"the first fault", `{"type":"a","title":1,"color":2}`, "wrong_type", "title", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			site := "news"
			one := func() *answer {
				if c.key == "i" {
					return w.do(call{query: "site=news&key=import", body: c.body})
				}
				return w.send(c.body)
			}
			a := one()
			v := &a.verdict
			if a.Status != 400 || a.ContentType != "application/problem+json" || v.Status != 400 || v.Title != "Bad Request" || v.Detail == "" {
				t.Fatalf("answer %d %s %s", a.Status, a.ContentType, a.Body)
			}
			if v.Accepted == nil || *v.Accepted != 0 || v.Duplicates == nil || *v.Duplicates != 0 || v.RejectedTotal != 1 || len(v.Rejected) != 1 {
				t.Fatalf("verdict %s", a.Body)
			}
			r := v.Rejected[0]
			if r["index"] != 0.0 || r["code"] != c.code || r["path"] != c.path || r["message"] == "" {
				t.Errorf("rejected %v, want %s at %q", r, c.code, c.path)
			}
			location := strings.TrimSuffix("body."+c.path, ".")
			if len(v.Errors) != 1 || v.Errors[0].Location != location || v.Errors[0].Code != c.code {
				t.Errorf("errors %v, want %s", v.Errors, location)
			}
			if n := w.count(site, "rejected", c.code); n != 1 || len(w.memory.events) != 0 {
				t.Errorf("ledger has %v", w.memory.counts)
			}
			// Beside a good one it is the only one that is rejected.
			good := `{"type":"a","id":"good"}`
			query := "key=w-news"
			if c.key == "i" {
				query = "site=news&key=import"
			}
			a = w.do(call{query: query, body: "[" + good + "," + c.body + "]"})
			if a.Status != 200 || *a.verdict.Accepted != 1 || len(a.verdict.Rejected) != 1 || a.verdict.Rejected[0]["index"] != 1.0 ||
				a.verdict.Rejected[0]["code"] != c.code {
				t.Errorf("in an array: %d %s", a.Status, a.Body)
			}
			if ev := w.stored(); ev.ID != "good" {
				t.Errorf("stored %q", ev.ID)
			}
		})
	}
}

// TestTaken takes events at the limits.
func TestTaken(t *testing.T) {
	cases := []struct{ name, body string }{
		{"only a type", `{"type":"anything at all"}`},
		{"64 characters", `{"type":"` + strings.Repeat("ü", 64) + `"}`},
		{"128 characters", `{"type":"a","id":"` + strings.Repeat("ü", 128) + `"}`},
		{"nulls", `{"type":"a","id":null,"time":null,"device":null,"properties":null,"consent":null,"value":null,"ip":null}`},
		{"empty texts", `{"type":"a","id":"","device":"","account":"","url":"","item":"","currency":"","view":""}`},
		{"48 h past", `{"type":"a","time":` + at(-48*hour) + `}`},
		{"a little ahead", `{"type":"a","time":` + at(5*60*1000) + `}`},
		{"domain", `{"type":"a","url":"https://news.example/"}`},
		{"domain in capitals", `{"type":"a","url":"HTTPS://NEWS.EXAMPLE:8443/"}`},
		{"below a domain", `{"type":"a","url":"https://www.m.news.example/"}`},
		{"second domain", `{"type":"a","url":"https://other.example/"}`},
		{"white space", " \n\t{ \"type\" : \"a\" , \"properties\" : { } } \r\n"},
		{"empty lists", `{"type":"a","properties":{},"traits":{},"consent":{}}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if a := w.send(c.body); a.Status != 200 || *a.verdict.Accepted != 1 || len(a.verdict.Rejected) != 0 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			if ev := w.stored(); ev.ID == "" || ev.Device == "" || ev.Type() == "" {
				t.Errorf("%+v", ev)
			}
		})
	}
}

// TestTimes sets times by key, clock and sender.
func TestTimes(t *testing.T) {
	cases := []struct {
		name, query, body string
		want              int64
		clock             bool
	}{
		{"absent", "key=w-news", `{"type":"a"}`, nowMillis, false},
		{"milliseconds", "key=w-news", `{"type":"a","time":` + at(-7) + `}`, nowMillis - 7, false},
		{"RFC 3339", "key=w-news", `{"type":"a","time":"2026-03-04T05:06:07.089Z"}`, nowMillis, false},
		{"with an offset", "key=w-news", `{"type":"a","time":"2026-03-04T02:06:07.0891234-03:00"}`, nowMillis, false},
		{"too far ahead", "key=w-news", `{"type":"a","time":` + at(5*60*1000+1) + `}`, nowMillis, true},
		{"years ahead", "key=w-news", `{"type":"a","time":"2099-01-01T00:00:00Z"}`, nowMillis, true},
		{"sender's clock is behind", "key=w-news&sent_at=" + at(-72*hour), `{"type":"a","time":` + at(-72*hour-5) + `}`, nowMillis - 5, false},
		{"sender's clock is ahead", "key=w-news&sent_at=" + at(hour), `{"type":"a","time":` + at(hour-5) + `}`, nowMillis - 5, false},
		{"sent_at moves no absent time", "key=w-news&sent_at=" + at(hour), `{"type":"a"}`, nowMillis, false},
		{"sent_at in RFC 3339", "key=w-news&sent_at=2026-03-04T05:06:07.089%2B00:00", `{"type":"a","time":` + at(0) + `}`, nowMillis, false},
		{"sent_at with a blank for plus", "key=w-news&sent_at=2026-03-04T06:06:07.089+01:00", `{"type":"a","time":` + at(0) + `}`, nowMillis, false},
		{"years past, imported", "key=import&site=news", `{"type":"a","time":0}`, 0, false},
		{"the clock of the site", "key=w-replay", `{"type":"a","time":` + fmt.Sprint(replayNow-48*hour) + `}`, replayNow - 48*hour, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if a := w.do(call{query: c.query, body: c.body}); a.Status != 200 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			ev := w.stored()
			if ev.Time != c.want || ev.Flags&event.FlagClock != 0 != c.clock {
				t.Errorf("time %d, flags %b, want %d, %v", ev.Time, ev.Flags, c.want, c.clock)
			}
		})
	}
	w := newWorld(t)
	if a := w.do(call{query: "key=w-replay", body: `{"type":"a","time":` + fmt.Sprint(replayNow-48*hour-1) + `}`}); a.Status != 400 ||
		a.verdict.Rejected[0]["code"] != "time_too_old" {
		t.Errorf("before the clock of the site: %d %s", a.Status, a.Body)
	}
}

// TestRequests answers what is wrong with a request as a whole.
func TestRequests(t *testing.T) {
	ok := `{"type":"a"}`
	key := func(k string) headers { return headers{"Authorization": "Bearer " + k} }
	cases := []struct {
		name   string
		call   call
		status int
		want   string // a part of the answer
	}{
		{"no key", call{body: ok}, 401, ""},
		{"unknown key", call{query: "key=nonsense", body: ok}, 401, ""},
		{"unknown bearer", call{headers: key("nonsense"), body: ok}, 401, ""},
		{"basic", call{headers: headers{"Authorization": "Basic dzpu"}, body: ok}, 401, ""},
		{"write key of a site that is gone", call{query: "key=gone", body: ok}, 404, ""},
		{"bearer", call{headers: key("w-news"), body: ok}, 200, ""},
		{"bearer in small letters", call{headers: headers{"Authorization": "bearer w-news"}, body: ok}, 200, ""},
		{"write key and its site", call{query: "site=news&key=w-news", body: ok}, 200, ""},
		{"write key and another site", call{query: "site=open&key=w-news", body: ok}, 403, "query.site"},
		{"no scope", call{query: "site=news", headers: key("query"), body: ok}, 403, "events:import"},
		{"other site", call{query: "site=news", headers: key("other"), body: ok}, 403, "query.site"},
		{"its site", call{query: "site=open", headers: key("other"), body: ok}, 200, ""},
		{"no site", call{headers: key("import"), body: ok}, 422, "query.site"},
		{"unknown site", call{query: "site=newss", headers: key("import"), body: ok}, 404, "the nearest is news"},
		{"session", call{query: "site=news", headers: headers{"Cookie": "a=b; session=token", "Sec-Fetch-Site": "same-origin"}, body: ok}, 200, ""},
		{"session by origin", call{query: "site=news", headers: headers{"Cookie": "session=token", "Origin": "https://collect.example"}, body: ok}, 200, ""},
		{"session from elsewhere", call{query: "site=news", headers: headers{"Cookie": "session=token", "Origin": "https://evil.example"}, body: ok}, 401, ""},
		{"session across sites", call{query: "site=news", headers: headers{"Cookie": "session=token", "Sec-Fetch-Site": "cross-site"}, body: ok}, 401, ""},
		{"ended session", call{query: "site=news", headers: headers{"Cookie": "session=old"}, body: ok}, 401, ""},
		{"GET", call{method: "GET", query: "key=w-news"}, 405, ""},
		{"PUT", call{method: "PUT", query: "key=w-news", body: ok}, 405, ""},
		{"POST of a pixel", call{method: "POST", path: PathPixel, query: "key=w-news&type=a"}, 405, ""},
		{"elsewhere", call{path: "/v1/other", body: ok}, 404, ""},
		{"form", call{query: "key=w-news", headers: headers{"Content-Type": "application/x-www-form-urlencoded"}, body: ok}, 415, "header.Content-Type"},
		{"brotli", call{query: "key=w-news", headers: headers{"Content-Encoding": "br"}, body: ok}, 415, "header.Content-Encoding"},
		{"charset", call{query: "key=w-news", headers: headers{"Content-Type": "application/json; charset=utf-8"}, body: ok}, 200, ""},
		{"beacon", call{query: "key=w-news", headers: headers{"Content-Type": "text/plain;charset=UTF-8"}, body: ok}, 200, ""},
		{"bad sent_at", call{query: "key=w-news&sent_at=noon", body: ok}, 422, "query.sent_at"},
		{"bad debug", call{query: "key=w-news&debug=maybe", body: ok}, 422, "query.debug"},
		{"all faults", call{query: "key=w-news&debug=maybe&sent_at=noon", body: ok}, 422, "query.debug"},
		{"empty body", call{query: "key=w-news"}, 400, "malformed_json"},
		{"empty list", call{query: "key=w-news", body: "[]"}, 200, `{"accepted":0,"duplicates":0,"rejected":[],"rejected_total":0}`},
		{"blanks", call{query: "key=w-news", body: "  \n"}, 400, "byte 3 (line 2, column 1)"},
		{"malformed", call{query: "key=w-news", body: `{"type":"a",}`}, 400, "expected a name in quotes at byte 12 (line 1, column 13)"},
		{"malformed array", call{query: "key=w-news", body: `[{"type":"a"} {"type":"b"}]`}, 400, "expected a comma or ] at byte 14"},
		{"open array", call{query: "key=w-news", body: `[{"type":"a"}`}, 400, "at byte 13"},
		{"two values", call{query: "key=w-news", headers: headers{"Content-Type": "application/json"}, body: ok + ok}, 400, "expected the end of the body at byte 12"},
		{"control character", call{query: "key=w-news", body: "{\"type\":\"a\x01\"}"}, 400, "a control character"},
		{"control character outside", call{query: "key=w-news", body: "\x01"}, 400, "expected a value"},
		{"no string end", call{query: "key=w-news", body: `{"type":"a`}, 400, "a string has no end"},
		{"bad escape", call{query: "key=w-news", body: `{"type":"a\x"}`}, 400, "unknown escape at byte 10"},
		{"short escape", call{query: "key=w-news", body: `{"type":"\u12"}`}, 400, "unknown escape"},
		{"bad number", call{query: "key=w-news", body: `{"type":"a","value":01}`}, 400, "a number is malformed"},
		{"bad literal", call{query: "key=w-news", body: `{"type":nul}`}, 400, "expected a value"},
		{"not UTF-8", call{query: "key=w-news", body: "{\"type\":\"a\xff\"}"}, 400, "not UTF-8 at byte 10"},
		{"deep", call{query: "key=w-news", body: `{"type":"a","properties":{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}}`}, 400, "nested too deeply"},
		{"deep and open", call{query: "key=w-news", body: strings.Repeat(`{"a":`, 500_000)}, 400, "nested too deeply"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.do(c.call)
			if a.Status != c.status || !strings.Contains(string(a.Body), c.want) {
				t.Fatalf("%d %s, want %d with %s", a.Status, a.Body, c.status, c.want)
			}
			if a.Status >= 400 {
				if a.ContentType != "application/problem+json" || a.verdict.Status != c.status || a.verdict.Title != http.StatusText(c.status) || a.verdict.Detail == "" {
					t.Errorf("answer %s %s", a.ContentType, a.Body)
				}
				if len(w.memory.events) != 0 {
					t.Errorf("%d events are stored", len(w.memory.events))
				}
			}
			switch a.Status {
			case 401:
				if a.Get("WWW-Authenticate") != "Bearer" {
					t.Error("no WWW-Authenticate")
				}
			case 405:
				if a.Get("Allow") == "" {
					t.Error("no Allow")
				}
			case 400:
				if w.count("news", "refused", "malformed_json") != 1 {
					t.Errorf("ledger has %v", w.memory.counts)
				}
			}
		})
	}
}
