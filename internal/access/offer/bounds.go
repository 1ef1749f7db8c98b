package offer

import (
	"fmt"
	"html/template"
	"reflect"
	"strings"
	"text/template/parse"
)

// Bounds of what a template does on its way to a page, whose size is bounded apart.
const (
	// maxText is the most bytes that a function may make.
	maxText = 16 << 10
	// maxCalls bounds the functions that are called for one page. A range counts for
	// maxList.
	maxCalls = 10_000
	maxList  = 1000
)

// functions take the place of those of the template packages that make texts: one in
// the other they could double a text with every call.
var functions = map[string]any{
	"html":     func(args ...any) (string, error) { return boundedText(template.HTMLEscaper, args) },
	"js":       func(args ...any) (string, error) { return boundedText(template.JSEscaper, args) },
	"print":    func(args ...any) (string, error) { return boundedText(fmt.Sprint, args) },
	"println":  func(args ...any) (string, error) { return boundedText(fmt.Sprintln, args) },
	"urlquery": func(args ...any) (string, error) { return boundedText(template.URLQueryEscaper, args) },
	"printf":   boundedFormat,
}

// boundedText calls a function whose result is no longer than a few times its
// arguments.
func boundedText(f func(...any) string, args []any) (string, error) {
	if err := fits(args); err != nil {
		return "", err
	}
	return f(args...), nil
}

// boundedFormat is fmt.Sprintf of plain verbs: %s, %v, %d, %q and their like, with a
// width of two digits at most. Each takes one argument, so that none is repeated.
func boundedFormat(format string, args ...any) (string, error) {
	if err := fits(append([]any{format}, args...)); err != nil {
		return "", err
	}
	for rest := format; ; {
		_, after, ok := strings.Cut(rest, "%")
		if !ok {
			return fmt.Sprintf(format, args...), nil
		}
		verb := strings.TrimLeft(after, "+-# 0123456789.")
		if flags := after[:len(after)-len(verb)]; len(flags) > 5 || digits(flags) > 2 || verb != "" && (verb[0] == '*' || verb[0] == '[') {
			return "", fmt.Errorf("printf takes verbs with a width of two digits at most, not %%%.8s", after)
		}
		rest = strings.TrimPrefix(verb, "%")
	}
}

// digits returns the length of the longest run of digits.
func digits(text string) int {
	longest := 0
	for _, run := range strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		longest = max(longest, len(run))
	}
	return longest
}

// fits says whether what texts are made of is short enough.
func fits(args []any) error {
	n := 0
	for _, arg := range args {
		switch v := reflect.ValueOf(arg); v.Kind() {
		case reflect.String:
			n += v.Len()
		case reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer:
			n += len(fmt.Sprint(arg)) // of the page, which is bounded
		}
		if n++; n > maxText {
			return fmt.Errorf("a text of more than %d bytes is made", maxText)
		}
	}
	return nil
}

// bounded says whether templates end, and soon: they may repeat what a list holds, and
// nothing else.
func bounded(all []*template.Template) error {
	b := bounds{}
	for _, t := range all {
		if err := b.tree(t.Tree); err != nil {
			return err
		}
	}
	return nil
}

func boundedTree(t *parse.Tree) error { return new(bounds).tree(t) }

// bounds walks templates.
type bounds struct {
	t      *parse.Tree
	ranged bool // inside a range
	calls  int
}

func (b *bounds) tree(t *parse.Tree) error {
	if t == nil || t.Root == nil {
		return nil
	}
	b.t = t
	return b.node(t.Root)
}

func (b *bounds) fault(n parse.Node, message string) error {
	place, _ := b.t.ErrorContext(n)
	return fmt.Errorf("template: %s: %s", place, message)
}

func (b *bounds) nodes(lists ...*parse.ListNode) error {
	for _, l := range lists {
		if l == nil {
			continue
		}
		for _, n := range l.Nodes {
			if err := b.node(n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bounds) branch(n *parse.BranchNode) error {
	if err := b.pipe(n.Pipe); err != nil {
		return err
	}
	return b.nodes(n.List, n.ElseList)
}

func (b *bounds) node(n parse.Node) error {
	switch n := n.(type) {
	case *parse.ListNode:
		return b.nodes(n)
	case *parse.ActionNode:
		return b.pipe(n.Pipe)
	case *parse.IfNode:
		return b.branch(&n.BranchNode)
	case *parse.WithNode:
		return b.branch(&n.BranchNode)
	case *parse.RangeNode:
		if len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 1 || n.Pipe.Cmds[0].Args[0].Type() != parse.NodeField {
			return b.fault(n, "range goes over a field, as .Item.Tags")
		}
		field := n.Pipe.Cmds[0].Args[0].(*parse.FieldNode)
		if !lists[field.Ident[len(field.Ident)-1]] {
			return b.fault(n, "range goes over a list, as .Item.Tags, which "+field.String()+" is not")
		}
		if b.ranged {
			return b.fault(n, "a range cannot stand in a range")
		}
		b.ranged = true
		err := b.nodes(n.List)
		b.ranged = false
		if err != nil {
			return err
		}
		return b.nodes(n.ElseList)
	case *parse.TemplateNode:
		return b.fault(n, "a template cannot be called from a template")
	}
	return nil
}

// pipe counts the functions of a pipeline.
func (b *bounds) pipe(p *parse.PipeNode) error {
	for _, c := range p.Cmds {
		for _, arg := range c.Args {
			switch arg := arg.(type) {
			case *parse.PipeNode:
				if err := b.pipe(arg); err != nil {
					return err
				}
			case *parse.IdentifierNode:
				if b.calls++; b.ranged {
					b.calls += maxList - 1
				}
				if b.calls > maxCalls {
					return b.fault(arg, fmt.Sprintf("more than %d functions would be called for a page; one in a range counts for %d", maxCalls, maxList))
				}
			}
		}
	}
	return nil
}

// lists are the names of the fields of a page that hold lists.
var lists = func() map[string]bool {
	names := map[string]bool{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		for i := range t.NumField() {
			switch f := t.Field(i); f.Type.Kind() {
			case reflect.Slice, reflect.Map:
				names[f.Name] = true
			case reflect.Struct:
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Page]())
	return names
}()
