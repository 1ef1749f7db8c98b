package lexer

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/readership/readership/internal/rubric/token"
)

// maxDigits is how many digits a decimal has at most, leading zeros aside.
const maxDigits = 18

// Units are the units of durations, in nanoseconds.
var Units = map[string]int64{
	"ms": int64(time.Millisecond), "s": int64(time.Second), "m": int64(time.Minute),
	"h": int64(time.Hour), "d": 24 * int64(time.Hour), "w": 7 * 24 * int64(time.Hour),
}

// number reads what begins with a digit: a number, a duration or a time.
func (l *lexer) number() {
	start := l.at
	if isTime(l.text[start:]) {
		l.time()
		return
	}
	whole := l.digits()
	fraction, point := "", false
	if l.peek(0) == '.' && isDigit(l.peek(1)) {
		point = true
		l.at++
		fraction = l.digits()
	}
	if whole != "" && !point && l.peek(0) == ':' && isDigit(l.peek(1)) {
		l.timeOfDay(start)
		return
	}
	if whole != "" && !point && l.peek(0) == '.' && l.peek(1) != '.' && !isWord(l.peek(1)) {
		l.at++
		l.decimal(start, whole, "0")
		l.report(start, "bad_number", fmt.Sprintf("write `%s`", whole), "a digit follows the point of a number")
		return
	}
	unitAt := l.at
	for l.at < len(l.text) && isWord(l.text[l.at]) {
		l.at++
	}
	unit := l.text[unitAt:l.at]
	switch {
	case whole == "":
		l.decimal(start, "0", fraction)
		l.report(start, "bad_number", fmt.Sprintf("write `0%s`", l.text[start:l.at]), "a number begins with a digit")
	case len(whole) > 1 && whole[0] == '0':
		l.decimal(start, "0", "")
		l.report(start, "bad_number", "write it without leading zeros", "a number does not begin with `0`, found %s", quote(l.text[start:l.at]))
	case unit == "" && point:
		l.decimal(start, whole, fraction)
	case unit == "":
		l.integer(start, whole)
	case point:
		l.unitAfterPoint(start, whole, fraction, unit)
	default:
		l.duration(start, whole, unit)
	}
}

func (l *lexer) digits() string {
	start := l.at
	for l.at < len(l.text) && isDigit(l.text[l.at]) {
		l.at++
	}
	return l.text[start:l.at]
}

func (l *lexer) integer(start int, whole string) {
	n, err := strconv.ParseInt(whole, 10, 64)
	l.emit(token.Integer, start, l.text[start:l.at]).Int = n
	if err != nil {
		l.report(start, "number_range", "", "a number is at most %d", int64(math.MaxInt64))
	}
}

func (l *lexer) decimal(start int, whole, fraction string) {
	t := l.emit(token.Decimal, start, l.text[start:l.at])
	digits := strings.TrimLeft(whole+fraction, "0")
	t.Scale = len(fraction)
	if len(digits) > maxDigits || len(fraction) > maxDigits {
		t.Scale = 0
		l.report(start, "number_range", "", "a decimal has at most %d digits", maxDigits)
		return
	}
	if digits != "" {
		t.Int, _ = strconv.ParseInt(digits, 10, 64) // 18 digits are less than 2^63
	}
}

func (l *lexer) duration(start int, whole, unit string) {
	t := l.emit(token.Duration, start, l.text[start:l.at])
	n, err := strconv.ParseInt(whole, 10, 64)
	size, known := Units[unit]
	if known {
		t.Int = n * size
		if err != nil || n > math.MaxInt64/size {
			t.Int = 0
			l.report(start, "number_range", "", "a duration is at most %d days", math.MaxInt64/Units["d"])
		}
		return
	}
	t.Int = int64(time.Hour) // any length: the diagnostic is about the unit
	number := quote(l.text[start:l.at])
	switch {
	case strings.ReplaceAll(whole+unit, "_", "") == onlyDigits(whole+unit):
		t.Kind = token.Integer
		l.report(start, "bad_number", fmt.Sprintf("write `%s`", onlyDigits(whole+unit)), "a number consists of digits, found %s", number)
	case exponent(unit):
		t.Kind = token.Integer
		l.report(start, "bad_number", "write all its digits", "a number has no exponent, found %s", number)
	case compound(whole+unit) > 0:
		l.report(start, "bad_duration", fmt.Sprintf("write `%s`", shortest(compound(whole+unit))), "a duration is one number and one unit, found %s", number)
	case len(unit) == 3 && strings.ToUpper(unit) == unit:
		t.Kind = token.Integer
		l.report(start, "bad_number", fmt.Sprintf("write `%s %s`", whole, unit), "a space stands before the currency, found %s", number)
	default:
		l.report(start, "bad_duration", UnitHint(whole, unit), "the unit of a duration is `ms`, `s`, `m`, `h`, `d` or `w`, found %s", quote(unit))
	}
}

// unitAfterPoint reports `1.5h` and the like.
func (l *lexer) unitAfterPoint(start int, whole, fraction, unit string) {
	number := quote(l.text[start:l.at])
	size, known := Units[unit]
	if !known {
		l.decimal(start, whole, fraction)
		hint := ""
		if len(unit) == 3 && strings.ToUpper(unit) == unit {
			hint = fmt.Sprintf("write `%s.%s %s`", whole, fraction, unit)
		}
		l.report(start, "bad_number", hint, "a number consists of digits and one point, found %s", number)
		return
	}
	l.emit(token.Duration, start, l.text[start:l.at]).Int = size
	hint := ""
	if f, err := strconv.ParseFloat(whole+"."+fraction, 64); err == nil && f < 1e6 {
		if n := int64(math.Round(f * float64(size))); n > 0 && n%int64(time.Millisecond) == 0 {
			hint = fmt.Sprintf("write `%s`", shortest(n))
		}
	}
	l.report(start, "bad_duration", hint, "a duration is a whole number of its unit, found %s", number)
}

func exponent(unit string) bool {
	return (unit[0] == 'e' || unit[0] == 'E') && onlyDigits(unit) == unit[1:]
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// compound returns the nanoseconds of a duration of several numbers and units,
// 0 if s is not one.
func compound(s string) int64 {
	total := int64(0)
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if n <= 0 || n > 6 {
			return 0
		}
		end := n
		for end < len(s) && !isDigit(s[end]) {
			end++
		}
		size, ok := Units[s[n:end]]
		if !ok {
			return 0
		}
		count, _ := strconv.ParseInt(s[:n], 10, 64) // six digits at most
		total += count * size
		s = s[end:]
	}
	return total
}

// shortest writes a duration with the largest unit that divides it.
func shortest(ns int64) string {
	for _, unit := range []string{"w", "d", "h", "m", "s"} {
		if ns%Units[unit] == 0 {
			return fmt.Sprintf("%d%s", ns/Units[unit], unit)
		}
	}
	return fmt.Sprintf("%dms", ns/Units["ms"])
}

// UnitHint says how to write a number of a unit that goes by another name, ""
// if it is none.
func UnitHint(number, unit string) string {
	word := strings.ToLower(unit)
	if short, ok := unitWords[strings.TrimSuffix(word, "s")]; ok && len(word) > 1 {
		return fmt.Sprintf("write `%s%s`", number, short)
	}
	if _, ok := Units[word]; ok {
		return fmt.Sprintf("write `%s%s`", number, word)
	}
	switch strings.TrimSuffix(word, "s") {
	case "month", "mo", "year", "y", "yr":
		return "months and years differ in length: write a number of days, or `per month`"
	}
	return ""
}

var unitWords = map[string]string{
	"millisecond": "ms", "milli": "ms", "msec": "ms", "second": "s", "sec": "s", "minute": "m", "min": "m",
	"hour": "h", "hr": "h", "day": "d", "week": "w", "wk": "w",
}
