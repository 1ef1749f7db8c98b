package query

import (
	"fmt"
	"strings"
)

// nearest returns the candidate that a mistyped name most likely meant, "" if
// none is near.
func nearest(name string, candidates []string) string {
	limit := max(2, len(name)/3) + 1
	best, distance := "", limit
	lower := strings.ToLower(name)
	for _, c := range candidates {
		d := editDistance(lower, strings.ToLower(c), limit)
		if d < distance || d == distance && d < limit && c < best {
			best, distance = c, d
		}
	}
	return best
}

// didYouMean is the end of a message about an unknown name.
func didYouMean(name string, candidates []string) string {
	if near := nearest(name, candidates); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// editDistance returns the Levenshtein distance of a and b, or limit if it is
// not below that. It looks at the first 64 bytes.
func editDistance(a, b string, limit int) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	var row [65]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return min(row[len(b)], limit)
}
