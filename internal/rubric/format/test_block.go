package format

import "github.com/readership/readership/internal/rubric/ast"

func (p *printer) test(t *ast.Test) item {
	var nodes []ast.Node
	for _, s := range t.Setup {
		nodes = append(nodes, s)
	}
	for _, s := range t.Steps {
		nodes = append(nodes, s)
	}
	opened, items := flow(p, nodes, t.End, func(n ast.Node) item { return item{body: p.testLine(n)} })
	open := "test " + quote(t.Title.Value)
	if items == nil && opened == "" {
		return item{body: open + " {}", block: true}
	}
	return item{body: p.block(open, opened, items), block: true}
}

func (p *printer) testLine(n ast.Node) doc {
	switch s := n.(type) {
	case *ast.SiteSetup:
		return seq{"site ", p.entries(s.Entries, s.End)}
	case *ast.ReaderSetup:
		return seq{"reader ", p.entries(s.Entries, s.End)}
	case *ast.ItemSetup:
		names := s.First.Text
		if s.Last != nil {
			names += ".." + s.Last.Text
		}
		return seq{"item " + names + " ", p.entries(s.Entries, s.End)}
	case *ast.ReadStep:
		line := "at " + s.At.Raw + " read " + join(s.Items)
		if s.Through != nil {
			line += " through " + s.Through.Text
		}
		return line
	case *ast.EventStep:
		line := seq{"at " + s.At.Raw + " event " + quote(s.Type.Value)}
		if s.Entries != nil {
			line = append(line, " ", p.entries(s.Entries, s.End))
		}
		return line
	case *ast.LoginStep:
		return "at " + s.At.Raw + " login " + quote(s.Account.Value)
	case *ast.LogoutStep:
		return "at " + s.At.Raw + " logout"
	default:
		e := n.(*ast.ExpectStep)
		return seq{"at " + e.At.Raw + " expect ", p.expr(e.Cond, context{})}
	}
}
