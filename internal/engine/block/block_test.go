package block_test

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
)

func drawBlock(t *rapid.T) *block.Builder {
	b := block.NewBuilder(uint16(rapid.IntRange(0, 60000).Draw(t, "id")), rapid.IntRange(-10, 30000).Draw(t, "day"), block.Kind(rapid.IntRange(0, int(block.NumKinds)-1).Draw(t, "kind")))
	for range rapid.IntRange(0, 200).Draw(t, "rows") {
		row := block.Row{
			Time: uint32(rapid.IntRange(0, block.DayMillis-1).Draw(t, "time")), Subject: rapid.Uint32().Draw(t, "subject"),
			PageView: rapid.Bool().Draw(t, "pv"), HasValue: rapid.Bool().Draw(t, "hv"), Value: rapid.Int64().Draw(t, "value"),
			Engaged: rapid.SampledFrom([]uint32{0, 0, 1000, 5000, 1234, 1 << 31}).Draw(t, "engaged"), Scroll: uint8(rapid.IntRange(0, 100).Draw(t, "scroll")),
			Pair: rapid.Uint32().Draw(t, "pair"), Marks: rapid.SampledFrom([]uint8{0, 0, block.MarkProven, block.MarkJoined}).Draw(t, "marks"),
		}
		i := b.Append(&row)
		for c := range 4 {
			if rapid.Bool().Draw(t, "has") {
				b.Set(i, c, uint32(rapid.SampledFrom([]int{1, 1, 1, 2, 255, 256, 65535, 65536, 1 << 20}).Draw(t, "code")))
			}
		}
		if rapid.Bool().Draw(t, "local") {
			b.Set(i, 5, b.Local(5).Code(fmt.Sprint(rapid.IntRange(0, 300).Draw(t, "text")), event.Kind(rapid.IntRange(0, 2).Draw(t, "kind"))))
		}
	}
	if rapid.Bool().Draw(t, "seal") {
		b.Seal()
	}
	return b
}

// TestRestore: a block restored from its bytes writes the same bytes.
func TestRestore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBlock(t)
		rows, attention := b.Snapshot().AppendRows(nil), b.Snapshot().AppendAttention(nil)
		got, err := block.Restore(rows, attention)
		if err != nil {
			t.Fatal(err)
		}
		if again := got.Snapshot().AppendRows(nil); !bytes.Equal(again, rows) {
			t.Fatalf("rows differ after a round trip: %d and %d bytes", len(rows), len(again))
		}
		for i := range b.N() {
			if w, g := b.EngagedMillis(i), got.EngagedMillis(i); w != g {
				t.Fatalf("row %d: engaged %d, want %d", i, g, w)
			}
			if w, g := b.Snapshot().ScrollPercent(i), got.Snapshot().ScrollPercent(i); w != g {
				t.Fatalf("row %d: scroll %d, want %d", i, g, w)
			}
		}
	})
}

// TestSnapshotsDoNotChange: what a reader holds stays as it was while the
// writer goes on.
func TestSnapshotsDoNotChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBlock(t)
		held := b.Snapshot()
		before, attention := held.AppendRows(nil), make([]uint32, held.N)
		for i := range attention {
			attention[i] = held.EngagedMillis(i)
		}
		for i := range held.N {
			b.Engage(i, 1500, 90)
		}
		if !b.Sealed {
			for c := range 300 {
				i := b.Append(&block.Row{Time: uint32(c), Subject: 1, PageView: true})
				b.Set(i, 0, uint32(c*300))
			}
		}
		if !bytes.Equal(held.AppendRows(nil), before) {
			t.Fatal("a held block has changed")
		}
		for i := range attention {
			if held.EngagedMillis(i) != attention[i] {
				t.Fatalf("row %d: attention of a held block has changed", i)
			}
		}
	})
}

func FuzzRestore(f *testing.F) {
	b := block.NewBuilder(1, 20000, block.Plain)
	for i := range 20 {
		n := b.Append(&block.Row{Time: uint32(i), Subject: uint32(i), PageView: true, Engaged: 1500, HasValue: true, Value: 7})
		b.Set(n, 0, uint32(i*40))
		b.Set(n, 1, b.Local(1).Code(fmt.Sprint(i), event.KindString))
	}
	s := b.Snapshot()
	f.Add(s.AppendRows(nil), s.AppendAttention(nil))
	f.Fuzz(func(t *testing.T, rows, attention []byte) {
		got, err := block.Restore(rows, attention)
		if err != nil {
			return
		}
		v := got.Snapshot()
		for i := range v.N {
			v.EngagedMillis(i)
			for _, c := range v.Columns {
				if c != nil && c.Local != nil && int(c.At(i)) >= len(c.Local.Texts) {
					t.Fatal("code points outside the dictionary")
				}
			}
		}
	})
}

// TestPresentCodes: a sealed block knows which codes occur, also when restored.
func TestPresentCodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBlock(t)
		b.Seal()
		restored, err := block.Restore(b.Snapshot().AppendRows(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*block.Block{b.Snapshot(), restored.Snapshot()} {
			for n, c := range s.Columns {
				if c == nil || c.Present == nil {
					if c != nil && c.Local == nil && (c.Width == 1 || c.Width == 2) {
						t.Fatalf("column %d does not know its codes", n)
					}
					continue
				}
				want := map[uint32]bool{}
				for i := range s.N {
					want[c.At(i)] = true
				}
				for code := range uint32(64 * len(c.Present)) {
					if got := c.Present[code/64]&(1<<(code%64)) != 0; got != want[code] {
						t.Fatalf("column %d, code %d: present is %v", n, code, got)
					}
				}
			}
		}
	})
}
