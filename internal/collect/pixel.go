package collect

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// gif is a transparent picture of one pixel.
const gif = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;"

// pixel answers GET /v1/pixel.gif: one event, its fields as parameters. A
// picture in a page without script can name neither type nor page: then it is a
// page view of the page that the browser says it stands in.
func (x *exchange) pixel(ctx context.Context) {
	x.out.Set("Cache-Control", "no-store")
	if p := x.authorize(ctx); p != nil {
		x.problem(p)
		return
	}
	if p, reason := x.limit(&x.request); p != nil {
		x.refuse(p, reason)
		return
	}
	if err := x.c.committer.Ready(); err != nil && !x.request.debug {
		p, reason := commitProblem(err)
		x.refuse(p, reason)
		return
	}
	x.single = true
	p := x.part
	if p == nil {
		p = x.c.parts.Get().(*part)
		x.part = p
	}
	p.reset(&x.request)
	ev := p.begin()
	if fault := readPixel(x.q.Query, &p.fields, &p.arena); fault != nil {
		p.events = p.events[:0]
		x.refuse(problem.New(http.StatusBadRequest, "the query cannot be read", *fault), "malformed_query")
		return
	}
	if f := &p.fields; f.text[fieldType] == "" {
		f.text[fieldType] = event.TypePageView
		if referer := x.q.Header.Get("Referer"); f.text[fieldURL] == "" && !x.request.api && utf8.ValidString(referer) {
			f.text[fieldURL] = referer
		}
	}
	p.finish(ev)
	if problem, reason := x.commit(ctx); problem != nil {
		x.refuse(problem, reason)
		return
	}
	if x.stage != Waiting {
		x.answer()
	}
}

// readPixel reads the fields of an event from a query. Properties and traits
// are written properties.NAME=value (a text) or as a JSON object, consent
// likewise. A parameter with an empty value is absent. fault says that the
// query is not text.
func readPixel(query string, f *fields, a *arena) (fault *problem.Fault) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, ok := a.unescape(rawName)
		value, ok2 := a.unescape(rawValue)
		if !ok || !ok2 {
			return &problem.Fault{Location: "query." + strings.Clone(name), Code: codeNames[codeMalformed], Message: "must be percent-encoded UTF-8", Value: strings.ToValidUTF8(rawValue, "\uFFFD")}
		}
		setParameter(f, a, name, value)
	}
	return nil
}

func setParameter(f *fields, a *arena, name, value string) {
	switch name {
	case "key", "site", "sent_at", "debug", "advance", "_": // about the request; _ keeps caches away
		return
	}
	field := fieldByName(name)
	outer, member, dotted := strings.Cut(name, ".")
	if field == fieldUnknown && dotted {
		setMember(f, a, outer, member, value)
		return
	}
	if value == "" && field != fieldUnknown {
		return
	}
	switch field {
	case fieldUnknown:
		f.fail(codeUnknownField, name[:cutAt(name, 64)], "there is no such field")
	case fieldTime:
		f.given |= 1 << fieldTime
		var ok bool
		f.time, ok = parseQueryTime(value)
		f.checkTime(ok)
	case fieldEngaged, fieldScroll, fieldValue:
		s := scanner{src: bytesOf(value), arena: a}
		number, _ := s.number()
		if s.why != "" || !s.end() {
			f.fail(codeWrongType, fieldNames[field], "must be a number")
			return
		}
		f.setNumber(field, number)
	case fieldProperties, fieldTraits, fieldConsent:
		s := scanner{src: bytesOf(value), arena: a}
		if field == fieldConsent {
			readConsent(&s, f, s.kind())
		} else {
			readMembers(&s, f, field, s.kind())
		}
		if s.why != "" || !s.end() {
			f.fail(codeWrongType, fieldNames[field], "must be a JSON object")
		}
	default:
		f.text[field] = value
	}
}

func setMember(f *fields, a *arena, outer, member, value string) {
	switch {
	case outer == "properties":
		f.property(fieldProperties, member, value, event.KindString)
	case outer == "traits":
		f.property(fieldTraits, a.join(traitPrefix, member), value, event.KindString)
	case outer == "consent" && member == "tcf":
		f.setTCF(value)
	case outer == "consent" && (member == "analytics" || member == "personalization"):
		yes := value == "true" || value == "1"
		if !yes && value != "false" && value != "0" {
			f.failMember(codeWrongType, "consent", member, "must be true or false")
		} else if member == "analytics" {
			f.consent = saidOf(yes)
		}
	default:
		name := a.join(outer, ".", member)
		f.fail(codeUnknownField, name[:cutAt(name, 64)], "there is no such field")
	}
}
