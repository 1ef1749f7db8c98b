package rubric_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/schema"
)

var strategies = regexp.MustCompile(`(?ms)^strategy .*?\n\n`)

// The program that the manual begins with checks, its strategy left out.
func TestExample(t *testing.T) {
	data, err := os.ReadFile("testdata/programs/example.rubric")
	if err != nil {
		t.Fatal(err)
	}
	s := schema.Default()
	p := rubric.CheckText(map[string]string{"main": strategies.ReplaceAllString(string(data), "")}, s)
	if len(p.Diagnostics) > 0 {
		t.Fatal("\n" + p.Render())
	}

	test, diagnostics := p.Test(0)
	if test == nil || len(diagnostics) > 0 {
		t.Fatal(diagnostics)
	}

}

// A program begins with its file main, or with the only one.
func TestMainFile(t *testing.T) {
	segment := "segment fan = events |> any\n"
	for name, c := range map[string]struct {
		texts map[string]string
		ok    bool
	}{
		"none":     {nil, false},
		"one":      {map[string]string{"home.rubric": segment}, true},
		"main":     {map[string]string{"a": "let reads = events\n", "main": "use \"a\"\n" + segment}, true},
		"two":      {map[string]string{"a": segment, "b": segment}, false},
		"not read": {map[string]string{"main": "segment"}, false},
		"empty":    {map[string]string{"main": ""}, true},
	} {
		p := rubric.CheckText(c.texts, schema.Default())
		if p.OK() != c.ok || !c.ok && len(p.Diagnostics) == 0 {
			t.Errorf("%s: ok %v, %s", name, p.OK(), p.Render())
		}
	}
}
