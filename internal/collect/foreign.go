package collect

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/problem"
)

// HeaderVerdict names what became of the events of a foreign tracker's request:
// stored, bot (stored, of a robot), duplicate, no_consent, invalid:<path>; each
// once, in this order, where a request has several.
const (
	HeaderVerdict = "X-Readership-Verdict"
	HeaderDebug   = "X-Readership-Debug"
)

// maxSites bounds the sites that one request may bring events of.
const maxSites = 16

// foreign is a request in a dialect. Its methods are what a dialect is written
// with: event, the fields of it, store, and answer at the end.
type foreign struct {
	*exchange
	dialect *dialect
	ctx     context.Context
	segment string // of the path: what varies
	asked   params // of the query
	tree    tree   // of the body
	inner   tree   // of a text within
	form    params

	targets  []*target
	current  *target // of the event that is being filled; nil: it has no site
	lost     lost    // takes such an event
	verdicts verdicts
	failed   bool // the answer has been made: the events could not be stored
}

// target gathers the events of one site that one kind of sender names.
type target struct {
	request request
	part    *part
}

// lost is an event that belongs to no site.
type lost struct {
	fields fields
	event  event.Event
	path   string // of the field that names none
}

// unknownSite is the code of a lost event.
const unknownSite = "unknown_site"

// verdicts are what became of the events so far.
type verdicts struct {
	stored, bot, duplicate, noConsent bool
	invalid                           []string // the paths, each once
}

// maxInvalid bounds the paths that the verdict names.
const maxInvalid = 8

func (v *verdicts) invalidate(path string) {
	for _, known := range v.invalid {
		if known == path {
			return
		}
	}
	if len(v.invalid) < maxInvalid {
		v.invalid = append(v.invalid, strings.Clone(path))
	}
}

// text is the header's value, "" if there was no event.
func (v *verdicts) text() string {
	var all []string
	for _, one := range []struct {
		is   bool
		name string
	}{{v.stored, "stored"}, {v.bot, "bot"}, {v.duplicate, "duplicate"}, {v.noConsent, "no_consent"}} {
		if one.is {
			all = append(all, one.name)
		}
	}
	for _, path := range v.invalid {
		all = append(all, "invalid:"+headerSafe(path))
	}
	return strings.Join(all, ", ")
}

// headerSafe keeps of a path what may stand in a header.
func headerSafe(path string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || r == ',' {
			return '_'
		}
		return r
	}, path)
}

// foreign answers a request for an address of a dialect.
func (x *exchange) foreign(ctx context.Context) {
	found, segment := spoken.find(x.q.Path)
	if found == nil {
		x.problem(problem.New(http.StatusNotFound, "there is nothing at this address"))
		return
	}
	if x.q.Method == http.MethodOptions {
		x.preflight(found.allowed)
		return
	}
	by := found.answerer(x.q.Method)
	if by == nil {
		x.problem(problem.Newf(http.StatusMethodNotAllowed, "the method must be one of %s", found.allowed).WithHeader("Allow", found.allowed))
		return
	}
	f := &foreign{exchange: x, dialect: by.dialect, ctx: ctx, segment: segment}
	defer f.end()
	x.request = request{collector: x.c, received: x.c.now().UnixMilli(), dialect: by.dialect}
	f.asked = f.asked.read(x.q.Query, &x.arena)
	x.request.debug = isOn(f.asked.get("debug")) || isOn(x.q.Header.Get(HeaderDebug))
	if by.stub || f.take() {
		by.answer(f)
	}
}

func isOn(value string) bool { return value == "1" || value == "true" }

// take makes sure that there is room and reads the body; false if the request
// has been refused.
func (x *foreign) take() bool {
	if x.request.debug {
		// stores nothing
	} else if err := x.c.committer.Ready(); err != nil {
		x.refuse(commitProblem(err))
		return false
	} else if !x.admit() {
		x.refuse(commitProblem(eventlog.ErrOverloaded))
		return false
	}
	coding, p := bodyCoding(x.q.Header)
	if p != nil {
		x.refuse(p, "unsupported")
		return false
	}
	if p, reason := x.readBody(coding); p != nil {
		x.refuse(p, reason)
		return false
	}
	return true
}

// refuse answers for a body that cannot be read. It is counted if the site is
// known by then.
func (x *foreign) refuse(p *problem.Problem, reason string) {
	x.failed = true
	p = x.dialect.finally(p)
	if x.request.site == nil {
		x.unread(p)
		return
	}
	x.exchange.refuse(p, x.request.reason(reason))
}

// end gives back what the request held.
func (x *foreign) end() {
	for _, t := range x.targets {
		t.part.request = nil
		x.c.parts.Put(t.part)
	}
	x.targets, x.part = nil, nil
}

// reason is a code as the ledger counts it: with the dialect that it came in.
func (r *request) reason(code string) string {
	if r.dialect == nil {
		return code
	}
	return r.dialect.name + ":" + code
}

// speak says that the request is in another dialect than the one whose address
// it came to, for addresses that two have in common.
func (x *foreign) speak(d *dialect) { x.dialect, x.request.dialect = d, d }

// json reads the body as JSON, whatever its Content-Type says. Bytes that are
// not UTF-8 are replaced. If it is not JSON, 400 is answered and ok is false.
func (x *foreign) json() (doc value, ok bool) {
	doc, why, at := x.parse(&x.tree, text(x.body))
	if why != "" {
		x.refuse(malformed(x.body, at, why), "malformed_json")
		x.verdicts.invalidate("body")
		x.out.Set(HeaderVerdict, x.verdicts.text())
		return value{}, false
	}
	return doc, true
}

// parse reads a text as JSON into t, whose last reading is gone; why says what is
// wrong with it at a byte.
func (x *foreign) parse(t *tree, source string) (doc value, why string, at int) {
	return t.read(bytesOf(strings.ToValidUTF8(source, "\uFFFD")), &x.arena)
}

// object returns v, or what a text says as JSON, if that is an object. Only one
// such text is held at a time.
func (x *foreign) object(v value) value {
	if v.kind() == kindString {
		v, _, _ = x.parse(&x.inner, v.text())
	}
	if v.kind() != kindObject {
		return value{}
	}
	return v
}

// params reads a form or a query; what it returned before is gone.
func (x *foreign) params(source string) params {
	x.form = x.form.read(source, &x.arena)
	return x.form
}

// siteNamed finds a site by its id, an alias or a domain. If there is none the
// next event is invalid at path.
func (x *foreign) siteNamed(path, name string) sender {
	return sender{site: x.c.siteNamed(name), path: path}
}

// siteOfKey finds a site by its write key.
func (x *foreign) siteOfKey(path, key string) sender {
	return sender{site: x.c.siteOfKey(key), path: path}
}

// siteForKey finds a site by its name for a sender with an API key of scope
// events:import, who may say when and where from something was.
func (x *foreign) siteForKey(path, name, keyPath, key string) sender {
	s := x.siteNamed(path, name)
	principal, known := x.c.keys.APIKey(key)
	if s.site != nil && (!known || !principal.Has(auth.EventsImport, "") || !principal.Reaches(s.site.ID)) {
		return sender{path: keyPath}
	}
	s.api = true
	return s
}

// sender is for which site, and as whom, a request speaks.
type sender struct {
	site *event.Site
	api  bool
	path string // of the field that names the site
}

// known says whether there is such a site.
func (s sender) known() bool { return s.site != nil }

// belongs says whose request it is, before there is an event: so that a body that
// cannot be read is counted.
func (x *foreign) belongs(s sender) {
	if s.known() && x.request.site == nil {
		x.request.site = x.c.infos.of(s.site, x.c.secret)
	}
}

// bearer is the key of the Authorization header, "" if there is none.
func (x *foreign) bearer() string { return bearer(x.q.Header.Get("Authorization")) }

// event begins the next event and returns its fields, to be filled until store.
// If the sender is not known the event is invalid, and counted nowhere.
func (x *foreign) event(s sender) *fields {
	x.current = x.targetOf(s)
	if x.current == nil {
		x.verdicts.invalidate(s.path)
		x.lost.path = s.path
		x.lost.fields.reset(&x.lost.event)
		return &x.lost.fields
	}
	p := x.current.part
	x.part = p
	p.n = x.tally.seen
	p.begin()
	return &p.fields
}

// targetOf returns the target of a sender, nil if it is not known or one too many.
func (x *foreign) targetOf(s sender) *target {
	if s.site == nil {
		return nil
	}
	for _, t := range x.targets {
		if t.request.site.Site == s.site && t.request.api == s.api {
			return t
		}
	}
	if len(x.targets) == maxSites {
		return nil
	}
	t := &target{request: x.request, part: x.c.parts.Get().(*part)}
	r := &t.request
	r.site, r.api, r.unnamed = x.c.infos.of(s.site, x.c.secret), s.api, x.dialect.cookieless
	if r.earliest = minTime; !r.api {
		r.earliest = r.earliestTime()
		x.readConnection(x.q, r)
	}
	t.part.reset(r)
	x.targets = append(x.targets, t)
	if x.request.site == nil {
		x.request.site = r.site
	}
	r.key = x.c.rates.buckets.Key(bucketKey, s.site.ID)
	if p, reason := x.limit(r); p != nil && !x.failed {
		x.refuse(p, reason)
	}
	return t
}

// store judges the event that was filled last. Parts that are full are
// committed; false if that failed, and 503 has been answered.
func (x *foreign) store() bool {
	x.tally.seen++
	if x.current == nil {
		x.tally.reject(rejection{x.tally.seen - 1, unknownSite, x.lost.path, "no site is known by this name or key"})
		return !x.failed
	}
	if x.failed {
		return false
	}
	p := x.part
	p.fields.limitSize()
	before, lacking := p.total, p.noConsent
	p.finish(&p.events[len(p.events)-1])
	switch {
	case p.total > before:
		x.verdicts.invalidate(p.faultPath())
	case p.noConsent != lacking:
		x.verdicts.noConsent = true
	}
	if p.full() {
		return x.commitTarget(x.current)
	}
	return true
}

// faultPath is where the event that was rejected last was wrong.
func (p *part) faultPath() string {
	f := &p.fields.fault
	switch {
	case f.path == "":
		return f.code.String()
	case f.name != "":
		return f.path + "." + f.name
	}
	return f.path
}

// limitSize rejects an event that is larger than one may be.
func (f *fields) limitSize() {
	n := 0
	for _, t := range f.text {
		n += len(t)
	}
	for i := range f.event.Properties {
		n += len(f.event.Properties[i].Name) + len(f.event.Properties[i].Value)
	}
	if n > event.MaxEventBytes {
		f.fail(codeTooLong, "", "an event may have 32 KB")
	}
}

// commitTarget stores what a target has gathered.
func (x *foreign) commitTarget(t *target) bool {
	p := t.part
	if x.request.debug {
		x.debugged.add(p, 0)
		x.tally.addAt(0, p, false)
		for i := range p.events {
			x.judged(&p.events[i], eventlog.Verdict{Outcome: eventlog.Stored})
		}
	} else {
		err := x.c.commitPart(x.ctx, p)
		x.tally.addAt(0, p, true)
		for i, v := range p.sub.Verdicts[:min(p.sub.Done, len(p.sub.Verdicts))] {
			x.judged(&p.events[i], v)
		}
		if err != nil {
			x.refuse(commitProblem(err))
			return false
		}
		x.out.Position = max(x.out.Position, p.sub.Position)
	}
	p.reset(&t.request)
	return true
}

// judged notes what became of an event.
func (x *foreign) judged(ev *event.Event, v eventlog.Verdict) {
	switch v.Outcome {
	case eventlog.Stored:
		if ev.Flags&event.FlagRobot != 0 {
			x.verdicts.bot = true
		} else {
			x.verdicts.stored = true
		}
	case eventlog.Duplicate:
		x.verdicts.duplicate = true
	case eventlog.Rejected:
		x.verdicts.invalidate("time")
	}
}

// commit stores all events that were filled. ok is false if that failed, and
// 503 has been answered. Afterwards tally and verdicts say what became of them.
func (x *foreign) commit() (ok bool) {
	for _, t := range x.targets {
		if x.failed || t.part.n > 0 && !x.commitTarget(t) {
			return false
		}
	}
	return !x.failed
}

// answer stores what is not yet and answers, if nothing has been answered.
func (x *foreign) answer(status int, contentType, body string) {
	if !x.commit() {
		return
	}
	x.head()
	if x.request.debug && x.tally.seen > 0 {
		x.answerTally()
		return
	}
	x.reply(status, contentType, body)
}

// reply answers as it is told.
func (x *foreign) reply(status int, contentType, body string) {
	x.out.Status, x.out.ContentType = status, contentType
	x.out.Body = append(x.out.Body, body...)
}

// head writes the headers of an answer to events that were committed.
func (x *foreign) head() {
	x.out.Set("Cache-Control", "no-store")
	if verdict := x.verdicts.text(); verdict != "" {
		x.out.Set(HeaderVerdict, verdict)
	}
	for _, t := range x.targets {
		if t.request.cookie != "" {
			x.request.cookie, x.request.secure, x.request.failed = t.request.cookie, t.request.secure, t.request.failed
			break
		}
	}
	x.setCookie()
}

// answerGIF is answer with a picture of one pixel.
func (x *foreign) answerGIF() { x.answer(http.StatusOK, "image/gif", gif) }

// id makes the idempotency key of an event from the client's, "" of "". Keys of
// different dialects never meet.
func (x *foreign) id(parts ...string) string {
	return x.mark(event.MaxIDBytes, parts)
}

// view makes the id of a page view from what the client knows of it.
func (x *foreign) view(parts ...string) string {
	return x.mark(event.MaxStringBytes, parts)
}

// mark joins parts behind the dialect's name. What is longer than limit, or
// could be taken apart differently, is hashed.
func (x *foreign) mark(limit int, parts []string) string {
	own := strings.Join(parts, " ")
	if strings.TrimSpace(own) == "" {
		return ""
	}
	if len(x.dialect.name)+1+len(own) > limit || len(parts) > 1 {
		sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
		own = base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	return x.arena.join(x.dialect.name, ":", own)
}

// setType sets the type of an event to a name of the client's. A longer one than
// types may have is cut, and kept as the property name.
func (x *foreign) setType(f *fields, name string) {
	if tooLong(name, event.MaxTypeBytes) {
		x.put(fieldProperties, "name", name, event.KindString)
		name = name[:cutAt(name, event.MaxTypeBytes)]
	}
	f.text[fieldType] = name
}

// pageView is the id of a page view of a client that sends none: of this
// visitor, this page and the day of a time, in Unix milliseconds.
func (x *foreign) pageView(page string, at int64) string {
	if x.current == nil {
		return ""
	}
	return x.view(x.current.request.visitorHash(at), page)
}

// visitorHash is the cookieless identity of who sends the request, on the day of
// a time in Unix milliseconds.
func (r *request) visitorHash(at int64) string {
	return string(hashOf(r.site.saltOf(at/dayMillis), appendConnection(nil, r.address, r.agent)).append(nil))
}

// keepAll takes the members of an object as properties or traits; see keep.
func (x *foreign) keepAll(where field, object value) {
	for name, v := range object.members() {
		x.keep(where, name, v)
	}
}

// maxFlat is how deep objects are laid flat.
const maxFlat = 4

// keep takes a value as a property or trait: texts, numbers and booleans as they
// are, the members of objects as name.member, lists as their JSON. What is null
// is left out; what has no room among the names is left out and named with the
// texts that were cut.
func (x *foreign) keep(where field, name string, v value) { x.keepFlat(where, name, v, 1) }

func (x *foreign) keepFlat(where field, name string, v value, depth int) {
	switch k := v.kind(); k {
	case kindNone, kindNull:
	case kindObject:
		if depth < maxFlat {
			for member, m := range v.members() {
				x.keepFlat(where, x.arena.join(name, ".", member), m, depth+1)
			}
			return
		}
		x.put(where, name, v.raw(), event.KindString)
	case kindNumber:
		x.putCanonical(where, name, v.raw())
	case kindTrue, kindFalse:
		x.put(where, name, v.raw(), event.KindBool)
	default:
		x.put(where, name, v.raw(), event.KindString)
	}
}

// put takes a property or trait of the event that is being filled.
func (x *foreign) put(where field, name, value string, kind event.Kind) {
	if x.current == nil || name == "" {
		return
	}
	p := x.part
	f := &p.fields
	if len(name) > event.MaxIDBytes {
		name = p.cut(fieldNames[where], name, name, event.MaxIDBytes)
	}
	held := len(f.event.Properties) - f.traits
	if where == fieldTraits {
		held = f.traits
		name = x.arena.join(traitPrefix, name)
	}
	if held == event.MaxProperties && !f.holds(name) {
		p.cut(fieldNames[where], name, name, 0)
		return
	}
	f.property(where, name, value, kind)
}

// holds says whether a property is there.
func (f *fields) holds(name string) bool {
	for i := range f.event.Properties {
		if f.event.Properties[i].Name == name {
			return true
		}
	}
	return false
}

// putText is put of a text that is not empty.
func (x *foreign) putText(where field, name, value string) {
	if value != "" {
		x.put(where, name, value, event.KindString)
	}
}

// putNumber is put of a number; of what is none it is putText.
func (x *foreign) putNumber(name, number string) {
	s := scanner{src: bytesOf(number), arena: &x.arena}
	if _, _ = s.number(); number == "" || s.why != "" || !s.end() {
		x.putText(fieldProperties, name, number)
		return
	}
	x.putCanonical(fieldProperties, name, number)
}

// putCanonical is put of a JSON number; one that fits no 64 bits stays a text.
func (x *foreign) putCanonical(where field, name, number string) {
	if canonical, ok := x.arena.canonicalNumber(number, false); ok {
		x.put(where, name, canonical, event.KindNumber)
	} else {
		x.put(where, name, number, event.KindString)
	}
}

// setMillis sets when the event happened, in Unix milliseconds.
func (f *fields) setMillis(at int64) {
	f.given |= 1 << fieldTime
	f.time = at
	f.checkTime(true)
}

// setTime sets when the event happened: RFC 3339 or Unix milliseconds, the
// server's time of "". shift is what the sender's clock is behind ours.
func (f *fields) setTime(at string, shift int64) {
	if at == "" {
		return
	}
	millis, ok := parseQueryTime(at)
	if !ok {
		f.fail(codeBadTime, "time", "must be an RFC 3339 time with an offset, or integer Unix milliseconds")
		return
	}
	f.setMillis(millis + shift)
}

// behind returns what the sender's clock is behind ours, in milliseconds, by
// when it says that it sent the request; 0 of what is no time.
func (x *foreign) behind(sent string) int64 {
	at, ok := parseQueryTime(sent)
	if !ok {
		return 0
	}
	return x.request.received - at
}

// setMoney sets value and currency; what is no number or no currency is left out.
func (f *fields) setMoney(amount value, currency string) {
	if n, ok := amount.number(); ok {
		f.setValue(n, currency)
	}
}

// setValue is setMoney of a number.
func (f *fields) setValue(n float64, currency string) {
	if _, ok := event.Micros(n); !ok {
		return
	}
	f.set(fieldValue, n)
	if isCurrency(currency) {
		f.text[fieldCurrency] = currency
	}
}

// set sets a number field.
func (f *fields) set(field field, n float64) {
	f.number[field] = n
	f.given |= 1 << field
}
