package value

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// FormatMicro writes micro-units as the shortest decimal.
func FormatMicro(n int64) string {
	whole, part := n/Micro, n%Micro
	if part == 0 {
		return strconv.FormatInt(whole, 10)
	}
	sign := ""
	if n < 0 {
		sign, whole, part = "-", -whole, -part
	}
	digits := strconv.FormatInt(Micro+part, 10)[1:]
	return sign + strconv.FormatInt(whole, 10) + "." + strings.TrimRight(digits, "0")
}

// ParseMicro reads a decimal number, with an exponent or without, as the
// micro-units nearest to it, halves away from zero; beyond the range, the
// range's end. ok is false for what is no number.
func ParseMicro(s string) (n int64, ok bool) {
	negative := strings.HasPrefix(s, "-")
	mantissa, exponent := strings.TrimPrefix(s, "-"), 0
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		e, err := strconv.Atoi(mantissa[i+1:])
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0, false
		}
		mantissa, exponent = mantissa[:i], min(max(e, -1000), 1000)
	}
	whole, fraction, point := strings.Cut(mantissa, ".")
	if whole == "" || point && fraction == "" || !digitsOnly(whole) || !digitsOnly(fraction) {
		return 0, false
	}
	n = scaled(whole, fraction, len(whole)+exponent+6)
	if negative {
		n = -n
	}
	return n, true
}

func digitsOnly(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// scaled returns the first n digits of whole and fraction together as a number,
// rounded by the digit behind them, zeros added where there are fewer.
func scaled(whole, fraction string, n int) int64 {
	digit := func(i int) int64 {
		switch {
		case i < 0 || i >= len(whole)+len(fraction):
			return 0
		case i < len(whole):
			return int64(whole[i] - '0')
		default:
			return int64(fraction[i-len(whole)] - '0')
		}
	}
	var out int64
	for i := range n {
		d := digit(i)
		if out > (math.MaxInt64-d)/10 {
			return math.MaxInt64
		}
		out = out*10 + d
		if out == 0 && i >= len(whole)+len(fraction) {
			return 0
		}
	}
	if digit(n) >= 5 && out < math.MaxInt64 {
		out++
	}
	return out
}
