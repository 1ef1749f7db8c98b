package lexer

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

// textLiteral reads a text in double quotes with the escapes of JSON.
func (l *lexer) textLiteral() {
	start := l.at
	l.at++
	var value strings.Builder
	for {
		from := l.at
		for l.at < len(l.text) && l.text[l.at] != '"' && l.text[l.at] != '\\' && l.text[l.at] >= ' ' {
			l.at++
		}
		value.WriteString(l.valid(l.text[from:l.at], from))
		switch {
		case l.peek(0) == '"':
			l.at++
			l.emit(token.Text, start, value.String())
			return
		case l.peek(0) == '\\' && l.peek(1) >= ' ':
			value.WriteString(l.escape())
		case l.at == len(l.text) || l.peek(0) == '\n' || l.peek(0) == '\r' || l.peek(0) == '\\':
			if l.peek(0) == '\\' {
				l.at++
			}
			l.emit(token.Text, start, value.String()).Broken = true
			l.report(start, "unterminated_text", "close it with `\"` on the same line", "this text has no end")
			return
		default:
			at := l.at
			value.WriteByte(l.text[at])
			l.at++
			l.report(at, "bad_escape", "write `"+strings.Trim(strconv.QuoteRuneToASCII(rune(l.text[at])), "'")+"`", "control character U+%04X in a text", l.text[at])
		}
	}
}

// valid returns part of a text, with bytes that are not UTF-8 reported and
// replaced.
func (l *lexer) valid(text string, start int) string {
	if utf8.ValidString(text) {
		return text
	}
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			l.reportSpan(source.Span{Start: start + i, End: start + i + 1}, "invalid_utf8", "", "a program is UTF-8, this byte is not: %02x", text[i])
			break
		}
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

var escapes = map[byte]string{'"': `"`, '\\': `\`, '/': "/", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t"}

// escape reads a backslash and what belongs to it.
func (l *lexer) escape() string {
	start := l.at
	if value, ok := escapes[l.text[start+1]]; ok {
		l.at += 2
		return value
	}
	if l.text[start+1] != 'u' {
		_, size := utf8.DecodeRuneInString(l.text[start+1:])
		l.at += 1 + size
		hint := "a backslash itself is written `\\\\`"
		if l.text[start+1] == '\'' {
			hint = "write `'` alone"
		}
		l.report(start, "bad_escape", hint, "unknown escape %s", quote(strings.ToValidUTF8(l.text[start:l.at], "\uFFFD")))
		return ""
	}
	unit, ok := l.unit()
	if !ok {
		l.report(start, "bad_escape", "such as `\\u00e9`", "four hexadecimal digits follow `\\u`")
		return ""
	}
	if !utf16.IsSurrogate(unit) {
		return string(unit)
	}
	if l.peek(0) == '\\' && l.peek(1) == 'u' {
		if second, ok := l.unit(); ok {
			if r := utf16.DecodeRune(unit, second); r != utf8.RuneError {
				return string(r)
			}
		}
	}
	l.report(start, "bad_escape", "write the character itself", "half of a surrogate pair")
	return ""
}

// unit reads `\u` and four hexadecimal digits, or what there is of them.
func (l *lexer) unit() (rune, bool) {
	l.at += 2
	from := l.at
	for l.at < from+4 && isHex(l.peek(0)) {
		l.at++
	}
	n, err := strconv.ParseUint(l.text[from:l.at], 16, 16)
	return rune(n), err == nil && l.at == from+4
}

func isHex(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// typographic maps what opens a quotation in print to what closes it.
var typographic = map[rune]rune{'“': '”', '”': '”', '„': '“', '«': '»', '‘': '’', '’': '’', '‚': '‘'}

// otherQuotes reads a text in quotes that are not Rubric's: the opening one has
// size bytes.
func (l *lexer) otherQuotes(size int, closing rune) {
	start := l.at
	line := l.text[start+size:]
	if n := strings.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	n := strings.IndexRune(line, closing)
	if n < 0 {
		l.at = start + size
		l.emit(token.Bad, start, "")
		l.report(start, "bad_quotes", "a text stands in `\"…\"`", "unknown character %s", quote(l.text[start:l.at]))
		return
	}
	l.at = start + size + n + utf8.RuneLen(closing)
	value := strings.ToValidUTF8(line[:n], "\uFFFD")
	l.emit(token.Text, start, value)
	l.report(start, "bad_quotes", "write `\""+strings.ReplaceAll(value, `"`, `\"`)+"\"`", "a text stands in double quotes")
}
