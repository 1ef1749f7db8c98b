package source

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/readership/readership/internal/nearest"
)

// MaxDiagnostics bounds what Sorted returns.
const MaxDiagnostics = 100

// Severity says whether a program with the diagnostic can run.
type Severity uint8

// Severities.
const (
	Error Severity = iota
	Warning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Diagnostic is one thing to say about one place of a file. Line and Column are
// of its first character; EndColumn is one after its last on that line and at
// least Column. Message says what was expected and found, Hint what to write
// instead, both with code in backquotes; Code names the kind of diagnostic for
// programs.
type Diagnostic struct {
	File      string
	Line      int
	Column    int
	EndColumn int
	Severity  Severity
	Code      string
	Message   string
	Hint      string
	Related   []Related
}

// Related is another place that explains a diagnostic: the bracket that was
// not closed, the first of two equal names.
type Related struct {
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	EndColumn int    `json:"end_column"`
	Message   string `json:"message"`
}

// Diagnose returns a diagnostic about a span of f.
func (f *File) Diagnose(severity Severity, s Span, code, message, hint string) Diagnostic {
	at, end := f.place(s)
	return Diagnostic{File: f.Name, Line: at.Line, Column: at.Column, EndColumn: end,
		Severity: severity, Code: code, Message: message, Hint: hint}
}

// Relate returns a span of f as another place of a diagnostic.
func (f *File) Relate(s Span, message string) Related {
	at, end := f.place(s)
	return Related{File: f.Name, Line: at.Line, Column: at.Column, EndColumn: end, Message: message}
}

// place returns where a span begins and the column it ends before; a span of
// several lines ends with its first.
func (f *File) place(s Span) (at Position, endColumn int) {
	at = f.Position(s.Start)
	end := f.Position(s.End)
	if end.Line == at.Line {
		return at, max(end.Column, at.Column)
	}
	start := f.lines[at.Line-1]
	end = f.Position(start + len(f.Line(at.Line)))
	return at, max(end.Column, at.Column)
}

// String returns the diagnostic on one line, without its hint.
func (d Diagnostic) String() string {
	return fmt.Sprintf("%s: %s: %s", d.location(), d.Severity, d.Message)
}

func (d Diagnostic) location() string {
	return fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Column)
}

// MarshalJSON writes the members that the API promises for each error of a
// program.
func (d Diagnostic) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		File      string    `json:"file"`
		Line      int       `json:"line"`
		Column    int       `json:"column"`
		EndColumn int       `json:"end_column"`
		Location  string    `json:"location"`
		Severity  string    `json:"severity"`
		Code      string    `json:"code"`
		Message   string    `json:"message"`
		Hint      string    `json:"hint,omitempty"`
		Related   []Related `json:"related,omitempty"`
	}{d.File, d.Line, d.Column, d.EndColumn, d.location(), d.Severity.String(), d.Code, d.Message, d.Hint, d.Related})
}

// Sorted returns the diagnostics in the order of files and places, each once,
// MaxDiagnostics at most, errors before warnings; a last one then counts those
// left out, and is an error if one of them is. It reorders the slice it is given.
func Sorted(diagnostics []Diagnostic) []Diagnostic {
	slices.SortStableFunc(diagnostics, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Severity, b.Severity))
	})
	out := slices.CompactFunc(diagnostics, func(a, b Diagnostic) bool {
		return a.location() == b.location() && a.Message == b.Message
	})
	if len(out) <= MaxDiagnostics {
		return out
	}
	kept, cut := capped(out)
	last := cut[0]
	rest := Diagnostic{File: last.File, Line: last.Line, Column: last.Column, EndColumn: last.EndColumn, Severity: Warning, Code: "too_many",
		Message: fmt.Sprintf("%d more errors and warnings from here on are not shown", len(cut))}
	if HasErrors(cut) {
		rest.Severity = Error
	}
	return append(kept, rest)
}

// capped parts the diagnostics that are shown from those that are not.
func capped(all []Diagnostic) (kept, cut []Diagnostic) {
	errors := 0
	for _, d := range all {
		if d.Severity == Error {
			errors++
		}
	}
	room := [...]int{Error: min(errors, MaxDiagnostics), Warning: max(0, MaxDiagnostics-errors)}
	for _, d := range all {
		if room[d.Severity] > 0 {
			room[d.Severity]--
			kept = append(kept, d)
		} else {
			cut = append(cut, d)
		}
	}
	return kept, cut
}

// HasErrors tells whether one of the diagnostics is an error.
func HasErrors(diagnostics []Diagnostic) bool {
	return slices.ContainsFunc(diagnostics, func(d Diagnostic) bool { return d.Severity == Error })
}

// DidYouMean is the hint about an unknown name: the known one that is nearest,
// "" if none is near.
func DidYouMean(name string, known []string) string {
	const short = 2 // whatever has so few letters is near to all
	if match := nearest.Match(name, known); match != "" && len(name) > short {
		return fmt.Sprintf("did you mean `%s`?", match)
	}
	return ""
}
