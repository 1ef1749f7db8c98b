package pagecheck

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/readership/readership/internal/catalog"
)

// article judges what the page says of itself: the catalogue takes it, and it
// goes along with page views.
func (c *checker) article(found bool) {
	c.canonical()
	things := c.linked()
	switch {
	case !found:
		c.say(partArticle, Warning, "nothing says that this page is an article: the catalogue makes no entry of it; add JSON-LD of a NewsArticle")
		return
	case len(things) > 0:
		c.say(partArticle, OK, "JSON-LD of %s", kind(things[0]))
	case len(c.facts.metas["parsely-title"])+len(c.facts.metas["parsely-type"]) > 0:
		c.say(partArticle, OK, "parsely-* metas")
	default:
		c.say(partArticle, Note, "an article by its metas alone; search engines want JSON-LD of a NewsArticle")
	}
	if len(things) > 1 {
		c.say(partArticle, Warning, "JSON-LD of %d articles: the first counts", len(things))
	}
	p := c.page
	for _, field := range []struct {
		name string
		have bool
		bad  Level
	}{{"title", p.Title != "", Warning}, {"section", p.Section != "", Warning}, {"author", len(p.Authors) > 0, Note}, {"image", p.Image != "", Note}} {
		if !field.have {
			c.say(partArticle, field.bad, "no %s", field.name)
		}
	}
	if p.PublishedAt == nil {
		c.say(partArticle, Warning, "%s", c.undated(things))
	}
	said := []string{quote(p.Title)}
	if p.Section != "" {
		said = append(said, "in "+p.Section)
	}
	if len(p.Authors) > 0 {
		said = append(said, "by "+strings.Join(p.Authors, ", "))
	}
	if p.PublishedAt != nil {
		said = append(said, "of "+p.PublishedAt.Format(time.RFC3339))
	}
	if p.Tier != "" {
		said = append(said, "tier "+p.Tier)
	}
	c.say(partArticle, Note, "the catalogue would take: %s", strings.Join(said, ", "))
}

// undated says why there is no time.
func (c *checker) undated(things []map[string]any) string {
	written := ""
	if len(things) > 0 {
		written, _ = things[0]["datePublished"].(string)
	}
	for _, name := range []string{"parsely-pub-date", "article:published_time"} {
		if list := c.facts.metas[name]; written == "" && len(list) > 0 {
			written = list[0]
		}
	}
	if written == "" {
		return "no time of publication"
	}
	return "the time of publication " + quote(written) + " is not read: write date, time and zone, as 2026-01-31T10:00:00+01:00"
}

func quote(s string) string { return "“" + s + "”" }

// canonical judges the link by which views are joined under one item.
func (c *checker) canonical() {
	list := c.facts.canonicals
	if len(list) == 0 {
		c.say(partArticle, Warning, "no canonical link: copies of the page under other addresses count apart")
		return
	}
	if len(list) > 1 {
		c.say(partArticle, Warning, "%d canonical links: the first counts", len(list))
	}
	u, ok := c.resolve(list[0])
	switch {
	case !ok:
		c.say(partArticle, Fault, "the canonical link %q is no address", list[0])
	case registrable(u.Hostname()) != registrable(c.url.Hostname()):
		c.say(partArticle, Warning, "the canonical link leads to another site, %s", u.Hostname())
	default:
		c.say(partArticle, OK, "canonical %s", u)
	}
}

// linked returns the articles of the page's JSON-LD.
func (c *checker) linked() (things []map[string]any) {
	for i, text := range c.facts.linked {
		thing, err := catalog.Linked([]byte(text))
		if err != nil {
			c.say(partArticle, Fault, "block %d of JSON-LD cannot be read: %v", i+1, err)
		} else if thing != nil {
			things = append(things, thing)
		}
	}
	return things
}

func kind(thing map[string]any) string {
	switch k := thing["@type"].(type) {
	case string:
		return k
	default:
		text, err := json.Marshal(k)
		if err != nil {
			return "an article"
		}
		return string(text)
	}
}
