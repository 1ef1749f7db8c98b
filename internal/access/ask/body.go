package ask

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// MaxAsks is how many questions a body may hold.
const MaxAsks = 100

// question is one question as a body asks it.
type question struct {
	access          string
	device, account string
	item            string
	commit          bool
	at, time        int64 // Unix ms; 0: absent
	page            page
}

// page is what a question says of its request.
type page struct {
	url, canonical, referrer, title string
	link                            string // token of a signed link
	ip                              string
	columns                         [event.NumColumns]string
	named                           []string // facts that only an API key may name
	routed                          bool     // its host is one that the site serves
}

// facts are the columns that an API key may name for the row that a request
// would have. Robots' are not among them: whoever says to be a robot is none that
// is known.
var facts = map[string]event.Column{}

func init() {
	for _, c := range []event.Column{event.ColUTMSource, event.ColUTMMedium, event.ColUTMCampaign, event.ColChannel, event.ColCountry, event.ColRegion,
		event.ColCity, event.ColDeviceClass, event.ColBrowser, event.ColOS, event.ColLanguage} {
		facts[c.String()] = c
	}
}

// reader reads the questions of a body and notes what is wrong with them.
type reader struct {
	parser fastjson.Parser
	faults []problem.Fault
	list   []question // of the body before, to be used again
	places map[member]string
}

// member is a member of an object that stands at a place.
type member struct{ at, name string }

// maxPlaces is of how many members the places are kept, maxPlace of how many bytes:
// whoever asks chooses the names.
const (
	maxPlaces = 64
	maxPlace  = 64
)

// place is where a member stands, as a text that was made before, if it was: bodies
// name the same members again and again.
func (r *reader) place(at string, name []byte) (place string, kept bool) {
	if place, ok := r.places[member{at, string(name)}]; ok {
		return place, true
	}
	return at + "." + string(name), false
}

// keepPlace keeps the place of a member that is known.
func (r *reader) keepPlace(at, place string) {
	if r.places == nil {
		r.places = make(map[member]string)
	}
	if len(r.places) < maxPlaces && len(place) <= maxPlace {
		r.places[member{at, place[len(at)+1:]}] = place
	}
}

func (r *reader) fail(at, code, message string, v *fastjson.Value) {
	f := problem.Fault{Location: at, Code: code, Message: message}
	if v != nil {
		if text := v.String(); len(text) <= 200 {
			f.Value = text
			if raw, err := v.StringBytes(); err == nil {
				f.Value = string(raw)
			}
		}
	}
	r.faults = append(r.faults, f)
}

// questions reads one question or an array of them. They are the reader's, valid
// until it reads again.
func (r *reader) questions(body []byte) (list []question, many bool, err error) {
	r.faults = nil
	clear(r.list)
	list = r.list[:0]
	defer func() { r.list = list }()
	malformed := func(code, message string) error {
		return problem.New(http.StatusBadRequest, "body: "+message, problem.Fault{Location: "body", Code: code, Message: message})
	}
	if len(body) == 0 {
		return nil, false, malformed("missing_field", "is required")
	}
	if !utf8.Valid(body) {
		return nil, false, malformed("bad_utf8", "is not valid UTF-8")
	}
	v, err := r.parser.ParseBytes(body)
	if err != nil {
		message, _, _ := strings.Cut(err.Error(), "; unparsed tail")
		return nil, false, malformed("bad_json", "the body is not valid JSON: "+message)
	}
	if v.Type() == fastjson.TypeArray {
		items := v.GetArray()
		if len(items) > MaxAsks {
			r.fail("body", "too_many", fmt.Sprintf("asks %d questions, %d are answered at once", len(items), MaxAsks), nil)
			items = nil
		}
		for i, item := range items {
			list = append(list, r.question(item, place(i)))
		}
		many = true
	} else {
		list = append(list, r.question(v, "body"))
	}
	if len(r.faults) > 0 {
		return nil, many, faulty(r.faults)
	}
	return list, many, nil
}

// place is a question of an array.
func place(i int) string { return fmt.Sprintf("body[%d]", i) }

// faulty is a request that was read but is invalid.
func faulty(faults []problem.Fault) *problem.Problem {
	detail := "the request has several faults; errors lists them"
	if len(faults) == 1 {
		detail = faults[0].Location + ": " + faults[0].Message
	}
	return problem.New(http.StatusUnprocessableEntity, detail, faults...)
}

// object calls fn with the members of an object; fn returns false for one that
// is unknown.
func (r *reader) object(v *fastjson.Value, at string, fn func(name, at string, v *fastjson.Value) bool) {
	o, err := v.Object()
	if err != nil {
		r.fail(at, "wrong_type", "expected object", v)
		return
	}
	o.Visit(func(key []byte, v *fastjson.Value) {
		place, kept := r.place(at, key)
		name := place[len(at)+1:]
		switch known := fn(name, place, v); {
		case !known:
			r.fail(place, "unknown_field", "there is no field "+strconv.Quote(name), v)
		case !kept:
			r.keepPlace(at, place)
		}
	})
}

func (r *reader) question(v *fastjson.Value, at string) (q question) {
	r.object(v, at, func(name, at string, v *fastjson.Value) bool {
		switch name {
		case "access":
			q.access = r.text(v, at, 64)
		case "reader":
			r.optional(v, at, func(name, at string, v *fastjson.Value) bool {
				switch name {
				case "device":
					q.device = r.text(v, at, event.MaxStringBytes)
				case "account":
					q.account = r.text(v, at, event.MaxStringBytes)
				default:
					return false
				}
				return true
			})
		case "item":
			r.optional(v, at, func(name, at string, v *fastjson.Value) bool {
				if name == "id" {
					q.item = r.text(v, at, event.MaxStringBytes)
				}
				return name == "id"
			})
		case "request":
			r.optional(v, at, func(name, at string, v *fastjson.Value) bool { return r.fact(&q.page, name, at, v) })
		case "commit":
			q.commit = r.flag(v, at)
		case "at":
			q.at = r.instant(v, at)
		case "time":
			q.time = r.instant(v, at)
		default:
			return false
		}
		return true
	})
	if v.Type() == fastjson.TypeObject {
		r.whole(&q, at)
	}
	return q
}

// whole checks what the members of a question say together.
func (r *reader) whole(q *question, at string) {
	if q.access == "" && !r.told(at+".access") {
		r.fail(at+".access", "missing_field", "is required", nil)
	}
	if q.item == "" && q.page.url == "" && q.page.canonical == "" && !r.told(at+".item") && !r.told(at+".request") {
		r.fail(at+".item.id", "missing_field", "is required, or request.url", nil)
	}
	if strings.HasPrefix(q.device, "account:") {
		r.fail(at+".reader.device", "bad_value", "is an account", nil)
	}
	switch {
	case q.at != 0 && q.commit:
		r.fail(at+".at", "bad_value", "a commit is decided now: at goes with commit false", nil)
	case q.time != 0 && !q.commit:
		r.fail(at+".time", "bad_value", "goes with commit; a bare decision has at", nil)
	}
}

// told says whether there is a fault at a place or below it.
func (r *reader) told(at string) bool {
	for _, f := range r.faults {
		if strings.HasPrefix(f.Location, at) {
			return true
		}
	}
	return false
}

// optional is object, but for null.
func (r *reader) optional(v *fastjson.Value, at string, fn func(name, at string, v *fastjson.Value) bool) {
	if v.Type() != fastjson.TypeNull {
		r.object(v, at, fn)
	}
}

// fact reads a member of request.
func (r *reader) fact(p *page, name, at string, v *fastjson.Value) bool {
	switch name {
	case "url":
		p.url = r.text(v, at, event.MaxURLBytes)
	case "canonical":
		p.canonical = r.text(v, at, event.MaxURLBytes)
	case "referrer":
		p.referrer = r.text(v, at, event.MaxURLBytes)
	case "title":
		p.title = r.text(v, at, event.MaxStringBytes)
	case "link":
		p.link = r.text(v, at, 2048)
	case "ip", "user_agent":
		text := r.text(v, at, event.MaxStringBytes)
		if name == "ip" {
			p.ip = text
		}
		p.named = append(p.named, at)
	default:
		c, ok := facts[name]
		if !ok {
			return false
		}
		p.columns[c] = r.text(v, at, event.MaxStringBytes)
		p.named = append(p.named, at)
	}
	return true
}

// text reads a text of limit bytes at most; null is none.
func (r *reader) text(v *fastjson.Value, at string, limit int) string {
	if v.Type() == fastjson.TypeNull {
		return ""
	}
	raw, err := v.StringBytes()
	switch {
	case err != nil:
		r.fail(at, "wrong_type", "expected string", v)
	case len(raw) > limit:
		r.fail(at, "too_long", fmt.Sprintf("has at most %d bytes", limit), nil)
	default:
		return string(raw)
	}
	return ""
}

func (r *reader) flag(v *fastjson.Value, at string) bool {
	switch v.Type() {
	case fastjson.TypeTrue:
		return true
	case fastjson.TypeFalse, fastjson.TypeNull:
		return false
	}
	r.fail(at, "wrong_type", "expected boolean", v)
	return false
}

// instant reads a time: RFC 3339 with offset, or Unix milliseconds.
func (r *reader) instant(v *fastjson.Value, at string) int64 {
	switch v.Type() {
	case fastjson.TypeNull:
		return 0
	case fastjson.TypeNumber:
		if ms, err := v.Int64(); err == nil && ms > 0 && ms < 1<<53 {
			return ms
		}
	case fastjson.TypeString:
		raw, _ := v.StringBytes()
		if t, err := time.Parse(time.RFC3339Nano, string(raw)); err == nil && t.UnixMilli() > 0 {
			return t.UnixMilli()
		}
	}
	r.fail(at, "bad_time", "is neither RFC 3339 with offset nor Unix milliseconds", v)
	return 0
}
