package lsp

import (
	"slices"
	"strings"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/check"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/token"
)

// inText completes what stands between quotes.
func (c *completion) inText(t token.Token, offset int) {
	c.from = t.Start + 1
	end := t.End
	if t.Broken {
		end = offset
	}
	at := c.w.with(c.uri, c.text[:t.Start]+`"`+marker+`"`+c.text[end:])
	path := pathTo(at.tree, func(n ast.Node) bool {
		text, ok := n.(*ast.Text)
		return ok && text.Value == marker
	})
	if len(path) < 2 {
		return
	}
	for _, p := range at.programs {
		c.values(at, p, path)
	}
}

// values adds what a text at the end of a path can be.
func (c *completion) values(at *place, p []*unit, path []ast.Node) {
	text := path[len(path)-1].(ast.Expr)
	switch path[len(path)-2].(type) {
	case *ast.Use:
		for _, u := range c.w.folder(c.uri, c.text) {
			if u.uri != at.uri {
				c.add(CompletionItem{Label: name(u.file.Name), Kind: kindFile})
			}
		}
		slices.SortFunc(c.items, func(a, b CompletionItem) int { return strings.Compare(a.Label, b.Label) })
		return
	case *ast.EventStep:
		c.seen("type")
		return
	}
	for i := len(path) - 2; i > 0; i-- {
		switch n := path[i].(type) {
		case *ast.List:
			continue
		case *ast.Binary:
			other := n.X
			if holds(n.X, text) {
				other = n.Y
			}
			c.seen(keyOf(check.Inspect(trees(p), c.w.Schema, other).Expr))
		case *ast.Arg:
			if call, ok := path[i-1].(*ast.Call); ok {
				c.argument(at, p, call, n)
			}
		case *ast.Entry:
			c.seen(entryKey(path[i-1], n.Key.Text))
		}
		return
	}
}

// seen adds the values that a name has been seen with.
func (c *completion) seen(key string) {
	c.addAll(kindValue, "", c.w.Values[key])
	c.addAll(kindValue, "", known[key])
}

// argument adds the texts that can be an argument of a call.
func (c *completion) argument(at *place, p []*unit, call *ast.Call, arg *ast.Arg) {
	switch fun := at.file.Slice(call.Fun.Range()); {
	case fun == "reader.entitled" || fun == "reader.entitled_by":
		c.seen("reader.entitled")
	case slices.Contains([]string{"starts_with", "ends_with", "contains"}, fun) && arg != call.Args[0]:
		c.seen(keyOf(check.Inspect(trees(p), c.w.Schema, call.Args[0].Value).Expr))
	}
}

// keyOf is the key in Values of what an expression is.
func keyOf(e *plan.Expr) string {
	if e == nil {
		return ""
	}
	switch e.Op {
	case plan.RowColumn, plan.RequestColumn:
		return e.Column.String()
	case plan.RowProperty:
		return "properties." + e.Name
	case plan.RowItem, plan.AskedField:
		return "item." + e.Field.String()
	case plan.RowAttribute, plan.AskedAttribute:
		return "item.attributes." + e.Name
	case plan.BotClass:
		return event.ColBotClass.String()
	case plan.BotOperator:
		return event.ColBotOperator.String()
	case plan.ReaderEntitledBy:
		return "reader.entitled_by"
	}
	return ""
}

// entryKey is the key in Values of an entry of a test.
func entryKey(of ast.Node, name string) string {
	switch of.(type) {
	case *ast.SiteSetup:
		return name
	case *ast.ItemSetup:
		if _, ok := plan.FieldByName(name); ok {
			return "item." + name
		}
		return "item.attributes." + name
	case *ast.ReaderSetup:
		if name == "entitled" {
			return "reader.entitled"
		}
	case *ast.EventStep:
		if _, ok := plan.ColumnByName(name); ok {
			return name
		}
		return "properties." + name
	}
	return ""
}
