package pagecheck

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// tracker is another maker's tag, known by what stands in its script or its address.
type tracker struct {
	name string
	in   []string // any of them
}

// trackers are those whose dialect is spoken (docs/dialects.md).
var trackers = []tracker{
	{"Plausible", []string{"plausible.io/js", "/js/plausible", "/js/script.", "window.plausible"}},
	{"Umami", []string{"data-website-id"}},
	{"Matomo", []string{"_paq", "matomo.js", "piwik.js"}},
	{"Segment", []string{"cdn.segment.com", "analytics.load(", "SNIPPET_VERSION"}},
	{"RudderStack", []string{"rudderanalytics"}},
	{"Snowplow", []string{"GlobalSnowplowNamespace", "snowplow"}},
	{"PostHog", []string{"posthog.init"}},
	{"gtag (Google)", []string{"googletagmanager.com/gtag", "gtag("}},
}

// other returns the maker of a tag, "" if it is nobody's who is known.
func other(s *script) string {
	all := s.attributes["src"] + "\n" + s.text
	for name := range s.attributes {
		all += "\n" + name
	}
	for _, t := range trackers {
		if slices.ContainsFunc(t.in, func(mark string) bool { return strings.Contains(all, mark) }) {
			return t.name
		}
	}
	return ""
}

// tags looks for our tag and those of others, and asks the server that ours names.
func (c *checker) tags(ctx context.Context) {
	var own []script
	var others []string
	for _, s := range c.facts.scripts {
		if s.attributes["data-site"] != "" && s.attributes["src"] != "" {
			own = append(own, s)
		} else if name := other(&s); name != "" && !slices.Contains(others, name) {
			others = append(others, name)
		}
	}
	for _, name := range others {
		c.say(partTags, Note, "a tag of %s: it works unchanged when it sends to Readership", name)
	}
	switch {
	case len(own) == 0 && len(others) == 0:
		c.say(partTags, Fault, "no tag: no view of this page is counted, unless its server sends them")
	case len(own) == 0:
		c.say(partTags, Note, "no tag of Readership")
	case len(own) > 1:
		c.say(partTags, Warning, "%d tags of Readership: the first counts, take out the others", len(own))
	}
	if len(own) > 0 {
		c.tag(ctx, &own[0])
	}
}

// tag checks our own.
func (c *checker) tag(ctx context.Context, s *script) {
	site, key := s.attributes["data-site"], s.attributes["data-key"]
	if key == "" {
		c.say(partTags, Fault, "the tag of site %s has no data-key: the server refuses what it sends", site)
		return
	}
	src, ok := c.resolve(s.attributes["src"])
	if !ok {
		c.say(partTags, Fault, "the tag's src %q is no address", s.attributes["src"])
		return
	}
	if c.url.Scheme == "https" && src.Scheme == "http" {
		c.say(partTags, Fault, "the script comes from %s without encryption: browsers do not load it into this page", src.Host)
		return
	}
	a, err := c.fetch(ctx, http.MethodGet, src.String(), nil)
	switch {
	case err != nil:
		c.say(partTags, Fault, "the script %s cannot be fetched: %v", src, err)
		return
	case a.status != http.StatusOK || !strings.Contains(a.header.Get("Content-Type"), "javascript"):
		c.say(partTags, Fault, "the script %s is answered %d with %s", src, a.status, orNone(a.header.Get("Content-Type")))
		return
	}
	c.say(partTags, OK, "the tag of site %s; its script comes from %s", site, src)
	if a, b := registrable(src.Hostname()), registrable(c.url.Hostname()); a != b {
		c.say(partTags, Warning, "the script comes from %s, which is another site than %s: browsers keep its cookies away, so a reader is only known in this page's store; serve it under a name below %s", a, b, b)
	}
	c.try(ctx, src, key)
}

// registrable is the domain that cookies of a host belong to.
func registrable(host string) string {
	if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return domain
	}
	return host
}

// try asks the server what it would store of a view of this page.
func (c *checker) try(ctx context.Context, src *url.URL, key string) {
	to := *src
	to.Path, to.RawPath, to.Fragment = path.Join(path.Dir(src.Path), "/v1/events"), "", ""
	if dir := path.Dir(src.Path); dir != "/" && dir != "." {
		to.Path = dir + "/v1/events"
	}
	to.RawQuery = url.Values{"debug": {"1"}, "key": {key}}.Encode()
	event := map[string]any{"type": "page_view", "url": c.url.String(), "title": c.page.Title}
	if canonical, ok := c.resolve(c.page.Canonical); ok && c.page.Canonical != "" {
		event["canonical"] = canonical.String()
	}
	if c.page.ID != "" {
		event["item"] = c.page.ID
	}
	body, err := json.Marshal(event)
	if err != nil {
		c.say(partTags, Fault, "a view of this page cannot be written as JSON: %v", err)
		return
	}
	a, err := c.fetch(ctx, http.MethodPost, to.String(), strings.NewReader(string(body)))
	if err != nil {
		c.say(partTags, Fault, "the server at %s cannot be asked: %v", to.Host, err)
		return
	}
	var said struct {
		Events []struct {
			Item string `json:"item"`
		} `json:"events"`
		Rejected []struct{ Code, Message string } `json:"rejected"`
		Detail   string                           `json:"detail"`
	}
	if err := json.Unmarshal(a.body, &said); err != nil {
		c.say(partTags, Fault, "the server at %s answers %d and is no Readership: what the tag sends is lost", to.Host, a.status)
		return
	}
	switch {
	case len(said.Rejected) > 0:
		why := said.Rejected[0]
		hint := ""
		if why.Code == "host_not_allowed" {
			hint = fmt.Sprintf("; add %s to the site's domains", c.url.Hostname())
		}
		c.say(partTags, Fault, "a view of this page would be rejected: %s %s%s", why.Code, why.Message, hint)
	case a.status != http.StatusOK:
		c.say(partTags, Fault, "a view of this page would be refused: %d %s", a.status, said.Detail)
	case len(said.Events) == 0:
		c.say(partTags, Warning, "a view of this page would not be stored: robots and refused consent are counted only")
	default:
		c.say(partTags, OK, "a view of this page would be stored as item %s", said.Events[0].Item)
	}
}
