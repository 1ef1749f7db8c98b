package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

const (
	// readBuffer holds most pages with their heads.
	readBuffer = 16 << 10
	// patience is how long an answer is waited for before it is asked whether
	// anybody still does: nearly all come sooner, at no cost.
	patience = 20 * time.Millisecond
)

// conn is a connection to an origin, with one request under way at most.
type conn struct {
	client *Client
	nc     net.Conn
	r      *bufio.Reader
	out    []byte // the request, laid out

	ctx    context.Context // of the request
	stop   func() bool     // of watching ctx; nil while nobody does
	due    time.Time       // of the head; zero while the body is read
	heads  int             // bytes that were read before the end of the head
	heard  bool            // anything has come
	writes time.Time       // until when writes may go on

	since time.Time       // idle since; zero: it is new
	raw   syscall.RawConn // nil: it cannot be looked at while it is idle
	look  func(fd uintptr)
	still bool // what look saw: nothing has come and the origin is there
}

func newConn(c *Client, nc net.Conn, ctx context.Context) *conn {
	conn := &conn{client: c, nc: nc, ctx: ctx}
	conn.r = bufio.NewReaderSize(conn, readBuffer)
	if s, ok := nc.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			conn.raw, conn.look = raw, func(fd uintptr) { conn.still = quiet(fd) }
		}
	}
	return conn
}

// quiet says whether an idle connection can be used: its origin has not closed it,
// and has sent nothing that would be taken for the answer to what comes next.
func (c *conn) quiet() bool {
	return c.raw != nil && c.r.Buffered() == 0 && c.raw.Control(c.look) == nil && c.still
}

// close ends the connection.
func (c *conn) close() {
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
	_ = c.nc.Close()
}

// ask sends a request and reads the head of its answer, which may come before all of
// the request was sent, such as 431. After an error the connection is of no more use.
func (c *conn) ask(r *http.Request, early func(int, http.Header)) (res *http.Response, err error) {
	if c.out, err = appendRequest(c.out[:0], r); err != nil {
		return nil, err
	}
	now := time.Now()
	c.heard, c.heads, c.due = false, 0, now.Add(c.client.HeadTime)
	if c.writes.Sub(now) < c.client.StallTime { // a deadline costs, and need not be exact
		c.writes = now.Add(c.client.StallTime + c.client.StallTime/8)
		_ = c.nc.SetWriteDeadline(c.writes) // a connection that has ended says so below
	}
	_, unsent := c.nc.Write(c.out)
	if unsent != nil && (isTimeout(unsent) || !c.since.IsZero()) {
		return nil, c.failed("send the request", unsent)
	}
	for {
		res, err := c.answer(r)
		switch {
		case err != nil && unsent != nil:
			return nil, c.failed("send the request", unsent)
		case err != nil:
			return nil, c.failed("read the answer", err)
		}
		switch {
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("the origin changes to a protocol that nobody asked for")
		case res.StatusCode/100 != 1:
			c.due = time.Time{}
			body := res.Body.(*Body)
			body.close = body.close || unsent != nil
			body.begin()
			return res, nil
		case res.StatusCode != http.StatusContinue:
			early(res.StatusCode, res.Header)
		}
	}
}

func (c *conn) failed(what string, err error) error {
	if gone := c.ctx.Err(); gone != nil {
		return gone
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%s: %w", what, err)
}

// errHead says that an answer's head is too long.
var errHead = errors.New("the head of the answer is too long")

// Read implements io.Reader, for the buffer.
func (c *conn) Read(p []byte) (n int, err error) {
	now := time.Now()
	end := now.Add(c.client.StallTime)
	if !c.due.IsZero() {
		if c.heads >= c.client.MaxHead {
			return 0, errHead
		}
		if c.due.Before(end) {
			end = c.due
		}
	}
	if c.stop == nil {
		soon := now.Add(patience)
		if end.Before(soon) {
			soon = end
		}
		_ = c.nc.SetReadDeadline(soon) // a connection that has ended says so below
		if n, err = c.nc.Read(p); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return c.count(n), err
		}
		c.stop = context.AfterFunc(c.ctx, func() { _ = c.nc.SetReadDeadline(time.Unix(1, 0)) })
	}
	_ = c.nc.SetReadDeadline(end)
	if gone := c.ctx.Err(); gone != nil { // its end may have come before the deadline was set
		return 0, gone
	}
	n, err = c.nc.Read(p)
	return c.count(n), err
}

func (c *conn) count(n int) int {
	if n > 0 {
		c.heard = true
		if !c.due.IsZero() {
			c.heads += n
		}
	}
	return n
}

// done gives the connection back, once its answer has been read to its end.
func (c *conn) done(keep bool) {
	if c.stop != nil {
		keep = c.stop() && keep // else what it was to do may still be done
		c.stop = nil
	}
	c.ctx = nil
	if !keep || c.r.Buffered() > 0 { // what comes unasked is nobody's answer
		_ = c.nc.Close()
		return
	}
	if cap(c.out) > readBuffer {
		c.out = nil
	}
	c.client.keep(c)
}

var _ io.Reader = (*conn)(nil)
