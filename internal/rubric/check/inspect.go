package check

import (
	"slices"

	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/value"
)

// Choice is a name that could stand in a place of a program.
type Choice struct {
	Name string
	Kind ChoiceKind
	Type value.Type // Missing where it has none or it is not known
}

// ChoiceKind says what a name is.
type ChoiceKind uint8

// Kinds of names.
const (
	Word ChoiceKind = iota // of the language
	Column
	Field // behind a point
	Function
	Let
	LetFunction
	Parameter
	Segment
	Meter
	Access
	Item // of a test
	Root // what fields are reached by
	Option
)

// Inspection is what a check knows of one node.
type Inspection struct {
	// Choices are the names that could stand in place of the node: an *ast.Ident,
	// *ast.Select (its field), *ast.Apply or *ast.Option. Those of all places at
	// once where it stands in a `let` that is used in several.
	Choices []Choice
	// Is says what an expression is, as messages speak of it: "a number", "rows".
	// It is empty if that is not known.
	Is       string
	Type     value.Type // of a value
	Optional bool       // a value may be missing
	Expr     *plan.Expr // of a value; nil for others
}

// Inspect checks a program and says what is known of one node of its trees. The
// program may have errors and gaps.
func Inspect(trees []*ast.Program, s *schema.Schema, node ast.Node) Inspection {
	p := &probe{node: node}
	run(trees, s, noTest, p)
	return p.seen
}

// probe looks at one node while a program is checked. A nil one looks at none.
type probe struct {
	node   ast.Node
	seen   Inspection
	asking bool // about the value of the node, which stands behind `expect`
	answer *Answer
	uses   func(*plan.Expr) plan.Uses // what an expression of the plan depends on
}

func (p *probe) reset() {
	if p != nil {
		p.seen, p.answer = Inspection{}, nil
	}
}

func (p *probe) at(n ast.Node) bool { return p != nil && p.node == n }

// offer adds names that could stand in place of a node.
func (p *probe) offer(n ast.Node, choices func() []Choice) {
	if !p.at(n) {
		return
	}
	for _, c := range choices() {
		if !slices.ContainsFunc(p.seen.Choices, func(have Choice) bool { return have.Name == c.Name && have.Kind == c.Kind }) {
			p.seen.Choices = append(p.seen.Choices, c)
		}
	}
}

// found notes what an expression is.
func (p *probe) found(n ast.Node, r result) {
	if !p.at(n) || r.bad() && r.kind != isRows {
		return
	}
	p.seen.Is = r.found()
	if r.kind == isSpace {
		p.seen.Is = ""
	}
	if r.kind == isValue {
		p.seen.Type, p.seen.Optional, p.seen.Expr = r.typ(), r.expr.Optional, r.expr
	}
}

// words are choices of one kind.
func words(kind ChoiceKind, names []string) []Choice {
	out := make([]Choice, len(names))
	for i, name := range names {
		out[i] = Choice{Name: name, Kind: kind}
	}
	return out
}

// choices are the names that have a meaning, functions aside.
func (c *checker) choices(en *env) []Choice {
	out := append(words(Parameter, sorted(en.locals)), words(Item, sorted(en.items))...)
	if en.stage {
		for column := range plan.NumColumns {
			out = append(out, Choice{column.String(), Column, column.Type()})
		}
		out = append(out, words(Root, []string{"item", "properties"})...)
		if en.asked() {
			out = append(out, Choice{"request", Root, value.Missing})
		}
	} else {
		out = append(out, c.outside(en)...)
	}
	if en.reader() {
		for _, name := range c.declaredBy["segment"] {
			out = append(out, Choice{name, Segment, value.Bool})
		}
		if en.place != inSegment {
			out = append(out, words(Meter, c.declaredBy["meter"])...)
		}
	}
	if en.place == inTest {
		out = append(out, words(Access, c.declaredBy["access"])...)
	}
	for _, name := range c.declaredBy["let"] {
		if !isFunction(c.names[name]) {
			out = append(out, Choice{Name: name, Kind: Let})
		}
	}
	return out
}

// outside are the names that every program has outside of stages.
func (c *checker) outside(en *env) []Choice {
	var out []Choice
	add := func(ok bool, kind ChoiceKind, t value.Type, names ...string) {
		for _, name := range names {
			if ok {
				out = append(out, Choice{name, kind, t})
			}
		}
	}
	loose := en.place == anywhere
	add(en.asked(), Root, value.Missing, "item", "request", "bot")
	add(en.reader(), Root, value.Missing, "reader")
	add(loose, Root, value.Missing, "properties")
	add(en.place != inMetric && en.place != inBurns && en.place != inConstant, Word, value.Time, "now")
	add(en.place != inBurns && en.place != inConstant, Word, value.Missing, "events")
	add(en.place == inMetric || loose, Word, value.Missing, "all_events")
	add(en.place == inBurns || loose, Word, value.Missing, "burns")
	if loose { // a `let` that nobody uses yet may be meant for a stage
		for column := range plan.NumColumns {
			add(true, Column, column.Type(), column.String())
		}
	}
	return out
}

// functionChoices are the functions that can be called.
func (c *checker) functionChoices() []Choice {
	out := words(Function, sorted(functions))
	for _, name := range c.declaredBy["let"] {
		if isFunction(c.names[name]) {
			out = append(out, Choice{Name: name, Kind: LetFunction})
		}
	}
	return out
}

// fieldChoices are the names that can stand behind the point after x.
func (c *checker) fieldChoices(en *env, x result) []Choice {
	if x.kind == isMeter {
		return []Choice{{"used", Field, value.Int}, {"left", Field, value.Int}, {"limit", Field, value.Int}, {"resets_at", Field, value.Time}}
	}
	switch x.space {
	case "item", "request.item":
		var out []Choice
		for f := range plan.NumFields {
			out = append(out, Choice{f.String(), Field, f.Type()})
		}
		return append(append(out, words(Field, sorted(c.attrs))...), Choice{"attributes", Field, value.Missing})
	case "item.attributes", "request.item.attributes":
		return c.dataChoices(ofAttribute, sorted(c.attrs))
	case "properties":
		return c.dataChoices(ofProperty, c.schema.Properties)
	case "reader.traits":
		return c.dataChoices(ofTrait, c.schema.Traits)
	case "reader":
		return []Choice{{"registered", Field, value.Bool}, {"entitled", Function, value.Bool}, {"entitled_by", Function, value.Text}, {"traits", Field, value.Missing}, {"first_seen", Field, value.Time}}
	case "request":
		if en.stage {
			return []Choice{{"item", Field, value.Text}}
		}
		out := []Choice{{"item", Field, value.Text}}
		for _, name := range plan.FlagNames {
			out = append(out, Choice{name, Field, value.Bool})
		}
		for _, column := range requestColumns {
			out = append(out, Choice{column.String(), Field, value.Text})
		}
		return out
	case "bot":
		return []Choice{{"verified", Field, value.Bool}, {"class", Field, value.Text}, {"operator", Field, value.Text}}
	default:
		return nil
	}
}

// dataChoices are names that come from data: those seen and those that the
// program has elsewhere.
func (c *checker) dataChoices(f family, seen []string) []Choice {
	out := words(Field, seen)
	for _, t := range c.typed(f) {
		if i := slices.Index(seen, t.Name); i >= 0 {
			out[i].Type = t.Type
		} else {
			out = append(out, Choice{t.Name, Field, t.Type})
		}
	}
	return out
}
