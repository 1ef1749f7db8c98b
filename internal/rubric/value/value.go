// Package value holds what the expressions of a program evaluate to, and the
// operations on it. Both evaluators use it, so that they cannot disagree about
// arithmetic.
//
// A Value is a Boolean, a whole number, a decimal, a text, a time, a duration, a
// list, or missing. Operations are total: what has no answer, such as a division
// by zero or anything of a missing operand, is missing; what would leave the
// range of its type becomes the range's end (it saturates). None allocates but
// Lower, where it has to.
package value

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Type is the type of a value, and of an expression.
type Type uint8

// Types. Missing is the type of no value; it is the zero Value. Any is a type of
// expressions only: of a property whose use says nothing about its type.
const (
	Missing  Type = iota
	Bool          // N is 0 or 1
	Int           // N
	Decimal       // N is in micro-units
	Text          // S
	Time          // N is Unix milliseconds
	Duration      // N is milliseconds
	List          // L
	Any
)

var typeNames = [...]string{Missing: "missing", Bool: "boolean", Int: "integer", Decimal: "decimal", Text: "text",
	Time: "time", Duration: "duration", List: "list", Any: "any"}

// String returns the type's name in plans and JSON.
func (t Type) String() string { return typeNames[t] }

// MarshalText writes the type's name.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// IsNumber tells whether t is Int or Decimal: people see one type of numbers.
func (t Type) IsNumber() bool { return t == Int || t == Decimal }

// Micro is how many units of a Decimal's N make one.
const Micro = 1_000_000

// Value is one value. Values that are no lists can be compared with == and used
// as keys of maps: equal ones of one type are identical. A list is shared and
// never changed.
type Value struct {
	Type Type
	N    int64
	S    string
	L    *[]Value
}

// OfBool returns a Boolean.
func OfBool(b bool) Value {
	if b {
		return Value{Type: Bool, N: 1}
	}
	return Value{Type: Bool}
}

// OfInt returns a whole number.
func OfInt(n int64) Value { return Value{Type: Int, N: n} }

// OfMicro returns a decimal of so many micro-units.
func OfMicro(n int64) Value { return Value{Type: Decimal, N: n} }

// OfText returns a text.
func OfText(s string) Value { return Value{Type: Text, S: s} }

// OfTime returns an instant in Unix milliseconds.
func OfTime(ms int64) Value { return Value{Type: Time, N: ms} }

// OfDuration returns a duration in milliseconds.
func OfDuration(ms int64) Value { return Value{Type: Duration, N: ms} }

// OfList returns a list of values, which must not change afterwards.
func OfList(items []Value) Value { return Value{Type: List, L: &items} }

// OfTexts returns a list of texts.
func OfTexts(items []string) Value {
	out := make([]Value, len(items))
	for i, s := range items {
		out[i] = OfText(s)
	}
	return OfList(out)
}

// IsMissing tells whether there is no value.
func (v Value) IsMissing() bool { return v.Type == Missing }

// True tells whether v is the Boolean true; a missing one is not.
func (v Value) True() bool { return v.Type == Bool && v.N != 0 }

// Items returns the elements of a list; they must not be changed.
func (v Value) Items() []Value {
	if v.L == nil {
		return nil
	}
	return *v.L
}

// String returns the value as plans and explanations show it: a text in quotes,
// a time in UTC, a duration in its largest whole unit.
func (v Value) String() string {
	switch v.Type {
	case Bool:
		return strconv.FormatBool(v.N != 0)
	case Int:
		return strconv.FormatInt(v.N, 10)
	case Decimal:
		return FormatMicro(v.N)
	case Text:
		return strconv.Quote(v.S)
	case Time:
		return time.UnixMilli(v.N).UTC().Format("2006-01-02T15:04:05.999Z07:00")
	case Duration:
		return FormatDuration(v.N)
	case List:
		var parts []string
		for _, item := range v.Items() {
			parts = append(parts, item.String())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return "(missing)"
	}
}

var units = []struct {
	ms   int64
	unit string
}{
	{7 * 24 * 3600_000, "w"}, {24 * 3600_000, "d"}, {3600_000, "h"}, {60_000, "m"}, {1000, "s"}, {1, "ms"},
}

// FormatDuration writes milliseconds as a literal of the program; weeks only
// where more than one.
func FormatDuration(ms int64) string {
	for _, u := range units {
		if ms%u.ms == 0 && ms != 0 && (u.unit != "w" || ms > u.ms) {
			return fmt.Sprintf("%d%s", ms/u.ms, u.unit)
		}
	}
	return "0s"
}
