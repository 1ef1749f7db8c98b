package client

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxCell is the widest that a dimension is printed, in characters.
const maxCell = 60

// WriteTable writes an answer as a table: numbers to the right with commas, a
// bar behind the first metric of a ranking, a sparkline of each metric of a
// time series.
func WriteTable(w io.Writer, q *Query, r *Result) error {
	t := table{series: len(q.Dimensions) == 1 && TimeSeries(q.Dimensions)}
	t.header(q)
	top := 0.0
	for _, row := range r.Results {
		if len(row.Metrics) > 0 && row.Metrics[0] != nil {
			top = max(top, *row.Metrics[0])
		}
	}
	for _, row := range r.Results {
		t.row(q, row, top)
	}
	if r.Totals != nil && len(q.Dimensions) > 0 && len(r.Results) > 0 {
		total := Row{Dimensions: make([]string, len(q.Dimensions)), Metrics: r.Totals, Comparison: r.TotalsC}
		total.Dimensions[0] = "total"
		t.row(q, total, 0)
		t.total = true
	}
	var b strings.Builder
	if t.series && len(r.Results) > 1 {
		sparklines(&b, q, r)
	}
	if len(r.Results) == 0 {
		b.WriteString("no rows match\n")
	} else {
		t.write(&b)
	}
	for _, warning := range r.Meta.Warnings {
		fmt.Fprintf(&b, "note: %s\n", warning)
	}
	if r.Meta.AsOf != "" {
		fmt.Fprintf(&b, "as of %s, %s ms\n", r.Meta.AsOf, strconv.FormatFloat(r.Meta.TookMS, 'g', 3, 64))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// table gathers cells; each column is as wide as its widest cell.
type table struct {
	cells  [][]string
	left   int // columns that are set to the left
	series bool
	total  bool
}

func (t *table) header(q *Query) {
	t.left = len(q.Dimensions)
	head := slices.Clone(q.Dimensions)
	for _, m := range q.Metrics {
		head = append(head, m)
		if q.Compare != "" {
			head = append(head, "before", "change")
		}
	}
	t.cells = append(t.cells, append(head, ""))
}

func (t *table) row(q *Query, row Row, top float64) {
	var cells []string
	for _, d := range row.Dimensions {
		cells = append(cells, clip(d))
	}
	for i, v := range row.Metrics {
		cells = append(cells, number(v))
		if q.Compare != "" {
			before, change := "", ""
			if c := row.Comparison; c != nil && i < len(c.Metrics) && i < len(c.Change) {
				before = number(c.Metrics[i])
				if c.Change[i] != nil {
					change = fmt.Sprintf("%+.1f %%", 100**c.Change[i])
				}
			}
			cells = append(cells, before, change)
		}
	}
	behind := ""
	if top > 0 && len(row.Metrics) > 0 && row.Metrics[0] != nil {
		behind = bar(*row.Metrics[0]/top, 20)
	}
	t.cells = append(t.cells, append(cells, behind))
}

func (t *table) write(b *strings.Builder) {
	width := make([]int, len(t.cells[0]))
	for _, row := range t.cells {
		for i, cell := range row {
			if i < len(width) {
				width[i] = max(width[i], utf8.RuneCountInString(cell))
			}
		}
	}
	for n, row := range t.cells {
		if t.total && n == len(t.cells)-1 {
			rule(b, width)
		}
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", max(0, width[min(i, len(width)-1)]-utf8.RuneCountInString(cell)))
			if i > 0 {
				line.WriteString("  ")
			}
			if i < t.left || i == len(row)-1 {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
		if n == 0 {
			rule(b, width)
		}
	}
}

func rule(b *strings.Builder, width []int) {
	sum := 0
	for _, w := range width {
		sum += w + 2
	}
	b.WriteString(strings.Repeat("─", max(0, sum-2)))
	b.WriteByte('\n')
}

// clip cuts a long text in its middle.
func clip(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if utf8.RuneCountInString(text) <= maxCell {
		return text
	}
	runes := []rune(text)
	return string(runes[:maxCell/2]) + "…" + string(runes[len(runes)-maxCell/2+1:])
}

// number writes a metric: whole numbers with commas, others with two digits.
func number(v *float64) string {
	if v == nil {
		return "–"
	}
	if *v == math.Trunc(*v) && math.Abs(*v) < 1e15 {
		return commas(strconv.FormatFloat(*v, 'f', 0, 64))
	}
	return commas(strconv.FormatFloat(*v, 'f', 2, 64))
}

func commas(digits string) string {
	whole, rest, _ := strings.Cut(digits, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		return whole + "." + rest
	}
	return whole
}

// bar draws a share of 0..1 in eighths of a cell.
func bar(share float64, width int) string {
	eighths := int(min(1, max(0, share))*float64(width*8) + 0.5)
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune(" ▏▎▍▌▋▊▉")[rest])
	}
	return text
}
