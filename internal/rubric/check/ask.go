package check

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/cost"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/value"
)

// Answer is what an expression of any kind is that stands behind `expect`.
type Answer struct {
	Kind AnswerKind
	Expr *plan.Expr // the value; of rows how many there are, of a decision its item; nil for a meter
	Ref  int        // the meter, the access block, or the stream of rows
	Cost plan.Cost  // of the value or the rows
}

// AnswerKind says what an expression is.
type AnswerKind uint8

// Kinds of answers.
const (
	OfValue AnswerKind = iota
	OfRows
	OfMeter
	OfDecision
)

// Ask checks a program for the site of the n-th of its tests, as Test does, and
// says what an expression is that stands behind one of the test's `expect`s. The
// plan and the answer are nil if the program or the expression has an error.
func Ask(trees []*ast.Program, s *schema.Schema, n int, e ast.Expr) (*plan.Program, *Answer, []source.Diagnostic) {
	look := &probe{node: e, asking: true}
	p, diagnostics := run(trees, s, n, look)
	if p == nil || look.answer == nil {
		return nil, nil, diagnostics
	}
	if x := look.answer.Expr; x != nil {
		uses := look.uses(x)
		look.answer.Cost = cost.Of(p, x, &uses)
	}
	return p, look.answer, diagnostics
}

// asks tells whether the value of an expression is asked for.
func (p *probe) asks(e ast.Expr) bool { return p.at(e) && p.asking }

// answer says what an expression is; nil after an error.
func (c *checker) answer(en *env, e ast.Expr, x result) *Answer {
	if x.bad() {
		return nil
	}
	c.look.uses = c.b.UsesOf
	switch x.kind {
	case isRows:
		count := c.end(en, x.rows, &ast.End{Op: ast.Count, Span: e.Range()})
		if count.bad() {
			return nil
		}
		return &Answer{Kind: OfRows, Expr: count.expr, Ref: c.stream(x.rows)}
	case isMeter:
		return &Answer{Kind: OfMeter, Ref: x.def.index}
	case isDecision:
		return &Answer{Kind: OfDecision, Expr: x.items[0].expr, Ref: x.def.index}
	case isValue:
		return &Answer{Kind: OfValue, Expr: x.expr}
	default:
		c.fail(en, e, "type", hintFor(&x, value.Any), "expected a value, rows, a meter or a decision, found %s", x.found())
		return nil
	}
}
