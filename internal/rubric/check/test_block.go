package check

import (
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
)

// testBlock is a test of the program with the site that it sets up.
type testBlock struct {
	decl *ast.Test
	file int
	site plan.TestSite
}

// tests finds the tests, and the attributes that their items have.
func (c *checker) tests() []*testBlock {
	var out []*testBlock
	for file, tree := range c.trees {
		for _, decl := range tree.Decls {
			t, ok := decl.(*ast.Test)
			if !ok {
				continue
			}
			out = append(out, &testBlock{decl: t, file: file})
			if len(out) > maxTests {
				c.errorAt(plan.Place{File: file, Span: t.Span}, "too_many", "", "a program has at most %d tests", maxTests)
				return out[:maxTests]
			}
			for _, s := range t.Setup {
				if i, ok := s.(*ast.ItemSetup); ok {
					c.attributesOf(i)
				}
			}
		}
	}
	return out
}

// scratch returns a builder for what is checked and not kept.
func (c *checker) scratch() *plan.Builder {
	return plan.NewBuilder(c.files, c.b.Calendar(), c.schema.Window)
}

// checkTests checks the tests. The plan of a site has them without their steps,
// the plan of a test has that one only.
func (c *checker) checkTests(tests []*testBlock) {
	b := c.b
	scratch := c.scratch()
	for n, t := range tests {
		if c.test != noTest && c.test != n {
			continue
		}
		c.b = scratch
		if c.test == n {
			c.b = b
		}
		made := c.testOf(t)
		c.b = b
		if made == nil {
			continue
		}
		if c.test == noTest {
			made = &plan.Test{Title: made.Title, Place: made.Place, Site: made.Site}
		}
		b.AddTest(made)
	}
}

// testOf returns a test's plan, nil if it has an error.
func (c *checker) testOf(t *testBlock) *plan.Test {
	en := &env{position: position{place: inTest}, file: t.file, items: map[string]bool{}}
	if t.decl.Title == nil {
		c.gaps = true
		return nil
	}
	out := &plan.Test{Title: t.decl.Title.Value, Place: en.at(t.decl)}
	ok := c.site(en, t)
	out.Site = t.site
	constants := &env{position: position{place: inConstant}, file: t.file}
	seen := map[string]bool{}
	for _, s := range t.decl.Setup {
		switch s := s.(type) {
		case *ast.ReaderSetup:
			ok = c.once(en, seen, "reader", s) && c.testReader(constants, s, &out.Reader) && ok
		case *ast.ItemSetup:
			ok = c.testItems(en, constants, s, out) && ok
		}
	}
	last := int64(0)
	for i, s := range t.decl.Steps {
		at := s.Instant()
		if at == nil {
			c.gaps = true
			return nil
		}
		ms := at.In(t.site.Zone).UnixMilli()
		if i > 0 && ms < last {
			c.fail(en, at, "order", "move the line up", "the lines of a test stand in order of time, this is before the line above")
			ok = false
		}
		last = max(last, ms)
		step, fine := c.step(en, constants, s, ms)
		out.Steps = append(out.Steps, step)
		ok = ok && fine
	}
	if !ok {
		return nil
	}
	return out
}

func (c *checker) once(en *env, seen map[string]bool, word string, n ast.Node) bool {
	if seen[word] {
		c.fail(en, n, "repeated_name", "write all in one pair of braces", "a test has one `%s`", word)
		return false
	}
	seen[word] = true
	return true
}

// entries goes through entries with a function that takes them.
func (c *checker) entries(en *env, entries []*ast.Entry, take func(*ast.Entry) bool) bool {
	ok := true
	seen := map[string]bool{}
	for _, e := range entries {
		if e.Key.Text == "" {
			c.gaps, ok = true, false
			continue
		}
		if seen[e.Key.Text] {
			c.errorAt(plan.Place{File: en.file, Span: e.Key.Span}, "repeated_name", "", "`%s` stands here for the second time", e.Key.Text)
			ok = false
		}
		seen[e.Key.Text] = true
		ok = take(e) && ok
	}
	return ok
}
