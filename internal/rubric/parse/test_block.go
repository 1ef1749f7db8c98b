package parse

import (
	"time"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

var actions = []string{"read", "event", "login", "logout", "expect"}

func (p *parser) test(start source.Span) *ast.Test {
	t := &ast.Test{Title: p.text("the test's title", "such as `test \"the sixth article stops a reader\"`")}
	p.place = inTest
	p.block("a line of a test (`site`, `item`, `reader`, `at`)", p.atLine, func() {
		if p.atWord("at") {
			if step := p.step(); step != nil {
				t.Steps = append(t.Steps, step)
			}
			return
		}
		word := p.tok
		setup := p.setup()
		t.Setup = append(t.Setup, setup)
		if t.Steps != nil {
			p.report(word.Span, "setup_after_step", "move it up", "`%s` stands before the first `at`", word.Text)
		}
	})
	p.place = atTop
	t.Span = p.from(start)
	return t
}

func (p *parser) atLine() bool {
	return p.atWord("at") || p.atWord("site") || p.atWord("item") || p.atWord("reader")
}

// startsLine tells apart the word of a line from a name in an expression.
func (p *parser) startsLine() bool {
	if !p.atLine() || p.touchesPoint() {
		return false
	}
	switch p.peek().Kind {
	case token.Time, token.LeftBrace:
		return true
	case token.Name:
		return p.tok.First && !joins(p.peek())
	case token.Integer, token.Decimal, token.Duration, token.Text:
		return p.tok.First && p.tok.Text == "at"
	default:
		return false
	}
}

func (p *parser) setup() ast.Setup {
	start := p.tok
	p.next()
	switch start.Text {
	case "site":
		entries := p.entries()
		return &ast.SiteSetup{Entries: entries, Span: p.from(start.Span)}
	case "reader":
		entries := p.entries()
		return &ast.ReaderSetup{Entries: entries, Span: p.from(start.Span)}
	default:
		s := &ast.ItemSetup{First: p.name("an item's name")}
		if p.at(token.Minus) || p.at(token.Dot) {
			p.report(p.tok.Span, "range", "write `a1..a6`", "several items are written with `..`, found %s", p.describe(p.tok))
			p.next()
			s.Last = p.name("the last item's name")
		} else if p.accept(token.DotDot) {
			s.Last = p.name("the last item's name")
		}
		if !p.lost {
			s.Entries = p.entries()
		}
		s.Span = p.from(start.Span)
		return s
	}
}

// step reads a line that begins with `at`; nil after an error.
func (p *parser) step() ast.Step {
	start := p.tok.Span
	p.next()
	at := p.instant()
	if at == nil {
		return nil
	}
	return p.act(start, at)
}

// act reads what happens at an instant; nil after an error.
func (p *parser) act(start source.Span, at *ast.Time) ast.Step {
	action := p.tok.Text
	if !p.at(token.Name) {
		action = ""
	}
	switch action {
	case "read":
		p.next()
		s := &ast.ReadStep{At: at, Items: []*ast.Name{p.name("an item's name")}}
		for p.accept(token.Comma) {
			s.Items = append(s.Items, p.name("an item's name"))
		}
		if p.atWord("through") {
			p.next()
			s.Through = p.name("the name of an access block")
		}
		s.Span = p.from(start)
		return s
	case "event":
		p.next()
		s := &ast.EventStep{At: at, Type: p.text("the event's type", "such as `\"plans_opened\"`")}
		if p.at(token.LeftBrace) {
			s.Entries = p.entries()
		}
		s.Span = p.from(start)
		return s
	case "login":
		p.next()
		account := p.text("an account", "")
		return &ast.LoginStep{At: at, Account: account, Span: p.from(start)}
	case "logout":
		p.next()
		return &ast.LogoutStep{At: at, Span: p.from(start)}
	case "expect":
		p.next()
		cond := p.expression()
		return &ast.ExpectStep{At: at, Cond: cond, Span: p.from(start)}
	default:
		p.expected("`read`, `event`, `login`, `logout` or `expect`", source.DidYouMean(action, actions))
		return nil
	}
}

// instant reads the time of a step; nil after an error.
func (p *parser) instant() *ast.Time {
	if !p.at(token.Time) {
		p.expected("a time", "such as `2026-03-01T10:00`")
		return nil
	}
	return p.time()
}

func (p *parser) time() *ast.Time {
	t := &ast.Time{Span: p.tok.Span, Value: time.UnixMilli(p.tok.Int).UTC(), Offset: p.tok.Scale == 1, Raw: p.tok.Text}
	p.next()
	return t
}

// startsVerdict tells whether `allow NAME` or its like follows, in a test.
func (p *parser) startsVerdict() bool {
	if p.place != inTest || !p.atOutcome() {
		return false
	}
	after := p.peek()
	at := after.Text == "at" && p.i+2 < len(p.tokens) && p.tokens[p.i+2].Kind == token.Time
	return after.Kind == token.Name && after.Text != "within" && !at
}

func (p *parser) verdict() *ast.Verdict {
	start := p.tok.Span
	v := &ast.Verdict{Outcome: p.outcome(), Clause: p.name("the clause's name")}
	v.Span = p.from(start)
	return v
}
