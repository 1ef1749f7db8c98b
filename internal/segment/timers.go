package segment

import (
	"github.com/readership/readership/internal/engine/paged"
	"github.com/readership/readership/internal/rubric/incremental"
)

// timers find the readers whose time has come first. They are a heap of readers
// by instant, four children a node; readers without an instant are not in it. It
// grows by pages, so that no change takes longer than others: a reader takes 16
// bytes.
type timers struct {
	instants *paged.Array[int64]  // by reader
	places   *paged.Array[uint32] // by reader: its place in the heap, plus one; 0: none
	heap     *paged.Array[uint32] // readers
	n        int                  // of the heap
}

const children = 4

func newTimers() timers {
	return timers{instants: paged.New[int64](8 << 10), places: paged.New[uint32](8 << 10), heap: paged.New[uint32](8 << 10)}
}

// add appends a reader without an instant.
func (t *timers) add() {
	t.instants.Append(incremental.Never)
	t.places.Append(0)
}

// at returns the instant of a reader.
func (t *timers) at(reader uint32) int64 { return t.instants.At(int(reader)) }

// next returns the first instant.
func (t *timers) next() int64 {
	if t.n == 0 {
		return incremental.Never
	}
	return t.at(t.heap.At(0))
}

// first returns the reader of the first instant.
func (t *timers) first() uint32 { return t.heap.At(0) }

// due calls fn with readers whose instant has come at another, in no order, until
// it returns false.
func (t *timers) due(at int64, fn func(reader uint32) bool) { t.dueBelow(0, at, fn) }

func (t *timers) dueBelow(place int, at int64, fn func(reader uint32) bool) bool {
	if place >= t.n {
		return true
	}
	reader := t.heap.At(place)
	if t.at(reader) > at {
		return true
	}
	if !fn(reader) {
		return false
	}
	for c := place*children + 1; c <= place*children+children; c++ {
		if !t.dueBelow(c, at, fn) {
			return false
		}
	}
	return true
}

// set changes the instant of a reader.
func (t *timers) set(reader uint32, at int64) {
	old := t.at(reader)
	if old == at {
		return
	}
	*t.instants.Mut(int(reader)) = at
	place := int(t.places.At(int(reader))) - 1
	switch {
	case at == incremental.Never:
		t.remove(place)
	case place < 0:
		if t.n == t.heap.Len() {
			t.heap.Append(0)
		}
		t.n++
		t.put(t.n-1, reader)
		t.up(t.n - 1)
	case at < old:
		t.up(place)
	default:
		t.down(place)
	}
}

func (t *timers) put(place int, reader uint32) {
	*t.heap.Mut(place) = reader
	*t.places.Mut(int(reader)) = uint32(place) + 1
}

func (t *timers) remove(place int) {
	*t.places.Mut(int(t.heap.At(place))) = 0
	t.n--
	if place == t.n {
		return
	}
	t.put(place, t.heap.At(t.n))
	t.up(place)
	t.down(place)
}

func (t *timers) up(place int) {
	reader := t.heap.At(place)
	at := t.at(reader)
	for place > 0 {
		parent := (place - 1) / children
		over := t.heap.At(parent)
		if t.at(over) <= at {
			break
		}
		t.put(place, over)
		place = parent
	}
	t.put(place, reader)
}

func (t *timers) down(place int) {
	reader := t.heap.At(place)
	at := t.at(reader)
	for {
		least, leastAt := -1, at
		for c := place*children + 1; c <= place*children+children && c < t.n; c++ {
			if of := t.at(t.heap.At(c)); of < leastAt {
				least, leastAt = c, of
			}
		}
		if least < 0 {
			break
		}
		t.put(place, t.heap.At(least))
		place = least
	}
	t.put(place, reader)
}

func (t *timers) bytes() int64 { return t.instants.Bytes() + t.places.Bytes() + t.heap.Bytes() }
