package catalog

import (
	"encoding/json"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/readership/readership/internal/event"
)

// Page is what a page says of the article that it shows.
type Page struct {
	ID          string // of our tag's data-item
	Tier        string // of our tag's data-tier
	Canonical   string // as it is written, perhaps relative
	Title       string
	Section     string
	Language    string
	Image       string
	Authors     []string
	Tags        []string
	PublishedAt *time.Time
	UpdatedAt   *time.Time
}

// Bounds of what is taken of a page.
const (
	maxToken  = 1 << 20 // bytes of one tag or text
	maxListed = 50      // authors, tags
)

// source is what one way of tagging says, by the name of the field. Lists have
// several values.
type source map[string][]string

func (s source) add(name string, values ...string) {
	for _, v := range values {
		if v = strings.Join(strings.Fields(strings.ToValidUTF8(v, "")), " "); v == "" || len(s[name]) == maxListed {
			continue
		}
		s[name] = append(s[name], cut(v))
	}
}

// cut cuts a text to what items may have, between characters.
func cut(s string) string {
	if len(s) <= event.MaxStringBytes {
		return s
	}
	n := event.MaxStringBytes
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// reader gathers what a page says.
type reader struct {
	own, linked, parsely, metas source
	title, language, canonical  string
	article                     bool
}

// Read reads a page of HTML in UTF-8. It takes, field by field, the first that says
// it of the attributes of our tag, JSON-LD, parsely-* metas and the metas of Open
// Graph. ok is false if nothing there says that it shows an article. Errors are r's.
func Read(r io.Reader) (page *Page, ok bool, err error) {
	p := &reader{own: source{}, linked: source{}, parsely: source{}, metas: source{}}
	z := html.NewTokenizer(r)
	z.SetMaxBuf(maxToken)
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); err != io.EOF && err != html.ErrBufferExceeded {
				return nil, false, err
			}
			return p.page(), p.article, nil
		case html.StartTagToken, html.SelfClosingTagToken:
			p.tag(z)
		}
	}
}

// tag takes what a tag says, and the text in it where that counts.
func (p *reader) tag(z *html.Tokenizer) {
	name, more := z.TagName()
	tag := atom.Lookup(name)
	switch tag {
	case atom.Html, atom.Title, atom.Link, atom.Meta, atom.Script:
	default:
		return
	}
	attributes := map[string]string{}
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if _, twice := attributes[string(key)]; !twice {
			attributes[string(key)] = string(value)
		}
	}
	switch tag {
	case atom.Html:
		p.language = attributes["lang"]
	case atom.Title:
		if z.Next() == html.TextToken && p.title == "" {
			p.title = string(z.Text())
		}
	case atom.Link:
		if p.canonical == "" && strings.EqualFold(attributes["rel"], "canonical") {
			p.canonical = attributes["href"]
		}
	case atom.Meta:
		p.meta(attributes)
	case atom.Script:
		if attributes["data-key"] != "" && attributes["data-site"] != "" {
			for _, name := range []string{"item", "tier", "title", "section", "author"} {
				p.own.add(name, attributes["data-"+name])
			}
			p.article = p.article || len(p.own["item"]) > 0
		}
		if strings.EqualFold(strings.TrimSpace(attributes["type"]), "application/ld+json") && z.Next() == html.TextToken {
			p.json(z.Text())
		}
	}
}

// ofMeta are the fields that metas say.
var ofMeta = map[string]string{
	"og:title": "title", "og:image": "image", "og:url": "canonical", "article:section": "section", "article:tag": "tag", "author": "author",
	"article:published_time": "published", "article:modified_time": "updated",
}

// ofParsely are those of parsely-NAME.
var ofParsely = map[string]string{
	"title": "title", "link": "canonical", "image-url": "image", "section": "section", "author": "author", "pub-date": "published", "tags": "tag",
}

func (p *reader) meta(attributes map[string]string) {
	name := strings.ToLower(attributes["name"])
	if name == "" {
		name = strings.ToLower(attributes["property"])
	}
	content := attributes["content"]
	if name == "og:type" {
		p.article = p.article || content == "article"
		return
	}
	if own, ok := strings.CutPrefix(name, "parsely-"); ok {
		if own == "type" {
			p.article = p.article || content == "post"
		}
		if field := ofParsely[own]; field == "tag" {
			p.parsely.add(field, strings.Split(content, ",")...)
		} else if field != "" {
			p.parsely.add(field, content)
		}
		return
	}
	if field := ofMeta[name]; field != "" {
		p.metas.add(field, content)
	}
}

// json takes the first article of a block of JSON-LD.
func (p *reader) json(text []byte) {
	thing, err := Linked(text)
	if err != nil || thing == nil || len(p.linked) > 0 {
		return
	}
	p.article = true
	for name, field := range map[string]string{
		"headline": "title", "articleSection": "section", "author": "author", "image": "image", "datePublished": "published", "dateModified": "updated",
		"inLanguage": "language", "mainEntityOfPage": "canonical", "url": "canonical",
	} {
		p.linked.add(field, names(thing[name], 0)...)
	}
	keywords := names(thing["keywords"], 0)
	if len(keywords) == 1 {
		keywords = strings.Split(keywords[0], ",")
	}
	p.linked.add("tag", keywords...)
}

// Linked returns the article of a block of JSON-LD, nil if there is none in it.
func Linked(text []byte) (map[string]any, error) {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, err
	}
	return article(value, 0), nil
}

// deepest is how deep JSON-LD is looked into.
const deepest = 6

// article finds the article in JSON-LD: the value, one of a list, or of a @graph.
func article(value any, depth int) map[string]any {
	if depth > deepest {
		return nil
	}
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			if found := article(one, depth+1); found != nil {
				return found
			}
		}
	case map[string]any:
		for _, kind := range names(v["@type"], 0) {
			if strings.HasSuffix(kind, "Article") || strings.HasSuffix(kind, "Posting") {
				return v
			}
		}
		return article(v["@graph"], depth+1)
	}
	return nil
}

// names returns the texts of a value, and the names or addresses of its things.
func names(value any, depth int) (out []string) {
	if depth > deepest {
		return nil
	}
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			out = append(out, names(one, depth+1)...)
		}
	case map[string]any:
		for _, name := range []string{"name", "url", "@id"} {
			if out = names(v[name], depth+1); len(out) > 0 {
				return out[:1]
			}
		}
	}
	return out
}

// page joins what the sources say.
func (p *reader) page() *Page {
	all := func(name string) []string {
		for _, s := range []source{p.own, p.linked, p.parsely, p.metas} {
			if len(s[name]) > 0 {
				return s[name]
			}
		}
		return nil
	}
	first := func(name string) string {
		if values := all(name); len(values) > 0 {
			return values[0]
		}
		return ""
	}
	rest := source{}
	rest.add("title", p.title)
	rest.add("language", p.language)
	page := &Page{ID: first("item"), Tier: first("tier"), Canonical: p.canonical, Title: first("title"), Section: first("section"), Image: first("image"),
		Language: first("language"), Authors: all("author"), Tags: all("tag"), PublishedAt: instant(first("published")), UpdatedAt: instant(first("updated"))}
	if page.Canonical == "" {
		page.Canonical = first("canonical")
	}
	if page.Title == "" && len(rest["title"]) > 0 {
		page.Title = rest["title"][0]
	}
	if page.Language == "" && len(rest["language"]) > 0 {
		page.Language = rest["language"][0]
	}
	page.Language, _, _ = strings.Cut(strings.ToLower(page.Language), "-")
	if len(page.Language) > 3 {
		page.Language = ""
	}
	return page
}

// instant reads a time as pages write it; nil for what names no zone.
func instant(text string) *time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05-0700"} {
		if at, err := time.Parse(layout, text); err == nil && at.Year() >= 1970 && at.Year() < 3000 {
			at = at.UTC().Truncate(time.Millisecond)
			return &at
		}
	}
	return nil
}
