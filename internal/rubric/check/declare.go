package check

import (
	"path"
	"slices"
	"strings"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
)

// definition is one declaration with a name.
type definition struct {
	decl   ast.Decl
	name   *ast.Name
	word   string // that declares it
	file   int
	index  int                  // of a segment, meter or access block: in the plan
	state  state                // of all but lets
	bodies map[position]*inside // of a let without parameters
	calls  map[string]*inside   // of a let with parameters
	used   bool

	access *plan.Access // of an access block, once it is checked
}

type state uint8

const (
	unchecked state = iota
	checking
	good
	wrong
)

// at returns where a definition has its name.
func (d *definition) at() plan.Place { return plan.Place{File: d.file, Span: d.name.Span} }

// takeIn lists the files that the program consists of: the first and those that
// it takes in.
func (c *checker) takeIn(trees []*ast.Program) {
	byName := map[string]*ast.Program{}
	for _, t := range trees {
		byName[fileName(t.File.Name)] = t
	}
	number := map[*ast.Program]int{}
	var open []*ast.Program
	var add func(t *ast.Program)
	add = func(t *ast.Program) {
		file := len(c.trees)
		number[t] = file
		c.trees, c.files = append(c.trees, t), append(c.files, t.File)
		open = append(open, t)
		for _, d := range t.Decls {
			u, ok := d.(*ast.Use)
			if !ok || u.File == nil {
				c.gaps = c.gaps || ok
				continue
			}
			at := plan.Place{File: file, Span: u.File.Span}
			used := byName[fileName(u.File.Value)]
			switch _, known := number[used]; {
			case used == nil:
				c.errorAt(at, "unknown_file", c.near(u.File.Value, these(sorted(byName))), "the program has no file `%s`", u.File.Value)
			case slices.Contains(open, used):
				c.errorAt(at, "circle", "put what both need into a third file", "`%s` takes in itself: %s", fileName(t.File.Name), circle(open, used))
			case !known:
				add(used)
			}
		}
		open = open[:len(open)-1]
	}
	add(trees[0])
	for _, t := range trees[1:] {
		if _, used := number[t]; !used {
			c.files = append(c.files, t.File)
			at := plan.Place{File: len(c.files) - 1}
			c.warnAt(at, "unused_file", "take it in with `use \""+fileName(t.File.Name)+"\"`", "no file takes in `%s`: it is no part of the program", fileName(t.File.Name))
		}
	}
}

// fileName is a file's name in the program: without folder and ending.
func fileName(name string) string { return strings.TrimSuffix(path.Base(name), ".rubric") }

// circle names the files from one that is open to itself.
func circle(open []*ast.Program, to *ast.Program) string {
	var names []string
	for _, t := range open[slices.Index(open, to):] {
		names = append(names, fileName(t.File.Name))
	}
	return strings.Join(append(names, fileName(to.File.Name)), " → ")
}

// declare collects the names of all definitions.
func (c *checker) declare() {
	for file, t := range c.trees {
		for _, decl := range t.Decls {
			if d := declared(decl); d != nil {
				d.file = file
				c.add(d)
			}
			if s, ok := decl.(*ast.Strategy); ok {
				at := plan.Place{File: file, Span: s.Name.Span}
				c.errorAt(at, "no_strategies", "take it out", "strategies are not part of this version of Readership")
			}
		}
	}
	c.few()
}

// few makes sure that there are not too many definitions beside lets.
func (c *checker) few() {
	var n int64
	for _, d := range c.declared {
		if d.word == "let" {
			continue
		}
		if n++; n > c.limits.Definitions {
			c.errorAt(d.at(), "too_many", "", "a program has at most %d segments, meters, access blocks and metrics", c.limits.Definitions)
			return
		}
	}
}

// declared returns a definition of what has a name and a meaning.
func declared(decl ast.Decl) *definition {
	switch d := decl.(type) {
	case *ast.Let:
		return &definition{decl: d, name: d.Name, word: "let", bodies: map[position]*inside{}, calls: map[string]*inside{}}
	case *ast.Segment:
		return &definition{decl: d, name: d.Name, word: "segment"}
	case *ast.Meter:
		return &definition{decl: d, name: d.Name, word: "meter"}
	case *ast.Access:
		return &definition{decl: d, name: d.Name, word: "access"}
	case *ast.Metric:
		return &definition{decl: d, name: d.Name, word: "metric"}
	default:
		return nil
	}
}

// add enters a definition under its name.
func (c *checker) add(d *definition) {
	c.declared = append(c.declared, d)
	name := d.name.Text
	if name == "" {
		c.gaps = true
		return
	}
	c.ownName(d)
	names := c.names
	if d.word == "metric" {
		names = c.metrics
	}
	if first := names[name]; first != nil {
		err := c.errorAt(d.at(), "repeated_name", "", "there is a %s `%s` already", first.word, name)
		c.relate(err, first.at(), "the first `%s`", name)
		return
	}
	names[name] = d
	c.declaredBy[d.word] = append(c.declaredBy[d.word], name)
}

// roots are the names that fields of what is given are reached by.
var roots = []string{"item", "reader", "request", "bot", "properties"}

// ownName reports a name that has a meaning already where the definition could
// be used.
func (c *checker) ownName(d *definition) {
	name := d.name.Text
	if d.word == "metric" {
		return
	}
	if slices.Contains(roots, name) {
		c.errorAt(d.at(), "taken_name", "such as `"+name+"_1`", "`%s` has a meaning of its own", name)
		return
	}
	l, ok := d.decl.(*ast.Let)
	if !ok {
		return
	}
	if _, isFunction := functions[name]; isFunction && l.Params != nil {
		c.errorAt(d.at(), "taken_name", "such as `"+name+"_1`", "there is a function `%s` already", name)
	}
	c.parameters(l, d.file)
}

// parameters reports those of one name.
func (c *checker) parameters(l *ast.Let, file int) {
	for i, p := range l.Params {
		if p.Text == "" {
			c.gaps = true
		} else if slices.ContainsFunc(l.Params[:i], func(q *ast.Name) bool { return q.Text == p.Text }) {
			c.errorAt(plan.Place{File: file, Span: p.Span}, "repeated_name", "", "there is a parameter `%s` already", p.Text)
		}
	}
}

// resolve checks a definition unless that has been done. It returns false if it
// has an error, which has been reported.
func (c *checker) resolve(d *definition) bool {
	if d.state == good || d.state == wrong {
		return d.state == good
	}
	d.state = checking
	c.path = append(c.path, d)
	defer func() { c.path = c.path[:len(c.path)-1] }()
	ok := true
	switch decl := d.decl.(type) {
	case *ast.Segment:
		ok = c.segment(d, decl)
	case *ast.Meter:
		ok = c.meter(d, decl)
	case *ast.Access:
		ok = c.access(d, decl)
	case *ast.Metric:
		ok = c.metric(d, decl)
	}
	d.state = wrong
	if ok {
		d.state = good
	}
	return ok
}

// checkUnused looks for errors in lets that nobody uses, as far as they can be
// told without knowing where they would be used. It is the last thing done: what
// it builds is thrown away.
func (c *checker) checkUnused() {
	b := c.b
	defer func() { c.b = b }()
	c.b = c.scratch()
	for _, d := range c.declared {
		l, ok := d.decl.(*ast.Let)
		if !ok || d.used {
			continue
		}
		en := &env{position: position{place: anywhere}, file: d.file}
		if l.Params == nil {
			c.body(d, en)
			continue
		}
		en.locals = map[string]*argument{}
		for _, p := range l.Params {
			en.locals[p.Text] = &argument{env: en}
		}
		c.eval(en, l.Body)
	}
}
