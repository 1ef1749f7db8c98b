package engine

import (
	"testing"

	"github.com/readership/readership/internal/event"
)

// FuzzPairs: the value of a FactPair gives what was put in, or less; what can
// be read is read again as it is written.
func FuzzPairs(f *testing.F) {
	f.Add(AppendPair(AppendPair(nil, "d1", "a7", 5, 1), "d2", "a8", 1<<60, 0))
	f.Fuzz(func(t *testing.T, value []byte) {
		var again []byte
		n := 0
		eachPair(value, func(device, account string, position event.Position, row uint32) {
			again = AppendPair(again, device, account, position, row)
			n++
		})
		m := 0
		eachPair(again, func(string, string, event.Position, uint32) { m++ })
		if n != m {
			t.Fatalf("%d pairs, read again %d", n, m)
		}
	})
}
