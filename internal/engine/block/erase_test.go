package block_test

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/event"
)

// TestErase: erased rows have no time, are in no count and, once purged, hold
// nothing; all other rows, and what readers hold, stay as they were, also in a
// checkpoint.
func TestErase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBlock(t)
		if b.N() == 0 {
			return
		}
		held := b.Snapshot()
		before := held.AppendRows(nil)
		gone := rapid.SliceOfNDistinct(rapid.IntRange(0, b.N()-1), 0, b.N(), rapid.ID).Draw(t, "gone")
		isView := func(int) bool { return false } // which were, drawBlock does not tell
		total := func(c *[block.Buckets]uint32) (n int) {
			for _, v := range c {
				n += int(v)
			}
			return n
		}
		b.Erase(gone, isView)
		b.Erase(gone, isView) // once is enough
		events := held.N - len(gone)
		if b.Kind == block.Decisions {
			events = 0
		}
		if got := total(b.Snapshot().Events); got != events {
			t.Fatalf("%d events are counted, want %d", got, events)
		}
		text := func(c *block.Column, row int) any {
			if c == nil || c.At(row) == 0 {
				return nil
			}
			if c.Local != nil {
				return c.Local.Texts[c.At(row)]
			}
			return c.At(row)
		}
		check := func(s *block.Block, purged bool) {
			for row := range held.N {
				if slices.Contains(gone, row) != (s.Time[row] == block.Gone) {
					t.Fatalf("row %d has time %d", row, s.Time[row])
				}
				if s.Time[row] == block.Gone {
					if purged && slices.ContainsFunc(s.Columns, func(c *block.Column) bool { return text(c, row) != nil }) {
						t.Fatalf("row %d still holds something", row)
					}
					continue
				}
				if s.Unix(row) != held.Unix(row) || s.Subject[row] != held.Subject[row] || s.MarksOf(row) != held.MarksOf(row) ||
					b.Kind == block.Copies && s.Pair[row] != held.Pair[row] {
					t.Fatalf("row %d has changed", row)
				}
				for c := range held.Columns {
					if w, g := text(held.ColumnAt(c), row), text(s.ColumnAt(c), row); w != g {
						t.Fatalf("row %d, column %d: %v, want %v", row, c, g, w)
					}
				}
			}
		}
		restored := func() *block.Builder {
			r, err := block.Restore(b.Snapshot().AppendRows(nil), b.Snapshot().AppendAttention(nil))
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		check(b.Snapshot(), false)
		check(restored().Snapshot(), false)
		b = restored()
		lost := map[uint32]bool{}
		if did := b.Purge(func(c int, code uint32) {
			if c < 4 {
				lost[code] = true
			}
		}); did != (len(gone) > 0) {
			t.Fatalf("purged: %v", did)
		}
		check(b.Snapshot(), true)
		check(restored().Snapshot(), true)
		if again := restored().Purge(func(int, uint32) { t.Fatal("a purged row loses more") }); again != (len(gone) > 0) && again {
			t.Fatal("purged twice")
		}
		kept := map[string]bool{}
		for row := range held.N {
			if !slices.Contains(gone, row) {
				if v, ok := text(held.ColumnAt(5), row).(string); ok {
					kept[v] = true
				}
			}
		}
		if c := b.Snapshot().ColumnAt(5); c != nil && c.Local != nil && len(gone) > 0 {
			for _, v := range c.Local.Texts {
				if v != "" && !kept[v] {
					t.Fatalf("%q is still in the dictionary", v)
				}
			}
		}
		for code := range lost {
			want := false
			for row := range held.N {
				want = want || !slices.Contains(gone, row) && b.CodeOf(row, 0) == code
			}
			codes := map[uint32]bool{code: true}
			if b.Used(0, codes); codes[code] == want {
				t.Fatalf("code %d is used: %v", code, !want)
			}
		}
		if !b.Sealed {
			i := b.Append(&block.Row{Time: 5, Subject: 7})
			b.Set(i, 5, b.Local(5).Code("new", event.KindString))
			if b.Snapshot().Time[i] != 5 {
				t.Fatal("no row can be added")
			}
		}
		if !bytes.Equal(held.AppendRows(nil), before) {
			t.Fatal("a held block has changed")
		}
	})
}

// TestRemovedTextIsLetGo: a dictionary without a value shares no memory with the one
// that had it, though the value's chunk has others' texts.
func TestRemovedTextIsLetGo(t *testing.T) {
	d := block.NewDict()
	long := strings.Repeat("x", 40<<10) // has memory of its own
	texts := []string{"ours", "the erased reader's", "theirs", long, ""}
	for _, text := range texts {
		d.Code(text, event.KindString)
	}
	before := d.View()
	chunk := weak.Make(unsafe.StringData(before.Texts[1]))
	out := d.Without([]uint32{2})
	for code, text := range before.Texts {
		switch got, kind := out.Text(uint32(code)); {
		case code == 2 && (got != "" || kind != block.Removed), code != 2 && got != text:
			t.Errorf("%d is %q", code, got)
		case len(got) > 0 && unsafe.StringData(got) == unsafe.StringData(text):
			t.Errorf("%d is where it was", code)
		}
	}
	if out.Find("theirs", event.KindString) != 3 || out.Find(texts[1], event.KindString) != 0 || out.Code("new", event.KindString) != 6 {
		t.Error("codes have changed")
	}
	if want := d.Bytes() - int64(len(texts[1])) + int64(len("new")) + 17; out.Bytes() != want {
		t.Errorf("%d bytes, want %d", out.Bytes(), want)
	}
	before, d = block.DictView{}, nil
	for range 3 {
		runtime.GC()
	}
	if chunk.Value() != nil {
		t.Error("the memory of what was removed is held")
	}
	runtime.KeepAlive(out)
}
