package collect

import (
	"net/netip"
	"strings"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/problem"
)

// Visitor is who makes a request with a write key, as far as the connection says
// and proves it.
type Visitor struct {
	Device   string          // proved by rsid or X-Readership-Device; "": none
	Token    *identity.Token // of the publisher's sign-in; nil: no site has any
	Address  netip.Addr      // behind trusted proxies the browser's
	GPC, DNT bool
	Secure   bool // the browser speaks TLS

	agent, languages string
	who              connection
}

// Account returns the account that is proven of the visitor on a site, "" if none
// is: by a token, or by a login of a proven device.
func (c *Collector) Account(site *event.Site, v *Visitor) string {
	switch {
	case v.Token != nil && v.Token.Account != "":
		return v.Token.Account
	case c.logins == nil || v.Device == "":
		return ""
	}
	account, _ := c.logins.Login(site.ID, v.Device)
	return account
}

// Visitor reads who makes a request with a write key of a site.
func (c *Collector) Visitor(site *event.Site, q *Request) Visitor {
	info := c.infos.of(site, c.secret)
	v := c.visitor(info, q)
	v.who = c.connectionOf(info, q, v.agent, v.Address, v.Secure)
	return v
}

// visitor leaves out what follows from the agent.
func (c *Collector) visitor(site *siteInfo, q *Request) Visitor {
	v := Visitor{
		GPC: strings.TrimSpace(q.Header.Get("Sec-GPC")) == "1", DNT: strings.TrimSpace(q.Header.Get("DNT")) == "1",
		agent: q.Header.Get("User-Agent"), languages: q.Header.Get("Accept-Language"),
	}
	var forwarded, proto string
	if len(site.proxies) > 0 {
		forwarded, proto = q.Header.Get("X-Forwarded-For"), q.Header.Get("X-Forwarded-Proto")
	}
	v.Address = ClientAddress(q.Remote, forwarded, site.proxies)
	v.Secure = Secure(q.TLS, q.Remote, proto, site.proxies)
	if value := CookieValue(q.Header.Get("Cookie"), CookieName); value != "" {
		if device, ok := c.devices.Open(value); ok {
			v.Device = device
		}
	}
	if v.Device == "" {
		if value := q.Header.Get(DeviceHeader); value != "" {
			if device, ok := c.devices.Open(value); ok {
				v.Device = device
			}
		}
	}
	if c.tokens != nil {
		v.Token = c.tokens.Verify(site.Site, q.Header)
	}
	return v
}

// NewDevice makes a device for a visitor who has none, where the site takes
// silence for consent and the browser does not say otherwise, and the Set-Cookie
// header that proves it from then on; "" where it may not.
func (c *Collector) NewDevice(site *event.Site, v *Visitor) (device, cookie string, err error) {
	if v.Device != "" || v.GPC || v.DNT || c.infos.of(site, c.secret).policy != policyAssume {
		return "", "", nil
	}
	c.randomMu.Lock()
	defer c.randomMu.Unlock()
	device, signed, err := c.devices.Make(c.random)
	if err != nil {
		return "", "", err
	}
	return device, setCookie(signed, v.Secure), nil
}

// Hash returns the device that a visitor has without consent: the cookieless
// identity at a time, in Unix milliseconds.
func (c *Collector) Hash(site *event.Site, v *Visitor, at int64) string {
	return string(c.identity(c.infos.of(site, c.secret), appendConnection(nil, v.Address, v.agent), at, false, 0).append(nil))
}

// Page is what a request that is no event says of a page and how it came there.
type Page struct {
	Item, URL, Canonical, Referrer, Title string
	// Visitor is who asks, with a write key; nil: an API key.
	Visitor *Visitor
	// Routed says that the page's host is the site's, whatever its domains are.
	Routed bool
	// Columns are what an API key names of the row; nil: nothing.
	Columns *[event.NumColumns]string
	// Address is the reader's, as an API key names it.
	Address netip.Addr
}

var noColumns [event.NumColumns]string

// Describe fills the columns that the row of an event about a page would have.
// The error is a fault of the page's address, with its field.
func (c *Collector) Describe(site *event.Site, page *Page, columns *[event.NumColumns]string) *problem.Fault {
	p := c.parts.Get().(*part)
	defer c.parts.Put(p)
	r, _ := c.described.Get().(*request)
	if r == nil {
		r = new(request)
	}
	*r = request{collector: c, site: c.infos.of(site, c.secret), api: page.Visitor == nil, routed: page.Routed}
	p.reset(r)
	defer func() {
		p.request, *r = nil, request{}
		c.described.Put(r)
	}()
	if v := page.Visitor; v != nil {
		r.agent, r.language, r.who = v.agent, p.arena.primaryLanguage(v.languages), v.who
	}
	ev := p.begin()
	f := &p.fields
	f.text[fieldItem], f.text[fieldURL], f.text[fieldCanonical], f.text[fieldReferrer], f.text[fieldTitle] = page.Item, page.URL, page.Canonical, page.Referrer, page.Title
	p.cutTexts()
	if !p.judgePage(ev) {
		return &problem.Fault{Location: f.fault.path, Code: codeNames[f.fault.code], Message: f.fault.message}
	}
	ev.Columns[event.ColTitle] = f.text[fieldTitle]
	p.setConnection(ev)
	said := page.Columns
	if said == nil {
		said = &noColumns
	}
	if r.api {
		named := connection{place: c.placeOf(r.site, page.Address)}
		named.set(ev)
		if said[event.ColCountry] != "" {
			ev.Columns[event.ColCountry], ev.Columns[event.ColRegion], ev.Columns[event.ColCity] = "", "", ""
		}
		if said[event.ColChannel] != "" {
			ev.Columns[event.ColChannel] = ""
		}
	}
	for i, text := range ev.Columns {
		if text == "" {
			text = said[i]
		}
		columns[i] = strings.Clone(text) // the part's memory is used again
	}
	return nil
}
