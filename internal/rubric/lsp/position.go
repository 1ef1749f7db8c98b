package lsp

import (
	"sort"
	"unicode/utf8"
)

// Encoding is the unit in which a client counts characters of a line.
type Encoding string

// Encodings. Clients that name none count in UTF-16.
const (
	UTF8  Encoding = "utf-8"
	UTF16 Encoding = "utf-16"
	UTF32 Encoding = "utf-32"
)

// width is how many units a code point has that takes size bytes. A byte that is
// no UTF-8 counts as one.
func (e Encoding) width(r rune, size int) int {
	switch {
	case e == UTF8:
		return size
	case e == UTF16 && r > 0xFFFF:
		return 2
	default:
		return 1
	}
}

// Position is a place between two characters: line and character from 0.
type Position struct {
	Line      uint32 `json:"line"`
	Character uint32 `json:"character"`
}

// Range is what lies between two positions, the end exclusive.
type Range struct {
	Start Position `json:"start"`
	End   Position `json:"end"`
}

// Text is a document as the protocol counts it: lines end with LF, CR LF or CR.
type Text struct {
	text  string
	lines []int // offsets of their first bytes
	unit  Encoding
}

// NewText lays out a text.
func NewText(text string, unit Encoding) *Text {
	t := &Text{text: text, lines: []int{0}, unit: unit}
	for i := range len(text) {
		if text[i] == '\n' || text[i] == '\r' && (i+1 == len(text) || text[i+1] != '\n') {
			t.lines = append(t.lines, i+1)
		}
	}
	return t
}

// end returns the offset of the end of a line, before the characters that end it.
func (t *Text) end(line int) int {
	if line+1 == len(t.lines) {
		return len(t.text)
	}
	end := t.lines[line+1] - 1
	if end > t.lines[line] && t.text[end] == '\n' && t.text[end-1] == '\r' {
		end--
	}
	return end
}

// Offset returns the byte at a position. One behind the end of a line is its end,
// one behind the last line the end of the text; one inside of a character is its
// beginning.
func (t *Text) Offset(p Position) int {
	if int64(p.Line) >= int64(len(t.lines)) {
		return len(t.text)
	}
	line := int(p.Line)
	at, end := t.lines[line], t.end(line)
	for n := int64(0); at < end; {
		r, size := utf8.DecodeRuneInString(t.text[at:end])
		if n += int64(t.unit.width(r, size)); n > int64(p.Character) {
			break
		}
		at += size
	}
	return at
}

// Position returns the position of a byte; offsets outside of the text are moved
// to its ends.
func (t *Text) Position(offset int) Position {
	offset = min(max(offset, 0), len(t.text))
	line := sort.SearchInts(t.lines, offset+1) - 1
	n := 0
	end := t.end(line)
	for at := t.lines[line]; at < min(offset, end); {
		r, size := utf8.DecodeRuneInString(t.text[at:end])
		if at+size > offset {
			break
		}
		n += t.unit.width(r, size)
		at += size
	}
	return Position{Line: uint32(line), Character: uint32(n)}
}

// Range returns the positions of a part of the text.
func (t *Text) Range(start, end int) Range {
	return Range{Start: t.Position(start), End: t.Position(end)}
}

// Change is a part of a text that was replaced, or without a range all of it.
type Change struct {
	Range *Range `json:"range"`
	Text  string `json:"text"`
}

// Apply returns the text after changes, each of which speaks of the text after
// those before it.
func Apply(text string, changes []Change, unit Encoding) string {
	for _, c := range changes {
		if c.Range == nil {
			text = c.Text
			continue
		}
		t := NewText(text, unit)
		start, end := t.Offset(c.Range.Start), t.Offset(c.Range.End)
		if end < start {
			start, end = end, start
		}
		text = text[:start] + c.Text + text[end:]
	}
	return text
}
