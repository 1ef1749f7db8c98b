// Package wire reads the lines of HTTP/1.1 heads, strictly: what could be read in
// two ways is not read (RFC 9112, sections 2 to 5).
package wire

import "bytes"

// Text is what lines are read of. What is cut from it shares its bytes.
type Text interface{ ~string | ~[]byte }

// CutLine returns the first line of b without its end, and how long it is with
// it. A line that ends without a carriage return is not HTTP: it is returned
// as it stands and fails later, for no field or first line has a newline.
func CutLine(b []byte) (line []byte, size int, ok bool) {
	i := bytes.IndexByte(b, '\n')
	switch {
	case i < 0:
		return nil, 0, false
	case i == 0 || b[i-1] != '\r':
		return b[:i+1], i + 1, true
	}
	return b[:i-1], i + 1, true
}

// Field reads a header field, as CutLine returned it.
func Field[T Text](line T) (name, value T, ok bool) {
	colon := 0
	for colon < len(line) && token[line[colon]] {
		colon++
	}
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return name, value, false
	}
	name, value = line[:colon], line[colon+1:]
	for len(value) > 0 && (value[0] == ' ' || value[0] == '\t') {
		value = value[1:]
	}
	for len(value) > 0 && (value[len(value)-1] == ' ' || value[len(value)-1] == '\t') {
		value = value[:len(value)-1]
	}
	return name, value, Value(value)
}

// Value says whether a text can be the value of a header field.
func Value[T Text](value T) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// Length reads a length, as Content-Length has it.
func Length(text string) (n int64, ok bool) {
	if len(text) == 0 || len(text) > 15 {
		return 0, false
	}
	for i := range len(text) {
		c := text[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// EqualFold says whether b is name but for the case of its ASCII letters.
func EqualFold[T Text](b T, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i := range len(b) {
		if c, d := b[i], name[i]; c != d && (c^d != 0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// Token says whether a byte may stand in a token (RFC 9110, section 5.6.2).
func Token(c byte) bool { return token[c] }

var token = func() (t [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		t[c] = true
	}
	return t
}()
