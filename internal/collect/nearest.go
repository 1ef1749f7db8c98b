package collect

// nearest returns the name that is like text, "" if none is.
func nearest(text string, names []string) string {
	best, at := "", max(1, len(text)/3)+1
	if len(text) > 64 {
		return ""
	}
	for _, name := range names {
		if d := distance(text, name); d < at {
			best, at = name, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete or replace to make b of a
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
