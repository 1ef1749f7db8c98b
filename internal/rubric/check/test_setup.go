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

func (c *checker) attributesOf(i *ast.ItemSetup) {
	for _, e := range i.Entries {
		if _, isField := plan.FieldByName(e.Key.Text); !isField {
			c.attrs[e.Key.Text] = true
		}
	}
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
