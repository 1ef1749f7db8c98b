package parse

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

// rankingStages are the stages of a strategy.
var rankingStages = []string{"where", "boost", "at_most", "pin", "take"}

func (p *parser) strategy(start source.Span) *ast.Strategy {
	s := &ast.Strategy{Name: p.name("the strategy's name")}
	p.assign()
	if p.atWord("blend") {
		p.next()
	} else {
		p.expected("`blend`", "such as `blend { 1 * trending(half_life: 90m) }`")
	}
	if p.at(token.LeftBrace) {
		if p.peek().Kind == token.RightBrace {
			p.report(p.tok.Span.To(p.peek().Span), "no_candidate", "such as `blend { 1 * trending(half_life: 90m) }`", "a blend has one candidate at least")
		}
		p.brackets(token.RightBrace, "a candidate", func() {
			if c := p.candidate(); c != nil {
				s.Candidates = append(s.Candidates, c)
			}
		})
	} else {
		p.expected(token.LeftBrace.String(), "")
	}
	p.eachStage(rankingStages, func() {
		if stage := p.rankingStage(); stage != nil {
			s.Stages = append(s.Stages, stage)
		}
	})
	s.Span = p.from(start)
	return s
}

// candidate reads `WEIGHT * CALL` or `CALL`; nil after an error.
func (p *parser) candidate() *ast.Candidate {
	start := p.tok.Span
	errors := len(p.diagnostics)
	e := p.binary(ast.LevelMul)
	c := &ast.Candidate{}
	if product, ok := e.(*ast.Binary); ok && product.Op == ast.Mul {
		c.Weight, e = product.X, product.Y
	}
	call, ok := e.(*ast.Call)
	if !ok {
		p.lost = p.lost || len(p.diagnostics) > errors
		p.fail(e.Range(), "candidate", "such as `3 * trending(half_life: 90m)`", "a candidate is a weight, `*` and a call")
		return nil
	}
	c.Source = call
	c.Span = p.from(start)
	return c
}

// rankingStage reads a stage of a strategy; nil after an error.
func (p *parser) rankingStage() ast.Stage {
	start := p.tok.Span
	word := p.stageWord(rankingStages)
	switch word {
	case "where":
		cond := p.condition()
		return &ast.Where{Cond: cond, Span: p.from(start)}
	case "boost":
		s := &ast.Boost{Factor: p.factor()}
		if p.needIf() {
			s.Cond = p.condition()
		} else {
			s.Cond = p.bad()
		}
		s.Span = p.from(start)
		return s
	case "at_most":
		s := &ast.AtMost{Count: p.operand("a number")}
		p.within("per", "write `at_most 2 per item.section`")
		s.Key = p.operand("what to count by")
		s.Span = p.from(start)
		return s
	case "pin":
		s := &ast.Pin{Item: p.operand("what to pin")}
		p.within("at", "write `pin desk.top at 1`")
		s.Place = p.operand("a place")
		s.Span = p.from(start)
		return s
	case "take":
		count := p.operand("a number")
		return &ast.Take{Count: count, Span: p.from(start)}
	default:
		p.expected("a stage of a strategy", source.DidYouMean(p.tok.Text, rankingStages))
		return nil
	}
}

// factor reads what a boost multiplies by.
func (p *parser) factor() ast.Expr {
	if p.at(token.If) {
		p.report(p.tok.Span, "unexpected", "write `boost 1.5 if …`", "expected a factor, found `if`")
		return p.bad()
	}
	return p.operand("a factor")
}

func (p *parser) needIf() bool {
	return !p.lost && p.need(token.If, "write `boost 1.5 if …`")
}
