// Package rubric is the language in which a publisher says who belongs to which
// segment, what each reader may read and what is measured. It is a facade over
// its phases: parse and check give a Program, whose Plan the evaluators run.
//
//	source ─ lexer ─ parse ─► ast ─ check ─► plan ─► fold, incremental
//	                           └─ format
package rubric

import (
	"maps"
	"slices"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/check"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
)

// Main is the name of the file that a program begins with.
const Main = "main"

// Program is the text of a program, checked for a site.
type Program struct {
	Files       []*source.File // the main one first
	Trees       []*ast.Program // of the files
	Schema      *schema.Schema
	Plan        *plan.Program // nil if a diagnostic is an error
	Diagnostics []source.Diagnostic
}

// Check reads and checks a program of one file or several. The first is the one
// that it begins with; `use` names the others.
func Check(files []*source.File, s *schema.Schema) *Program {
	p := &Program{Files: files, Schema: s}
	for _, f := range files {
		tree, diagnostics := parse.File(f)
		p.Trees = append(p.Trees, tree)
		p.Diagnostics = append(p.Diagnostics, diagnostics...)
	}
	var more []source.Diagnostic
	p.Plan, more = check.Program(p.Trees, s)
	p.Diagnostics = source.Sorted(append(p.Diagnostics, more...))
	if source.HasErrors(p.Diagnostics) {
		p.Plan = nil
	}
	return p
}

// CheckText is Check of texts by the names of their files. The program begins
// with the file Main, or with the only one; it is an error if there is neither.
func CheckText(texts map[string]string, s *schema.Schema) *Program {
	var files []*source.File
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		f := source.NewFile(name, texts[name])
		if name == Main {
			files = slices.Insert(files, 0, f)
		} else {
			files = append(files, f)
		}
	}
	if len(files) != 1 && (len(files) == 0 || files[0].Name != Main) {
		nowhere := source.NewFile(Main, "")
		d := nowhere.Diagnose(source.Error, source.Span{}, "unknown_file", "a program begins with its file `"+Main+"`, there is none", "")
		return &Program{Files: files, Schema: s, Diagnostics: []source.Diagnostic{d}}
	}
	return Check(files, s)
}

// OK tells whether the program has no error.
func (p *Program) OK() bool { return p.Plan != nil }

// Test returns the plan of a program that is OK for the site of its n-th test,
// which is the plan's only test and has its steps.
func (p *Program) Test(n int) (*plan.Program, []source.Diagnostic) {
	t := p.Plan.Tests[n]
	s := *p.Schema
	s.Calendar.Zone, s.Calendar.WeekStart, s.Window = t.Site.Zone, t.Site.WeekStart, t.Site.Window
	return check.Test(p.Trees, &s, n)
}

// Render shows the diagnostics with the lines they speak of.
func (p *Program) Render() string { return source.Render(p.Diagnostics, p.Files...) }
