package parse

import (
	"fmt"
	"slices"
	"strings"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

func (p *parser) access(start source.Span) *ast.Access {
	a := &ast.Access{Name: p.name("the name of the access block"), Options: p.options()}
	if p.at(token.Assign) && p.peek().Kind == token.LeftBrace {
		p.report(p.tok.Span, "unexpected", "take it away", "the clauses of an access block follow without `=`")
		p.next()
	}
	p.place = inAccess
	p.block("a clause (`allow`, `deny`, `charge`)", p.atOutcome, func() { a.Clauses = append(a.Clauses, p.clause()) })
	p.place = atTop
	a.Span = p.from(start)
	return a
}

func (p *parser) atOutcome() bool {
	return p.at(token.Name) && slices.Contains(ast.Outcomes, p.tok.Text)
}

// startsClause tells apart the word of a clause from a name in an expression:
// no name follows a name there.
func (p *parser) startsClause() bool {
	if !p.atOutcome() || p.touchesPoint() {
		return false
	}
	return p.peek().Kind == token.Name && !joins(p.peek())
}

// joins tells whether a name can follow another one in a clause, a stage or a
// line of a test, as in `then item within 5m`.
func joins(t token.Token) bool {
	switch t.Text {
	case "within", "per", "at", "price", "offers", "allow", "deny", "charge":
		return true
	default:
		return false
	}
}

func (p *parser) outcome() ast.Outcome {
	o := ast.Outcome(slices.Index(ast.Outcomes, p.tok.Text))
	p.next()
	return o
}

func (p *parser) clause() *ast.Clause {
	start := p.tok.Span
	c := &ast.Clause{Outcome: p.outcome()}
	if p.atOutcome() || p.atAttribute() && p.peek().Kind != token.If {
		p.expected("the clause's name", "")
		c.Name = &ast.Name{Span: source.Span{Start: p.last().End, End: p.last().End}}
	} else {
		c.Name = p.name("the clause's name")
	}
	for p.atAttribute() && !p.startsClause() {
		p.attribute(c)
	}
	c.Span = p.from(start)
	return c
}

// atAttribute tells whether a part of a clause behind its name follows.
func (p *parser) atAttribute() bool {
	return p.at(token.If) || p.at(token.Burns) || p.atWord("price") || p.atWord("offers")
}

func (p *parser) attribute(c *ast.Clause) {
	word, lost := p.tok, p.lost
	p.lost = false
	p.next()
	twice := false
	switch word.Text {
	case "if":
		twice = c.Cond != nil
		c.Cond = p.expression()
	case "burns":
		twice = c.Burns != nil
		c.Burns = p.name("the name of a meter")
	case "price":
		twice = c.Price != nil
		c.Price = p.price()
	default:
		twice = c.Offers != nil
		c.Offers = p.name("the name of an offer")
	}
	if twice && !lost {
		p.report(word.Span, "twice", "", "a clause has one `%s`, this is the second of `%s`", word.Text, c.Name.Text)
	}
}

// price reads an amount and its currency.
func (p *parser) price() *ast.Price {
	start := p.tok.Span
	if p.at(token.Currency) {
		currency := p.currency()
		price := &ast.Price{Currency: currency, Amount: p.expression()}
		price.Span = p.from(start)
		p.report(price.Span, "price", fmt.Sprintf("write `%s %s`", p.file.Slice(price.Amount.Range()), currency.Text), "the currency follows the amount")
		return price
	}
	price := &ast.Price{Amount: p.expression()}
	if !p.lost {
		price.Currency = p.currency()
	}
	price.Span = p.from(start)
	return price
}

func (p *parser) currency() *ast.Name {
	n := &ast.Name{Span: p.tok.Span, Text: p.tok.Text}
	switch {
	case p.at(token.Currency):
	case p.at(token.Name) && len(p.tok.Text) == 3 && !p.tok.First:
		n.Text = strings.ToUpper(n.Text)
		p.report(n.Span, "price", fmt.Sprintf("write `%s`", n.Text), "a currency is three capital letters, found `%s`", p.tok.Text)
	default:
		p.expected("a currency after the price", "such as `EUR`")
		return nil
	}
	p.next()
	return n
}
