package lexer

import (
	"time"

	"github.com/readership/readership/internal/rubric/token"
)

// isTime tells whether a text begins with four digits, two and two with `-`
// between them.
func isTime(s string) bool {
	if len(s) < len("2006-01-02") {
		return false
	}
	for i, c := range []byte("0000-00-00") {
		if c == '0' && !isDigit(s[i]) || c == '-' && s[i] != '-' {
			return false
		}
	}
	return true
}

// Layouts of a time in the site's zone, and with an offset.
var (
	clockLayouts  = []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05"}
	offsetLayouts = []string{"2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z07:00"}
)

// time reads a date, or a date and a time of day.
func (l *lexer) time() {
	start := l.at
	l.at += len("2006-01-02")
	if l.peek(0) == 'T' || l.peek(0) == 't' {
		l.at++
		for c := l.peek(0); isWord(c) || c == ':' || c == '.' && isDigit(l.peek(1)); c = l.peek(0) {
			l.at++
		}
		if c := l.peek(0); (c == '+' || c == '-') && isDigit(l.peek(1)) && isDigit(l.peek(2)) && l.peek(3) == ':' {
			l.at += 4
			l.digits()
		}
	} else {
		for isWord(l.peek(0)) {
			l.at++
		}
	}
	text := l.text[start:l.at]
	t := l.emit(token.Time, start, text)
	for _, layout := range clockLayouts {
		if at, err := time.Parse(layout, text); err == nil && wholeMillis(at) {
			t.Int = at.UnixMilli()
			return
		}
	}
	for _, layout := range offsetLayouts {
		if at, err := time.Parse(layout, text); err == nil && wholeMillis(at) {
			t.Int, t.Scale = at.UnixMilli(), 1
			return
		}
	}
	l.report(start, "bad_time", "such as `2026-03-01`, `2026-03-01T10:00` or `2026-03-01T10:00+01:00`", "%s is no time", quote(text))
}

// timeOfDay reports `10:00` and the like, whose first digits are read.
func (l *lexer) timeOfDay(start int) {
	for c := l.peek(0); isWord(c) || c == ':' && isDigit(l.peek(1)); c = l.peek(0) {
		l.at++
	}
	l.emit(token.Time, start, l.text[start:l.at])
	l.report(start, "bad_time", "such as `2026-03-01T10:00`", "a time begins with its date, found %s", quote(l.text[start:l.at]))
}

func wholeMillis(t time.Time) bool { return t.Nanosecond()%int(time.Millisecond) == 0 }
