package collect

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/readership/readership/internal/problem"
)

// cloudEvents are CloudEvents 1.0 over HTTP: binary, structured and batched. The
// members of their data that are named like fields of an event are these fields,
// others are properties. Keys and answers are those of PathEvents.
var cloudEvents = dialect{name: "cloudevents", cookieless: true, routes: []route{
	{http.MethodPost, "/v1/cloudevents", (*foreign).cloudEvents},
}}

const (
	cloudEventOne   = "application/cloudevents+json"
	cloudEventBatch = "application/cloudevents-batch+json"
)

func (x *foreign) cloudEvents() {
	from, p := x.cloudSender()
	if p != nil {
		x.refuse(p, "unauthorized")
		return
	}
	x.belongs(from)
	kind, _, _ := strings.Cut(x.q.Header.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if kind != cloudEventOne && kind != cloudEventBatch {
		x.cloudBinary(from, kind)
		x.store()
		x.answerEvents(true)
		return
	}
	doc, ok := x.json()
	if !ok {
		return
	}
	if kind == cloudEventOne {
		x.cloudEvent(from, doc)
		x.store()
		x.answerEvents(true)
		return
	}
	if doc.kind() != kindArray {
		x.refuse(malformed(x.body, 0, "a batch must be an array"), "malformed_json")
		return
	}
	for _, one := range doc.members() {
		x.cloudEvent(from, one)
		if !x.store() {
			return
		}
	}
	x.answerEvents(false)
}

// cloudSender finds out who sends: a write key, or an API key and the site.
func (x *foreign) cloudSender() (sender, *problem.Problem) {
	key := x.bearer()
	if key == "" {
		key = x.asked.get("key")
	}
	if key == "" {
		return sender{}, unauthorized("the request has no key")
	}
	if from := x.siteOfKey("key", key); from.known() {
		return from, nil
	}
	principal, known := x.c.keys.APIKey(key)
	if !known {
		return sender{}, unauthorized("the key is not known")
	}
	name := x.asked.get("site")
	if p := x.mayImport(principal, name, name != ""); p != nil {
		return sender{}, p
	}
	site, known := x.c.sites.Site(name)
	if !known {
		return sender{}, x.c.unknownSite(name)
	}
	return sender{site: site, api: true, path: "site"}, nil
}

// answerEvents answers as PathEvents does. A single event that is rejected is
// 400; a batch is not.
func (x *foreign) answerEvents(single bool) {
	if !x.commit() {
		return
	}
	x.head()
	if x.single = single; single && x.tally.total > 0 {
		x.rejectAll()
	} else {
		x.answerTally()
	}
}

// cloudBinary fills the event of a request in binary mode: its attributes are
// headers, its data is the body.
func (x *foreign) cloudBinary(from sender, kind string) {
	header := func(name string) string {
		raw := x.q.Header.Get("Ce-" + name)
		if value, err := url.PathUnescape(raw); err == nil {
			raw = value
		}
		return strings.ToValidUTF8(raw, "\uFFFD")
	}
	f := x.event(from)
	x.cloudContext(f, header("Specversion"), header("Id"), header("Source"), header("Type"), header("Time"))
	x.putText(fieldProperties, "source", header("Source"))
	x.putText(fieldProperties, "subject", header("Subject"))
	if len(x.body) == 0 {
		return
	}
	if kind != "" && kind != "application/json" && !strings.HasSuffix(kind, "+json") && kind != "text/json" {
		f.fail(codeWrongType, "datacontenttype", "the data must be JSON")
		return
	}
	doc, why, at := x.parse(&x.tree, text(x.body))
	if why != "" {
		f.fail(codeMalformed, "data", why+" "+place(x.body, at))
		return
	}
	x.cloudData(f, doc)
}

// cloudEvent fills an event in JSON format.
func (x *foreign) cloudEvent(from sender, doc value) {
	f := x.event(from)
	if doc.kind() != kindObject {
		f.fail(codeWrongType, "", "an event must be an object")
		return
	}
	x.cloudContext(f, doc.get("specversion").text(), doc.get("id").text(), doc.get("source").text(), doc.get("type").text(), doc.get("time").text())
	for name, v := range doc.members() {
		switch name {
		case "specversion", "id", "type", "time", "datacontenttype", "dataschema", "data":
		case "data_base64":
			f.fail(codeWrongType, name, "the data must be JSON")
		default:
			x.keep(fieldProperties, name, v)
		}
	}
	x.cloudData(f, doc.get("data"))
}

// cloudContext sets what the required attributes say. An event is one by its id
// and its source.
func (x *foreign) cloudContext(f *fields, version, id, source, kind, at string) {
	switch {
	case version != "1.0":
		f.fail(codeWrongType, "specversion", "must be 1.0")
	case id == "":
		f.fail(codeMissingField, "id", "an event must have an id")
	case source == "":
		f.fail(codeMissingField, "source", "an event must have a source")
	case kind == "":
		f.fail(codeMissingField, "type", "an event must have a type")
	}
	f.text[fieldID] = x.id(source, id)
	x.setType(f, kind)
	f.setTime(at, 0)
}

// cloudData takes the data of an event.
func (x *foreign) cloudData(f *fields, data value) {
	if k := data.kind(); k != kindObject {
		if data.there() {
			f.fail(codeWrongType, "data", "must be an object")
		}
		return
	}
	for name, v := range data.members() {
		field := fieldByName(name)
		switch field {
		case fieldUnknown, fieldType, fieldID, fieldTime:
			x.keep(fieldProperties, name, v)
		case fieldProperties, fieldTraits:
			x.keepAll(field, v)
		case fieldEngaged, fieldScroll, fieldValue:
			if n, ok := v.number(); ok {
				f.set(field, n)
			} else if v.there() {
				f.fail(codeWrongType, name, "must be a number")
			}
		case fieldConsent:
			s := scanner{src: bytesOf(v.raw()), arena: &x.arena}
			if v.there() {
				readConsent(&s, f, s.kind())
			}
		default:
			if k := v.kind(); k != kindString && v.there() {
				f.fail(codeWrongType, name, "must be a string")
			}
			f.text[field] = v.text()
		}
	}
}
