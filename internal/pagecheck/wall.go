package pagecheck

import (
	"net/http"
	"strings"

	"github.com/readership/readership/internal/catalog"
)

// identity judges how a reader would be known again, and that nobody is taken for
// another.
func (c *checker) identity() {
	var own *http.Cookie
	for _, k := range readCookies(c.header) {
		if k.Name == "rsid" {
			own = k
		}
	}
	if own == nil {
		c.say(partIdentity, Note, "the page sets no rsid: a reader gets it from the tracker's first event with consent, or from an edge that decides")
		return
	}
	c.say(partIdentity, OK, "the page sets rsid")
	if !own.HttpOnly {
		c.say(partIdentity, Fault, "rsid is not HttpOnly: something between Readership and here rewrites cookies, and scripts can copy a reader")
	}
	if !own.Secure && c.url.Scheme == "https" {
		c.say(partIdentity, Fault, "rsid is not Secure: trust the proxy in front, so that X-Forwarded-Proto is believed")
	}
	if shared(c.header) {
		c.say(partIdentity, Fault, "the page sets rsid and may be kept by shared caches (%s): readers would be given each other's identity", caching(c.header))
	}
}

func readCookies(h http.Header) []*http.Cookie {
	return (&http.Response{Header: h}).Cookies()
}

func caching(h http.Header) string { return "Cache-Control: " + h.Get("Cache-Control") }

// shared tells whether shared caches may keep an answer by what it says itself.
func shared(h http.Header) bool {
	said := strings.ToLower(strings.Join(h.Values("Cache-Control"), ","))
	if strings.Contains(said, "no-store") || strings.Contains(said, "private") {
		return false
	}
	return strings.Contains(said, "public") || strings.Contains(said, "s-maxage") || strings.Contains(said, "max-age")
}

// wall judges the paywall in the page, the decision of an edge, and what search
// engines are told of it.
func (c *checker) wall() {
	decided := len(c.facts.metas["readership-decision"]) > 0
	stopped := c.report.Status == http.StatusForbidden || c.report.Status == http.StatusPaymentRequired
	if decided {
		c.say(partWall, OK, "an edge has decided about this page")
		if shared(c.header) {
			c.say(partWall, Fault, "the page carries a decision and may be kept by shared caches (%s): what one reader may read, all may", caching(c.header))
		}
	}
	for _, g := range c.facts.gates {
		switch {
		case g.value == "":
			c.say(partWall, Fault, "data-rs-access names no access block")
		case !g.hidden:
			c.say(partWall, Warning, "the element with data-rs-access=%q is not hidden: it is seen before anybody has decided", g.value)
		default:
			c.say(partWall, OK, "a part of the page waits for access block %s", g.value)
		}
	}
	if len(c.facts.gates) > 0 && len(c.facts.offers) == 0 {
		c.say(partWall, Warning, "there is no data-rs-offer: a reader who is stopped sees nothing in place of the article")
	}
	for _, o := range c.facts.offers {
		if !o.hidden {
			c.say(partWall, Warning, "the element with data-rs-offer=%q is not hidden: everybody sees the offer", o.value)
		}
		if o.empty {
			c.say(partWall, Warning, "the element with data-rs-offer=%q is empty", o.value)
		}
	}
	c.declared(decided || stopped || len(c.facts.gates) > 0)
}

// declared judges isAccessibleForFree and the parts that are not
// (developers.google.com/search/docs/appearance/structured-data/paywalled-content).
func (c *checker) declared(walled bool) {
	var thing map[string]any
	for _, text := range c.facts.linked {
		if found, err := catalog.Linked([]byte(text)); err == nil && found != nil {
			thing = found
			break
		}
	}
	free, said := boolean(thing["isAccessibleForFree"])
	_, written := thing["isAccessibleForFree"]
	switch {
	case written && !said:
		c.say(partWall, Fault, "isAccessibleForFree is neither true nor false")
		return
	case walled && !said:
		c.say(partWall, Fault, "the page has a wall and its JSON-LD does not say isAccessibleForFree: search engines may take what they see for cloaking")
		return
	case walled && free:
		c.say(partWall, Fault, "the page has a wall and its JSON-LD says that it is accessible for free")
		return
	case !walled && !said:
		c.say(partWall, Note, "no wall was met, and none is declared")
		return
	case free:
		c.say(partWall, OK, "declared as accessible for free")
		return
	}
	c.say(partWall, OK, "declared as not accessible for free")
	if !walled {
		c.say(partWall, Note, "no wall was met: this reader may read it, or it stands at a server before the page")
	}
	c.parts(thing["hasPart"])
}

// parts judges which parts of a page are declared as not free.
func (c *checker) parts(value any) {
	list, ok := value.([]any)
	if !ok && value != nil {
		list = []any{value}
	}
	declared := 0
	for _, one := range list {
		part, ok := one.(map[string]any)
		if !ok {
			continue
		}
		if free, said := boolean(part["isAccessibleForFree"]); !said || free {
			continue
		}
		for _, selector := range selectors(part["cssSelector"]) {
			declared++
			class, simple := strings.CutPrefix(selector, ".")
			switch {
			case !simple || strings.ContainsAny(class, " .#>:[+~,"):
				c.say(partWall, Warning, "cssSelector %q: search engines read one class, as .paywall", selector)
			case !c.facts.classes[class]:
				c.say(partWall, Fault, "cssSelector %q: no element of the page has this class", selector)
			default:
				c.say(partWall, OK, "cssSelector %q is in the page", selector)
			}
		}
	}
	if declared == 0 {
		c.say(partWall, Fault, "isAccessibleForFree is false and no hasPart with isAccessibleForFree false names a cssSelector: search engines do not know which part is not free")
	}
}

func selectors(value any) (list []string) {
	switch v := value.(type) {
	case string:
		for one := range strings.SplitSeq(v, ",") {
			list = append(list, strings.TrimSpace(one))
		}
	case []any:
		for _, one := range v {
			if s, ok := one.(string); ok {
				list = append(list, strings.TrimSpace(s))
			}
		}
	}
	return list
}

// boolean reads true and false as pages write them; ok is false for anything else.
func boolean(value any) (b, ok bool) {
	switch v := value.(type) {
	case bool:
		return v, true
	case string:
		switch v = strings.ToLower(v[strings.LastIndexByte(v, '/')+1:]); v {
		case "true", "false":
			return v == "true", true
		}
	}
	return false, false
}
