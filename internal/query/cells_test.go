package query

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A column that is seldom set ends before rows that are counted.
func TestMulAddBehindTheEnd(t *testing.T) {
	for first, want := range map[int][]uint32{0: {7, 9, 0}, 1: {9, 0, 0}, 2: {0, 0, 0}, 5: {0, 0, 0}} {
		for _, c := range []cells{
			{width: 1, n: 2, c8: []uint8{7, 9}},
			{width: 2, n: 2, c16: []uint16{7, 9}},
			{width: 4, n: 2, c32: []uint32{7, 9}},
		} {
			got := make([]uint32, 3)
			c.mulAdd(got, 0, first, nil)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("width %d from row %d (-want +got):\n%s", c.width, first, diff)
			}
		}
	}
}
