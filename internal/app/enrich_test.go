package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const googlebot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

// What a request is known to be goes the whole way: into decisions, stored rows,
// the ledger and questions.
func TestRobotsFromRequestToQuestion(t *testing.T) {
	ranges := t.TempDir()
	for name, content := range map[string]string{"google.json": `{"prefixes":[{"ipv4Prefix":"66.249.64.0/19"}]}`, "openai.gptbot.json": `{"prefixes":[{"ipv4Prefix":"132.196.86.0/24"}]}`} {
		if err := os.WriteFile(filepath.Join(ranges, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := openNewsroom(t, Config{CrawlerRanges: ranges}, `,"trusted_proxies":["127.0.0.1"]`)
	s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": `
access robots (deadline: 10s) {
  allow  crawler if bot.verified and bot.class == "search"
  charge learn   if bot.class == "ai_training" and bot.operator == "OpenAI" price 0.002 EUR
  deny   liar    if bot.class == "search"
  allow  paid    if request.channel == "paid"
  allow  phone   if request.device_class == "mobile"
  deny   all     offers plans
}`}}))
	const phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
	const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
	for _, c := range []struct{ agent, address, url, clause string }{
		{googlebot, "66.249.66.1", "https://news.example/a", "crawler"},
		{googlebot, "192.0.2.1", "https://news.example/a", "liar"},
		{"GPTBot/1.2", "132.196.86.9", "https://news.example/a", "learn"},
		{phone, "66.249.66.1", "https://news.example/a", "phone"},
		{chrome, "192.0.2.1", "https://news.example/a?gclid=x", "paid"},
		{chrome, "192.0.2.1", "https://news.example/a", "all"},
	} {
		v := s.want(200, "POST", "/v1/sites/news/decisions", s.writeKey, asJSON(map[string]any{"access": "robots", "request": map[string]any{"url": c.url}, "commit": false}),
			"User-Agent: "+c.agent, "X-Forwarded-For: "+c.address).json(t)
		if v["clause"] != c.clause {
			t.Errorf("%s from %s: %v, want %s", c.agent, c.address, v["clause"], c.clause)
		}
	}
	for _, agent := range []string{phone, phone, chrome, googlebot, "GPTBot/1.2"} {
		s.want(200, "POST", "/v1/events", s.writeKey, `{"type":"page_view","url":"https://news.example/a","referrer":"https://www.google.com/"}`, "User-Agent: "+agent)
	}
	ledger := s.want(200, "GET", "/v1/sites/news/ledger", rootKey, "").body
	for _, line := range []string{`{"verdict":"stored","reason":"","count":3}`, `{"verdict":"bot","reason":"search","count":1}`, `{"verdict":"bot","reason":"ai_training","count":1}`, `"total":5`} {
		if !strings.Contains(ledger, line) {
			t.Errorf("the ledger has no %s: %s", line, ledger)
		}
	}
	for question, want := range map[string]string{
		`{"metrics":["page_views","visitors","events"],"date_range":"7d"}`:                                 `[[][3 2 5]]`,
		`{"metrics":["page_views"],"date_range":"7d","dimensions":["device_class"]}`:                       `[[mobile][2]][[desktop][1]]`,
		`{"metrics":["page_views"],"date_range":"7d","dimensions":["browser","os"]}`:                       `[[Mobile Safari iOS][2]][[Chrome Windows][1]]`,
		`{"metrics":["page_views"],"date_range":"7d","dimensions":["channel"]}`:                            `[[search][3]]`,
		`{"metrics":["page_views"],"date_range":"7d","dimensions":["bot_class","bot_operator"]}`:           `[[(none) (none)][3]][[ai_training OpenAI][1]][[search Google][1]]`,
		`{"metrics":["page_views"],"date_range":"7d","filters":[["is","bot_class",["search"]]]}`:           `[[][1]]`,
		`{"metrics":["events"],"date_range":"7d","dimensions":["bot_operator"],"limit":1,"offset":1}`:      `[[Google][1]]`,
		`{"metrics":["page_views"],"date_range":"7d","filters":[["contains","browser",["safari","ari"]]]}`: `[[][2]]`,
	} {
		var answer struct {
			Results []struct {
				Dimensions []string
				Metrics    []float64
			}
		}
		body := s.want(200, "POST", "/v1/sites/news/query", rootKey, question).body
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range answer.Results {
			got += "[" + strings.ReplaceAll(asJSON(r.Dimensions)+asJSON(r.Metrics), `","`, " ") + "]"
		}
		got = strings.NewReplacer(`"`, "", ",", " ", "null", "[]").Replace(got)
		if got != want {
			t.Errorf("%s: %s, want %s", question, got, want)
		}
	}
}

// A visit without consent that is open over midnight is one visit of one visitor,
// also if the process starts anew in between.
func TestCookielessVisitsOverMidnightAndARestart(t *testing.T) {
	folder := t.TempDir()
	s := openNewsroom(t, Config{Data: folder}, "")
	view := func(address string) {
		t.Helper()
		s.want(200, "POST", "/v1/events", s.writeKey, `{"type":"page_view","url":"https://news.example/a"}`, "User-Agent: Mozilla/5.0 "+address)
	}
	s.clock.advance(14*time.Hour + 20*time.Minute) // 23:20
	view("a")
	view("gone")
	s.clock.advance(25 * time.Minute)
	view("a")
	s.stop()
	s.clock.advance(30 * time.Minute)
	n, stop := up(t, Config{Data: folder, Now: s.clock.now})
	defer stop()
	s.address, s.node = "http://"+n.front.listener.Addr().String(), n
	view("a")    // 00:15
	view("gone") // a new visit
	s.clock.advance(29 * time.Minute)
	view("a")
	s.clock.advance(31 * time.Minute)
	view("a") // a new visit
	answer := s.want(200, "POST", "/v1/sites/news/query", rootKey, `{"metrics":["page_views","visitors","visits"],"date_range":"2d"}`).body
	if !strings.Contains(answer, `"metrics":[7,4,4]`) {
		t.Errorf("%s, want 7 page views, 4 visitors and 4 visits", answer)
	}
}
