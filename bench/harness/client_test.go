package harness

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

func TestWholeLinesCutAfterALineBreak(t *testing.T) {
	const text = "one\ntwo\nthree\nfour"
	for _, limit := range []int{1, 3, 4, 5, 8, 100} {
		r := bufio.NewReaderSize(strings.NewReader(text), 16)
		joined := ""
		for {
			if _, err := r.Peek(1); err != nil {
				break
			}
			part, err := io.ReadAll(&wholeLines{r: r, left: limit})
			if err != nil {
				t.Fatal(err)
			}
			joined += string(part)
			if joined != text && !strings.HasSuffix(joined, "\n") {
				t.Fatalf("limit %d cuts %q inside a line", limit, part)
			}
		}
		if joined != text {
			t.Errorf("limit %d: the parts are %q", limit, joined)
		}
	}
}
