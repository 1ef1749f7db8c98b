package demo

import (
	"fmt"
	"math/rand/v2"
)

// reader is one simulated person's device. All of it follows from its number.
type reader struct {
	device  string
	account string // "" if never signed in
	class   string
	browser string
	os      string
	country string
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

type platform struct{ class, os, browser string }

var (
	platforms = []platform{
		{"mobile", "iOS", "Mobile Safari"}, {"mobile", "Android", "Chrome Mobile"}, {"mobile", "Android", "Samsung Internet"},
		{"desktop", "Windows", "Chrome"}, {"desktop", "Windows", "Edge"}, {"desktop", "macOS", "Safari"}, {"desktop", "Linux", "Firefox"},
		{"tablet", "iOS", "Mobile Safari"},
	}
	platformWeights = []float64{29, 24, 6, 14, 8, 8, 5, 6}

	countries      = []string{"DE", "GB", "AT", "CH", "US", "NL", "FR", "SE", "PL", "ES", "BR", "IN"}
	countryWeights = []float64{52, 9, 8, 7, 6, 4, 3, 3, 2.5, 2, 2, 1.5}
	languages      = map[string]string{"DE": "de", "AT": "de", "CH": "de", "GB": "en", "US": "en", "NL": "nl", "FR": "fr", "SE": "sv", "PL": "pl", "ES": "es", "BR": "pt", "IN": "en"}
)

// someone draws a reader.
func someone(rng *rand.Rand) reader {
	p := platforms[weighted(rng, platformWeights)]
	country := countries[weighted(rng, countryWeights)]
	return reader{device: fmt.Sprintf("%016x", rng.Uint64()), class: p.class, os: p.os, browser: p.browser, country: country, lang: languages[country]}
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
	{channel: "referral", referrers: []string{"https://news.google.com/", "https://www.flipboard.com/", "https://en.wikipedia.org/", "https://townblog.example/"},
		hosts: []string{"news.google.com", "flipboard.com", "en.wikipedia.org", "townblog.example"}, home: 0.05, fresh: true},
	{channel: "ai_assistant", referrers: []string{"https://www.perplexity.ai/", "https://chatgpt.com/"}, hosts: []string{"perplexity.ai", "chatgpt.com"}},
	{channel: "campaign", campaign: [3]string{"trial-autumn", "cpc", "four-weeks"}, home: 0.3},
}

// Weights of the sources for people who come back and for others.
var (
	regularSources = []float64{52, 14, 8, 14, 7, 2, 3}
	passerbySource = []float64{10, 45, 23, 1, 12, 4, 5}
)
