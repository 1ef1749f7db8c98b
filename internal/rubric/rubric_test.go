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
	t.Log("\n" + p.Plan.Print())
	test, diagnostics := p.Test(0)
	if test == nil || len(diagnostics) > 0 {
		t.Fatal(diagnostics)
	}
	t.Log("\n" + test.Print())
}
