package lsp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/check"
	"github.com/readership/readership/internal/rubric/lexer"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
	"github.com/readership/readership/internal/rubric/value"
)

// marker stands where something could be written: a name that nobody gives.
const marker = "zz_completes_here"

// Complete returns what could be written at a place of an open document: the
// client keeps what begins with what is written already.
func (w *Workspace) Complete(uri string, p Position) []CompletionItem {
	d, ok := w.open[uri]
	if !ok {
		return nil
	}
	text := NewText(d.Text, w.Unit)
	offset := text.Offset(p)
	c := completion{w: w, uri: uri, text: d.Text}
	switch t, kind := tokenAround(d.Text, offset); {
	case kind == inComment || kind == inOther:
		return nil
	case kind == inText:
		c.inText(t, offset)
	default:
		start, end := wordAround(d.Text, offset)
		if start < end && isDigit(d.Text[start]) {
			return nil
		}
		c.word(start, end)
	}
	for i := range c.items {
		c.items[i].SortText = fmt.Sprintf("%04d", i)
		c.items[i].TextEdit = &TextEdit{Range: text.Range(c.from, offset), NewText: c.items[i].Label}
	}
	return c.items
}

// inside says what kind of token a place is in.
type inside uint8

const (
	inWord inside = iota // or between tokens
	inText
	inComment
	inOther // a number
)

// tokenAround finds the token that a place is in.
func tokenAround(text string, offset int) (token.Token, inside) {
	if len(text) > source.MaxBytes {
		return token.Token{}, inOther
	}
	scanned := lexer.Scan(source.NewFile("", text))
	for _, c := range scanned.Comments {
		if c.Start < offset && offset <= c.End {
			return token.Token{}, inComment
		}
	}
	for _, t := range scanned.Tokens {
		if t.Start >= offset || offset > t.End {
			continue
		}
		switch {
		case t.Kind == token.Text && (offset < t.End || t.Broken):
			return t, inText
		case t.Kind >= token.Integer && t.Kind <= token.Time:
			return t, inOther
		}
	}
	return token.Token{}, inWord
}

// wordAround returns the bounds of the word at a place.
func wordAround(text string, offset int) (start, end int) {
	start, end = offset, offset
	for start > 0 && isWord(text[start-1]) {
		start--
	}
	for end < len(text) && isWord(text[end]) {
		end++
	}
	return start, end
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || isDigit(c)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// completion is one question being answered.
type completion struct {
	w     *Workspace
	uri   string
	text  string
	from  int // where what is replaced begins
	items []CompletionItem
}

// add adds a name unless it is there.
func (c *completion) add(item CompletionItem) {
	if item.Label != "" && item.Label != marker && !slices.ContainsFunc(c.items, func(have CompletionItem) bool { return have.Label == item.Label }) {
		c.items = append(c.items, item)
	}
}

func (c *completion) addAll(kind int, detail string, labels []string) {
	for _, l := range labels {
		c.add(CompletionItem{Label: l, Kind: kind, Detail: detail})
	}
}

// word completes a word.
func (c *completion) word(start, end int) {
	c.from = start
	at := c.w.with(c.uri, c.text[:start]+marker+c.text[end:])
	for _, p := range at.programs {
		path := pathTo(at.tree, func(n ast.Node) bool { return named(n) == marker })
		if path == nil {
			break // where an operator is missing
		}
		c.names(at, p, path)
	}
	for _, w := range wordsAfter(c.text[:start]) {
		item := CompletionItem{Label: w, Kind: kindKeyword}
		if about := words[w]; about != "" {
			item.Documentation = markdown(about)
		}
		c.add(item)
	}
}

// named returns the name that a node is.
func named(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Ident:
		return n.Name
	case *ast.Name:
		return n.Text
	}
	return ""
}

// pathTo returns the nodes from the root to the last, deepest one that is looked
// for; nil if there is none.
func pathTo(root ast.Node, is func(ast.Node) bool) []ast.Node {
	var out, open []ast.Node
	ast.Walk(root, func(n ast.Node) bool {
		for len(open) > 0 && !holds(open[len(open)-1], n) {
			open = open[:len(open)-1]
		}
		open = append(open, n)
		if is(n) {
			out = slices.Clone(open)
		}
		return true
	})
	return out
}

// holds tells whether a node lies within another one.
func holds(outer, n ast.Node) bool {
	return outer.Range().Start <= n.Range().Start && n.Range().End <= outer.Range().End
}

// names adds the names that can stand at the end of a path.
func (c *completion) names(at *place, p []*unit, path []ast.Node) {
	last := path[len(path)-1]
	if len(path) < 2 {
		return
	}
	parent := path[len(path)-2]
	switch n := parent.(type) {
	case *ast.Select:
		if last == ast.Node(n.Name) {
			c.choices(p, n, prefixOf(at, n))
			return
		}
	case *ast.Apply:
		if last == ast.Node(n.Fun) {
			c.choices(p, n, "")
			return
		}
	case *ast.Option:
		if last == ast.Node(n.Name) {
			c.choices(p, n, "")
			return
		}
	case *ast.Clause:
		if last == ast.Node(n.Burns) {
			c.addAll(kindVariable, "meter", declared(p, token.Meter))
		}
	case *ast.ReadStep:
		if last == ast.Node(n.Through) {
			c.addAll(kindModule, "access", declared(p, token.Access))
		} else {
			c.addAll(kindValue, "item", itemsOf(path))
		}
		return
	case *ast.Verdict:
		c.addAll(kindField, "clause", clauses(p, n.Outcome))
		return
	case *ast.Entry:
		if last == ast.Node(n.Key) {
			c.keys(path)
			return
		}
	}
	if _, isName := last.(*ast.Name); !isName {
		c.choices(p, last, "")
	}
}

// prefixOf is what stands before the point of a field: `item`, `reader.traits`.
func prefixOf(at *place, n *ast.Select) string { return at.file.Slice(n.X.Range()) }

// choices adds what the checker knows that could stand in place of a node.
func (c *completion) choices(p []*unit, n ast.Node, prefix string) {
	for _, choice := range check.Inspect(trees(p), c.w.Schema, n).Choices {
		c.add(itemOf(choice, prefix))
	}
}

var choiceKinds = map[check.ChoiceKind]int{check.Word: kindKeyword, check.Column: kindField, check.Field: kindProperty, check.Function: kindFunction, check.Let: kindVariable,
	check.LetFunction: kindFunction, check.Parameter: kindVariable, check.Segment: kindClass, check.Meter: kindVariable, check.Access: kindModule, check.Item: kindValue, check.Root: kindStruct, check.Option: kindProperty}

var choiceWords = map[check.ChoiceKind]string{check.Column: "column", check.Let: "let", check.LetFunction: "function", check.Function: "function", check.Parameter: "parameter",
	check.Segment: "segment", check.Meter: "meter", check.Access: "access", check.Item: "item"}

func itemOf(choice check.Choice, prefix string) CompletionItem {
	out := CompletionItem{Label: choice.Name, Kind: choiceKinds[choice.Kind], Detail: choiceWords[choice.Kind]}
	if t := typeWords[choice.Type]; t != "" {
		out.Detail = strings.TrimPrefix(out.Detail+", "+t, ", ")
	}
	about := ""
	switch choice.Kind {
	case check.Let, check.LetFunction, check.Parameter, check.Segment, check.Meter, check.Access, check.Item:
	case check.Word, check.Option:
		about = words[choice.Name]
	default:
		about = aboutName(prefix, choice.Name)
	}
	if about != "" {
		out.Documentation = markdown(about)
	}
	return out
}

// typeWords are the types as people speak of them.
var typeWords = map[value.Type]string{value.Bool: "condition", value.Int: "number", value.Decimal: "number", value.Text: "text", value.Time: "time",
	value.Duration: "duration", value.List: "list of texts", value.Any: "any type"}

// aboutName says what a name means behind a prefix: "" or what stands before the
// point.
func aboutName(prefix, name string) string {
	if prefix == "" {
		return names[name]
	}
	full := strings.TrimPrefix(prefix+"."+name, "request.item.")
	switch {
	case prefix == "request.item":
		return names["item."+name]
	case names[full] != "":
		return names[full]
	case prefix == "request":
		return names[name]
	case name == "limit":
		return "what the meter's limit is for this reader"
	case prefix != "item" && prefix != "properties" && prefix != "reader" && prefix != "bot" && !strings.Contains(prefix, "."): // a meter
		return names[name]
	}
	return ""
}

// declared returns the names that a kind of declaration gives in a program.
func declared(p []*unit, kind token.Kind) []string {
	var out []string
	for _, u := range p {
		for _, d := range u.tree.Decls {
			n, word := definition(d)
			if n != nil && token.Lookup(word) == kind {
				out = append(out, n.Text)
			}
		}
	}
	return out
}

// definition returns the name that a declaration gives and the word that it
// begins with.
func definition(d ast.Decl) (*ast.Name, string) {
	switch d := d.(type) {
	case *ast.Let:
		return d.Name, "let"
	case *ast.Segment:
		return d.Name, "segment"
	case *ast.Meter:
		return d.Name, "meter"
	case *ast.Access:
		return d.Name, "access"
	case *ast.Metric:
		return d.Name, "metric"
	}
	return nil, ""
}

// clauses returns the names of the clauses with an outcome.
func clauses(p []*unit, outcome ast.Outcome) []string {
	var out []string
	for _, u := range p {
		for _, d := range u.tree.Decls {
			if a, ok := d.(*ast.Access); ok {
				for _, c := range a.Clauses {
					if c.Outcome == outcome {
						out = append(out, c.Name.Text)
					}
				}
			}
		}
	}
	return out
}

// itemsOf returns the items of the test that a path leads through.
func itemsOf(path []ast.Node) []string {
	var out []string
	for _, n := range path {
		t, ok := n.(*ast.Test)
		if !ok {
			continue
		}
		for _, s := range t.Setup {
			if i, ok := s.(*ast.ItemSetup); ok {
				out = append(out, i.First.Text)
				if i.Last != nil {
					out = append(out, i.Last.Text)
				}
			}
		}
	}
	return out
}

// keys adds the keys of `site { }`, `item x { }`, `reader { }` and of an event.
func (c *completion) keys(path []ast.Node) {
	switch path[len(path)-3].(type) {
	case *ast.SiteSetup:
		c.addAll(kindProperty, "", []string{"timezone", "week_start", "window"})
	case *ast.ItemSetup:
		for f := range plan.NumFields {
			if f != plan.FieldID {
				c.add(CompletionItem{Label: f.String(), Kind: kindProperty, Detail: typeWords[f.Type()]})
			}
		}
		c.addAll(kindProperty, "attribute", c.w.Schema.Attributes)
	case *ast.ReaderSetup:
		c.addAll(kindProperty, "", []string{"registered", "entitled", "first_seen"})
		c.addAll(kindProperty, "trait", c.w.Schema.Traits)
	case *ast.EventStep:
		for col := range plan.NumColumns {
			switch col {
			case plan.Column(event.ColType), plan.Column(event.ColAccount), plan.ColTime, plan.ColDay, plan.ColWeek, plan.ColMonth, plan.ColDevice, plan.ColVisit, plan.ColStartsVisit:
			default:
				c.add(CompletionItem{Label: col.String(), Kind: kindProperty, Detail: typeWords[col.Type()]})
			}
		}
		c.addAll(kindProperty, "property", c.w.Schema.Properties)
	}
}
