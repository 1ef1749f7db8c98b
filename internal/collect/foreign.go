package collect

import (
	"context"
	"net/http"
	"strings"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
	"github.com/readership/readership/internal/problem"
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
	size    int // bytes of the texts of the part
}

// lost is an event that belongs to no site.
type lost struct {
	fields fields
	event  event.Event
	path   string // of the field that names none
}

// unknownSite is the code of a lost event.
const unknownSite = "unknown_site"

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
	if err := x.c.committer.Ready(); err != nil && !x.request.debug {
		x.refuse(commitProblem(err))
		return false
	}
	if !x.admit() {
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
	x.current.size += p.fields.limitSize()
	before, lacking := p.total, p.noConsent
	p.finish(&p.events[len(p.events)-1])
	switch {
	case p.total > before:
		x.verdicts.invalidate(p.faultPath())
	case p.noConsent != lacking:
		x.verdicts.noConsent = true
	}
	if p.full() || x.current.size >= partBytes {
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

// limitSize returns the size of an event and rejects one that is larger than one
// may be.
func (f *fields) limitSize() (n int) {
	for _, t := range f.text {
		n += len(t)
	}
	for i := range f.event.Properties {
		n += len(f.event.Properties[i].Name) + len(f.event.Properties[i].Value)
	}
	if n > event.MaxEventBytes {
		f.fail(codeTooLong, "", "an event may have 32 KB")
	}
	return n
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
	t.size = 0
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
