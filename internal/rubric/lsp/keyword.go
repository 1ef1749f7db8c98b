package lsp

import (
	"slices"
	"strings"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

// keywords are the words that have a role in a place of the grammar.
var keywords = slices.Concat(
	[]string{"let", "segment", "meter", "access", "metric", "test", "use", "if", "then", "else", "and", "or", "not", "in", "has", "true", "false", "burns"},
	[]string{"where", "last", "since", "per", "from_first", "distinct", "unless", "by", "within"}, ast.Ends, ast.Periods,
	ast.Outcomes, []string{"price", "offers"},
	[]string{"site", "item", "reader", "at", "read", "event", "login", "logout", "expect", "through"})

// maxHead bounds the text that words are tried behind.
const maxHead = 32 << 10

// wordsAfter returns the words that can follow a text in their role: those that
// the parser takes there, without taking them for a name.
func wordsAfter(text string) []string {
	head := declarationOf(text)
	if len(head) > maxHead {
		return nil
	}
	if takes(head, marker, false) == asNothing { // the parser is lost
		return nil
	}
	var out []string
	for _, w := range keywords {
		ok := takes(head, w, false) == asWord
		if !ok && slices.Contains(ast.Outcomes, w) { // a verdict is known by its name
			ok = takes(head, w, true) == asWord
		}
		if ok {
			out = append(out, w)
		}
	}
	return out
}

// declarationOf returns the part of a text from its last declaration on.
func declarationOf(text string) string {
	tree, _ := parse.File(source.NewFile("", text))
	if n := len(tree.Decls); n > 0 {
		return text[tree.Decls[n-1].Range().Start:]
	}
	return text
}

// taken is what a parser takes a word for.
type taken uint8

const (
	asError   taken = iota
	asName          // of something
	asWord          // in its role
	asNothing       // nobody knows: there was an error before it
)

// takes tells what a word is taken for behind a text; followed puts a name behind
// it.
func takes(head, word string, followed bool) taken {
	start := len(head)
	text := head + word
	at := source.Span{Start: start, End: len(text)}
	if followed {
		text += " " + marker
	}
	f := source.NewFile("", text)
	tree, diagnostics := parse.File(f)
	last := f.Position(len(strings.TrimRight(head, " \t\r\n")))
	end := f.Position(at.End)
	for _, d := range diagnostics {
		if !before(d.Line, d.Column, last) && before(d.Line, d.Column, end) {
			return asError
		}
	}
	name, other := false, false
	ast.Walk(tree, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.Ident, *ast.Name:
			name = name || n.Range() == at
		}
		other = other || n.Range().Start <= at.Start && at.End <= n.Range().End && n != ast.Node(tree)
		return true
	})
	switch {
	case name:
		return asName
	case word == marker, !other && !token.Lookup(word).IsDeclaration():
		return asNothing
	default:
		return asWord
	}
}

func before(line, column int, p source.Position) bool {
	return line < p.Line || line == p.Line && column < p.Column
}
