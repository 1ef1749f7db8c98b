// Package lexer cuts the text of a program into tokens.
//
// Whatever it is given, it comes to the end of the text: what cannot be read
// becomes a diagnostic and either the token that was most likely meant or one
// of kind token.Bad, about which the parser is silent.
package lexer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/token"
)

// MaxName is the length of the longest name.
const MaxName = 64

// Result is what a text consists of. Tokens end with one of kind token.EOF.
type Result struct {
	Tokens      []token.Token
	Comments    []token.Comment
	Diagnostics []source.Diagnostic
}

// Scan reads a file of at most source.MaxBytes.
func Scan(f *source.File) Result {
	l := &lexer{file: f, text: f.Text, first: true}
	l.out.Tokens = make([]token.Token, 0, len(f.Text)/4+1)
	if strings.HasPrefix(l.text, byteOrderMark) {
		l.at = len(byteOrderMark)
	}
	for l.at < len(l.text) {
		l.next()
	}
	l.emit(token.EOF, l.at, "")
	return l.out
}

const byteOrderMark = "\uFEFF"

type lexer struct {
	file  *source.File
	text  string
	at    int  // the byte to be read next
	first bool // nothing but space was before it on its line
	out   Result
}

// report adds an error about the text from start up to what is read next.
func (l *lexer) report(start int, code, hint, format string, args ...any) {
	l.reportSpan(source.Span{Start: start, End: l.at}, code, hint, format, args...)
}

func (l *lexer) reportSpan(s source.Span, code, hint, format string, args ...any) {
	l.out.Diagnostics = append(l.out.Diagnostics, l.file.Diagnose(source.Error, s, code, fmt.Sprintf(format, args...), hint))
	if n := len(l.out.Tokens); n > 0 && l.out.Tokens[n-1].Start == s.Start {
		l.out.Tokens[n-1].Reported = true
	}
}

// emit adds the token from start up to what is read next and returns it for
// its value.
func (l *lexer) emit(kind token.Kind, start int, text string) *token.Token {
	l.out.Tokens = append(l.out.Tokens, token.Token{Span: source.Span{Start: start, End: l.at}, Kind: kind, First: l.first, Text: text})
	l.first = false
	return &l.out.Tokens[len(l.out.Tokens)-1]
}

// peek returns the byte n after the one to be read next, 0 after the end.
func (l *lexer) peek(n int) byte {
	if l.at+n < len(l.text) {
		return l.text[l.at+n]
	}
	return 0
}

// next reads one token, or what lies between two.
func (l *lexer) next() {
	switch c := l.text[l.at]; {
	case c == '\n':
		l.at++
		l.first = true
	case c == ' ' || c == '\t' || c == '\r':
		l.at++
	case c == '-' && l.peek(1) == '-':
		l.comment()
	case c == '#':
		l.foreignComment(1)
	case c == '/' && l.peek(1) == '/':
		l.foreignComment(2)
	case c == '/' && l.peek(1) == '*':
		l.blockComment()
	case c == '"':
		l.textLiteral()
	case isDigit(c):
		l.number()
	case isLetter(c) || c == '_':
		l.word()
	case c < utf8.RuneSelf:
		l.sign()
	default:
		l.foreign()
	}
}

// foreignComment skips a line behind the sign, of n bytes, that begins a comment
// in other languages.
func (l *lexer) foreignComment(n int) {
	sign := source.Span{Start: l.at, End: l.at + n}
	l.skipLine()
	l.reportSpan(sign, "comment", "a comment begins with `--`", "%s does not begin a comment", quote(l.file.Slice(sign)))
}

func (l *lexer) skipLine() {
	if n := strings.IndexByte(l.text[l.at:], '\n'); n >= 0 {
		l.at += n
	} else {
		l.at = len(l.text)
	}
}

func (l *lexer) comment() {
	start := l.at
	l.skipLine()
	text := strings.TrimRight(l.text[start:l.at], " \t\r")
	if !utf8.ValidString(text) {
		l.report(start, "invalid_utf8", "", "this comment is not UTF-8")
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	l.out.Comments = append(l.out.Comments, token.Comment{Span: source.Span{Start: start, End: l.at}, Text: text, Own: l.first})
}

func (l *lexer) blockComment() {
	start := l.at
	if n := strings.Index(l.text[start+2:], "*/"); n >= 0 {
		l.at = start + 2 + n + 2
	} else {
		l.at = len(l.text)
	}
	l.reportSpan(source.Span{Start: start, End: start + 2}, "comment", "begin each line of a comment with `--`", "`/*` does not begin a comment")
}

// word reads a name or a reserved word.
func (l *lexer) word() {
	start := l.at
	for l.at < len(l.text) && isWord(l.text[l.at]) {
		l.at++
	}
	if l.at < len(l.text) && l.text[l.at] >= utf8.RuneSelf {
		if r, _ := utf8.DecodeRuneInString(l.text[l.at:]); unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) {
			l.foreignName(start)
			return
		}
	}
	word := l.text[start:l.at]
	if isName(word) {
		kind := token.Lookup(word)
		l.emit(kind, start, word)
		if len(word) > MaxName {
			l.report(start, "bad_name", "", "a name has at most %d characters, this one has %d", MaxName, len(word))
		}
		return
	}
	lower := strings.ToLower(word)
	kind := token.Lookup(lower)
	switch {
	case kind == token.Name && len(word) == 3 && strings.ToUpper(word) == word && isLetter(word[0]) && isLetter(word[1]) && isLetter(word[2]):
		l.emit(token.Currency, start, word)
	case kind != token.Name:
		l.emit(kind, start, lower)
		l.report(start, "bad_name", fmt.Sprintf("write `%s`", lower), "%s is written in small letters", quote(word))
	default:
		l.emit(token.Name, start, lower)
		l.report(start, "bad_name", nameHint(word), "a name begins with a small letter and consists of `a` to `z`, `0` to `9` and `_`, found %s", quote(word))
	}
}

// nameHint returns what to write instead of a word with capitals or a leading
// underscore.
func nameHint(word string) string {
	var b strings.Builder
	for i := range len(word) {
		c := word[i]
		capital := c >= 'A' && c <= 'Z'
		if capital && i > 0 && word[i-1] >= 'a' && word[i-1] <= 'z' {
			b.WriteByte('_')
		}
		if capital {
			c += 'a' - 'A'
		}
		if c != '_' || b.Len() > 0 {
			b.WriteByte(c)
		}
	}
	if !isName(b.String()) {
		return ""
	}
	return fmt.Sprintf("write `%s`", b.String())
}

// foreignName reads a name with letters other than a to z.
func (l *lexer) foreignName(start int) {
	for l.at < len(l.text) {
		r, size := utf8.DecodeRuneInString(l.text[l.at:])
		if r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && r != '_' {
			break
		}
		l.at += size
	}
	l.emit(token.Name, start, l.text[start:l.at])
	l.report(start, "bad_name", "", "a name begins with a small letter and consists of `a` to `z`, `0` to `9` and `_`, found %s", quote(l.text[start:l.at]))
}

// foreign reads what is not ASCII and not in a text or comment.
func (l *lexer) foreign() {
	start := l.at
	r, size := utf8.DecodeRuneInString(l.text[l.at:])
	if closing, ok := typographic[r]; ok {
		l.otherQuotes(size, closing)
		return
	}
	switch {
	case unicode.IsLetter(r):
		l.foreignName(start)
	case unicode.IsSpace(r) || r == '\uFEFF' || r == '\u200B':
		l.at += size
		l.report(start, "unknown_character", "write a plain space", "%U is no space to Rubric", r)
	case r == utf8.RuneError && size == 1:
		for l.at < len(l.text) && size == 1 && r == utf8.RuneError {
			l.at++
			r, size = utf8.DecodeRuneInString(l.text[l.at:])
		}
		l.emit(token.Bad, start, "")
		l.report(start, "invalid_utf8", "", "a program is UTF-8, these bytes are not: % x", l.text[start:min(l.at, start+8)])
	default:
		l.at += size
		l.emit(token.Bad, start, "")
		l.report(start, "unknown_character", foreignSigns[r], "unknown character %s", quote(string(r)))
	}
}

var foreignSigns = map[rune]string{
	'≠': "write `!=`", '≤': "write `<=`", '≥': "write `>=`", '–': "write `-`", '—': "write `-`", '−': "write `-`",
	'×': "write `*`", '÷': "write `/`", '…': "write `..`", '→': "write `|>`",
}

// isName tells whether a word has the shape of a name, its length aside.
func isName(word string) bool {
	if word == "" || word[0] < 'a' || word[0] > 'z' {
		return false
	}
	for i := range len(word) {
		if c := word[i]; !isWord(c) || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) || c == '_' }

// quote puts text in backquotes, a long one shortened.
func quote(text string) string {
	const most = 40
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most-1]) + "…"
	}
	return "`" + text + "`"
}
