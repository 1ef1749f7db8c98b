package parse

import (
	"fmt"
	"strings"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

var binaryOps = [...]ast.BinaryOp{
	token.Or: ast.Or, token.And: ast.And, token.Eq: ast.Eq, token.Ne: ast.Ne, token.Lt: ast.Lt, token.Le: ast.Le,
	token.Gt: ast.Gt, token.Ge: ast.Ge, token.In: ast.In, token.Coalesce: ast.Coalesce,
	token.Plus: ast.Add, token.Minus: ast.Sub, token.Star: ast.Mul, token.Slash: ast.Div,
}

// operator returns the binary operator that is next.
func (p *parser) operator() (op ast.BinaryOp, ok bool) {
	switch p.tok.Kind {
	case token.Assign:
		return ast.Eq, !p.noAssign
	case token.Not:
		return ast.In, p.peek().Kind == token.In
	case token.Or, token.And, token.Eq, token.Ne, token.Lt, token.Le, token.Gt, token.Ge, token.In, token.Coalesce,
		token.Plus, token.Minus, token.Star, token.Slash:
		return binaryOps[p.tok.Kind], true
	case token.Bad:
		return ast.Mul, true
	default:
		return 0, false
	}
}

// expression reads the loosest expression there is.
func (p *parser) expression() ast.Expr {
	defer p.leave()
	if !p.enter() {
		return p.bad()
	}
	if p.at(token.If) {
		return p.conditional()
	}
	return p.binary(ast.LevelOr)
}

func (p *parser) bad() *ast.Bad {
	return &ast.Bad{Span: source.Span{Start: p.last().End, End: p.last().End}}
}

func (p *parser) conditional() ast.Expr {
	start := p.tok.Span
	p.next()
	e := &ast.If{Cond: p.expression()}
	e.Then, e.Else = p.bad(), p.bad()
	if p.need(token.Then, "") {
		e.Then = p.expression()
		switch {
		case p.at(token.Else):
			p.lost = false
			p.next()
			e.Else = p.expression()
		case p.at(token.Name) && strings.HasPrefix(wordHints[p.tok.Text], "write `else if`"):
			p.report(p.tok.Span, "elif", "write `else if`", "there is no `%s`", p.tok.Text)
			e.Else = p.elseIf()
		case p.at(token.Bad):
			p.lost = true
		default:
			p.fail(p.behind(), "missing_else", "each `if` says what holds otherwise", "expected `else`, found %s", p.found(p.behind()))
		}
	}
	e.Span = p.from(start)
	return e
}

// elseIf reads what begins with a word that was meant to be `else if`.
func (p *parser) elseIf() ast.Expr {
	defer p.leave()
	if !p.enter() {
		return p.bad()
	}
	return p.conditional()
}

// binary reads operands and the operators between them that bind at least as
// tightly as level.
func (p *parser) binary(level ast.Level) ast.Expr {
	start := p.tok.Span
	x := p.unary(level)
	compared := 0 // comparisons so far
	for n := 0; ; n++ {
		op, ok := p.operator()
		if !ok || op.Level() < level {
			return x
		}
		if n == MaxChain {
			p.fail(p.tok.Span, "too_long", "name its parts with `let`", "more than %d operators in a row", MaxChain)
			return x
		}
		if op == ast.And || op == ast.Or {
			p.lost = false
		}
		at, kind := p.tok.Span, p.tok.Kind
		p.next()
		switch kind {
		case token.Bad:
			p.lost = true
		case token.Assign:
			p.report(at, "assignment", "write `==`", "`=` defines, `==` compares")
		case token.Not:
			at = at.To(p.tok.Span)
			p.report(at, "not_in", "write `not (x in y)`", "there is no operator `not in`")
			p.next()
		}
		y := p.binary(op.Level() + 1)
		b := &ast.Binary{Op: op, OpAt: at, X: x, Y: y}
		b.Span = p.from(start)
		if op.Level() == ast.LevelCompare {
			if compared == 1 && kind != token.Assign {
				p.report(at, "chained_comparison", p.unchained(b), "comparisons do not chain")
			}
			compared++
			if _, bad := b.X.(*ast.Bad); bad || kind == token.Assign {
				compared++ // an error says already that it is none
			}
		}
		x = b
		if kind == token.Not {
			x = &ast.Unary{Op: ast.Not, X: b, Span: b.Span}
		}
	}
}

// unchained returns how to write `a < b < c`.
func (p *parser) unchained(b *ast.Binary) string {
	inner, ok := b.X.(*ast.Binary)
	if !ok {
		return ""
	}
	middle := p.file.Slice(inner.Y.Range())
	left := p.file.Slice(source.Span{Start: inner.Start, End: inner.Y.Range().End})
	right := fmt.Sprintf("%s %s %s", middle, b.Op, p.file.Slice(b.Y.Range()))
	if len(left)+len(right) > 80 || strings.Contains(left+right, "\n") {
		return "join two comparisons with `and`"
	}
	return fmt.Sprintf("write `%s and %s`", left, right)
}

// unary reads an operand with the signs before it. Level is how tightly what is
// before it binds.
func (p *parser) unary(level ast.Level) ast.Expr {
	start := p.tok.Span
	var op ast.UnaryOp
	switch p.tok.Kind {
	case token.If:
		p.fail(p.tok.Span, "brackets", "write `(if … then … else …)`", "an `if` inside an expression stands in brackets")
		return p.expression()
	case token.Not:
		op = ast.Not
		if level > ast.LevelNot {
			p.report(p.tok.Span, "brackets", "write `(not …)`", "a `not` behind an operator that binds more tightly stands in brackets")
		} else {
			level = ast.LevelNot
		}
	case token.Minus:
		op, level = ast.Neg, ast.LevelUnary
	case token.Has:
		op, level = ast.Has, ast.LevelUnary
	default:
		return p.piped()
	}
	defer p.leave()
	if !p.enter() {
		return p.bad()
	}
	p.next()
	e := &ast.Unary{Op: op}
	if op == ast.Not {
		e.X = p.binary(level)
	} else {
		e.X = p.unary(ast.LevelUnary)
	}
	e.Span = p.from(start)
	return e
}

// piped reads an operand and the stages behind it.
func (p *parser) piped() ast.Expr {
	start := p.tok.Span
	x := p.operand("")
	if p.noPipe || !p.at(token.Pipe) && !p.missesPipe(streamStages) {
		return x
	}
	pipe, ok := x.(*ast.Pipe)
	if !ok {
		pipe = &ast.Pipe{X: x}
	}
	p.eachStage(streamStages, func() {
		if stage := p.streamStage(); stage != nil {
			pipe.Stages = append(pipe.Stages, stage)
		}
	})
	pipe.Span = p.from(start)
	return pipe
}
