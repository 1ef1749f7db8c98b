package eventlog

import (
	"errors"
	"sync"
	"sync/atomic"
)

// errNotStarted is a fault of the program: Commit came before Start.
var errNotStarted = errors.New("committer has not been started")

// lane is one of the queue's two lines with its bounds.
type lane struct {
	maxBytes, maxCount int64
	pushed             atomic.Uint64
	bytes, count       atomic.Int64 // waiting: queued, and not yet in a commit
	queued             []*waiter    // guarded by queue.mu
}

// queue holds the submissions that no commit has taken yet, imports apart from
// the rest. Any goroutine pushes, the gatherer takes.
type queue struct {
	wake chan struct{} // has a value when something was pushed
	lazy atomic.Bool   // the gatherer looks by itself soon: wake it for many only

	mu    sync.Mutex
	state error // why nothing is taken; nil: open
	lanes [2]lane
}

// Lanes of the queue.
const (
	laneFirst = iota
	laneBulk
)

func (q *queue) init(cfg *CommitterConfig) {
	q.wake = make(chan struct{}, 1)
	q.state = errNotStarted
	q.lanes[laneFirst].maxBytes, q.lanes[laneFirst].maxCount = int64(cfg.QueueBytes), int64(cfg.QueueCount)
	q.lanes[laneBulk].maxBytes, q.lanes[laneBulk].maxCount = int64(cfg.BulkQueueBytes), int64(cfg.BulkQueueCount)
}

func (q *queue) open()  { q.setState(nil) }
func (q *queue) close() { q.setState(ErrClosed) }

func (q *queue) setState(err error) {
	q.mu.Lock()
	q.state = err
	q.mu.Unlock()
}

func (w *waiter) lane() int {
	if w.bulk {
		return laneBulk
	}
	return laneFirst
}

// full says whether the lane takes no more. One submission of any size goes
// into an empty lane.
func (l *lane) full() bool { return l.count.Load() >= l.maxCount || l.bytes.Load() >= l.maxBytes }

// ready returns nil if a submission would be taken.
func (q *queue) ready() error {
	if q.lanes[laneFirst].full() {
		return ErrOverloaded
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.state
}

// wakeFrom is for how many submissions a gatherer that looks by itself soon is woken
// nevertheless. A wake costs about as much as to take ten of them.
const wakeFrom = 32

// push queues w and wakes the gatherer.
func (q *queue) push(w *waiter) error {
	l := &q.lanes[w.lane()]
	q.mu.Lock()
	if q.state != nil {
		q.mu.Unlock()
		return q.state
	}
	if l.full() {
		q.mu.Unlock()
		return ErrOverloaded
	}
	l.pushed.Add(1)
	l.count.Add(1)
	l.bytes.Add(int64(w.size))
	l.queued = append(l.queued, w)
	many := w.bulk || len(l.queued) == wakeFrom
	q.mu.Unlock()
	if q.lazy.Load() && !many {
		return nil
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

// take appends what is queued in a lane to dst.
func (q *queue) take(lane int, dst []*waiter) []*waiter {
	l := &q.lanes[lane]
	q.mu.Lock()
	defer q.mu.Unlock()
	dst = append(dst, l.queued...)
	clear(l.queued)
	l.queued = l.queued[:0]
	return dst
}

// left notes that w no longer waits for a commit.
func (q *queue) left(w *waiter) {
	l := &q.lanes[w.lane()]
	l.count.Add(-1)
	l.bytes.Add(-int64(w.size))
}
