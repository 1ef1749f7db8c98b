package incremental

import "math/bits"

// Set is a set of small numbers: bit i%64 of word i/64 says whether i is in it.
type Set []uint64

// Has tells whether i is in the set.
func (s Set) Has(i int) bool { return i>>6 < len(s) && s[i>>6]>>(i&63)&1 == 1 }

// Len returns how many numbers are in the set.
func (s Set) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

func (s Set) put(i int) { s[i>>6] |= 1 << (i & 63) }

func (s Set) putAll(list []int) {
	for _, i := range list {
		s.put(i)
	}
}

func (s Set) drop(i int) { s[i>>6] &^= 1 << (i & 63) }

// clear takes the numbers from lo on and below hi, more than lo, out of the set.
func (s Set) clear(lo, hi int) {
	first, last := lo>>6, (hi-1)>>6
	head, tail := ^uint64(0)<<(lo&63), below(hi-last<<6)
	if first == last {
		s[first] &^= head & tail
		return
	}
	s[first] &^= head
	clear(s[first+1 : last])
	s[last] &^= tail
}

// fill puts the numbers from lo on and below hi, more than lo, into the set.
func (s Set) fill(lo, hi int) {
	for w, last := lo>>6, (hi-1)>>6; w <= last; w++ {
		word := ^uint64(0)
		if w == lo>>6 {
			word <<= lo & 63
		}
		if w == last {
			word &= below(hi - last<<6)
		}
		s[w] |= word
	}
}

func (s Set) add(o Set) {
	for i, w := range o {
		s[i] |= w
	}
}

// next returns the first number from i on that is in the set and below end; end
// if there is none.
func (s Set) next(i, end int) int {
	if i >= end {
		return end
	}
	w := i >> 6
	word := s[w] &^ (1<<(i&63) - 1)
	for word == 0 {
		if w++; w<<6 >= end {
			return end
		}
		word = s[w]
	}
	return min(end, w<<6+bits.TrailingZeros64(word))
}

// last returns the last number from i on that is in the set and below end; end
// if there is none.
func (s Set) last(i, end int) int {
	if i >= end {
		return end
	}
	w := (end - 1) >> 6
	word := s[w] & below(end-w<<6)
	for word == 0 {
		if w--; w < i>>6 {
			return end
		}
		word = s[w]
	}
	if n := w<<6 + 63 - bits.LeadingZeros64(word); n >= i {
		return n
	}
	return end
}

// below returns the word of the numbers below n, 1 to 64.
func below(n int) uint64 { return ^uint64(0) >> (64 - n) }

// count returns how many numbers from i on are in the set and below end.
func (s Set) count(i, end int) int {
	if i >= end {
		return 0
	}
	first, last := i>>6, (end-1)>>6
	head, tail := ^uint64(0)<<(i&63), below(end-last<<6)
	if first == last {
		return bits.OnesCount64(s[first] & head & tail)
	}
	n := bits.OnesCount64(s[first]&head) + bits.OnesCount64(s[last]&tail)
	for _, w := range s[first+1 : last] {
		n += bits.OnesCount64(w)
	}
	return n
}

// grown returns the set with room for n numbers, those that are new not in it.
func (s Set) grown(n int) Set {
	if need := words(n) - len(s); need > 0 {
		s = append(s, make(Set, need)...)
	}
	return s
}

func words(n int) int { return (n + 63) >> 6 }
