package source_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/readership/readership/internal/rubric/source"
	"pgregory.net/rapid"
)

// Positions are what counting from the start of the text gives.
func TestPosition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab\n\ré日😀")), 0, 900, -1).Draw(t, "text")
		f := source.NewFile("p", text)
		offset := rapid.IntRange(0, len(text)).Draw(t, "offset")
		for offset > 0 && !utf8.ValidString(text[:offset]) {
			offset--
		}
		before := text[:offset]
		want := source.Position{
			Line:   strings.Count(before, "\n") + 1,
			Column: utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1,
		}
		if got := f.Position(offset); got != want {
			t.Fatalf("Position(%d) of %q = %v, want %v", offset, text, got, want)
		}
	})
}

func TestPositionOutside(t *testing.T) {
	f := source.NewFile("p", "ab\ncd")
	for offset, want := range map[int]source.Position{-1: {1, 1}, 5: {2, 3}, 99: {2, 3}} {
		if got := f.Position(offset); got != want {
			t.Errorf("Position(%d) = %v, want %v", offset, got, want)
		}
	}
	if got := source.NewFile("p", "").Position(0); got != (source.Position{Line: 1, Column: 1}) {
		t.Errorf("of nothing: %v", got)
	}
}

func TestLine(t *testing.T) {
	f := source.NewFile("p", "one\r\ntwo\n\nfour")
	for n, want := range map[int]string{0: "", 1: "one", 2: "two", 3: "", 4: "four", 5: ""} {
		if got := f.Line(n); got != want {
			t.Errorf("Line(%d) = %q, want %q", n, got, want)
		}
	}
}

// The design's example of an error.
func TestRender(t *testing.T) {
	text := "\n\n\n\nlet sport(rows) = rows |> where item.sektion == \"sport\"\n"
	f := source.NewFile("home.rubric", text)
	start := strings.Index(text, "item.sektion")
	d := f.Diagnose(source.Error, source.Span{Start: start, End: start + len("item.sektion")}, "unknown_field",
		"unknown field `item.sektion`", source.DidYouMean("item.sektion", []string{"item.section", "item.kind"}))
	want := "home.rubric:5:33: error: unknown field `item.sektion`\n" +
		"  5 | let sport(rows) = rows |> where item.sektion == \"sport\"\n" +
		"    |                                 ^^^^^^^^^^^^ did you mean `item.section`?\n"
	if diff := cmp.Diff(want, source.Render([]source.Diagnostic{d}, f)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	d.Related = []source.Related{f.Relate(source.Span{Start: 4, End: 7}, "it is used here")}
	want = "home.rubric:5:33: error: unknown field `item.sektion`\n    did you mean `item.section`?\nhome.rubric:5:1: note: it is used here\n"
	if diff := cmp.Diff(want, source.Render([]source.Diagnostic{d})); diff != "" {
		t.Errorf("without the file (-want +got):\n%s", diff)
	}
}

func TestDiagnosticJSON(t *testing.T) {
	f := source.NewFile("main", "let a = é +")
	d := f.Diagnose(source.Warning, source.Span{Start: 8, End: 10}, "unknown_name", "unknown name `é`", "")
	got, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"file":"main","line":1,"column":9,"end_column":10,"location":"main:1:9","severity":"warning","code":"unknown_name","message":"unknown name ` + "`é`" + `"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A span over several lines is shown on its first.
func TestSpanOverLines(t *testing.T) {
	f := source.NewFile("p", "abc\ndef")
	if d := f.Diagnose(source.Error, source.Span{Start: 1, End: 6}, "", "", ""); d.Line != 1 || d.Column != 2 || d.EndColumn != 4 {
		t.Errorf("%d:%d to %d, want 1:2 to 4", d.Line, d.Column, d.EndColumn)
	}
}

func TestSorted(t *testing.T) {
	f := source.NewFile("p", strings.Repeat("x", 300))
	var all []source.Diagnostic
	for i := 299; i >= 0; i-- {
		for range 2 {
			all = append(all, f.Diagnose(source.Error, source.Span{Start: i, End: i + 1}, "c", "m", ""))
		}
	}
	got := source.Sorted(all)
	if len(got) != source.MaxDiagnostics+1 {
		t.Fatalf("%d diagnostics, want %d", len(got), source.MaxDiagnostics+1)
	}
	for i, d := range got {
		if d.Column != i+1 {
			t.Errorf("diagnostic %d is of column %d", i, d.Column)
		}
	}
	if want := fmt.Sprintf("%d more", 300-source.MaxDiagnostics); !strings.HasPrefix(got[100].Message, want) {
		t.Errorf("the last says %q, want %q", got[100].Message, want)
	}
	if !source.HasErrors(got) || source.HasErrors([]source.Diagnostic{{Severity: source.Warning}}) {
		t.Error("HasErrors")
	}
}

// Warnings do not crowd out errors, and do not become errors where they are cut.
func TestSortedCutsWarningsFirst(t *testing.T) {
	f := source.NewFile("p", strings.Repeat("x", 300))
	var all []source.Diagnostic
	for i := range 200 {
		all = append(all, f.Diagnose(source.Warning, source.Span{Start: i, End: i + 1}, "c", "m", ""))
	}
	got := source.Sorted(slices.Clone(all))
	if len(got) != source.MaxDiagnostics+1 || source.HasErrors(got) {
		t.Errorf("%d diagnostics, errors among them: %v", len(got), source.HasErrors(got))
	}
	got = source.Sorted(append(all, f.Diagnose(source.Error, source.Span{Start: 250, End: 251}, "c", "m", "")))
	if len(got) != source.MaxDiagnostics+1 || got[source.MaxDiagnostics-1].Severity != source.Error || got[source.MaxDiagnostics].Severity != source.Warning {
		t.Errorf("the error is not shown: %v", got[source.MaxDiagnostics-1:])
	}
}

// The offset of a position is where it was found.
func TestOffset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab\n\ré日😀")), 0, 300, -1).Draw(t, "text")
		f := source.NewFile("p", text)
		offset := rapid.IntRange(0, len(text)).Draw(t, "offset")
		for offset > 0 && !utf8.ValidString(text[:offset]) {
			offset--
		}
		if got := f.Offset(f.Position(offset)); got != offset {
			t.Fatalf("%d of %q comes back as %d", offset, text, got)
		}
	})
	f := source.NewFile("p", "ab\ncd")
	for p, want := range map[source.Position]int{{0, 5}: 0, {1, 0}: 0, {1, 99}: 2, {2, 99}: 5, {3, 1}: 5} {
		if got := f.Offset(p); got != want {
			t.Errorf("%v is %d, want %d", p, got, want)
		}
	}
}
