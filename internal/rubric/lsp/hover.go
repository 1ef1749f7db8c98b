package lsp

import (
	"fmt"
	"strings"

	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/check"
	"github.com/readership/readership/internal/rubric/explain"
	"github.com/readership/readership/internal/rubric/lexer"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

// Hover says what a name, word or literal of an open document means; nil if there
// is none at the place.
func (w *Workspace) Hover(uri string, p Position) *Hover {
	at := w.at(uri, p)
	if at == nil || len(at.file.Text) > source.MaxBytes {
		return nil
	}
	t, ok := tokenAt(at.file, at.offset)
	if !ok {
		return nil
	}
	said := w.about(at, t)
	if said == "" {
		return nil
	}
	r := at.text.Range(t.Start, t.End)
	return &Hover{Contents: markdown(said), Range: &r}
}

// tokenAt returns the token at a place, or the one that ends there.
func tokenAt(f *source.File, offset int) (found token.Token, ok bool) {
	for _, t := range lexer.Scan(f).Tokens {
		if t.Kind != token.EOF && t.Start <= offset && offset <= t.End {
			if found, ok = t, true; offset < t.End {
				break
			}
		}
	}
	return found, ok
}

// about says what a token means, in Markdown.
func (w *Workspace) about(at *place, t token.Token) string {
	switch t.Kind {
	case token.Duration:
		return aboutDuration(at.tree, t)
	case token.Text, token.Integer, token.Decimal, token.Time, token.EOF, token.Bad:
		return ""
	}
	path := pathTo(at.tree, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.Ident, *ast.Name:
			return n.Range() == t.Span
		}
		return false
	})
	if path != nil {
		if d := w.target(at, t.Span); d != nil {
			return w.aboutDefinition(d)
		}
		return w.aboutName(at, path)
	}
	if about := words[t.Text]; about != "" && t.Kind != token.Currency {
		return "**" + t.Text + "** — " + about
	}
	return ""
}

func aboutDuration(tree *ast.Program, t token.Token) string {
	said := ""
	ast.Walk(tree, func(n ast.Node) bool {
		if d, ok := n.(*ast.Duration); ok && d.Span == t.Span {
			said = fmt.Sprintf("**%s** — a duration, %v", d.Raw, d.Value)
			if strings.HasSuffix(d.Raw, "d") || strings.HasSuffix(d.Raw, "w") {
				said += ": a day has 24 hours, whatever the calendar says"
			}
		}
		return true
	})
	return said
}

// aboutName speaks of a name that no definition gives.
func (w *Workspace) aboutName(at *place, path []ast.Node) string {
	node := path[len(path)-1]
	written, about := named(node), ""
	if len(path) > 1 {
		switch parent := path[len(path)-2].(type) {
		case *ast.Select:
			if node != ast.Node(parent.Name) {
				break
			}
			about = aboutName(prefixOf(at, parent), written)
			written = at.file.Slice(parent.Span)
			node = parent
			if call, ok := path[max(len(path)-3, 0)].(*ast.Call); ok && call.Fun == ast.Expr(parent) {
				node = call
			}
		case *ast.Call:
			if parent.Fun == node {
				about, node = names[written], parent
			}
		case *ast.Option, *ast.Entry, *ast.Clause, *ast.ItemSetup, *ast.Price:
			if words[written] == "" {
				return ""
			}
			return "**" + written + "** — " + words[written]
		}
	}
	if about == "" && node == path[len(path)-1] {
		if about = names[written]; about == "" {
			about = words[written]
		}
	}
	is := ""
	for _, p := range at.programs {
		if is = w.inspected(p, node); is != "" {
			break
		}
	}
	switch {
	case is == "" && about == "":
		return ""
	case is == "":
		return "**" + written + "** — " + about
	case about == "":
		return "**" + written + "** — " + is
	}
	return "**" + written + "** — " + is + ": " + about
}

// inspected says what an expression is.
func (w *Workspace) inspected(p []*unit, n ast.Node) string {
	seen := check.Inspect(trees(p), w.Schema, n)
	if seen.Is != "" && seen.Optional {
		return seen.Is + ", which may be missing"
	}
	return seen.Is
}

// aboutDefinition says what a definition means and what it costs.
func (w *Workspace) aboutDefinition(d *target) string {
	head := d.word + " " + d.name.Text
	switch d.word {
	case "parameter":
		return "**" + head + "**"
	case "item":
		return "**" + head + "** — an article of this test"
	case "let":
		l := d.decl.(*ast.Let)
		said := "```rubric\n" + d.unit.file.Slice(shortened(l.Span)) + "\n```"
		if is := w.inspected(d.program, l.Body); is != "" {
			said += "\n" + strings.ToUpper(is[:1]) + is[1:] + "."
		}
		return said
	}
	said := "**" + head + "**"
	if p := w.check(d.program); p.OK() {
		said += meaning(p, d.word, d.name.Text)
	}
	return said
}

// shortened is the part of a definition that is shown.
func shortened(s source.Span) source.Span {
	const most = 600
	return source.Span{Start: s.Start, End: min(s.End, s.Start+most)}
}

// meaning says in English what a definition means, and its cost.
func meaning(p *rubric.Program, word, name string) string {
	said := func(text string, c *plan.Cost) string {
		return "\n\n" + strings.ReplaceAll(strings.TrimSpace(text), "\n", "  \n") + "\n\n" + CostLine(c)
	}
	switch word {
	case "segment":
		if s := p.Plan.Segment(name); s != nil {
			return said(explain.OfSegment(p.Plan, s), &s.Cost)
		}
	case "meter":
		if m := p.Plan.Meter(name); m != nil {
			return said(explain.OfMeter(p.Plan, m), &m.Cost)
		}
	case "access":
		if a := p.Plan.Access(name); a != nil {
			return said(explain.OfAccess(p.Plan, a), &a.Cost)
		}
	case "metric":
		if m := p.Plan.Metric(name); m != nil {
			return said(explain.OfMetric(p.Plan, m), &m.Cost)
		}
	}
	return ""
}

// CostLine says what a definition costs.
func CostLine(c *plan.Cost) string {
	out := fmt.Sprintf("Cost: %d rows an evaluation, %d bytes a reader, %.1f µs an event", c.Rows, c.BytesPerReader, float64(c.NanosPerEvent)/1000)
	if len(c.Shares) > 0 {
		out += "; shares parts with " + strings.Join(c.Shares, ", ")
	}
	return out
}
