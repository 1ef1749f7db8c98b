package edge

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/edge/handover"
	"github.com/readership/readership/internal/problem"
)

// state is what a connection waits for.
type state uint8

const (
	stateReading   state = iota // a request, or the rest of one
	stateWaiting                // its admitted request, or the commit of that
	stateWriting                // room for the rest of its answer
	stateLingering              // the peer to stop sending
	stateEnded
)

// conn is a connection. Whoever drives it, a loop's reader, its answerer or the
// sweeper, holds mu.
type conn struct {
	loop   *loop
	fd     int
	remote netip.Addr

	mu       sync.Mutex
	state    state
	readable bool // there may be more to read
	ended    bool // the peer sends no more: the end is still to be read
	deadline int64
	lingered int
	call     *call // nil: nothing of a request has been read
}

// call is one request on its way. It is reused, by connections in turn.
type call struct {
	server    *Server
	conn      *conn
	committed func() // says that the request's commit has ended, or its decision
	way       atomic.Int32

	buf      []byte // what has been read: the request, and what came after it
	head     head
	size     int // of the request in buf
	q        collect.Request
	out      collect.Response
	pending  collect.Pending
	deciding deciding
	asking   asking
	answer   []byte
	sent     int  // of answer
	last     bool // the connection ends with this answer
	left     bool // the answer is the general server's to make
	broken   bool // making the answer panicked
}

// How far a call is that waits: whoever starts it goes on if it ends before that is
// done, else its loop's answerer.
const (
	wayBegins int32 = iota
	wayWaits
	wayEnded
)

// Bounds of the buffers of calls: the first, and what is kept for the next
// request.
const (
	firstBuffer = 4 << 10
	keepBuffer  = 16 << 10
)

func newCall(s *Server) *call {
	c := &call{server: s, buf: make([]byte, 0, firstBuffer)}
	c.committed = func() {
		if !c.way.CompareAndSwap(wayBegins, wayEnded) {
			c.conn.loop.done(c)
		}
	}
	return c
}

// extend sets the time until which what the connection waits for must happen.
func (c *conn) extend(d time.Duration) { c.deadline = c.loop.loops.coarse.Load() + int64(d) }

// happened is told of what epoll says. Requests that are admitted are added to
// admitted: c.work goes on with them.
func (c *conn) happened(events uint32, admitted *admitted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const over = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	c.ended = c.ended || events&over != 0
	c.readable = c.readable || c.ended || events&unix.EPOLLIN != 0
	switch c.state {
	case stateReading:
		if c.readable {
			c.serve(admitted)
		}
	case stateWriting:
		if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 && c.write() {
			c.serve(admitted)
		}
	case stateLingering:
		c.linger()
	}
}

// work goes on with a request that was admitted.
func (c *conn) work() {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.call
	if c.state == stateEnded {
		k.pending.Drop()
		c.release()
		return
	}
	if k.work() != collect.Answered {
		return
	}
	c.state = stateReading
	if !c.send(k) {
		return
	}
	if c.rest(); c.call != nil || c.readable {
		c.again() // others have their turn
	}
}

// committed answers the request, whose commit has ended, and goes on.
func (c *conn) committed(admitted *admitted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.call
	k.finish()
	if c.state == stateEnded {
		c.release()
		return
	}
	if k.left {
		c.leave()
		return
	}
	c.state = stateReading
	if c.send(k) {
		c.serve(admitted)
	}
}

// serve reads and answers requests until the connection has to wait.
func (c *conn) serve(admitted *admitted) {
	defer c.rest()
	longest := c.loop.loops.server.cfg.Limits.HeaderBytes
	for answered := 0; ; {
		if k := c.call; k != nil && len(k.buf) > 0 {
			what := k.head.read(k.buf)
			if what == readMore && len(k.buf) >= longest || what == readPlain && k.head.size > longest {
				c.refuse(k, unreadable(http.StatusRequestHeaderFieldsTooLarge, "", longest))
				return
			}
			if what == readPlain && !c.loop.loops.server.cfg.answers(k.head.asks) {
				what = readGeneral
			}
			whole := what == readPlain && len(k.buf) >= k.head.size+k.head.length
			if what == readGeneral || whole && k.packed() {
				c.leave()
				return
			}
			if whole {
				k.size = k.head.size + k.head.length
				if !c.request(k, admitted) {
					return
				}
				if answered++; answered == maxTurn {
					c.again()
					return
				}
				continue
			}
		}
		if !c.receive() {
			return
		}
	}
}

// maxTurn is how many requests of a connection are answered before others have
// their turn.
const maxTurn = 32

// again has epoll name the connection in the next round, whatever comes.
func (c *conn) again() {
	c.readable = true
	event := c.interest()
	if err := unix.EpollCtl(c.loop.fd, unix.EPOLL_CTL_MOD, c.fd, &event); err != nil {
		c.end()
	}
}

// interest is what epoll watches for. Events come once for each change
// (EPOLLET), so that nothing needs to be set a request.
func (c *conn) interest() unix.EpollEvent {
	return unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, Fd: int32(c.fd)}
}

// packed says whether the body is compressed though no header says so. Unpacked
// it may be much larger than what is committed in one piece.
func (k *call) packed() bool {
	return bytes.HasPrefix(k.buf[k.head.size:k.head.size+k.head.length], []byte{0x1f, 0x8b})
}

// rest gives back the call of a connection that waits for a request.
func (c *conn) rest() {
	if k := c.call; k != nil && c.state == stateReading && len(k.buf) == 0 {
		c.release()
	}
}

// release gives back the call.
func (c *conn) release() {
	k := c.call
	c.call, k.conn, k.deciding, k.asking = nil, nil, deciding{}, asking{}
	if cap(k.buf) > keepBuffer {
		k.buf = make([]byte, 0, firstBuffer)
	}
	if cap(k.answer) > keepBuffer {
		k.answer = nil
	}
	k.buf, k.answer = k.buf[:0], k.answer[:0]
	c.loop.loops.calls.Put(k)
}

// receive reads what has arrived; false if that is nothing.
func (c *conn) receive() bool {
	for c.readable && c.state == stateReading {
		k := c.call
		if k == nil {
			k = c.loop.loops.calls.Get().(*call)
			c.call, k.conn = k, c
		}
		if len(k.buf) == cap(k.buf) {
			k.buf = append(k.buf, make([]byte, len(k.buf))...)[:len(k.buf)]
		}
		room := k.buf[len(k.buf):cap(k.buf)]
		n, err := readNow(c.fd, room)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			c.readable = false
		case n <= 0: // its end, or a fault
			c.end()
		default:
			if len(k.buf) == 0 {
				c.extend(c.loop.loops.server.cfg.Limits.BodyTime)
			}
			// Less than there is room for is all there was; what comes after it
			// is told of anew.
			c.readable = n == len(room) || c.ended
			k.buf = k.buf[:len(k.buf)+n]
			return true
		}
	}
	return false
}

// request starts the request at the front of the buffer; true if it has been
// answered.
func (c *conn) request(k *call, admitted *admitted) bool {
	h := &k.head
	k.q = collect.Request{Method: text(h.method), Path: text(h.path), Query: text(h.query), Header: h, Host: text(h.host),
		Remote: c.remote, Whole: k.buf[h.size:k.size:k.size], Length: int64(h.length)}
	k.last, k.left, k.broken = h.close, false, false
	k.way.Store(wayWaits)
	if h.asks != asksNothing {
		return c.ask(k)
	}
	c.loop.collects.Add(1)
	switch k.start() {
	case collect.Answered:
		return c.send(k)
	case collect.Admitted:
		admitted.add(c)
	}
	c.state = stateWaiting
	return false
}

// ask starts a question about a reader; true if it has been answered.
func (c *conn) ask(k *call) bool {
	switch {
	case k.decide():
		if k.way.CompareAndSwap(wayBegins, wayWaits) {
			break // it is on its way
		}
		if k.finish(); !k.left {
			return c.send(k)
		}
		c.leave()
		return false
	case k.told(), k.broken:
		return c.send(k)
	case k.left:
		c.leave()
		return false
	case !c.loop.loops.ask(k):
		k.server.problem(&k.out, problem.New(http.StatusServiceUnavailable, "the server has more questions than it can answer").
			WithCode("overloaded").WithRetryAfter(retryCrowded))
		return c.send(k)
	}
	c.state = stateWaiting
	return false
}

// decide starts a decision for which nothing has to be waited, which may end it at
// once; false for any other question.
func (k *call) decide() bool {
	if k.head.asks != asksDecisions {
		return false
	}
	defer k.recover()
	s := k.server
	s.cfg.Decisions.read(&k.deciding, &k.q, s.cfg.Acked())
	if k.left = k.deciding.asked == nil; k.left {
		return false
	}
	k.way.Store(wayBegins)
	if k.deciding.started = s.cfg.Decisions.Front.Start(k.deciding.asked, k.committed); !k.deciding.started {
		k.way.Store(wayWaits)
	}
	return k.deciding.started
}

// told answers a question about a reader's segments for which nothing has to be waited;
// false for any other, with left set for one that is the handler's.
func (k *call) told() bool {
	if k.head.asks != asksMembers {
		return false
	}
	defer k.recover()
	m := k.server.cfg.Memberships
	var ok bool
	if k.asking, ok = m.read(&k.q); !ok {
		k.left = true
		return false
	}
	return m.atOnce(&k.asking, &k.out)
}

// start gives the request to the collector.
func (k *call) start() (stage collect.Stage) {
	defer k.recover()
	k.pending, stage = k.server.cfg.Start(&k.q, &k.out, k.committed)
	return stage
}

// work has the collector read the request's body.
func (k *call) work() collect.Stage {
	defer k.recover()
	return k.pending.Work()
}

// finish makes the answer after the commit.
func (k *call) finish() {
	defer k.recover()
	switch {
	case k.deciding.started:
		front, asked := k.server.cfg.Decisions.Front, k.deciding.asked
		answer, err := front.Result(asked)
		k.left = !k.server.decided(&k.deciding, answer, err, &k.q, &k.out)
		k.deciding = deciding{}
		front.Release(asked)
	case k.head.asks == asksNothing:
		k.pending.Finish()
	} // the others are made
}

// ask makes the answer to a question about a reader. It may wait.
func (k *call) ask() {
	defer k.committed()
	defer k.recover()
	if k.head.asks == asksDecisions {
		answer, err := k.server.cfg.Decisions.Front.Answer(context.Background(), k.deciding.asked)
		k.left = !k.server.decided(&k.deciding, answer, err, &k.q, &k.out)
		return
	}
	k.left = !k.server.cfg.Memberships.answer(context.Background(), &k.asking, &k.out)
}

// recover makes the answer of a collector that panicked.
func (k *call) recover() {
	if fault := recover(); fault != nil {
		k.last, k.broken = true, true
		k.server.cfg.Logger.Error("request failed", "path", k.q.Path, "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
		k.server.problem(&k.out, problem.New(http.StatusInternalServerError, "something went wrong; the log has it"))
	}
}

// send writes the answer and drops the request; true if the connection is
// ready for the next one.
func (c *conn) send(k *call) bool {
	l := c.loop.loops
	k.last = k.last || k.out.Close || l.closing.Load()
	k.answer = k.server.appendAnswer(k.answer[:0], &k.head, &k.out, *l.date.Load(), k.last)
	k.sent = 0
	k.pending, k.deciding, k.asking = collect.Pending{}, deciding{}, asking{}
	k.buf = k.buf[:copy(k.buf, k.buf[k.size:])]
	return c.write()
}

// write writes what is left of the answer; true if that is all of it and the
// connection goes on.
func (c *conn) write() bool {
	k := c.call
	for k.sent < len(k.answer) {
		n, err := writeNow(c.fd, k.answer[k.sent:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if c.state != stateWriting {
				c.state = stateWriting
				c.extend(c.loop.loops.server.cfg.Limits.AnswerTime)
			}
			return false
		case err != nil:
			c.end()
			return false
		default:
			k.sent += n
		}
	}
	if k.last || c.loop.loops.closing.Load() && len(k.buf) == 0 {
		c.finishSending()
		return false
	}
	c.state = stateReading
	if len(k.buf) > 0 {
		c.extend(c.loop.loops.server.cfg.Limits.BodyTime)
	} else {
		c.extend(c.loop.loops.server.cfg.Limits.IdleTime)
	}
	return true
}

// finishSending says that there are no more answers and lets the peer take
// what it got before the connection is closed (linger.go).
func (c *conn) finishSending() {
	c.state = stateLingering
	c.release()
	_ = unix.Shutdown(c.fd, unix.SHUT_WR)
	c.extend(lingerTime)
	c.linger()
}

// linger reads and drops what the peer still sends.
func (c *conn) linger() {
	var waste [4 << 10]byte
	for c.readable {
		n, err := readNow(c.fd, waste[:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			c.readable = false
		case n <= 0:
			c.end()
			return
		default:
			if c.lingered += n; c.lingered > lingerBytes {
				c.end()
				return
			}
		}
	}
}

// end closes the connection.
func (c *conn) end() {
	if c.state == stateEnded {
		return
	}
	waiting := c.state == stateWaiting
	c.state, c.readable = stateEnded, false
	c.loop.forget(c)
	_ = unix.Close(c.fd)
	c.loop.loops.server.places.leave(c.remote)
	if c.call != nil && !waiting {
		c.release()
	}
}

// endIdle ends a connection between requests.
func (c *conn) endIdle() {
	if c.state == stateReading && (c.call == nil || len(c.call.buf) == 0) {
		c.end()
	}
}

// overdue ends what has taken too long.
func (c *conn) overdue() {
	if c.loop.loops.coarse.Load() < c.deadline {
		return
	}
	switch {
	case c.state == stateWaiting: // the committer answers in its own time
	case c.state == stateReading && c.call != nil && len(c.call.buf) > 0:
		c.refuse(c.call, problem.New(http.StatusRequestTimeout, "the request took too long to arrive"))
	default:
		c.end()
	}
}

// refuse answers a request that has not been read and ends the connection.
func (c *conn) refuse(k *call, p *problem.Problem) {
	k.server.problem(&k.out, p)
	k.head.n, k.size, k.last = 0, len(k.buf), true
	c.send(k)
}

// leave gives the connection to the general server, with what has been read.
func (c *conn) leave() {
	k := c.call
	read := append([]byte(nil), k.buf...)
	c.state, c.readable = stateEnded, false
	c.loop.forget(c)
	c.release()
	_ = unix.EpollCtl(c.loop.fd, unix.EPOLL_CTL_DEL, c.fd, nil)
	f := os.NewFile(uintptr(c.fd), "connection")
	under, err := net.FileConn(f) // its own descriptor
	_ = f.Close()
	if err != nil {
		c.loop.loops.server.cfg.Logger.Error("fast listener", "error", err)
		c.loop.loops.server.places.leave(c.remote)
		return
	}
	c.loop.loops.server.general.take(&handover.Conn{Conn: under, Begun: read}, c.remote)
}
