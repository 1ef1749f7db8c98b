package lsp

import (
	"cmp"
	"slices"

	"github.com/readership/readership/internal/rubric/source"
)

// Diagnose says everything that is wrong with a document, nothing if it is not
// open. What is said of other files is said there.
func (w *Workspace) Diagnose(uri string) []Diagnostic {
	out := []Diagnostic{}
	d, ok := w.open[uri]
	if !ok {
		return out
	}
	at := w.with(uri, d.Text)
	for _, p := range at.programs {
		lines := newPlaces(p, w.Unit)
		for _, d := range w.check(p).Diagnostics {
			if d.File == at.file.Name {
				out = append(out, lines.diagnostic(d))
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Range.Start.Line, b.Range.Start.Line), cmp.Compare(a.Range.Start.Character, b.Range.Start.Character))
	})
	return slices.CompactFunc(out, func(a, b Diagnostic) bool { return a.Range == b.Range && a.Message == b.Message })
}

// places turns places of a program's files into those of the protocol.
type places struct {
	units map[string]*unit
	texts map[string]*Text
	unit  Encoding
}

func newPlaces(p []*unit, e Encoding) *places {
	out := &places{units: map[string]*unit{}, texts: map[string]*Text{}, unit: e}
	for _, u := range p {
		out.units[u.file.Name] = u
	}
	return out
}

// span returns the range from one column to another of a line.
func (l *places) span(file string, line, column, end int) (uri string, r Range) {
	u := l.units[file]
	if u == nil {
		return "", Range{}
	}
	if l.texts[file] == nil {
		l.texts[file] = NewText(u.file.Text, l.unit)
	}
	return u.uri, l.texts[file].Range(u.file.Offset(source.Position{Line: line, Column: column}), u.file.Offset(source.Position{Line: line, Column: end}))
}

func (l *places) diagnostic(d source.Diagnostic) Diagnostic {
	out := Diagnostic{Severity: int(d.Severity) + 1, Code: d.Code, Source: "rubric", Message: d.Message}
	if d.Hint != "" {
		out.Message += "\n" + d.Hint
	}
	_, out.Range = l.span(d.File, d.Line, d.Column, d.EndColumn)
	for _, r := range d.Related {
		if uri, at := l.span(r.File, r.Line, r.Column, r.EndColumn); uri != "" {
			out.Related = append(out.Related, RelatedInfo{Location: Location{URI: uri, Range: at}, Message: r.Message})
		}
	}
	return out
}
