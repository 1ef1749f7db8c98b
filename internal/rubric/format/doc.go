package format

import (
	"strings"
	"unicode/utf8"
)

// A doc is text that may be laid out on one line or several, after P. Wadler,
// "A prettier printer" (2003), with groups that break as a whole.
type doc any

type (
	// seq is one doc after another.
	seq []doc

	// group stands on one line if it fits, else all its own breaks are taken.
	group []doc

	// nest indents the lines that begin in it by one step.
	nest []doc

	// breakable is a place where a line may end; if it does not, it is its text.
	breakable string

	// hard is a place where a line ends.
	hard struct{}

	// blank is an empty line, before a hard break.
	blank struct{}
)

const (
	space = breakable(" ")
	soft  = breakable("")
)

const (
	width  = 130 // of a line, in code points
	indent = "  "
)

// endless is the width of what has a hard break.
const endless = 1 << 30

// flat returns the width of d on one line.
func flat(d doc) int {
	switch d := d.(type) {
	case string:
		return utf8.RuneCountInString(d)
	case breakable:
		return len(d)
	case seq:
		return sum(d)
	case group:
		return sum(d)
	case nest:
		return sum(d)
	default:
		return endless
	}
}

// sum returns the width of docs on one line, or of the first of them that are
// too wide for any.
func sum(docs []doc) int {
	n := 0
	for _, d := range docs {
		if n += flat(d); n > width {
			return n
		}
	}
	return n
}

// layout writes docs.
type layout struct {
	b      strings.Builder
	column int
}

func (l *layout) text(s string) {
	l.b.WriteString(s)
	l.column += utf8.RuneCountInString(s)
}

// line ends a line and indents the next.
func (l *layout) line(level int) {
	l.b.WriteByte('\n')
	l.column = 0
	l.text(strings.Repeat(indent, level))
}

// write lays out d. Breaks of its own are taken if broken.
func (l *layout) write(d doc, level int, broken bool) {
	switch d := d.(type) {
	case string:
		l.text(d)
	case hard:
		l.line(level)
	case blank:
		l.b.WriteByte('\n')
	case *item:
		d.write(l, level)
	case breakable:
		if broken {
			l.line(level)
		} else {
			l.text(string(d))
		}
	case seq:
		l.all(d, level, broken)
	case nest:
		l.all(d, level+1, broken)
	case group:
		l.all(d, level, l.column+sum(d) > width)
	}
}

func (l *layout) all(docs []doc, level int, broken bool) {
	for _, d := range docs {
		l.write(d, level, broken)
	}
}
