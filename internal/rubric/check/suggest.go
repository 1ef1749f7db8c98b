package check

import (
	"slices"
	"strings"

	"github.com/readership/readership/internal/rubric/source"
)

// Bounds of the search for names that were meant: a program of a megabyte may
// have as many wrong names as right ones.
const (
	maxSuggestions = 2 * source.MaxDiagnostics
	maxCandidates  = 5000
)

// near is the hint about an unknown name, "" if none of those known is near or
// if enough has been suggested.
func (c *checker) near(name string, known func() []string) string {
	if len(c.diagnostics) >= maxSuggestions {
		return ""
	}
	list := known()
	return source.DidYouMean(name, list[:min(len(list), maxCandidates)])
}

// these is a list for near that is at hand.
func these(list []string) func() []string { return func() []string { return list } }

// oneOf is the hint about a word that is none of a few: the nearest, else all.
func (c *checker) oneOf(word string, words []string) string {
	if hint := c.near(word, these(words)); hint != "" {
		return hint
	}
	const few = 8
	if len(words) == 0 || len(words) > few {
		return ""
	}
	return "there is " + strings.Replace(either(words), " or ", " and ", 1)
}

// sorted returns the keys of a map, so that messages do not depend on its order.
func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// known returns the names that have a meaning.
func (c *checker) known(en *env) []string { return named(c.choices(en)) }

// callable returns the names of functions.
func (c *checker) callable() []string { return named(c.functionChoices()) }

// named returns the names of choices.
func named(choices []Choice) []string {
	out := make([]string, len(choices))
	for i, c := range choices {
		out[i] = c.Name
	}
	return out
}
