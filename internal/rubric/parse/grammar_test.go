package parse_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/readership/readership/internal/rubric/format"
	"github.com/readership/readership/internal/rubric/source"
)

const grammarFile = "../../../docs/rubric/grammar.md"

// fences returns the text of the fenced blocks of a language, in order.
func fences(t *testing.T, language string) []string {
	data, err := os.ReadFile(grammarFile)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(data), -1) {
		out = append(out, m[1])
	}
	return out
}

// Every example of the grammar parses, and is in the canonical layout.
func TestGrammarExamples(t *testing.T) {
	examples, rules := fences(t, "rubric"), fences(t, "ebnf")
	if len(examples) < 15 || len(examples) < len(rules) {
		t.Errorf("%d examples for %d groups of rules", len(examples), len(rules))
	}
	for _, text := range examples {
		f := source.NewFile("grammar.md", text)
		got, diagnostics := format.Source(f)
		if len(diagnostics) > 0 {
			t.Errorf("%s", source.Render(diagnostics, f))
		} else if got != text {
			t.Errorf("not in canonical layout:\n%sbut\n%s", text, got)
		}
	}
}

// Every rule that is used is defined once, and every rule but the first is used.
func TestGrammarIsClosed(t *testing.T) {
	text := strings.Join(fences(t, "ebnf"), "")
	text = regexp.MustCompile(`"[^"]+"|'[^']+'|\?[^?\n]*\?`).ReplaceAllString(text, " ")
	defined, used := map[string]int{}, map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+) *=`).FindAllStringSubmatch(text, -1) {
		defined[m[1]]++
	}
	text = regexp.MustCompile(`(?m)^[a-z]+ *=`).ReplaceAllString(text, "")
	for _, name := range regexp.MustCompile(`[a-z]+`).FindAllString(text, -1) {
		used[name] = true
		if defined[name] != 1 {
			t.Errorf("%s is used and defined %d times", name, defined[name])
		}
	}
	for name := range defined {
		if !used[name] && name != "program" && name != "comment" {
			t.Errorf("%s is not used", name)
		}
	}
}
