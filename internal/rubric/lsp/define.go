package lsp

import (
	"regexp"
	"slices"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/lexer"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

// target is what a name stands for: a definition, a parameter, an item of a test.
type target struct {
	unit    *unit
	program []*unit
	name    *ast.Name
	decl    ast.Decl // that gives the name, or in which it is given
	word    string   // let, segment, meter, access, metric, parameter, item
}

// mention is a name in a file, with what it stands for.
type mention struct {
	unit *unit
	span source.Span
	to   *target
}

// mentions returns every name of a program that stands for something defined in
// it, the definitions' own among them.
func mentions(p []*unit) []mention {
	global := map[string]*target{}
	var out []mention
	for _, u := range p {
		for _, d := range u.tree.Decls {
			n, word := definition(d)
			if n == nil || n.Text == "" {
				continue
			}
			t := &target{unit: u, program: p, name: n, decl: d, word: word}
			out = append(out, mention{u, n.Span, t})
			if word != "metric" && global[n.Text] == nil {
				global[n.Text] = t
			}
		}
	}
	for _, u := range p {
		for _, d := range u.tree.Decls {
			s := scope{unit: u, program: p, global: global, local: map[string]*target{}}
			s.declare(d)
			ast.Walk(d, s.visit)
			out = append(out, s.out...)
		}
	}
	return out
}

// scope is what names mean in one declaration.
type scope struct {
	unit          *unit
	program       []*unit
	global, local map[string]*target
	out           []mention
}

// declare enters the parameters of a function and the items of a test.
func (s *scope) declare(d ast.Decl) {
	add := func(n *ast.Name, word string) {
		if n == nil || n.Text == "" {
			return
		}
		t := s.local[n.Text]
		if t == nil {
			t = &target{unit: s.unit, program: s.program, name: n, decl: d, word: word}
			s.local[n.Text] = t
		}
		s.out = append(s.out, mention{s.unit, n.Span, t})
	}
	switch d := d.(type) {
	case *ast.Let:
		for _, n := range d.Params {
			add(n, "parameter")
		}
	case *ast.Test:
		for _, setup := range d.Setup {
			if i, ok := setup.(*ast.ItemSetup); ok {
				add(i.First, "item")
				add(i.Last, "item")
			}
		}
	}
}

func (s *scope) use(name string, at source.Span, found *target) {
	if found != nil && name != "" {
		s.out = append(s.out, mention{s.unit, at, found})
	}
}

// find returns what a name stands for, nil if nothing defines it.
func (s *scope) find(name string) *target {
	if t := s.local[name]; t != nil {
		return t
	}
	return s.global[name]
}

func (s *scope) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.Ident:
		s.use(n.Name, n.Span, s.find(n.Name))
	case *ast.Apply:
		s.use(n.Fun.Text, n.Fun.Span, s.global[n.Fun.Text])
		s.named(n.Fun.Text, n.Args)
	case *ast.Clause:
		if n.Burns != nil {
			s.use(n.Burns.Text, n.Burns.Span, s.global[n.Burns.Text])
		}
	case *ast.ReadStep:
		for _, i := range n.Items {
			s.use(i.Text, i.Span, s.local[i.Text])
		}
		if n.Through != nil {
			s.use(n.Through.Text, n.Through.Span, s.global[n.Through.Text])
		}
	case *ast.Call:
		if fun, ok := n.Fun.(*ast.Ident); ok {
			s.named(fun.Name, n.Args)
		}
	case *ast.Option: // its value may be a word: `merge: union`
		if _, word := n.Value.(*ast.Ident); word && n.Name.Text != "limit" {
			return false
		}
	}
	return true
}

// named enters arguments that name the parameter they are for.
func (s *scope) named(fun string, args []*ast.Arg) {
	of := s.global[fun]
	if of == nil {
		return
	}
	l, ok := of.decl.(*ast.Let)
	if !ok {
		return
	}
	for _, a := range args {
		if a.Name == nil {
			continue
		}
		if i := slices.IndexFunc(l.Params, func(p *ast.Name) bool { return p.Text == a.Name.Text }); i >= 0 {
			s.use(a.Name.Text, a.Name.Span, &target{unit: of.unit, program: of.program, name: l.Params[i], decl: l, word: "parameter"})
		}
	}
}

// target returns what the name at a span of a document stands for.
func (w *Workspace) target(at *place, span source.Span) *target {
	for _, p := range at.programs {
		for _, m := range mentions(p) {
			if m.unit == at.unit && m.span == span {
				return m.to
			}
		}
	}
	return nil
}

// Definition returns where the name at a place is defined, or the file that a
// `use` takes in; nil if it is nowhere.
func (w *Workspace) Definition(uri string, p Position) *Location {
	at := w.at(uri, p)
	if at == nil || len(at.file.Text) > source.MaxBytes {
		return nil
	}
	t, ok := tokenAt(at.file, at.offset)
	if !ok {
		return nil
	}
	if t.Kind == token.Text {
		for _, d := range at.tree.Decls {
			if use, ok := d.(*ast.Use); ok && use.File != nil && use.File.Span == t.Span {
				return w.file(at, name(use.File.Value))
			}
		}
		return nil
	}
	d := w.target(at, t.Span)
	if d == nil {
		return nil
	}
	return &Location{URI: d.unit.uri, Range: NewText(d.unit.file.Text, w.Unit).Range(d.name.Start, d.name.End)}
}

// file returns the beginning of another file of the document's programs.
func (w *Workspace) file(at *place, file string) *Location {
	for _, p := range at.programs {
		for _, u := range p {
			if name(u.file.Name) == file {
				return &Location{URI: u.uri}
			}
		}
	}
	return nil
}

// References returns where the name at a place stands, its definition among them
// if asked for.
func (w *Workspace) References(uri string, p Position, definition bool) []Location {
	out := []Location{}
	_, all := w.everywhere(uri, p)
	for _, m := range all {
		if definition || m.unit != m.to.unit || m.span != m.to.name.Span {
			l := Location{URI: m.unit.uri, Range: NewText(m.unit.file.Text, w.Unit).Range(m.span.Start, m.span.End)}
			if !slices.Contains(out, l) {
				out = append(out, l)
			}
		}
	}
	return out
}

// everywhere returns the token at a place and each mention, in each program of
// the document, of what its name stands for.
func (w *Workspace) everywhere(uri string, p Position) (token.Token, []mention) {
	at := w.at(uri, p)
	if at == nil || len(at.file.Text) > source.MaxBytes {
		return token.Token{}, nil
	}
	t, ok := tokenAt(at.file, at.offset)
	if !ok || t.Kind != token.Name {
		return t, nil
	}
	found := w.target(at, t.Span)
	if found == nil {
		return t, nil
	}
	var out []mention
	for _, program := range programs(w.folder(uri, at.file.Text), name(found.unit.file.Name)) {
		for _, m := range mentions(program) {
			if m.to.unit.uri == found.unit.uri && m.to.name.Span == found.name.Span {
				out = append(out, m)
			}
		}
	}
	return t, out
}

var goodName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Rename gives what a name stands for another one, in all files that name it.
// The error is for people: it says why that cannot be.
func (w *Workspace) Rename(uri string, p Position, to string) (*WorkspaceEdit, error) {
	_, all := w.everywhere(uri, p)
	switch {
	case len(all) == 0:
		return nil, RenameError("only what the program defines can be renamed")
	case !goodName.MatchString(to) || len(to) > lexer.MaxName:
		return nil, RenameError("a name begins with a small letter, consists of a to z, 0 to 9 and _, and has at most 64 characters")
	case token.Lookup(to) != token.Name || slices.Contains([]string{"item", "reader", "request", "bot", "properties"}, to):
		return nil, RenameError("`" + to + "` has a meaning of its own")
	case all[0].to.ranged():
		return nil, RenameError("items that were written as a range are renamed by hand")
	}
	for _, m := range mentions(all[0].to.program) {
		if m.to.name.Text == to && (m.to.word != "metric") == (all[0].to.word != "metric") {
			return nil, RenameError("there is a " + m.to.word + " `" + to + "` already")
		}
	}
	edit := &WorkspaceEdit{Changes: map[string][]TextEdit{}}
	for _, m := range all {
		e := TextEdit{Range: NewText(m.unit.file.Text, w.Unit).Range(m.span.Start, m.span.End), NewText: to}
		if !slices.Contains(edit.Changes[m.unit.uri], e) {
			edit.Changes[m.unit.uri] = append(edit.Changes[m.unit.uri], e)
		}
	}
	return edit, nil
}

// ranged tells whether an item was named by `a1..a6`.
func (t *target) ranged() bool {
	test, ok := t.decl.(*ast.Test)
	if !ok {
		return false
	}
	return slices.ContainsFunc(test.Setup, func(s ast.Setup) bool {
		i, ok := s.(*ast.ItemSetup)
		return ok && i.Last != nil && (i.First == t.name || i.Last == t.name)
	})
}

// RenameError says why something cannot be renamed.
type RenameError string

// Error implements error.
func (e RenameError) Error() string { return string(e) }
