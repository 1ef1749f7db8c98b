package downstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/edge/handover"
)

// States of a connection.
const (
	idle  int32 = iota // no whole head has come
	busy               // a request is answered
	ended              // it was closed while it was idle
)

// conn is a reader's connection. Its goroutine owns it; handlers reach it through
// answer, body and context.
type conn struct {
	server *Server
	nc     net.Conn
	state  atomic.Int32
	base   *http.Request // what is the same of every request
	cancel context.CancelFunc
	in     []byte // what was read and not used
	answer answer
	until  time.Time   // when reads end, unless
	moved  atomic.Bool // somebody else has set that

	watching
}

// firstRead is the room for a head, before it needs more.
const firstRead = 4 << 10

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, nc: nc, in: make([]byte, 0, firstRead)}
	ctx, cancel := context.WithCancel(s.Base)
	c.cancel = cancel
	c.base = (&http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: nc.RemoteAddr().String()}).WithContext(&watched{ctx, c})
	c.answer = answer{conn: c, header: http.Header{}}
	return c
}

// serve answers requests until the connection ends or is handed on.
func (c *conn) serve() {
	defer c.cancel()
	defer c.server.forget(c)
	for first := true; ; first = false {
		head, size := c.await(first)
		if head == nil || !c.state.CompareAndSwap(idle, busy) {
			_ = c.nc.Close()
			return
		}
		if !head.plain {
			c.handOn()
			return
		}
		rest := copy(c.in, c.in[size:])
		c.in = c.in[:rest]
		if !c.handle(head) || !c.next() {
			return
		}
	}
}

// next makes the connection ready for the next request; it may have to end.
func (c *conn) next() bool {
	c.state.Store(idle)
	if c.server.draining.Load() && c.state.CompareAndSwap(idle, ended) {
		_ = c.nc.Close()
		return false
	}
	return true
}

// handOn gives the connection to the general server.
func (c *conn) handOn() {
	_ = c.nc.SetReadDeadline(time.Time{})
	c.server.General.Give(&handover.Conn{Conn: c.nc, Begun: c.in})
}

// await reads the next head, which it leaves in in. Nil: the connection has ended.
func (c *conn) await(first bool) (h *head, size int) {
	var seen lines
	now := time.Now()
	if c.moved.Swap(false) {
		c.until = time.Time{}
	}
	if first {
		c.by(now.Add(c.server.HeadTime))
	} else if idle := c.server.IdleTime; c.until.Sub(now) < idle-idle/8 || c.until.Sub(now) > idle { // a deadline costs, and need not be exact
		c.by(now.Add(idle))
	}
	begun := first
	for {
		switch seen.look(c.in) {
		case whole:
			if seen.end > c.server.HeadBytes {
				return &head{}, 0
			}
			return parse(c.in[:seen.end], c.base), seen.end
		case odd:
			return &head{}, 0
		}
		if len(c.in) >= c.server.HeadBytes {
			return &head{}, 0
		}
		if len(c.in) > 0 && !begun {
			begun = true
			c.by(time.Now().Add(c.server.HeadTime))
		}
		if len(c.in) == cap(c.in) {
			c.in = append(c.in, make([]byte, len(c.in))...)[:len(c.in)]
		}
		n, err := c.nc.Read(c.in[len(c.in):cap(c.in)])
		c.in = c.in[:len(c.in)+n]
		if n == 0 && err != nil {
			return nil, 0
		}
	}
}

// by sets when reads end.
func (c *conn) by(t time.Time) {
	c.until = t
	_ = c.nc.SetReadDeadline(t) // a connection that has ended says so when read
}

// move sets when reads end, for whoever may read meanwhile.
func (c *conn) move(t time.Time) error {
	c.moved.Store(true)
	return c.nc.SetReadDeadline(t)
}

// handle has a request answered, and says whether another may follow.
func (c *conn) handle(h *head) (more bool) {
	r, a := h.request, &c.answer
	var b *body
	if r.ContentLength > 0 {
		b = &body{conn: c, left: r.ContentLength}
		r.Body = b
		_ = c.move(time.Time{})
		a = &answer{conn: c, header: http.Header{}} // who sends the body on may hold it when the next request is answered
	}
	a.begin(r)
	a.reads = b
	c.open(b == nil)
	defer func() {
		if fault := recover(); fault != nil {
			if fault != http.ErrAbortHandler {
				c.server.ErrorLog.Printf("panic serving %s: %v\n%s", r.RemoteAddr, fault, debug.Stack())
			}
			more = false
		}
		a.drop()
		if !more {
			c.cancel()
			if b != nil {
				b.end()
			}
			c.shut()
			_ = c.nc.Close()
		}
	}()
	c.server.Handler.ServeHTTP(a, r)
	more = a.finish()
	if b != nil && !b.finish() {
		more = false
		if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // who still sends is to read the answer
		}
	}
	return c.shut() && more
}

// body is the body of a request.
type body struct {
	conn   *conn
	closed atomic.Bool
	ended  bool       // guarded by the watch's mu: deadlines of reads are the connection's again
	mu     sync.Mutex // over what follows, and reading
	left   int64
}

// move sets when reads of the body end.
func (b *body) move(t time.Time) error {
	b.conn.watching.mu.Lock()
	defer b.conn.watching.mu.Unlock()
	if b.ended {
		return net.ErrClosed
	}
	return b.conn.move(t)
}

// end says that the handler has returned. Who still reads finds the body closed, and
// moves no deadline any more.
func (b *body) end() {
	b.closed.Store(true)
	b.conn.watching.mu.Lock()
	b.ended = true
	b.conn.watching.mu.Unlock()
}

// unreadBytes is how much of a body that nobody read is read for the next request.
const unreadBytes = 256 << 10

// Read implements io.Reader.
func (b *body) Read(p []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.read(p)
}

// read is Read for who holds mu.
func (b *body) read(p []byte) (n int, err error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	c := b.conn
	p = p[:min(int64(len(p)), b.left)]
	if len(c.in) > 0 {
		n = copy(p, c.in)
		c.in = c.in[:copy(c.in, c.in[n:])]
	} else {
		n, err = c.nc.Read(p)
	}
	if b.left -= int64(n); b.left == 0 {
		c.open(true)
		return n, io.EOF
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.closed.Store(true)
	return nil
}

// finish reads what is left once the answer is out; false says that it is too much,
// or does not come.
func (b *body) finish() bool {
	b.end()
	if !b.mu.TryLock() { // somebody still waits for it
		_ = b.conn.move(past)
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if b.left > unreadBytes {
		return false
	}
	if b.left == 0 {
		return true
	}
	_ = b.conn.move(time.Now().Add(b.conn.server.HeadTime))
	rest := make([]byte, min(b.left, 4<<10))
	for b.left > 0 {
		if _, err := b.read(rest); err != nil && !errors.Is(err, io.EOF) {
			return false
		}
	}
	return true
}

// past ends a read at once.
var past = time.Unix(1, 0)

// watching finds out that a reader has left, while a request is answered and
// somebody wants to know.
type watching struct {
	mu     sync.Mutex
	wanted bool          // guarded by mu
	may    bool          // guarded by mu: the request has been read
	done   chan struct{} // guarded by mu; closed when the watch ends; nil: there is none
	ahead  []byte        // of the next request; the watch's, until done
	gone   bool          // the watch's, until done
}

// watched is a request's context: it ends when the reader leaves, if it is asked.
type watched struct {
	context.Context
	conn *conn
}

// Done implements context.Context.
func (w *watched) Done() <-chan struct{} {
	w.conn.want()
	return w.Context.Done()
}

// want begins the watch, now or once the request has been read.
func (c *conn) want() {
	c.watching.mu.Lock()
	defer c.watching.mu.Unlock()
	if !c.wanted {
		c.wanted = true
		c.watch()
	}
}

// open says that a request is under way, and whether all of it has been read.
func (c *conn) open(read bool) {
	c.watching.mu.Lock()
	defer c.watching.mu.Unlock()
	c.may = read
	c.watch()
}

// watch begins the watch if it is wanted and may be. The caller holds mu.
func (c *conn) watch() {
	if !c.wanted || !c.may || c.done != nil || len(c.in) > 0 { // who has sent the next request is there
		return
	}
	done := make(chan struct{})
	c.done = done
	_ = c.move(time.Time{})
	go func() {
		defer close(done)
		var b [1]byte
		n, err := c.nc.Read(b[:])
		c.ahead = append(c.ahead, b[:n]...)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			c.gone = true
			c.cancel()
		}
	}()
}

// shut ends the watch with the request; false says that the reader has left.
func (c *conn) shut() bool {
	c.watching.mu.Lock()
	done := c.done
	c.may, c.wanted, c.done = false, false, nil
	c.watching.mu.Unlock()
	if done == nil {
		return true
	}
	_ = c.move(past)
	<-done
	c.in = append(c.in, c.ahead...)
	c.ahead = c.ahead[:0]
	return !c.gone
}

var (
	_ io.ReadCloser   = (*body)(nil)
	_ context.Context = (*watched)(nil)
)
