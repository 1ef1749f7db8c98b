package upstream

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/readership/readership/internal/edge/wire"
)

// answer reads the next head.
func (c *conn) answer(r *http.Request) (*http.Response, error) {
	if _, err := c.r.Peek(1); err != nil {
		return nil, err
	}
	b, _ := c.r.Peek(c.r.Buffered())
	if a, size := parse(b, r.Method); a != nil {
		_, _ = c.r.Discard(size)
		a.Request, a.Body, a.body.conn = r, &a.body, c
		return &a.Response, nil
	}
	res, err := http.ReadResponse(c.r, r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 1 {
		b := &Body{conn: c, source: res.Body, close: res.Close}
		if res.Body == http.NoBody {
			b.source = nil
		}
		res.Body = b
	}
	return res, nil
}

// plain is an answer that was read here, with its body.
type plain struct {
	http.Response
	body Body
}

// maxFields is how many fields a plain head may have.
const maxFields = 64

var headEnd = []byte("\r\n\r\n")

// parse reads a plain head, which is of size bytes, from the front of b: all of it
// is there, and it says in the only way there is how long the body is: by one
// Content-Length, or by a status that has none. Nil: it is not plain, or not whole.
// It keeps nothing of b.
func parse(b []byte, method string) (a *plain, size int) {
	end := bytes.Index(b, headEnd)
	if end < 0 || !plainStatus(b) {
		return nil, 0
	}
	text := string(b[:end+2]) // the lines, each with its end
	first := indexLine(text)
	if !wire.Value(text[:first]) {
		return nil, 0
	}
	a = new(plain)
	a.Proto, a.ProtoMajor, a.ProtoMinor = text[:len("HTTP/1.1")], 1, 1
	a.Status = text[len("HTTP/1.1 "):first]
	a.StatusCode = 100*int(text[9]-'0') + 10*int(text[10]-'0') + int(text[11]-'0')
	if !a.fields(text[first+2:]) {
		return nil, 0
	}
	a.body.close = a.Close
	switch {
	case method == http.MethodHead:
	case !hasBody(a.StatusCode):
		a.ContentLength = 0
	case a.ContentLength == -1:
		return nil, 0 // it ends with the connection
	default:
		a.body.left = a.ContentLength
	}
	return a, end + len(headEnd)
}

// hasBody says whether answers of a status have a body.
func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// plainStatus says whether b begins with a status line of HTTP/1.1, of a last
// answer.
func plainStatus(b []byte) bool {
	const line = "HTTP/1.1 200 "
	return len(b) > len(line) && string(b[:9]) == line[:9] && b[9] >= '2' && b[9] <= '5' &&
		b[10] >= '0' && b[10] <= '9' && b[11] >= '0' && b[11] <= '9' && b[12] == ' ' && b[13] > ' '
}

// indexLine returns where the first line of lines ends; each does in "\r\n".
func indexLine(lines string) int {
	for i := 0; ; i++ {
		if lines[i] == '\r' && lines[i+1] == '\n' {
			return i
		}
	}
}

// fields reads the fields of a head.
func (a *plain) fields(lines string) bool {
	a.ContentLength = -1
	a.Header = make(http.Header, 12)
	values := make([]string, 0, maxFields/4)
	for n := 0; len(lines) > 0; n++ {
		end := indexLine(lines)
		name, value, ok := wire.Field(lines[:end])
		if !ok || n == maxFields {
			return false
		}
		lines = lines[end+2:]
		name = http.CanonicalHeaderKey(name)
		if !a.known(name, value) {
			return false
		}
		if a.Close && name == "Connection" {
			continue
		}
		values = append(values, value)
		if already, ok := a.Header[name]; ok {
			a.Header[name] = append(already, value)
		} else {
			a.Header[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	return true
}

// known looks at fields that say how an answer is to be read.
func (a *plain) known(name, value string) bool {
	switch name {
	case "Content-Length":
		var ok bool
		if a.ContentLength != -1 {
			return false
		}
		a.ContentLength, ok = wire.Length(value)
		return ok
	case "Connection":
		if a.Close || a.Header[name] != nil {
			return false
		}
		a.Close = wire.EqualFold(value, "close")
		return a.Close || wire.EqualFold(value, "keep-alive")
	case "Transfer-Encoding", "Trailer", "Upgrade", "Pragma": // net/http has a say in the last one too
		return false
	}
	return true
}

// Body is the body of an answer. When it has been read to its end, its connection
// goes back.
type Body struct {
	conn   *conn         // nil: it went back
	source io.ReadCloser // net/http's; nil: left bytes follow
	left   int64
	close  bool // the connection ends with the answer
}

// begin gives the connection back of an answer without a body.
func (b *Body) begin() {
	if b.source == nil && b.left == 0 {
		b.finish(true)
	}
}

// finish gives the connection back, whole if all was read.
func (b *Body) finish(whole bool) {
	if c := b.conn; c != nil {
		b.conn = nil
		c.done(whole && !b.close)
	}
}

// Here says that all of the body has come: no origin can die over it.
func (b *Body) Here() bool {
	return b.source == nil && (b.conn == nil || b.left <= int64(b.conn.r.Buffered()))
}

// Ready says that Read has something to look at, and is not likely to wait.
func (b *Body) Ready() bool { return b.conn != nil && b.conn.r.Buffered() > 0 }

// Read implements io.Reader.
func (b *Body) Read(p []byte) (n int, err error) {
	if b.conn == nil {
		return 0, io.EOF
	}
	if b.source != nil {
		n, err = b.source.Read(p)
		if errors.Is(err, io.EOF) {
			b.finish(true)
			return n, io.EOF
		}
		return n, b.failed(err)
	}
	n, err = b.conn.r.Read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); b.left == 0 {
		b.finish(true)
		return n, io.EOF
	}
	return n, b.failed(err)
}

// WriteTo implements io.WriterTo: what has come is written from where it lies.
func (b *Body) WriteTo(w io.Writer) (sum int64, err error) {
	if b.source != nil {
		return io.Copy(w, struct{ io.Reader }{b})
	}
	for b.conn != nil {
		if _, err := b.conn.r.Peek(1); err != nil {
			return sum, b.failed(err)
		}
		piece, _ := b.conn.r.Peek(int(min(int64(b.conn.r.Buffered()), b.left)))
		n, err := w.Write(piece)
		_, _ = b.conn.r.Discard(n)
		sum += int64(n)
		if b.left -= int64(n); b.left == 0 {
			b.finish(true)
		}
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func (b *Body) failed(err error) error {
	if err == nil {
		return nil
	}
	return b.conn.failed("read the answer", err)
}

// Close implements io.Closer. What was not read ends the connection.
func (b *Body) Close() error {
	if b.conn != nil && b.source == nil && b.Here() {
		_, _ = b.conn.r.Discard(int(b.left))
		b.left = 0
	}
	b.finish(b.source == nil && b.left == 0)
	return nil
}

var (
	_ io.ReadCloser = (*Body)(nil)
	_ io.WriterTo   = (*Body)(nil)
)
