package value

import (
	"math"
	"math/bits"
)

// Add returns a + b: of numbers, of durations, of a time and a duration.
func Add(a, b Value) Value {
	switch t := sumType(a.Type, b.Type); t {
	case Missing:
		return Value{}
	case Decimal:
		return OfMicro(addInt(a.micro(), b.micro()))
	default:
		return Value{Type: t, N: addInt(a.N, b.N)}
	}
}

// sumType is the type of a sum, Missing if there is none.
func sumType(a, b Type) Type {
	switch {
	case a == Int && b == Int:
		return Int
	case a.IsNumber() && b.IsNumber():
		return Decimal
	case a == Duration && b == Duration:
		return Duration
	case a == Time && b == Duration || a == Duration && b == Time:
		return Time
	default:
		return Missing
	}
}

// Sub returns a − b: of numbers, of durations, of a time and a duration, of two
// times.
func Sub(a, b Value) Value {
	switch {
	case a.Type == Int && b.Type == Int:
		return OfInt(subInt(a.N, b.N))
	case a.Type.IsNumber() && b.Type.IsNumber():
		return OfMicro(subInt(a.micro(), b.micro()))
	case a.Type == Time && b.Type == Time, a.Type == Duration && b.Type == Duration:
		return OfDuration(subInt(a.N, b.N))
	case a.Type == Time && b.Type == Duration:
		return OfTime(subInt(a.N, b.N))
	default:
		return Value{}
	}
}

// Mul returns a · b: of numbers, of a duration and a number. What is finer than
// the result's unit is rounded, halves away from zero.
func Mul(a, b Value) Value {
	if b.Type == Duration {
		a, b = b, a
	}
	switch {
	case a.Type == Int && b.Type == Int:
		return OfInt(mulDiv(a.N, b.N, 1))
	case a.Type == Decimal && b.Type == Decimal:
		return OfMicro(mulDiv(a.N, b.N, Micro))
	case a.Type.IsNumber() && b.Type.IsNumber(): // one of each: units times ones
		return OfMicro(mulDiv(a.N, b.N, 1))
	case a.Type == Duration && b.Type == Int:
		return OfDuration(mulDiv(a.N, b.N, 1))
	case a.Type == Duration && b.Type == Decimal:
		return OfDuration(mulDiv(a.N, b.N, Micro))
	default:
		return Value{}
	}
}

// Div returns a ÷ b: of numbers and of two durations a decimal, of a duration
// and a number a duration; missing if b is zero. What is finer than the result's
// unit is rounded, halves away from zero.
func Div(a, b Value) Value {
	switch {
	case a.IsMissing() || b.IsMissing() || b.N == 0:
		return Value{}
	case a.Type.IsNumber() && b.Type.IsNumber():
		return OfMicro(quotient(a, b))
	case a.Type == Duration && b.Type == Duration:
		return OfMicro(mulDiv(a.N, Micro, b.N))
	case a.Type == Duration && b.Type == Int:
		return OfDuration(mulDiv(a.N, 1, b.N))
	case a.Type == Duration && b.Type == Decimal:
		return OfDuration(mulDiv(a.N, Micro, b.N))
	default:
		return Value{}
	}
}

// quotient returns the micro-units of one number divided by another.
func quotient(a, b Value) int64 {
	switch {
	case a.Type == b.Type:
		return mulDiv(a.N, Micro, b.N)
	case a.Type == Decimal:
		return mulDiv(a.N, 1, b.N)
	default: // ones by micro-units
		return mulDiv(a.N, Micro*Micro, b.N)
	}
}

// Neg returns −a: of a number or duration.
func Neg(a Value) Value {
	switch a.Type {
	case Int, Decimal, Duration:
		a.N = subInt(0, a.N)
		return a
	default:
		return Value{}
	}
}

// micro returns a number in micro-units.
func (v Value) micro() int64 {
	if v.Type == Int {
		return mulDiv(v.N, Micro, 1)
	}
	return v.N
}

// ToDecimal returns a number as a decimal; other values as they are.
func (v Value) ToDecimal() Value {
	if v.Type == Int {
		return OfMicro(v.micro())
	}
	return v
}

func addInt(a, b int64) int64 {
	c := a + b
	if (c > a) == (b > 0) {
		return c
	}
	return end(b < 0)
}

func subInt(a, b int64) int64 {
	c := a - b
	if (c < a) == (b > 0) {
		return c
	}
	return end(b > 0)
}

// end is where a range ends.
func end(negative bool) int64 {
	if negative {
		return math.MinInt64
	}
	return math.MaxInt64
}

// mulDiv returns a·b/c, rounded to the nearest, halves away from zero. c is not
// zero.
func mulDiv(a, b, c int64) int64 {
	negative := (a < 0) != (b < 0) != (c < 0)
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	return signed(negative, hi, lo, magnitude(c))
}

// signed returns ±(hi·2^64 + lo)/c, rounded to the nearest, halves away from
// zero.
func signed(negative bool, hi, lo, c uint64) int64 {
	if hi >= c {
		return end(negative)
	}
	q, r := bits.Div64(hi, lo, c)
	if r >= c-r && q < math.MaxUint64 {
		q++
	}
	switch {
	case negative && q >= 1<<63:
		return math.MinInt64
	case negative:
		return -int64(q)
	case q > math.MaxInt64:
		return math.MaxInt64
	default:
		return int64(q)
	}
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
