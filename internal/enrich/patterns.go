package enrich

import (
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// patterns is an ordered list of regular expressions that is asked which of
// them match a text. Most of them need some literal of the text, so a text is
// searched once for all literals, and only the expressions whose literal it
// holds are run. Safe for concurrent use.
type patterns struct {
	list   []*pattern
	index  map[gram][]needle
	always []int32 // patterns without a literal
	pool   sync.Pool
}

// pattern is one expression, compiled when it is run first.
type pattern struct {
	expr string
	once sync.Once
	re   *regexp.Regexp
}

// gram is how literals are found: their first bytes in lower case.
type gram [3]byte

// needle is a literal, in lower case, that the text of a match must hold.
type needle struct {
	text    string
	pattern int32
}

// newPatterns compiles nothing yet; a malformed expression is left out.
func newPatterns(exprs []string) *patterns {
	p := &patterns{list: make([]*pattern, len(exprs)), index: map[gram][]needle{}}
	p.pool.New = func() any { return new(candidates) }
	for i, expr := range exprs {
		p.list[i] = &pattern{expr: expr}
		literals := []string(nil)
		if parsed, err := syntax.Parse(expr, syntax.Perl); err == nil {
			literals = required(parsed.Simplify())
		}
		if literals == nil {
			p.always = append(p.always, int32(i))
			continue
		}
		for _, text := range literals {
			g := gram([]byte(text[:len(gram{})]))
			p.index[g] = append(p.index[g], needle{text, int32(i)})
		}
	}
	return p
}

func (p *pattern) match(text string) bool {
	p.once.Do(func() { p.re = regexp.MustCompile(p.expr) })
	return p.re.MatchString(text)
}

// candidates are the patterns that may match a text.
type candidates struct {
	lower []byte
	bits  []uint64
}

// first returns the first pattern that matches, of those that accept takes if it
// is not nil; -1 if there is none. Each that is run takes one of tries; when none
// is left the answer is -1 too. So it is bounded what a text can cost that is made
// to hold many literals.
func (p *patterns) first(text string, accept func(i int) bool, tries *int) int {
	c := p.pool.Get().(*candidates)
	defer p.pool.Put(c)
	p.find(text, c)
	for word, bits := range c.bits {
		for bit := 0; bits != 0; bit, bits = bit+1, bits>>1 {
			i := word*64 + bit
			if bits&1 == 0 || accept != nil && !accept(i) {
				continue
			}
			if *tries == 0 {
				return -1
			}
			*tries--
			if p.list[i].match(text) {
				return i
			}
		}
	}
	return -1
}

// find sets the patterns whose literals text holds.
func (p *patterns) find(text string, c *candidates) {
	if words := (len(p.list) + 63) / 64; len(c.bits) != words {
		c.bits = make([]uint64, words)
	}
	clear(c.bits)
	for _, i := range p.always {
		c.bits[i/64] |= 1 << (i % 64)
	}
	c.lower = append(c.lower[:0], text...)
	if strings.ContainsAny(text, folded) {
		c.lower = append(c.lower[:0], unfold.Replace(text)...)
	}
	for i, b := range c.lower {
		if b-'A' < 26 {
			c.lower[i] = b + 'a' - 'A'
		}
	}
	for i := 0; i+len(gram{}) <= len(c.lower); i++ {
		for _, n := range p.index[gram(c.lower[i:i+len(gram{})])] {
			if rest := c.lower[i:]; len(rest) >= len(n.text) && string(rest[:len(n.text)]) == n.text {
				c.bits[n.pattern/64] |= 1 << (n.pattern % 64)
			}
		}
	}
}

// folded are the letters outside ASCII that stand for one inside it where case
// does not count.
const folded = "\u017f\u212a"

var unfold = strings.NewReplacer("\u017f", "s", "\u212a", "k")

// Bounds on the literals of one expression.
const (
	minLiteral  = len(gram{})
	maxLiterals = 1000
	maxLetters  = 16 // of a class
)

// required returns literals in lower case, at least one of which is in every
// text that matches re; nil if that cannot be said.
func required(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpConcat:
		var best []string
		better := func(literals []string) {
			if rarity(literals) > rarity(best) {
				best = literals
			}
		}
		run := []string{""}
		for _, sub := range re.Sub {
			if longer, ok := product(run, exact(sub)); ok {
				run = longer
				continue
			}
			better(run)
			better(required(sub))
			run = []string{""}
		}
		better(run)
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			literals := required(sub)
			if literals == nil || len(all)+len(literals) > maxLiterals {
				return nil
			}
			all = append(all, literals...)
		}
		return all
	}
	if all := exact(re); rarity(all) > 0 {
		return all
	}
	return nil
}

// exact returns the texts, in lower case, that re matches; nil if they are too
// many. What is asked of the place of a match is left out.
func exact(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}
	case syntax.OpLiteral:
		text := string(re.Rune)
		for i := range len(text) {
			if text[i] >= utf8.RuneSelf { // folding of other letters is not ours
				return nil
			}
		}
		return []string{strings.ToLower(text)}
	case syntax.OpCharClass:
		var all []string
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i+1] >= utf8.RuneSelf || int(re.Rune[i+1]-re.Rune[i]) >= maxLetters {
				return nil
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if text := strings.ToLower(string(r)); !slices.Contains(all, text) {
					all = append(all, text)
				}
			}
		}
		if len(all) > maxLetters {
			return nil
		}
		return all
	case syntax.OpCapture:
		return exact(re.Sub[0])
	case syntax.OpQuest:
		if all := exact(re.Sub[0]); all != nil {
			return append(slices.Clip(all), "")
		}
	case syntax.OpConcat:
		all, ok := []string{""}, true
		for _, sub := range re.Sub {
			if all, ok = product(all, exact(sub)); !ok {
				return nil
			}
		}
		return all
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			texts := exact(sub)
			if texts == nil || len(all)+len(texts) > maxLiterals {
				return nil
			}
			all = append(all, texts...)
		}
		return all
	}
	return nil
}

// product returns every text of a followed by every one of b; ok is false if b
// is nil or they are too many.
func product(a, b []string) (all []string, ok bool) {
	if b == nil || len(a)*len(b) > maxLiterals {
		return nil, false
	}
	for _, x := range a {
		for _, y := range b {
			all = append(all, x+y)
		}
	}
	return all, true
}

// common is what stands in the agent of nearly every browser.
const common = "mozilla/5.0 (windows nt 10.0; win64; x64) applewebkit/537.36 (khtml, like gecko) chrome/ version/ mobile/ safari/537.36" +
	" (linux; u; android 10; k) (iphone; cpu iphone os 17_0 like mac os x) (macintosh; intel mac os x 10_15_7) (x11; linux x86_64; rv:) gecko/20100101 firefox/"

// rarity says how well literals tell texts apart: by the length of the
// shortest, and little if nearly every agent holds one. It is 0 if they cannot
// be found by their grams.
func rarity(literals []string) int {
	if len(literals) == 0 {
		return 0
	}
	least := math.MaxInt
	for _, l := range literals {
		if len(l) < minLiteral {
			return 0
		}
		n := 10 * len(l)
		if strings.Contains(common, l) {
			n = len(l)
		}
		least = min(least, n)
	}
	return least
}
