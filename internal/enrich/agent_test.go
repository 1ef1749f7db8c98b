package enrich

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Agents that readers and robots send today.
const (
	chromeWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
	safariPhone   = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
	firefoxMac    = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:143.0) Gecko/20100101 Firefox/143.0"
)

func TestParseAgent(t *testing.T) {
	for _, c := range []struct{ text, class, operator, device, browser, os string }{
		{"", "", "", "", "", ""},
		{chromeWindows, "", "", DeviceDesktop, "Chrome", "Windows"},
		{safariPhone, "", "", DeviceMobile, "Mobile Safari", "iOS"},
		{firefoxMac, "", "", DeviceDesktop, "Firefox", "Mac OS X"},
		{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36", "", "", DeviceMobile, "Chrome Mobile", "Android"},
		{"Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36", "", "", DeviceTablet, "Chrome", "Android"},
		{"Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1", "", "", DeviceTablet, "Mobile Safari", "iOS"},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "", "", DeviceDesktop, "Firefox", "Linux"},
		{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36", "", "", DeviceDesktop, "Chrome", "Chrome OS"},
		{"Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/3.0 Chrome/94.0.4606.31 TV Safari/537.36", "", "", DeviceTV, "Samsung Internet", "Tizen"},
		{"Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0; Tablet PC 2.0)", "", "", DeviceDesktop, "IE", "Windows"},
		{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", ClassSearch, "Google", "", "", ""},
		{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", ClassAITraining, "OpenAI", "", "", ""},
		{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ChatGPT-User/1.0; +https://openai.com/bot", ClassAIAssistant, "OpenAI", "", "", ""},
		{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; OAI-SearchBot/1.0; +https://openai.com/searchbot", ClassAISearch, "OpenAI", "", "", ""},
		{"Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", ClassAITraining, "Anthropic", "", "", ""},
		{"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", ClassSocial, "Meta", "", "", ""},
		{"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", ClassSEO, "Ahrefs", "", "", ""},
		{"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", ClassSearch, "Microsoft", "", "", ""},
		{"curl/8.5.0", ClassLibrary, "curl", "", "", ""},
		{"Java/17.0.9", ClassLibrary, "Java", "", "", ""},
		{"python-requests/2.32", ClassLibrary, "python-requests", "", "", ""},
		{"Mozilla/5.0 (compatible; NobodyKnowsThisBot/1.0; +http://example.com/bot.html)", ClassOther, "NobodyKnowsThisBot", "", "", ""},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/141.0.0.0 Safari/537.36", ClassAutomation, "Google", DeviceDesktop, "HeadlessChrome", "Linux"},
	} {
		a := ParseAgent(c.text)
		if a.Class != c.class || a.Operator != c.operator || a.Device != c.device || a.Browser != c.browser || a.OS != c.os {
			t.Errorf("%s\n got  %q %q %q %q %q\n want %q %q %q %q %q", c.text, a.Class, a.Operator, a.Device, a.Browser, a.OS, c.class, c.operator, c.device, c.browser, c.os)
		}
	}
}

func TestHintsContradict(t *testing.T) {
	brands := func(version string) string {
		return `"Google Chrome";v="` + version + `", "Chromium";v="` + version + `", "Not?A_Brand";v="24"`
	}
	for _, c := range []struct {
		what, agent string
		hints       Hints
		want        bool
	}{
		{"what Chrome sends", chromeWindows, Hints{true, brands("141"), `"Windows"`, "cross-site", "de"}, false},
		{"nothing, in the clear", chromeWindows, Hints{}, false},
		{"a proxy strips the brands", chromeWindows, Hints{Secure: true, FetchSite: "cross-site", Languages: "de"}, false},
		{"a proxy strips all hints", chromeWindows, Hints{Secure: true, Languages: "de"}, false},
		{"an old Chrome sends none", strings.Replace(chromeWindows, "141", "70", 1), Hints{Secure: true}, false},
		{"none of what Chrome always sends", chromeWindows, Hints{Secure: true}, true},
		{"another version", chromeWindows, Hints{true, brands("120"), `"Windows"`, "cross-site", "de"}, true},
		{"another system", chromeWindows, Hints{true, brands("141"), `"Linux"`, "cross-site", "de"}, true},
		{"a headless browser", chromeWindows, Hints{Secure: true, Brands: `"HeadlessChrome";v="141", "Chromium";v="141"`}, true},
		{"Firefox has no brands", firefoxMac, Hints{Brands: brands("141")}, true},
		{"Firefox", firefoxMac, Hints{Secure: true, FetchSite: "cross-site"}, false},
		{"Safari on a phone", safariPhone, Hints{Secure: true}, false},
		{"a phone that asks for desktop pages", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36", Hints{true, brands("141"), `"Android"`, "none", "de"}, false},
	} {
		if got := c.hints.Contradicts(ParseAgent(c.agent)); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

// What is asked for stays, whatever else passes through, and a key may be of
// memory that is used again.
func TestCacheIsBounded(t *testing.T) {
	c := newCache[string, int](64 * cacheShards)
	c.put("kept", 1)
	for i := range 10_000 {
		if i%8 == 0 {
			if v, ok := c.get("kept"); !ok || v != 1 {
				t.Fatalf("after %d: %v %v", i, v, ok)
			}
		}
		c.put(strings.Repeat("x", i%50)+string(rune('a'+i%26))+string(rune(i)), i)
	}
	n := 0
	for i := range c.shards {
		n += len(c.shards[i].young) + len(c.shards[i].old)
	}
	if n > 64*cacheShards {
		t.Errorf("%d entries", n)
	}
}

func FuzzParseAgent(f *testing.F) {
	for _, text := range []string{"", chromeWindows, safariPhone, "Googlebot/2.1", "\xff\x00", "\xff/1 CFNetwork/1 Darwin/20", strings.Repeat("bot ", 200)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		agents := NewAgents()
		first := *agents.Parse(text)
		if second := agents.Parse(strings.Clone(text)); *second != first {
			t.Errorf("%q: %+v, then %+v", text, first, *second)
		}
		for _, text := range []string{first.Browser, first.OS, first.Device, first.Class, first.Operator} {
			if !utf8.ValidString(text) {
				t.Errorf("%q is not UTF-8", text)
			}
		}
	})
}

func BenchmarkAgents(b *testing.B) {
	b.Run("hit", func(b *testing.B) {
		agents := NewAgents()
		b.ReportAllocs()
		for b.Loop() {
			agents.Parse(chromeWindows)
		}
	})
	for name, text := range map[string]string{"chrome": chromeWindows, "phone": safariPhone, "robot": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "hostile": hostile()} {
		b.Run("miss/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ParseAgent(text)
			}
		})
	}
}

// hostile is an agent of those literals for which most patterns must be run.
func hostile() string {
	l := loadLists()
	patternsOf := map[string]int{}
	for _, p := range []*patterns{l.devices, l.browsers, l.systems} {
		for _, needles := range p.index {
			for _, n := range needles {
				patternsOf[n.text]++
			}
		}
	}
	literals := slices.SortedFunc(maps.Keys(patternsOf), func(a, b string) int {
		return cmp.Or(cmp.Compare(float64(patternsOf[b])/float64(len(b)), float64(patternsOf[a])/float64(len(a))), cmp.Compare(a, b))
	})
	text := ""
	for _, literal := range literals {
		tries := 1 << 20
		if more := text + literal + "  "; len(more) <= maxAgent && l.crawlers.first(more, nil, &tries) < 0 {
			text = more
		}
	}
	return text
}
