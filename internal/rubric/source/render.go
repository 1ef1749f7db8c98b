package source

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shownPoints is how much of a line is shown; longer ones are cut around the
// span.
const shownPoints = 160

// Render shows diagnostics as text: for each its place and message, the line,
// and carets under the span with the hint behind them. Lines come from the
// files with the diagnostics' names; without the file there is no line.
func Render(diagnostics []Diagnostic, files ...*File) string {
	var b strings.Builder
	for _, d := range diagnostics {
		fmt.Fprintln(&b, d)
		if f := named(files, d.File); f != nil {
			b.WriteString(f.excerpt(d))
		} else if d.Hint != "" {
			fmt.Fprintf(&b, "    %s\n", d.Hint)
		}
		for _, r := range d.Related {
			fmt.Fprintf(&b, "%s:%d:%d: note: %s\n", r.File, r.Line, r.Column, r.Message)
		}
	}
	return b.String()
}

func named(files []*File, name string) *File {
	for _, f := range files {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// excerpt returns the line of a diagnostic and the line of carets below it.
func (f *File) excerpt(d Diagnostic) string {
	line := split(f.Line(d.Line))
	from, to := d.Column-1, max(d.EndColumn-1, d.Column)
	before, after := "", ""
	if len(line) > shownPoints {
		first := max(0, min(from-shownPoints/4, len(line)-shownPoints))
		last := min(len(line), first+shownPoints)
		if first > 0 {
			before = "…"
		}
		if last < len(line) {
			after = "…"
		}
		line = line[first:last]
		from, to = from-first, min(to-first, len(line))
	}
	var pad strings.Builder
	for i, point := range line {
		if i >= from {
			break
		}
		if point == "\t" {
			pad.WriteByte('\t')
		} else {
			pad.WriteByte(' ')
		}
	}
	number := fmt.Sprint(d.Line)
	text := strings.TrimRight(strings.Join(line, ""), " \t")
	carets := strings.Repeat("^", max(1, to-from))
	under := strings.TrimRight(strings.Repeat(" ", utf8.RuneCountInString(before))+pad.String()+carets+" "+d.Hint, " ")
	return fmt.Sprintf("  %s | %s%s%s\n  %s | %s\n", number, before, text, after, strings.Repeat(" ", len(number)), under)
}

// split cuts a line into its code points as columns count them. What cannot be
// printed becomes the replacement character.
func split(line string) []string {
	var out []string
	for i := 0; i < len(line); {
		end := i + 1
		for end < len(line) && !startsPoint(line[end]) {
			end++
		}
		point := line[i:end]
		if r, size := utf8.DecodeRuneInString(point); size != len(point) || r == utf8.RuneError || !unicode.IsPrint(r) && r != '\t' {
			point = "\uFFFD"
		}
		out = append(out, point)
		i = end
	}
	return out
}
