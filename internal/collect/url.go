package collect

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/readership/readership/internal/event"
)

// location is a URL taken apart. Nothing is decoded; host has its port and
// user cut off.
type location struct {
	host, path, query string
}

// locate takes a URL apart. It knows four forms: with a scheme, beginning with
// // , a path that begins with / , and a host without a scheme.
func locate(raw string) location {
	raw = strings.TrimSpace(raw)
	raw, _, _ = strings.Cut(raw, "#")
	raw, query, _ := strings.Cut(raw, "?")
	raw = strings.TrimSpace(raw)
	switch n := schemeEnd(raw); {
	case n > 0:
		raw = raw[n:]
	case strings.HasPrefix(raw, "//"):
		raw = raw[2:]
	case strings.HasPrefix(raw, "/"):
		return location{"", raw, query}
	}
	host, path := raw, ""
	if i := strings.IndexByte(raw, '/'); i >= 0 {
		host, path = raw[:i], raw[i:]
	}
	return location{bareHost(host), path, query}
}

// schemeEnd returns the length of "scheme://" at the start of s, 0 if there is
// none.
func schemeEnd(s string) int {
	for i := range len(s) {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z', i > 0 && (c-'0' <= 9 || c == '+' || c == '-' || c == '.'):
		case c == ':' && i > 0 && strings.HasPrefix(s[i:], "://"):
			return i + 3
		default:
			return 0
		}
	}
	return 0
}

// bareHost cuts user and port off and dots from the end.
func bareHost(host string) string {
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if strings.HasPrefix(host, "[") {
		if i := strings.IndexByte(host, ']'); i > 0 {
			return host[:i+1]
		}
	}
	host, _, _ = strings.Cut(host, ":")
	return trimEnd(strings.TrimSpace(host), '.')
}

// trimEnd cuts a character and white space from the end of s.
func trimEnd(s string, char rune) string {
	if n := len(s); n == 0 || s[n-1] > ' ' && s[n-1] < utf8.RuneSelf && rune(s[n-1]) != char {
		return s // as most are
	}
	return strings.TrimRightFunc(s, func(r rune) bool { return r == char || unicode.IsSpace(r) })
}

// lower returns s in lower case; a text of the arena if that is another.
func (a *arena) lower(s string) string {
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return strings.ToLower(s)
		}
		if c-'A' < 26 {
			return a.take(appendLower(a.room(len(s)), s))
		}
	}
	return s
}

func appendLower(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return append(dst, strings.ToLower(s[i:])...)
		}
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// ItemAddress returns what a page's URL stands for as an item, as far as no
// catalogue entry claims it: host and path in lower case, without scheme, user,
// port, "www.", fragment, "/amp", trailing slash and query, but for the site's
// id_params, in their order. What need not be percent-encoded is not. It is
// idempotent. "" for an empty URL.
func ItemAddress(site *event.Site, raw string) string {
	return string(appendAddress(nil, raw, site.IDParams))
}

// appendAddress appends ItemAddress to dst.
func appendAddress(dst []byte, raw string, params []string) []byte {
	at := locate(raw)
	start := len(dst)
	host := at.host
	for len(host) >= len("www.") && strings.EqualFold(host[:len("www.")], "www.") {
		host = bareHost(host[len("www."):])
	}
	dst = appendLower(dst, host)
	path := at.path
	if len(dst) == start {
		path = "/" + strings.TrimLeft(path, "/")
		if len(path) == 1 && at.path == "" && at.query == "" {
			return dst
		}
	}
	from := len(dst)
	dst = appendPlain(dst, path, pathSeparators)
	dst = append(dst[:from], lowered(dst[from:])...)
	for {
		before := len(dst)
		kept := trimEnd(text(dst[from:]), '/')
		dst = dst[:from+len(kept)]
		if strings.HasSuffix(text(dst[from:]), "/amp") {
			dst = dst[:len(dst)-len("/amp")]
		}
		if len(dst) == before {
			break
		}
	}
	if len(dst) == start {
		dst = append(dst, '/')
	}
	sep := byte('?')
	for _, name := range params {
		if value, ok := param(at.query, name); ok {
			dst = append(dst, sep)
			dst = appendPlain(append(append(dst, name...), '='), strings.TrimSpace(value), querySeparators)
			sep = '&'
		}
	}
	return dst
}

// What stands for itself in a path, or in a value of a query, only where it is not
// percent-encoded.
const (
	pathSeparators  = `%/?#;\`
	querySeparators = `%&=#;+`
)

// appendPlain appends s with the printable ASCII that is percent-encoded in it
// decoded, but for separators: who writes %61 for a means the same page. What has an
// escape that is none is left as it is.
func appendPlain(dst []byte, s, separators string) []byte {
	if strings.IndexByte(s, '%') < 0 || !escapedWell(s) {
		return append(dst, s...)
	}
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if c := unhex(s[i+1])<<4 | unhex(s[i+2]); c > ' ' && c < 0x7f && strings.IndexByte(separators, c) < 0 {
				dst = append(dst, c)
			} else {
				dst = append(dst, s[i:i+3]...)
			}
			i += 2
			continue
		}
		dst = append(dst, s[i])
	}
	return dst
}

// escapedWell says whether each percent sign of s begins an escape.
func escapedWell(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])) {
			return false
		}
	}
	return true
}

// lowered is b in lower case; b itself if it is all ASCII.
func lowered(b []byte) []byte {
	for i, c := range b {
		if c >= utf8.RuneSelf {
			return append(b[:i:i], strings.ToLower(string(b[i:]))...)
		}
		if c-'A' < 26 {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

// param returns the first value of a query parameter, as written; its name may be
// percent-encoded.
func param(query, name string) (value string, ok bool) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if key == name || strings.IndexByte(key, '%') >= 0 && string(appendPlain(nil, key, querySeparators)) == name {
			return value, true
		}
	}
	return "", false
}

// unescape decodes a part of a query: + is a blank, %XX a byte. ok is false if
// an escape is malformed or the result is not UTF-8; the text is then as good
// as can be.
func (a *arena) unescape(s string) (decoded string, ok bool) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		if utf8.ValidString(s) {
			return s, true
		}
		return strings.ToValidUTF8(s, "\uFFFD"), false
	}
	ok = true
	b := a.room(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		case c == '%':
			ok = false
		}
		b = append(b, c)
	}
	if !utf8.Valid(b) {
		return strings.ToValidUTF8(string(b), "\uFFFD"), false
	}
	return a.take(b), ok
}

func isHex(c byte) bool { return c-'0' <= 9 || (c|0x20)-'a' < 6 }

func unhex(c byte) byte {
	if c-'0' <= 9 {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
