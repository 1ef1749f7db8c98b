package collect

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
)

// cookieOf returns the rsid that an answer sets, "" if none.
func cookieOf(a *answer) string {
	value, _, _ := strings.Cut(strings.TrimPrefix(a.Get("Set-Cookie"), CookieName+"="), ";")
	return value
}

// issue makes a valid cookie.
func issue(w *world, seed byte) (device, value string) {
	device, value, err := w.c.devices.Make(rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		w.t.Fatal(err)
	}
	return device, value
}

// Consent strings of TCF version 2: nothing, everything, purposes 1 and 8,
// purpose 1 alone.
var (
	tcfNone = tcfString()
	tcfAll  = tcfString(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	tcfBoth = tcfString(1, 8)
	tcfOne  = tcfString(1)
)

func tcfString(purposes ...int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	letters := make([]byte, 36)
	letters[0] = 2
	for _, p := range purposes {
		bit := tcfPurposes + p - 1
		letters[bit/6] |= 1 << (5 - bit%6)
	}
	for i, l := range letters {
		letters[i] = alphabet[l]
	}
	return string(letters) + ".YAAAAAAAAAA"
}

// TestIdentity says who an event's reader is.
func TestIdentity(t *testing.T) {
	const (
		named  = "named"  // the device of the body
		proved = "proved" // of the cookie that was sent
		fresh  = "fresh"  // of the cookie that is set
		hashed = "hashed" // address and user agent
		nobody = "nobody" // dropped
	)
	page := `"type":"page_view","url":"https://news.example/a","properties":{"section":"sport"}`
	cases := []struct {
		name, site, body string
		headers          headers
		cookie           bool // send a valid one
		device, why      string
		account          string
		properties       int
		set              bool // a cookie is set
	}{
		{"silent", "news", `{` + page + `}`, nil, false, hashed, "", "", 1, false},
		{"silent, another type", "news", `{"type":"click","properties":{"x":1}}`, nil, false, hashed, "", "", 0, false},
		{"silent, with traits", "news", `{` + page + `,"traits":{"age":7}}`, nil, false, hashed, "", "", 1, false},
		{"device", "news", `{` + page + `,"device":"d1"}`, nil, false, named, "", "", 1, false},
		{"account", "news", `{` + page + `,"account":"a7"}`, nil, false, "account:a7", "", "a7", 1, false},
		{"device and account", "news", `{` + page + `,"device":"d1","account":"a7"}`, nil, false, named, "", "a7", 1, false},
		{"cookie", "news", `{` + page + `}`, nil, true, proved, "", "", 1, false},
		{"cookie beats device", "news", `{` + page + `,"device":"d1","account":"a7"}`, nil, true, proved, "", "a7", 1, false},
		{"yes", "news", `{` + page + `,"consent":{"analytics":true}}`, nil, false, fresh, "", "", 1, true},
		{"yes, with a device", "news", `{` + page + `,"device":"d1","consent":{"analytics":true}}`, nil, false, named, "", "", 1, true},
		{"yes, with a cookie", "news", `{` + page + `,"consent":{"analytics":true}}`, nil, true, proved, "", "", 1, false},
		{"no", "news", `{` + page + `,"consent":{"analytics":false}}`, nil, false, hashed, "refused", "", 0, false},
		{"no, with a device", "news", `{` + page + `,"device":"d1","account":"a7","traits":{"x":1},"consent":{"analytics":false}}`, nil, false, hashed, "refused", "", 0, false},
		{"no, with a cookie", "news", `{` + page + `,"consent":{"analytics":false}}`, nil, true, hashed, "refused", "", 0, false},
		{"no word on analytics", "news", `{` + page + `,"consent":{"personalization":true}}`, nil, false, hashed, "", "", 1, false},
		{"GPC", "news", `{` + page + `,"device":"d1"}`, headers{"Sec-GPC": "1"}, false, hashed, "gpc", "", 0, false},
		{"GPC with a cookie", "news", `{` + page + `}`, headers{"Sec-GPC": "1"}, true, hashed, "gpc", "", 0, false},
		{"GPC and yes", "news", `{` + page + `,"device":"d1","consent":{"analytics":true}}`, headers{"Sec-GPC": "1"}, false, named, "", "", 1, true},
		{"DNT", "news", `{` + page + `,"account":"a7"}`, headers{"DNT": "1"}, false, hashed, "dnt", "", 0, false},
		{"DNT is off", "news", `{` + page + `,"account":"a7"}`, headers{"DNT": "0"}, false, "account:a7", "", "a7", 1, false},
		{"TCF all", "news", `{` + page + `,"consent":{"tcf":"` + tcfAll + `"}}`, nil, false, fresh, "", "", 1, true},
		{"TCF what it takes", "news", `{` + page + `,"consent":{"tcf":"` + tcfBoth + `"}}`, nil, false, fresh, "", "", 1, true},
		{"TCF storage alone", "news", `{` + page + `,"device":"d1","consent":{"tcf":"` + tcfOne + `"}}`, nil, false, hashed, "refused", "", 0, false},
		{"TCF nothing", "news", `{` + page + `,"device":"d1","consent":{"tcf":"` + tcfNone + `"}}`, nil, false, hashed, "refused", "", 0, false},
		{"analytics before TCF", "news", `{` + page + `,"consent":{"tcf":"` + tcfNone + `","analytics":true}}`, nil, false, fresh, "", "", 1, true},
		{"drop, silent", "drop", `{` + page + `}`, nil, false, nobody, "silent", "", 0, false},
		{"drop, device", "drop", `{` + page + `,"device":"d1"}`, nil, false, named, "", "", 1, false},
		{"drop, cookie", "drop", `{` + page + `}`, nil, true, proved, "", "", 1, false},
		{"drop, no", "drop", `{` + page + `,"device":"d1","consent":{"analytics":false}}`, nil, false, nobody, "refused", "", 0, false},
		{"drop, GPC", "drop", `{` + page + `,"device":"d1"}`, headers{"Sec-GPC": "1"}, false, nobody, "gpc", "", 0, false},
		{"drop, DNT", "drop", `{` + page + `,"device":"d1"}`, headers{"DNT": "1"}, false, nobody, "dnt", "", 0, false},
		{"drop, yes", "drop", `{` + page + `,"consent":{"analytics":true}}`, nil, false, fresh, "", "", 1, true},
		{"assume, silent", "assume", `{` + page + `}`, nil, false, fresh, "", "", 1, true},
		{"assume, device", "assume", `{` + page + `,"device":"d1"}`, nil, false, named, "", "", 1, true},
		{"assume, cookie", "assume", `{` + page + `}`, nil, true, proved, "", "", 1, false},
		{"assume, no", "assume", `{` + page + `,"device":"d1","consent":{"analytics":false}}`, nil, false, hashed, "refused", "", 0, false},
		{"assume, GPC", "assume", `{` + page + `}`, headers{"Sec-GPC": "1"}, false, hashed, "gpc", "", 0, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			h := headers{"User-Agent": "Test/1"}
			for k, v := range c.headers {
				h[k] = v
			}
			device, value := issue(w, 7)
			if c.cookie {
				h["Cookie"] = "x=y; rsid=" + value
			}
			a := w.do(call{query: "key=w-" + c.site, headers: h, body: c.body})
			if a.Status != 200 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			set := cookieOf(a)
			if (set != "") != c.set {
				t.Errorf("cookie %q", set)
			}
			if c.device == nobody {
				if len(w.memory.events) != 0 || *a.verdict.Accepted != 0 || a.verdict.NoConsent != 1 || w.count(c.site, "no_consent", c.why) != 1 {
					t.Errorf("stored %v, ledger %v, answer %s", w.memory.events, w.memory.counts, a.Body)
				}
				return
			}
			ev := w.stored()
			flags := ev.Flags & (event.FlagCookieless | event.FlagClaimedDevice | event.FlagNoDevice)
			want, wantFlags := c.device, event.Flags(0)
			switch c.device {
			case named:
				want, wantFlags = "d1", event.FlagClaimedDevice
			case proved:
				want = device
			case fresh:
				want, _ = w.c.devices.Open(set)
			case hashed:
				want, wantFlags = ev.Device, event.FlagCookieless
				if len(ev.Device) != 23 || ev.Device[0] != '~' {
					t.Errorf("device %q", ev.Device)
				}
			}
			if ev.Device != want || want == "" || flags != wantFlags {
				t.Errorf("device %q with %b, want %q with %b", ev.Device, flags, want, wantFlags)
			}
			if got := ev.Columns[event.ColAccount]; got != c.account {
				t.Errorf("account %q", got)
			}
			if len(ev.Properties) != c.properties {
				t.Errorf("properties %v", ev.Properties)
			}
			if url := ev.Columns[event.ColURL]; strings.Contains(c.body, "url") && url == "" {
				t.Error("the page is lost")
			}
		})
	}
}

// TestImportedIdentity says who the reader of an imported event is.
func TestImportedIdentity(t *testing.T) {
	w := newWorld(t)
	one := func(site, body string) event.Event {
		t.Helper()
		h := headers{"Authorization": "Bearer import", "User-Agent": "importer", "Sec-GPC": "1", "Accept-Language": "de"}
		_, value := issue(w, 7)
		h["Cookie"] = "rsid=" + value
		if a := w.do(call{query: "site=" + site, headers: h, body: body}); a.Status != 200 || cookieOf(a) != "" {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		ev := w.stored()
		if ev.Columns[event.ColLanguage] != "" {
			t.Error("the importer's language is taken for the reader's")
		}
		return ev
	}
	if ev := one("news", `{"type":"a","device":"d1"}`); ev.Device != "d1" || ev.Flags&event.FlagClaimedDevice != 0 {
		t.Errorf("%+v", ev)
	}
	if ev := one("news", `{"type":"a","device":"account:7"}`); ev.Device != "account:7" {
		t.Errorf("%+v", ev)
	}
	log := `{"type":"request","time":1431857100000,"ip":"192.0.2.1","user_agent":"x","properties":{"status":200}}`
	first := one("news", log)
	if first.Flags&event.FlagCookieless == 0 || len(first.Properties) != 1 {
		t.Errorf("%+v", first)
	}
	same := func(name, body string, want bool) {
		t.Helper()
		if ev := one("news", body); (ev.Device == first.Device) != want {
			t.Errorf("%s: %q and %q", name, first.Device, ev.Device)
		}
	}
	same("again", log, true)
	same("address in another form", strings.Replace(log, "192.0.2.1", "::ffff:192.0.2.1", 1), true)
	same("other address", strings.Replace(log, "192.0.2.1", "192.0.2.2", 1), false)
	same("other user agent", strings.Replace(log, `"x"`, `"y"`, 1), false)
	same("next day", strings.Replace(log, "1431857100000", "1431943500000", 1), false)
	if ev := one("open", log); ev.Device == first.Device {
		t.Error("two sites share an identity")
	}
	if ev := one("news", `{"type":"a","consent":{"analytics":true}}`); ev.Flags&event.FlagCookieless == 0 {
		t.Errorf("%+v", ev)
	}
}

// TestEngagementWithoutReader leaves the reader to the view.
func TestEngagementWithoutReader(t *testing.T) {
	w := newWorld(t)
	w.send(`{"type":"engagement","view":"v1","engaged_seconds":2.5,"scroll_percent":49.6}`)
	if ev := w.stored(); ev.Flags&event.FlagNoDevice == 0 || ev.View != "v1" || ev.EngagedMillis != 2500 || ev.Scroll != 50 {
		t.Errorf("%+v", ev)
	}
	w.send(`{"type":"engagement","view":"v1","device":"d1"}`)
	if ev := w.stored(); ev.Flags&event.FlagNoDevice != 0 || ev.Device != "d1" {
		t.Errorf("%+v", ev)
	}
}

// TestOneCookie gives a batch one new device.
func TestOneCookie(t *testing.T) {
	w := newWorld(t)
	a := w.send(`[{"type":"a","id":"1","consent":{"analytics":true}},{"type":"b","id":"2","consent":{"analytics":true}},{"type":"c","id":"3"}]`)
	device, ok := w.c.devices.Open(cookieOf(a))
	if !ok || len(w.memory.events) != 3 {
		t.Fatal(a.Headers, w.memory.events)
	}
	for i, want := range []bool{true, true, false} {
		if got := w.memory.events[i].Device; (got == device) != want {
			t.Errorf("event %d has device %q, the cookie %q", i, got, device)
		}
	}
}

func TestCookie(t *testing.T) {
	w := newWorld(t)
	device, value := issue(w, 1)
	if got, ok := w.c.devices.Open(value); !ok || got != device {
		t.Fatal(got, ok)
	}
	_, other := issue(w, 2)
	foreign := identity.NewDevices([]byte("another secret, of another server"))
	_, forged, _ := foreign.Make(rand.NewChaCha8([32]byte{1}))
	for _, bad := range []string{"", "1", value[:len(value)-1], value + "x", "2" + value[1:], value[:24] + other[24:], forged,
		strings.ToUpper(value), strings.Replace(value, ".", ",", 2)} {
		if _, ok := w.c.devices.Open(bad); ok {
			t.Errorf("%q is a cookie", bad)
		}
	}
	for i := range value {
		changed := []byte(value)
		changed[i] ^= 1
		if got, ok := w.c.devices.Open(string(changed)); ok && got == device {
			t.Errorf("changed at %d it is still a cookie", i)
		}
	}
	// An invalid cookie is as none.
	w.do(call{query: "key=w-news", headers: headers{"Cookie": "rsid=" + forged}, body: `{"type":"a"}`})
	if ev := w.stored(); ev.Flags&event.FlagCookieless == 0 {
		t.Errorf("%+v", ev)
	}
}

func TestCookieAttributes(t *testing.T) {
	body := `{"type":"a","consent":{"analytics":true}}`
	cases := []struct {
		name   string
		call   call
		secure bool
	}{
		{"plain", call{}, false},
		{"TLS", call{tls: true}, true},
		{"TLS to a trusted proxy", call{remote: "10.1.2.3", headers: headers{"X-Forwarded-Proto": "https"}}, true},
		{"TLS to somebody", call{headers: headers{"X-Forwarded-Proto": "https"}}, false},
	}
	for _, c := range cases {
		w := newWorld(t)
		c.call.query, c.call.body = "key=w-news", body
		set := w.do(c.call).Get("Set-Cookie")
		for _, want := range []string{"Path=/", "HttpOnly", "Max-Age="} {
			if !strings.Contains(set, want) {
				t.Errorf("%s: %s", c.name, set)
			}
		}
		if strings.Contains(set, "Secure; SameSite=None") != c.secure || strings.Contains(set, "SameSite=Lax") == c.secure {
			t.Errorf("%s: %s", c.name, set)
		}
	}
}

func TestSecure(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		tls           bool
		remote, proto string
		want          bool
	}{
		{false, "10.1.2.3", "", false}, {true, "10.1.2.3", "", true}, {false, "10.1.2.3", "https", true}, {false, "::ffff:10.1.2.3", "HTTPS ", true},
		{false, "10.1.2.3", "http, https", true}, {false, "10.1.2.3", "https,http", false}, {false, "10.1.2.3", "https,", false}, {false, "10.1.2.3", "httpss", false},
		{true, "10.1.2.3", "http", false}, // a proxy reaches us by TLS, not the reader it
		{false, "192.0.2.1", "https", false}, {true, "192.0.2.1", "http", true},
	} {
		if got := Secure(c.tls, netip.MustParseAddr(c.remote), c.proto, trusted); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	cases := []struct {
		remote, forwarded string
		trusted           []netip.Prefix
		want              string
	}{
		{"192.0.2.1", "203.0.113.5", trusted, "192.0.2.1"},
		{"10.0.0.1", "203.0.113.5", nil, "10.0.0.1"},
		{"10.0.0.1", "203.0.113.5", trusted, "203.0.113.5"},
		{"10.0.0.1", "198.51.100.9, 203.0.113.5, 10.0.0.2", trusted, "203.0.113.5"},
		{"10.0.0.1", "10.0.0.3, 10.0.0.2", trusted, "10.0.0.3"},
		{"10.0.0.1", "203.0.113.5:4711", trusted, "203.0.113.5"},
		{"10.0.0.1", "[2001:db9::1]:4711", trusted, "2001:db9::1"},
		{"2001:db8::1", "2001:db9::1", trusted, "2001:db9::1"},
		{"::ffff:10.0.0.1", "203.0.113.5", trusted, "203.0.113.5"},
		{"10.0.0.1", "", trusted, "10.0.0.1"},
		{"10.0.0.1", "203.0.113.5, nonsense", trusted, "10.0.0.1"},
		{"10.0.0.1", " , ", trusted, "10.0.0.1"},
	}
	for _, c := range cases {
		if got := ClientAddress(netip.MustParseAddr(c.remote), c.forwarded, c.trusted); got.String() != c.want {
			t.Errorf("%s for %q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
}

// TestTrustedProxies makes the cookieless identity of who is behind them.
func TestTrustedProxies(t *testing.T) {
	w := newWorld(t)
	device := func(remote, forwarded string) string {
		w.do(call{query: "key=w-news", remote: remote, headers: headers{"X-Forwarded-For": forwarded}, body: `{"type":"a"}`})
		return w.stored().Device
	}
	direct := device("203.0.113.5", "")
	if got := device("10.0.0.1", "203.0.113.5"); got != direct {
		t.Errorf("behind a trusted proxy: %q, want %q", got, direct)
	}
	if got := device("192.0.2.1", "203.0.113.5"); got == direct {
		t.Error("anybody can claim an address")
	}
}

func TestLanguage(t *testing.T) {
	var a arena
	for header, want := range map[string]string{"": "", "de": "de", "DE-de,de;q=0.9": "de", "pt-BR": "pt", "*": "", "en;q=0.8": "en", "gsw": "gsw", "english": "", "d": "", "e\xff": ""} {
		if got := a.primaryLanguage(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func TestTCF(t *testing.T) {
	// A string as a CMP writes it, with neither purpose.
	const real = "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"
	cases := []struct {
		s       string
		yes, ok bool
	}{
		{tcfAll, true, true}, {tcfBoth, true, true}, {tcfOne, false, true}, {tcfNone, false, true},
		{real, false, true},
		{"", false, false}, {"CP", false, false}, {"BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", false, false},
		{strings.Repeat("!", 40), false, false}, {strings.Repeat("C", 10_000), false, false},
	}
	for _, c := range cases {
		if yes, ok := tcfConsent(c.s); yes != c.yes || ok != c.ok {
			t.Errorf("%q: %v, %v", c.s, yes, ok)
		}
	}
}
