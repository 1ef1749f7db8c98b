package demo

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/readership/readership/internal/enrich"
)

// reader is one simulated person's device. All of it follows from its number.
type reader struct {
	device  string
	account string // "" if never signed in
	agent   *enrich.Agent
	place   enrich.Place
	lang    string
	loyal   bool
}

// regulars is how many readers come back; the rest come once.
const regulars = 18_000

// regular makes the reader with a number. The lower the number, the more often
// the reader comes, so the first ones are the loyal ones.
func regular(seed uint64, number int) reader {
	r := someone(rand.New(rand.NewPCG(seed+1, uint64(number))))
	r.loyal = number < regulars/10
	if r.loyal && number%3 == 0 || number%25 == 0 {
		r.account = fmt.Sprintf("reader-%d", number)
	}
	return r
}

// agents are what readers' browsers send; what follows from them is in platforms.
var (
	agents = []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
		"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
		"Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
	}
	agentWeights = []float64{29, 24, 6, 14, 8, 8, 5, 6}

	// robotAgents are what the robots send.
	robotAgents = []string{
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ChatGPT-User/1.0; +https://openai.com/bot)",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)",
		"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
		"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
	}
	robotWeights = []float64{30, 12, 18, 9, 12, 5, 6, 8}
)

// platforms and robots are what follows from agents and robotAgents.
var (
	platforms = sync.OnceValue(func() []*enrich.Agent { return parsed(agents) })
	robots    = sync.OnceValue(func() []*enrich.Agent { return parsed(robotAgents) })
)

func parsed(agents []string) []*enrich.Agent {
	out := make([]*enrich.Agent, len(agents))
	for i, text := range agents {
		out[i] = enrich.ParseAgent(text)
	}
	return out
}

// homes are where readers live.
var (
	homes = []struct {
		language string
		place    enrich.Place
	}{
		{"de", enrich.Place{Country: "DE", Region: "DE-HH", City: "Hamburg"}}, {"de", enrich.Place{Country: "DE", Region: "DE-HB", City: "Bremen"}},
		{"de", enrich.Place{Country: "DE", Region: "DE-BE", City: "Berlin"}}, {"de", enrich.Place{Country: "DE", Region: "DE-BY", City: "Munich"}},
		{"en", enrich.Place{Country: "GB", Region: "GB-ENG", City: "London"}}, {"de", enrich.Place{Country: "AT", Region: "AT-9", City: "Vienna"}},
		{"de", enrich.Place{Country: "CH", Region: "CH-ZH", City: "Zurich"}}, {"en", enrich.Place{Country: "US", Region: "US-NY", City: "New York"}},
		{"nl", enrich.Place{Country: "NL", Region: "NL-NH", City: "Amsterdam"}}, {"fr", enrich.Place{Country: "FR", Region: "FR-IDF", City: "Paris"}},
		{"sv", enrich.Place{Country: "SE", Region: "SE-AB", City: "Stockholm"}}, {"pl", enrich.Place{Country: "PL", Region: "PL-22", City: "Gdańsk"}},
		{"es", enrich.Place{Country: "ES", Region: "ES-CT", City: "Barcelona"}}, {"pt", enrich.Place{Country: "BR", Region: "BR-SP", City: "São Paulo"}},
		{"en", enrich.Place{Country: "IN", Region: "IN-MH", City: "Mumbai"}},
	}
	homeWeights = []float64{24, 10, 11, 7, 9, 8, 7, 6, 4, 3, 3, 2.5, 2, 2, 1.5}
)

// someone draws a reader.
func someone(rng *rand.Rand) reader {
	agent := platforms()[weighted(rng, agentWeights)]
	home := &homes[weighted(rng, homeWeights)]
	return reader{device: fmt.Sprintf("%016x", rng.Uint64()), agent: agent, place: home.place, lang: home.language}
}

// somebot draws a robot.
func somebot(rng *rand.Rand) reader {
	i := weighted(rng, robotWeights)
	return reader{device: fmt.Sprintf("~robot-%d-%d", i, rng.IntN(20)), agent: robots()[i], place: enrich.Place{Country: "US"}}
}

// source is where a visit comes from.
type source struct {
	channel   string
	referrers []string
	hosts     []string
	campaign  [3]string // utm_source, utm_medium, utm_campaign
	home      float64   // share that lands on the front page
	fresh     bool      // lands on what is new
}

var sources = []source{
	{channel: "direct", home: 0.62, fresh: true},
	{channel: "search", referrers: []string{"https://www.google.com/", "https://www.google.com/", "https://www.google.com/", "https://www.bing.com/", "https://duckduckgo.com/"},
		hosts: []string{"google.com", "google.com", "google.com", "bing.com", "duckduckgo.com"}, home: 0.12},
	{channel: "social", referrers: []string{"https://www.facebook.com/", "https://t.co/", "https://www.reddit.com/r/news", "https://bsky.app/"},
		hosts: []string{"facebook.com", "t.co", "reddit.com", "bsky.app"}, home: 0.02, fresh: true},
	{channel: "newsletter", campaign: [3]string{"morning-post", "email", "daily"}, home: 0.05, fresh: true},
	{channel: "referral", referrers: []string{"https://apple.news/", "https://ground.news/", "https://en.wikipedia.org/", "https://townblog.example/"},
		hosts: []string{"apple.news", "ground.news", "en.wikipedia.org", "townblog.example"}, home: 0.05, fresh: true},
	{channel: "ai_assistant", referrers: []string{"https://www.perplexity.ai/", "https://chatgpt.com/"}, hosts: []string{"perplexity.ai", "chatgpt.com"}},
	{channel: "campaign", campaign: [3]string{"trial-autumn", "poster", "four-weeks"}, home: 0.3},
	{channel: "paid", campaign: [3]string{"google", "cpc", "four-weeks"}, home: 0.3},
}

// Weights of the sources for people who come back and for others.
var (
	regularSources = []float64{52, 14, 8, 14, 7, 2, 2, 1}
	passerbySource = []float64{10, 45, 23, 1, 12, 4, 2, 3}
)
