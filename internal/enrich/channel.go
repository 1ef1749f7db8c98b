package enrich

import (
	"fmt"
	"strings"
)

// The channels of the default rules.
const (
	ChannelPaid        = "paid"
	ChannelNewsletter  = "newsletter"
	ChannelCampaign    = "campaign"
	ChannelInternal    = "internal"
	ChannelSearch      = "search"
	ChannelSocial      = "social"
	ChannelAIAssistant = "ai_assistant"
	ChannelReferral    = "referral"
	ChannelDirect      = "direct"
)

// Rule gives a channel to the page views that meet all its conditions; one
// without any takes every page view. A condition is met by any of its values,
// whose case does not count. Those of a campaign's source, medium and name may begin
// or end with * for any text; alone it stands for one that is not empty.
type Rule struct {
	Channel      string
	ReferrerKind []string
	ReferrerHost []string // also those below them
	UTMSource    []string
	UTMMedium    []string
	UTMCampaign  []string
	ClickID      []string // parameters of the page's address
}

// DefaultRules are the rules that stand behind a site's own. The slice is not to
// be written.
var DefaultRules = []Rule{
	{Channel: ChannelPaid, ClickID: []string{"gclid", "gbraid", "wbraid", "dclid", "msclkid", "ttclid", "twclid", "li_fat_id", "yclid", "epik", "sccid", "rdt_cid", "obclid", "tblci"}},
	{Channel: ChannelPaid, UTMMedium: []string{"cpc", "ppc", "cpm", "cpa", "cpv", "cpp", "paid*", "*paid", "display", "banner", "retargeting", "remarketing", "ads", "native"}},
	{Channel: ChannelNewsletter, UTMMedium: []string{"*mail", "e_mail", "newsletter*", "*newsletter"}},
	{Channel: ChannelNewsletter, UTMSource: []string{"newsletter*", "*newsletter", "*mail"}},
	{Channel: ChannelNewsletter, ClickID: []string{"mc_cid", "mc_eid", "_hsenc", "mkt_tok", "vero_id", "ck_subscriber_id"}},
	{Channel: ChannelAIAssistant, UTMSource: []string{"chatgpt*", "openai*", "perplexity*", "claude*", "copilot*", "gemini*", "grok*", "deepseek*"}},
	{Channel: ChannelCampaign, UTMSource: []string{"*"}},
	{Channel: ChannelCampaign, UTMMedium: []string{"*"}},
	{Channel: ChannelCampaign, UTMCampaign: []string{"*"}},
	{Channel: ChannelInternal, ReferrerKind: []string{"internal"}},
	{Channel: ChannelSearch, ReferrerKind: []string{"search"}},
	{Channel: ChannelSocial, ReferrerKind: []string{"social"}},
	{Channel: ChannelAIAssistant, ReferrerKind: []string{"ai_assistant"}},
	{Channel: ChannelPaid, ReferrerKind: []string{"paid"}},
	{Channel: ChannelNewsletter, ReferrerKind: []string{"email"}},
	{Channel: ChannelReferral, ReferrerKind: []string{"other"}},
	{Channel: ChannelSocial, ClickID: []string{"fbclid", "igshid"}},
	{Channel: ChannelDirect},
}

// Limits of a site's rules.
const (
	MaxRules  = 100
	maxValues = 100
	maxValue  = 200 // bytes
	maxName   = 32  // bytes of a channel
	maxClicks = 64  // names of click ids, default ones included
)

// Fault is what is wrong with a rule: At is its place, "[2].utm_source[0]".
type Fault struct{ At, Message string }

// CheckRules returns what is wrong with a site's rules.
func CheckRules(rules []Rule) (faults []Fault) {
	fail := func(message, at string, args ...any) {
		faults = append(faults, Fault{fmt.Sprintf(at, args...), message})
	}
	if len(rules) > MaxRules {
		fail(fmt.Sprintf("there may be %d rules", MaxRules), "")
		return faults
	}
	clicks := map[string]bool{}
	for _, r := range append(rules[:len(rules):len(rules)], DefaultRules...) {
		for _, name := range r.ClickID {
			clicks[strings.ToLower(name)] = true
		}
	}
	if len(clicks) > maxClicks {
		fail(fmt.Sprintf("there may be %d names of click ids, the default ones included", maxClicks), "")
	}
	for i, r := range rules {
		if !isChannel(r.Channel) {
			fail(fmt.Sprintf("must have 1 to %d characters of a-z, 0-9 and _", maxName), "[%d].channel", i)
		}
		for _, list := range []struct {
			name   string
			values []string
		}{{"referrer_kind", r.ReferrerKind}, {"referrer_host", r.ReferrerHost}, {"utm_source", r.UTMSource}, {"utm_medium", r.UTMMedium}, {"utm_campaign", r.UTMCampaign}, {"click_id", r.ClickID}} {
			if len(list.values) > maxValues {
				fail(fmt.Sprintf("there may be %d values", maxValues), "[%d].%s", i, list.name)
			}
			for j, value := range list.values {
				switch {
				case value == "" || len(value) > maxValue:
					fail(fmt.Sprintf("must have 1 to %d bytes", maxValue), "[%d].%s[%d]", i, list.name, j)
				case list.name == "referrer_kind" && kindByName(value) == numKinds:
					fail("must be one of "+strings.Join(kindNames[:], ", "), "[%d].%s[%d]", i, list.name, j)
				case strings.HasPrefix(list.name, "utm_") && len(value) > 2 && strings.Contains(value[1:len(value)-1], "*"):
					fail("may have * at its start and its end only", "[%d].%s[%d]", i, list.name, j)
				case list.name == "referrer_host" && strings.ContainsAny(value, "/*: "):
					fail("must be a host, without scheme, port and path; it stands for those below it too", "[%d].%s[%d]", i, list.name, j)
				}
			}
		}
	}
	return faults
}

func isChannel(name string) bool {
	for i := range len(name) {
		if c := name[i]; c-'a' >= 26 && c-'0' > 9 && c != '_' {
			return false
		}
	}
	return name != "" && len(name) <= maxName
}

func kindByName(name string) Kind {
	for k, n := range kindNames {
		if n == name {
			return Kind(k)
		}
	}
	return numKinds
}

// Came is how a page was reached. Texts are as sent, but the host of the
// referrer is in lower case.
type Came struct {
	Kind                     Kind // of the referrer
	Host                     string
	Source, Medium, Campaign string
	Clicks                   Clicks // of the Channels that are asked
}

// Clicks is a set of names of click ids.
type Clicks uint64

// Channels are the rules of a site, ready to be asked. Safe for concurrent use;
// asking does not allocate.
type Channels struct {
	rules  []rule
	clicks map[string]Clicks
}

// rule is a Rule with its conditions in lower case; a nil condition is met.
type rule struct {
	channel                  string
	kinds                    uint16 // bits of kinds, 0: any
	hosts                    []string
	source, medium, campaign []string
	clicks                   Clicks // 0: any
}

// NewChannels compiles a site's rules, which CheckRules has passed, and the
// default ones behind them.
func NewChannels(rules []Rule) *Channels {
	c := &Channels{clicks: map[string]Clicks{}}
	for _, r := range append(rules[:len(rules):len(rules)], DefaultRules...) {
		made := rule{channel: r.Channel, hosts: lower(r.ReferrerHost), source: lower(r.UTMSource), medium: lower(r.UTMMedium), campaign: lower(r.UTMCampaign)}
		for _, name := range r.ReferrerKind {
			made.kinds |= 1 << kindByName(name)
		}
		for _, name := range lower(r.ClickID) {
			if _, known := c.clicks[name]; !known {
				c.clicks[name] = 1 << (len(c.clicks) % maxClicks)
			}
			made.clicks |= c.clicks[name]
		}
		c.rules = append(c.rules, made)
	}
	return c
}

func lower(list []string) []string {
	var out []string
	for _, text := range list {
		out = append(out, strings.ToLower(text))
	}
	return out
}

// Click returns what a parameter of a page's address adds to Came.Clicks. Names
// are taken as they are mostly written, in lower case.
func (c *Channels) Click(name string) Clicks { return c.clicks[name] }

// Of returns the channel by which a page was reached; "" only if the rules
// have no last one.
func (c *Channels) Of(came *Came) string {
	for i := range c.rules {
		if c.rules[i].holds(came) {
			return c.rules[i].channel
		}
	}
	return ""
}

func (r *rule) holds(came *Came) bool {
	return (r.kinds == 0 || r.kinds>>came.Kind&1 == 1) &&
		(r.clicks == 0 || r.clicks&came.Clicks != 0) &&
		(r.hosts == nil || below(r.hosts, came.Host)) &&
		(r.source == nil || anyLike(r.source, came.Source)) &&
		(r.medium == nil || anyLike(r.medium, came.Medium)) &&
		(r.campaign == nil || anyLike(r.campaign, came.Campaign))
}

// below says whether a host is one of hosts or lies below one.
func below(hosts []string, host string) bool {
	for _, h := range hosts {
		if rest, ok := strings.CutSuffix(host, h); ok && (rest == "" || rest[len(rest)-1] == '.') {
			return true
		}
	}
	return false
}

// anyLike says whether a text is like one of patterns, which are in lower case.
func anyLike(patterns []string, text string) bool {
	if text == "" {
		return false
	}
	for _, p := range patterns {
		if like(p, text) {
			return true
		}
	}
	return false
}

func like(pattern, text string) bool {
	if pattern == "*" {
		return true
	}
	pattern, before := strings.CutPrefix(pattern, "*")
	pattern, after := strings.CutSuffix(pattern, "*")
	switch n := len(pattern); {
	case before && after:
		for i := 0; i+n <= len(text); i++ {
			if strings.EqualFold(text[i:i+n], pattern) {
				return true
			}
		}
		return false
	case before:
		return len(text) >= n && strings.EqualFold(text[len(text)-n:], pattern)
	case after:
		return len(text) >= n && strings.EqualFold(text[:n], pattern)
	}
	return strings.EqualFold(text, pattern)
}
