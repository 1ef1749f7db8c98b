// Package source holds the text of programs, places in it, and what is said
// about those places.
//
// A File is one text under a name. A Span is a part of it in bytes; a Position
// is what people see: line and column, from 1, columns in code points. A
// Diagnostic is one error or warning at a span. Render shows diagnostics with
// the line they speak of.
package source

import (
	"sort"
	"strings"
)

// MaxBytes is the largest text of a file that is parsed.
const MaxBytes = 1 << 20

// Span is the part of a file's text from byte Start up to, not including, byte
// End. Nodes of the syntax tree embed it.
type Span struct{ Start, End int }

// Range returns the span itself: what embeds a Span has its place.
func (s Span) Range() Span { return s }

// To returns the span from the start of s to the end of t.
func (s Span) To(t Span) Span { return Span{s.Start, t.End} }

// Position is a place as people count: line and column from 1, the column in
// code points.
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// File is a text with a name. It does not change and may be shared.
type File struct {
	Name string
	Text string

	lines []int // offset of the first byte of each line
	marks []int // code points before each multiple of markEvery
}

const markEvery = 256

// NewFile returns a file. Line ends are LF or CR LF.
func NewFile(name, text string) *File {
	f := &File{Name: name, Text: text, lines: []int{0}, marks: make([]int, 0, len(text)/markEvery+1)}
	points := 0
	for i := range len(text) {
		if i%markEvery == 0 {
			f.marks = append(f.marks, points)
		}
		if startsPoint(text[i]) {
			points++
		}
		if text[i] == '\n' {
			f.lines = append(f.lines, i+1)
		}
	}
	return f
}

// startsPoint tells whether b is the first byte of a code point. In a text that
// is not UTF-8, stray continuation bytes count with what is before them.
func startsPoint(b byte) bool { return b&0xC0 != 0x80 }

// Position returns the place of a byte; offsets outside of the text are moved
// to its ends. Its cost does not depend on the length of lines.
func (f *File) Position(offset int) Position {
	offset = min(max(offset, 0), len(f.Text))
	line := sort.SearchInts(f.lines, offset+1)
	return Position{Line: line, Column: f.points(offset) - f.points(f.lines[line-1]) + 1}
}

// points returns the number of code points before offset.
func (f *File) points(offset int) int {
	if len(f.marks) == 0 {
		return 0
	}
	mark := min(offset/markEvery, len(f.marks)-1)
	n := f.marks[mark]
	for i := mark * markEvery; i < offset; i++ {
		if startsPoint(f.Text[i]) {
			n++
		}
	}
	return n
}

// Slice returns the text of a span.
func (f *File) Slice(s Span) string { return f.Text[s.Start:s.End] }

// Line returns the text of line n without its end, "" if there is no such line.
func (f *File) Line(n int) string {
	if n < 1 || n > len(f.lines) {
		return ""
	}
	end := len(f.Text)
	if n < len(f.lines) {
		end = f.lines[n] - 1
	}
	return strings.TrimSuffix(f.Text[f.lines[n-1]:end], "\r")
}

// Offset returns the byte that a position is of; those outside of the text are
// moved to the ends of their line and of the text.
func (f *File) Offset(p Position) int {
	if p.Line < 1 {
		return 0
	}
	if p.Line > len(f.lines) {
		return len(f.Text)
	}
	at := f.lines[p.Line-1]
	end := len(f.Text)
	if p.Line < len(f.lines) {
		end = f.lines[p.Line] - 1
	}
	for column := 1; column < p.Column && at < end; column++ {
		for at++; at < end && !startsPoint(f.Text[at]); at++ {
		}
	}
	return at
}
