package parse_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/source"
)

var update = flag.Bool("update", false, "write what is said now into testdata/diagnostics")

// Each file testdata/diagnostics/NAME.rubric has one mistake and gives the one
// error that NAME.txt shows. A file that begins with `-- N errors` has N.
func TestDiagnostics(t *testing.T) {
	files, err := filepath.Glob("testdata/diagnostics/*.rubric")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".rubric"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f := source.NewFile(filepath.Base(name), string(data))
			_, diagnostics := parse.File(f)
			want := 1
			_, _ = fmt.Sscanf(string(data), "-- %d errors", &want) // else one
			got := source.Render(diagnostics, f)
			if len(diagnostics) != want {
				t.Errorf("%d errors, want %d:\n%s", len(diagnostics), want, got)
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
