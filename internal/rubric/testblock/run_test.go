package testblock_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/testblock"
)

var update = flag.Bool("update", false, "write what fails now into testdata/fail")

func load(t *testing.T, name string) *rubric.Program {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	p := rubric.CheckText(map[string]string{filepath.Base(name): string(data)}, schema.Default())
	if !p.OK() {
		t.Fatalf("%s", p.Render())
	}
	return p
}

func run(t *testing.T, p *rubric.Program) []testblock.Result {
	t.Helper()
	out, err := testblock.Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A test has so many rows at most, and ends when nobody waits for it.
func TestBounds(t *testing.T) {
	text := "segment s = events |> any\ntest \"many\" {\n" + strings.Repeat("at 2026-03-01 event \"x\"\n", 1001) + "at 2026-03-01 expect s\n}"
	p := rubric.CheckText(map[string]string{"main": text}, schema.Default())
	r := run(t, p)[0]
	if len(r.Failures) != 1 || r.Failures[0].Line != 1003 || r.Expects != 0 {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := testblock.Run(ctx, p); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
}

// Each test block of testdata/pass holds. They are the rules of meters, access
// and segments, worked out by hand.
func TestPass(t *testing.T) {
	for _, name := range glob(t, "testdata/pass/*.rubric") {
		p := load(t, name)
		for _, r := range run(t, p) {
			t.Run(filepath.Base(name)+"/"+r.Title, func(t *testing.T) {
				if !r.OK() {
					t.Errorf("\n%s", source.Render(r.Failures, p.Files...))
				}
				if r.Expects == 0 {
					t.Error("nothing was expected")
				}
			})
		}
	}
}

// What fails in testdata/fail/NAME.rubric is said as in NAME.txt.
func TestFail(t *testing.T) {
	for _, name := range glob(t, "testdata/fail/*.rubric") {
		p := load(t, name)
		var got strings.Builder
		for _, r := range run(t, p) {
			got.WriteString(r.Title + "\n" + source.Render(r.Failures, p.Files...))
		}
		golden := strings.TrimSuffix(name, ".rubric") + ".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The example of the manual holds; strategies are not checked yet.
func TestExample(t *testing.T) {
	data, err := os.ReadFile("../testdata/programs/example.rubric")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?ms)^strategy .*?\n\n`).ReplaceAllString(string(data), "")
	p := rubric.CheckText(map[string]string{"main": text}, schema.Default())
	if !p.OK() {
		t.Fatal("\n" + p.Render())
	}
	for _, r := range run(t, p) {
		if !r.OK() || r.Expects != 4 {
			t.Errorf("%d expectations\n%s", r.Expects, source.Render(r.Failures, p.Files...))
		}
	}
}

// The programs of the manual's page hold.
func TestManual(t *testing.T) {
	data, err := os.ReadFile("../../../docs/rubric/evaluation.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```rubric\n(.*?)```").FindAllStringSubmatch(string(data), -1)
	if len(blocks) == 0 {
		t.Fatal("no program")
	}
	for _, b := range blocks {
		p := rubric.CheckText(map[string]string{"evaluation.md": b[1]}, schema.Default())
		if len(p.Diagnostics) > 0 {
			t.Errorf("\n%s", p.Render())
			continue
		}
		for _, r := range run(t, p) {
			if !r.OK() {
				t.Errorf("\n%s", source.Render(r.Failures, p.Files...))
			}
		}
	}
}
