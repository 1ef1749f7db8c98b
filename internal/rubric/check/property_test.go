package check_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/format"
	"github.com/readership/readership/internal/rubric/source"
	"pgregory.net/rapid"
)

// A program means the same after it is formatted, and what it means is in order.
func TestFormattingKeepsMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &gen{t: t}
		text := g.program()
		f := source.NewFile("main", text)
		p := rubric.Check([]*source.File{f}, site())
		if !p.OK() {
			t.Fatalf("%s\nof\n%s", p.Render(), text)
		}
		keepsMeaning(t, p)
		verify(t, p.Plan)
		test, diagnostics := p.Test(0)
		if test == nil {
			t.Fatalf("the test does not check: %v\n%s", diagnostics, text)
		}
		verify(t, test)
		if len(test.Tests) != 1 || len(test.Tests[0].Steps) != 3 {
			t.Errorf("the plan of a test has %d tests", len(test.Tests))
		}
	})
}

// keepsMeaning compares the plan with that of the formatted program.
func keepsMeaning(t rapid.TB, p *rubric.Program) {
	var files []*source.File
	for _, f := range p.Files {
		text, diagnostics := format.Source(f)
		if len(diagnostics) > 0 {
			t.Fatalf("formatting: %v", diagnostics)
		}
		files = append(files, source.NewFile(f.Name, text))
	}
	again := rubric.Check(files, p.Schema)
	if !again.OK() {
		t.Fatalf("formatted:\n%s\nof\n%s", again.Render(), files[0].Text)
	}
	if diff := cmp.Diff(p.Plan.Print(), again.Plan.Print()); diff != "" {
		t.Errorf("formatted, it means something else (-before +after):\n%s\nof\n%s", diff, p.Files[0].Text)
	}
}

// Whatever is written: checking ends, and there is a plan if and only if there
// is no error.
func FuzzCheck(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*/*.rubric")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(seeds, "../testdata/programs/example.rubric") {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := rubric.Check(split("main", text), site())
		if p.OK() == source.HasErrors(p.Diagnostics) {
			t.Fatalf("there is a plan: %v, with\n%s", p.OK(), p.Render())
		}
		for _, d := range p.Diagnostics {
			if d.Line < 1 || d.Column < 1 || d.EndColumn < d.Column || d.Message == "" || d.Code == "" {
				t.Errorf("bad diagnostic %+v", d)
			}
		}
		if !p.OK() {
			return
		}
		verify(t, p.Plan)
		keepsMeaning(t, p)
		for n := range p.Plan.Tests {
			if test, diagnostics := p.Test(n); test != nil {
				verify(t, test)
			} else if !source.HasErrors(diagnostics) {
				t.Errorf("no plan of test %d, and no error", n)
			}
		}
	})
}

// FuzzGenerated is TestFormattingKeepsMeaning with programs that grow from the
// fuzzer's bytes.
func FuzzGenerated(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		g := &gen{t: t}
		p := rubric.Check([]*source.File{source.NewFile("main", g.program())}, site())
		if !p.OK() {
			t.Fatal(p.Render())
		}
		keepsMeaning(t, p)
		verify(t, p.Plan)
	}))
}
