package collect

import (
	"strconv"
	"unicode/utf8"

	"github.com/readership/readership/internal/event"
)

// said is what an event says of consent.
type said uint8

const (
	saidNothing said = iota
	saidNo
	saidYes
)

// The fields of an event. Their order is of no meaning.
type field uint8

const (
	fieldUnknown field = iota
	fieldType
	fieldID
	fieldTime
	fieldDevice
	fieldAccount
	fieldURL
	fieldCanonical
	fieldReferrer
	fieldTitle
	fieldItem
	fieldView
	fieldEngaged
	fieldScroll
	fieldValue
	fieldCurrency
	fieldProperties
	fieldTraits
	fieldConsent
	fieldIP
	fieldUserAgent
	numFields
)

var fieldNames = [numFields]string{
	fieldType: "type", fieldID: "id", fieldTime: "time", fieldDevice: "device", fieldAccount: "account",
	fieldURL: "url", fieldCanonical: "canonical", fieldReferrer: "referrer", fieldTitle: "title", fieldItem: "item",
	fieldView: "view", fieldEngaged: "engaged_seconds", fieldScroll: "scroll_percent", fieldValue: "value",
	fieldCurrency: "currency", fieldProperties: "properties", fieldTraits: "traits", fieldConsent: "consent",
	fieldIP: "ip", fieldUserAgent: "user_agent",
}

// fieldByName finds a field.
func fieldByName(name string) field {
	switch name {
	case "type":
		return fieldType
	case "id":
		return fieldID
	case "time":
		return fieldTime
	case "device":
		return fieldDevice
	case "account":
		return fieldAccount
	case "url":
		return fieldURL
	case "canonical":
		return fieldCanonical
	case "referrer":
		return fieldReferrer
	case "title":
		return fieldTitle
	case "item":
		return fieldItem
	case "view":
		return fieldView
	case "engaged_seconds":
		return fieldEngaged
	case "scroll_percent":
		return fieldScroll
	case "value":
		return fieldValue
	case "currency":
		return fieldCurrency
	case "properties":
		return fieldProperties
	case "traits":
		return fieldTraits
	case "consent":
		return fieldConsent
	case "ip":
		return fieldIP
	case "user_agent":
		return fieldUserAgent
	}
	return fieldUnknown
}

// fields are what one event says, before it is judged. Texts are as sent.
type fields struct {
	text    [numFields]string  // of the text fields
	number  [numFields]float64 // of the number fields
	given   uint32             // bits of the number fields that were given, and of time
	time    int64              // Unix milliseconds, valid with given
	traits  int                // how many of the event's properties are traits
	consent said               // "analytics"
	tcf     said
	event   *event.Event // takes the properties
	fault   fault        // the first
	noHost  bool         // url has none, and that is no fault
	hash    string       // the cookieless identity, if it is known; else it is made
}

func (f *fields) reset(ev *event.Event) {
	*f = fields{event: ev}
	ev.Reset()
}

func (f *fields) has(field field) bool { return f.given&(1<<field) != 0 }

// fail notes what is wrong, if nothing was before.
func (f *fields) fail(code Code, path, message string) {
	if f.fault.code == codeNone {
		f.fault = fault{code: code, path: path, message: message}
	}
}

// failMember is fail for a property or trait.
func (f *fields) failMember(code Code, path, name, message string) {
	if f.fault.code == codeNone {
		f.fault = fault{code: code, path: path, name: name, message: message}
	}
}

const traitPrefix = "traits."

// property adds a property, or a trait whose name has its prefix already. The
// last of two with one name stands.
func (f *fields) property(where field, name, value string, kind event.Kind) {
	path := fieldNames[where]
	short := name
	if where == fieldTraits {
		short = name[len(traitPrefix):]
	}
	if short == "" {
		f.fail(codeMissingField, path, "a name is empty")
		return
	}
	if len(short) > event.MaxIDBytes {
		f.failMember(codeTooLong, path, short[:cutAt(short, 64)]+"…", "a name may have 128 bytes")
		return
	}
	for i := range f.event.Properties {
		if p := &f.event.Properties[i]; p.Name == name {
			p.Value, p.Kind = value, kind
			return
		}
	}
	n := len(f.event.Properties) - f.traits
	if where == fieldTraits {
		n = f.traits
	}
	if n == event.MaxProperties {
		f.fail(codeTooMany, path, "there may be 64 names")
		return
	}
	if where == fieldTraits {
		f.traits++
	}
	f.event.Properties = append(f.event.Properties, event.Property{Name: name, Value: value, Kind: kind})
}

// canonicalNumber returns a JSON number in its shortest decimal form.
func (a *arena) canonicalNumber(number string, whole bool) (string, bool) {
	if whole && len(number) <= 15 && number != "-0" {
		return number, true // JSON allows no leading zero, so it is the shortest
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return "", false
	}
	if v == 0 {
		return "0", true
	}
	form := byte('f')
	if v < 0 && v > -1e-6 || v > 0 && v < 1e-6 || v >= 1e21 || v <= -1e21 {
		form = 'e'
	}
	return a.take(strconv.AppendFloat(a.room(32), v, form, -1, 64)), true
}

// cutAt is where a text of more than limit bytes is cut, so that no character
// is torn.
func cutAt(s string, limit int) int {
	if len(s) <= limit {
		return len(s)
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return limit
}

// tooLong says whether s has more than limit characters.
func tooLong(s string, limit int) bool {
	return len(s) > limit && (len(s) > 4*limit || utf8.RuneCountInString(s) > limit)
}
