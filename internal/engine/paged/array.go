// Package paged holds growable arrays whose snapshots cost a slice of page
// pointers. One writer changes an Array; readers hold Snapshots. A page that a
// snapshot may see is copied before it is first changed, so readers take no
// lock and see nothing newer, and a checkpoint writes only pages that changed.
package paged

import "unsafe"

// Array is a growable array of pointer-free values in pages of equal length.
// It belongs to one goroutine.
type Array[T any] struct {
	pages  [][]T
	own    []uint32 // epoch in which the page became private to the writer
	dirty  []bool   // page has changed since Dirty last took it
	shift  uint
	mask   int
	n      int
	epoch  uint32
	shared bool // pages itself may be seen by a snapshot
}

// Snapshot is an Array as it was at one instant. It is immutable.
type Snapshot[T any] struct {
	pages [][]T
	shift uint
	mask  int
	n     int
}

// New returns an empty array with pages of the largest power of two of values
// that fits pageBytes.
func New[T any](pageBytes int) *Array[T] {
	var v T
	shift := uint(0)
	for int(unsafe.Sizeof(v))<<(shift+1) <= pageBytes {
		shift++
	}
	return &Array[T]{shift: shift, mask: 1<<shift - 1, epoch: 1}
}

// Len returns the number of values.
func (a *Array[T]) Len() int { return a.n }

// At returns the value at i.
func (a *Array[T]) At(i int) T { return a.pages[i>>a.shift][i&a.mask] }

// Ptr returns the value at i for reading. The pointer is valid until the next
// change of the array.
func (a *Array[T]) Ptr(i int) *T { return &a.pages[i>>a.shift][i&a.mask] }

// Mut returns the value at i for changing, private to the writer.
func (a *Array[T]) Mut(i int) *T {
	p := i >> a.shift
	if a.own[p] != a.epoch {
		a.copyPage(p)
	}
	return &a.pages[p][i&a.mask]
}

// Span returns the n values from i on for reading. They must lie in one page:
// n is a power of two that pages hold, and i a multiple of it.
func (a *Array[T]) Span(i, n int) []T { return a.pages[i>>a.shift][i&a.mask:][:n:n] }

// MutSpan returns the n values from i on for changing, as Span does.
func (a *Array[T]) MutSpan(i, n int) []T {
	p := i >> a.shift
	if a.own[p] != a.epoch {
		a.copyPage(p)
	}
	return a.pages[p][i&a.mask:][:n:n]
}

func (a *Array[T]) copyPage(p int) {
	if a.shared {
		a.pages = append(make([][]T, 0, len(a.pages)+len(a.pages)/4+1), a.pages...)
		a.shared = false
	}
	a.pages[p] = append(make([]T, 0, cap(a.pages[p])), a.pages[p]...)
	a.own[p] = a.epoch
	a.dirty[p] = true
}

// Append adds v and returns its index.
func (a *Array[T]) Append(v T) int {
	i := a.n
	p := i >> a.shift
	if p == len(a.pages) {
		// The first page grows, so that a small array stays small.
		size := a.mask + 1
		if p == 0 && size > 64 {
			size = 64
		}
		a.pages = append(a.pages, make([]T, 0, size))
		a.own = append(a.own, a.epoch)
		a.dirty = append(a.dirty, true)
	}
	page := a.pages[p]
	if len(page) == cap(page) {
		size := min(2*cap(page), a.mask+1)
		page = append(make([]T, 0, size), page...)
		if a.shared {
			a.pages = append(make([][]T, 0, len(a.pages)+1), a.pages...)
			a.shared = false
		}
		a.own[p] = a.epoch
	}
	if a.shared {
		// Readers hold their own length; the outer slice is copied since its
		// element, a slice header with a length, changes.
		a.pages = append(make([][]T, 0, len(a.pages)+len(a.pages)/4+1), a.pages...)
		a.shared = false
	}
	a.pages[p] = append(page, v)
	a.dirty[p] = true
	a.n++
	return i
}

// Extend adds zero values until the array has n.
func (a *Array[T]) Extend(n int) {
	var zero T
	for a.n < n {
		a.Append(zero)
	}
}

// Snapshot returns the array as it is now. It costs nothing; the first change
// of each page afterwards costs a copy of that page.
func (a *Array[T]) Snapshot() Snapshot[T] {
	a.epoch++
	a.shared = true
	return Snapshot[T]{pages: a.pages[:len(a.pages):len(a.pages)], shift: a.shift, mask: a.mask, n: a.n}
}

// Dirty calls fn with each page that has changed since the last call and
// returns how many there were. Call it right after Snapshot, on a border.
func (a *Array[T]) Dirty(fn func(page int)) int {
	count := 0
	for p := range a.dirty {
		if a.dirty[p] {
			a.dirty[p] = false
			count++
			fn(p)
		}
	}
	return count
}

// MarkDirty makes Dirty call with every page.
func (a *Array[T]) MarkDirty() {
	for p := range a.dirty {
		a.dirty[p] = true
	}
}

// Bytes returns the memory of the pages.
func (a *Array[T]) Bytes() int64 {
	var v T
	var n int64
	for _, p := range a.pages {
		n += int64(cap(p))
	}
	return n*int64(unsafe.Sizeof(v)) + int64(len(a.pages))*32
}

// Len returns the number of values.
func (s Snapshot[T]) Len() int { return s.n }

// At returns the value at i.
func (s Snapshot[T]) At(i int) T { return s.pages[i>>s.shift][i&s.mask] }

// Span returns the n values from i on, as Array.Span does.
func (s Snapshot[T]) Span(i, n int) []T { return s.pages[i>>s.shift][i&s.mask:][:n:n] }

// Pages calls fn with each page in order and the index of its first value,
// until fn returns false. fn must not change the page.
func (s Snapshot[T]) Pages(fn func(first int, page []T) bool) {
	for p := range s.pages {
		page := s.pages[p]
		first := p << s.shift
		if first+len(page) > s.n {
			page = page[:s.n-first]
		}
		if !fn(first, page) {
			return
		}
	}
}

// Page returns page p, for writing it to a checkpoint.
func (s Snapshot[T]) Page(p int) []T { return s.pages[p] }

// NumPages returns the number of pages.
func (s Snapshot[T]) NumPages() int { return len(s.pages) }

// Load puts the values of page p in place, for reading a checkpoint. Pages
// come in order and all but the last are whole.
func (a *Array[T]) Load(values []T) {
	for len(values) > 0 {
		a.Append(values[0])
		page := &a.pages[len(a.pages)-1]
		k := min(len(values), a.mask+2-len(*page))
		if need := len(*page) + k - 1; need > cap(*page) {
			*page = append(make([]T, 0, need), *page...)
		}
		*page = append(*page, values[1:k]...)
		a.n += k - 1
		values = values[k:]
	}
	for p := range a.dirty {
		a.dirty[p] = false
	}
	a.epoch++ // so that the next change of each page is noticed
}
