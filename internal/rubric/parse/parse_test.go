package parse_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/lexer"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/source"
)

func mustParse(t testing.TB, text string) *ast.Program {
	t.Helper()
	f := source.NewFile("p", text)
	program, diagnostics := parse.File(f)
	if len(diagnostics) > 0 {
		t.Fatal(source.Render(diagnostics, f))
	}
	return program
}

// shape writes an expression with all its brackets.
func shape(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.Integer:
		return fmt.Sprint(e.Value)
	case *ast.Duration:
		return e.Raw
	case *ast.Select:
		return shape(e.X) + "." + e.Name.Text
	case *ast.Call:
		var args []string
		for _, a := range e.Args {
			args = append(args, shape(a.Value))
		}
		return shape(e.Fun) + "(" + strings.Join(args, ", ") + ")"
	case *ast.Unary:
		return "(" + e.Op.String() + " " + shape(e.X) + ")"
	case *ast.Binary:
		return "(" + shape(e.X) + " " + e.Op.String() + " " + shape(e.Y) + ")"
	case *ast.If:
		return "(if " + shape(e.Cond) + " then " + shape(e.Then) + " else " + shape(e.Else) + ")"
	case *ast.Pipe:
		out := shape(e.X)
		for _, s := range e.Stages {
			out += " |> " + stageShape(s)
		}
		return "(" + out + ")"
	default:
		return fmt.Sprintf("%T", e)
	}
}

func stageShape(s ast.Stage) string {
	list := func(keys []ast.Expr) string {
		var out []string
		for _, k := range keys {
			out = append(out, shape(k))
		}
		return strings.Join(out, ", ")
	}
	switch s := s.(type) {
	case *ast.Where:
		return "where " + shape(s.Cond)
	case *ast.Last:
		return "last " + shape(s.Duration)
	case *ast.Distinct:
		return "distinct " + list(s.Keys)
	case *ast.By:
		return "by " + list(s.Keys)
	case *ast.Then:
		return "then " + shape(s.Stream) + " within " + shape(s.Within)
	case *ast.End:
		if s.Of != nil {
			return s.Op.String() + " " + shape(s.Of)
		}
		return s.Op.String()
	case *ast.Apply:
		return s.Fun.Text
	default:
		return fmt.Sprintf("%T", s)
	}
}

func TestPrecedence(t *testing.T) {
	for in, want := range map[string]string{
		"a or b and not c == d":                 "(a or (b and (not (c == d))))",
		"a || b && !c":                          "(a or (b and (not c)))",
		"not a and b":                           "((not a) and b)",
		"not not a":                             "(not (not a))",
		"a ?? b + c * -d":                       "(a ?? (b + (c * (- d))))",
		"a - b - c / d / e":                     "((a - b) - ((c / d) / e))",
		"a ?? b ?? c":                           "((a ?? b) ?? c)",
		"a ?? 0 >= 5":                           "((a ?? 0) >= 5)",
		"has a.b == c":                          "((has a.b) == c)",
		"a in b":                                "(a in b)",
		"-a |> count":                           "(- (a |> count))",
		"a.b(c).d":                              "a.b(c).d",
		"(f)(x)":                                "f(x)",
		"if a then b else if c then d else e+1": "(if a then b else (if c then d else (e + 1)))",
		"a |> count > 5":                        "((a |> count) > 5)",
		"a |> where b |> count >= 5 and c":      "(((a |> where b |> count) >= 5) and c)",
		"a |> where b == c or d":                "(a |> where ((b == c) or d))",
		"a |> where b > (c |> count) |> any":    "(a |> where (b > (c |> count)) |> any)",
		"(a |> where b) |> count":               "(a |> where b |> count)",
		"a |> where if b then c else d |> any":  "(a |> where (if b then c else d) |> any)",
		"a |> last 3d |> f |> sum (b * c)":      "(a |> last 3d |> f |> sum (b * c))",
		"max(a |> distinct b, c)":               "max((a |> distinct b, c))",
		"max((a |> distinct b), c)":             "max((a |> distinct b), c)",
		"a |> by segment, b |> count / 60":      "((a |> by segment, b |> count) / 60)",
		"a |> then (b |> last 3d) within 5m":    "(a |> then (b |> last 3d) within 5m)",
		"if a |> any then b else c":             "(if (a |> any) then b else c)",
		"a |> min b.c":                          "(a |> min b.c)",
		"count + last":                          "(count + last)",
		"item.segment == properties.test":       "(item.segment == properties.test)",
	} {
		program := mustParse(t, "let x = "+in+"\nlet y = 1")
		if got := shape(program.Decls[0].(*ast.Let).Body); got != want || len(program.Decls) != 2 {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
	}
}

// Every program of the design's text is in testdata/programs.
func TestPrograms(t *testing.T) {
	files, err := filepath.Glob("../testdata/programs/*.rubric")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		mustParse(t, string(data))
	}
}

func TestDeclarations(t *testing.T) {
	data, err := os.ReadFile("../testdata/programs/example.rubric")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, d := range mustParse(t, string(data)).Decls {
		kinds = append(kinds, strings.TrimPrefix(fmt.Sprintf("%T", d), "*ast."))
	}
	want := strings.Fields("Let Let Let Let Segment Segment Segment Segment Let Meter Access Metric Metric Metric Strategy Test")
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each token of the example left out, doubled, or replaced by another gives a
// few errors at most and does not hide what stands after the declaration.
func TestRecovery(t *testing.T) {
	data, err := os.ReadFile("../testdata/programs/example.rubric")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	decls := len(mustParse(t, text).Decls)
	counts := map[int]int{} // mistakes by the number of their errors
	for _, tok := range lexer.Scan(source.NewFile("p", text)).Tokens {
		word := text[tok.Start:tok.End]
		for _, other := range []string{"", word + " " + word, ")", "==", "5", "if"} {
			f := source.NewFile("p", text[:tok.Start]+" "+other+" "+text[tok.End:])
			program, diagnostics := parse.File(f)
			counts[len(diagnostics)]++
			if len(diagnostics) > 3 || len(program.Decls) < decls-2 {
				t.Errorf("%q for %q at offset %d: %d declarations of %d, errors\n%s", other, word, tok.Start, len(program.Decls), decls, source.Render(diagnostics, f))
			}
		}
	}
	if one, more := counts[1], counts[2]+counts[3]; one < 10*more {
		t.Errorf("%d mistakes give one error, %d give more", one, more)
	}
	t.Logf("mistakes by the number of their errors: %v", counts)
}

// What is nested or long without end is refused, by few errors.
func TestBounds(t *testing.T) {
	const n = 100_000
	for name, text := range map[string]string{
		"brackets":    "let a = " + strings.Repeat("(", n) + strings.Repeat(")", n),
		"lists":       "let a = " + strings.Repeat("[", n),
		"calls":       "let a = " + strings.Repeat("f(", n),
		"signs":       "let a = " + strings.Repeat("- ", n) + "1",
		"nots":        "let a = " + strings.Repeat("not ", n) + "b",
		"ifs":         "let a = " + strings.Repeat("if ", n),
		"elses":       "let a = " + strings.Repeat("if a then b else ", n) + "c",
		"elifs":       "let a = if a then b " + strings.Repeat("elif a then b ", n) + "else c",
		"stage signs": "let a = events |> last " + strings.Repeat("- ", n) + "1",
		"sums":        "let a = 1" + strings.Repeat(" + 1", n),
		"powers":      "let a = 1" + strings.Repeat(" + 1 * 1", n),
		"fields":      "let a = a" + strings.Repeat(".a", n),
		"braces":      "access a " + strings.Repeat("{ ", n),
		"file":        strings.Repeat(" ", source.MaxBytes+1),
	} {
		f := source.NewFile("p", text)
		_, diagnostics := parse.File(f)
		if len(diagnostics) == 0 || len(diagnostics) > 2 {
			t.Errorf("%s: %d errors", name, len(diagnostics))
		}
		source.Render(diagnostics, f)
	}
}

func BenchmarkParse(b *testing.B) {
	data, err := os.ReadFile("../testdata/programs/example.rubric")
	if err != nil {
		b.Fatal(err)
	}
	f := source.NewFile("p", string(data))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		parse.File(f)
	}
}
