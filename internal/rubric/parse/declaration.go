package parse

import (
	"fmt"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

// languageVersion is the newest `rubric N` that can be read.
const languageVersion = 1

func (p *parser) program() *ast.Program {
	program := &ast.Program{Span: source.Span{End: len(p.file.Text)}, File: p.file}
	if p.atWord("rubric") {
		program.Version = p.version()
	}
	for !p.at(token.EOF) {
		if p.tok.Kind.IsDeclaration() {
			p.lost = false
			program.Decls = append(program.Decls, p.declaration())
		} else {
			p.stray()
		}
	}
	return program
}

// version reads the header `rubric 1`.
func (p *parser) version() *ast.Version {
	start := p.tok.Span
	p.next()
	v := &ast.Version{Number: p.tok.Int}
	switch {
	case !p.at(token.Integer):
		p.expected("the version of the language, a number", fmt.Sprintf("write `rubric %d`", languageVersion))
	case p.tok.Int < 1 || p.tok.Int > languageVersion:
		p.report(p.tok.Span, "unknown_version", fmt.Sprintf("write `rubric %d`", languageVersion), "the version of the language is %d, found %d", languageVersion, p.tok.Int)
		p.next()
	default:
		p.next()
	}
	v.Span = p.from(start)
	return v
}

// stray reports what belongs to no declaration and moves on to the next one.
func (p *parser) stray() {
	switch {
	case p.tok.Kind.IsClosing():
		p.fail(p.tok.Span, "stray_bracket", "take it away", "no bracket is open that this %s could close", p.tok.Kind)
	case p.tok.First || p.i == 0:
		hint := wordHints[p.tok.Text]
		if hint == "" && p.at(token.Name) {
			hint = source.DidYouMean(p.tok.Text, token.Declarations)
		}
		p.expectedAt(p.tok.Span, "a declaration", hint)
	default:
		p.expected("an operator or the next declaration", "")
	}
	for !p.at(token.EOF) && !p.startsDeclaration() {
		p.next()
	}
}

func (p *parser) declaration() ast.Decl {
	start := p.tok.Span
	kind := p.tok.Kind
	p.next()
	switch kind {
	case token.Use:
		file := p.text("a file's name", "such as `use \"shared\"`")
		return &ast.Use{File: file, Span: p.from(start)}
	case token.Let:
		d := &ast.Let{Name: p.name("the name of what is defined"), Params: p.params()}
		d.Body = p.body()
		d.Span = p.from(start)
		return d
	case token.Segment:
		d := &ast.Segment{Name: p.name("the segment's name"), Body: p.body()}
		d.Span = p.from(start)
		return d
	case token.Meter:
		d := &ast.Meter{Name: p.name("the meter's name"), Options: p.options(), Body: p.body()}
		d.Span = p.from(start)
		return d
	case token.Metric:
		d := &ast.Metric{Name: p.name("the metric's name"), Body: p.body()}
		d.Span = p.from(start)
		return d
	case token.Access:
		return p.access(start)
	case token.Strategy:
		return p.strategy(start)
	default:
		return p.test(start)
	}
}

// params reads the parameters of a `let` function, nil if it is a value.
func (p *parser) params() []*ast.Name {
	if !p.at(token.LeftParen) {
		return nil
	}
	var params []*ast.Name
	opening := p.tok.Span
	p.brackets(token.RightParen, "a parameter", func() { params = append(params, p.name("a parameter")) })
	if params == nil {
		p.report(p.from(opening), "no_parameter", "take the brackets away", "a function has one parameter at least")
	}
	return params
}

// body reads `=` and what is defined by it.
func (p *parser) body() ast.Expr {
	p.assign()
	return p.expression()
}

func (p *parser) assign() {
	if p.at(token.Eq) || p.at(token.Colon) {
		p.report(p.tok.Span, "definition", "write `=`", "a definition is written with `=`, found %s", p.describe(p.tok))
		p.next()
		return
	}
	hint := ""
	if p.at(token.Name) && p.i > 1 && p.tokens[p.i-2].Kind == token.Let {
		hint = fmt.Sprintf("parameters stand in brackets: `%s(%s)`", p.tokens[p.i-1].Text, p.tok.Text)
	}
	if !p.lost {
		p.need(token.Assign, hint)
	} else {
		p.skip(token.Assign)
		if p.at(token.Assign) {
			p.lost = false
			p.next()
		}
	}
}

// options reads `(NAME: VALUE, …)` after a name, nil without brackets.
func (p *parser) options() []*ast.Option {
	if !p.at(token.LeftParen) {
		return nil
	}
	var options []*ast.Option
	p.brackets(token.RightParen, "an option", func() {
		o := &ast.Option{Name: p.name("an option")}
		p.colon(o.Name)
		p.noAssign = true
		o.Value = p.expression()
		if _, word := o.Value.(*ast.Ident); word && (p.at(token.Integer) || p.at(token.Duration)) {
			o.Arg = p.operand("")
		}
		o.Span = p.from(o.Name.Span)
		options = append(options, o)
	})
	return options
}

// colon reads the `:` between a key and its value.
func (p *parser) colon(key *ast.Name) {
	if p.at(token.Assign) || p.at(token.Eq) {
		p.report(p.tok.Span, "colon", "write `"+key.Text+": …`", "a `:` stands between a name and its value here, found %s", p.describe(p.tok))
		p.next()
		return
	}
	if !p.lost {
		p.need(token.Colon, "")
	}
}

// entries reads `{KEY: VALUE, …}`.
func (p *parser) entries() []*ast.Entry {
	if !p.at(token.LeftBrace) {
		within := p.at(token.Name) && p.peek().Kind == token.Colon
		p.expected(token.LeftBrace.String(), "")
		if within { // the brace that was forgotten is closed
			p.skip()
			p.accept(token.RightBrace)
		}
		return nil
	}
	var entries []*ast.Entry
	p.brackets(token.RightBrace, "a key", func() {
		var key *ast.Name
		if p.tok.Kind.IsReserved() && p.peek().Kind == token.Colon {
			key = &ast.Name{Span: p.tok.Span, Text: p.tok.Text}
			p.next()
		} else {
			key = p.name("a key")
		}
		p.colon(key)
		entry := &ast.Entry{Key: key, Value: p.expression()}
		entry.Span = p.from(key.Span)
		entries = append(entries, entry)
	})
	return entries
}

// block reads `{`, items until its `}`, and the `}`. Each item reads at least
// one token or leaves the parser lost; it begins where starts says so.
func (p *parser) block(what string, starts func() bool, item func()) {
	if !p.at(token.LeftBrace) {
		p.expected(token.LeftBrace.String(), "")
		return
	}
	opening := p.tok
	p.next()
	for {
		switch {
		case p.at(token.RightBrace):
			p.lost = false
			p.next()
			return
		case p.at(token.EOF) || p.startsDeclaration():
			at := p.tok.Span
			if p.at(token.EOF) {
				at = p.behind()
			}
			p.unclosed(opening, at, what+" or `}`")
			return
		case starts():
			p.lost = false
			item()
		default:
			p.between(what)
		}
	}
}

// between reports what stands between the items of a block and moves on.
func (p *parser) between(what string) {
	hint := ""
	switch {
	case p.at(token.Comma):
		hint = "take it away: what stands in braces here has no commas between"
	case p.at(token.Name) && p.place == inAccess:
		hint = source.DidYouMean(p.tok.Text, append([]string{"if", "burns", "price", "offers"}, ast.Outcomes...))
	case p.at(token.Name):
		hint = source.DidYouMean(p.tok.Text, []string{"site", "item", "reader", "at"})
	}
	switch {
	case p.at(token.Comma):
		p.report(p.tok.Span, "comma", hint, "expected %s or `}`, found `,`", what)
		p.next()
	case p.tok.Kind.IsClosing():
		p.expectedAt(p.tok.Span, what+" or `}`", hint)
		p.next()
	default:
		if p.place == inAccess && !p.tok.First {
			what = "an operator, `burns`, `price`, `offers`, the next clause"
		}
		p.expectedAt(p.tok.Span, what+" or `}`", hint)
		p.skip()
	}
}
