package offer

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/event"
)

func page(language string) *Page {
	resets := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	return Of(&event.Site{ID: "news", Name: "The News"}, "https://news.example/a4?x=1&y=<", &access.Verdict{Decision: access.Deny, Clause: "register", Offer: "wall", Reader: "device:d1",
		DecisionID: "AAAAAAAA-7Kq3h_2", Meter: &access.MeterState{Name: "monthly", Used: 3, Limit: 3, ResetsAt: &resets}},
		&event.Item{ID: "a4", Title: `"Quoted" <b>title</b>`, Language: language, Tags: []string{"eu", "<i>"}})
}

func write(t *testing.T, o *Offer, p *Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := o.Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheDefaultPageSaysWhatWasDecided(t *testing.T) {
	for language, want := range map[string][]string{
		"en":    {"You have reached your limit", "3 of 3 articles", "opens on 1 April 2026.", "The News", "-7Kq3h_2", `lang="en"`},
		"de-AT": {"Ihr Kontingent ist erreicht", "3 von 3 Artikeln", "am 1. April 2026.", `lang="de"`},
	} {
		got := write(t, nil, page(language))
		for _, part := range append(want, "&lt;b&gt;title&lt;/b&gt;") {
			if !strings.Contains(got, part) {
				t.Errorf("%s: the page does not say %q:\n%s", language, part, got)
			}
		}
	}
	o, err := New(&event.Offer{Title: "Stay with us"})
	if err != nil {
		t.Fatal(err)
	}
	if got := write(t, o, page("en")); !strings.Contains(got, "<h1>Stay with us</h1>") || !strings.Contains(got, "3 of 3") {
		t.Errorf("an offer with a title alone is the default page under it, got\n%s", got)
	}
}

func TestATemplateIsOverVerdictAndItem(t *testing.T) {
	o, err := New(&event.Offer{Title: "T", Redirect: "/plans?from={{.URL | urlquery}}",
		HTML: `<h1>{{.Title}}</h1>{{if not .Verdict.Registered}}<a href="/login?to={{.URL}}">{{.Verdict.Meter.Used}}/{{.Verdict.Meter.Limit}}</a>{{end}}{{range .Item.Tags}}<li>{{.}}{{end}} {{.Code}}`})
	if err != nil {
		t.Fatal(err)
	}
	got := write(t, o, page("en"))
	want := `<h1>T</h1><a href="/login?to=https%3a%2f%2fnews.example%2fa4%3fx%3d1%26y%3d%3c">3/3</a><li>eu<li>&lt;i&gt; -7Kq3h_2`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	to, err := o.Redirect(page("en"))
	if want := "/plans?from=https%3A%2F%2Fnews.example%2Fa4%3Fx%3D1%26y%3D%3C"; to != want || err != nil {
		t.Errorf("redirect to %q %v, want %q", to, err, want)
	}
}

func TestFaultsSayWhere(t *testing.T) {
	for text, want := range map[string]Fault{
		"<p>\n{{.Verdict.Nothing}}":                 {"html", 2, 11, ""},
		"<p>\n{{if}}":                               {"html", 2, 0, ""},
		"<p>{{range $i := 9}}":                      {"html", 1, 0, ""},
		"<p>\n\n {{range 1000000000}}x{{end}}":      {"html", 3, 10, ""},
		"{{$n := 3}}{{range $n}}x{{end}}":           {"html", 1, 20, ""},
		"{{define \"x\"}}{{template \"x\"}}{{end}}": {"html", 1, 26, ""},
		"{{.Item.PublishedAt.Year}}":                {"html", 1, 8, ""},
		"<a href='{{if .Title}}'{{end}}>":           {"html", 0, 0, ""},
	} {
		_, err := New(&event.Offer{HTML: text})
		var got *Fault
		if !errors.As(err, &got) {
			t.Errorf("%q is taken", text)
			continue
		}
		if got.Message == "" || strings.Contains(got.Message, "template:") {
			t.Errorf("%q: the message is %q", text, got.Message)
		}
		got.Message = ""
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	for _, to := range []string{"javascript:alert(1)", "//evil.example", "plans", "{{.Offer}}"} {
		if _, err := New(&event.Offer{Redirect: to}); err == nil {
			t.Errorf("redirect %q is taken", to)
		}
	}
}

// What would take memory or time without end is refused when it is stored.
func TestTemplatesAreBounded(t *testing.T) {
	doubled := func(call string, times int) string {
		return `{{$x := "\\%&"}}` + strings.Repeat("{{$x = "+call+"}}", times)
	}
	for name, text := range map[string]string{
		"printf nested":   doubled(`printf "%s%s" $x $x`, 60),
		"print nested":    doubled(`print $x $x`, 60),
		"println nested":  doubled(`println $x $x $x`, 60),
		"js on js":        doubled(`js $x`, 60),
		"html on html":    doubled(`html $x $x`, 60),
		"urlquery":        doubled(`urlquery $x $x`, 60),
		"one argument":    doubled(`printf "%[1]s%[1]s" $x`, 1),
		"a wide number":   `{{printf "%999999d" 1}}`,
		"a given width":   `{{printf "%*d" 999999 1}}`,
		"a precision":     `{{printf "%.999999f" 1.0}}`,
		"a range in one":  `{{range .Item.Tags}}{{with $}}{{range .Item.Tags}}{{end}}{{end}}{{end}}`,
		"over a number":   `{{range .Verdict.Meter.Limit}}{{end}}`,
		"calls":           strings.Repeat(`{{len ""}}`, maxCalls+1),
		"calls in a list": `{{range .Item.Tags}}` + strings.Repeat(`{{print .}}`, maxCalls/maxList+1) + `{{end}}`,
	} {
		if _, err := New(&event.Offer{HTML: text}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for text, want := range map[string]string{
		`{{printf "%05.1f|%-4s|%3d|%q|100%%" 2.25 "a" 7 "b"}}`:             `002.2|a   |  7|&#34;b&#34;|100%`,
		`{{print "a" 1}}{{"<" | html}}{{urlquery "a b"}}`:                  `a1&lt;a&#43;b`,
		`{{range $i, $t := .Item.Tags}}{{if $i}}, {{end}}{{$t}}{{end}}`:    `eu, &lt;i&gt;`,
		`<script>var t = {{.Title}}, j = "{{js "a'b"}}"</script>`:          `<script>var t = "T", j = "a\\\u0027b"</script>`,
		`{{.Verdict.Meter.ResetsAt.Format "2 January"}}{{len .Item.Tags}}`: `1 April2`,
	} {
		o, err := New(&event.Offer{Title: "T", HTML: text})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, write(t, o, page("en"))); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

type facts map[string]string

func (f facts) Fact(_, _, key string) ([]byte, bool) { v, ok := f[key]; return []byte(v), ok }

func TestOffersFollowTheirFacts(t *testing.T) {
	f := facts{}
	offers := NewOffers(f)
	if offers.Offer("news", "wall") != nil {
		t.Error("an offer that is not stored is there")
	}
	for _, title := range []string{"one", "two"} {
		f["wall"] = `{"title":"` + title + `","html":"{{.Title}}"}`
		if got := write(t, offers.Offer("news", "wall"), page("en")); got != title {
			t.Errorf("the offer says %q, want %q", got, title)
		}
	}
	delete(f, "wall")
	if offers.Offer("news", "wall") != nil {
		t.Error("an offer that was removed is there")
	}
}

func FuzzTemplates(f *testing.F) {
	for _, s := range []string{"<p>{{.Title}}", "{{range .Item.Tags}}{{.}}{{end}}", "{{printf \"%9999d\" 1}}", "{{with .Verdict.Meter}}{{.Used}}{{end}}", "<script>var x = {{.Item}}</script>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := New(&event.Offer{HTML: text, Redirect: ""})
		if err != nil {
			var fault *Fault
			if !errors.As(err, &fault) || fault.Message == "" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, p := range samples() {
			var b bytes.Buffer
			if err := o.Write(&b, p); err != nil {
				t.Fatalf("%q was taken: %v", text, err)
			}
		}
	})
}
