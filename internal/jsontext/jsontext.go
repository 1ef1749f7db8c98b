// Package jsontext writes texts as JSON strings, without allocation: answers,
// exports and imports consist of tens of thousands of them a second.
package jsontext

import "unicode/utf8"

// Append appends text to dst as a JSON string and returns the extended slice:
// the bytes that encoding/json writes without escaping for HTML. Bytes that are
// no UTF-8 become U+FFFD. Append keeps no reference to text, which must not
// overlap the free part of dst.
func Append[T ~string | ~[]byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if plain[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = appendEscape(append(dst, text[from:i]...), c)
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(append(dst, text[from:i]...), `\ufffd`...)
			from = i + n
		case r == '\u2028' || r == '\u2029': // no line ends in JSON, but in older JavaScript
			dst = append(append(dst, text[from:i]...), `\u202`...)
			dst = append(dst, hex[r&15])
			from = i + n
		}
		i += n
	}
	return append(append(dst, text[from:]...), '"')
}

// plain tells of the bytes that stand for themselves.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

const hex = "0123456789abcdef"

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
