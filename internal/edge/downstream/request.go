package downstream

import (
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/readership/readership/internal/edge/wire"
)

// looked is what became of bytes that may be a head.
type looked uint8

const (
	more  looked = iota // its end has not come
	whole               // it ends at lines.end
	odd                 // it has lines that are none, or does not begin as one
)

// lines finds the end of a head whose bytes come one after the other.
type lines struct {
	line, at int // where the last line begins, and what of it was looked at
	end      int
}

// look looks at b, of which it has seen the beginning before.
func (l *lines) look(b []byte) looked {
	if len(b) > 0 && !wire.Token(b[0]) {
		return odd
	}
	for l.at < len(b) {
		line, size, ok := wire.CutLine(b[l.at:])
		if !ok {
			if l.at = len(b); b[l.at-1] == '\r' {
				l.at-- // the line's end may be cut in two
			}
			return more
		}
		if l.at += size; len(line) > 0 && line[len(line)-1] == '\n' {
			return odd
		}
		if l.line == l.at-2 {
			l.end = l.at
			return whole
		}
		l.line = l.at
	}
	return more
}

// head is a request's head.
type head struct {
	request *http.Request
	plain   bool
	n       int // of fields
	hosts   int
	lengths int
}

// maxFields is how many fields a plain head may have.
const maxFields = 64

// parse reads a head, which is whole, as net/http would, if it is plain: HTTP/1.1,
// with one host, at most one length and nothing else that says how to read it, and
// wanting nothing of the connection but to be kept or closed. Of b it keeps
// nothing; base is what its request has beside.
func parse(b []byte, base *http.Request) *head {
	h := &head{request: new(http.Request)}
	*h.request = *base
	text := string(b[:len(b)-2])
	end := strings.Index(text, "\r\n")
	if !h.requestLine(text[:end]) {
		return h
	}
	h.request.Header = make(http.Header, 12)
	values := make([]string, 0, 16)
	for rest := text[end+2:]; rest != ""; {
		end = strings.Index(rest, "\r\n")
		name, value, ok := wire.Field(rest[:end])
		if !ok || h.n == maxFields || !h.known(name, value) {
			return h
		}
		rest = rest[end+2:]
		h.n++
		if len(name) == len("Host") && wire.EqualFold(name, "Host") {
			continue // it is the request's, not the header's
		}
		name = http.CanonicalHeaderKey(name)
		values = append(values, value)
		if already, twice := h.request.Header[name]; twice {
			h.request.Header[name] = append(already, value)
		} else {
			h.request.Header[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	if pragma := h.request.Header["Pragma"]; len(pragma) > 0 && pragma[0] == "no-cache" && h.request.Header["Cache-Control"] == nil {
		h.request.Header["Cache-Control"] = []string{"no-cache"} // as net/http has it (RFC 9111, section 5.4)
	}
	h.plain = h.hosts == 1
	return h
}

// requestLine reads "METHOD TARGET HTTP/1.1".
func (h *head) requestLine(line string) bool {
	r := h.request
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if method == http.MethodConnect || version != "HTTP/1.1" || target == "" || target[0] != '/' {
		return false
	}
	for i := range len(method) {
		if !wire.Token(method[i]) {
			return false
		}
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	var err error
	r.URL, err = url.ParseRequestURI(target)
	r.Method, r.RequestURI, r.Body = method, target, http.NoBody
	return err == nil && method != ""
}

// known looks at fields that say how a request is to be read.
func (h *head) known(name, value string) bool {
	switch len(name) {
	case len("Te"):
		return !wire.EqualFold(name, "Te")
	case len("Host"):
		if wire.EqualFold(name, "Host") {
			h.hosts++
			h.request.Host = value
			return value != "" && httpguts.ValidHostHeader(value)
		}
	case len("Expect"):
		return !wire.EqualFold(name, "Expect")
	case len("Upgrade"): // and of Trailer
		return !wire.EqualFold(name, "Upgrade") && !wire.EqualFold(name, "Trailer")
	case len("Connection"):
		if wire.EqualFold(name, "Connection") {
			once := h.request.Header["Connection"] == nil
			h.request.Close = wire.EqualFold(value, "close")
			return once && (h.request.Close || wire.EqualFold(value, "keep-alive"))
		}
	case len("Content-Length"):
		if wire.EqualFold(name, "Content-Length") {
			h.lengths++
			var ok bool
			h.request.ContentLength, ok = wire.Length(value)
			return ok && h.lengths == 1
		}
	case len("Transfer-Encoding"):
		return !wire.EqualFold(name, "Transfer-Encoding")
	}
	return true
}
