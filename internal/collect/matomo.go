package collect

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
)

// matomo is Matomo's tracking API, as matomo.js and matomo-tracker speak it. The
// latter takes 200, 204 and 301 to 308 for success, and nothing else.
var matomo = dialect{name: "matomo", routes: []route{
	{http.MethodGet, "/matomo.php", (*foreign).matomoGet},
	{http.MethodGet, "/piwik.php", (*foreign).matomoGet},
	{http.MethodPost, "/matomo.php", (*foreign).matomoPost},
	{http.MethodPost, "/piwik.php", (*foreign).matomoPost},
}}

// matomoHeartbeat is the seconds of attention that a ping stands for. It does not
// say how long ago the request before was: this is how long matomo.js waits, with
// the page in view, if it is not told otherwise.
const matomoHeartbeat = 15

func (x *foreign) matomoGet() { x.matomoOne("") }

func (x *foreign) matomoPost() {
	body := strings.TrimSpace(text(x.body))
	if !strings.HasPrefix(body, "{") {
		x.matomoOne(body)
		return
	}
	doc, ok := x.json() // a bulk request, also when labelled as a form
	if !ok {
		return
	}
	token := doc.get("token_auth").text()
	for _, one := range doc.get("requests").members() {
		p := x.matomoParams(one)
		x.matomoEvent(p, one.raw(), token)
		if !x.store() {
			return
		}
	}
	if !x.commit() {
		return
	}
	if sends := doc.get("send_image"); sends.kind() == kindFalse || sends.text() == "0" {
		x.answer(http.StatusNoContent, "", "")
		return
	}
	x.answer(http.StatusOK, "application/json", fmt.Sprintf(`{"status":"success","tracked":%d,"invalid":%d}`, x.tally.seen-x.tally.total, x.tally.total))
}

// matomoParams reads one request of a bulk: a query, or an object of parameters.
func (x *foreign) matomoParams(one value) params {
	if one.kind() != kindObject {
		_, query, found := strings.Cut(one.text(), "?")
		if !found {
			query = one.text()
		}
		return x.params(query)
	}
	x.form = x.form[:0]
	for name, v := range one.members() {
		if len(x.form) < maxParams {
			x.form = append(x.form, parameter{name, v.text()})
		}
	}
	return x.form
}

// matomoOne answers a request with one event, its parameters in the query, in a
// form, or in both.
func (x *foreign) matomoOne(form string) {
	whole := x.q.Query
	if form != "" {
		whole += "&" + form
	}
	p := x.params(whole)
	x.matomoEvent(p, whole, "")
	x.store()
	if p.get("send_image") == "0" {
		x.answer(http.StatusNoContent, "", "")
		return
	}
	x.answerGIF()
}

// matomoEvent fills one event. source is what p was read from.
func (x *foreign) matomoEvent(p params, source, token string) {
	if own := p.get("token_auth"); own != "" {
		token = own
	}
	from := x.siteForKey("idsite", p.get("idsite"), token)
	f := x.event(from)
	if p.get("rec") != "1" {
		f.fail(codeMissingField, "rec", "must be 1, or nothing is recorded")
	}
	f.text[fieldURL] = p.get("url")
	f.text[fieldReferrer] = p.get("urlref")
	f.text[fieldDevice] = p.get("_id")
	f.text[fieldAccount] = p.get("uid")
	x.matomoSender(f, p, from.api)
	x.matomoAction(f, p)
	if view := p.get("pv_id"); view != "" {
		// Without its cookie Matomo names nobody, and ids of views are short.
		f.text[fieldView] = x.view(cmp.Or(p.get("_id"), p.get("url")), view)
	} else if f.text[fieldType] == event.TypeEngagement {
		f.fail(codeMissingField, "pv_id", "a ping must name its page view")
	}
	f.text[fieldID] = x.matomoID(f, p, source)
	for _, one := range p {
		if n, ok := strings.CutPrefix(one.name, "dimension"); ok && n != "" && len(n) <= 3 && strings.Trim(n, "0123456789") == "" {
			x.putText(fieldProperties, one.name, one.value)
		}
	}
	x.matomoVariables(p.get("cvar"))
	x.matomoVariables(p.get("_cvar"))
}

// matomoID makes an idempotency key of what marks a request as one: a page view
// by its id, anything else by what its client adds at random. Without, sent
// again is counted again.
func (x *foreign) matomoID(f *fields, p params, source string) string {
	if f.text[fieldType] == event.TypePageView && f.text[fieldView] != "" {
		return x.id("view", f.text[fieldView])
	}
	if p.get("rand", "r") == "" {
		return ""
	}
	return x.id("request", strings.TrimPrefix(source, "?"))
}

// matomoSender sets when and for whom a request speaks. With a token it may say
// so, else only how many seconds it waited for a connection.
func (x *foreign) matomoSender(f *fields, p params, trusted bool) {
	if !trusted {
		for _, name := range []string{"cdt", "cip"} {
			if p.get(name) != "" {
				f.fail(codeForbidden, name, "needs token_auth: an API key of scope events:import")
			}
		}
		if seconds, err := strconv.ParseInt(p.get("cdo"), 10, 32); err == nil && seconds > 0 {
			f.setMillis(x.request.received - seconds*1000)
		}
		return
	}
	f.text[fieldIP], f.text[fieldUserAgent] = p.get("cip"), p.get("ua")
	if cid := p.get("cid"); cid != "" {
		f.text[fieldDevice] = cid
	}
	switch at := p.get("cdt"); {
	case at == "":
	case strings.Trim(at, "0123456789") == "":
		seconds, err := strconv.ParseInt(at, 10, 64)
		if err != nil || seconds > maxTime/1000 {
			f.fail(codeBadTime, "cdt", "must be Unix seconds or YYYY-MM-DD HH:MM:SS in UTC")
			return
		}
		f.setMillis(seconds * 1000)
	default:
		when, err := time.Parse(time.DateTime, at)
		if err != nil {
			f.fail(codeBadTime, "cdt", "must be Unix seconds or YYYY-MM-DD HH:MM:SS in UTC")
			return
		}
		f.setMillis(when.UnixMilli())
	}
}

// matomoAction sets what was done.
func (x *foreign) matomoAction(f *fields, p params) {
	keep := func(names ...string) { // pairs of a parameter and a property
		for i := 0; i < len(names); i += 2 {
			x.putText(fieldProperties, names[i+1], p.get(names[i]))
		}
	}
	switch {
	case p.get("ping") == "1":
		f.text[fieldType] = event.TypeEngagement
		f.set(fieldEngaged, matomoHeartbeat)
	case p.get("e_c") != "" || p.get("e_a") != "":
		x.setType(f, p.get("e_a", "e_c"))
		keep("e_c", "event_category", "e_n", "event_name")
		x.putNumber("event_value", p.get("e_v"))
	case p.get("idgoal") == "0" && p.get("ec_id") == "": // of shops, and no order yet
		f.text[fieldType] = "cart_update"
		keep("ec_items", "items")
		f.setAmount(p.get("revenue"))
	case p.get("idgoal") != "":
		f.text[fieldType] = event.TypeConversion
		keep("idgoal", "goal", "ec_id", "order", "ec_items", "items")
		f.setAmount(p.get("revenue"))
	case p.get("search") != "":
		f.text[fieldType] = "search"
		keep("search", "search", "search_cat", "search_category")
		x.putNumber("search_count", p.get("search_count"))
	case p.get("link") != "":
		f.text[fieldType] = event.TypeClick
		x.matomoLink(f, p.get("link"))
	case p.get("download") != "":
		f.text[fieldType] = "download"
		x.matomoLink(f, p.get("download"))
	case p.get("c_n") != "":
		f.text[fieldType] = event.TypeImpression
		if p.get("c_i") != "" {
			f.text[fieldType] = event.TypeClick
		}
		keep("c_n", "content_name", "c_p", "content_piece", "c_t", "content_target", "c_i", "content_interaction")
	case p.get("ca") == "1": // what a plugin measures, and no page view
		f.text[fieldType] = "custom_action"
	default:
		f.text[fieldType] = event.TypePageView
	}
	f.text[fieldTitle] = p.get("action_name")
}

// setAmount sets the value, in the site's currency; what is no number is left out.
func (f *fields) setAmount(amount string) {
	if v, err := strconv.ParseFloat(amount, 64); err == nil {
		f.setValue(v, "")
	}
}

// matomoLink sets where a link went. Some clients name it as the page too.
func (x *foreign) matomoLink(f *fields, link string) {
	x.put(fieldProperties, "link", link, event.KindString)
	if f.text[fieldURL] == link {
		f.text[fieldURL] = ""
	}
}

// matomoVariables takes custom variables: {"1":["name","value"]}.
func (x *foreign) matomoVariables(text string) {
	if text == "" {
		return
	}
	doc, _, _ := x.parse(&x.inner, text)
	for _, one := range doc.members() {
		var pair []string
		for _, v := range one.members() {
			pair = append(pair, v.text())
		}
		if len(pair) == 2 && !slices.Contains(pair, "") {
			x.put(fieldProperties, pair[0], pair[1], event.KindString)
		}
	}
}
