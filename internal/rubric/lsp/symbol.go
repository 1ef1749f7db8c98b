package lsp

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/format"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/source"
)

// Kinds of symbols.
const (
	symbolModule   = 2
	symbolClass    = 5
	symbolMethod   = 6
	symbolEvent    = 24
	symbolFunction = 12
	symbolVariable = 13
	symbolNumber   = 16
)

// Symbols are the definitions of an open document in their order, the clauses of
// access blocks below these.
func (w *Workspace) Symbols(uri string) []DocumentSymbol {
	out := []DocumentSymbol{}
	d, ok := w.open[uri]
	if !ok {
		return out
	}
	text := NewText(d.Text, w.Unit)
	tree, _ := parse.File(source.NewFile("", d.Text))
	symbol := func(kind int, detail, name string, n, at ast.Node) DocumentSymbol {
		return DocumentSymbol{Name: name, Detail: detail, Kind: kind, Range: text.Range(n.Range().Start, n.Range().End), SelectionRange: text.Range(at.Range().Start, at.Range().End)}
	}
	for _, decl := range tree.Decls {
		if t, ok := decl.(*ast.Test); ok && t.Title != nil {
			out = append(out, symbol(symbolMethod, "test", titled(t.Title.Value), t, t.Title))
		}
		n, word := definition(decl)
		if n == nil || n.Text == "" {
			continue // the protocol has no symbols without a name
		}
		s := symbol(map[string]int{"let": symbolVariable, "segment": symbolClass, "meter": symbolNumber, "access": symbolModule, "metric": symbolNumber}[word], word, n.Text, decl, n)
		switch decl := decl.(type) {
		case *ast.Let:
			if decl.Params != nil {
				s.Kind = symbolFunction
			}
		case *ast.Access:
			for _, c := range decl.Clauses {
				if c.Name.Text != "" {
					s.Children = append(s.Children, symbol(symbolEvent, c.Outcome.String(), c.Name.Text, c, c.Name))
				}
			}
		}
		out = append(out, s)
	}
	return out
}

func titled(title string) string {
	if title == "" {
		return "test"
	}
	return title
}

// Format returns what makes the layout of an open document canonical: nothing if
// it is, or if the document has errors.
func (w *Workspace) Format(uri string) []TextEdit {
	out := []TextEdit{}
	d, ok := w.open[uri]
	if !ok {
		return out
	}
	text, diagnostics := format.Source(source.NewFile("", d.Text))
	if source.HasErrors(diagnostics) || text == d.Text {
		return out
	}
	return append(out, TextEdit{Range: NewText(d.Text, w.Unit).Range(0, len(d.Text)), NewText: text})
}
