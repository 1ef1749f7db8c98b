package enrich

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

func TestDefaultChannels(t *testing.T) {
	c := NewChannels(nil)
	for _, x := range []struct {
		host, source, medium, campaign, click, want string
	}{
		{"", "", "", "", "", ChannelDirect},
		{"www.google.de", "", "", "", "", ChannelSearch},
		{"www.google.de", "", "", "", "gclid", ChannelPaid},
		{"www.google.de", "google", "cpc", "spring", "", ChannelPaid},
		{"maps.google.com", "", "", "", "", ChannelReferral},
		{"duckduckgo.com", "", "", "", "", ChannelSearch},
		{"t.co", "", "", "", "", ChannelSocial},
		{"l.facebook.com", "", "", "", "fbclid", ChannelSocial},
		{"", "", "", "", "fbclid", ChannelSocial},
		{"blog.example", "", "", "", "fbclid", ChannelReferral},
		{"", "", "", "", "msclkid", ChannelPaid},
		{"l.facebook.com", "facebook", "paid_social", "", "", ChannelPaid},
		{"", "morning", "email", "daily", "", ChannelNewsletter},
		{"", "Newsletter-morning", "", "", "", ChannelNewsletter},
		{"", "", "E-Mail", "", "", ChannelNewsletter},
		{"", "", "", "", "mc_eid", ChannelNewsletter},
		{"mail.google.com", "", "", "", "", ChannelNewsletter},
		{"", "partner", "", "", "", ChannelCampaign},
		{"www.google.de", "", "", "spring", "", ChannelCampaign},
		{"chatgpt.com", "", "", "", "", ChannelAIAssistant},
		{"", "chatgpt.com", "", "", "", ChannelAIAssistant},
		{"gemini.google.com", "", "", "", "", ChannelAIAssistant},
		{"www.perplexity.ai", "", "", "", "", ChannelAIAssistant},
		{"townblog.example", "", "", "", "", ChannelReferral},
		{"news.ycombinator.com", "", "", "", "", ChannelSocial},
	} {
		came := Came{Kind: KindOf(x.host), Host: x.host, Source: x.source, Medium: x.medium, Campaign: x.campaign, Clicks: c.Click(x.click)}
		if got := c.Of(&came); got != x.want {
			t.Errorf("%+v: %q", x, got)
		}
	}
	internal := Came{Kind: KindInternal, Host: "news.example"}
	if got := c.Of(&internal); got != ChannelInternal {
		t.Errorf("internal: %q", got)
	}
	came := Came{Kind: KindOf("www.google.co.uk"), Host: "www.google.co.uk"}
	if n := testing.AllocsPerRun(100, func() { came.Kind = KindOf(came.Host); c.Of(&came) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A site's rules stand before the default ones; all conditions of one must hold.
func TestRulesOfASite(t *testing.T) {
	c := NewChannels([]Rule{
		{Channel: "partner", ReferrerHost: []string{"Partner.example"}},
		{Channel: "app", UTMSource: []string{"APP*", "*-push"}, UTMMedium: []string{"*notif*"}},
		{Channel: "spring", ClickID: []string{"springid"}},
		{Channel: "referral", ReferrerHost: []string{"t.co"}},
	})
	for _, x := range []struct {
		came Came
		want string
	}{
		{Came{Kind: KindOther, Host: "www.partner.example"}, "partner"},
		{Came{Kind: KindOther, Host: "notpartner.example"}, ChannelReferral},
		{Came{Source: "app-ios", Medium: "PushNotification"}, "app"},
		{Came{Source: "web-push", Medium: "notif"}, "app"},
		{Came{Source: "app-ios"}, ChannelCampaign},
		{Came{Clicks: c.Click("springid")}, "spring"},
		{Came{Kind: KindSocial, Host: "t.co"}, ChannelReferral},
		{Came{}, ChannelDirect},
	} {
		if got := c.Of(&x.came); got != x.want {
			t.Errorf("%+v: %q, want %q", x.came, got, x.want)
		}
	}
}

func TestCheckRules(t *testing.T) {
	if faults := CheckRules(DefaultRules); len(faults) > 0 {
		t.Errorf("the default rules: %v", faults)
	}
	many := make([]string, maxClicks)
	for i := range many {
		many[i] = "click" + strings.Repeat("x", i)
	}
	got := CheckRules([]Rule{
		{Channel: "Paid Search"},
		{Channel: "a", ReferrerKind: []string{"search", "searches"}, ReferrerHost: []string{"https://x.example/", ""}},
		{Channel: "b", UTMSource: []string{"a*b", "*", "*a*"}, ClickID: many},
	})
	want := []Fault{
		{"", "there may be 64 names of click ids, the default ones included"},
		{"[0].channel", "must have 1 to 32 characters of a-z, 0-9 and _"},
		{"[1].referrer_kind[1]", "must be one of none, internal, search, social, ai_assistant, email, paid, other"},
		{"[1].referrer_host[0]", "must be a host, without scheme, port and path; it stands for those below it too"},
		{"[1].referrer_host[1]", "must have 1 to 200 bytes"},
		{"[2].utm_source[0]", "may have * at its start and its end only"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := CheckRules(make([]Rule, MaxRules+1)); len(got) != 1 || got[0].At != "" {
		t.Errorf("too many: %v", got)
	}
}

// Hosts of a list that we do not go by are of the kind that it says.
func TestReferrersOfAnotherList(t *testing.T) {
	simple := func(file string) (hosts []string) {
		var list map[string][]string
		if err := yaml.Unmarshal(shared(t, "fx-matomo-lists/"+file), &list); err != nil {
			t.Fatal(err)
		}
		for _, urls := range list {
			hosts = append(hosts, urls...)
		}
		return hosts
	}
	searches := func() (hosts []string) {
		var list map[string][]struct {
			URLs []string `yaml:"urls"`
		}
		if err := yaml.Unmarshal(shared(t, "fx-matomo-lists/SearchEngines.yml"), &list); err != nil {
			t.Fatal(err)
		}
		for _, engines := range list {
			for _, e := range engines {
				hosts = append(hosts, e.URLs...)
			}
		}
		return hosts
	}
	for _, c := range []struct {
		name  string
		hosts []string
		kind  Kind
		least float64
	}{
		{"search engines", searches(), KindSearch, 60}, {"social networks", simple("Socials.yml"), KindSocial, 50}, {"AI assistants", simple("AIAssistants.yml"), KindAI, 70},
	} {
		all, same, other := 0, 0, map[Kind]int{}
		for _, host := range c.hosts {
			host, _, _ = strings.Cut(strings.ToLower(host), "/")
			host = strings.ReplaceAll(host, "{}", "de") // any top-level domain
			all++
			if kind := KindOf(host); kind == c.kind {
				same++
			} else {
				other[kind]++
			}
		}
		t.Logf("%s: %d of %d hosts, %.1f %%; others are %v", c.name, same, all, percent(same, all), other)
		if percent(same, all) < c.least {
			t.Errorf("%s: less than %v %%", c.name, c.least)
		}
	}
}
