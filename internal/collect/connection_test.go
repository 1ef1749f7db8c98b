package collect

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/readership/readership/internal/enrich"
	"github.com/readership/readership/internal/event"
)

// What follows from the agent of a connection, and of a line of an import.
func TestConnectionColumns(t *testing.T) {
	const (
		chrome    = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
		googlebot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
		headless  = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/141.0.0.0 Safari/537.36"
		library   = "python-requests/2.32"
	)
	w := newWorld(t)
	const view = `{"type":"page_view","url":"https://news.example/a","device":"d1"`
	page := func(remote string, h headers) event.Event {
		t.Helper()
		w.do(call{query: "key=w-news", remote: remote, headers: h, body: view + "}"})
		return w.stored()
	}
	for _, c := range []struct {
		what                     string
		ev                       event.Event
		class, operator, browser string
	}{
		{"a browser", page("", headers{"User-Agent": chrome}), "", "", "Chrome"},
		{"no agent", page("", headers{}), "", "", ""},
		{"a robot", page("", headers{"User-Agent": googlebot}), "search", "Google", ""},
		{"a driven browser", page("", headers{"User-Agent": headless}), "automation", "Google", "HeadlessChrome"},
		{"a driven browser on this machine", page("127.0.0.1", headers{"User-Agent": headless}), "", "", "HeadlessChrome"},
		{"a program that tells of a reader", page("", headers{"User-Agent": library}), "", "", ""},
		{"contradictory headers", page("", headers{"User-Agent": chrome, "Sec-CH-UA-Platform": `"Linux"`}), "suspect", "", "Chrome"},
		{"contradictory behind TLS", page("10.0.0.1", headers{"User-Agent": chrome, "X-Forwarded-Proto": "https"}), "suspect", "", "Chrome"},
	} {
		col := &c.ev.Columns
		if col[event.ColBotClass] != c.class || col[event.ColBotOperator] != c.operator || col[event.ColBrowser] != c.browser {
			t.Errorf("%s: %q %q %q", c.what, col[event.ColBotClass], col[event.ColBotOperator], col[event.ColBrowser])
		}
		if robot := c.ev.Flags&event.FlagRobot != 0; robot != (c.class != "") {
			t.Errorf("%s: robot %v", c.what, robot)
		}
	}

	for _, c := range []struct{ agent, class, device string }{{chrome, "", "desktop"}, {googlebot, "search", ""}, {library, "library", ""}, {"", "", ""}} {
		w.imports("news", view+`,"user_agent":"`+c.agent+`"}`)
		ev := w.stored()
		if ev.Columns[event.ColBotClass] != c.class || ev.Columns[event.ColDeviceClass] != c.device || (ev.Flags&event.FlagRobot != 0) != (c.class != "") {
			t.Errorf("import of %q: %q %q", c.agent, ev.Columns[event.ColBotClass], ev.Columns[event.ColDeviceClass])
		}
	}
}

// The page that is asked about belongs to who asks, library or not.
func TestDescribeARobot(t *testing.T) {
	w := newWorld(t)
	site := w.sites["news"]
	for _, c := range []struct {
		agent string
		fetch bool
		want  string
	}{{"GPTBot/1.2", false, "ai_training"}, {"curl/8.5.0", false, ""}, {"curl/8.5.0", true, "library"}} {
		v := w.c.Visitor(site, &Request{Header: headers{"User-Agent": c.agent}, Fetch: c.fetch})
		var columns [event.NumColumns]string
		if fault := w.c.Describe(site, &Page{URL: "https://news.example/a", Visitor: &v}, &columns); fault != nil {
			t.Fatal(fault)
		}
		if got := columns[event.ColBotClass]; got != c.want {
			t.Errorf("%s: %q, want %q", c.agent, got, c.want)
		}
	}
}

// Channels follow from referrer, campaign and click id, by the site's rules and
// then the default ones.
func TestChannelColumn(t *testing.T) {
	w := newWorld(t)
	w.sites["news"].Channels = []event.ChannelRule{{Channel: "partner", ReferrerHost: []string{"partner.example"}, UTMCampaign: []string{"spring*"}}}
	for _, c := range []struct{ url, referrer, want string }{
		{"https://news.example/a", "", "direct"},
		{"https://news.example/a", "https://www.google.com/", "search"},
		{"https://news.example/a", "https://other.example/b", "internal"},
		{"https://news.example/a", "https://www.news.example/b", "internal"},
		{"https://news.example/a?GCLID=1&gclid=x", "https://www.google.com/", "paid"},
		{"https://news.example/a?utm_source=x&utm_medium=email", "", "newsletter"},
		{"https://news.example/a?x=utm_source", "https://blog.example/", "referral"},
		{"https://news.example/a?utm_campaign=Spring-2026", "https://www.partner.example/x", "partner"},
		{"https://news.example/a?utm_campaign=autumn", "https://www.partner.example/x", "campaign"},
		{"https://news.example/a", "https://chatgpt.com/", "ai_assistant"},
		{"https://news.example/a", "android-app://com.google.android.gm/", "newsletter"},
	} {
		w.send(`{"type":"page_view","url":"` + c.url + `","referrer":"` + c.referrer + `"}`)
		if got := w.stored(); got.Columns[event.ColChannel] != c.want {
			t.Errorf("%s from %s: %q, want %q", c.url, c.referrer, got.Columns[event.ColChannel], c.want)
		}
	}
	w.send(`{"type":"page_view","item":"a1"}`)
	if got := w.stored(); got.Columns[event.ColChannel] != "" {
		t.Errorf("without a page: %q", got.Columns[event.ColChannel])
	}
	w.do(call{query: "key=w-open", body: `{"type":"page_view","url":"https://any.example/a","referrer":"https://any.example/"}`})
	if got := w.stored(); got.Columns[event.ColChannel] != "internal" {
		t.Errorf("a site without domains: %q", got.Columns[event.ColChannel])
	}
}

// Places follow from the address of the connection, behind a trusted proxy the
// browser's, and from the ip of an import.
func TestPlaceColumns(t *testing.T) {
	folder := os.Getenv("READERSHIP_SHARED")
	if folder == "" {
		folder = "../../../shared"
	}
	file := filepath.Join(folder, "data", "fx-maxmind", "test-data", "GeoIP2-City-Test.mmdb")
	if _, err := os.Stat(file); err != nil {
		t.Skipf("real data is absent: %v", err)
	}
	w := newWorld(t)
	w.c.enrich.Geo = enrich.NewGeo(file, slog.New(slog.DiscardHandler))
	place := func(ev event.Event) string {
		return ev.Columns[event.ColCountry] + " " + ev.Columns[event.ColRegion] + " " + ev.Columns[event.ColCity]
	}
	for _, c := range []struct{ remote, forwarded, want string }{
		{"81.2.69.142", "", "GB GB-ENG London"},
		{"10.0.0.1", "89.160.20.112", "SE SE-E Linköping"},
		{"81.2.69.142", "89.160.20.112", "GB GB-ENG London"}, // not from a proxy that is trusted
		{"192.0.2.7", "", "  "},
	} {
		w.do(call{query: "key=w-news", remote: c.remote, headers: headers{"X-Forwarded-For": c.forwarded}, body: `{"type":"page_view","url":"https://news.example/a"}`})
		if got := place(w.stored()); got != c.want {
			t.Errorf("%s for %s: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
	w.imports("news", `{"type":"page_view","url":"https://news.example/a","device":"d1","ip":"216.160.83.56"}`)
	if got := place(w.stored()); got != "US US-WA Milton" {
		t.Errorf("import: %s", got)
	}
	all, none := w.sites["news"], *w.sites["news"]
	none.Privacy.IP = "none"
	w.sites["news"] = &none
	w.imports("news", `{"type":"page_view","url":"https://news.example/a","device":"d1","ip":"216.160.83.56"}`)
	if got := place(w.stored()); got != "  " {
		t.Errorf("a site that uses no addresses: %s", got)
	}
	w.sites["news"] = all
	w.imports("news", `{"type":"page_view","url":"https://news.example/a","device":"d1","ip":"nowhere"}`)
	if got := place(w.stored()); got != "  " {
		t.Errorf("import without an address: %s", got)
	}
	var columns [event.NumColumns]string
	if fault := w.c.Describe(w.sites["news"], &Page{URL: "https://news.example/a", Address: netip.MustParseAddr("81.2.69.142")}, &columns); fault != nil || columns[event.ColCountry] != "GB" {
		t.Errorf("%v, %q", fault, columns[event.ColCountry])
	}
}
