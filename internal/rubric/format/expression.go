package format

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/readership/readership/internal/rubric/ast"
)

// context is what surrounds an expression and decides whether it needs
// brackets.
type context struct {
	level    ast.Level // what is looser needs brackets
	noPipe   bool      // a `|>` would end the condition of a stage
	followed bool      // an operator follows, which a condition would take in
	comma    bool      // a comma follows, which a list of keys would take in
	beside   bool      // an operator other than a comparison stands beside it
}

// expr formats an expression, in brackets if it needs them.
func (p *printer) expr(e ast.Expr, c context) doc {
	if needsBrackets(e, c) {
		return seq{"(", p.bare(e, context{}), ")"}
	}
	return p.bare(e, c)
}

func needsBrackets(e ast.Expr, c context) bool {
	if ast.LevelOf(e) < c.level {
		return true
	}
	if c.beside && setApart(e) {
		return true
	}
	pipe, ok := e.(*ast.Pipe)
	if !ok {
		return false
	}
	switch pipe.Stages[len(pipe.Stages)-1].(type) {
	case *ast.Where:
		return c.noPipe || c.followed
	case *ast.Distinct, *ast.By:
		return c.noPipe || c.comma
	default:
		return c.noPipe
	}
}

// setApart tells whether an expression reads better in brackets beside an
// operator: a pipe, or a comparison of one. They are the only ones that the
// grammar does not need.
func setApart(e ast.Expr) bool {
	isPipe := func(e ast.Expr) bool { _, ok := e.(*ast.Pipe); return ok }
	if b, ok := e.(*ast.Binary); ok && b.Op.Level() == ast.LevelCompare {
		return isPipe(b.X) || isPipe(b.Y)
	}
	return isPipe(e)
}

// bare formats an expression without brackets around it.
func (p *printer) bare(e ast.Expr, c context) doc {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.Select:
		return seq{p.selected(e.X), "." + e.Name.Text}
	case *ast.Call:
		return seq{p.expr(e.Fun, operand), p.arguments(e.Args, e.End)}
	case *ast.Text:
		return quote(e.Value)
	case *ast.Integer:
		return integer(e.Value)
	case *ast.Decimal:
		return decimal(e)
	case *ast.Duration:
		return e.Raw
	case *ast.Time:
		return e.Raw
	case *ast.Bool:
		return strconv.FormatBool(e.Value)
	case *ast.List:
		return p.list(e)
	case *ast.Unary:
		return p.unary(e, c)
	case *ast.Binary:
		return p.binary(e, c)
	case *ast.If:
		c.level, c.beside = ast.LevelIf, false
		cond := p.expr(e.Cond, context{noPipe: c.noPipe})
		then := p.brk(space, e.Then.Range().Start)
		yes := p.expr(e.Then, context{noPipe: c.noPipe})
		otherwise := p.brk(space, e.Else.Range().Start)
		return group{"if ", cond, nest{then, "then ", yes, otherwise, "else ", p.expr(e.Else, c)}}
	case *ast.Pipe:
		stages := nest{}
		x := p.expr(e.X, operand)
		for _, s := range e.Stages {
			stages = append(stages, p.brk(space, s.Range().Start), "|> ", p.stage(s))
		}
		return group{x, stages}
	case *ast.Verdict:
		return e.Outcome.String() + " " + e.Clause.Text
	default:
		panic(fmt.Sprintf("format: %T in a tree without errors", e))
	}
}

// operand is the context of what stages take.
var operand = context{level: ast.LevelOperand}

// selected formats what has a field. Behind a number a point would be its own.
func (p *printer) selected(x ast.Expr) doc {
	switch x.(type) {
	case *ast.Integer, *ast.Decimal, *ast.Duration, *ast.Time:
		return seq{"(", p.bare(x, context{}), ")"}
	default:
		return p.expr(x, operand)
	}
}

func (p *printer) arguments(args []*ast.Arg, end int) doc {
	if args == nil {
		return "()"
	}
	inner := nest{}
	for i, a := range args {
		inner = append(inner, p.brk(separator(i == 0), a.Start))
		if a.Name != nil {
			inner = append(inner, a.Name.Text+": ")
		}
		inner = append(inner, p.expr(a.Value, context{comma: i < len(args)-1}))
		if i < len(args)-1 {
			inner = append(inner, ",")
		}
	}
	return group{"(", inner, p.brk(soft, end-1), ")"}
}

func (p *printer) list(l *ast.List) doc {
	if l.Items == nil {
		return "[]"
	}
	inner := nest{}
	for i, e := range l.Items {
		inner = append(inner, p.brk(separator(i == 0), e.Range().Start), p.expr(e, context{comma: i < len(l.Items)-1}))
		if i < len(l.Items)-1 {
			inner = append(inner, ",")
		}
	}
	return group{"[", inner, p.brk(soft, l.End-1), "]"}
}

func (p *printer) unary(e *ast.Unary, c context) doc {
	c.level, c.beside = e.Op.Level(), true
	if e.Op != ast.Neg {
		return seq{e.Op.String() + " ", p.expr(e.X, c)}
	}
	if x, ok := e.X.(*ast.Unary); ok && x.Op == ast.Neg { // `--` begins a comment
		c = operand
	}
	return seq{"-", p.expr(e.X, c)}
}

// binary formats operands in a row whose operators bind alike.
func (p *printer) binary(e *ast.Binary, c context) doc {
	level := e.Op.Level()
	var row []*ast.Binary // the last operator first
	for b := e; ; {
		row = append(row, b)
		left, ok := b.X.(*ast.Binary)
		if !ok || left.Op.Level() != level || level == ast.LevelCompare {
			break
		}
		b = left
	}
	first, beside := level, level != ast.LevelCompare
	if level == ast.LevelCompare {
		first++
	}
	out := group{p.expr(row[len(row)-1].X, context{level: first, noPipe: c.noPipe, followed: true, beside: beside})}
	sep := doc(space)
	if _, ok := row[len(row)-1].X.(*ast.Pipe); ok && !beside {
		sep = " " // `|> count >= 5` stays together
	}
	rest := nest{}
	for i := len(row) - 1; i >= 0; i-- {
		b := row[i]
		rest = append(rest, p.brk(sep, b.OpAt.Start), b.Op.String()+" ",
			p.expr(b.Y, context{level: level + 1, noPipe: c.noPipe, followed: i > 0 || c.followed, comma: i == 0 && c.comma, beside: beside}))
	}
	return append(out, rest)
}

func integer(n int64) string { return strconv.FormatInt(n, 10) }

func decimal(d *ast.Decimal) string {
	digits := integer(d.Digits)
	if missing := d.Scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	return digits[:len(digits)-d.Scale] + "." + digits[len(digits)-d.Scale:]
}

// quote writes a text with as few escapes as there may be.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ':
			b.WriteRune(r)
		case strings.ContainsRune("\b\f\n\r\t", r):
			b.WriteByte('\\')
			b.WriteByte("btn\x00fr"[r-'\b'])
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
