package format

import (
	"strings"

	"github.com/readership/readership/internal/rubric/ast"
)

// declaration formats the header or a declaration.
func (p *printer) declaration(n ast.Node) item {
	switch d := n.(type) {
	case *ast.Version:
		return item{body: "rubric " + integer(d.Number)}
	case *ast.Use:
		return item{body: "use " + quote(d.File.Value)}
	case *ast.Let:
		head := "let " + d.Name.Text
		if d.Params != nil {
			head += "(" + join(d.Params) + ")"
		}
		return item{head: head, body: p.body(d.Body), column: lets}
	case *ast.Segment:
		return item{head: "segment " + d.Name.Text, body: p.body(d.Body), column: segments}
	case *ast.Metric:
		return item{head: "metric " + d.Name.Text, body: p.body(d.Body), column: metrics}
	case *ast.Meter:
		return item{body: seq{"meter " + d.Name.Text, p.options(d.Options), p.body(d.Body)}}
	case *ast.Access:
		return p.access(d)
	case *ast.Strategy:
		return p.strategy(d)
	default:
		return p.test(n.(*ast.Test))
	}
}

// join lists names.
func join(names []*ast.Name) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = n.Text
	}
	return strings.Join(texts, ", ")
}

// body formats what stands behind a name, with its `=`.
func (p *printer) body(e ast.Expr) doc {
	if len(p.pending(e.Range().Start)) > 0 {
		return seq{" =", nest{p.brk(" ", e.Range().Start), p.expr(e, context{})}}
	}
	return seq{" = ", p.expr(e, context{})}
}

// options formats options with a space before them.
func (p *printer) options(options []*ast.Option) doc {
	if options == nil {
		return ""
	}
	inner := nest{}
	for i, o := range options {
		inner = append(inner, p.option(o, i < len(options)-1, i == 0))
	}
	return seq{" ", group{"(", inner, soft, ")"}}
}

func (p *printer) option(o *ast.Option, comma, first bool) doc {
	brk := p.brk(separator(first), o.Start)
	out := seq{brk, o.Name.Text + ": ", p.expr(o.Value, context{comma: comma})}
	if o.Arg != nil {
		out = append(out, " ", p.expr(o.Arg, context{}))
	}
	if comma {
		out = append(out, ",")
	}
	return out
}

// separator is the break before an item of a list in brackets.
func separator(first bool) doc {
	if first {
		return soft
	}
	return space
}

// entries formats `{ KEY: VALUE, … }`, which ends at end.
func (p *printer) entries(entries []*ast.Entry, end int) doc {
	if entries == nil {
		return "{}"
	}
	inner := nest{}
	for i, e := range entries {
		brk := p.brk(space, e.Start)
		inner = append(inner, brk, e.Key.Text+": ", p.expr(e.Value, context{comma: i < len(entries)-1}))
		if i < len(entries)-1 {
			inner = append(inner, ",")
		}
	}
	return group{"{", inner, p.brk(space, end-1), "}"}
}

func (p *printer) strategy(s *ast.Strategy) item {
	inner := nest{}
	for i, c := range s.Candidates {
		inner = append(inner, p.brk(space, c.Start))
		if c.Weight != nil {
			inner = append(inner, p.expr(c.Weight, context{level: ast.LevelMul, followed: true}), " * ")
		}
		inner = append(inner, p.expr(c.Source, context{}))
		if i < len(s.Candidates)-1 {
			inner = append(inner, ",")
		}
	}
	stages := nest{}
	for _, stage := range s.Stages {
		stages = append(stages, p.brk(hard{}, stage.Range().Start), "|> ", p.stage(stage))
	}
	return item{body: seq{"strategy " + s.Name.Text + " = blend ", group{"{", inner, space, "}"}, stages}, block: true}
}

// block formats a block: its opening line without the brace, and its items.
func (p *printer) block(open doc, opened string, items []item) doc {
	out := seq{open, " {"}
	if opened != "" {
		out = append(out, "  "+opened)
	}
	inner := nest{}
	for i := range items {
		if i > 0 && items[i].blank {
			inner = append(inner, blank{})
		}
		inner = append(inner, hard{}, &items[i])
	}
	return append(out, inner, hard{}, "}")
}
