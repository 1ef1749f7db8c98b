package parse

import (
	"fmt"
	"slices"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

// streamStages are the stages and ends of a stream.
var streamStages = append([]string{"where", "last", "since", "per", "from_first", "distinct", "then", "unless", "by"}, ast.Ends...)

// eachStage reads `|>` and a stage, as often as they follow.
func (p *parser) eachStage(known []string, stage func()) {
	for {
		switch {
		case p.at(token.Pipe):
			p.lost = false
			p.next()
		case p.missesPipe(known):
			p.report(p.tok.Span, "missing_pipe", fmt.Sprintf("write `|> %s`", p.tok.Text), "expected `|>` before `%s`", p.tok.Text)
		default:
			return
		}
		stage()
		if p.lost {
			p.skip(token.Pipe, token.Comma, token.Then, token.Else, token.And, token.Or)
		}
	}
}

// missesPipe tells whether the word of a stage follows where only `|>` could
// introduce it.
func (p *parser) missesPipe(known []string) bool {
	return p.at(token.Name) && slices.Contains(known, p.tok.Text) && !p.lost && !p.startsAnew()
}

func (p *parser) startsStage() bool {
	return p.at(token.Name) && (slices.Contains(streamStages, p.tok.Text) || slices.Contains(rankingStages, p.tok.Text))
}

// stageWord reads the word of a stage and returns it; a misspelled one is
// reported and taken for the known one. It returns "" for what is none.
func (p *parser) stageWord(known []string) string {
	word := p.tok.Text
	switch {
	case p.at(token.Then) && slices.Contains(known, "then"), p.at(token.Name) && slices.Contains(known, word):
		p.next()
		return word
	case p.at(token.Name) && p.takesOperand():
		if hint := source.DidYouMean(word, known); hint != "" {
			p.report(p.tok.Span, "unknown_stage", hint, "unknown stage `%s`", word)
			p.next()
			for _, k := range known {
				if hint == fmt.Sprintf("did you mean `%s`?", k) {
					return k
				}
			}
		}
		return ""
	default:
		return ""
	}
}

// takesOperand tells whether an operand without brackets follows the next
// token: then that is no function.
func (p *parser) takesOperand() bool {
	switch p.peek().Kind {
	case token.Name, token.Text, token.Integer, token.Decimal, token.Duration, token.Time, token.Events, token.AllEvents, token.LeftBracket:
		return !p.peek().First
	default:
		return false
	}
}

// streamStage reads a stage or an end; nil after an error.
func (p *parser) streamStage() ast.Stage {
	start := p.tok.Span
	switch word := p.stageWord(streamStages); word {
	case "where":
		cond := p.condition()
		return &ast.Where{Cond: cond, Span: p.from(start)}
	case "last":
		d := p.operand("a duration")
		return &ast.Last{Duration: d, Span: p.from(start)}
	case "since":
		t := p.operand("a time")
		return &ast.Since{Time: t, Span: p.from(start)}
	case "per":
		return p.per(start)
	case "from_first":
		d := p.operand("a duration")
		return &ast.FromFirst{Duration: d, Span: p.from(start)}
	case "distinct":
		keys := p.keys()
		return &ast.Distinct{Keys: keys, Span: p.from(start)}
	case "by":
		keys := p.keys()
		return &ast.By{Keys: keys, Span: p.from(start)}
	case "then":
		stream, within := p.pattern("then")
		return &ast.Then{Stream: stream, Within: within, Span: p.from(start)}
	case "unless":
		stream, within := p.pattern("unless")
		return &ast.Unless{Stream: stream, Within: within, Span: p.from(start)}
	case "":
		return p.apply(start)
	default:
		return p.end(start, ast.EndOp(slices.Index(ast.Ends, word)))
	}
}

// condition reads an expression that ends before the next `|>`.
func (p *parser) condition() ast.Expr {
	pipe := p.noPipe
	p.noPipe = true
	defer func() { p.noPipe = pipe }()
	return p.expression()
}

func (p *parser) per(start source.Span) ast.Stage {
	s := &ast.Per{NameAt: p.tok.Span}
	period := slices.Index(ast.Periods, p.tok.Text)
	if !p.at(token.Name) || period < 0 {
		p.expected("`day`, `week` or `month`", source.DidYouMean(p.tok.Text, ast.Periods))
		s.NameAt = p.bad().Span
	} else {
		s.Period = ast.Period(period)
		p.next()
	}
	s.Span = p.from(start)
	return s
}

// keys reads the list of a `distinct` or `by`.
func (p *parser) keys() []ast.Expr {
	keys := []ast.Expr{p.key()}
	for !p.lost && p.accept(token.Comma) {
		keys = append(keys, p.key())
	}
	return keys
}

// key reads a column or field; `segment` is a key too.
func (p *parser) key() ast.Expr {
	if t := p.tok; t.Kind == token.Segment && p.peek().Kind != token.Name {
		p.next()
		return &ast.Ident{Span: t.Span, Name: t.Text}
	}
	return p.operand("a key")
}

// pattern reads `STREAM within DURATION`.
func (p *parser) pattern(word string) (stream, within ast.Expr) {
	stream = p.operand("a stream")
	p.within("within", fmt.Sprintf("write `%s plans within 30m`", word))
	return stream, p.operand("a duration")
}

// within reads the word between the two operands of a stage.
func (p *parser) within(word, hint string) {
	if !p.lost {
		p.needWord(word, hint)
	}
}

func (p *parser) end(start source.Span, op ast.EndOp) ast.Stage {
	s := &ast.End{Op: op}
	switch {
	case op.HasOperand():
		s.Of = p.operand("what to take the " + op.String() + " of")
	case p.at(token.LeftParen):
		at := p.tok.Span
		p.brackets(token.RightParen, "", func() { p.expression() })
		p.report(p.from(at), "end_operand", fmt.Sprintf("write `%s`", op), "`%s` takes nothing", op)
	}
	s.Span = p.from(start)
	return s
}

// apply reads a function with its other arguments; nil after an error.
func (p *parser) apply(start source.Span) ast.Stage {
	if p.at(token.If) || !p.at(token.Name) && !p.at(token.Currency) {
		hint := ""
		if p.at(token.If) {
			hint = "write `where` to keep the rows for which something holds"
		}
		p.expected("a stage such as `where`, `last`, `count` or a function", hint)
		return nil
	}
	s := &ast.Apply{Fun: p.name("")}
	if p.at(token.LeftParen) {
		s.Args = p.arguments()
	}
	s.Span = p.from(start)
	return s
}
