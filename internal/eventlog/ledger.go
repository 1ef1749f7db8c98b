package eventlog

import (
	"sync"

	"github.com/readership/readership/internal/event"
)

// Bounds of the ledger between two commits.
const (
	maxCounts      = 10_000 // different lines that wait
	countsACommit  = 1024   // lines a commit takes along
	overflowReason = "other"
)

// ledger gathers counts that wait for the next commit. Safe for concurrent use.
type ledger struct {
	mu     sync.Mutex
	counts map[event.Count]uint64 // key has N = 0
}

// add adds n to a line. When too many lines wait, new ones share a reason.
func (l *ledger) add(c event.Count) {
	n := c.N
	if n == 0 {
		return
	}
	c.N = 0
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = make(map[event.Count]uint64)
	}
	if _, known := l.counts[c]; !known && len(l.counts) >= maxCounts {
		c.Reason = overflowReason
		if _, known := l.counts[c]; !known && len(l.counts) >= 2*maxCounts {
			c.Site = ""
		}
	}
	l.counts[c] += n
}

// waiting says whether there are counts.
func (l *ledger) waiting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.counts) > 0
}

// take moves lines to dst, as many as a commit takes.
func (l *ledger) take(dst []event.Count) []event.Count {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c, n := range l.counts {
		if len(dst) == countsACommit {
			break
		}
		delete(l.counts, c)
		c.N = n
		dst = append(dst, c)
	}
	return dst
}
