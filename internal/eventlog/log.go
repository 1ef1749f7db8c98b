package eventlog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/readership/readership/internal/event"
)

// Log is the durable log. It is safe for concurrent use; appends are
// serialised.
type Log struct {
	cfg Config

	// appending is held during an append, a reopening and the closing.
	// Lock order: appending or dropping, then mu.
	appending sync.Mutex
	dropping  sync.Mutex // held while days are dropped

	mu       sync.RWMutex
	broker   *broker // nil: closed, or broken and not reopened yet
	parts    []part  // in order; the last is being appended to
	size     int64   // bytes of all parts
	retained int     // days before it have been dropped
	closed   bool

	seen  atomic.Uint64 // position that somebody else has appended
	grown chan struct{} // has a value when that moved
	key   string        // of the ids, of an external log

	appends uint64 // number of the last append; owned by appending
}

// Open opens or creates the log in cfg.Dir. After a crash it reads back the
// part that was being written.
func Open(cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create log folder: %w", err)
	}
	l := &Log{cfg: cfg, grown: make(chan struct{}, 1)}
	if err := l.start(); err != nil {
		return nil, err
	}
	return l, nil
}

// start starts the broker and reads which parts there are. The caller holds
// appending or is alone.
func (l *Log) start() error {
	b, err := l.newBroker()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	parts, err := b.listParts(ctx)
	retained := 0
	if err == nil {
		retained, err = l.readRetained(ctx, b)
	}
	if err == nil {
		parts, err = b.finishDrop(ctx, parts, retained)
	}
	if err == nil {
		err = l.identify(ctx, b, parts)
	}
	if err != nil {
		b.stop()
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broker = b
	l.hold(parts, retained)
	return nil
}

func (l *Log) newBroker() (*broker, error) {
	if l.cfg.External != nil {
		return dialBroker(&l.cfg)
	}
	return startBroker(filepath.Join(l.cfg.Dir, "streams"), l.cfg.Logger)
}

// identify learns which log an external server keeps.
func (l *Log) identify(ctx context.Context, b *broker, parts []part) (err error) {
	if !b.external() {
		return nil
	}
	if l.key, err = b.sharedKey(ctx, lastOf(parts) == 0); err != nil {
		return err
	}
	return belongs(l.cfg.Dir, l.key)
}

// hold takes note of the parts that there are. The caller holds mu.
func (l *Log) hold(parts []part, retained int) {
	l.parts, l.retained, l.size = parts, retained, 0
	for i := range parts {
		l.size += parts[i].bytes
	}
}

// Close ends the embedded server. What was acknowledged is durable already.
func (l *Log) Close() error {
	l.appending.Lock()
	defer l.appending.Unlock()
	l.mu.Lock()
	b := l.broker
	l.broker, l.closed = nil, true
	l.mu.Unlock()
	if b != nil {
		b.stop()
	}
	return nil
}

// Reopen starts the embedded server again after an append whose outcome is
// unknown. It fails with ErrDiskFull as long as there is no room; call it again
// then. Afterwards Read from the last position that was acknowledged tells what
// became of the append. It does nothing on a log that works.
func (l *Log) Reopen() error {
	l.appending.Lock()
	defer l.appending.Unlock()
	l.mu.RLock()
	working, closed, held := l.broker != nil, l.closed, l.size
	l.mu.RUnlock()
	switch {
	case closed:
		return ErrClosed
	case working:
		return nil
	}
	if err := l.room(held, smallCommit); err != nil {
		return err
	}
	if err := l.start(); err != nil {
		return fmt.Errorf("reopen log: %w", err)
	}
	return nil
}

// breakDown stops the broker after a failed append. The caller holds appending.
func (l *Log) breakDown() {
	l.mu.Lock()
	b := l.broker
	l.broker = nil
	l.mu.Unlock()
	if b != nil {
		b.stop()
	}
}

// First returns the position of the oldest message, 0 if there is none.
func (l *Log) First() event.Position {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := range l.parts {
		if p := &l.parts[i]; p.last > 0 {
			return event.MakePosition(p.day, p.number, 1)
		}
	}
	return 0
}

// Last returns the position of the newest message, 0 if there never was one.
func (l *Log) Last() event.Position {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return lastOf(l.parts)
}

func lastOf(parts []part) event.Position {
	if len(parts) == 0 {
		return 0
	}
	return parts[len(parts)-1].lastPosition()
}

// Size returns the bytes the log's messages take.
func (l *Log) Size() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.size
}

// Room returns nil if the log would take a commit now, else an error that
// wraps ErrDiskFull, ErrUnavailable or ErrClosed.
func (l *Log) Room() error {
	l.mu.RLock()
	held, b, closed := l.size, l.broker, l.closed
	l.mu.RUnlock()
	if closed {
		return ErrClosed
	}
	if err := l.room(held, 0); err != nil {
		return err
	}
	if b == nil {
		return ErrUnavailable
	}
	return nil
}

// working returns the broker and a copy of the parts.
func (l *Log) working() (*broker, []part, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	switch {
	case l.closed:
		return nil, nil, ErrClosed
	case l.broker == nil:
		return nil, nil, ErrUnavailable
	}
	return l.broker, slices.Clone(l.parts), nil
}
