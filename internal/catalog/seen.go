package catalog

import "sync/atomic"

// seen remembers pages that were hinted at, each until an instant. It takes no
// lock and never grows: a page that finds its places taken has the one that ends
// first. Two pages are taken for one with a probability of 2⁻³⁸ a pair that meets.
//
// A place is one word: 38 bits of the page's key, 26 of the minute, counted from
// 1970, from which it is forgotten.
type seen struct {
	places [seenPlaces]atomic.Uint64
}

const (
	seenPlaces  = 1 << 16
	minuteBits  = 26
	minuteMask  = 1<<minuteBits - 1
	minuteMilli = 60_000
)

// lately says whether a page is remembered at a time, Unix milliseconds.
func (s *seen) lately(key uint64, at int64) bool {
	for _, i := range placesOf(key) {
		if place := s.places[i].Load(); place>>minuteBits == key>>minuteBits && at/minuteMilli < int64(place&minuteMask) {
			return true
		}
	}
	return false
}

// remember remembers a page until a time, Unix milliseconds.
func (s *seen) remember(key uint64, until int64) {
	chosen, first := uint64(0), uint64(minuteMask)
	for _, i := range placesOf(key) {
		place := s.places[i].Load()
		if place>>minuteBits == key>>minuteBits {
			chosen = i
			break
		}
		if place&minuteMask <= first {
			chosen, first = i, place&minuteMask
		}
	}
	s.places[chosen].Store(key&^minuteMask | uint64(until/minuteMilli)&minuteMask)
}

// placesOf returns where a page may stand, by the bits that a place does not keep.
func placesOf(key uint64) [2]uint64 {
	i := key % seenPlaces
	return [2]uint64{i, i ^ 1}
}
