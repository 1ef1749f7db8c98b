package client

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxSpark is the widest sparkline, in characters; of longer series the greatest
// of each group of neighbours is drawn.
const maxSpark = 96

var levels = []rune("▁▂▃▄▅▆▇█")

// Sparkline draws values as a line of bars whose base is zero; a missing value
// is a blank.
func Sparkline(values []*float64) string {
	top := 0.0
	for _, v := range values {
		if v != nil {
			top = max(top, *v)
		}
	}
	var b strings.Builder
	for _, v := range values {
		switch {
		case v == nil:
			b.WriteByte(' ')
		case top <= 0:
			b.WriteRune(levels[0])
		default:
			b.WriteRune(levels[min(len(levels)-1, int(max(0, *v)/top*float64(len(levels)-1)+0.5))])
		}
	}
	return b.String()
}

// sparklines writes a line for each metric of a time series, gaps included.
func sparklines(b *strings.Builder, q *Query, r *Result) {
	at := make(map[string]int, len(r.Results))
	for i, row := range r.Results {
		if len(row.Dimensions) > 0 {
			at[row.Dimensions[0]] = i
		}
	}
	labels := r.Meta.TimeLabels
	if len(labels) == 0 {
		for _, row := range r.Results {
			labels = append(labels, row.Dimensions[0])
		}
	}
	width := 0
	for _, m := range q.Metrics {
		width = max(width, utf8.RuneCountInString(m))
	}
	for i, m := range q.Metrics {
		values := make([]*float64, len(labels))
		for k, label := range labels {
			if n, ok := at[label]; ok && i < len(r.Results[n].Metrics) {
				values[k] = r.Results[n].Metrics[i]
			}
		}
		fmt.Fprintf(b, "%-*s  %s\n", width, m, Sparkline(shorten(values, maxSpark)))
	}
	b.WriteByte('\n')
}

// shorten takes the greatest of each group of neighbours, so that at most n are
// left and peaks stay.
func shorten(values []*float64, n int) []*float64 {
	if len(values) <= n {
		return values
	}
	out := make([]*float64, 0, n)
	for i := range n {
		var top *float64
		for _, v := range values[i*len(values)/n : (i+1)*len(values)/n] {
			if v != nil && (top == nil || *v > *top) {
				top = v
			}
		}
		out = append(out, top)
	}
	return out
}
