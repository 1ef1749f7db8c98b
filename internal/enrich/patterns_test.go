package enrich

import (
	"fmt"
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

// The index of literals changes nothing: a list answers as if every expression
// had been run, one after the other.
func TestPatternsAnswerAsTheirExpressions(t *testing.T) {
	part := rapid.SampledFrom([]string{"bot", "Bot/", "[cC]rawl", "spider", `\d+`, ".{0,3}", "(?:abc|abd)", "(?:foo|ba?r|quux)", "x*", "(?i:MoZilla)", `\b`, "^", "a", "ß", "(?i:desk)", "[abc]{1,3}", "(?:b(?:ot|ad))?", "(?:get){1,2}", "(?:it)?"})
	rapid.Check(t, func(t *rapid.T) {
		exprs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			expr := ""
			for _, p := range rapid.SliceOfN(part, 1, 4).Draw(t, "parts") {
				expr += p
			}
			return expr
		}), 1, 70).Draw(t, "exprs")
		word := rapid.SampledFrom([]string{"bot", "Bot/", "BOT", "crawl", "Crawl", "spider", "12", "mozilla", "abd", "foo", "bar", "br", "quux", "K", "K", "ß", "a", " ", "getget", "it", "de\u017fk", "DES\u212a", "abc", "bad"})
		text := ""
		for _, w := range rapid.SliceOfN(word, 0, 6).Draw(t, "text") {
			text += w
		}
		want, tries := -1, len(exprs)
		for i, expr := range exprs {
			if regexp.MustCompile(expr).MatchString(text) {
				want = i
				break
			}
		}
		if got := newPatterns(exprs).first(text, nil, &tries); got != want {
			t.Fatalf("first(%q) of %q is %d, want %d", text, exprs, got, want)
		}
	})
}

// However many literals a text holds, a bounded number of expressions is run on it.
func TestPatternsTriedAreBounded(t *testing.T) {
	const bound = 100
	exprs, text := []string{}, ""
	for i := range 3 * bound {
		exprs = append(exprs, fmt.Sprintf("key%03d.*!", i))
		text += fmt.Sprintf("key%03d ", i)
	}
	exprs = append(exprs, "found")
	p := newPatterns(exprs)
	tries := bound
	if got := p.first(text+"found", nil, &tries); got != -1 || tries != 0 {
		t.Errorf("found %d behind %d others, %d tries left", got, 3*bound, tries)
	}
	if got := p.first("found", nil, &tries); got != -1 {
		t.Errorf("found %d without a try", got)
	}
	if tries = bound; p.first(text[:(bound-1)*len("key000 ")]+"found", nil, &tries) != 3*bound || tries != 0 {
		t.Errorf("of %d that may match the last is not found; %d tries left", bound, tries)
	}
	run := 0
	for _, of := range p.list {
		if of.re != nil {
			run++
		}
	}
	if run > bound+1 {
		t.Errorf("%d were run", run)
	}
}
