// Package engine is the in-memory database: the window of events of every
// site, each reader's visits and rows, and the facts that outlive the window.
//
// Its state is a pure function of the log. Apply takes the log's messages in
// order; a dispatcher decodes each once and hands it to the shards, one
// goroutine each, that own disjoint readers. Reads go through the same queue, or
// find nothing in it, so they see everything applied before they were asked for.
// No code here reads the wall clock: an engine's now is log time.
//
//	Apply ─ queue ─ dispatcher (decode, facts, ledger, clocks) ─┬─ shard 0
//	                                                            └─ shard n
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/event"
)

// Errors of the engine.
var (
	ErrClosed = errors.New("engine is closed")
	// ErrBusy says that there is no room in the queue.
	ErrBusy        = errors.New("the engine's queue is full")
	ErrUnknownSite = errors.New("unknown site")
	// ErrUnknownReader says that a name is none of a reader: device:ID or
	// account:ID.
	ErrUnknownReader = errors.New("not a reader")
	// ErrFailed says that a message could not be applied; the engine stands
	// still and must be opened again. See Engine.Failure.
	ErrFailed = errors.New("engine has failed")
	// ErrPanic says that a question has panicked in its turn. The engine goes on:
	// questions change nothing.
	ErrPanic = errors.New("the question has panicked")
)

// Config says how an engine is set up.
type Config struct {
	// Shards is the number of writer goroutines; 0 means 1.
	Shards int
	// Dir is the folder of the checkpoint; "" keeps none.
	Dir string
	// Memory is the most bytes that rows, readers and dictionaries may take; 0
	// is without limit. Past it the oldest blocks leave the window early.
	Memory int64
	// Address normalises an item's address as the collector does, so that
	// entries and events meet; nil leaves addresses as they are.
	Address func(site *event.Site, address string) string
	// Skip names positions whose events are left out: messages that stopped
	// the engine twice.
	Skip map[event.Position]bool
	// Decide returns what decides the commits of a shard; nil keeps their rows as
	// they came.
	Decide func(shard int) Decider
	// Prepare looks up what they are decided by; nil: nothing is needed.
	Prepare Preparer
	// FactsOnly leaves the rows of messages out, and facts about single readers'
	// rows: what is left are sites, items, profiles, programs and clocks, as they
	// stand at each position. A checkpoint is of one kind or the other.
	FactsOnly bool
	// Pause waits a little before a write of the checkpoint that failed is tried
	// again, as on a full disk; nil does not wait.
	Pause func()
	// Pace makes what a shard asks after each step of a watcher's work that can
	// wait, and a checkpoint after each part of it, so many times (mostBreaks): what
	// tells when the next may be, nil for at once. So others have the processor
	// meanwhile; nil does not hold work up.
	Pace func() func() <-chan time.Time
	// Seed makes places in hash tables unguessable; a random number of the
	// process. It has no effect on answers.
	Seed   uint64
	Logger *slog.Logger
}

// Bounds of what is between Apply and the shards: messages, which may be large,
// and with them turns of readers, which are small.
const (
	queueMessages = 64
	queueLen      = queueMessages + 2048
)

// Engine holds the state of all sites. Its methods are safe for concurrent
// use, but Apply must be called in log order.
type Engine struct {
	cfg    Config
	queue  chan item
	room   chan struct{} // has a value for each message in the queue
	shards []*shard
	facts  *facts
	ledger *ledger

	position atomic.Uint64 // applied by every shard
	queued   atomic.Uint64 // the last that Apply was given
	// dispatched counts the begins and ends of what the dispatcher does: odd while it
	// does something.
	dispatched atomic.Uint64
	logTime    atomic.Int64
	memory     atomic.Int64    // as Config.Memory
	minute     int64           // dispatcher: log minute of the last tick
	erasures   atomic.Int64    // whose values are still in memory and in the checkpoint
	accounts   map[string]bool // dispatcher: sites that know accounts
	watching   bool            // dispatcher: there are watchers

	failure atomic.Pointer[Failure]
	failed  chan struct{}
	closing chan struct{}
	done    sync.WaitGroup
	once    sync.Once

	applied  sync.Mutex // guards waiters
	waiters  []waiter
	pool     sync.Pool // *message
	ckpt     *checkpointer
	received atomic.Uint64 // newest message that the dispatcher has taken

	sinceCheckpoint int64  // dispatcher: bytes of log
	preparing       Commit // dispatcher: that is being looked up for
}

// Failure is why an engine stands still.
type Failure struct {
	Position event.Position
	Err      error
}

type waiter struct {
	position event.Position
	done     chan struct{}
}

// item is a message or a command on its way to the shards.
type item struct {
	position event.Position
	raw      []byte
	command  func(*shard) // run by each shard in its turn
	one      *shard       // the shard that runs command; nil: each
	dispatch func()       // run by the dispatcher in its turn
}

// Open starts an engine with the state of its checkpoint, if there is one;
// Position says from where the log must be applied.
func Open(cfg Config) (*Engine, error) {
	cfg.Shards = max(cfg.Shards, 1)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		cfg: cfg, queue: make(chan item, queueLen), room: make(chan struct{}, queueMessages), facts: newFacts(cfg.Address), ledger: newLedger(),
		failed: make(chan struct{}), closing: make(chan struct{}), accounts: map[string]bool{},
	}
	e.memory.Store(cfg.Memory)
	e.pool.New = func() any { return &message{} }
	for i := range cfg.Shards {
		e.shards = append(e.shards, newShard(e, i))
	}
	if cfg.Dir != "" {
		c, err := openCheckpoint(cfg.Dir, e)
		if err != nil {
			return nil, err
		}
		e.ckpt = c
	}
	for _, s := range e.shards {
		e.done.Go(s.run)
	}
	e.done.Go(e.dispatch)
	return e, nil
}

// Apply hands a log message to the engine, which owns it from then on. Calls
// come in log order; positions already applied are ignored. It waits while the
// queue is full. Errors: ErrClosed, ErrFailed.
func (e *Engine) Apply(position event.Position, message []byte) error {
	select {
	case e.room <- struct{}{}:
	case <-e.failed:
		return ErrFailed
	case <-e.closing:
		return ErrClosed
	}
	if err := e.enqueue(item{position: position, raw: message}); err != nil {
		return err
	}
	e.queued.Store(uint64(position))
	return nil
}

// Queued returns a position up to which everything is applied or in the queue: a
// turn that is asked for now comes after it.
func (e *Engine) Queued() event.Position {
	return max(event.Position(e.queued.Load()), e.Position())
}

// stopped returns why nothing is taken any more; nil: it is.
func (e *Engine) stopped() error {
	select {
	case <-e.failed:
		return ErrFailed
	case <-e.closing:
		return ErrClosed
	default:
		return nil
	}
}

func (e *Engine) enqueue(it item) error { return e.enqueueWithin(context.Background(), it) }

// enqueueWithin waits for room in the queue as long as ctx lasts.
func (e *Engine) enqueueWithin(ctx context.Context, it item) error {
	if err := e.stopped(); err != nil {
		return err
	}
	select {
	case e.queue <- it:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the engine's queue: %w", ctx.Err())
	case <-e.failed:
		return ErrFailed
	case <-e.closing:
		return ErrClosed
	}
}

// tryEnqueue is enqueue that returns ErrBusy if the queue is full.
func (e *Engine) tryEnqueue(it item) error {
	if err := e.stopped(); err != nil {
		return err
	}
	select {
	case e.queue <- it:
		return nil
	default:
		return ErrBusy
	}
}

// Position returns the position that every shard has applied.
func (e *Engine) Position() event.Position { return event.Position(e.position.Load()) }

// Shards returns the number of shards.
func (e *Engine) Shards() int { return len(e.shards) }

// LogTime returns the greatest stamp taken, Unix milliseconds.
func (e *Engine) LogTime() int64 { return e.logTime.Load() }

// SetMemory changes Config.Memory. What is held beyond it leaves as events are
// applied.
func (e *Engine) SetMemory(bytes int64) { e.memory.Store(bytes) }

// Failure returns why the engine stands still, nil while it works.
func (e *Engine) Failure() *Failure { return e.failure.Load() }

// Failed is closed when the engine has met a message that it cannot apply.
func (e *Engine) Failed() <-chan struct{} { return e.failed }

// Wait returns when everything up to position is applied.
func (e *Engine) Wait(ctx context.Context, position event.Position) error {
	if e.Position() >= position {
		return nil
	}
	w := waiter{position, make(chan struct{})}
	e.applied.Lock()
	if e.Position() >= position {
		e.applied.Unlock()
		return nil
	}
	e.waiters = append(e.waiters, w)
	e.applied.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for position %s: %w", position, ctx.Err())
	case <-e.failed:
		return ErrFailed
	case <-e.closing:
		return ErrClosed
	}
}

// finished notes that every shard has applied a position.
func (e *Engine) finished(position event.Position) {
	e.position.Store(uint64(position))
	e.applied.Lock()
	keep := e.waiters[:0]
	for _, w := range e.waiters {
		if w.position <= position {
			close(w.done)
		} else {
			keep = append(keep, w)
		}
	}
	e.waiters = keep
	e.applied.Unlock()
}

// fail stops the engine at a message.
func (e *Engine) fail(position event.Position, err error) {
	if e.failure.CompareAndSwap(nil, &Failure{position, err}) {
		e.cfg.Logger.Error("engine stopped at a message", "position", position.String(), "error", err)
		close(e.failed)
	}
}

// Close writes a last checkpoint, unless the engine has failed, and stops it.
func (e *Engine) Close() error {
	var err error
	e.once.Do(func() {
		if e.ckpt != nil && e.Failure() == nil {
			err = e.saveAll(context.Background(), nil)
		}
		close(e.closing)
		e.done.Wait()
		if e.ckpt != nil {
			e.ckpt.mu.Lock() // of a failed engine one may be under way
			defer e.ckpt.mu.Unlock()
			err = errors.Join(err, e.ckpt.close())
		}
	})
	return err
}

// all runs fn in every shard, in its turn of the queue, and waits.
func (e *Engine) all(ctx context.Context, fn func(*shard)) error {
	return e.everyShard(ctx, nil, fn)
}

// everyShard runs first in the dispatcher's turn of the queue and then fn in
// every shard, and waits.
func (e *Engine) everyShard(ctx context.Context, first func(), fn func(*shard)) error {
	var wg sync.WaitGroup
	wg.Add(len(e.shards))
	err := e.enqueue(item{dispatch: first, command: func(s *shard) { defer wg.Done(); fn(s) }})
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.failed:
		return ErrFailed
	case <-e.closing:
		return ErrClosed
	}
}
