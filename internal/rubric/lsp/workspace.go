// Package lsp answers what an editor asks about programs: what is wrong, what
// could be written at a place, what a name means, where it is defined. It is
// pure: texts and positions in, answers out. Package lsp/langserver speaks the
// protocol over it.
//
// A Workspace holds the open documents. Those of one folder belong together: a
// program begins with a file that no other takes in, and consists of what it
// takes in with `use`. A file that several programs take in is checked in each.
//
// For what could be written, a word that no program has is put in the place and
// the checker, which goes through programs with errors too, is asked what it
// knows there; words of the language are those that the parser takes there.
package lsp

import (
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
)

// Files reads what is not open in the editor. Paths have slashes.
type Files interface {
	// Read returns the text of a file; ok is false if there is none.
	Read(path string) (text string, ok bool)
	// Folder returns the paths of the programs in a folder.
	Folder(path string) []string
}

// Workspace is what an editor has open. It is not safe for concurrent use, but
// for Snapshot's results.
type Workspace struct {
	Unit   Encoding
	Schema *schema.Schema
	// Values are what names have been seen with, the commonest first: of
	// "device_class", "item.section", "properties.goal" and the like, and of
	// "reader.entitled" the entitlements.
	Values map[string][]string
	files  Files
	open   map[string]Document // by URI
}

// Document is an open document.
type Document struct {
	URI     string
	Version int32
	Text    string
}

// New returns an empty workspace. Files may be nil: there are open documents
// only.
func New(s *schema.Schema, files Files) *Workspace {
	return &Workspace{Unit: UTF16, Schema: s, files: files, open: map[string]Document{}}
}

// Open takes in a document, or another version of it.
func (w *Workspace) Open(d Document) { w.open[d.URI] = d }

// Change applies changes to an open document; ok is false if it is not open.
func (w *Workspace) Change(uri string, version int32, changes []Change) (ok bool) {
	d, ok := w.open[uri]
	if !ok {
		return false
	}
	d.Version, d.Text = version, Apply(d.Text, changes, w.Unit)
	w.open[uri] = d
	return true
}

// Close forgets a document: what is on disk counts again.
func (w *Workspace) Close(uri string) { delete(w.open, uri) }

// Document returns an open document.
func (w *Workspace) Document(uri string) (Document, bool) {
	d, ok := w.open[uri]
	return d, ok
}

// Documents are the open documents in order of their URIs.
func (w *Workspace) Documents() []Document {
	return slices.SortedFunc(maps.Values(w.open), func(a, b Document) int { return strings.Compare(a.URI, b.URI) })
}

// Snapshot returns a workspace as this one is now, which may be asked while this
// one changes.
func (w *Workspace) Snapshot() *Workspace {
	out := *w
	out.open = maps.Clone(w.open)
	return &out
}

const ending = ".rubric"

// pathOf returns the path of a URI of a file, "" for another.
func pathOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" || u.Path == "" {
		return ""
	}
	return path.Clean(u.Path)
}

// uriOf returns the URI of a path.
func uriOf(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

// name is how files of a program name each other: without folder and ending.
func name(file string) string { return strings.TrimSuffix(path.Base(file), ending) }

// unit is one file that a document may belong with.
type unit struct {
	uri  string
	file *source.File
	tree *ast.Program
	uses []string
}

func newUnit(uri, file, text string) *unit {
	u := &unit{uri: uri, file: source.NewFile(file, text)}
	u.tree, _ = parse.File(u.file)
	for _, d := range u.tree.Decls {
		if use, ok := d.(*ast.Use); ok && use.File != nil {
			u.uses = append(u.uses, name(use.File.Value))
		}
	}
	return u
}

// Bounds of a folder.
const (
	maxFiles  = 64
	maxFolder = 2 << 20 // bytes
)

// folder returns the files that a document lies beside, by name, itself among
// them; text is its own.
func (w *Workspace) folder(uri, text string) map[string]*unit {
	own := pathOf(uri)
	if own == "" {
		return map[string]*unit{name(uri): newUnit(uri, name(uri)+ending, text)}
	}
	texts := map[string]string{}
	uris := map[string]string{}
	if w.files != nil {
		for _, p := range w.files.Folder(path.Dir(own)) {
			if t, ok := w.files.Read(p); ok && len(texts) < maxFiles {
				texts[p], uris[p] = t, uriOf(p)
			}
		}
	}
	for _, d := range w.open {
		if p := pathOf(d.URI); p != "" && path.Dir(p) == path.Dir(own) {
			texts[p], uris[p] = d.Text, d.URI
		}
	}
	texts[own], uris[own] = text, uri
	out := map[string]*unit{}
	size := 0
	for _, p := range slices.Sorted(maps.Keys(texts)) {
		if size += len(texts[p]); size <= maxFolder || p == own {
			out[name(p)] = newUnit(uris[p], path.Base(p), texts[p])
		}
	}
	out[name(own)] = newUnit(uri, path.Base(own), text)
	return out
}

// programs returns the programs that a document belongs to, each with the file
// that it begins with first.
func programs(units map[string]*unit, of string) [][]*unit {
	used := map[string]bool{}
	for from, u := range units {
		for _, name := range u.uses {
			used[name] = used[name] || name != from
		}
	}
	var out [][]*unit
	for _, root := range slices.Sorted(maps.Keys(units)) {
		if used[root] {
			continue
		}
		if p := reach(units, root); slices.Contains(p, units[of]) {
			out = append(out, p)
		}
	}
	if out == nil { // a circle
		out = append(out, reach(units, of))
	}
	return out
}

// reach returns a file and those that it takes in.
func reach(units map[string]*unit, root string) []*unit {
	var out []*unit
	var add func(name string)
	add = func(name string) {
		u := units[name]
		if u == nil || slices.Contains(out, u) {
			return
		}
		out = append(out, u)
		for _, use := range u.uses {
			add(use)
		}
	}
	add(root)
	return out
}

// check checks a program.
func (w *Workspace) check(p []*unit) *rubric.Program {
	files := make([]*source.File, len(p))
	for i, u := range p {
		files[i] = u.file
	}
	return rubric.Check(files, w.Schema)
}

func trees(p []*unit) []*ast.Program {
	out := make([]*ast.Program, len(p))
	for i, u := range p {
		out[i] = u.tree
	}
	return out
}

// place is an open document with the programs that it belongs to.
type place struct {
	*unit
	text     *Text
	offset   int
	programs [][]*unit
}

// at returns a place of an open document; nil if it is not open.
func (w *Workspace) at(uri string, p Position) *place {
	d, ok := w.open[uri]
	if !ok {
		return nil
	}
	text := NewText(d.Text, w.Unit)
	out := w.with(uri, d.Text)
	out.text, out.offset = text, text.Offset(p)
	return out
}

// with returns a document as if it had another text.
func (w *Workspace) with(uri, text string) *place {
	units := w.folder(uri, text)
	of := name(uri)
	if p := pathOf(uri); p != "" {
		of = name(p)
	}
	return &place{unit: units[of], programs: programs(units, of)}
}
