package edge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/problem"
)

// Guard is a listener for a server of net/http whose connections are bounded:
// in number, also of one address, and in the time they take for an answer. What
// net/http cannot read it answers as every other fault is answered, a problem.
type Guard struct {
	net.Listener
	answers
	limits Limits
	places *places
}

// NewGuard guards l. Of cfg it needs Acked and Limits.
func NewGuard(l net.Listener, cfg Config) *Guard {
	cfg.Limits = cfg.Limits.withDefaults()
	return &Guard{Listener: l, answers: newAnswers(&cfg), limits: cfg.Limits, places: newPlaces(&cfg.Limits, cfg.Exempt)}
}

// Prepare sets what a server of net/http bounds itself: the headers' size and
// how long they take to arrive, and the time between requests.
func (g *Guard) Prepare(s *http.Server) { g.limits.prepare(s) }

// Connections says what became of the connections.
func (g *Guard) Connections() Connections { return g.places.connections() }

// Accept implements net.Listener.
func (g *Guard) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addressFrom(c.RemoteAddr())
		switch entry := g.places.take(from); entry {
		case entered:
			return g.conn(c, from), nil
		default:
			_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // what is written has room in any connection's buffer
			_, _ = c.Write(g.refusal(entry, httpNow()))
			_ = c.Close()
		}
	}
}

// conn guards a connection that has a place.
func (g *Guard) conn(c net.Conn, from netip.Addr) *guarded {
	return &guarded{Conn: c, guard: g, from: from}
}

func httpNow() string { return time.Now().UTC().Format(httpDate) }

func addressFrom(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
}

// HeadSlack is what net/http reads beyond MaxHeaderBytes.
const HeadSlack = 4 << 10

// prepare sets the limits that net/http keeps itself.
func (l *Limits) prepare(s *http.Server) {
	s.MaxHeaderBytes = max(1, l.HeaderBytes-HeadSlack)
	s.ReadHeaderTimeout = l.BodyTime
	s.IdleTimeout = l.IdleTime
}

// guarded is a connection of a Guard.
type guarded struct {
	net.Conn
	guard *Guard
	from  netip.Addr
	left  atomic.Bool
	over  atomic.Bool // its last answer has been written
}

// writePiece is how much of an answer has AnswerTime to be taken.
const writePiece = 64 << 10

// Write implements net.Conn.
func (c *guarded) Write(p []byte) (n int, err error) {
	if c.over.Load() {
		return 0, net.ErrClosed
	}
	out := p
	if answer := c.guard.readable(p); answer != nil {
		out = answer
		c.over.Store(true) // a part of a page may look like it: what follows would not be where its reader takes it to be
	}
	for sent := 0; sent < len(out); {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(c.guard.limits.AnswerTime)) // a connection that has ended says so below
		m, err := c.Conn.Write(out[sent:min(len(out), sent+writePiece)])
		if sent += m; err != nil {
			return min(sent, len(p)), err
		}
	}
	return len(p), nil
}

// Close implements net.Conn.
func (c *guarded) Close() error {
	if !c.left.Swap(true) {
		c.guard.places.leave(c.from)
	}
	return c.Conn.Close()
}

// CloseWrite is called before a connection is closed whose peer may still be
// sending (linger.go).
func (c *guarded) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	if err := half.CloseWrite(); err != nil {
		return fmt.Errorf("close for writing: %w", err)
	}
	if c.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
	}
	return nil
}

// bareHeader follows the status line of what net/http answers where it cannot
// read a request. No answer of a handler has a header as short: each has a date.
var bareHeader = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// readable returns the problem that is to be answered in place of net/http's own
// answer to a request that it cannot read; nil if p is not that.
func (g *Guard) readable(p []byte) []byte {
	const version = "HTTP/1.1 "
	line := bytes.IndexByte(p, '\r')
	if line < len(version)+3 || !bytes.HasPrefix(p[line:], bareHeader) || !bytes.HasPrefix(p, []byte(version)) {
		return nil
	}
	status, err := strconv.Atoi(string(p[len(version) : len(version)+3]))
	if err != nil {
		return nil
	}
	var out collect.Response
	g.problem(&out, unreadable(status, string(p[line+len(bareHeader):]), g.limits.HeaderBytes))
	return g.appendAnswer(nil, new(head), &out, httpNow(), true)
}

// unreadable is the answer to a request that cannot be read. said is what
// net/http says of it: "400 Bad Request: malformed Host header".
func unreadable(status int, said string, headerBytes int) *problem.Problem {
	if status == http.StatusRequestHeaderFieldsTooLarge {
		return problem.Newf(status, "the request line and headers may have %d bytes", headerBytes)
	}
	detail := "the request cannot be read"
	if _, why, ok := strings.Cut(said, ": "); ok {
		detail += ": " + why
	}
	return problem.New(status, detail)
}

// CloseUnclear ends the connection with the answer to a request whose length a
// server before this one may have understood otherwise: one in chunks, which may
// have named a length too, and one of HTTP/1.0, which may have named chunks
// (RFC 9112, section 6.1). net/http reads both as they are to be read, but keeps
// the connection and does not tell.
func CloseUnclear(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && (len(r.TransferEncoding) > 0 || r.ProtoMinor == 0) {
		w.Header().Set("Connection", "close")
	}
}

var (
	_ net.Listener = (*Guard)(nil)
	_ net.Conn     = (*guarded)(nil)
)
