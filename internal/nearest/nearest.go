// Package nearest finds the known name that a mistyped one most likely meant.
package nearest

import (
	"fmt"
	"strings"
)

// maxBytes is how much of a name is compared.
const maxBytes = 64

// Closest returns the candidate with the smallest edit distance to name, case
// aside, the first in order of those that are equal; "" without candidates.
func Closest(name string, candidates []string) string {
	return closest(name, candidates, 2*maxBytes+1)
}

// Match is Closest, but "" where nothing is near enough to have been meant:
// within a third of the name's length, and two edits at least.
func Match(name string, candidates []string) string {
	return closest(name, candidates, max(2, min(len(name), maxBytes)/3)+1)
}

// DidYouMean is the end of a message about an unknown name, "" without a Match.
func DidYouMean(name string, candidates []string) string {
	if match := Match(name, candidates); match != "" {
		return fmt.Sprintf("; did you mean %q?", match)
	}
	return ""
}

// closest returns the candidate whose distance is smallest and below limit.
func closest(name string, candidates []string, limit int) string {
	best, least := "", limit
	lower := strings.ToLower(name)
	for _, c := range candidates {
		d := distance(lower, strings.ToLower(c), limit)
		if d < least || d == least && d < limit && c < best {
			best, least = c, d
		}
	}
	return best
}

// distance returns the Levenshtein distance of a and b in bytes, or limit if it
// is not below that.
func distance(a, b string, limit int) int {
	a, b = a[:min(len(a), maxBytes)], b[:min(len(b), maxBytes)]
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	var row [maxBytes + 1]int
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
