package collect

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/readership/readership/internal/event"
)

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

// forgetReader leaves out who the reader is known to be, for a client that asks
// not to be known again, and sets no cookie.
func (x *foreign) forgetReader() {
	if x.current != nil {
		r := &x.current.request
		r.cookieDevice, r.token, r.unnamed = "", nil, true
	}
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
			if len(name) > event.MaxIDBytes { // put cuts it; here it stands before every member
				name = name[:cutAt(name, event.MaxIDBytes+utf8.UTFMax)]
			}
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
