package check_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/value"
)

var update = flag.Bool("update", false, "write what is said now into testdata")

// site is what the programs of the tests are checked against.
func site() *schema.Schema {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return &schema.Schema{
		Calendar:   value.Calendar{Zone: berlin, WeekStart: time.Monday},
		Window:     31 * 24 * 3600_000,
		Properties: []string{"goal", "score", "video"}, Traits: []string{"plan", "age"},
		Attributes: []string{"dossier", "words"}, Entitlements: []string{"premium", "archive"},
	}
}

// split cuts a text into the files of a program: a line `-- file NAME` begins
// another one.
func split(name, text string) []*source.File {
	parts := strings.Split(text, "-- file ")
	files := []*source.File{source.NewFile(name, parts[0])}
	for _, part := range parts[1:] {
		name, text, _ := strings.Cut(part, "\n")
		files = append(files, source.NewFile(name, text))
	}
	return files
}

// Each file testdata/diagnostics/NAME.rubric has one mistake and gives the one
// diagnostic that NAME.txt shows. A file that begins with `-- N diagnostics` has
// N.
func TestDiagnostics(t *testing.T) {
	files, err := filepath.Glob("testdata/diagnostics/*.rubric")
	if err != nil || len(files) < 120 {
		t.Errorf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".rubric"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			p := rubric.Check(split(filepath.Base(name), string(data)), site())
			want := 1
			_, _ = fmt.Sscanf(string(data), "-- %d diagnostics", &want) // else one
			got := p.Render()
			if len(p.Diagnostics) != want {
				t.Errorf("%d diagnostics, want %d:\n%s", len(p.Diagnostics), want, got)
			}
			if p.OK() == source.HasErrors(p.Diagnostics) {
				t.Errorf("there is a plan: %v\n%s", p.OK(), got)
			}
			golden := strings.TrimSuffix(name, ".rubric") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			expected, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(expected), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The manual explains every code, and none that there is not.
func TestCodes(t *testing.T) {
	files, err := filepath.Glob("testdata/diagnostics/*.rubric")
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{"too_many": true, "too_dear": true} // where large programs are tried
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range rubric.Check(split("main", string(data)), site()).Diagnostics {
			given[d.Code] = true
		}
	}
	page, err := os.ReadFile("../../../docs/rubric/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| code | about |")
	table, _, _ = strings.Cut(table, "\n\n")
	explained := map[string]bool{}
	for _, row := range strings.Split(table, "\n") {
		for i, part := range strings.Split(strings.Split(row+"||", "|")[1], "`") {
			if i%2 == 1 {
				explained[part] = true
			}
		}
	}
	if diff := cmp.Diff(given, explained); diff != "" {
		t.Errorf("codes (-given +explained):\n%s", diff)
	}
}
