package value

import (
	"cmp"
	"math/bits"
	"strings"
)

// Compare orders two values of one type, or two numbers, exactly: −1, 0 or 1.
// ok is false if one is missing or they have no order. Texts are ordered by
// their bytes, false comes before true.
func Compare(a, b Value) (order int, ok bool) {
	switch {
	case a.Type == Missing || b.Type == Missing:
		return 0, false
	case a.Type == Text && b.Type == Text:
		return strings.Compare(a.S, b.S), true
	case a.Type == List || b.Type == List:
		return 0, false
	case a.Type == b.Type:
		return cmp.Compare(a.N, b.N), true
	case a.Type == Int && b.Type == Decimal:
		return compareOnes(a.N, b.N), true
	case a.Type == Decimal && b.Type == Int:
		return -compareOnes(b.N, a.N), true
	default:
		return 0, false
	}
}

// compareOnes compares ones with micro-units, also where ones are too many for a
// decimal.
func compareOnes(ones, micro int64) int {
	if (ones < 0) != (micro < 0) {
		return cmp.Compare(ones, micro)
	}
	order := 1
	if hi, lo := bits.Mul64(magnitude(ones), Micro); hi == 0 {
		order = cmp.Compare(lo, magnitude(micro))
	}
	if ones < 0 {
		return -order
	}
	return order
}

// Equal tells whether two values are equal; a missing one equals nothing.
func Equal(a, b Value) bool {
	if a.Type == Text && b.Type == Text {
		return a.S == b.S
	}
	order, ok := Compare(a, b)
	return ok && order == 0
}

// Less tells whether a < b; nothing is less than a missing value.
func Less(a, b Value) bool {
	order, ok := Compare(a, b)
	return ok && order < 0
}

// LessOrEqual tells whether a ≤ b.
func LessOrEqual(a, b Value) bool {
	order, ok := Compare(a, b)
	return ok && order <= 0
}

// In tells whether a list has an element that equals v.
func In(v, list Value) bool {
	for _, item := range list.Items() {
		if Equal(v, item) {
			return true
		}
	}
	return false
}

// Coalesce returns a, or b if a is missing.
func Coalesce(a, b Value) Value {
	if a.IsMissing() {
		return b
	}
	return a
}

// Min returns the smaller of two values that have an order, a if they are equal;
// missing if one is missing. Of two numbers of different types it is a decimal.
func Min(a, b Value) Value { return pick(a, b, Less(b, a)) }

// Max returns the greater of two values that have an order, a if they are equal;
// missing if one is missing. Of two numbers of different types it is a decimal.
func Max(a, b Value) Value { return pick(a, b, Less(a, b)) }

func pick(a, b Value, second bool) Value {
	if _, ok := Compare(a, b); !ok {
		return Value{}
	}
	out := a
	if second {
		out = b
	}
	if a.Type != b.Type {
		return out.ToDecimal()
	}
	return out
}
