package enrich

import (
	_ "embed"
	"encoding/json"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// The classes of robots.
const (
	ClassSearch      = "search"       // indexes pages for a search engine
	ClassAITraining  = "ai_training"  // gathers texts that models learn from
	ClassAISearch    = "ai_search"    // indexes pages for answers of a model
	ClassAIAssistant = "ai_assistant" // fetches a page because a person asks
	ClassSocial      = "social"       // unfurls links
	ClassSEO         = "seo"
	ClassMonitor     = "monitor"
	ClassFeed        = "feed"
	ClassArchive     = "archive"
	ClassSecurity    = "security"
	ClassAds         = "ads"
	ClassResearch    = "research"
	ClassAutomation  = "automation" // a browser that a program drives
	ClassLibrary     = "library"    // an HTTP library
	ClassSuspect     = "suspect"    // headers that contradict the agent
	ClassOther       = "other"
)

// tagClasses are the classes of the tags of crawler-user-agents; the first that
// a robot has counts.
var tagClasses = []struct{ tag, class string }{
	{"search-engine", ClassSearch}, {"social-preview", ClassSocial}, {"archiver", ClassArchive}, {"academic", ClassResearch},
	{"monitoring", ClassMonitor}, {"feed-reader", ClassFeed}, {"scanner", ClassSecurity}, {"advertising", ClassAds},
	{"browser-automation", ClassAutomation}, {"http-library", ClassLibrary}, {"seo", ClassSEO},
}

// aiTag marks the robots of models. The list does not say what they fetch for:
// aiClasses does for those that say so themselves; of the others those that are
// also search engines index for answers, and the rest is taken to train.
const aiTag = "ai-crawler"

var aiClasses = map[string]string{
	"ChatGPT-User": ClassAIAssistant, "Claude-User": ClassAIAssistant, "Perplexity-User": ClassAIAssistant, "PerplexityUser": ClassAIAssistant,
	"MistralAI-User": ClassAIAssistant, "Amzn-User": ClassAIAssistant, "DuckAssistBot": ClassAIAssistant, "Google-NotebookLM": ClassAIAssistant,
	"Gemini-Deep-Research": ClassAIAssistant, "kagi-fetcher": ClassAIAssistant, "linkReader\\/": ClassAIAssistant, "Devin": ClassAIAssistant,
	"ShapBot": ClassAIAssistant, "meta-externalfetcher": ClassAIAssistant,
	"Amzn-SearchBot": ClassAISearch, "Anomura": ClassAISearch, "atlassian-bot": ClassAISearch, "AzureAI-SearchBot": ClassAISearch,
	"Cloudflare-AutoRAG": ClassAISearch, "LinkupBot": ClassAISearch, "PhindBot": ClassAISearch, "TavilyBot": ClassAISearch,
	"ZanistaBot": ClassAISearch, "Aranet-SearchBot": ClassAISearch, "iaskspider": ClassAISearch, "bigsur\\.ai": ClassAISearch,
	"AI2Bot": ClassAITraining, "meta-externalagent\\/": ClassAITraining, "TikTokSpider": ClassAITraining,
}

// notRobots are patterns of the list that people's browsers match too.
var notRobots = map[string]string{
	"AP3A\\.240617\\.008": "the build of Android 15 on phones that are sold",
}

// operators are who runs the robots of a domain, or those whose pattern begins
// with a name. A robot of a domain that is not here is run by the domain.
var operators = map[string]string{
	"google.com": "Google", "bing.com": "Microsoft", "msn.com": "Microsoft", "microsoft.com": "Microsoft", "openai.com": "OpenAI",
	"anthropic.com": "Anthropic", "perplexity.ai": "Perplexity", "apple.com": "Apple", "amazon.com": "Amazon", "facebook.com": "Meta",
	"yandex.ru": "Yandex", "yandex.com": "Yandex", "baidu.com": "Baidu", "baidu.jp": "Baidu", "duckduckgo.com": "DuckDuckGo", "yahoo.com": "Yahoo",
	"naver.com": "Naver", "naver.me": "Naver", "sogou.com": "Sogou", "seznam.cz": "Seznam", "qwant.com": "Qwant", "commoncrawl.org": "Common Crawl",
	"archive.org": "Internet Archive", "semrush.com": "Semrush", "ahrefs.com": "Ahrefs", "slack.com": "Slack", "twitter.com": "X", "x.com": "X",
	"pinterest.com": "Pinterest", "cloudflare.com": "Cloudflare", "linkedin.com": "LinkedIn", "huawei.com": "Huawei", "aspiegel.com": "Huawei",
	"petalsearch.com": "Huawei", "mojeek.com": "Mojeek", "w3.org": "W3C", "kagi.com": "Kagi", "mail.ru": "Mail.Ru", "daum.net": "Daum", "atlassian.com": "Atlassian",
	"datadoghq.com": "Datadog", "flipboard.com": "Flipboard", "snapchat.com": "Snap", "deepseek.com": "DeepSeek", "chatglm.cn": "Zhipu AI",
}

var operatorNames = []struct{ begin, operator string }{
	{"Google", "Google"}, {"AdsBot-Google", "Google"}, {"Mediapartners-Google", "Google"}, {"FeedFetcher-Google", "Google"}, {"APIs-Google", "Google"},
	{"AppEngine-Google", "Google"}, {"DuplexWeb-Google", "Google"}, {"Gemini-", "Google"}, {"Storebot-Google", "Google"}, {"Chrome-Lighthouse", "Google"},
	{"bingbot", "Microsoft"}, {"BingPreview", "Microsoft"}, {"msnbot", "Microsoft"}, {"msrbot", "Microsoft"}, {"adidxbot", "Microsoft"}, {"AzureAI", "Microsoft"},
	{"SkypeUriPreview", "Microsoft"}, {"MicrosoftPreview", "Microsoft"}, {"GPTBot", "OpenAI"}, {"ChatGPT", "OpenAI"}, {"OAI-", "OpenAI"},
	{"Claude", "Anthropic"}, {"[cC]laude", "Anthropic"}, {"anthropic", "Anthropic"}, {"Perplexity", "Perplexity"}, {"MistralAI", "Mistral AI"}, {"cohere", "Cohere"},
	{"Amzn", "Amazon"}, {"Amazon", "Amazon"}, {"KendraBot", "Amazon"}, {"Applebot", "Apple"}, {"iTMS", "Apple"}, {"facebook", "Meta"}, {"Facebot", "Meta"}, {"FacebookBot", "Meta"}, {"meta-", "Meta"},
	{"WhatsApp", "Meta"}, {"Instagram", "Meta"}, {"Bytespider", "ByteDance"}, {"TikTok", "ByteDance"}, {"imageSpider", "ByteDance"}, {"Yandex", "Yandex"}, {"yandex", "Yandex"}, {"[yY]andex", "Yandex"},
	{"Baidu", "Baidu"}, {"baidu", "Baidu"}, {"Duck", "DuckDuckGo"}, {"Slurp", "Yahoo"}, {"Yahoo", "Yahoo"}, {"Sogou", "Sogou"}, {"SeznamBot", "Seznam"},
	{"Qwantify", "Qwant"}, {"CCBot", "Common Crawl"}, {"ia_archiver", "Internet Archive"}, {"Semrush", "Semrush"}, {"SemrushBot", "Semrush"},
	{"Ahrefs", "Ahrefs"}, {"MJ12bot", "Majestic"}, {"dotbot", "Moz"}, {"DotBot", "Moz"}, {"rogerbot", "Moz"}, {"LinkedInBot", "LinkedIn"}, {"Twitterbot", "X"},
	{"TelegramBot", "Telegram"}, {"Discordbot", "Discord"}, {"Slack", "Slack"}, {"Pinterest", "Pinterest"}, {"PetalBot", "Huawei"}, {"AspiegelBot", "Huawei"},
	{"Mail\\.RU", "Mail.Ru"}, {"VKRobot", "VK"}, {"vkShare", "VK"}, {"YisouSpider", "Shenma"}, {"MojeekBot", "Mojeek"}, {"Mastodon", "Mastodon"}, {"Siteimprove", "Siteimprove"},
	{"AI2Bot", "Allen Institute for AI"}, {"HubSpot", "HubSpot"},
}

// libraries are the beginnings of agents of HTTP libraries that uap-core counts
// among the robots.
var libraries = []string{"Java", "WinHTTP", "Google-HTTP-Java-Client", "Python-urllib"}

// describe are sites that describe or host the robots of others: their domain
// does not say who runs one.
var describe = map[string]bool{"datadome.co": true, "knownagents.com": true, "github.com": true, "useragentstring.com": true, "useragents.io": true,
	"udger.com": true, "stackoverflow.com": true, "conman.org": true, "sourceforge.net": true, "wikipedia.org": true, "npmjs.com": true, "pypi.org": true,
	"youtube.com": true, "nerdydata.com": true, "whatismybrowser.com": true, "user-agents.net": true, "distilnetworks.com": true, "botreports.com": true}

// crawlersJSON is the list of crawler-user-agents (MIT), without its examples;
// internal/enrich/generate makes it.
//
//go:embed crawlers.json
var crawlersJSON []byte

// crawler is one entry of crawlersJSON.
type crawler struct {
	Pattern string   `json:"pattern"`
	URL     string   `json:"url,omitempty"`
	Tags    []string `json:"tags"`
}

// loadCrawlers reads the list of robots.
func (l *lists) loadCrawlers() {
	var list []crawler
	if err := json.Unmarshal(crawlersJSON, &list); err != nil {
		panic("enrich: the list of robots is malformed: " + err.Error())
	}
	exprs := make([]string, 0, len(list))
	for _, c := range list {
		if _, browsers := notRobots[c.Pattern]; browsers {
			continue
		}
		exprs = append(exprs, bounded(c.Pattern))
		l.classes = append(l.classes, c.class())
		l.operators = append(l.operators, c.operator())
	}
	l.crawlers = newPatterns(exprs)
}

// bounded lets a pattern that begins with a letter or digit match at the start
// of a word only: "RED/" is no part of "WIRED/".
func bounded(pattern string) string {
	if first := pattern[0] | 0x20; first-'a' < 26 || pattern[0]-'0' < 10 {
		return `(?:^|[^0-9A-Za-z])(?:` + pattern + `)`
	}
	return pattern
}

func (c *crawler) has(tag string) bool {
	for _, t := range c.Tags {
		if t == tag {
			return true
		}
	}
	return false
}

func (c *crawler) class() string {
	if class, ok := aiClasses[c.Pattern]; ok {
		return class
	}
	switch {
	case c.has(aiTag) && c.has("search-engine"):
		return ClassAISearch
	case c.has(aiTag):
		return ClassAITraining
	}
	for _, t := range tagClasses {
		if c.has(t.tag) {
			return t.class
		}
	}
	return ClassOther
}

func (c *crawler) operator() string {
	if c.class() == ClassLibrary {
		return nameOf(c.Pattern) // whose program it is, it does not say
	}
	for _, n := range operatorNames {
		if strings.HasPrefix(c.Pattern, n.begin) {
			return n.operator
		}
	}
	if at, err := url.Parse(c.URL); err == nil && at.Hostname() != "" {
		domain, err := publicsuffix.EffectiveTLDPlusOne(at.Hostname())
		if name := operators[domain]; name != "" {
			return name
		}
		if err == nil && !describe[domain] {
			return domain
		}
	}
	return nameOf(c.Pattern)
}

// nameOf makes a name of a pattern: [pP]ingdom\/ is pingdom.
func nameOf(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '[': // the first of a class
			if end := strings.IndexByte(pattern[i:], ']'); end > 1 {
				b.WriteByte(pattern[i+1])
				i += end
			}
		case '\\':
		case '^', '$', '(', ')', '?', '*', '+', '|', '/':
			if b.Len() > 0 && c != '?' {
				return strings.TrimSpace(b.String())
			}
		default:
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String())
}

// spider says whether uap-core takes an agent for a robot's: the first device
// that matches is called so. Most agents match none that is.
func (l *lists) spider(text string, tries *int) bool {
	some := l.devices.first(text, func(i int) bool { return l.spiders[i] }, tries)
	return some >= 0 && l.devices.first(text, nil, tries) == some
}

// robot returns the class and operator of a robot, "" for what is none.
// Libraries and driven browsers are asked for last: many robots name theirs. What the
// list of robots does not know uap-core may.
func (l *lists) robot(text string, tries *int) (class, operator string) {
	i := l.crawlers.first(text, func(i int) bool { return l.classes[i] != ClassLibrary && l.classes[i] != ClassAutomation }, tries)
	if i < 0 {
		i = l.crawlers.first(text, nil, tries)
	}
	switch {
	case i >= 0:
		return l.classes[i], l.operators[i]
	case !l.spider(text, tries):
		return "", ""
	}
	for _, name := range libraries {
		if strings.HasPrefix(text, name) {
			return ClassLibrary, name
		}
	}
	if operator = l.browser(text, tries); strings.ContainsRune(operator, '/') {
		operator = "" // it is part of an address
	}
	return ClassOther, operator
}
