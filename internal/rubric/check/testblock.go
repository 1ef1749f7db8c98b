package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/value"
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

func (c *checker) attributesOf(i *ast.ItemSetup) {
	for _, e := range i.Entries {
		if _, isField := plan.FieldByName(e.Key.Text); !isField {
			c.attrs[e.Key.Text] = true
		}
	}
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

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// site reads the settings of a test's site.
func (c *checker) site(en *env, t *testBlock) bool {
	t.site = plan.TestSite{Zone: time.UTC, WeekStart: time.Monday, Window: c.schema.Window}
	constants := en.in(position{place: inConstant})
	constants.items = nil
	ok := true
	seen := map[string]bool{}
	for _, s := range t.decl.Setup {
		site, isSite := s.(*ast.SiteSetup)
		if !isSite {
			continue
		}
		ok = c.once(en, seen, "site", s) && c.entries(en, site.Entries, func(e *ast.Entry) bool {
			switch e.Key.Text {
			case "timezone":
				return c.zone(constants, e, &t.site)
			case "week_start":
				v, ok := c.constantOf(constants, e.Value, value.Text, "as `week_start`")
				i := slices.Index(weekdays, v.S)
				if ok && i < 0 {
					c.fail(en, e.Value, "unknown_name", c.oneOf(v.S, weekdays), "expected a day of the week, found `\"%s\"`", v.S)
				}
				t.site.WeekStart = time.Weekday(max(i, 0))
				return i >= 0
			case "window":
				return c.testWindow(constants, e, &t.site)
			default:
				c.errorAt(plan.Place{File: en.file, Span: e.Key.Span}, "unknown_name", c.oneOf(e.Key.Text, []string{"timezone", "week_start", "window"}), "a test's site has no setting `%s`", e.Key.Text)
				return false
			}
		}) && ok
	}
	return ok
}

func (c *checker) zone(en *env, e *ast.Entry, site *plan.TestSite) bool {
	v, ok := c.constantOf(en, e.Value, value.Text, "as `timezone`")
	if !ok {
		return false
	}
	zone, err := time.LoadLocation(v.S)
	if err != nil || v.S == "" || v.S == "Local" {
		c.fail(en, e.Value, "unknown_name", "such as `\"Europe/Berlin\"`", "unknown time zone `\"%s\"`", v.S)
		return false
	}
	site.Zone = zone
	return true
}

// testWindow reads a test's window, which must hold those of the program.
func (c *checker) testWindow(en *env, e *ast.Entry, site *plan.TestSite) bool {
	ms := int64(0)
	if t, isText := e.Value.(*ast.Text); isText {
		d, err := event.ParseDuration(t.Value)
		if err != nil || d <= 0 {
			c.fail(en, e.Value, "window", "such as `window: 30d`", "expected a duration as `window`, found `\"%s\"`", t.Value)
			return false
		}
		ms = d.Milliseconds()
	} else {
		var ok bool
		if ms, ok = c.duration(en, e.Value, "as `window`"); !ok {
			return false
		}
	}
	site.Window = ms
	if c.test == noTest && ms < c.longest.ms {
		d := c.errorIn(en, en.at(e.Value), "window", "", "the program has a window of %s, this test's site keeps events for %s", value.FormatDuration(c.longest.ms), value.FormatDuration(ms))
		c.relate(d, c.longest.at, "the window is here")
		return false
	}
	return true
}

// testReader reads what is known of a test's reader.
func (c *checker) testReader(en *env, s *ast.ReaderSetup, out *plan.TestReader) bool {
	return c.entries(en, s.Entries, func(e *ast.Entry) bool {
		switch e.Key.Text {
		case "registered":
			v, ok := c.constantOf(en, e.Value, value.Bool, "as `registered`")
			out.Registered = v.True()
			return ok
		case "entitled":
			texts, ok := c.texts(en, e)
			out.Entitlements = texts
			return ok
		case "first_seen":
			v, ok := c.constantOf(en, e.Value, value.Time, "as `first_seen`")
			out.FirstSeen = v
			return ok
		default:
			v, ok := c.datum(en, e)
			out.Traits = append(out.Traits, plan.TestValue{Name: e.Key.Text, Value: v})
			c.unusedDatum(en, e, ofTrait, "reader.traits.", c.schema.Traits)
			return ok
		}
	})
}

// texts reads a text or a list of texts.
func (c *checker) texts(en *env, e *ast.Entry) ([]string, bool) {
	x := c.eval(en, e.Value)
	if x.bad() {
		return nil, false
	}
	if x.kind == isValue && x.typ() == value.Text && x.expr.IsConst() {
		return []string{x.expr.Value.S}, true
	}
	out := []string{}
	if x.kind == isValue && x.typ() == value.List && x.expr.IsConst() {
		for _, v := range x.expr.Value.Items() {
			if v.Type == value.Text {
				out = append(out, v.S)
			}
		}
		if len(out) == len(x.expr.Value.Items()) {
			return out, true
		}
	}
	c.fail(en, e.Value, "type", "such as `["+`"a", "b"`+"]`", "expected a text or a list of texts as `%s`, found %s", e.Key.Text, x.found())
	return nil, false
}

// datum reads a value as data has it: a text, number, Boolean or, as its text, a
// time.
func (c *checker) datum(en *env, e *ast.Entry) (value.Value, bool) {
	x := c.eval(en, e.Value)
	if x.bad() || !c.isScalar(en, &x, "as `"+e.Key.Text+"`") {
		return value.Value{}, false
	}
	switch {
	case !x.expr.IsConst():
		c.fail(en, e.Value, "constant", "", "expected a value that is written down as `%s`", e.Key.Text)
		return value.Value{}, false
	case x.typ() == value.Duration:
		c.fail(en, e.Value, "type", "", "expected a text, number, `true`, `false` or time as `%s`, found a duration", e.Key.Text)
		return value.Value{}, false
	case x.typ() == value.Time:
		return value.OfText(x.expr.Value.String()), true
	}
	return x.expr.Value.ToDecimal(), true
}

// unusedDatum warns of a name that nothing in the program or the site has, but
// that is near to one that it has.
func (c *checker) unusedDatum(en *env, e *ast.Entry, f family, prefix string, seen []string) {
	name := e.Key.Text
	if c.variables[dataName{f, name}] != nil || slices.Contains(seen, name) {
		return
	}
	known := func() []string {
		out := slices.Clone(seen)
		for n := range c.variables {
			if n.family == f {
				out = append(out, n.name)
			}
		}
		slices.Sort(out)
		return out
	}
	if hint := c.near(name, known); hint != "" {
		c.warnAt(plan.Place{File: en.file, Span: e.Key.Span}, "never_used", hint, "nothing asks for `%s%s`", prefix, name)
	}
}

// testItems reads one entry of a test's catalogue, or several alike.
func (c *checker) testItems(en, constants *env, s *ast.ItemSetup, out *plan.Test) bool {
	ids, ok := c.itemNames(en, s)
	if !ok {
		return false
	}
	var item plan.TestItem
	ok = c.entries(en, s.Entries, func(e *ast.Entry) bool { return c.itemEntry(constants, e, &item) })
	if n := len(ids) + len(out.Items); n > maxItems {
		c.fail(en, s.First, "too_many", "", "a test has at most %d items, with these there are %d", maxItems, n)
		return false
	}
	for _, id := range ids {
		if en.items[id] {
			c.fail(en, s.First, "repeated_name", "", "the test has an item `%s` already", id)
			return false
		}
		if d := c.names[id]; d != nil && d.word != "access" {
			err := c.errorIn(en, en.at(s.First), "repeated_name", "call the item something else", "there is a %s `%s` already", d.word, id)
			c.relate(err, d.at(), "the %s `%s`", d.word, id)
			return false
		}
		en.items[id] = true
		item.ID = id
		out.Items = append(out.Items, item)
	}
	return ok
}

// maxItems is how many items a test has at most.
const maxItems = 1000

// itemNames returns the names that `a1..a6` stands for.
func (c *checker) itemNames(en *env, s *ast.ItemSetup) ([]string, bool) {
	if s.First.Text == "" || s.Last != nil && s.Last.Text == "" {
		c.gaps = true
		return nil, false
	}
	if s.Last == nil {
		return []string{s.First.Text}, true
	}
	at := plan.Place{File: en.file, Span: s.First.Span.To(s.Last.Span)}
	prefix, from, width := numbered(s.First.Text)
	same, to, _ := numbered(s.Last.Text)
	switch {
	case width == 0 || prefix != same || to < from:
		c.failAt(en, at, "range", "such as `a1..a6`", "expected names that end in numbers, the smaller first, found `%s..%s`", s.First.Text, s.Last.Text)
		return nil, false
	case to-from >= maxItems:
		c.failAt(en, at, "too_many", "", "a test has at most %d items, these are %d", maxItems, to-from+1)
		return nil, false
	}
	var out []string
	for n := from; n <= to; n++ {
		out = append(out, fmt.Sprintf("%s%0*d", prefix, width, n))
	}
	return out, true
}

// numbered splits a name into what stands before its number, the number, and
// with how many digits it is written at least.
func numbered(name string) (prefix string, n, width int) {
	prefix = strings.TrimRight(name, "0123456789")
	digits := name[len(prefix):]
	n, err := strconv.Atoi(digits)
	if err != nil {
		return prefix, 0, 0
	}
	if digits[0] == '0' {
		return prefix, n, len(digits)
	}
	return prefix, n, 1
}

// itemEntry reads a field or attribute of a test's item.
func (c *checker) itemEntry(en *env, e *ast.Entry, item *plan.TestItem) bool {
	field, isField := plan.FieldByName(e.Key.Text)
	switch {
	case !isField:
		v, ok := c.datum(en, e)
		if ok && v.Type != value.Text {
			v = value.OfText(v.String())
		}
		item.Attributes = append(item.Attributes, plan.TestValue{Name: e.Key.Text, Value: v})
		if c.variables[dataName{ofAttribute, e.Key.Text}] == nil && !slices.Contains(c.schema.Attributes, e.Key.Text) {
			if hint := c.near(e.Key.Text, plan.FieldNames); hint != "" {
				c.warnAt(plan.Place{File: en.file, Span: e.Key.Span}, "never_used", hint, "nothing asks for the attribute `%s`", e.Key.Text)
			}
		}
		return ok
	case field == plan.FieldID:
		c.errorAt(plan.Place{File: en.file, Span: e.Key.Span}, "type", "take it away", "the id of a test's item is its name")
		return false
	case field.Type() == value.List:
		texts, ok := c.texts(en, e)
		item.Fields[field] = value.OfTexts(texts)
		return ok
	default:
		v, ok := c.constantOf(en, e.Value, field.Type(), "as `"+e.Key.Text+"`")
		item.Fields[field] = v
		return ok
	}
}

// step reads a line of a test.
func (c *checker) step(en, constants *env, s ast.Step, at int64) (plan.Step, bool) {
	out := plan.Step{At: at, Access: -1, Place: en.at(s)}
	switch s := s.(type) {
	case *ast.ReadStep:
		out.Kind = plan.Read
		return out, c.readStep(en, s, &out)
	case *ast.EventStep:
		out.Kind = plan.Event
		return out, c.eventStep(en, constants, s, &out)
	case *ast.LoginStep:
		out.Kind = plan.Login
		if s.Account == nil {
			c.gaps = true
			return out, false
		}
		out.Account = s.Account.Value
		if out.Account == "" {
			c.fail(en, s.Account, "type", "", "an account has a name, found an empty one")
			return out, false
		}
	case *ast.LogoutStep:
		out.Kind = plan.Logout
	case *ast.ExpectStep:
		out.Kind = plan.Expect
		x := c.eval(en, s.Cond)
		if !c.there(en, &x, value.Bool, "behind `expect`") {
			return out, false
		}
		out.Cond = x.expr
	}
	return out, true
}

func (c *checker) readStep(en *env, s *ast.ReadStep, out *plan.Step) bool {
	ok := true
	for _, i := range s.Items {
		switch {
		case i.Text == "":
			c.gaps, ok = true, false
		case !en.items[i.Text]:
			c.failAt(en, plan.Place{File: en.file, Span: i.Span}, "unknown_name", c.near(i.Text, func() []string { return sorted(en.items) }), "the test has no item `%s`", i.Text)
			ok = false
		}
		out.Items = append(out.Items, i.Text)
	}
	blocks := c.declaredBy["access"]
	through, at := "", en.at(s)
	switch {
	case s.Through != nil:
		through, at = s.Through.Text, plan.Place{File: en.file, Span: s.Through.Span}
		if through == "" {
			c.gaps = true
			return false
		}
	case len(blocks) == 1:
		through = blocks[0]
	case len(blocks) == 0:
		c.failAt(en, at, "unknown_name", "such as `access story { allow everyone }`", "`read` goes through an access block, the program has none")
		return false
	default:
		c.failAt(en, at, "unknown_name", "such as `through "+blocks[0]+"`", "the program has several access blocks: `read` says which with `through`")
		return false
	}
	d := c.names[through]
	if d == nil || d.word != "access" {
		c.failAt(en, at, "unknown_name", c.oneOf(through, blocks), "unknown access block `%s`", through)
		return false
	}
	if !c.resolve(d) {
		return false
	}
	out.Access = d.index
	return ok
}

// eventStep reads an event: columns, and properties under other names.
func (c *checker) eventStep(en, constants *env, s *ast.EventStep, out *plan.Step) bool {
	if s.Type == nil {
		c.gaps = true
		return false
	}
	out.Type = s.Type.Value
	if out.Type == "" || len(out.Type) > event.MaxTypeBytes {
		c.fail(en, s.Type, "type", "", "the type of an event has 1 to %d bytes, found %d", event.MaxTypeBytes, len(out.Type))
		return false
	}
	constants = constants.in(constants.position)
	constants.items = en.items
	return c.entries(en, s.Entries, func(e *ast.Entry) bool {
		column, isColumn := plan.ColumnByName(e.Key.Text)
		if !isColumn {
			v, ok := c.datum(constants, e)
			out.Properties = append(out.Properties, plan.TestValue{Name: e.Key.Text, Value: v})
			c.unusedDatum(en, e, ofProperty, "properties.", c.schema.Properties)
			return ok
		}
		switch column {
		case plan.Column(event.ColType), plan.ColTime, plan.ColDay, plan.ColWeek, plan.ColMonth, plan.ColVisit, plan.ColStartsVisit, plan.ColDevice, plan.Column(event.ColAccount):
			c.errorAt(plan.Place{File: en.file, Span: e.Key.Span}, "type", "take it away", "`%s` follows from the line and cannot be set", e.Key.Text)
			return false
		}
		v, ok := c.constantOf(constants, e.Value, column.Type(), "as `"+e.Key.Text+"`")
		if ok && column.Type() == value.Decimal {
			v = v.ToDecimal()
		}
		out.Columns = append(out.Columns, plan.TestColumn{Column: column, Value: v})
		return ok
	})
}
