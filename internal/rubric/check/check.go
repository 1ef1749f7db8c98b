// Package check turns the syntax trees of a program into its plan, or says what
// is wrong with it.
//
// It knows what every name means where it stands, types, units, what may be
// missing, and the bounds of windows; it puts each `let` in the place where it is
// used. All errors are found at once. What is wrong is silent further up: an
// expression with an error in it has no type that could be wrong as well.
//
// The types of properties, attributes and traits follow from their use. Each has
// a variable; a use that needs a type sets it. As a use may stand before the one
// that says most, a program is gone through again until nothing is learned
// (twice, as a rule); what the last pass says is said.
//
// Rules: docs/rubric/.
package check

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
)

// Bounds of the work on one program.
const (
	maxPasses = 5
	maxSteps  = 300_000 // expressions in the bodies of lets looked at in one pass
	maxDepth  = 5000    // expressions and definitions within each other
	maxErrors = 10 * source.MaxDiagnostics

	maxElements = 1000 // of a list
	maxPatterns = 500  // of a program, different ones
	maxTests    = 1000 // of a program
)

// Program checks a program for a site. The first tree is that of the main file;
// those that it takes in with `use` are among the others. The plan is nil if one
// of the diagnostics, which are sorted and capped, is an error, or if a tree has
// gaps where the parser has found one. Trees and schema are not changed.
func Program(trees []*ast.Program, s *schema.Schema) (*plan.Program, []source.Diagnostic) {
	return run(trees, s, noTest, nil)
}

// Test checks a program for the site of the n-th of its tests, counted from 0 in
// the order of Program.Tests, and returns a plan of which that test, now with its
// steps, is the only one. It is meant for programs that Program has accepted.
func Test(trees []*ast.Program, s *schema.Schema, n int) (*plan.Program, []source.Diagnostic) {
	return run(trees, s, n, nil)
}

// noTest is in place of a test's number where a plan is made for the site.
const noTest = -1

func run(trees []*ast.Program, s *schema.Schema, test int, look *probe) (*plan.Program, []source.Diagnostic) {
	variables := map[dataName]*variable{}
	for pass := 1; ; pass++ {
		look.reset()
		c := newChecker(trees, s, test, variables)
		c.look = look
		c.frozen = pass == maxPasses
		c.program()
		if c.learned && !c.frozen && !c.spent {
			continue
		}
		if c.failed || c.gaps {
			return nil, source.Sorted(c.diagnostics)
		}
		return c.plan, source.Sorted(c.diagnostics)
	}
}

// checker is one pass over a program.
type checker struct {
	schema *schema.Schema
	limits schema.Limits
	test   int // the test that the plan is for, or noTest
	files  []*source.File
	trees  []*ast.Program // that the program consists of, by the number of their file
	b      *plan.Builder
	look   *probe
	plan   *plan.Program

	names    map[string]*definition // of lets, segments, meters and access blocks
	metrics  map[string]*definition
	declared []*definition // in the order written

	declaredBy map[string][]string // names of c.names by the word that declares them

	variables map[dataName]*variable
	learned   bool // a variable has got its type in this pass
	frozen    bool // no variable may get one any more

	longest  span            // the longest window over events
	attrs    map[string]bool // attributes that some item has
	patterns map[string]*regexp.Regexp
	steps    int
	depth    int
	path     []*definition // those that are being checked, the outermost first
	spent    bool          // the budget of steps; said once
	failed   bool          // an error was reported
	gaps     bool          // the parser has left gaps
	said     map[string]bool

	diagnostics []source.Diagnostic
}

// span is a time that something needs, and the place that says so.
type span struct {
	ms int64
	at plan.Place
}

func newChecker(trees []*ast.Program, s *schema.Schema, test int, variables map[dataName]*variable) *checker {
	c := &checker{schema: s, limits: s.Limits.WithDefaults(), test: test, variables: variables,
		names: map[string]*definition{}, declaredBy: map[string][]string{}, metrics: map[string]*definition{}, attrs: map[string]bool{}, patterns: map[string]*regexp.Regexp{}, said: map[string]bool{}}
	c.takeIn(trees)
	for _, name := range s.Attributes {
		c.attrs[name] = true
	}
	c.b = plan.NewBuilder(c.files, s.Calendar, s.Window)
	return c
}

// program checks everything. Definitions that others refer to are checked when
// they are first referred to.
func (c *checker) program() {
	c.declare()
	tests := c.tests()
	for _, d := range c.declared {
		c.resolve(d)
	}
	c.checkTests(tests)
	c.checkUnused()
	c.unknownData()
	if c.failed || c.gaps {
		return
	}
	c.b.Names(c.typed(ofProperty), c.typed(ofAttribute), c.typed(ofTrait))
	c.plan = c.b.Program()
	c.cost()
}

// at returns the place of a node.
func (en *env) at(n ast.Node) plan.Place { return plan.Place{File: en.file, Span: n.Range()} }

// errorAt reports an error.
func (c *checker) errorAt(at plan.Place, code, hint, format string, args ...any) *source.Diagnostic {
	return c.report(source.Error, at, code, hint, format, args...)
}

// warnAt reports a warning.
func (c *checker) warnAt(at plan.Place, code, hint, format string, args ...any) *source.Diagnostic {
	return c.report(source.Warning, at, code, hint, format, args...)
}

// report adds a diagnostic, once for a place and message, and returns it so that
// related places can be added; they are lost if it was there before.
func (c *checker) report(severity source.Severity, at plan.Place, code, hint, format string, args ...any) *source.Diagnostic {
	if severity == source.Error {
		c.failed = true
	}
	d := c.files[at.File].Diagnose(severity, at.Span, code, fmt.Sprintf(format, args...), hint)
	key := fmt.Sprint(at, d.Message)
	if c.said[key] || len(c.diagnostics) >= maxErrors {
		return &d
	}
	c.said[key] = true
	c.diagnostics = append(c.diagnostics, d)
	return &c.diagnostics[len(c.diagnostics)-1]
}

// relate adds a place that explains a diagnostic.
func (c *checker) relate(d *source.Diagnostic, at plan.Place, format string, args ...any) {
	const most = 4
	r := c.files[at.File].Relate(at.Span, fmt.Sprintf(format, args...))
	if len(d.Related) < most && !slices.Contains(d.Related, r) {
		d.Related = append(d.Related, r)
	}
}

// fail reports an error in an expression. Within a `let` it points at its use
// too.
func (c *checker) fail(en *env, n ast.Node, code, hint, format string, args ...any) result {
	return c.failAt(en, en.at(n), code, hint, format, args...)
}

func (c *checker) failAt(en *env, at plan.Place, code, hint, format string, args ...any) result {
	c.errorIn(en, at, code, hint, format, args...)
	return result{}
}

// errorIn is failAt that returns the diagnostic.
func (c *checker) errorIn(en *env, at plan.Place, code, hint, format string, args ...any) *source.Diagnostic {
	d := c.errorAt(at, code, hint, format, args...)
	for u := en.use; u != nil; u = u.from {
		c.relate(d, u.at, "`%s` is used here", u.def.name.Text)
	}
	return d
}

// warn is fail for what is no error.
func (c *checker) warn(en *env, n ast.Node, code, hint, format string, args ...any) {
	d := c.warnAt(en.at(n), code, hint, format, args...)
	for u := en.use; u != nil; u = u.from {
		c.relate(d, u.at, "`%s` is used here", u.def.name.Text)
	}
}
