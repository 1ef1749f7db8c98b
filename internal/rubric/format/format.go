// Package format writes programs in their one canonical layout.
//
// A declaration stands on one line where it fits into 130 columns; a longer one
// is broken before its stages, operators and branches. Neighbouring lets,
// segments and metrics have their `=` below each other, clauses their names,
// conditions and what follows. One blank line between declarations stays, blocks
// always have one. Comments keep their place. Formatting what is formatted
// changes nothing, and what is formatted has the same tree.
package format

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/source"
)

// Source formats a file. With an error in it, the text is "" and the
// diagnostics say why.
func Source(f *source.File) (string, []source.Diagnostic) {
	program, diagnostics := parse.File(f)
	if source.HasErrors(diagnostics) {
		return "", diagnostics
	}
	return Program(program), diagnostics
}

// Program formats a tree without gaps: one that was parsed without an error, or
// one made by hand, whose spans may be zero.
func Program(program *ast.Program) string {
	p := &printer{file: program.File, comments: program.Comments}
	var nodes []ast.Node
	if program.Version != nil {
		nodes = append(nodes, program.Version)
	}
	for _, d := range program.Decls {
		nodes = append(nodes, d)
	}
	_, items := flow(p, nodes, program.End, p.declaration)
	separate(items)
	align(items)
	l := &layout{}
	for i, it := range items {
		if i > 0 && it.blank {
			l.line(0)
		}
		it.write(l, 0)
		l.line(0)
	}
	return l.b.String()
}

// printer turns nodes into docs, in the order of the program, and takes
// comments along.
type printer struct {
	file     *source.File // nil for a tree made by hand
	comments []ast.Comment
	taken    int // of comments
}

// pending returns the comments not taken yet that begin before offset.
func (p *printer) pending(offset int) []ast.Comment {
	n := p.taken
	for n < len(p.comments) && p.comments[n].Start < offset {
		n++
	}
	return p.comments[p.taken:n]
}

// brk is a place where a line may end, before what begins at offset. Comments
// that stand before it end the line.
func (p *printer) brk(d doc, offset int) doc {
	pending := p.pending(offset)
	if len(pending) == 0 {
		return d
	}
	p.taken += len(pending)
	var out seq
	for i, c := range pending {
		switch {
		case i > 0:
		case c.Own:
			out = append(out, hard{})
		default:
			out = append(out, "  ")
		}
		out = append(out, c.Text, hard{})
	}
	return out
}

// lines returns how many lines b begins after a ends: 0 on the same one.
func (p *printer) lines(a, b int) int {
	if p.file == nil {
		return 0
	}
	return p.file.Position(b).Line - p.file.Position(a).Line
}
