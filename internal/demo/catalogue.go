package demo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/readership/readership/internal/event"
)

// The newspaper.
const (
	SiteID   = "demo"
	siteName = "Harbour Post"
	domain   = "harbourpost.example"
	homeID   = "home"
	// perDay is how many articles appear in a day, keptDays how long they are
	// read: some 400 are in the catalogue at any time.
	perDay   = 9
	keptDays = 45
)

// hours are when the articles of a day appear, in the paper's zone.
var hours = [perDay]int{6, 7, 8, 10, 12, 14, 16, 18, 21}

// Article is one piece of the newspaper. All of it follows from its number.
type Article struct {
	Number    int // day since 1970 × perDay + slot of the day
	ID        string
	URL       string
	Path      string
	Title     string
	Section   string
	Tags      []string
	Authors   []string
	Tier      string // free, metered or premium
	Published time.Time
	pull      float64 // how strongly it draws readers, 1 being usual
}

// article makes the article with a number.
func article(seed uint64, number int, zone *time.Location) *Article {
	rng := rand.New(rand.NewPCG(seed, uint64(number)))
	day, slot := number/perDay, number%perDay
	year, month, date := time.Unix(int64(day)*86400, 0).UTC().Date()
	a := &Article{Number: number, ID: strconv.Itoa(number),
		Published: time.Date(year, month, date, hours[slot], rng.IntN(50), rng.IntN(60), 0, zone)}
	s := &sections[weighted(rng, sectionWeights)]
	a.Section = s.name
	a.Title = headline(rng, s)
	a.Tags = pickSome(rng, s.tags, 1+rng.IntN(3))
	a.Authors = pickSome(rng, s.authors, 1)
	if rng.Float64() < 0.12 {
		a.Authors = pickSome(rng, s.authors, 2)
	}
	switch r := rng.Float64(); {
	case r < 0.18:
		a.Tier = "premium"
	case r < 0.72:
		a.Tier = "metered"
	default:
		a.Tier = "free"
	}
	a.Path = "/" + a.Section + "/" + slug(a.Title) + "-" + a.ID
	a.URL = "https://" + domain + a.Path
	a.pull = s.pull * math.Exp(0.7*rng.NormFloat64())
	return a
}

// fact returns the article's catalogue entry.
func (a *Article) item() *event.Item {
	published := a.Published.UTC()
	return &event.Item{ID: a.ID, URL: a.URL, Kind: "article", Title: a.Title, Section: a.Section, Tags: a.Tags,
		Authors: a.Authors, Tier: a.Tier, PublishedAt: &published, Language: "en"}
}

func homeItem() *event.Item {
	return &event.Item{ID: homeID, URL: "https://" + domain + "/", Kind: "home", Title: "Front page", Section: "home", Tier: "free", Language: "en"}
}

// numberAt returns the number of the first article of t's day.
func numberAt(t time.Time, zone *time.Location) int {
	y, m, d := t.In(zone).Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/86400) * perDay
}

// freshness is how an article's pull fades: by half in nine hours, with a long
// tail for what search engines bring.
func freshness(age time.Duration) float64 {
	if age < 0 {
		return 0
	}
	hours := age.Hours()
	rise := 1 - math.Exp(-(hours+0.1)*3)
	return rise * (math.Exp2(-hours/9) + 0.015*math.Exp2(-hours/240))
}

// slug makes the part of an address that a title gives.
func slug(title string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(title) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			dash = false
		case r == '\'' || r == '’':
		default:
			dash = true
		}
	}
	return b.String()
}

// headline fills a section's pattern with its words.
func headline(rng *rand.Rand, s *section) string {
	pattern := s.patterns[rng.IntN(len(s.patterns))]
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(pattern, "{")
		b.WriteString(before)
		if !found {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		words, ok := s.words[name]
		if !ok {
			words, ok = everywhere[name]
		}
		if name == "n" {
			fmt.Fprint(&b, 2+rng.IntN(60))
		} else if ok {
			b.WriteString(words[rng.IntN(len(words))])
		}
		pattern = after
	}
	title := b.String()
	first, size := utf8.DecodeRuneInString(title) // may be a quotation mark
	return string(unicode.ToUpper(first)) + title[size:]
}

func pickSome(rng *rand.Rand, from []string, n int) []string {
	n = min(n, len(from))
	out := make([]string, 0, n)
	for _, i := range rng.Perm(len(from))[:n] {
		out = append(out, from[i])
	}
	return out
}

// weighted draws an index in proportion to its weight.
func weighted(rng *rand.Rand, weights []float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	at := rng.Float64() * sum
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}
