package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// answerTime is how long an answer may take before it counts as broken.
const answerTime = 30 * time.Second

// driver drives the connections of a Load from one thread with epoll, so that on
// cores it shares with the server little of what is measured is its own.
type driver struct {
	load   *Load
	report LoadReport
	epoll  int
	conns  []*wire // by place
	free   []*wire // last in, first out, that few are warm
	sent   uint64  // requests that were due
	flying int     // requests under way
	start  time.Time
	body   []byte // of the request that is laid out
}

// wire is one connection, with one request under way at most.
type wire struct {
	place     int
	fd        int    // its own; -1: closed
	n         uint64 // of the request under way
	flying    bool
	due, sent time.Time
	out       []byte // what is left to send of it
	request   []byte
	in        []byte // of its answer
}

// drive sends until the load's time is over or ctx ends, and takes the last
// answers.
func (l *Load) drive(ctx context.Context) (*LoadReport, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// A driver is the runtime's while it waits, too (spell): others need one beside.
	moreThreads(1)
	defer moreThreads(-1)
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make epoll: %w", err)
	}
	d := &driver{load: l, epoll: epoll}
	defer func() {
		for _, w := range d.conns {
			d.close(w)
		}
		_ = unix.Close(epoll)
	}()
	for i := range l.Connections { // before the clock starts: connections are not what is measured
		w := &wire{place: i, fd: -1}
		d.conns = append(d.conns, w)
		if err := d.dial(w); err != nil {
			return nil, err
		}
		d.free = append(d.free, w)
	}
	size := int(max(l.Rate*l.Duration.Seconds(), 1<<16))
	d.report.Accepted, d.report.Due = make([]time.Duration, 0, size), make([]time.Duration, 0, size)
	err = d.run(ctx)
	d.report.Offered, d.report.Took = d.sent, time.Since(d.start)
	return &d.report, err
}

var threads sync.Mutex

// moreThreads lets the runtime run n goroutines more at once.
func moreThreads(n int) {
	threads.Lock()
	defer threads.Unlock()
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + n)
}

func (d *driver) dial(w *wire) error {
	c, err := net.DialTimeout("tcp", d.load.Addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	// Not File, which the runtime would watch too: each answer would wake another
	// thread, at the cost of who sends it.
	var failed error
	if err := raw.Control(func(fd uintptr) { w.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return err
	}
	if failed != nil {
		w.fd = -1
		return fmt.Errorf("keep a connection: %w", failed)
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, Fd: int32(w.place)}
	return unix.EpollCtl(d.epoll, unix.EPOLL_CTL_ADD, w.fd, &event)
}

func (d *driver) close(w *wire) {
	if w.fd >= 0 {
		_ = unix.Close(w.fd)
		w.fd = -1
	}
}

// dueAt is when request n is due.
func (d *driver) dueAt(n uint64, now time.Time) time.Time {
	if d.load.Rate == 0 {
		return now
	}
	return d.start.Add(time.Duration(float64(n) / d.load.Rate * 1e9))
}

func (d *driver) run(ctx context.Context) error {
	events := make([]unix.EpollEvent, 256)
	d.start = time.Now()
	end := d.start.Add(d.load.Duration)
	overdue := d.start.Add(time.Second)
	for {
		now := time.Now()
		due := d.dueAt(d.sent, now)
		for ctx.Err() == nil && len(d.free) > 0 && !due.After(now) && !due.After(end) {
			w := d.free[len(d.free)-1]
			d.free = d.free[:len(d.free)-1]
			if err := d.begin(ctx, w, due); err != nil {
				return err
			}
			now = time.Now()
			due = d.dueAt(d.sent, now)
		}
		over := ctx.Err() != nil || due.After(end)
		if over && d.flying == 0 {
			return nil
		}
		if now.After(overdue) {
			d.expire(now)
			overdue = now.Add(time.Second)
		}
		wait := time.Second
		if !over && len(d.free) > 0 {
			wait = max(100*time.Microsecond, due.Sub(now))
		}
		if ctx.Done() != nil {
			wait = min(wait, 50*time.Millisecond) // nobody wakes epoll for it
		}
		n, err := waitFor(d.epoll, events, wait)
		if err != nil {
			return fmt.Errorf("wait for answers: %w", err)
		}
		for i := range events[:n] {
			d.happened(d.conns[events[i].Fd])
		}
	}
}

// spell is how long a wait may be that the runtime is not told of. Its monitor takes
// the processor away from a call of 20 µs and gives it back later, which an open loop
// at 10,000 requests/s would pay for each of them.
const spell = time.Millisecond

// waitFor is epoll_pwait2: an open loop's schedule is finer than milliseconds.
func waitFor(epoll int, events []unix.EpollEvent, wait time.Duration) (int, error) {
	timeout := unix.NsecToTimespec(int64(wait))
	call := unix.RawSyscall6
	if wait > spell {
		call = unix.Syscall6
	}
	n, _, errno := call(unix.SYS_EPOLL_PWAIT2, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(&timeout)), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, errno
}

// transfer reads from, or writes to, a connection, which never waits.
func transfer(call uintptr, fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// begin sends the next request on a free connection.
func (d *driver) begin(ctx context.Context, w *wire, due time.Time) error {
	l := d.load
	if w.fd < 0 {
		if err := d.dial(w); err != nil {
			d.close(w)
			d.report.Broken++
			d.sent, d.free = d.sent+1, append(d.free, w)
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	w.n = d.sent
	d.sent++
	if l.Request != nil {
		w.request = l.Request(w.request[:0], w.n)
	} else {
		d.body = l.Body(d.body[:0], w.n, l.Batch)
		w.request = d.lay(w.request[:0], d.body)
	}
	w.flying, w.due, w.sent, w.out, w.in = true, due, time.Now(), w.request, w.in[:0]
	d.flying++
	if err := d.send(w); err != nil {
		d.broken(w)
	}
	return nil
}

// lay lays out a request for POST /v1/events.
func (d *driver) lay(dst []byte, body []byte) []byte {
	dst = fmt.Appendf(dst, "POST /v1/events HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n",
		d.load.Addr, d.load.WriteKey, len(body))
	return append(dst, body...)
}

func (d *driver) send(w *wire) error {
	for len(w.out) > 0 {
		n, err := transfer(unix.SYS_SENDTO, w.fd, w.out)
		switch err {
		case nil:
			w.out = w.out[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			return nil // epoll says when there is room
		default:
			return err
		}
	}
	return nil
}

// happened goes on with a connection that has room or something to read.
func (d *driver) happened(w *wire) {
	if w.fd < 0 {
		return
	}
	if w.flying && len(w.out) > 0 {
		if err := d.send(w); err != nil {
			d.broken(w)
			return
		}
	}
	for {
		if cap(w.in)-len(w.in) < 1024 {
			w.in = append(w.in, make([]byte, 4096)...)[:len(w.in)]
		}
		room := w.in[len(w.in):cap(w.in)]
		n, err := transfer(unix.SYS_RECVFROM, w.fd, room)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case n <= 0 || err != nil || !w.flying: // its end, a fault, or an answer to nothing
			d.broken(w)
			return
		}
		w.in = w.in[:len(w.in)+n]
		a, err := readAnswer(w.in)
		if err != nil {
			d.broken(w)
			return
		}
		if a.whole {
			d.answered(w, a)
			return
		}
		if n < len(room) {
			return // all there was; what comes after is told of anew
		}
	}
}

// answered notes an answer and frees its connection.
func (d *driver) answered(w *wire, a answer) {
	now := time.Now()
	said := Answer{Status: a.status, RetryAfter: a.retry, Waited: now.Sub(w.due), Took: now.Sub(w.sent)}
	d.report.add(said)
	if d.load.Read != nil && a.status == 200 {
		d.load.Read(w.n, a.body)
	}
	if !a.keep {
		d.close(w)
	}
	d.end(w, said)
}

// broken ends a connection, and the request under way without an answer.
func (d *driver) broken(w *wire) {
	d.close(w)
	if !w.flying {
		return
	}
	now := time.Now()
	d.report.Broken++
	d.end(w, Answer{Waited: now.Sub(w.due), Took: now.Sub(w.sent)})
}

func (d *driver) end(w *wire, a Answer) {
	w.flying = false
	d.flying--
	d.free = append(d.free, w)
	if d.load.Answered != nil {
		d.load.Answered(w.n, a)
	}
}

// expire breaks what has waited too long.
func (d *driver) expire(now time.Time) {
	for _, w := range d.conns {
		if w.flying && now.Sub(w.sent) > answerTime {
			d.broken(w)
		}
	}
}

// answer is an HTTP/1.1 answer as far as it was read.
type answer struct {
	status      int
	retry, keep bool
	body        []byte
	whole       bool
}

var errAnswer = errors.New("not an HTTP answer with a length")

// readAnswer reads an answer from the bytes that came so far.
func readAnswer(in []byte) (a answer, err error) {
	head, rest, ok := bytes.Cut(in, []byte("\r\n\r\n"))
	if !ok {
		return a, nil
	}
	line, fields, _ := bytes.Cut(head, []byte("\r\n"))
	if len(line) < 12 {
		return a, errAnswer
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, errAnswer
	}
	length := 0
	a.keep = true
	for len(fields) > 0 {
		line, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return a, errAnswer
			}
		case bytes.EqualFold(name, []byte("retry-after")):
			a.retry = true
		case bytes.EqualFold(name, []byte("connection")):
			a.keep = !bytes.EqualFold(value, []byte("close"))
		}
	}
	if a.whole = len(rest) >= length; a.whole {
		a.body = rest[:length]
	}
	return a, nil
}
