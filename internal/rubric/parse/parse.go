// Package parse turns the text of a program into its syntax tree.
//
// It is a recursive descent over declarations and a Pratt parser over
// expressions. All errors of a file are found at once, one for each mistake:
// after an error the parser is silent until it has come to a place where it
// knows again what must follow: a comma or closing bracket, the next `|>`,
// `and`, `or`, clause, line of a test or declaration.
//
// Grammar: docs/rubric/grammar.md.
package parse

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/lexer"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

// Bounds of what is parsed.
const (
	// MaxDepth is how deep brackets, `if`s and signs before an operand nest.
	MaxDepth = 100

	// MaxChain is how many operators or fields of one level stand in a row.
	MaxChain = 1000
)

// maxErrors bounds what is collected of one file: several times what is shown.
const maxErrors = 10 * source.MaxDiagnostics

// File parses a file. The program is never nil; diagnostics are sorted and
// capped (source.Sorted). With an error among them the tree has gaps (see
// package ast) and is good for an editor only.
func File(f *source.File) (*ast.Program, []source.Diagnostic) {
	if d, ok := tooLarge(f); ok {
		return &ast.Program{File: f}, []source.Diagnostic{d}
	}
	scanned := lexer.Scan(f)
	p := newParser(f, scanned)
	program := p.program()
	for _, c := range scanned.Comments {
		program.Comments = append(program.Comments, ast.Comment{Span: c.Span, Text: c.Text, Own: c.Own})
	}
	return program, source.Sorted(append(scanned.Diagnostics, p.diagnostics...))
}

func newParser(f *source.File, scanned lexer.Result) *parser {
	p := &parser{file: f, tokens: scanned.Tokens, tok: scanned.Tokens[0], broken: map[int]bool{}}
	for _, t := range scanned.Tokens {
		if t.Broken {
			p.broken[f.Position(t.Start).Line] = true
		}
	}
	return p
}

// tooLarge refuses a file that is not parsed for its size.
func tooLarge(f *source.File) (source.Diagnostic, bool) {
	if len(f.Text) <= source.MaxBytes {
		return source.Diagnostic{}, false
	}
	return f.Diagnose(source.Error, source.Span{}, "too_large", fmt.Sprintf("a file has at most %d bytes, this one has %d", source.MaxBytes, len(f.Text)), "split it and take the parts in with `use`"), true
}

// place is the kind of block the parser is in: it knows more places then at
// which something new begins.
type place uint8

const (
	atTop place = iota
	inAccess
	inTest
)

type parser struct {
	file        *source.File
	tokens      []token.Token // ends with EOF
	i           int
	tok         token.Token // tokens[i]
	diagnostics []source.Diagnostic

	// lost tells that an error was reported and what must follow is not known.
	lost bool

	// short tells that the first error was reported at the end of the text.
	short bool

	// broken has the lines with a text that does not end: errors of their other
	// tokens say nothing new.
	broken map[int]bool

	depth    int
	place    place
	noPipe   bool // in the condition of a stage, outside of brackets
	noAssign bool // in an option, outside of brackets: a `=` was not meant as `==`
}

func (p *parser) next() {
	if p.tok.Broken {
		p.lost = true
	}
	if p.i < len(p.tokens)-1 {
		p.i++
		p.tok = p.tokens[p.i]
	}
}

// peek returns the token after the next.
func (p *parser) peek() token.Token { return p.tokens[min(p.i+1, len(p.tokens)-1)] }

// last returns the span of the token before this one.
func (p *parser) last() source.Span {
	if p.i == 0 {
		return source.Span{}
	}
	return p.tokens[p.i-1].Span
}

// from returns the span from start to the last token.
func (p *parser) from(start source.Span) source.Span {
	return source.Span{Start: start.Start, End: max(p.last().End, start.Start)}
}

func (p *parser) at(kind token.Kind) bool { return p.tok.Kind == kind }

// atWord tells whether the next token is a word that has a role here only.
func (p *parser) atWord(word string) bool { return p.tok.Kind == token.Name && p.tok.Text == word }

// report adds an error unless the parser is lost. Parsing goes on as if what
// was meant had been written.
func (p *parser) report(s source.Span, code, hint, format string, args ...any) {
	if p.lost || len(p.diagnostics) >= maxErrors || p.broken[p.file.Position(s.Start).Line] {
		return
	}
	p.short = p.short || len(p.diagnostics) == 0 && p.at(token.EOF)
	p.diagnostics = append(p.diagnostics, p.file.Diagnose(source.Error, s, code, fmt.Sprintf(format, args...), hint))
}

// fail is report where it is not known what was meant: the parser is lost.
func (p *parser) fail(s source.Span, code, hint, format string, args ...any) {
	p.report(s, code, hint, format, args...)
	p.lost = true
}

// expected fails because the next token is not what must follow. Where that is
// missing at the end of a line, the error is shown there.
func (p *parser) expected(what, hint string) {
	p.expectedAt(p.behind(), what, hint)
}

// expectedAt is expected with the place that is shown.
func (p *parser) expectedAt(at source.Span, what, hint string) {
	if p.tok.Reported {
		p.lost = true
		return
	}
	if hint == "" && (p.at(token.Name) || p.at(token.LeftBrace)) {
		hint = wordHints[p.tok.Text]
	}
	p.fail(at, "unexpected", hint, "expected %s, found %s", what, p.found(at))
}

// behind returns the place of the next token, or if that is on another line the
// one behind the last token.
func (p *parser) behind() source.Span {
	if p.i > 0 && (p.at(token.EOF) || p.tok.First) {
		return source.Span{Start: p.last().End, End: p.last().End}
	}
	return p.tok.Span
}

// found returns how messages at a place speak of the next token.
func (p *parser) found(at source.Span) string {
	text := p.describe(p.tok)
	if line := p.file.Position(p.tok.Start).Line; !p.at(token.EOF) && line != p.file.Position(at.Start).Line {
		return fmt.Sprintf("%s on line %d", text, line)
	}
	return text
}

// describe returns how messages speak of a token.
func (p *parser) describe(t token.Token) string {
	if t.Kind == token.EOF {
		return t.Kind.String()
	}
	const most = 30
	text := p.file.Slice(t.Span)
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most-1]) + "…"
	}
	if t.Kind == token.Text {
		return "the text " + text
	}
	return "`" + text + "`"
}

// accept reads the next token if it is of a kind.
func (p *parser) accept(kind token.Kind) bool {
	if !p.at(kind) {
		return false
	}
	p.next()
	return true
}

// need reads a token of a kind that shows where the parser is, or fails.
func (p *parser) need(kind token.Kind, hint string) bool {
	if !p.at(kind) {
		p.expected(kind.String(), hint)
		return false
	}
	p.lost = false
	p.next()
	return true
}

// needWord is need for a word that has a role here only.
func (p *parser) needWord(word, hint string) bool {
	if !p.atWord(word) {
		p.expected("`"+word+"`", hint)
		return false
	}
	p.lost = false
	p.next()
	return true
}

// skip moves on to the next token of one of the kinds at this level of
// brackets. It stops earlier at the bracket that closes the level and where
// something new begins, and always at the end.
func (p *parser) skip(kinds ...token.Kind) {
	level := 0
	for !p.at(token.EOF) && !p.startsAnew() {
		if level == 0 {
			for _, kind := range kinds {
				if p.at(kind) {
					return
				}
			}
		}
		switch {
		case p.tok.Kind.IsOpening():
			level++
		case p.tok.Kind.IsClosing() && level == 0:
			return
		case p.tok.Kind.IsClosing():
			level--
		}
		p.next()
	}
}

// startsAnew tells whether a declaration, or a clause or line of the block that
// is read, begins at the next token.
func (p *parser) startsAnew() bool {
	return p.startsDeclaration() || p.place == inAccess && p.startsClause() || p.place == inTest && p.startsLine()
}

// startsDeclaration tells whether a declaration begins here: its word may also
// be a field or key, as in `by segment`.
func (p *parser) startsDeclaration() bool {
	if !p.tok.Kind.IsDeclaration() || p.touchesPoint() {
		return false
	}
	switch p.peek().Kind {
	case token.Name, token.Currency, token.Text:
		return true
	case token.Colon, token.Pipe, token.Comma:
		return false
	default:
		return p.tok.First
	}
}

// touchesPoint tells whether the next token is a field: it stands directly
// behind a point.
func (p *parser) touchesPoint() bool {
	return p.i > 0 && p.tokens[p.i-1].Kind == token.Dot && p.tokens[p.i-1].End == p.tok.Start
}

// enter counts one level of nesting; it fails at the first that is too deep.
// Each enter is followed by a leave.
func (p *parser) enter() bool {
	p.depth++
	if p.depth > MaxDepth {
		p.fail(p.tok.Span, "too_deep", "name its parts with `let`", "more than %d levels inside each other", MaxDepth)
		return false
	}
	return true
}

func (p *parser) leave() { p.depth-- }

// brackets reads what stands between the opening bracket that is next and its
// closing one: items with commas between them, each read by item. What is an
// item's name in messages.
func (p *parser) brackets(closing token.Kind, what string, item func()) {
	defer p.inside()()
	lost, failed := p.lost, false
	opening := p.tok
	p.next()
	if p.accept(closing) {
		return
	}
	for {
		item()
		if !p.lost && !p.at(token.Comma) && !p.at(closing) {
			p.lost = failed // after an error in it, brackets need not match
			p.unclosed(opening, p.behind(), "`,` or "+closing.String())
		}
		if p.lost {
			failed = true
			p.skip(token.Comma, token.Assign)
		}
		switch {
		case p.at(closing):
			p.lost = lost
			p.next()
			return
		case !p.at(token.Comma):
			return
		}
		p.lost = false
		comma := p.tok.Span
		p.next()
		if p.at(closing) {
			p.report(comma, "trailing_comma", "take the comma away", "expected %s after `,`, found %s", what, closing)
			p.next()
			return
		}
	}
}

// inside forgets what ends an expression outside of the brackets that are
// entered, until the returned function is called.
func (p *parser) inside() func() {
	pipe, assign := p.noPipe, p.noAssign
	p.noPipe, p.noAssign = false, false
	return func() { p.noPipe, p.noAssign = pipe, assign }
}

// unclosed fails because a bracket is not closed where it could be.
func (p *parser) unclosed(opening token.Token, at source.Span, what string) {
	n := len(p.diagnostics)
	p.expectedAt(at, what, "")
	if len(p.diagnostics) > n && p.file.Position(opening.Start).Line != p.diagnostics[n].Line {
		p.diagnostics[n].Related = []source.Related{p.file.Relate(opening.Span, opening.Kind.String()+" is opened here")}
	}
}

// name reads a name; what says of what. After an error its text may be empty.
func (p *parser) name(what string) *ast.Name {
	n := &ast.Name{Span: p.tok.Span, Text: p.tok.Text}
	switch kind := p.tok.Kind; {
	case kind == token.Name:
	case kind == token.Currency:
		n.Text = strings.ToLower(n.Text)
		p.report(n.Span, "bad_name", fmt.Sprintf("write `%s`", n.Text), "a name is written in small letters, found `%s`", p.tok.Text)
	case kind == token.Text && !p.tok.Broken:
		p.report(n.Span, "unexpected", "write it without quotes", "expected %s, found %s", what, p.describe(p.tok))
	case kind.IsReserved() && !p.tok.First && !p.startsDeclaration():
		p.report(n.Span, "reserved_name", fmt.Sprintf("such as `%s_1`", n.Text), "expected %s, but `%s` is a reserved word", what, n.Text)
	default:
		p.expected(what, "")
		return &ast.Name{Span: source.Span{Start: p.last().End, End: p.last().End}}
	}
	p.next()
	return n
}

// text reads a text; nil after an error.
func (p *parser) text(what, hint string) *ast.Text {
	if p.at(token.Name) && !p.tok.First {
		t := &ast.Text{Span: p.tok.Span, Value: p.tok.Text}
		p.report(t.Span, "unexpected", fmt.Sprintf("write `\"%s\"`", t.Value), "expected %s in quotes, found %s", what, p.describe(p.tok))
		p.next()
		return t
	}
	if !p.at(token.Text) {
		p.expected(what+" in quotes", hint)
		return nil
	}
	t := &ast.Text{Span: p.tok.Span, Value: p.tok.Text}
	p.next()
	return t
}
