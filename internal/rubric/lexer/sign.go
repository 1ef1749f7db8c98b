package lexer

import (
	"strings"
	"unicode/utf8"

	"github.com/readership/readership/internal/rubric/token"
)

// sign is a sign and what it is read as. One with a hint is not Rubric's: it is
// reported and taken for what was most likely meant.
type sign struct {
	text string
	kind token.Kind
	hint string
}

// signs are all signs, longer ones before those they begin with.
var signs = []sign{
	{"===", token.Eq, "write `==`"},
	{"!==", token.Ne, "write `!=`"},
	{"...", token.DotDot, "write `..`"},
	{"==", token.Eq, ""},
	{"!=", token.Ne, ""},
	{"<>", token.Ne, "write `!=`"},
	{"<=", token.Le, ""},
	{"=<", token.Le, "write `<=`"},
	{">=", token.Ge, ""},
	{"=>", token.Ge, "write `>=` to compare"},
	{":=", token.Assign, "write `=`"},
	{"??", token.Coalesce, ""},
	{"&&", token.And, ""},
	{"||", token.Or, ""},
	{"|>", token.Pipe, ""},
	{"..", token.DotDot, ""},
	{"&", token.And, "write `and`"},
	{"|", token.Pipe, "write `|>` to pass rows on, `or` between conditions"},
	{"!", token.Not, ""},
	{"=", token.Assign, ""},
	{"<", token.Lt, ""},
	{">", token.Gt, ""},
	{"+", token.Plus, ""},
	{"-", token.Minus, ""},
	{"*", token.Star, ""},
	{"/", token.Slash, ""},
	{".", token.Dot, ""},
	{",", token.Comma, ""},
	{":", token.Colon, ""},
	{"(", token.LeftParen, ""},
	{")", token.RightParen, ""},
	{"[", token.LeftBracket, ""},
	{"]", token.RightBracket, ""},
	{"{", token.LeftBrace, ""},
	{"}", token.RightBrace, ""},
	{"?", token.Bad, "write `if … then … else …` to choose, `??` for what may be missing"},
	{"%", token.Bad, "there is no remainder; a share is written as a decimal: `0.5`"},
}

// signsOf are the signs that begin with a byte.
var signsOf = func() (of [utf8.RuneSelf][]sign) {
	for _, s := range signs {
		of[s.text[0]] = append(of[s.text[0]], s)
	}
	return of
}()

// sign reads a sign of ASCII characters.
func (l *lexer) sign() {
	rest := l.text[l.at:]
	if rest[0] == '.' && l.peek(1) != '.' && isDigit(l.peek(1)) && !l.follows() {
		l.number()
		return
	}
	for _, s := range signsOf[rest[0]] {
		if strings.HasPrefix(rest, s.text) {
			start := l.at
			l.at += len(s.text)
			l.emit(s.kind, start, s.text)
			if s.hint != "" {
				l.report(start, "unknown_sign", s.hint, "there is no sign `%s`", s.text)
			}
			return
		}
	}
	switch start := l.at; rest[0] {
	case ';':
		l.at++
		l.report(start, "unknown_sign", "take it away: a declaration ends where the next begins", "there is no sign `;`")
	case '\'', '`':
		l.otherQuotes(1, rune(rest[0]))
	default:
		for l.at < len(l.text) && l.text[l.at] == rest[0] {
			l.at++
		}
		l.emit(token.Bad, start, "")
		if rest[0] < ' ' || rest[0] == 0x7F {
			l.report(start, "unknown_character", "", "unknown character U+%04X", rest[0])
			return
		}
		l.report(start, "unknown_character", "", "unknown character `%c`", rest[0])
	}
}

// follows tells whether the last token touches what is read next.
func (l *lexer) follows() bool {
	n := len(l.out.Tokens)
	return n > 0 && l.out.Tokens[n-1].End == l.at
}
