// Package offer is what a reader is shown in place of a page: an offer is a
// template over the verdict and the item, stored per site by the name that the
// clauses of access blocks give it.
package offer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	texttemplate "text/template"
	"time"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/event"
)

// Limits of an offer.
const (
	MaxHTML     = 128 << 10 // bytes of a template
	MaxTitle    = 200
	MaxRedirect = 2048
	// maxPage is the most bytes that a page may come to.
	maxPage = 1 << 20
)

// Page is what templates are about. All of it is there in every page, empty
// where it does not apply.
type Page struct {
	Title   string // of the offer
	Offer   string // its name
	Site    string // its name
	URL     string // of the page that was asked for
	Code    string // by which support finds the decision
	Verdict Verdict
	Item    event.Item
}

// Verdict is what was decided.
type Verdict struct {
	Decision, Clause, Access, Price, Reader string
	Registered                              bool // the reader is an account
	Meter                                   Meter
	Segments                                []string
}

// Meter is the state of the meter that the verdict speaks of; without one its Name
// is empty.
type Meter struct {
	Name              string
	Used, Limit, Left int64
	ResetsAt          time.Time // zero: it does not
}

// codeLetters is how much of a decision's id a page shows.
const codeLetters = 8

// Of lays out what a template is about; item is nil for one that the catalogue does
// not have.
func Of(site *event.Site, address string, v *access.Verdict, item *event.Item) *Page {
	p := &Page{Offer: v.Offer, Site: site.Name, URL: address, Code: v.DecisionID[max(0, len(v.DecisionID)-codeLetters):]}
	if p.Site == "" {
		p.Site = site.ID
	}
	p.Verdict = Verdict{Decision: v.Decision, Clause: v.Clause, Access: v.Access, Price: v.Price, Reader: v.Reader, Segments: v.Segments,
		Registered: strings.HasPrefix(v.Reader, "account:")}
	if m := v.Meter; m != nil {
		p.Verdict.Meter = Meter{Name: m.Name, Used: m.Used, Limit: m.Limit, Left: m.Left}
		if m.ResetsAt != nil {
			p.Verdict.Meter.ResetsAt = *m.ResetsAt
		}
	}
	if item != nil {
		p.Item = *item
	}
	return p
}

// Offer is an offer ready to be shown. Safe for concurrent use.
type Offer struct {
	title    string
	html     *template.Template     // nil: the default page
	redirect *texttemplate.Template // nil: none
}

// Fault is what is wrong with an offer: Field is title, html or redirect, Line and
// Column count from 1, 0 where no place is known.
type Fault struct {
	Field        string
	Line, Column int
	Message      string
}

// Error implements error.
func (f *Fault) Error() string { return f.Location() + ": " + f.Message }

// Location is the field, with line and column behind it.
func (f *Fault) Location() string {
	out := f.Field
	if f.Line > 0 {
		out += ":" + strconv.Itoa(f.Line)
		if f.Column > 0 {
			out += ":" + strconv.Itoa(f.Column)
		}
	}
	return out
}

// New makes an offer of what is stored, and tries it out on pages of every kind.
// What is wrong comes as *Fault, one for each field at most.
func New(o *event.Offer) (*Offer, error) {
	out := &Offer{title: o.Title}
	var errs []error
	fault := func(field string, err error) {
		if err != nil {
			errs = append(errs, located(field, err))
		}
	}
	limit := func(field, text string, most int) {
		if len(text) > most {
			fault(field, fmt.Errorf("has %d bytes, at most %d are taken", len(text), most))
		}
	}
	limit("title", o.Title, MaxTitle)
	limit("html", o.HTML, MaxHTML)
	limit("redirect", o.Redirect, MaxRedirect)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	fault("html", out.parseHTML(o.HTML))
	fault("redirect", out.parseRedirect(o.Redirect))
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return out, nil
}

func (o *Offer) parseHTML(text string) error {
	if text == "" {
		return nil
	}
	t, err := template.New("html").Funcs(functions).Parse(text)
	if err == nil {
		err = bounded(t.Templates())
	}
	if err != nil {
		return err
	}
	o.html = t
	for _, p := range samples() {
		if err := o.Write(io.Discard, p); err != nil {
			return err
		}
	}
	return nil
}

func (o *Offer) parseRedirect(text string) error {
	if text == "" {
		return nil
	}
	t, err := texttemplate.New("redirect").Funcs(functions).Parse(text)
	if err == nil {
		err = boundedTree(t.Tree)
	}
	if err != nil {
		return err
	}
	o.redirect = t
	for _, p := range samples() {
		if _, err := o.Redirect(p); err != nil {
			return err
		}
	}
	return nil
}

// Write writes the page.
func (o *Offer) Write(w io.Writer, p *Page) error {
	page := *p
	t := defaultPage
	if o != nil {
		page.Title = o.title
		if o.html != nil {
			t = o.html
		}
	}
	if t == defaultPage {
		return t.Execute(&limited{w: w, left: maxPage}, words(&page))
	}
	return t.Execute(&limited{w: w, left: maxPage}, &page)
}

// Redirect returns the address that the reader is sent to; "" for none.
func (o *Offer) Redirect(p *Page) (string, error) {
	if o == nil || o.redirect == nil {
		return "", nil
	}
	page := *p
	page.Title = o.title
	var b bytes.Buffer
	if err := o.redirect.Execute(&limited{w: &b, left: maxPage}, &page); err != nil {
		return "", err
	}
	u, err := url.Parse(b.String())
	if err != nil || u.Scheme != "http" && u.Scheme != "https" && !(u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/")) {
		return "", fmt.Errorf("%q is neither an http address nor a path such as /plans", b.String())
	}
	return u.String(), nil
}

// limited is a writer that takes so many bytes.
type limited struct {
	w    io.Writer
	left int
}

// Write implements io.Writer.
func (l *limited) Write(b []byte) (int, error) {
	if l.left -= len(b); l.left < 0 {
		return 0, fmt.Errorf("the page comes to more than %d bytes", maxPage)
	}
	return l.w.Write(b)
}

// place finds line and column in what the template packages say.
var place = regexp.MustCompile(`^(?:html/)?template: ?(?:html|redirect)?:(\d+)(?::(\d+))?: (?:executing "[^"]*" at )?`)

// located reads where a fault is.
func located(field string, err error) *Fault {
	f := &Fault{Field: field, Message: err.Error()}
	var escape *template.Error
	if errors.As(err, &escape) {
		f.Line, f.Message = escape.Line, escape.Description
		return f
	}
	if m := place.FindStringSubmatch(f.Message); m != nil {
		f.Line, _ = strconv.Atoi(m[1])
		if column, err := strconv.Atoi(m[2]); err == nil {
			f.Column = column + 1
		}
		f.Message = f.Message[len(m[0]):]
	}
	return f
}

// samples are pages of every kind.
func samples() []*Page {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	site := &event.Site{ID: "news", Name: "The News"}
	item := &event.Item{ID: "a1", URL: "https://news.example/a1", Title: "A title", Section: "politics", Tags: []string{"eu"}, Authors: []string{"A. Author"}, Tier: "metered",
		Attributes: map[string]string{}}
	resets := at.AddDate(0, 1, 0)
	full := &access.Verdict{Decision: access.Deny, Clause: "register", Offer: "registration_wall", Access: "story", DecisionID: "0123456789abcdef", Reader: "device:d1",
		Meter: &access.MeterState{Name: "monthly", Used: 3, Limit: 3, ResetsAt: &resets}, Segments: []string{"fan"}}
	charge := &access.Verdict{Decision: access.Charge, Clause: "crawler", Access: "story", DecisionID: "0123456789abcdef", Reader: "device:d1", Price: "0.002 EUR"}
	return []*Page{Of(site, "https://news.example/a1", full, item), Of(site, "https://news.example/a1", charge, nil),
		Of(site, "", &access.Verdict{Decision: access.Deny, Fallback: true}, nil)}
}

// Facts finds the facts of sites. *engine.Engine is one.
type Facts interface {
	Fact(kind, site, key string) (value []byte, ok bool)
}

// Offers finds the offers of sites, each made once. Safe for concurrent use.
type Offers struct {
	facts Facts
	made  sync.Map // key → *kept
}

// NewOffers makes offers of facts.
func NewOffers(facts Facts) *Offers { return &Offers{facts: facts} }

type key struct{ site, name string }

// kept is an offer and what it was made of: facts are replaced, never changed.
type kept struct {
	value []byte
	offer *Offer
}

// Offer returns an offer of a site; nil, whose page is the default one, if none is
// stored under the name.
func (o *Offers) Offer(site, name string) *Offer {
	value, ok := o.facts.Fact(event.FactOffer, site, name)
	if !ok {
		return nil
	}
	if k, ok := o.made.Load(key{site, name}); ok && bytes.Equal(k.(*kept).value, value) {
		return k.(*kept).offer
	}
	var stored event.Offer
	var offer *Offer
	if json.Unmarshal(value, &stored) == nil {
		offer, _ = New(&stored) // it was checked before it was written
	}
	o.made.Store(key{site, name}, &kept{value, offer})
	return offer
}
