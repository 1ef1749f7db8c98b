package parse

import (
	"slices"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/lexer"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

// Line is what a person types at a prompt: declarations, or lines about a test's
// world, or steps of a test, or an expression. Only one of them is there.
type Line struct {
	Decls []ast.Decl
	Setup []ast.Setup
	Steps []ast.Step
	Expr  ast.Expr

	// Open tells that the text has an error because it ends too early: it may go
	// on in the next line.
	Open bool
}

// Prompt parses a text that was typed at a prompt. A step that does not begin
// with `at` is one of the time now. Trees have gaps as those of File.
func Prompt(f *source.File, now *ast.Time) (*Line, []source.Diagnostic) {
	if d, ok := tooLarge(f); ok {
		return &Line{}, []source.Diagnostic{d}
	}
	scanned := lexer.Scan(f)
	p := newParser(f, scanned)
	out := &Line{}
	if p.tok.Kind.IsDeclaration() {
		out.Decls = p.program().Decls
	} else {
		p.place = inTest
		p.typed(out, now)
	}
	out.Open = p.short && len(scanned.Diagnostics) == 0
	return out, source.Sorted(append(scanned.Diagnostics, p.diagnostics...))
}

// typed reads the lines of a test, or an expression.
func (p *parser) typed(out *Line, now *ast.Time) {
	for n := 0; n == 0 || p.startsLine(); n++ {
		switch {
		case p.startsStep():
			out.Steps = appendStep(out.Steps, p.act(p.tok.Span, now))
		case !p.startsLine():
			out.Expr = p.expression()
		case p.atWord("at"):
			out.Steps = appendStep(out.Steps, p.step())
		default:
			out.Setup = append(out.Setup, p.setup())
		}
	}
	if !p.at(token.EOF) {
		p.expected("an operator or the end", "")
	}
	kinds := 0
	for _, there := range []bool{out.Expr != nil, out.Steps != nil, out.Setup != nil} {
		if there {
			kinds++
		}
	}
	if kinds > 1 {
		p.lost = false
		defer func(short bool) { p.short = short }(p.short) // more would not mend it
		p.fail(source.Span{}, "unexpected", "", "%s", "expected an expression, steps, or lines about the site, its items or the reader: one of them at a time")
	}
}

func appendStep(to []ast.Step, s ast.Step) []ast.Step {
	if s == nil {
		return to
	}
	return append(to, s)
}

// startsStep tells whether the words of a step follow, without its time.
func (p *parser) startsStep() bool {
	switch after := p.peek().Kind; {
	case p.atWord("read"):
		return after == token.Name
	case p.atWord("event"), p.atWord("login"):
		return after == token.Text
	case p.atWord("logout"):
		return after == token.EOF
	case p.atWord("expect"):
		return slices.Contains([]token.Kind{token.Name, token.Not, token.Has, token.If, token.True, token.False, token.LeftParen, token.Text, token.Integer, token.Decimal}, after)
	default:
		return false
	}
}
