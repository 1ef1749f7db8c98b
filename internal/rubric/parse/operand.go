package parse

import (
	"fmt"
	"time"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/lexer"
	"github.com/readership/readership/internal/rubric/token"
)

const anExpression = "an expression"

// operand reads one literal, name, call or bracketed expression, with the
// fields and arguments behind it. What is its name in messages, "" for an
// expression.
func (p *parser) operand(what string) ast.Expr {
	if what == "" {
		what = anExpression
	}
	start := p.tok.Span
	x := p.primary(what)
	for n := 0; ; n++ {
		if n == MaxChain {
			p.fail(p.tok.Span, "too_long", "name its parts with `let`", "more than %d fields and calls in a row", MaxChain)
			return x
		}
		switch {
		case p.at(token.Dot):
			p.next()
			x = &ast.Select{X: x, Name: p.field()}
			x.(*ast.Select).Span = p.from(start)
		case p.at(token.LeftParen) && callable(x):
			x = &ast.Call{Fun: x, Args: p.arguments()}
			x.(*ast.Call).Span = p.from(start)
		default:
			return x
		}
	}
}

func callable(x ast.Expr) bool {
	switch x.(type) {
	case *ast.Ident, *ast.Select:
		return true
	default:
		return false
	}
}

// field reads the name behind a point.
func (p *parser) field() *ast.Name {
	if p.tok.Kind.IsReserved() && p.touchesPoint() {
		n := &ast.Name{Span: p.tok.Span, Text: p.tok.Text}
		p.next()
		return n
	}
	if p.tok.Kind.IsReserved() {
		p.expected("the name of a field", "")
	}
	return p.name("the name of a field")
}

func (p *parser) arguments() []*ast.Arg {
	var args []*ast.Arg
	p.brackets(token.RightParen, "an argument", func() {
		start := p.tok.Span
		a := &ast.Arg{}
		if p.at(token.Name) && p.peek().Kind == token.Colon {
			a.Name = p.name("")
			p.next()
		}
		a.Value = p.expression()
		a.Span = p.from(start)
		args = append(args, a)
	})
	return args
}

func (p *parser) primary(what string) ast.Expr {
	t := p.tok
	switch t.Kind {
	case token.Name:
		return p.named(what)
	case token.Events, token.AllEvents, token.Burns, token.Now:
		p.next()
		return &ast.Ident{Span: t.Span, Name: t.Text}
	case token.True, token.False:
		p.next()
		return &ast.Bool{Span: t.Span, Value: t.Kind == token.True}
	case token.Text:
		p.next()
		return &ast.Text{Span: t.Span, Value: t.Text}
	case token.Integer:
		p.next()
		return p.spacedDuration(t)
	case token.Decimal:
		p.next()
		return &ast.Decimal{Span: t.Span, Digits: t.Int, Scale: t.Scale}
	case token.Duration:
		p.next()
		return &ast.Duration{Span: t.Span, Value: time.Duration(t.Int), Raw: t.Text}
	case token.Time:
		return p.time()
	case token.LeftBracket:
		return p.list()
	case token.LeftParen:
		return p.bracketed()
	case token.Bad:
		p.next()
		p.lost = true
		return p.bad()
	case token.Minus:
		p.report(t.Span, "brackets", "write `(-…)`", "a stage takes one literal, name, call or expression in brackets, found `-`")
		return p.unbracketed()
	case token.Currency:
		return &ast.Ident{Span: t.Span, Name: p.name(what).Text}
	default:
		return p.noOperand(what)
	}
}

// named reads a name, or a verdict in a test.
func (p *parser) named(what string) ast.Expr {
	t := p.tok
	switch {
	case p.place == inAccess && p.startsClause():
		p.expected(what, "")
		return p.bad()
	case p.startsVerdict():
		return p.verdict()
	case p.place == inTest && p.startsLine():
		p.expected(what, "")
		return p.bad()
	default:
		p.next()
		return &ast.Ident{Span: t.Span, Name: t.Text}
	}
}

// noOperand reports that no operand follows. A reserved word that stands where
// only an operand can is taken for a name.
func (p *parser) noOperand(what string) ast.Expr {
	t := p.tok
	switch {
	case t.Kind == token.In || t.Kind == token.Then || t.Kind == token.Else || t.Kind == token.And || t.Kind == token.Or ||
		!t.Kind.IsReserved() || p.startsDeclaration():
		hint := ""
		if t.Kind == token.Pipe && what == anExpression {
			hint = "rows come from `events` or a name: `events |> …`"
		}
		p.expected(what, hint)
		return p.bad()
	case t.Kind == token.If || t.Kind == token.Not || t.Kind == token.Has:
		p.report(t.Span, "brackets", fmt.Sprintf("write `(%s …)`", t.Text), "a stage takes one literal, name, call or expression in brackets, found `%s`", t.Text)
		return p.unbracketed()
	default:
		p.report(t.Span, "reserved_name", "", "expected %s, but `%s` is a reserved word", what, t.Text)
		p.next()
		return &ast.Ident{Span: t.Span, Name: t.Text}
	}
}

// unbracketed reads an expression that should have stood in brackets.
func (p *parser) unbracketed() ast.Expr {
	pipe := p.noPipe
	p.noPipe = true
	defer func() { p.noPipe = pipe }()
	if p.at(token.If) {
		return p.expression()
	}
	return p.unary(ast.LevelNot)
}

// spacedDuration returns an integer, or a duration if its unit follows after a
// space.
func (p *parser) spacedDuration(t token.Token) ast.Expr {
	if p.at(token.Name) && !p.tok.First && !p.startsStage() {
		unit, known := lexer.Units[p.tok.Text]
		hint := lexer.UnitHint(t.Text, p.tok.Text)
		if known {
			hint = fmt.Sprintf("write `%s%s`", t.Text, p.tok.Text)
		}
		if hint != "" {
			at := t.Span.To(p.tok.Span)
			p.report(at, "bad_duration", hint, "a duration is a number with its unit behind it, found `%s`", p.file.Slice(at))
			p.next()
			return &ast.Duration{Span: at, Value: time.Duration(unit), Raw: p.file.Slice(at)}
		}
	}
	return &ast.Integer{Span: t.Span, Value: t.Int}
}

func (p *parser) list() ast.Expr {
	start := p.tok.Span
	l := &ast.List{}
	p.brackets(token.RightBracket, anExpression, func() { l.Items = append(l.Items, p.expression()) })
	l.Span = p.from(start)
	return l
}

// bracketed reads `( EXPRESSION )`.
func (p *parser) bracketed() ast.Expr {
	defer p.inside()()
	lost := p.lost
	opening := p.tok
	p.next()
	if p.at(token.RightParen) {
		p.report(opening.Span.To(p.tok.Span), "unexpected", "", "expected an expression in the brackets, found nothing")
		p.next()
		return p.bad()
	}
	e := p.expression()
	if !p.at(token.RightParen) {
		p.unclosed(opening, p.behind(), "`)`")
		p.skip()
	}
	if p.at(token.RightParen) {
		p.lost = lost
		p.next()
	}
	return e
}
