package offer

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"
)

//go:embed page.html
var pageHTML string

// defaultPage is shown where an offer has no template.
var defaultPage = template.Must(template.New("page").Parse(pageHTML))

// worded is a page and what it says, in the language of its item.
type worded struct {
	*Page
	Lang, Heading, Text, Next, Back, Support string
}

// words says in plain words what was decided.
func words(p *Page) *worded {
	w := &worded{Page: p, Lang: "en", Heading: p.Title, Back: "To the front page", Support: "Support code"}
	german := strings.HasPrefix(strings.ToLower(p.Item.Language), "de")
	if german {
		w.Lang, w.Back, w.Support = "de", "Zur Startseite", "Kennung für den Support"
	}
	say := func(english, deutsch string) string {
		if german {
			return deutsch
		}
		return english
	}
	m := &p.Verdict.Meter
	switch {
	case p.Verdict.Decision == "charge":
		w.Heading = or(w.Heading, say("Payment required", "Kostenpflichtiger Abruf"))
		w.Text = fmt.Sprintf(say("This page costs %s a request.", "Diese Seite kostet %s je Abruf."), p.Verdict.Price)
	case m.Name != "" && m.Limit > 0 && m.Used >= m.Limit:
		w.Heading = or(w.Heading, say("You have reached your limit", "Ihr Kontingent ist erreicht"))
		w.Text = fmt.Sprintf(say("You have read %d of %d articles that are open to you.", "Sie haben %d von %d Artikeln gelesen, die Ihnen offenstehen."), m.Used, m.Limit)
		if !m.ResetsAt.IsZero() {
			w.Next = fmt.Sprintf(say("The next one opens on %s.", "Der nächste öffnet sich am %s."), say(englishDate(m.ResetsAt), germanDate(m.ResetsAt)))
		}
	default:
		w.Heading = or(w.Heading, say("This page is not open to you", "Diese Seite ist für Sie nicht freigegeben"))
		w.Text = say("It is for readers who have access to it.", "Sie ist Leserinnen und Lesern mit Zugang vorbehalten.")
	}
	return w
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

var germanMonths = [...]string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"}

// Dates say the time of day where it is not the day's begin.
func englishDate(t time.Time) string {
	if t.Hour() == 0 && t.Minute() == 0 {
		return t.Format("2 January 2006")
	}
	return t.Format("2 January 2006, 15:04")
}

func germanDate(t time.Time) string {
	day := fmt.Sprintf("%d. %s %d", t.Day(), germanMonths[t.Month()-1], t.Year())
	if t.Hour() == 0 && t.Minute() == 0 {
		return day
	}
	return day + t.Format(", 15:04 Uhr")
}
