package collect

import (
	"cmp"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/readership/readership/internal/enrich"
	"github.com/readership/readership/internal/event"
)

// Limits on times, in milliseconds.
const (
	dayMillis = 24 * 60 * 60 * 1000
	maxAhead  = 5 * 60 * 1000 // of the wall clock
	maxBehind = 2 * dayMillis // with a write key
)

// maxEngaged bounds the seconds of one engagement event.
const maxEngaged = 24 * 60 * 60

// judge turns the fields that were read into ev. stored is false if the site
// drops the event for want of consent; with a fault it is noted in p.fields.
func (p *part) judge(ev *event.Event) (stored bool) {
	f, r := &p.fields, p.request
	if f.text[fieldType] == "" {
		f.fail(codeMissingField, "type", "an event must have a type")
		return false
	}
	if tooLong(f.text[fieldType], event.MaxTypeBytes) {
		f.fail(codeTooLong, "type", "a type may have 64 characters")
		return false
	}
	if tooLong(f.text[fieldID], event.MaxIDBytes) {
		f.fail(codeTooLong, "id", "an id may have 128 characters")
		return false
	}
	if !r.api {
		if f.text[fieldIP] != "" || f.text[fieldUserAgent] != "" {
			path := "ip"
			if f.text[fieldIP] == "" {
				path = "user_agent"
			}
			f.fail(codeForbidden, path, "is taken from the connection; only an API key may name it")
			return false
		}
		if strings.HasPrefix(f.text[fieldDevice], accountPrefix) {
			f.fail(codeForbidden, "device", "only an API key may name the device of an account")
			return false
		}
	}
	p.cutTexts()
	if !p.judgeTime(ev) || !p.judgePage(ev) || !p.judgeNumbers(ev) {
		return false
	}
	if stored = p.identify(ev); !stored {
		return false
	}
	if l := r.collector.rates; l.hot(r, ev) {
		f.fail(codeTooOften, "device", l.perDevice)
		return false
	}
	ev.Columns[event.ColType] = f.text[fieldType]
	ev.Columns[event.ColTitle] = f.text[fieldTitle]
	ev.View = f.text[fieldView]
	if ev.ID = f.text[fieldID]; ev.ID == "" {
		ev.ID = p.makeID()
	} else if ev.View == "" && ev.Type() == event.TypePageView {
		ev.View = ev.ID // engagement may refer to the page view by its id
	}
	return true
}

// cutTexts cuts what is too long.
func (p *part) cutTexts() {
	f := &p.fields
	for _, field := range [...]field{fieldURL, fieldCanonical, fieldReferrer} {
		if len(f.text[field]) > event.MaxURLBytes {
			f.text[field] = p.cut(fieldNames[field], "", f.text[field], event.MaxURLBytes)
		}
	}
	for _, field := range [...]field{fieldDevice, fieldAccount, fieldTitle, fieldItem, fieldView, fieldUserAgent} {
		if len(f.text[field]) > event.MaxStringBytes {
			f.text[field] = p.cut(fieldNames[field], "", f.text[field], event.MaxStringBytes)
		}
	}
	for i := range f.event.Properties {
		if v := &f.event.Properties[i]; len(v.Value) > event.MaxStringBytes {
			path := "properties"
			if strings.HasPrefix(v.Name, traitPrefix) {
				path = "traits"
			}
			v.Value = p.cut(path, v.Name, v.Value, event.MaxStringBytes)
		}
	}
}

// judgeTime sets the event's time.
func (p *part) judgeTime(ev *event.Event) bool {
	f, r := &p.fields, p.request
	if !f.has(fieldTime) {
		ev.Time = r.received
		return true
	}
	ev.Time = f.time + r.shift
	switch {
	case ev.Time > r.received+maxAhead:
		if r.api {
			f.fail(codeTimeInFuture, "time", "is more than 5 minutes ahead of the server's clock")
			return false
		}
		ev.Time = r.received
		ev.Flags |= event.FlagClock
	case ev.Time < r.earliest:
		f.fail(codeTimeTooOld, "time", "is more than 48 hours past")
		return false
	case ev.Time < 0:
		f.fail(codeBadTime, "time", "lies before 1970")
		return false
	}
	return true
}

// hostMissing is the host of pages that have none, as those of apps.
const hostMissing = "(none)"

// judgePage sets the columns of the page and the item.
func (p *part) judgePage(ev *event.Event) bool {
	f, r := &p.fields, p.request
	came := enrich.Came{}
	page := f.text[fieldURL]
	if page != "" {
		at := locate(page)
		host := p.arena.lower(at.host)
		if f.noHost {
			host = hostMissing
		} else if !r.api && !r.routed && !r.site.owns(host) {
			f.fail(codeHostNotAllowed, "url", "its host "+strconv.Quote(host)+" is none of the site's domains")
			return false
		}
		ev.Columns[event.ColURL] = page
		p.setPlace(ev, host, at, &came)
	} else if page = f.text[fieldCanonical]; page != "" {
		at := locate(page)
		p.setPlace(ev, p.arena.lower(at.host), at, &came)
	}
	if referrer := f.text[fieldReferrer]; referrer != "" {
		ev.Columns[event.ColReferrer] = referrer
		came.Host = p.arena.lower(locate(referrer).host)
		ev.Columns[event.ColReferrerHost] = came.Host
	}
	if page != "" || came.Host != "" {
		p.setChannel(ev, &came)
	}
	if item := f.text[fieldItem]; item != "" {
		ev.Columns[event.ColItem] = item
		if page := cmp.Or(f.text[fieldCanonical], page); page != "" && p.hints() {
			p.hint(page, p.address(page))
		}
		return true
	}
	p.setItem(ev)
	return true
}

// setChannel sets the channel by which the page was reached.
func (p *part) setChannel(ev *event.Event, came *enrich.Came) {
	site := p.request.site
	switch {
	case came.Host == "":
	case len(site.hosts) > 0 && site.owns(came.Host), came.Host == ev.Columns[event.ColHost]:
		came.Kind = enrich.KindInternal
	default:
		came.Kind = enrich.KindOf(came.Host)
	}
	came.Source, came.Medium, came.Campaign = ev.Columns[event.ColUTMSource], ev.Columns[event.ColUTMMedium], ev.Columns[event.ColUTMCampaign]
	ev.Columns[event.ColChannel] = site.channels.Of(came)
}

// setPlace sets host, path and campaign, and notes the click ids.
func (p *part) setPlace(ev *event.Event, host string, at location, came *enrich.Came) {
	ev.Columns[event.ColHost] = host
	ev.Columns[event.ColPath] = at.path
	if at.path == "" {
		ev.Columns[event.ColPath] = "/"
	}
	for query := at.query; query != ""; {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		var column event.Column
		switch name {
		case "utm_source":
			column = event.ColUTMSource
		case "utm_medium":
			column = event.ColUTMMedium
		case "utm_campaign":
			column = event.ColUTMCampaign
		default:
			came.Clicks |= p.request.site.channels.Click(name)
			continue
		}
		if ev.Columns[column] == "" {
			value, _ = p.arena.unescape(value)
			ev.Columns[column] = value[:cutAt(value, event.MaxStringBytes)]
		}
	}
}

// setItem finds the catalogue entry that owns the page's address, canonical
// before url; an address that nobody owns stands for itself.
func (p *part) setItem(ev *event.Event) {
	f, r := &p.fields, p.request
	item := ""
	for _, field := range [...]field{fieldCanonical, fieldURL} {
		page := f.text[field]
		if page == "" {
			continue
		}
		address := p.address(page)
		if item == "" && p.hints() {
			p.hint(page, address)
		}
		if id, ok := r.collector.items.ItemByAddress(r.site.ID, address); ok {
			ev.Columns[event.ColItem] = id
			return
		}
		if item == "" {
			item = address
		}
	}
	if item != "" {
		ev.Columns[event.ColItem] = item
		ev.Flags |= event.FlagItemFromURL
	}
}

// address makes the address of an item of a page's.
func (p *part) address(page string) string {
	params := p.request.site.IDParams
	room := len(page) + 8
	for _, name := range params {
		room += len(name) + 2
	}
	return p.arena.take(appendAddress(p.arena.room(room), page, params))
}

// hints says whether the event is a page view that a browser tells of.
func (p *part) hints() bool {
	r := p.request
	return r.collector.hint != nil && !r.api && !r.debug && p.fields.text[fieldType] == event.TypePageView
}

// hint tells who fills the catalogue which page was viewed.
func (p *part) hint(page, address string) {
	r := p.request
	r.collector.hint(r.site.Site, page, address, r.received)
}

// judgeNumbers sets engagement and value.
func (p *part) judgeNumbers(ev *event.Event) bool {
	f, r := &p.fields, p.request
	if f.text[fieldType] == event.TypeEngagement && f.text[fieldView] == "" {
		f.fail(codeMissingField, "view", "an engagement must name the view of its page")
		return false
	}
	if f.has(fieldEngaged) {
		v := f.number[fieldEngaged]
		if !(v >= 0 && v <= maxEngaged) {
			f.fail(codeWrongType, "engaged_seconds", "must be between 0 and 86400")
			return false
		}
		ev.EngagedMillis = uint32(math.Round(v * 1000))
	}
	if f.has(fieldScroll) {
		v := f.number[fieldScroll]
		if !(v >= 0 && v <= 100) {
			f.fail(codeWrongType, "scroll_percent", "must be between 0 and 100")
			return false
		}
		ev.Scroll = uint8(math.Round(v))
	}
	if c := f.text[fieldCurrency]; c != "" {
		if !isCurrency(c) {
			f.fail(codeWrongType, "currency", "must be a code of three letters")
			return false
		}
		ev.Columns[event.ColCurrency] = p.arena.upper(c)
	}
	if f.has(fieldValue) {
		micros, ok := event.Micros(f.number[fieldValue])
		if !ok {
			f.fail(codeWrongType, "value", "is out of range")
			return false
		}
		ev.Value = micros
		ev.Flags |= event.FlagHasValue
		if ev.Columns[event.ColCurrency] == "" {
			ev.Columns[event.ColCurrency] = r.site.Currency
		}
	}
	return true
}

func isCurrency(s string) bool {
	if len(s) != 3 {
		return false
	}
	for i := range len(s) {
		if (s[i]|0x20)-'a' >= 26 {
			return false
		}
	}
	return true
}

// upper returns s, ASCII letters, in upper case.
func (a *arena) upper(s string) string {
	for i := range len(s) {
		if s[i]-'a' < 26 {
			b := append(a.room(len(s)), s...)
			for i := range b {
				b[i] &^= 0x20
			}
			return a.take(b)
		}
	}
	return s
}

const accountPrefix = "account:"

// identify sets the reader by what the event and the request say of consent.
// It returns false if the site drops the event.
func (p *part) identify(ev *event.Event) (stored bool) {
	f, r := &p.fields, p.request
	device, account := f.text[fieldDevice], f.text[fieldAccount]
	said := f.consent
	if said == saidNothing {
		said = f.tcf
	}
	refused, why := false, lackSilent
	switch {
	case said == saidNo:
		refused, why = true, lackRefused
	case said == saidYes:
	case r.gpc:
		refused, why = true, lackGPC
	case r.dnt:
		refused, why = true, lackDNT
	case device != "" || account != "" || r.cookieDevice != "":
	case r.site.policy == policyAssume:
		said = saidYes
	default:
		refused = true
	}
	if refused && r.site.policy == policyDrop {
		p.noConsent[why]++
		return false
	}
	p.setConnection(ev)
	switch {
	case refused:
		if why != lackSilent || !describesPage(f.text[fieldType]) {
			ev.Properties = ev.Properties[:0]
		} else if f.traits > 0 {
			ev.Properties = p.withoutTraits(ev.Properties)
		}
		p.setHash(ev)
		return true
	case r.cookieDevice != "":
		ev.Device = r.cookieDevice
	case device != "":
		ev.Device = device
		if !r.api {
			ev.Flags |= event.FlagClaimedDevice
		}
	case account != "":
		if proven := p.proves(ev, account); proven != "" {
			account = proven
		}
		ev.Device = p.arena.join(accountPrefix, account)
	}
	// A client of a dialect that names its reader does so the next time too: with a
	// cookie it would be another reader then. Where readers without a cookie share a
	// meter, only decisions make devices, which it lets through.
	named := r.unnamed || r.site.Identity.WithoutCookie == event.WithoutCookieDaily || r.dialect != nil && ev.Device != ""
	if !r.api && !named && r.cookieDevice == "" && (said == saidYes || r.site.policy == policyAssume) {
		// A signed device is always a new one: whoever could have a named
		// one signed could be somebody else.
		if fresh := r.freshDevice(); ev.Device == "" {
			ev.Device = fresh
		}
	}
	if ev.Device == "" {
		p.setHash(ev)
	}
	if proven := p.proves(ev, account); proven != "" {
		account = proven
		ev.Flags |= event.FlagProven
	}
	ev.Columns[event.ColAccount] = account
	return true
}

// proves returns the account that is proven of the reader of ev, "" if none is:
// by a token that verified, by an API key that names it, or by a login of a
// device that is not a claim. Proof beats what the event claims.
func (p *part) proves(ev *event.Event, claim string) string {
	r := p.request
	switch {
	case r.token != nil && r.token.Account != "":
		return r.token.Account
	case r.api && claim != "":
		return claim
	case r.collector.logins == nil || ev.Device == "" || ev.Flags&event.FlagClaimedDevice != 0:
		return ""
	}
	account, _ := r.collector.logins.Login(r.site.ID, ev.Device)
	return account
}

// describesPage says whether the properties of a type say something of the
// page and not of its reader.
func describesPage(eventType string) bool {
	return eventType == event.TypePageView || eventType == event.TypeRequest
}

func (p *part) withoutTraits(properties []event.Property) []event.Property {
	kept := properties[:0]
	for _, property := range properties {
		if !strings.HasPrefix(property.Name, traitPrefix) {
			kept = append(kept, property)
		}
	}
	return kept
}

// setConnection sets what follows from the connection.
func (p *part) setConnection(ev *event.Event) {
	r := p.request
	if !r.api {
		ev.Columns[event.ColLanguage] = r.language
		r.who.set(ev)
		return
	}
	var who connection
	if agent := p.fields.text[fieldUserAgent]; agent != "" {
		who.setAgent(r.collector.enrich.Agents.Parse(agent))
	}
	if ip := p.fields.text[fieldIP]; ip != "" {
		address, _ := parseAddress(ip)
		who.place = r.collector.placeOf(r.site, address)
	}
	who.set(ev)
}

// cookielessMark begins the devices that are hashes, of hashBytes in all.
const (
	cookielessMark = "~"
	hashBytes      = len(cookielessMark) + 22
)

// addressBytes is what an address takes as text.
const addressBytes = 48

// appendConnection appends what of a connection hashOf takes: the address and
// the user agent, with a zero between them.
func appendConnection(dst []byte, address netip.Addr, agent string) []byte {
	if address.IsValid() {
		dst = address.AppendTo(dst)
	}
	return append(append(dst, 0), agent...)
}

// setHash makes the cookieless identity: a keyed hash of address and user
// agent, under the site's salt of the day on which the visit began.
func (p *part) setHash(ev *event.Event) {
	f, r := &p.fields, p.request
	ev.Flags |= event.FlagCookieless
	if f.text[fieldType] == event.TypeEngagement {
		ev.Flags |= event.FlagNoDevice // the address may have changed: the view decides
	}
	if ev.Device = f.hash; f.hash != "" {
		return
	}
	address, said, agent := r.address, "", r.agent
	if r.api {
		address, said, agent = netip.Addr{}, f.text[fieldIP], f.text[fieldUserAgent]
		if parsed, ok := parseAddress(said); ok && len(said) <= 64 {
			address, said = parsed, ""
		}
	}
	in := append(p.arena.room(addressBytes+len(said)+1+len(agent)), said...)
	h := r.collector.identity(r.site, appendConnection(in, address, agent), ev.Time, !r.debug, r.received)
	ev.Device = p.arena.take(h.append(p.arena.room(hashBytes)))
}
