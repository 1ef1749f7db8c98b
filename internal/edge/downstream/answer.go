package downstream

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/readership/readership/internal/edge/wire"
)

// answer is the http.ResponseWriter of a connection, used for one request after the
// other. It gathers what it can and writes it in one piece.
type answer struct {
	conn     *conn
	request  *http.Request
	reads    *body // of the request; nil: it has none
	header   http.Header
	status   int      // 0: the head is still the handler's
	length   int64    // that the handler says the body has; -1: it says nothing
	written  int64    // of the body, or tried to
	bodiless bool     // no body follows the head
	framed   bool     // the head says where the body ends
	chunked  bool     // in chunks
	trailers []string // that were announced
	trailing bool     // trailers are known of when the head is written
	close    bool     // the connection ends with the answer
	err      error    // of writing

	out  *buffer
	body int // where what is gathered of the body begins in out
}

// buffer is room for an answer.
type buffer struct{ b []byte }

const (
	bufferBytes = 32 << 10
	frameBytes  = 64 // that a length or a chunk's frame takes at most
)

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, bufferBytes+frameBytes)} }}

// begin makes ready for a request's answer.
func (a *answer) begin(r *http.Request) {
	clear(a.header)
	*a = answer{conn: a.conn, header: a.header, request: r, length: -1, close: r.Close}
}

// drop lets go of what was gathered.
func (a *answer) drop() {
	if a.out != nil {
		if cap(a.out.b) <= 2*bufferBytes {
			buffers.Put(a.out)
		}
		a.out = nil
	}
	a.request = nil
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	switch {
	case status < 100 || status > 999:
		panic("no status: " + strconv.Itoa(status))
	case a.status != 0:
		return
	case status/100 == 1 && status != http.StatusSwitchingProtocols:
		a.early(status)
		return
	}
	a.status = status
	a.bodiless = a.request.Method == http.MethodHead || !allowsBody(status)
	a.buffer()
	a.head()
}

func (a *answer) buffer() {
	if a.out == nil {
		a.out = buffers.Get().(*buffer)
		a.out.b = a.out.b[:0]
	}
}

func allowsBody(status int) bool {
	return status/100 != 1 && status != http.StatusNoContent && status != http.StatusNotModified
}

// early writes an answer that comes before the last.
func (a *answer) early(status int) {
	a.buffer()
	b := statusLine(a.out.b, status)
	for name, values := range a.header {
		if name != "Content-Length" && name != "Transfer-Encoding" {
			b = appendField(b, name, values)
		}
	}
	a.out.b = append(b, "\r\n"...)
	a.write()
}

func statusLine(b []byte, status int) []byte {
	b = strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(status), 10)
	text := http.StatusText(status)
	if text == "" {
		text = "status code " + strconv.Itoa(status)
	}
	return append(append(append(b, ' '), text...), "\r\n"...)
}

// appendField lays a field out. What would end its line is written as a space.
func appendField(b []byte, name string, values []string) []byte {
	if !httpguts.ValidHeaderFieldName(name) {
		return b // such as http.TrailerPrefix has
	}
	for _, value := range values {
		b = append(append(b, name...), ": "...)
		if wire.Value(value) {
			b = append(b, value...)
		} else {
			b = append(b, strings.NewReplacer("\r", " ", "\n", " ").Replace(value)...)
		}
		b = append(b, "\r\n"...)
	}
	return b
}

// head lays the head out, but for where the body ends if that is not known.
func (a *answer) head() {
	b := statusLine(a.out.b, a.status)
	dated := false
	for name, values := range a.header {
		switch name {
		case "Content-Length":
			if n, ok := a.said(values); ok {
				a.length = n
			}
			continue
		case "Connection":
			a.close = a.close || httpguts.HeaderValuesContainsToken(values, "close")
			continue
		case "Transfer-Encoding":
			continue
		case "Content-Type":
			if a.status == http.StatusNotModified {
				continue
			}
		case "Trailer":
			a.trailing = true
			for _, line := range values {
				for name := range strings.SplitSeq(line, ",") {
					a.trailers = append(a.trailers, http.CanonicalHeaderKey(strings.TrimSpace(name)))
				}
			}
		case "Date":
			dated = true
		}
		a.trailing = a.trailing || strings.HasPrefix(name, http.TrailerPrefix)
		b = appendField(b, name, values)
	}
	if !dated {
		b = append(time.Now().UTC().AppendFormat(append(b, "Date: "...), http.TimeFormat), "\r\n"...)
	}
	if a.close = a.close || a.conn.server.draining.Load(); a.close {
		b = append(b, "Connection: close\r\n"...)
	}
	a.out.b = b
	if a.length >= 0 {
		a.out.b = appendLength(a.out.b, a.length)
	}
	if a.bodiless || a.length >= 0 {
		a.out.b = append(a.out.b, "\r\n"...)
		a.framed = true
	}
	a.body = len(a.out.b)
}

// said returns the length that a handler says.
func (a *answer) said(values []string) (n int64, ok bool) {
	if len(values) == 0 || !allowsBody(a.status) {
		return 0, false
	}
	return wire.Length(values[0])
}

func appendLength(b []byte, n int64) []byte {
	return append(strconv.AppendInt(append(b, "Content-Length: "...), n, 10), "\r\n"...)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (n int, err error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	a.written += int64(len(p))
	switch {
	case a.err != nil:
		return 0, a.err
	case !allowsBody(a.status):
		return 0, http.ErrBodyNotAllowed
	case a.length >= 0 && a.written > a.length:
		return 0, http.ErrContentLength
	}
	if a.bodiless {
		return len(p), nil
	}
	for {
		piece := p[n:min(len(p), n+max(0, bufferBytes-len(a.out.b)))]
		a.out.b = append(a.out.b, piece...)
		if n += len(piece); n == len(p) {
			return n, nil
		}
		if a.flush(false); a.err != nil {
			return n, a.err
		}
	}
}

// FlushError sends what was gathered.
func (a *answer) FlushError() error {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	a.flush(false)
	return a.err
}

// Flush implements http.Flusher.
func (a *answer) Flush() { _ = a.FlushError() }

// flush writes what was gathered; last says that nothing follows.
func (a *answer) flush(last bool) {
	if !a.framed {
		a.framed = true
		frame := make([]byte, 0, frameBytes)
		if last && !a.trailing {
			frame = appendLength(frame, int64(len(a.out.b)-a.body))
		} else {
			a.chunked = true
			frame = append(frame, "Transfer-Encoding: chunked\r\n"...)
		}
		frame = append(frame, "\r\n"...)
		a.out.b = slices.Insert(a.out.b, a.body, frame...)
		a.body += len(frame)
	}
	if a.chunked {
		a.chunk(last)
	}
	a.write()
}

// chunk puts what was gathered of the body into a chunk.
func (a *answer) chunk(last bool) {
	if n := len(a.out.b) - a.body; n > 0 {
		var frame [frameBytes]byte
		a.out.b = append(slices.Insert(a.out.b, a.body, append(strconv.AppendInt(frame[:0], int64(n), 16), "\r\n"...)...), "\r\n"...)
	}
	if !last {
		return
	}
	b := append(a.out.b, "0\r\n"...)
	for _, name := range a.trailers {
		if httpguts.ValidTrailerHeader(name) {
			b = appendField(b, name, a.header[name])
		}
	}
	for name, values := range a.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && httpguts.ValidTrailerHeader(name) {
			b = appendField(b, name, values)
		}
	}
	a.out.b = append(b, "\r\n"...)
}

func (a *answer) write() {
	if len(a.out.b) > 0 && a.err == nil {
		_, a.err = a.conn.nc.Write(a.out.b)
	}
	a.out.b, a.body = a.out.b[:0], 0
}

// finish ends the answer, and says whether the connection can go on.
func (a *answer) finish() bool {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	a.flush(true)
	kept := a.length == -1 || a.length == a.written || a.bodiless
	return a.err == nil && !a.close && kept
}

// SetReadDeadline is for http.ResponseController.
func (a *answer) SetReadDeadline(t time.Time) error {
	if a.reads != nil {
		return a.reads.move(t)
	}
	return a.conn.move(t)
}

// SetWriteDeadline is for http.ResponseController.
func (a *answer) SetWriteDeadline(t time.Time) error { return a.conn.nc.SetWriteDeadline(t) }

// EnableFullDuplex is for http.ResponseController: requests are read while their
// answers are written in any case.
func (a *answer) EnableFullDuplex() error { return nil }

var (
	_ http.ResponseWriter = (*answer)(nil)
	_ http.Flusher        = (*answer)(nil)
)
