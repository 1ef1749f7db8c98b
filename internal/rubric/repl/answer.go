package repl

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/check"
	"github.com/readership/readership/internal/rubric/explain"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/testblock"
)

// value answers an expression.
func (s *Session) value(file *source.File, e ast.Expr) Reply {
	p, a, diagnostics := s.ask(file, e)
	if p == nil {
		return s.failed(diagnostics, file)
	}
	return Reply{Text: s.warnings(diagnostics, file) + s.show(p, a)}
}

// steps lets happen what the lines of a test say, and then moves the session's
// now to the last of them.
func (s *Session) steps(file *source.File, steps []ast.Step) Reply {
	p, diagnostics := s.compile(story{file: file, steps: steps})
	if p == nil {
		return s.failed(diagnostics, file)
	}
	var b strings.Builder
	b.WriteString(s.warnings(diagnostics, file))
	failed := false
	made := p.Tests[0].Steps
	if d := s.early(file, &made[0]); d != nil {
		return s.failed([]source.Diagnostic{*d}, file)
	}
	for i := range made {
		step := &made[i]
		if s.rows += testblock.Rows(step); s.rows > testblock.MaxRows {
			return wrong("a reader has %d events and reads of a session at most: `:reader` begins anew", testblock.MaxRows)
		}
		s.now = step.At
		if step.Kind == plan.Expect {
			d, ok := s.world.Expect(p, step)
			if ok {
				b.WriteString("ok\n")
			} else {
				failed = true
				b.WriteString(source.Render([]source.Diagnostic{d}, append(files(s.trees), file)...))
			}
			continue
		}
		b.WriteString(s.happens(p, step))
		s.last = step.At
	}
	return Reply{Text: b.String(), Failed: failed}
}

// early says that a step is before those that have happened.
func (s *Session) early(file *source.File, step *plan.Step) *source.Diagnostic {
	if step.Kind == plan.Expect || step.At >= s.last {
		return nil
	}
	d := file.Diagnose(source.Error, step.Span, "order", "steps stand in order of time, this is before the last one", "`:reader` begins anew, `:at` asks about an earlier time")
	return &d
}

// happens lets a step happen and says what came of it.
func (s *Session) happens(p *plan.Program, step *plan.Step) string {
	if step.Kind != plan.Read {
		s.world.Step(p, step)
		return fmt.Sprintf("%s at %s\n", step.Kind, stamp(p, step.At))
	}
	var b strings.Builder
	for _, item := range step.Items { // each after what came of those before
		d := explain.Decide(s.world.View(p, step.At, item), step.Access, 0)
		one := *step
		one.Items = []string{item}
		s.world.Step(p, &one)
		fmt.Fprintf(&b, "%s: %s %s\n  %s\n", item, d.Decision, d.Clause, d.Sentence)
	}
	return b.String()
}

// setUp changes what a test would be given: the site, its items, the reader.
func (s *Session) setUp(file *source.File, setup []ast.Setup) Reply {
	attrs := s.attrs
	s.attrs = append(slices.Clip(s.attrs), attributes(setup)...)
	p, diagnostics := s.compile(story{file: file, setup: setup})
	if p == nil {
		s.attrs = attrs
		return s.failed(diagnostics, file)
	}
	was := s.schema
	t := p.Tests[0]
	said := s.warnings(diagnostics, file)
	for _, line := range setup {
		switch line.(type) {
		case *ast.SiteSetup:
			s.schema.Calendar.Zone, s.schema.Calendar.WeekStart, s.schema.Window = t.Site.Zone, t.Site.WeekStart, t.Site.Window
			if again, diagnostics := s.compile(story{file: file}); again == nil {
				s.schema = was
				return s.failed(diagnostics, file)
			}
		case *ast.ReaderSetup:
			s.world.SetReader(t.Reader)
		}
	}
	typed := t.Items[len(s.kept(setup)):] // behind those that the world has
	s.world.AddItems(typed)
	for _, i := range typed {
		if !slices.Contains(s.items, i.ID) {
			s.items = append(s.items, i.ID)
		}
	}
	return Reply{Text: said}
}

// define adds definitions to the program, in the place of those that have their
// names, and runs tests.
func (s *Session) define(ctx context.Context, file *source.File, decls []ast.Decl) Reply {
	var defined, tests []ast.Decl
	replaced := map[string]bool{}
	for _, d := range decls {
		switch d := d.(type) {
		case *ast.Use:
			return s.failed([]source.Diagnostic{file.Diagnose(source.Error, d.Span, "use", "a file is taken in by files of a program", "`:load FILE` reads a program")}, file)
		case *ast.Test:
			tests = append(tests, d)
		default:
			defined = append(defined, d)
			if name := declared(d); name != nil {
				replaced[name.Text] = true
			}
		}
	}
	before, wasMain := s.trees, s.main
	s.trees = s.without(replaced)
	p, diagnostics := s.compile(story{file: file, decls: defined})
	if p == nil {
		text := s.failed(diagnostics, file)
		s.trees, s.main = before, wasMain
		return text
	}
	out := Reply{Text: s.warnings(diagnostics, file)}
	if len(defined) > 0 {
		s.trees = append(s.trees, &ast.Program{File: file, Decls: defined})
	} else {
		s.trees = before
	}
	for _, d := range defined {
		out.Text += s.about(p, declared(d))
	}
	return s.run(ctx, file, tests, out)
}

// without returns the program's trees without the definitions of some names.
func (s *Session) without(replaced map[string]bool) (out []*ast.Program) {
	for i, t := range s.trees {
		t = only(t, func(d ast.Decl) bool {
			name := declared(d)
			return name == nil || !replaced[name.Text]
		})
		if i < s.main || t.Decls != nil {
			out = append(out, t)
		}
	}
	return out
}

// run runs tests that were typed, each in a world of its own.
func (s *Session) run(ctx context.Context, file *source.File, tests []ast.Decl, out Reply) Reply {
	if len(tests) == 0 {
		return out
	}
	trees := s.compose(s.trees, story{file: file})
	trees[1] = &ast.Program{File: file, Decls: tests} // in place of the session's own
	p := &rubric.Program{Trees: trees, Files: files(trees), Schema: s.schemaNow()}
	if p.Plan, p.Diagnostics = check.Program(trees, p.Schema); p.Plan == nil {
		return s.failed(p.Diagnostics, file)
	}
	results, err := testblock.Run(ctx, p)
	if err != nil {
		return wrong("%v", err)
	}
	for _, r := range results {
		word := "ok  "
		if !r.OK() {
			word, out.Failed = "FAIL", true
		}
		out.Text += fmt.Sprintf("%s  %s\n%s", word, r.Title, source.Render(r.Failures, p.Files...))
	}
	return out
}

// about says what a definition that was typed is, and what it comes to now.
func (s *Session) about(p *plan.Program, name *ast.Name) string {
	if m := p.Metric(name.Text); m != nil {
		return fmt.Sprintf("%s : metric\n  %s\n%s", m.Name, explain.OfMetric(p, m), costs(&m.Cost))
	}
	if a := p.Access(name.Text); a != nil {
		return fmt.Sprintf("%s : access\n%s%s", a.Name, indent(explain.OfAccess(p, a)), costs(&a.Cost))
	}
	if made, a, _ := s.ask(source.NewFile("input", name.Text), &ast.Ident{Name: name.Text}); made != nil {
		return name.Text + " = " + s.show(made, a)
	}
	return name.Text + " is defined\n" // a `let` with parameters, or for stages
}
