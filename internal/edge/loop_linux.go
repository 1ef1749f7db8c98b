package edge

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// loops serve the connections of the fast listener with few goroutines instead
// of one each: of every loop one reads what has arrived and starts the
// requests, and one answers those whose commit has ended. A request costs two
// system calls and no goroutine's wake of its own.
//
// What is not a plain request (head.go) takes its connection with it to the
// general server.
type loops struct {
	server  *Server
	accepts *os.File // the listening socket
	all     []*loop
	open    atomic.Int64 // connections of the loops
	begun   time.Time
	coarse  atomic.Int64 // nanoseconds since begun, as of the last sweep
	date    atomic.Pointer[string]
	closing atomic.Bool
	empty   chan struct{} // has a value after open has become 0
	stop    chan struct{}
	running sync.WaitGroup
	calls   sync.Pool  // of *call
	asked   chan *call // whose answers may have to be waited for
	lookout chan struct{}
}

// Questions about readers for which something has to be waited are answered by
// goroutines beside the loops, so many at once; so many more wait for one, and the
// next is refused.
const (
	maxAnswering = 256
	maxAsked     = 4096
)

// ask has a question answered; false if there are too many.
func (l *loops) ask(k *call) bool {
	select {
	case l.asked <- k:
		return true
	default:
		return false
	}
}

// answering is a goroutine that answers questions.
func (l *loops) answering() {
	for {
		select {
		case k := <-l.asked:
			k.ask()
		case <-l.stop:
			return
		}
	}
}

// loop is a set of connections.
type loop struct {
	loops *loops
	fd    int      // of epoll
	epoll *os.File // owns fd and waits for it

	mu    sync.RWMutex
	conns map[int32]*conn // by file descriptor; guarded by mu

	collects atomic.Int64 // requests that collect, since the last sweep
	busy     atomic.Bool

	finished struct {
		sync.Mutex
		calls []*call // whose commits have ended
	}
	wake chan struct{}
}

// batchEvents is how many connections are looked at before others run: all that
// have something, so that under overload none waits unseen behind those that
// are served.
const batchEvents = 4096

// newLoops starts the loops of a server for the connections of listener; nil if
// they are not of a kind that loops can watch.
func newLoops(s *Server, listener net.Listener) (*loops, error) {
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return nil, nil
	}
	accepts, err := tcp.File() // net does not let its own be read
	if err != nil {
		return nil, fmt.Errorf("reach the listening socket: %w", err)
	}
	l := &loops{server: s, accepts: accepts, begun: time.Now(), empty: make(chan struct{}, 1), stop: make(chan struct{}), asked: make(chan *call, maxAsked), lookout: make(chan struct{})}
	l.calls.New = func() any { return newCall(s) }
	l.tick(time.Now())
	for range runtime.GOMAXPROCS(0) {
		fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err == nil {
			err = unix.SetNonblock(fd, true) // so that it is polled itself
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("make epoll: %w", err), l.close())
		}
		one := &loop{loops: l, fd: fd, epoll: os.NewFile(uintptr(fd), "epoll"), conns: make(map[int32]*conn), wake: make(chan struct{}, 1)}
		l.all = append(l.all, one)
		l.running.Go(one.read)
		l.running.Go(one.answer)
	}
	if s.cfg.Memberships != nil || s.cfg.Decisions != nil {
		for range maxAnswering {
			l.running.Go(l.answering)
		}
	}
	l.running.Go(l.sweep)
	l.running.Go(l.lookOut)
	return l, nil
}

// Go's scheduler looks for connections with something to read where a thread has
// nothing else to do. While a loop works on, of connection after connection, the
// other loops' may so be seen only 10 ms later, by its monitor, though a processor is
// idle. Making any goroutine runnable has it start a thread on that processor, which
// looks and then stays on the lookout.
//
// lookoutAfter is after how many connections a loop has one started.
const lookoutAfter = 8

// lookOut is the goroutine that is made runnable.
func (l *loops) lookOut() {
	for {
		select {
		case <-l.lookout:
		case <-l.stop:
			return
		}
	}
}

// callLookout has a thread look for connections.
func (l *loops) callLookout() {
	select {
	case l.lookout <- struct{}{}:
	default: // it is being called
	}
}

// accept takes connections until drain or close.
func (l *loops) accept() error {
	raw, err := l.accepts.SyscallConn()
	if err != nil {
		return fmt.Errorf("reach the listening socket: %w", err)
	}
	for next := 0; ; next++ {
		var fd int
		var from unix.Sockaddr
		var failed error
		err := raw.Read(func(listening uintptr) bool {
			fd, from, failed = unix.Accept4(int(listening), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			return failed != unix.EAGAIN
		})
		switch {
		case err != nil && l.closing.Load():
			return nil
		case err != nil:
			return fmt.Errorf("accept: %w", err)
		case failed == unix.EMFILE, failed == unix.ENFILE, failed == unix.ENOBUFS, failed == unix.ENOMEM:
			// Some connection must end first.
			select {
			case <-time.After(50 * time.Millisecond):
			case <-l.stop:
				return nil
			}
			continue
		case failed != nil: // of a connection that is gone already
			continue
		}
		remote := addressOf(from)
		if entry := l.server.places.take(remote); entry != entered {
			_, _ = unix.Write(fd, l.server.refusal(entry, *l.date.Load()))
			_ = unix.Close(fd)
			continue
		}
		l.open.Add(1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		l.all[next%len(l.all)].add(&conn{fd: fd, remote: remote, readable: true})
	}
}

func addressOf(from unix.Sockaddr) netip.Addr {
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr).Unmap()
	}
	return netip.Addr{}
}

// add begins to watch a connection.
func (l *loop) add(c *conn) {
	c.loop = l
	c.extend(l.loops.server.cfg.Limits.IdleTime)
	l.mu.Lock()
	l.conns[int32(c.fd)] = c
	l.mu.Unlock()
	event := c.interest()
	if err := unix.EpollCtl(l.fd, unix.EPOLL_CTL_ADD, c.fd, &event); err != nil || l.loops.closing.Load() {
		c.mu.Lock()
		c.endIdle()
		c.mu.Unlock()
	}
}

// forget ends watching a connection. The caller closes its descriptor after.
func (l *loop) forget(c *conn) {
	l.mu.Lock()
	delete(l.conns, int32(c.fd))
	l.mu.Unlock()
	if l.loops.open.Add(-1) == 0 {
		select {
		case l.loops.empty <- struct{}{}:
		default:
		}
	}
}

// read is the goroutine that reads. It yields to nobody while there is something
// to read: who yields waits behind all that can run, and refusals with it.
func (l *loop) read() {
	raw, err := l.epoll.SyscallConn()
	if err != nil {
		l.loops.server.cfg.Logger.Error("fast listener", "error", err)
		return
	}
	events := make([]unix.EpollEvent, batchEvents)
	conns := make([]*conn, 0, batchEvents)
	var admitted admitted
	served := 0 // since the loop has slept
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			if n = l.look(int(fd), events); n == 0 {
				served = 0
			}
			return n > 0 || admitted.any()
		})
		if err != nil { // closed
			admitted.rest()
			return
		}
		conns = conns[:0]
		l.mu.RLock()
		for i := range events[:n] {
			conns = append(conns, l.conns[events[i].Fd])
		}
		l.mu.RUnlock()
		for i, c := range conns {
			if c != nil {
				c.happened(events[i].Events, &admitted)
			}
			if served++; served%lookoutAfter == 0 && !l.busy.Load() {
				l.loops.callLookout()
			}
		}
		admitted.work(time.Now().Add(workTime))
	}
}

// Between events that follow each other closely a loop does not sleep: it looks
// again, maxLooks times at most, and lets whoever can run go first. A sleep and a
// wake, which the sender of the next event pays for, cost more than the looks, and
// the system has the woken thread wait for the sender's processor even if another
// is free. A loop with fewer than busyRate events a second sleeps, so that a server
// with little to do takes little; and questions do not count: who lets others go
// first may lose milliseconds, which an event's commit takes anyway.
const (
	busyRate = 5000
	maxLooks = 100
)

// look returns how many connections have something, 0 if the loop is to sleep
// until one has.
func (l *loop) look(fd int, events []unix.EpollEvent) int {
	for looks := 1; ; looks++ {
		n, err := waitNow(fd, events)
		switch {
		case err == nil && n > 0:
			return n
		case err != nil || looks == maxLooks || !l.busy.Load():
			return 0
		}
		runtime.Gosched() // to other goroutines
		yieldNow()        // to other threads
	}
}

// measure sets whether the loop is busy, by the events of a time.
func (l *loop) measure(elapsed time.Duration) {
	l.busy.Store(float64(l.collects.Swap(0)) >= busyRate*elapsed.Seconds())
}

// done hands over a call whose commit has ended. It does not wait.
func (l *loop) done(c *call) {
	l.finished.Lock()
	l.finished.calls = append(l.finished.calls, c)
	first := len(l.finished.calls) == 1
	l.finished.Unlock()
	if first {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// answer is the goroutine that answers what has been committed.
func (l *loop) answer() {
	var calls []*call
	var admitted admitted
	for {
		select {
		case <-l.wake:
		case <-l.loops.stop:
			return
		}
		l.finished.Lock()
		calls, l.finished.calls = l.finished.calls, calls[:0]
		l.finished.Unlock()
		for i, c := range calls {
			c.conn.committed(&admitted)
			calls[i] = nil
		}
		admitted.rest()
	}
}

// admitted are the connections whose request has been admitted and not worked
// on, first come, first served.
type admitted struct {
	conns []*conn
	next  int
}

// workTime is for how long admitted requests are worked on before others are
// looked at: these may have to be refused, which must not take long.
const workTime = 2 * time.Millisecond

// workLook is how many requests are worked on between looks at the clock; each
// takes some 10 µs, a large one a millisecond.
const workLook = 8

func (a *admitted) add(c *conn) { a.conns = append(a.conns, c) }
func (a *admitted) any() bool   { return len(a.conns) > 0 }

// rest works on all that are left.
func (a *admitted) rest() {
	for a.any() {
		a.work(time.Now().Add(workTime))
	}
}

// work goes on with the requests until there are none or the time is over.
func (a *admitted) work(end time.Time) {
	for a.next < len(a.conns) {
		c := a.conns[a.next]
		a.conns[a.next] = nil
		a.next++
		c.work()
		if a.next%workLook == 0 && time.Now().After(end) {
			break
		}
	}
	a.conns, a.next = a.conns[:copy(a.conns, a.conns[a.next:])], 0
}

// sweep is the goroutine that keeps the clock and ends what takes too long.
func (l *loops) sweep() {
	limits := l.server.cfg.Limits
	every := min(max(min(limits.BodyTime, limits.IdleTime, limits.AnswerTime)/8, 5*time.Millisecond), 250*time.Millisecond)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var conns []*conn
	last := time.Now()
	for {
		select {
		case now := <-ticker.C:
			for _, one := range l.all {
				one.measure(now.Sub(last))
			}
			last = now
			l.tick(now)
			conns = l.each(conns, (*conn).overdue)
		case <-l.stop:
			return
		}
	}
}

// each calls do for every connection, with its lock. It returns scratch.
func (l *loops) each(scratch []*conn, do func(*conn)) []*conn {
	for _, one := range l.all {
		scratch = scratch[:0]
		one.mu.RLock()
		for _, c := range one.conns {
			scratch = append(scratch, c)
		}
		one.mu.RUnlock()
		for _, c := range scratch {
			c.mu.Lock()
			do(c)
			c.mu.Unlock()
		}
	}
	clear(scratch)
	return scratch
}

// tick moves the clock.
func (l *loops) tick(now time.Time) {
	l.coarse.Store(int64(now.Sub(l.begun))) // by the monotonic clock
	date := now.UTC().Format(httpDate)
	l.date.Store(&date)
}

// httpDate is the form of the Date header (RFC 9110, section 5.6.7).
const httpDate = "Mon, 02 Jan 2006 15:04:05 GMT"

// drain ends idle connections, now and when their request has been answered,
// and waits until there are none or done is closed.
func (l *loops) drain(done <-chan struct{}) {
	if l == nil {
		return
	}
	l.closing.Store(true)
	_ = l.accepts.Close()
	l.each(nil, (*conn).endIdle)
	for l.open.Load() > 0 {
		select {
		case <-l.empty:
		case <-done:
			return
		}
	}
}

// close ends everything.
func (l *loops) close() error {
	if l == nil {
		return nil
	}
	l.closing.Store(true)
	_ = l.accepts.Close() // unless drain did
	l.each(nil, (*conn).end)
	close(l.stop)
	var err error
	for _, one := range l.all {
		err = errors.Join(err, one.epoll.Close())
	}
	l.running.Wait()
	return err
}
