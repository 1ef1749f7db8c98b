package edge

import (
	"bytes"

	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/edge/wire"
)

// maxFields is how many header fields a plain request may have.
const maxFields = 48

// field is one header field. Its bytes are the request's.
type field struct{ name, value []byte }

// head is the request line and header of a plain request: HTTP/1.1, for
// collection or decisions, with a body of known length that is not compressed, or
// for a reader's memberships. It is what nearly every request is, and it is read
// strictly: whatever is unusual, or could be read in two ways, is not plain and
// left to the general server (RFC 9112, sections 2 to 6 and 11.2).
type head struct {
	method, path, query []byte
	host                []byte
	fields              [maxFields]field
	n                   int // of fields
	length              int // of the body
	size                int // of the head, with the empty line
	close               bool
	keyed               bool // names a key
	asks                asks
	hasLength           bool
}

// asks is what a request asks for beside collection.
type asks uint8

const (
	asksNothing asks = iota
	asksMembers
	asksDecisions
)

// reading is what became of a head that was read.
type reading uint8

const (
	readMore    reading = iota // the head is not complete
	readPlain                  // all of it is in head
	readGeneral                // it is not plain, or not HTTP
)

var (
	pathEvents = []byte(collect.PathEvents)
	pathPixel  = []byte(collect.PathPixel)
	version11  = []byte("HTTP/1.1")
)

// read reads a head from the front of b. It keeps b.
func (h *head) read(b []byte) reading {
	h.n, h.length, h.close, h.keyed, h.hasLength, h.asks = 0, 0, false, false, false, asksNothing
	h.host, h.query = nil, nil
	line, size, ok := wire.CutLine(b)
	if !ok {
		if len(b) > 0 && !wire.Token(b[0]) {
			return readGeneral
		}
		return readMore
	}
	if !h.requestLine(line) {
		return readGeneral
	}
	for {
		line, next, ok := wire.CutLine(b[size:])
		if !ok {
			return readMore
		}
		size += next
		if len(line) == 0 {
			break
		}
		if !h.field(line) {
			return readGeneral
		}
	}
	h.size = size
	if h.host == nil || !h.plainMethod() {
		return readGeneral
	}
	return readPlain
}

// requestLine reads "METHOD TARGET HTTP/1.1".
func (h *head) requestLine(line []byte) bool {
	i := bytes.IndexByte(line, ' ')
	if i < 0 {
		return false
	}
	h.method = line[:i]
	target, version, ok := bytes.Cut(line[i+1:], []byte{' '})
	if !ok || !bytes.Equal(version, version11) {
		return false
	}
	for _, c := range target {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	h.path, h.query, _ = bytes.Cut(target, []byte{'?'})
	h.keyed = hasKey(h.query)
	if _, _, ok := membersOf(text(h.path)); ok {
		h.asks = asksMembers
	} else if _, ok := decisionsOf(text(h.path)); ok {
		h.asks = asksDecisions
	}
	return h.asks != asksNothing || bytes.Equal(h.path, pathEvents) || bytes.Equal(h.path, pathPixel)
}

// hasKey says whether a query has a parameter key with a value.
func hasKey(query []byte) bool {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte{'&'})
		if value, ok := bytes.CutPrefix(pair, []byte("key=")); ok {
			return len(value) > 0
		}
	}
	return false
}

// plainMethod says whether the method goes with the path, and with a key.
func (h *head) plainMethod() bool {
	switch h.asks {
	case asksMembers:
		return string(h.method) == "GET" && h.keyed && h.length == 0
	case asksDecisions:
		return string(h.method) == "POST" && h.keyed && h.hasLength
	}
	switch string(h.method) {
	case "POST":
		return h.keyed && h.hasLength && len(h.path) == len(pathEvents)
	case "GET":
		return h.keyed && h.length == 0 && len(h.path) == len(pathPixel)
	case "OPTIONS":
		return h.length == 0
	}
	return false
}

// field reads one header field.
func (h *head) field(line []byte) bool {
	name, value, ok := wire.Field(line)
	if !ok || h.n == maxFields {
		return false
	}
	h.fields[h.n] = field{name, value}
	h.n++
	return h.known(name, value)
}

// known looks at fields that say how the request is to be read.
func (h *head) known(name, value []byte) bool {
	switch len(name) {
	case len("Host"):
		if wire.EqualFold(name, "Host") {
			once := h.host == nil
			h.host = value
			return once && plainHost(value)
		}
	case len("Cookie"): // and of Expect
		return !wire.EqualFold(name, "Expect") && (!wire.EqualFold(name, "Cookie") || h.count("Cookie") == 1)
	case len("Upgrade"): // and of Trailer
		return !wire.EqualFold(name, "Upgrade") && !wire.EqualFold(name, "Trailer")
	case len("Connection"):
		if wire.EqualFold(name, "Connection") {
			h.close = wire.EqualFold(value, "close")
			return h.count("Connection") == 1 && (h.close || wire.EqualFold(value, "keep-alive"))
		}
	case len("Authorization"):
		if n := len("Bearer "); len(value) > n && wire.EqualFold(value[:n], "Bearer ") && wire.EqualFold(name, "Authorization") {
			h.keyed = true
		}
	case len("Content-Length"):
		if wire.EqualFold(name, "Content-Length") {
			return h.setLength(value)
		}
	case len("X-Forwarded-For"):
		return !wire.EqualFold(name, "X-Forwarded-For") || h.count("X-Forwarded-For") == 1
	case len("Content-Encoding"):
		return !wire.EqualFold(name, "Content-Encoding")
	case len("Transfer-Encoding"): // and of X-Forwarded-Proto
		return !wire.EqualFold(name, "Transfer-Encoding") && (!wire.EqualFold(name, "X-Forwarded-Proto") || h.count("X-Forwarded-Proto") == 1)
	}
	return true
}

// plainHost says whether a host is a name or an address, with or without a port.
func plainHost(value []byte) bool {
	for _, c := range value {
		if c != '.' && c != '-' && c != '_' && c != ':' && c != '[' && c != ']' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// setLength takes Content-Length.
func (h *head) setLength(value []byte) bool {
	if h.hasLength || len(value) == 0 || len(value) > len("65536") {
		return false
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
		h.length = 10*h.length + int(c-'0')
	}
	h.hasLength = true
	return h.length <= collect.MaxWhole
}

// get returns the first value of a header.
func (h *head) get(name string) []byte {
	for i := range h.fields[:h.n] {
		if f := &h.fields[i]; wire.EqualFold(f.name, name) {
			return f.value
		}
	}
	return nil
}

// Get implements collect.Header.
func (h *head) Get(name string) string { return text(h.get(name)) }

// count returns how many fields have a name.
func (h *head) count(name string) (n int) {
	for i := range h.fields[:h.n] {
		if wire.EqualFold(h.fields[i].name, name) {
			n++
		}
	}
	return n
}

var _ collect.Header = (*head)(nil)
