package ask

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/identity"
	"github.com/readership/readership/internal/problem"
)

// asker asks the questions of one call.
type asker struct {
	front   *Front
	call    *Call
	own     collect.Visitor // with a write key
	named   collect.Visitor // by an API key
	account string          // proven of own
	cookie  string          // of a device that was made for own
	unknown string          // the identity of the day that own has to pass as first; "": it need not
	session session
	page    collect.Page // of the question that is being laid out
}

// asker settles who makes a call.
func (f *Front) asker(c *Call) (*asker, error) {
	a := &asker{front: f, call: c}
	return a, a.settle()
}

// settle settles who makes the call.
func (a *asker) settle() error {
	f, c := a.front, a.call
	if c.Any {
		return nil
	}
	a.own = f.Visitors.Visitor(c.Site, c.Request)
	a.account = f.Visitors.Account(c.Site, &a.own)
	if a.own.Device != "" || a.account != "" {
		return nil
	}
	device, cookie, err := f.Visitors.NewDevice(c.Site, &a.own)
	if err != nil {
		return err
	}
	if a.own.Device, a.cookie = device, cookie; device == "" {
		a.session = f.session(c, &a.own)
	} else if c.Site.Identity.WithoutCookie == event.WithoutCookieDaily {
		a.unknown = f.Visitors.Hash(c.Site, &a.own, f.Service.SiteNow(c.Site))
	}
	return nil
}

// users are the identities of the day under which a session reader may have asked
// for what can still be committed: midnight may lie between. nil of other readers.
func (a *asker) users() []string {
	if a.session.user == "" {
		return nil
	}
	before := a.front.Visitors.Hash(a.call.Site, &a.own, a.session.now-access.BareTime.Milliseconds())
	return []string{a.session.user, engine.ReaderName(before)}
}

// errNotYours is the answer to a write key that asks about somebody else.
func errNotYours() *problem.Problem {
	return problem.New(http.StatusForbidden, "a write key decides for the reader who sends the request").WithCode("not_your_reader")
}

// ask lays a question out, its columns in empty ones; at is its place in the body.
func (a *asker) ask(q *question, at string, out *access.Ask, columns *[event.NumColumns]string, faults *[]problem.Fault) error {
	fail := func(field, code, message string) {
		*faults = append(*faults, problem.Fault{Location: at + field, Code: code, Message: message})
	}
	*out = access.Ask{Site: a.call.Site, Access: q.access, Commit: q.commit, At: max(q.at, q.time), Segments: a.call.Any || a.call.Segments, Position: a.call.Position}
	if q.time != 0 && a.call.Site.Clock != event.ClockEvent {
		fail(".time", "bad_value", "is for sites with clock event; here the time is now")
	}
	page := &a.page
	*page = collect.Page{Item: q.item, URL: q.page.url, Canonical: q.page.canonical, Referrer: q.page.referrer, Title: q.page.title, Columns: &q.page.columns, Routed: q.page.routed}
	address, domain := netip.Addr{}, ""
	switch {
	case a.call.Any:
		a.any(q, out, fail)
		if q.page.ip != "" {
			var err error
			if address, err = netip.ParseAddr(q.page.ip); err != nil {
				fail(".request.ip", "bad_value", "is not an IP address")
			}
			page.Address = address
		}
	default:
		for _, named := range q.page.named {
			fail(strings.TrimPrefix(named, at), "forbidden", "is taken from the connection; only an API key may name it")
		}
		if err := a.self(q, out); err != nil {
			return err
		}
		page.Visitor, address = &a.own, a.own.Address
		out.Given.Verified = a.front.Visitors.Verified(&a.own)
		if t := a.own.Token; t != nil {
			out.Token, out.Given.Entitlements, domain = t.Status, t.Entitlements, t.Domain
		}
	}
	out.Given.Columns = columns
	defer func() { *page = collect.Page{} }()
	if fault := a.front.Visitors.Describe(a.call.Site, page, out.Given.Columns); fault != nil {
		fail(".request."+fault.Location, fault.Code, fault.Message)
	}
	out.Item = out.Given.Columns[event.ColItem]
	out.Given.Lists = a.front.Profiles(a.call.Site.ID).Matches(address.Unmap().WithZone(""), domain)
	out.Given.Link = a.link(&q.page)
	return nil
}

// any names the reader of an API key's question.
func (a *asker) any(q *question, out *access.Ask, fail func(field, code, message string)) {
	account := q.account
	if account == "" && q.device != "" {
		a.named = collect.Visitor{Device: q.device}
		account = a.front.Visitors.Account(a.call.Site, &a.named)
	}
	out.Device = q.device
	switch {
	case account != "":
		out.Reader = engine.AccountSubject(account)
	case q.device != "":
		out.Reader = engine.ReaderName(q.device)
	default:
		fail(".reader", "missing_field", "names a device, an account or both")
	}
}

// self names the reader of a write key's question: who sends it. A device that
// only the body names is a claim: decisions see its events, and nothing else is its.
func (a *asker) self(q *question, out *access.Ask) error {
	if q.account != "" && q.account != a.account || q.device != "" && a.own.Device != "" && q.device != a.own.Device {
		return errNotYours()
	}
	out.Device = a.own.Device
	switch {
	case a.account != "":
		out.Reader = engine.AccountSubject(a.account)
	case a.own.Device != "":
		out.Reader = engine.ReaderName(a.own.Device)
	default:
		out.Reader = a.session.user
		out.Given.Session = &access.Session{User: a.session.user, Burns: a.session.burns}
		if q.device != "" {
			out.Claimed, out.Given.Session.Claimed = engine.ReaderName(q.device), true
		}
	}
	return nil
}

// linkParam is the parameter of an address in which a signed link stands.
const linkParam = "rs"

// link returns the signed link of the site that came with a request; nil: none.
func (a *asker) link(p *page) *identity.Link {
	token := p.link
	if token == "" {
		_, query, _ := strings.Cut(p.url, "?")
		if !strings.Contains(query, linkParam+"=") {
			return nil
		}
		query, _, _ = strings.Cut(query, "#")
		values, _ := url.ParseQuery(query) // what can be read of it
		token = values.Get(linkParam)
	}
	if link, ok := a.front.Links.Open(token); ok && link.Site == a.call.Site.ID {
		return &link
	}
	return nil
}

// cookies returns what the answer sets.
func (a *asker) cookies() (out []string, err error) {
	if a.cookie != "" {
		out = append(out, a.cookie)
	}
	if a.session.changed {
		cookie, err := a.session.cookie()
		if err != nil {
			return nil, err
		}
		out = append(out, cookie)
	}
	return out, nil
}
