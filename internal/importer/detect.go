package importer

import (
	"bytes"
	"fmt"
)

// detectLines is how many lines at the head of a file the format is judged by.
const detectLines = 200

// detect finds the format of a log by the head of a file, whose last line may
// be cut.
func detect(head []byte) (Format, error) {
	var score [numFormat]int
	var entry Entry
	parsers := [numFormat]Parser{}
	for f := range parsers {
		parsers[f].Format = Format(f)
	}
	first := []byte(nil)
	for n := 0; n < detectLines && len(head) > 0; n++ {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		head = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 || !whole && n > 0 {
			continue
		}
		if first == nil {
			first = line
		}
		for f := range parsers {
			if parsers[f].Parse(line, &entry) == nil {
				score[f]++
			}
		}
	}
	// A line of a format also reads as one with fewer fields, so the richer
	// format wins unless it fails where the poorer one reads.
	best := Common
	for _, f := range []Format{Combined, VHost} {
		if score[f] > 0 && 2*score[f] >= score[best] {
			best = f
		}
	}
	for f := NginxJSON; f < numFormat; f++ {
		if score[f] > score[best] {
			best = f
		}
	}
	if score[best] > 0 {
		return best, nil
	}
	if len(first) == 0 {
		return Combined, nil // an empty file has nothing to judge by
	}
	err := parsers[Combined].Parse(first, &entry)
	return 0, fmt.Errorf("none of its first lines is of an access-log format that is known (%s); as combined the first one fails at %v", FormatNames(), err)
}
