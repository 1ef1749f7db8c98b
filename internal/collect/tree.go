package collect

import (
	"iter"
	"strconv"
)

// maxNodes bounds the values of one JSON text that is read as a tree.
const maxNodes = 1 << 18

// tree is a JSON text whose members are read in any order. Its texts alias the
// source or the arena, its memory is used again by the next read.
type tree struct {
	nodes []node
	arena *arena
}

// node is a value: its name if it is a member, its text (of objects and arrays
// the source), the first of what it holds and the next of what holds it.
type node struct {
	kind        kind
	name, text  string
	child, next int32
}

// value is a place in a tree. The zero value is an absent one, which may be
// asked like any other.
type value struct {
	tree *tree
	at   int32
}

// read reads one JSON text, which is UTF-8, whole. why says what is wrong with
// it at a byte, "" if nothing.
func (t *tree) read(src []byte, a *arena) (root value, why string, at int) {
	t.nodes, t.arena = t.nodes[:0], a
	s := scanner{src: src, arena: a}
	t.value(&s, 1)
	if s.why == "" && !s.end() {
		s.fail("expected the end")
	}
	if s.why != "" {
		return value{}, s.why, s.pos
	}
	return value{t, 0}, "", 0
}

// value appends the next value of s with all that it holds.
func (t *tree) value(s *scanner, depth int) {
	at := len(t.nodes)
	if at == maxNodes {
		s.fail("it holds too many values")
		return
	}
	n := node{kind: s.kind()}
	start := s.pos
	t.nodes = append(t.nodes, n)
	switch n.kind {
	case kindString:
		n.text = s.str()
	case kindNumber:
		n.text, _ = s.number()
	case kindObject:
		n.child = t.list(s, depth, '}')
	case kindArray:
		n.child = t.list(s, depth, ']')
	default:
		s.skip()
	}
	if n.text == "" && n.kind != kindString && s.why == "" {
		n.text = text(s.src[start:s.pos])
	}
	t.nodes[at] = n
}

// list appends what an object or array holds and returns the first of it.
func (t *tree) list(s *scanner, depth int, end byte) (first int32) {
	if depth >= MaxDepth {
		s.fail("it is nested too deeply")
		return 0
	}
	s.pos++
	if s.peek() == end {
		s.pos++
		return 0
	}
	for last := int32(0); ; {
		name := ""
		if end == '}' {
			name = s.name()
		}
		if s.why != "" {
			return first
		}
		at := int32(len(t.nodes))
		t.value(s, depth+1)
		if s.why != "" {
			return first
		}
		t.nodes[at].name = name
		if last == 0 {
			first = at
		} else {
			t.nodes[last].next = at
		}
		last = at
		if !s.next(end) {
			return first
		}
	}
}

func (v value) node() *node {
	if v.tree == nil {
		return &node{}
	}
	return &v.tree.nodes[v.at]
}

// kind is the type of the value, kindNone if it is absent.
func (v value) kind() kind { return v.node().kind }

// there says whether the value is there and not null.
func (v value) there() bool { k := v.kind(); return k != kindNone && k != kindNull }

// get returns the member of an object with the first of names that is there. Of
// two members with one name the last stands.
func (v value) get(names ...string) (found value) {
	if v.kind() != kindObject {
		return value{}
	}
	for _, name := range names {
		for member, m := range v.members() {
			if member == name {
				found = m
			}
		}
		if found.there() {
			return found
		}
	}
	return found
}

// in follows a path of members.
func (v value) in(path ...string) value {
	for _, name := range path {
		v = v.get(name)
	}
	return v
}

// members walks over what an object or an array holds; in arrays the names are
// empty.
func (v value) members() iter.Seq2[string, value] {
	return func(yield func(string, value) bool) {
		n := v.node()
		for at := n.child; at != 0; at = v.tree.nodes[at].next {
			if !yield(v.tree.nodes[at].name, value{v.tree, at}) {
				return
			}
		}
	}
}

// text returns a string as it is, a number or a boolean as it was written, ""
// for anything else.
func (v value) text() string {
	switch n := v.node(); n.kind {
	case kindString, kindNumber, kindTrue, kindFalse:
		return n.text
	}
	return ""
}

// raw is the value as it was written; of strings their text.
func (v value) raw() string { return v.node().text }

// number returns a number, also one in a string.
func (v value) number() (f float64, ok bool) {
	switch n := v.node(); n.kind {
	case kindNumber, kindString:
		f, err := strconv.ParseFloat(n.text, 64)
		return f, err == nil && f-f == 0
	}
	return 0, false
}
