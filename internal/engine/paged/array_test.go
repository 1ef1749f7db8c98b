package paged

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestLoad: what is loaded page by page is what was there, takes no more
// memory, and goes on as before.
func TestLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := slices.Repeat(rapid.SliceOfN(rapid.Uint16(), 0, 100).Draw(t, "values"), rapid.IntRange(1, 10).Draw(t, "times"))
		a, whole, pages := New[uint16](256), New[uint16](256), New[uint16](256)
		for _, v := range values {
			a.Append(v)
		}
		s := a.Snapshot()
		s.Pages(func(_ int, page []uint16) bool { pages.Load(page); return true })
		whole.Load(values)
		for _, loaded := range []*Array[uint16]{whole, pages} {
			if loaded.Bytes() > a.Bytes() {
				t.Fatalf("%d values take %d bytes when loaded, before %d", len(values), loaded.Bytes(), a.Bytes())
			}
			if n := loaded.Dirty(func(int) {}); n > 0 {
				t.Fatalf("%d pages are to be saved again", n)
			}
			loaded.Append(7)
			if loaded.Len() > 1 {
				*loaded.Mut(0)++
			}
			var got []uint16
			after := loaded.Snapshot()
			after.Pages(func(_ int, page []uint16) bool { got = append(got, page...); return true })
			var changed []int
			loaded.Dirty(func(page int) { changed = append(changed, page) })
			if last := len(values) / 128; !slices.Contains(changed, last) || !slices.Contains(changed, 0) && loaded.Len() > 1 {
				t.Fatalf("of %d values the first and the last have changed, to be saved are the pages %v", loaded.Len(), changed)
			}
			want := append(slices.Clone(values), 7)
			if len(want) > 1 {
				want[0]++
			}
			if !slices.Equal(got, want) {
				t.Fatalf("loaded %v, want %v", got, want)
			}
		}
	})
}
