package value

import "math/bits"

// Sum adds up the N of values of one type exactly, in any order and with any
// taken out again: it has 128 bits. The zero Sum is empty.
type Sum struct {
	hi int64
	lo uint64
	n  int64
}

// Add takes a value in.
func (s *Sum) Add(v Value) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(v.N), 0)
	s.hi += v.N>>63 + int64(carry)
	s.n++
}

// Remove takes a value out that was taken in.
func (s *Sum) Remove(v Value) {
	var borrow uint64
	s.lo, borrow = bits.Sub64(s.lo, uint64(v.N), 0)
	s.hi -= v.N>>63 + int64(borrow)
	s.n--
}

// Count returns how many values are in.
func (s *Sum) Count() int64 { return s.n }

// Total returns the sum as a value of type t, the end of the range if it lies
// beyond.
func (s *Sum) Total(t Type) Value {
	negative, hi, lo := s.magnitude()
	return Value{Type: t, N: signed(negative, hi, lo, 1)}
}

// Mean returns the arithmetic mean of values of type t, a decimal for numbers;
// missing if none is in. It is rounded, halves away from zero.
func (s *Sum) Mean(t Type) Value {
	if s.n <= 0 {
		return Value{}
	}
	negative, hi, lo := s.magnitude()
	if t == Int {
		high, low := bits.Mul64(lo, Micro)
		hi, lo = hi*Micro+high, low
		t = Decimal
	}
	return Value{Type: t, N: signed(negative, hi, lo, uint64(s.n))}
}

func (s *Sum) magnitude() (negative bool, hi, lo uint64) {
	if s.hi >= 0 {
		return false, uint64(s.hi), s.lo
	}
	lo, borrow := bits.Sub64(0, s.lo, 0)
	hi, _ = bits.Sub64(0, uint64(s.hi), borrow)
	return true, hi, lo
}
