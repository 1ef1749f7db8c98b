// Package ast is the syntax tree of Rubric.
//
// A Program is a list of declarations (Decl); these hold expressions (Expr);
// a pipeline (Pipe) holds stages (Stage); tests hold lines (Setup, Step). Each
// node embeds its source.Span, each name in it is a Name with a span of its
// own. Brackets leave no node: the shape of the tree says them.
//
// Lists and pointers are nil where nothing is written. In a tree whose parse
// gave an error, an expression may be a *Bad and a Name may be empty; in one
// without errors neither occurs. Trees do not change once they are parsed.
package ast

import "github.com/readership/readership/internal/rubric/source"

// Node is anything in the tree.
type Node interface {
	// Range returns the node's place, without brackets around it.
	Range() source.Span
}

// Program is one file.
type Program struct {
	source.Span
	Version *Version `json:"version,omitempty"`
	Decls   []Decl   `json:"declarations"`

	Comments []Comment    `json:"comments,omitempty"`
	File     *source.File `json:"-"`
}

// Version is the header `rubric 1`.
type Version struct {
	source.Span
	Number int64 `json:"number"`
}

// Comment is one `--` to the end of its line.
type Comment struct {
	source.Span
	Text string `json:"text"` // from `--` on

	// Own tells that nothing else stands on its line.
	Own bool `json:"own_line"`
}

// Name is an identifier where it is defined, or where it cannot be an
// expression: a field, an option, a clause.
type Name struct {
	source.Span
	Text string `json:"text"`
}
