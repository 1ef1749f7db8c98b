package repl

import (
	"slices"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/check"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
)

// story is what is checked together with the program: a test about the world of
// the session.
type story struct {
	file  *source.File
	decls []ast.Decl // definitions that were typed
	setup []ast.Setup
	steps []ast.Step
}

// compile checks a story; the plan is nil after an error.
func (s *Session) compile(t story) (*plan.Program, []source.Diagnostic) {
	return check.Test(s.compose(s.trees, t), s.schemaNow(), 0)
}

// ask checks what an expression is where an `expect` would stand.
func (s *Session) ask(file *source.File, e ast.Expr) (*plan.Program, *check.Answer, []source.Diagnostic) {
	t := story{file: file, steps: []ast.Step{&ast.ExpectStep{Span: e.Range(), At: s.instant(), Cond: e}}}
	return check.Ask(s.compose(s.trees, t), s.schemaNow(), 0, e)
}

// schemaNow is the schema with the attributes that are known by now.
func (s *Session) schemaNow() *schema.Schema {
	out := s.schema
	out.Attributes = s.attrs
	return &out
}

// compose returns the trees of a program that takes in others and a story, which
// is its only test. Items of the world are items of the test.
func (s *Session) compose(trees []*ast.Program, t story) []*ast.Program {
	root := &ast.Program{File: source.NewFile("(session)", "")}
	typed := &ast.Program{File: t.file, Decls: t.decls}
	use := func(t *ast.Program) { root.Decls = append(root.Decls, &ast.Use{File: &ast.Text{Value: t.File.Name}}) }
	use(typed)
	for i, tree := range trees {
		if i == 0 || i >= s.main { // the main file takes in those between
			use(tree)
		}
	}
	test := &ast.Test{Title: &ast.Text{Value: "session"}, Steps: t.steps}
	for _, id := range s.kept(t.setup) {
		test.Setup = append(test.Setup, &ast.ItemSetup{First: &ast.Name{Text: id}})
	}
	test.Setup = append(test.Setup, t.setup...)
	typed.Decls = append(slices.Clip(typed.Decls), test)
	return append([]*ast.Program{root, typed}, trees...)
}

// kept are the items of the world that lines do not replace.
func (s *Session) kept(setup []ast.Setup) []string {
	return slices.DeleteFunc(slices.Clone(s.items), func(id string) bool {
		return slices.ContainsFunc(setup, func(line ast.Setup) bool { return names(line, id) })
	})
}

// names tells whether a line is about one item of a name.
func names(line ast.Setup, id string) bool {
	i, ok := line.(*ast.ItemSetup)
	return ok && i.Last == nil && i.First != nil && i.First.Text == id
}

// declared returns the name of what a declaration defines, nil if it is none.
func declared(d ast.Decl) *ast.Name {
	switch d := d.(type) {
	case *ast.Let:
		return d.Name
	case *ast.Segment:
		return d.Name
	case *ast.Meter:
		return d.Name
	case *ast.Access:
		return d.Name
	case *ast.Metric:
		return d.Name
	default:
		return nil
	}
}
