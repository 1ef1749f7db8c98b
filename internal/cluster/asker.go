package cluster

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// Bounds of questions.
const (
	// maxAsking is how many may be on their way.
	maxAsking = 8192
	// silentAfter is how many in a row may go without any answer before those that
	// follow no longer wait, until an empty one, sent every tryEvery, is answered.
	silentAfter = 64
	tryEvery    = 20 * time.Millisecond
)

// Asker asks the process that holds the engine. Safe for concurrent use.
type Asker struct {
	nc    *nats.Conn
	inbox string
	sub   *nats.Subscription

	silent atomic.Int64 // questions without an answer since the last one
	next   *time.Timer  // runs try while silent
	number atomic.Uint64

	mu      sync.Mutex
	pending map[uint64]*asking
}

// asking is a question on its way.
type asking struct {
	done  func([]byte, error)
	timer *time.Timer
}

// NewAsker makes an asker on a connection, with which it ends.
func (c *Conn) NewAsker() (*Asker, error) {
	a := &Asker{nc: c.nc, inbox: nats.NewInbox() + ".", pending: map[uint64]*asking{}}
	a.next = time.AfterFunc(time.Hour, a.try)
	a.next.Stop()
	var err error
	if a.sub, err = c.nc.Subscribe(a.inbox+"*", a.answered); err != nil {
		return nil, err
	}
	return a, a.sub.SetPendingLimits(maxAsking, -1)
}

// Ask sends a question. done is called once, within limit, from any goroutine, which
// goes on only when it returns; answer is its own. The error is ErrAway.
func (a *Asker) Ask(limit time.Duration, question []byte, done func(answer []byte, err error)) {
	if limit <= 0 || a.Away() {
		done(nil, ErrAway)
		return
	}
	number := a.number.Add(1)
	of := &asking{done: done}
	a.mu.Lock()
	if len(a.pending) >= maxAsking {
		a.mu.Unlock()
		done(nil, ErrAway)
		return
	}
	a.pending[number] = of
	of.timer = time.AfterFunc(limit, func() {
		if a.take(number) != nil {
			if a.silent.Add(1) == silentAfter {
				a.try()
			}
			done(nil, ErrAway)
		}
	})
	a.mu.Unlock()
	if err := a.nc.PublishRequest(subjectAsk, a.inbox+strconv.FormatUint(number, 36), question); err != nil {
		a.end(number, nil, ErrAway)
	}
}

// try asks the empty question, whose answer ends the silence, and once more after
// tryEvery if none has come: no reader waits to find out.
func (a *Asker) try() {
	if !a.Away() || a.nc.IsClosed() {
		return
	}
	_ = a.nc.PublishRequest(subjectAsk, a.inbox+"0", nil) // without a server it is tried again too
	a.next.Reset(tryEvery)
}

// answered is called with each answer.
func (a *Asker) answered(m *nats.Msg) {
	number, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, a.inbox), 36, 64)
	if err != nil {
		return
	}
	if len(m.Data) == 0 { // the server: nobody listens
		a.end(number, nil, ErrAway)
		return
	}
	a.silent.Store(0)
	a.end(number, m.Data, nil)
}

// take takes a question off, nil if it has ended.
func (a *Asker) take(number uint64) *asking {
	a.mu.Lock()
	defer a.mu.Unlock()
	of := a.pending[number]
	delete(a.pending, number)
	return of
}

func (a *Asker) end(number uint64, answer []byte, err error) {
	if of := a.take(number); of != nil {
		of.timer.Stop()
		of.done(answer, err)
	}
}

// Away says whether questions have been going without an answer: those that are asked
// meanwhile get ErrAway at once.
func (a *Asker) Away() bool { return a.silent.Load() >= silentAfter }

// Bounds of what waits to be answered, in a process that cannot keep up: what is
// beyond them is dropped, and the asking process answers by itself.
const (
	waitingAsks  = 8192
	waitingBytes = 16 << 20
)

// Answer answers questions by fn, which must not block and calls reply once, from
// any goroutine, with an answer that is not empty.
func (c *Conn) Answer(fn func(question []byte, reply func(answer []byte))) (stop func() error, err error) {
	sub, err := c.nc.QueueSubscribe(subjectAsk, group, func(m *nats.Msg) {
		if len(m.Data) == 0 { // of Asker.try
			_ = m.Respond([]byte{0})
			return
		}
		fn(m.Data, func(answer []byte) {
			_ = m.Respond(answer) // who asked answers by itself without it
		})
	})
	if err != nil {
		return nil, err
	}
	return sub.Unsubscribe, sub.SetPendingLimits(waitingAsks, waitingBytes)
}
