package value

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Lower returns a text in lower case. It allocates if the text has a capital.
func Lower(v Value) Value {
	if v.Type == Text {
		v.S = strings.ToLower(v.S)
		return v
	}
	return Value{}
}

// Contains tells whether the text a has b in it.
func Contains(a, b Value) Value { return onTexts(a, b, strings.Contains) }

// StartsWith tells whether the text a starts with b.
func StartsWith(a, b Value) Value { return onTexts(a, b, strings.HasPrefix) }

// EndsWith tells whether the text a ends with b.
func EndsWith(a, b Value) Value { return onTexts(a, b, strings.HasSuffix) }

func onTexts(a, b Value, test func(string, string) bool) Value {
	if a.Type != Text || b.Type != Text {
		return Value{}
	}
	return OfBool(test(a.S, b.S))
}

// Matches tells whether a part of the text matches an expression.
func Matches(a Value, re *regexp.Regexp) Value {
	if a.Type != Text {
		return Value{}
	}
	return OfBool(re.MatchString(a.S))
}

// Size returns how many code points a text or elements a list has.
func Size(v Value) Value {
	switch v.Type {
	case Text:
		return OfInt(int64(utf8.RuneCountInString(v.S)))
	case List:
		return OfInt(int64(len(v.Items())))
	default:
		return Value{}
	}
}
