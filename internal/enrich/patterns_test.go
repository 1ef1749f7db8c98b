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
		want := -1
		for i, expr := range exprs {
			if regexp.MustCompile(expr).MatchString(text) {
				want = i
				break
			}
		}
		if got := newPatterns(exprs).first(text, nil); got != want {
			t.Fatalf("first(%q) of %q is %d, want %d", text, exprs, got, want)
		}
	})
}

// However many literals a text holds, a bounded number of expressions is run on it.
func TestPatternsTriedAreBounded(t *testing.T) {
	exprs, text := []string{}, ""
	for i := range 3 * maxTries {
		exprs = append(exprs, fmt.Sprintf("key%03d.*!", i))
		text += fmt.Sprintf("key%03d ", i)
	}
	exprs = append(exprs, "found")
	p := newPatterns(exprs)
	if got := p.first(text+"found", nil); got != -1 {
		t.Errorf("found %d behind %d others", got, 3*maxTries)
	}
	if got := p.first(text[:(maxTries-1)*len("key000 ")]+"found", nil); got != 3*maxTries {
		t.Errorf("of %d that may match %d is the first", maxTries, got)
	}
	run := 0
	for _, of := range p.list {
		if of.re != nil {
			run++
		}
	}
	if run > maxTries+1 {
		t.Errorf("%d were run", run)
	}
}
