package rubric_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/format"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
)

const manual = "../../docs/rubric/"

var block = regexp.MustCompile("(?s)```rubric\n(.*?)```\n(?:```text\n(.*?)```\n)?")

var update = flag.Bool("update", false, "lay out the programs of the manual and write what is said of them now")

// elsewhere has the pages whose programs other packages try: parts of programs,
// and programs whose tests are run.
var elsewhere = []string{"grammar.md", "evaluation.md"}

// Each program of the manual checks and is in the canonical layout. One that is
// followed by a text gives the diagnostics that it shows.
func TestManual(t *testing.T) {
	pages, err := filepath.Glob(manual + "*.md")
	if err != nil || len(pages) < 8 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		if slices.Contains(elsewhere, filepath.Base(page)) {
			continue
		}
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		got := block.ReplaceAllStringFunc(string(data), func(example string) string { return tried(t, example) })
		if *update {
			if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if diff := cmp.Diff(string(data), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filepath.Base(page), diff)
		}
	}
}

// tried returns an example as it must be written.
func tried(t *testing.T, example string) string {
	m := block.FindStringSubmatch(example)
	text, diagnostics := format.Source(source.NewFile("main", m[1]))
	if len(diagnostics) > 0 {
		text = m[1]
	}
	s := schema.Default()
	s.Window = 31 * 24 * 3600_000
	s.Entitlements = []string{"premium"}
	p := rubric.CheckText(map[string]string{"main": text}, s)
	if p.OK() {
		for n := range p.Plan.Tests {
			if test, diagnostics := p.Test(n); test == nil {
				t.Errorf("test %d: %v of\n%s", n, diagnostics, text)
			}
		}
	}
	if m[2] == "" && len(p.Diagnostics) > 0 {
		t.Errorf("%s\nof\n%s", p.Render(), text)
	}
	out := "```rubric\n" + text + "```\n"
	if m[2] != "" {
		out += "```text\n" + p.Render() + "```\n"
	}
	return out
}

// The manual names every column, field, flag and function.
func TestManualIsComplete(t *testing.T) {
	page := func(name string) string {
		data, err := os.ReadFile(manual + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	names, types := page("names.md"), page("types.md")
	for _, column := range plan.ColumnNames() {
		if !strings.Contains(names, "`"+column+"`") {
			t.Errorf("names.md does not say what the column %s is", column)
		}
	}
	for _, field := range plan.FieldNames() {
		if !strings.Contains(names, "`item."+field+"`") {
			t.Errorf("names.md does not say what item.%s is", field)
		}
	}
	for _, flag := range plan.FlagNames {
		if !strings.Contains(names, "`request."+flag+"`") {
			t.Errorf("names.md does not say what request.%s is", flag)
		}
	}
	for op := plan.Lower; op <= plan.Max; op++ {
		if !strings.Contains(types, "`"+op.String()+"(") {
			t.Errorf("types.md does not say what %s is", op)
		}
	}
}
