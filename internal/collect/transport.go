package collect

import (
	"io"
	"net/http"
	"net/netip"
	"strings"

	"github.com/readership/readership/internal/event"
)

// Request is an HTTP request as Collect needs it. Its texts and Body are the
// transport's and valid until Collect returns.
type Request struct {
	Method string
	Path   string // without the query
	Query  string // as sent, without ?
	Header Header
	Host   string
	Remote netip.Addr // of the connection
	TLS    bool
	// Fetch says that the request is for a page itself, which passes or is asked
	// about as it came, and not of a sender that tells of one: then an HTTP
	// library is a robot.
	Fetch  bool
	Body   io.Reader // nil: none, or Whole
	Whole  []byte    // the body, where the transport has all of it; for Start
	Length int64     // of the body, -1 if it is not known
}

// Patient is what a Body may be besides: Patiently is called before a body is
// read that may take longer than others. Each read may then take as long as a
// whole body otherwise.
type Patient interface{ Patiently() }

// Header reads a request's headers.
type Header interface {
	// Get returns the value of a header; several are joined by commas.
	Get(name string) string
}

// Response is the answer. The transport adds X-Request-Id and
// X-Readership-Position.
type Response struct {
	Status      int
	ContentType string // "" without a body
	Body        []byte
	Headers     []HeaderField
	Position    event.Position // X-Readership-Position
	Close       bool           // the body was not read: close the connection
}

// HeaderField is one header of an answer.
type HeaderField struct{ Name, Value string }

// Reset empties the response and keeps its memory.
func (r *Response) Reset() {
	clear(r.Headers)
	*r = Response{Body: r.Body[:0], Headers: r.Headers[:0]}
	if cap(r.Body) > 64<<10 {
		r.Body = nil
	}
}

// Set adds a header.
func (r *Response) Set(name, value string) {
	r.Headers = append(r.Headers, HeaderField{name, value})
}

// Get returns a header that was set, "" if none.
func (r *Response) Get(name string) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// HTTPHeader reads the headers of net/http.
type HTTPHeader http.Header

// Get implements Header.
func (h HTTPHeader) Get(name string) string {
	values := http.Header(h).Values(name)
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	if name == "X-Forwarded-For" || name == "X-Forwarded-Proto" {
		return strings.Join(values, ",")
	}
	if name == "Cookie" {
		return strings.Join(values, "; ")
	}
	return values[0]
}

// Headed returns a request of net/http without its body.
func Headed(r *http.Request) *Request {
	q := &Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: HTTPHeader(r.Header), Host: r.Host, TLS: r.TLS != nil}
	if address, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		q.Remote = address.Addr().Unmap()
	}
	return q
}

// Fetched is Headed for a request that fetches a page.
func Fetched(r *http.Request) *Request {
	q := Headed(r)
	q.Fetch = true
	return q
}
