package collect

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep JSON may be nested before it is refused as malformed.
const MaxDepth = 64

// scanner reads JSON (RFC 8259) from bytes that are valid UTF-8. Texts alias
// the source or, if they were escaped, the arena. The first fault stops it:
// why is set then and pos is where.
type scanner struct {
	src   []byte
	pos   int
	arena *arena
	why   string
}

func (s *scanner) fail(why string) {
	if s.why == "" {
		s.why = why
	}
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		if c > ' ' {
			return c
		}
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c | 0x80 // a control character: no JSON begins with it
		}
		s.pos++
	}
	return 0
}

// end skips white space and says whether nothing is left.
func (s *scanner) end() bool {
	s.peek()
	return s.pos == len(s.src)
}

// expect takes c or fails.
func (s *scanner) expect(c byte, why string) bool {
	if s.why != "" {
		return false
	}
	if s.peek() != c {
		s.fail(why)
		return false
	}
	s.pos++
	return true
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks the bytes of w that end the plain part of a string: a quote, a
// backslash or a control character. The lowest mark is exact.
func special(w uint64) uint64 {
	quote := w ^ ones*'"'
	slash := w ^ ones*'\\'
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w) & highs
}

// plain returns the index of the first special byte from i on, len(src) if
// there is none.
func plain(src []byte, i int) int {
	for i+8 <= len(src) {
		if m := special(binary.LittleEndian.Uint64(src[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(src) && src[i] != '"' && src[i] != '\\' && src[i] >= 0x20 {
		i++
	}
	return i
}

// str reads a string; pos is at its quote.
func (s *scanner) str() string {
	start := s.pos + 1
	i := plain(s.src, start)
	if i < len(s.src) && s.src[i] == '"' {
		s.pos = i + 1
		return text(s.src[start:i])
	}
	return s.escaped(start, i)
}

// escaped reads the rest of a string whose first special byte, at i, is not
// its end.
func (s *scanner) escaped(start, i int) string {
	// A text is never longer than its source, which ends before the next
	// quote that no backslash precedes; find it to bound the room.
	end := i
	for end < len(s.src) && s.src[end] != '"' {
		if s.src[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(s.src) {
		s.pos = len(s.src)
		s.fail("a string has no end")
		return ""
	}
	out := append(s.arena.room(end-start), s.src[start:i]...)
	for i < end {
		switch c := s.src[i]; {
		case c == '\\':
			var ok bool
			if out, i, ok = s.escape(out, i, end); !ok {
				return ""
			}
		case c < 0x20:
			s.pos = i
			s.fail("a control character stands in a string")
			return ""
		default:
			next := min(plain(s.src, i), end)
			out = append(out, s.src[i:next]...)
			i = next
		}
	}
	s.pos = end + 1
	return s.arena.take(out)
}

// escape appends what the escape at i stands for and returns where it ends. A
// half of a surrogate pair becomes U+FFFD.
func (s *scanner) escape(out []byte, i, end int) ([]byte, int, bool) {
	switch c := s.src[i+1]; c {
	case '"', '\\', '/':
		return append(out, c), i + 2, true
	case 'b':
		return append(out, '\b'), i + 2, true
	case 'f':
		return append(out, '\f'), i + 2, true
	case 'n':
		return append(out, '\n'), i + 2, true
	case 'r':
		return append(out, '\r'), i + 2, true
	case 't':
		return append(out, '\t'), i + 2, true
	case 'u':
		r, ok := hex4(s.src[i+2 : end])
		if !ok {
			break
		}
		i += 6
		if utf16.IsSurrogate(r) {
			pair := rune(utf8.RuneError)
			if i+6 <= end && s.src[i] == '\\' && s.src[i+1] == 'u' {
				if low, ok := hex4(s.src[i+2 : end]); ok {
					pair = utf16.DecodeRune(r, low)
				}
			}
			if pair != utf8.RuneError {
				i += 6
			}
			r = pair
		}
		return utf8.AppendRune(out, r), i, true
	}
	s.pos = i
	s.fail("a string has an unknown escape")
	return out, i, false
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// number reads a number and returns its text; whole says that it is a plain
// integer.
func (s *scanner) number() (number string, whole bool) {
	i, src := s.pos, s.src
	digits := func() bool {
		from := i
		for i < len(src) && src[i]-'0' <= 9 {
			i++
		}
		return i > from
	}
	if i < len(src) && src[i] == '-' {
		i++
	}
	first := i
	ok := digits() && (src[first] != '0' || i == first+1)
	whole = true
	if ok && i < len(src) && src[i] == '.' {
		i++
		whole, ok = false, digits()
	}
	if ok && i < len(src) && src[i]|0x20 == 'e' {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		whole, ok = false, digits()
	}
	if !ok {
		s.pos = i
		s.fail("a number is malformed")
		return "", false
	}
	number = text(src[s.pos:i])
	s.pos = i
	return number, whole
}

// literal takes true, false or null; pos is at its first letter.
func (s *scanner) literal(word string) bool {
	if len(s.src)-s.pos < len(word) || string(s.src[s.pos:s.pos+len(word)]) != word {
		s.fail("expected a value")
		return false
	}
	s.pos += len(word)
	return true
}

// kind is the type of a JSON value.
type kind uint8

const (
	kindNone kind = iota // nothing that a value begins with
	kindString
	kindNumber
	kindTrue
	kindFalse
	kindNull
	kindObject
	kindArray
)

// kind says what the next value is, by its first byte.
func (s *scanner) kind() kind {
	switch c := s.peek(); c {
	case '"':
		return kindString
	case '{':
		return kindObject
	case '[':
		return kindArray
	case 't':
		return kindTrue
	case 'f':
		return kindFalse
	case 'n':
		return kindNull
	default:
		if c == '-' || c-'0' <= 9 {
			return kindNumber
		}
	}
	return kindNone
}

// skip reads over one value.
func (s *scanner) skip() { s.skipValue(1) }

func (s *scanner) skipValue(depth int) {
	if s.why != "" {
		return
	}
	switch s.kind() {
	case kindString:
		s.skipString()
	case kindNumber:
		s.number()
	case kindTrue:
		s.literal("true")
	case kindFalse:
		s.literal("false")
	case kindNull:
		s.literal("null")
	case kindObject:
		s.skipList(depth, '}', true)
	case kindArray:
		s.skipList(depth, ']', false)
	default:
		s.fail("expected a value")
	}
}

// skipString reads over a string without making its text.
func (s *scanner) skipString() {
	i := plain(s.src, s.pos+1)
	if i < len(s.src) && s.src[i] == '"' {
		s.pos = i + 1
		return
	}
	before := len(s.arena.buf)
	s.escaped(s.pos+1, i)
	if before <= len(s.arena.buf) {
		s.arena.buf = s.arena.buf[:before]
	}
}

func (s *scanner) skipList(depth int, end byte, named bool) {
	if depth >= MaxDepth {
		s.fail("it is nested too deeply")
		return
	}
	s.pos++
	if s.peek() == end {
		s.pos++
		return
	}
	for s.why == "" {
		if named && !s.skipName() {
			return
		}
		s.skipValue(depth + 1)
		if !s.next(end) {
			return
		}
	}
}

// next takes a comma (true) or the end of the list (false).
func (s *scanner) next(end byte) bool {
	if s.why != "" {
		return false
	}
	switch s.peek() {
	case ',':
		s.pos++
		return true
	case end:
		s.pos++
	default:
		if end == '}' {
			s.fail("expected a comma or }")
		} else {
			s.fail("expected a comma or ]")
		}
	}
	return false
}

// name reads a member's name and the colon after it.
func (s *scanner) name() string {
	if s.peek() != '"' {
		s.fail("expected a name in quotes")
		return ""
	}
	name := s.str()
	s.expect(':', "expected a colon")
	return name
}

func (s *scanner) skipName() bool {
	if s.peek() != '"' {
		s.fail("expected a name in quotes")
		return false
	}
	s.skipString()
	return s.expect(':', "expected a colon")
}
