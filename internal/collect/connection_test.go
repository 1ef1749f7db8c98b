package collect

import (
	"testing"

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
