package visit_test

import (
	"bytes"
	"testing"

	"github.com/readership/readership/internal/engine/visit"
)

// FuzzDecodeChunk: bytes of a checkpoint are refused or read back as written.
func FuzzDecodeChunk(f *testing.F) {
	f.Add((&visit.Chunk{Number: 3, Day: 20000, Visits: []visit.Visit{{Start: 1, Duration: 2, Prev: 3, Row: 4, Last: 5, Views: 6, Flags: 7}}}).Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := visit.DecodeChunk(data)
		if err != nil {
			return
		}
		again := c.Append(nil)
		second, err := visit.DecodeChunk(again)
		if err != nil || !bytes.Equal(second.Append(nil), again) {
			t.Fatalf("a chunk of %d visits does not come back as written: %v", len(c.Visits), err)
		}
	})
}
