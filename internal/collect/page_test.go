package collect

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/event"
)

func TestItemAddress(t *testing.T) {
	site := &event.Site{IDParams: []string{"id", "p"}}
	cases := []struct{ url, want string }{
		{"", ""},
		{"https://news.example/sport/final", "news.example/sport/final"},
		{"http://news.example/sport/final", "news.example/sport/final"},
		{"HTTPS://WWW.News.Example:8443/Sport/Final/", "news.example/sport/final"},
		{"//news.example/sport", "news.example/sport"},
		{"news.example/sport", "news.example/sport"},
		{"news.example", "news.example"},
		{"https://news.example", "news.example"},
		{"https://news.example/", "news.example"},
		{"https://news.example./x", "news.example/x"},
		{"https://user:secret@news.example/x", "news.example/x"},
		{"https://news.example/x#top", "news.example/x"},
		{"https://news.example/x?utm_source=y#top", "news.example/x"},
		{"https://news.example/x?utm_source=y&id=Ab7", "news.example/x?id=Ab7"},
		{"https://news.example/x?p=2&id=7&p=3", "news.example/x?id=7&p=2"},
		{"https://news.example/?p=2", "news.example?p=2"},
		{"https://news.example?p=2", "news.example?p=2"},
		{"https://news.example/x?id", "news.example/x?id="},
		{"https://news.example/x?ID=7", "news.example/x"},
		{"https://news.example/story/amp", "news.example/story"},
		{"https://news.example/story/amp/", "news.example/story"},
		{"https://news.example/story/AMP/?id=1", "news.example/story?id=1"},
		{"https://news.example/amp/story", "news.example/amp/story"},
		{"https://news.example/amplifier", "news.example/amplifier"},
		{"https://news.example/champ", "news.example/champ"},
		{"https://news.example/amp", "news.example"},
		{"https://www.www.news.example/x", "news.example/x"},
		{"https://[2001:db8::1]:8080/x", "[2001:db8::1]/x"},
		{"https://news.example/ÄPFEL", "news.example/äpfel"},
		{"https://news.example/%C3%84pfel", "news.example/%c3%84pfel"},
		{"https://news.example//x//", "news.example//x"},
		{"https://news.example/%73tory%2C1%2841%29%2Ehtml", "news.example/story,1(41).html"},
		{"https://news.example/a%2Fb%3Fc%23d%25e%3bf%5cg%20h", "news.example/a%2fb%3fc%23d%25e%3bf%5cg%20h"},
		{"https://news.example/%41%zz", "news.example/%41%zz"},
		{"https://news.example/story%2F%61mp/%61mp", "news.example/story%2famp"},
		{"https://news.example/x?%69d=%41b%26%2b%20/", "news.example/x?id=Ab%26%2b%20/"},
		{"/sport/final", "/sport/final"},
		{"/", "/"},
		{"?p=2", "/?p=2"},
		{"#top", ""},
		{"  https://news.example/x  ", "news.example/x"},
	}
	for _, c := range cases {
		got := ItemAddress(site, c.url)
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.url, got, c.want)
		}
		if again := ItemAddress(site, got); again != got {
			t.Errorf("%q: %q, then %q", c.url, got, again)
		}
	}
}

// urls draws what is like a URL, and what is not.
func urls() *rapid.Generator[string] {
	parts := rapid.SampledFrom([]string{"http", "https", ":", "//", "/", "www.", "WWW.", "news.example", "Ab", "amp", "/amp", "/amp/", "?", "id=", "p=7", "&", "#", "@", ":80",
		"[", "]", ".", " ", "\t", "%2F", "%", "%61", "%41", "%3", "%69d", "ä", "İ", "K", "x", "=", "\\", "..", "\u00a0"})
	return rapid.Map(rapid.SliceOfN(parts, 0, 12), func(p []string) string { return strings.Join(p, "") })
}

func TestItemAddressIsIdempotent(t *testing.T) {
	site := &event.Site{IDParams: []string{"id", "p"}}
	rapid.Check(t, func(t *rapid.T) {
		once := ItemAddress(site, urls().Draw(t, "url"))
		if twice := ItemAddress(site, once); twice != once {
			t.Fatalf("%q, then %q", once, twice)
		}
	})
}

func FuzzItemAddress(f *testing.F) {
	for _, s := range []string{"https://www.news.example:80/a/amp/?id=1#x", "//", "[::1]", "a@b", "?id", "/%61%25%36%zz", "?%69d=%39"} {
		f.Add(s)
	}
	site := &event.Site{IDParams: []string{"id"}}
	f.Fuzz(func(t *testing.T, s string) {
		once := ItemAddress(site, s)
		if twice := ItemAddress(site, once); twice != once {
			t.Fatalf("%q: %q, then %q", s, once, twice)
		}
	})
}

// TestPage derives columns from the page.
func TestPage(t *testing.T) {
	type columns map[event.Column]string
	cases := []struct {
		name, body string
		want       columns
		address    bool // the item is the page's address
	}{
		{"everything", `{"type":"page_view","url":"https://WWW.news.example:8443/Sport/Final?utm_source=a%20b&utm_medium=x+y&utm_campaign=%C3%A4&utm_source=z#top","referrer":"https://T.co/abc?x","title":"The Final"}`,
			columns{event.ColURL: "https://WWW.news.example:8443/Sport/Final?utm_source=a%20b&utm_medium=x+y&utm_campaign=%C3%A4&utm_source=z#top",
				event.ColHost: "www.news.example", event.ColPath: "/Sport/Final", event.ColUTMSource: "a b", event.ColUTMMedium: "x y", event.ColUTMCampaign: "ä",
				event.ColReferrer: "https://T.co/abc?x", event.ColReferrerHost: "t.co", event.ColChannel: "campaign", event.ColTitle: "The Final", event.ColItem: "news.example/sport/final"}, true},
		{"home", `{"type":"page_view","url":"https://news.example"}`,
			columns{event.ColURL: "https://news.example", event.ColHost: "news.example", event.ColPath: "/", event.ColItem: "news.example"}, true},
		{"item is named", `{"type":"page_view","url":"https://news.example/claimed","item":"a1"}`,
			columns{event.ColURL: "https://news.example/claimed", event.ColHost: "news.example", event.ColPath: "/claimed", event.ColItem: "a1"}, false},
		{"claimed url", `{"type":"page_view","url":"https://news.example/Claimed/?x"}`,
			columns{event.ColURL: "https://news.example/Claimed/?x", event.ColHost: "news.example", event.ColPath: "/Claimed/", event.ColItem: "a77"}, false},
		{"claimed canonical", `{"type":"page_view","url":"https://news.example/claimed","canonical":"https://news.example/alias"}`,
			columns{event.ColURL: "https://news.example/claimed", event.ColHost: "news.example", event.ColPath: "/claimed", event.ColItem: "a78"}, false},
		{"canonical that nobody claims, claimed url", `{"type":"page_view","url":"https://news.example/claimed","canonical":"https://news.example/other"}`,
			columns{event.ColURL: "https://news.example/claimed", event.ColHost: "news.example", event.ColPath: "/claimed", event.ColItem: "a77"}, false},
		{"canonical before url", `{"type":"page_view","url":"https://news.example/x?y","canonical":"https://news.example/z"}`,
			columns{event.ColURL: "https://news.example/x?y", event.ColHost: "news.example", event.ColPath: "/x", event.ColItem: "news.example/z"}, true},
		{"canonical alone", `{"type":"page_view","canonical":"https://elsewhere.example/z"}`,
			columns{event.ColHost: "elsewhere.example", event.ColPath: "/z", event.ColItem: "elsewhere.example/z"}, true},
		{"value", `{"type":"conversion","value":1.999999,"currency":"usd"}`, columns{event.ColCurrency: "USD"}, false},
		{"value in the site's currency", `{"type":"conversion","value":0}`, columns{event.ColCurrency: "EUR"}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if a := w.send(c.body); a.Status != 200 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			ev := w.stored()
			got := columns{}
			for column, value := range ev.Columns {
				if value != "" && column != int(event.ColType) {
					got[event.Column(column)] = value
				}
			}
			if c.want[event.ColHost] != "" && c.want[event.ColChannel] == "" {
				c.want[event.ColChannel] = "direct"
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if ev.Flags&event.FlagItemFromURL != 0 != c.address {
				t.Errorf("flags %b", ev.Flags)
			}
		})
	}
}

// TestProperties stores properties and traits in their canonical form.
func TestProperties(t *testing.T) {
	w := newWorld(t)
	w.send(`{"type":"identify","device":"d","properties":{"s":"te\"xt\u00e4\n","e":"","i":7,"n":-0,"big":12345678901234567890,"f":1.50,"x":1e3,"tiny":1e-9,"t":true,"f2":false,"s":"again"},
		"traits":{"plan":"gold","age":7,"plan":"silver"}}`)
	want := []event.Property{{Name: "s", Value: "again"}, {Name: "e"}, {Name: "i", Value: "7", Kind: event.KindNumber}, {Name: "n", Value: "0", Kind: event.KindNumber},
		{Name: "big", Value: "12345678901234567000", Kind: event.KindNumber}, {Name: "f", Value: "1.5", Kind: event.KindNumber},
		{Name: "x", Value: "1000", Kind: event.KindNumber}, {Name: "tiny", Value: "1e-09", Kind: event.KindNumber}, {Name: "t", Value: "true", Kind: event.KindBool}, {Name: "f2", Value: "false", Kind: event.KindBool},
		{Name: "traits.plan", Value: "silver"}, {Name: "traits.age", Value: "7", Kind: event.KindNumber}}
	if d := cmp.Diff(want, w.stored().Properties); d != "" {
		t.Error(d)
	}
}

// TestCut cuts long texts and names them.
func TestCut(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("ü", 2000) // 4,000 bytes
	a := w.send(`[{"type":"a"},{"type":"page_view","device":"d","id":"x","title":"` + long + `","referrer":"https://t.co/` + long + `","properties":{"p":"` + long + `","q":"` + long[:512] + `"},"traits":{"t":"` + long + `"}}]`)
	if a.Status != 200 || *a.verdict.Accepted != 2 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	var paths []string
	for _, c := range a.verdict.Cut {
		if c["index"] != 1.0 {
			t.Errorf("cut %v", c)
		}
		paths = append(paths, c["path"].(string))
	}
	if d := cmp.Diff([]string{"referrer", "title", "properties.p", "traits.t"}, paths); d != "" {
		t.Error(d)
	}
	ev := w.memory.events[1]
	if got := ev.Columns[event.ColTitle]; got != long[:512] {
		t.Errorf("title has %d bytes", len(got))
	}
	if got := ev.Columns[event.ColReferrer]; len(got) != 2047 || !strings.HasSuffix(got, "ü") { // no character is torn
		t.Errorf("referrer has %d bytes", len(got))
	}
	if p := ev.Properties; p[0].Value != long[:512] || p[1].Value != long[:512] || p[2].Value != long[:512] {
		t.Errorf("properties %v", p)
	}
}
