// Package pagecheck looks at a page of a publisher as a reader's browser and a
// search engine would: is it tagged, does it say which article it is, where would
// its views go, and is a wall declared so that it is not taken for cloaking.
package pagecheck

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/net/html"

	"github.com/readership/readership/internal/catalog"
)

// Level says how bad a finding is.
type Level string

// The levels. A page with a fault does not do what it is tagged for.
const (
	OK      Level = "ok"
	Note    Level = "note"
	Warning Level = "warning"
	Fault   Level = "fault"
)

// Finding is one thing that was found, or is missing.
type Finding struct {
	Part  string `json:"part"`
	Level Level  `json:"level"`
	Text  string `json:"text"`
}

// Report is what became of a check, part by part.
type Report struct {
	URL      string    `json:"url"` // behind redirects
	Status   int       `json:"status"`
	Findings []Finding `json:"findings"`
}

// Count returns how many findings are of a level.
func (r *Report) Count(l Level) (n int) {
	for _, f := range r.Findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// The parts of a report, in their order.
const (
	partAnswer   = "answer"
	partTags     = "tags"
	partArticle  = "article"
	partIdentity = "identity"
	partWall     = "wall"
)

// Options say how a page is fetched.
type Options struct {
	Agent  string // the User-Agent; "" is DefaultAgent
	Client *http.Client
}

// DefaultAgent is a browser's as far as rules about robots go.
const DefaultAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// checker is a check under way.
type checker struct {
	o      Options
	report *Report
	url    *url.URL // of the page, behind redirects
	header http.Header
	facts  *facts
	page   *catalog.Page
}

// Check fetches a page and what it refers to, and reports. An error says that the
// page could not be fetched at all.
func Check(ctx context.Context, page string, o Options) (*Report, error) {
	if o.Agent == "" {
		o.Agent = DefaultAgent
	}
	if o.Client == nil {
		o.Client = newClient()
	}
	at, err := url.Parse(page)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return nil, fmt.Errorf("%q is no http or https address", page)
	}
	c := &checker{o: o, report: &Report{}}
	a, err := c.fetch(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", page, err)
	}
	c.url, c.header = a.url, a.header
	c.report.URL, c.report.Status = a.url.String(), a.status
	if !c.answer(a, at) {
		return c.report, nil
	}
	root, err := html.Parse(bytes.NewReader(a.body))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", page, err)
	}
	c.facts = gather(root)
	var article bool
	if c.page, article, err = catalog.Read(bytes.NewReader(a.body)); err != nil {
		return nil, fmt.Errorf("read %s: %w", page, err)
	}
	c.tags(ctx)
	c.article(article)
	c.identity()
	c.wall()
	return c.report, nil
}

func (c *checker) say(part string, l Level, format string, args ...any) {
	c.report.Findings = append(c.report.Findings, Finding{part, l, fmt.Sprintf(format, args...)})
}

// resolve makes an address of the page's absolute.
func (c *checker) resolve(address string) (*url.URL, bool) {
	u, err := c.url.Parse(address)
	return u, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
