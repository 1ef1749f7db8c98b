package collect

import (
	"strings"
	"testing"

	"github.com/readership/readership/internal/event"
)

// newForeign begins a request of a dialect of its own.
func (w *world) newForeign(q *Request) *foreign {
	if q.Header == nil {
		q.Header = headers{}
	}
	d := &dialect{name: "example"}
	x := &foreign{exchange: w.c.begin(q, &Response{}), dialect: &plausible, ctx: w.t.Context()}
	x.request = request{collector: w.c, received: nowMillis}
	x.speak(d)
	w.t.Cleanup(func() {
		x.end()
		w.c.end(x.exchange)
	})
	return x
}

// What dialects are written with.
func TestForeignSenders(t *testing.T) {
	w := newWorld(t)
	x := w.newForeign(&Request{Header: headers{"Authorization": "Bearer w-news"}})
	for name, c := range map[string]struct {
		s    sender
		site string
		api  bool
		path string
	}{
		"a write key":                {x.siteOfKey("key", x.bearer()), "news", false, "key"},
		"no key":                     {x.siteOfKey("key", ""), "", false, "key"},
		"another's key":              {x.siteOfKey("key", "import"), "", false, "key"},
		"an API key":                 {x.siteForKey("idsite", "news", "import"), "news", true, "idsite"},
		"an API key without scope":   {x.siteForKey("idsite", "news", "query"), "news", false, "idsite"},
		"an API key of another site": {x.siteForKey("idsite", "news", "other"), "news", false, "idsite"},
		"no API key":                 {x.siteForKey("idsite", "news", "w-news"), "news", false, "idsite"},
		"no site":                    {x.siteForKey("idsite", "nobody", "import"), "", false, "idsite"},
	} {
		site := ""
		if c.s.known() {
			site = c.s.site.ID
		}
		if site != c.site || c.s.path != c.path || c.s.known() && c.s.api != c.api {
			t.Errorf("%s: %q %v %s", name, site, c.s.api, c.s.path)
		}
	}
}

func TestForeignFields(t *testing.T) {
	w := newWorld(t)
	x := w.newForeign(&Request{})
	doc, _, _ := x.parse(&x.tree, `{"a":{"b":"2026-03-04T05:00:00Z"}}`)
	shift := x.behind("1772600767079")
	if shift != 10 || x.behind("soon") != 0 {
		t.Errorf("the clock is %d ms behind", shift)
	}
	form := x.params("a=1&b=%C3%A4+x&a=2&=&c")
	f := x.event(x.siteNamed("site", "assume"))
	f.text[fieldType] = form.get("b")
	f.setTime(doc.in("a", "b").text(), shift)
	x.putText(fieldProperties, "a", form.get("z", "a"))
	x.putText(fieldProperties, "c", form.get("c"))
	x.store()
	f = x.event(x.siteNamed("site", "assume"))
	f.text[fieldType] = "x"
	f.setTime("soon", 0)
	x.store()
	f = x.event(x.siteNamed("site", "assume"))
	f.text[fieldType] = "x"
	f.setMillis(nowMillis - 5)
	x.store()
	x.answerGIF()
	if x.out.ContentType != "image/gif" || x.out.Get(HeaderVerdict) != "stored, invalid:time" || w.count("assume", verdictRejected, "example:bad_time") != 1 {
		t.Errorf("%v %v", x.out.Headers, w.memory.counts)
	}
	if len(w.memory.events) != 2 {
		t.Fatalf("%d events", len(w.memory.events))
	}
	first, second := w.memory.events[0], w.memory.events[1]
	if first.Type() != "ä x" || first.Time != 1772600400010 || len(first.Properties) != 1 || first.Properties[0] != (event.Property{Name: "a", Value: "1"}) || second.Time != nowMillis-5 {
		t.Errorf("%+v %+v", first, second)
	}
}

func BenchmarkDialects(b *testing.B) {
	for _, c := range []struct{ name, method, path, query, body string }{
		{"plausible", "POST", "/api/event", "", `{"n":"pageview","v":36,"u":"https://news.example/sport/final?utm_source=letter","d":"news.example","r":"https://www.search.example/","p":{"desk":"sport"}}`},
		{"matomo", "GET", "/matomo.php", "idsite=open&rec=1&action_name=The+final&url=https%3A%2F%2Fnews.example%2Fsport%2Ffinal&urlref=https%3A%2F%2Fwww.search.example%2F&_id=0123456789abcdef&pv_id=abcdef&send_image=0", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b)
			w.memory.keep = false
			var out Response
			b.ReportAllocs()
			for b.Loop() {
				q := Request{Method: c.method, Path: c.path, Query: c.query, Header: headers{}, Length: int64(len(c.body)), Body: strings.NewReader(c.body)}
				if w.c.Collect(b.Context(), &q, &out); out.Status >= 300 {
					b.Fatal(out.Status)
				}
			}
		})
	}
}
