package importer

import (
	"bytes"
	"strconv"
	"time"
)

// jsonSpace is what may stand between the parts of a JSON text.
const jsonSpace = " \t\r\n"

// hasID says whether the JSON object of line names a top-level field "id".
// Names written with \u escapes are not looked into: such a line gets an id
// added, and the server names the fault if that makes two.
func hasID(line []byte) bool {
	if bytes.HasPrefix(line, []byte(`{"id":`)) {
		return true
	}
	_, ok := field(line, `"id"`)
	return ok
}

// field finds a top-level field by its quoted name and returns what stands
// after the colon. It trusts that line is JSON: the server is the judge of it.
func field(line []byte, name string) (value []byte, ok bool) {
	from := 0
	for {
		n := bytes.Index(line[from:], []byte(name))
		if n < 0 {
			return nil, false
		}
		at := from + n
		from = at + len(name)
		rest := bytes.TrimLeft(line[from:], jsonSpace)
		if len(rest) == 0 || rest[0] != ':' {
			continue
		}
		if topLevel(line, at) {
			return bytes.TrimLeft(rest[1:], jsonSpace), true
		}
	}
}

// topLevel says whether the byte at of line lies directly inside the outermost
// object and outside of strings.
func topLevel(line []byte, at int) bool {
	depth, inside := 0, false
	for i := 0; i < at; i++ {
		switch c := line[i]; {
		case inside:
			switch c {
			case '\\':
				i++
			case '"':
				inside = false
			}
		case c == '"':
			inside = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return depth == 1 && !inside
}

// eventTime returns the time of an event's line in Unix milliseconds; ok is
// false if it has none or one that cannot be read.
func eventTime(line []byte) (ms int64, ok bool) {
	value, ok := field(line, `"time"`)
	if !ok || len(value) == 0 {
		return 0, false
	}
	if value[0] == '"' {
		end := bytes.IndexByte(value[1:], '"')
		if end < 0 {
			return 0, false
		}
		t, err := time.Parse(time.RFC3339, string(value[1:end+1]))
		if err != nil {
			return 0, false
		}
		return t.UnixMilli(), true
	}
	n := 0
	for n < len(value) && (value[n] >= '0' && value[n] <= '9' || n == 0 && value[n] == '-') {
		n++
	}
	ms, err := strconv.ParseInt(string(value[:n]), 10, 64)
	return ms, err == nil
}
