package format_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/format"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/source"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write what is made now into testdata")

// sameTree compares trees without their places, files and comments.
var sameTree = cmp.Options{
	cmp.Comparer(func(_, _ source.Span) bool { return true }),
	cmp.Comparer(func(_, _ *source.File) bool { return true }),
	cmp.Comparer(func(_, _ []ast.Comment) bool { return true }),
}

func mustParse(t interface{ Fatalf(string, ...any) }, text string) *ast.Program {
	f := source.NewFile("p", text)
	program, diagnostics := parse.File(f)
	if len(diagnostics) > 0 {
		t.Fatalf("%s\nin:\n%s", source.Render(diagnostics, f), text)
	}
	return program
}

// A tree that is formatted and parsed is the same tree, and formatting its text
// once more changes nothing.
func TestFormatKeepsTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := gen{t: t}.program()
		text := format.Program(want)
		got := mustParse(t, text)
		if diff := cmp.Diff(want, got, sameTree); diff != "" {
			t.Fatalf("tree before and after (-before +after):\n%s\n%s", diff, text)
		}
		if again := format.Program(got); again != text {
			t.Fatalf("formatted once and twice:\n%s", cmp.Diff(text, again))
		}
	})
}

// Comments put between any two tokens stay, in their order, and do not change
// the tree.
func TestFormatKeepsComments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := gen{t: t}.program()
		var commented strings.Builder
		number := 0
		for line := range strings.Lines(format.Program(want)) {
			for i, word := range strings.SplitAfter(line, " ") {
				// a quotation mark may mean that the space is part of a text
				if i > 0 && !strings.Contains(line, `"`) && rapid.IntRange(0, 9).Draw(t, "comment") == 0 {
					number++
					if rapid.Bool().Draw(t, "own") {
						commented.WriteString("\n")
					}
					commented.WriteString("-- c\n")
				}
				commented.WriteString(word)
			}
		}
		program := mustParse(t, commented.String())
		text := format.Program(program)
		got := mustParse(t, text)
		if diff := cmp.Diff(want, got, sameTree); diff != "" {
			t.Fatalf("tree before and after (-before +after):\n%s\n%s", diff, text)
		}
		if n := len(got.Comments); n != number {
			t.Fatalf("%d comments of %d are left:\n%s\nof:\n%s", n, number, text, commented.String())
		}
		if again := format.Program(got); again != text {
			t.Fatalf("formatted once and twice:\n%s\nof:\n%s", cmp.Diff(text, again), commented.String())
		}
	})
}

// Each file of testdata has a program and, behind a line of `====`, what is
// made of it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			in, want, ok := strings.Cut(string(data), "====\n")
			if !ok {
				t.Fatal("no line of ====")
			}
			got := format.Program(mustParse(t, in))
			if *update {
				if err := os.WriteFile(name, []byte(in+"====\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("(-want +got):\n%s\n%s", cmp.Diff(want, got), got)
			}
			if again := format.Program(mustParse(t, got)); again != got {
				t.Errorf("formatted once and twice:\n%s", cmp.Diff(got, again))
			}
		})
	}
}

func TestExampleIsFormatted(t *testing.T) {
	data, err := os.ReadFile("../testdata/programs/example.rubric")
	if err != nil {
		t.Fatal(err)
	}
	if got := format.Program(mustParse(t, string(data))); got != string(data) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(string(data), got))
	}
}

func TestSourceWithErrors(t *testing.T) {
	text, diagnostics := format.Source(source.NewFile("p", "let a = "))
	if text != "" || !source.HasErrors(diagnostics) {
		t.Errorf("Source = %q, %v; want an error and no text", text, diagnostics)
	}
}

func FuzzFormat(f *testing.F) {
	for _, pattern := range []string{"../testdata/programs/*.rubric", "../parse/testdata/diagnostics/*.rubric", "testdata/*.txt"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(data))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := source.NewFile("p", text)
		program, diagnostics := parse.File(file)
		for _, d := range diagnostics {
			if d.Line < 1 || d.Column < 1 || d.EndColumn < d.Column {
				t.Fatalf("place of %v", d)
			}
		}
		source.Render(diagnostics, file)
		ast.Walk(program, func(n ast.Node) bool {
			if s := n.Range(); s.Start < 0 || s.End < s.Start || s.End > len(text) {
				t.Fatalf("%T has the span %v in a text of %d bytes", n, s, len(text))
			}
			return true
		})
		if _, err := program.MarshalJSON(); err != nil {
			t.Fatal(err)
		}
		if source.HasErrors(diagnostics) {
			return
		}
		once := format.Program(program)
		again := mustParse(t, once)
		if diff := cmp.Diff(program, again, sameTree); diff != "" {
			t.Fatalf("tree before and after:\n%s\n%s", diff, once)
		}
		if len(again.Comments) != len(program.Comments) {
			t.Fatalf("%d comments of %d are left", len(again.Comments), len(program.Comments))
		}
		if twice := format.Program(again); twice != once {
			t.Fatalf("formatted once and twice:\n%s", cmp.Diff(once, twice))
		}
	})
}

func BenchmarkFormat(b *testing.B) {
	data, err := os.ReadFile("../testdata/programs/example.rubric")
	if err != nil {
		b.Fatal(err)
	}
	program := mustParse(b, string(data))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		format.Program(program)
	}
}
