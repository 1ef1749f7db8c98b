package collect

import (
	"strconv"

	"github.com/readership/readership/internal/event"
)

// readEvent reads one JSON value as an event. A fault in its meaning is left in
// f, one in its JSON in s.
func readEvent(s *scanner, f *fields) {
	start := s.pos
	if s.kind() != kindObject {
		s.skip()
		f.fail(codeWrongType, "", "an event must be an object")
		return
	}
	s.pos++
	if s.peek() == '}' {
		s.pos++
		return
	}
	for {
		name := s.name()
		if s.why != "" {
			return
		}
		readField(s, f, name)
		if !s.next('}') {
			break
		}
	}
	if s.pos-start > event.MaxEventBytes {
		f.fail(codeTooLong, "", "an event may have 32 KB")
	}
}

func readField(s *scanner, f *fields, name string) {
	field := fieldByName(name)
	kind := s.kind()
	if kind == kindNull && field != fieldUnknown { // as if it were absent
		s.literal("null")
		return
	}
	switch field {
	case fieldUnknown:
		f.fail(codeUnknownField, name[:cutAt(name, 64)], "there is no such field")
		s.skip()
	case fieldTime:
		f.given |= 1 << fieldTime
		readTime(s, f, kind)
	case fieldEngaged, fieldScroll, fieldValue:
		if kind != kindNumber {
			f.fail(codeWrongType, fieldNames[field], "must be a number")
			s.skip()
			return
		}
		number, _ := s.number()
		f.setNumber(field, number)
	case fieldProperties, fieldTraits:
		readMembers(s, f, field, kind)
	case fieldConsent:
		readConsent(s, f, kind)
	default:
		if kind != kindString {
			f.fail(codeWrongType, fieldNames[field], "must be a string")
			s.skip()
			return
		}
		f.text[field] = s.str()
	}
}

func readTime(s *scanner, f *fields, kind kind) {
	var ok bool
	switch kind {
	case kindNumber:
		number, whole := s.number()
		f.time, ok = parseMillis(number)
		ok = ok && whole
	case kindString:
		f.time, ok = parseTime(s.str())
	default:
		s.skip()
		f.fail(codeWrongType, "time", "must be an RFC 3339 time or integer Unix milliseconds")
		return
	}
	f.checkTime(ok)
}

// checkTime judges a time that was read.
func (f *fields) checkTime(ok bool) {
	if !ok || f.time < 0 || f.time > maxTime {
		f.fail(codeBadTime, "time", "must be an RFC 3339 time with an offset, or integer Unix milliseconds, from 1970 on")
	}
}

// setNumber takes the text of a number field.
func (f *fields) setNumber(field field, number string) {
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		f.fail(codeWrongType, fieldNames[field], "must be a number that fits 64 bits")
		return
	}
	f.number[field] = v
	f.given |= 1 << field
}

// readMembers reads properties or traits.
func readMembers(s *scanner, f *fields, where field, k kind) {
	if k != kindObject {
		f.fail(codeWrongType, fieldNames[where], "must be an object")
		s.skip()
		return
	}
	s.pos++
	if s.peek() == '}' {
		s.pos++
		return
	}
	for {
		name := s.name()
		if s.why != "" {
			return
		}
		full := name
		if where == fieldTraits {
			full = s.arena.join(traitPrefix, name)
		}
		switch s.kind() {
		case kindString:
			f.property(where, full, s.str(), event.KindString)
		case kindNumber:
			number, whole := s.number()
			number, ok := s.arena.canonicalNumber(number, whole)
			if !ok {
				f.failMember(codeWrongType, fieldNames[where], name, "must be a number that fits 64 bits")
			}
			f.property(where, full, number, event.KindNumber)
		case kindTrue:
			s.literal("true")
			f.property(where, full, "true", event.KindBool)
		case kindFalse:
			s.literal("false")
			f.property(where, full, "false", event.KindBool)
		default:
			s.skip()
			f.failMember(codeWrongType, fieldNames[where], name[:cutAt(name, 64)], "must be a string, a number or a boolean")
		}
		if !s.next('}') {
			return
		}
	}
}

func readConsent(s *scanner, f *fields, k kind) {
	if k != kindObject {
		f.fail(codeWrongType, "consent", "must be an object")
		s.skip()
		return
	}
	s.pos++
	if s.peek() == '}' {
		s.pos++
		return
	}
	for {
		name := s.name()
		if s.why != "" {
			return
		}
		k := s.kind()
		switch {
		case name != "analytics" && name != "personalization" && name != "tcf":
			f.failMember(codeUnknownField, "consent", name[:cutAt(name, 64)], "there is no such field")
			s.skip()
		case k == kindNull:
			s.literal("null")
		case name == "tcf" && k == kindString:
			f.setTCF(s.str())
		case name == "tcf":
			f.fail(codeWrongType, "consent.tcf", "must be a string")
			s.skip()
		case k == kindTrue || k == kindFalse:
			s.skip()
			if name == "analytics" {
				f.consent = saidOf(k == kindTrue)
			}
		default:
			f.failMember(codeWrongType, "consent", name, "must be true or false")
			s.skip()
		}
		if !s.next('}') {
			return
		}
	}
}

func saidOf(yes bool) said {
	if yes {
		return saidYes
	}
	return saidNo
}

func (f *fields) setTCF(value string) {
	yes, ok := tcfConsent(value)
	if !ok {
		f.fail(codeWrongType, "consent.tcf", "must be a consent string of TCF version 2")
		return
	}
	f.tcf = saidOf(yes)
}
