package visit_test

import (
	"bytes"
	"testing"

	"github.com/readership/readership/internal/engine/block"
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

// TestRepairOfOneInstant: which row begins a visit and which ends it does not depend
// on the order in which the rows that are left are found.
func TestRepairOfOneInstant(t *testing.T) {
	const at = 20412 * block.DayMillis
	points := []visit.Point{{Time: at, Row: 1, PageView: true}, {Time: at, Row: 2, PageView: true}, {Time: at, Row: 3, PageView: true}}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		table := visit.NewTable()
		var left []visit.Point
		head := visit.ID(0)
		for i := range points {
			head, _ = table.Add(head, &points[i], func(block.RowID) int64 { return at })
			left = append(left, points[order[i]])
		}
		table.Repair(head, left)
		if v, _, ok := table.At(head); !ok || v.Row != 1 || v.Last != 3 || v.Views != 3 {
			t.Errorf("%v: %+v", order, v)
		}
	}
}
