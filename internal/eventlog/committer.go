package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/event"
)

const hourMillis = 60 * 60 * 1000

// Sink takes the log's messages in order, after they are durable. It owns
// message. Apply may block; commits wait for it. An error ends the committer.
type Sink interface {
	Apply(pos event.Position, message []byte) error
}

// CommitterConfig says how a Committer works.
type CommitterConfig struct {
	// Dir is the folder of the id journal and of the key of ids.
	Dir string
	// Now is the clock of the stamps. nil: time.Now.
	Now func() time.Time
	// CommitBytes bounds a commit. 0: 256 KB.
	CommitBytes int
	// BulkBytes bounds what a commit takes of imports while others wait.
	// 0: 64 KB.
	BulkBytes int
	// QueueBytes and QueueCount bound the submissions that wait, apart from
	// imports. 0: 1 MB, 4096.
	QueueBytes, QueueCount int
	// BulkQueueBytes and BulkQueueCount bound the imports that wait.
	// 0: 32 MB, 256.
	BulkQueueBytes, BulkQueueCount int
	// Logger is told of trouble. nil: slog.Default().
	Logger *slog.Logger
}

// WithDefaults returns c with unset fields filled in.
func (c CommitterConfig) WithDefaults() CommitterConfig {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&c.CommitBytes, 256<<10)
	set(&c.BulkBytes, 64<<10)
	set(&c.QueueBytes, 1<<20)
	set(&c.QueueCount, 4096)
	set(&c.BulkQueueBytes, 32<<20)
	set(&c.BulkQueueCount, 256)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Validate names the first field that cannot be used.
func (c CommitterConfig) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("committer: Dir is empty")
	case c.CommitBytes < 0 || c.CommitBytes > MaxMessage/2:
		return fmt.Errorf("committer: CommitBytes must be 0 to %d", MaxMessage/2)
	case c.BulkBytes < 0 || (c.CommitBytes > 0 && c.BulkBytes > c.CommitBytes):
		return errors.New("committer: BulkBytes must be 0 to CommitBytes")
	case min(c.QueueBytes, c.QueueCount, c.BulkQueueBytes, c.BulkQueueCount) < 0:
		return errors.New("committer: queue bounds must not be negative")
	}
	return nil
}

// Committer is the only writer of a Log. It drops events whose id is known,
// judges times, stamps, and gathers what arrived while the last commit was
// being written into the next.
//
// Life: NewCommitter, Learn for the messages after LearnedPosition, Start,
// any number of Commit, Close.
type Committer struct {
	cfg  CommitterConfig
	log  *Log
	sink Sink
	key  idKey

	queue   queue
	ledger  ledger
	waiters sync.Pool
	acked   atomic.Uint64
	fault   atomic.Pointer[error] // why commits are refused now; nil: they are not
	stats   counters

	// What the log taught. Owned by the caller until Start, then by the
	// gatherer.
	ids     idSet
	clocks  map[string]*clock
	stamp   int64          // greatest of the log
	learned event.Position // last position known
	journal *journal
	batch   event.Batch // scratch of Learn

	gather  *gatherer
	started bool
	stop    chan struct{}
	running sync.WaitGroup
	closing sync.Once
}

// NewCommitter prepares a committer: it reads the id journal. It is not running
// before Start.
func NewCommitter(cfg CommitterConfig, log *Log, sink Sink) (*Committer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Committer{
		cfg: cfg.WithDefaults(), log: log, sink: sink,
		clocks: make(map[string]*clock), stop: make(chan struct{}),
	}
	c.queue.init(&c.cfg)
	c.waiters.New = func() any { return &waiter{done: make(chan struct{}, 1)} }
	last := log.Last()
	var err error
	c.journal, err = openJournal(filepath.Join(cfg.Dir, "ids"), last, c.cfg.Logger, c.learnBlock, c.forget)
	if err != nil {
		return nil, err
	}
	if c.key, err = log.idKey(cfg.Dir); err != nil {
		c.journal.close()
		return nil, err
	}
	c.gather = newGatherer(c)
	return c, nil
}

// learnBlock takes over a block of the journal.
func (c *Committer) learnBlock(hour int64, b *journalBlock) {
	c.ids.advance(hour)
	for i := 0; i < len(b.ids); i += 8 {
		c.ids.add(leUint64(b.ids[i:]))
	}
	for _, s := range b.clocks {
		c.clockOf(s.site).set(s.now)
	}
	c.stamp = max(c.stamp, b.stamp)
	c.learned = b.to
}

// forget undoes every learnBlock.
func (c *Committer) forget() {
	c.ids.reset()
	clear(c.clocks)
	c.stamp, c.learned = 0, 0
}

// LearnedPosition returns the last position whose ids, stamp and clocks are
// known; what lies after it must be read from the log.
func (c *Committer) LearnedPosition() event.Position { return c.learned }

// Learn takes over one message of the log, before Start. Messages at or before
// LearnedPosition are passed over. It keeps no reference to message.
func (c *Committer) Learn(pos event.Position, message []byte) error {
	if pos <= c.learned {
		return nil
	}
	if err := c.batch.Decode(message); err != nil {
		return fmt.Errorf("learn %s: %w", pos, err)
	}
	c.LearnBatch(pos, &c.batch)
	return nil
}

// LearnBatch is Learn for a message that has been decoded already.
func (c *Committer) LearnBatch(pos event.Position, b *event.Batch) {
	if pos <= c.learned {
		return
	}
	c.stamp = max(c.stamp, b.Stamp)
	c.ids.advance(c.stamp / hourMillis)
	g := c.gather
	g.scratchIDs, g.scratchClocks = g.scratchIDs[:0], g.scratchClocks[:0]
	for i := range b.Facts {
		if f := &b.Facts[i]; f.Kind == event.FactSite && len(f.Value) == 0 {
			k := c.clockOf(f.Key)
			k.set(clockForgotten)
			g.scratchClocks = append(g.scratchClocks, siteClock{k.site, clockForgotten})
		}
	}
	for i := range b.Sites {
		rows := &b.Sites[i]
		for r, id := range rows.ID {
			if r%warmRows == 0 {
				g.warmed += c.ids.warm(rows.ID[r:min(r+warmRows, len(rows.ID))], 1)
			}
			if id != 0 && c.ids.add(id) {
				g.scratchIDs = append(g.scratchIDs, id)
			}
		}
		if rows.HasClock {
			k := c.clockOf(rows.Site)
			k.set(rows.Clock)
			g.scratchClocks = append(g.scratchClocks, siteClock{k.site, rows.Clock})
		}
	}
	c.ids.sweep(1)
	c.journal.add(pos, c.stamp, g.scratchIDs, g.scratchClocks)
	c.learned = pos
}

// Start reads and learns what of the log has not been learned, and begins to
// take submissions.
func (c *Committer) Start(ctx context.Context) error {
	if c.started {
		return errors.New("start committer: it was started before")
	}
	if err := c.log.Read(ctx, c.learned, c.Learn); err != nil {
		return fmt.Errorf("start committer: %w", err)
	}
	c.started = true
	c.acked.Store(uint64(c.learned))
	c.stats.stamp.Store(c.stamp)
	c.gather.publishStats()
	c.running.Go(c.gather.run)
	c.queue.open()
	return nil
}

// Close takes no more submissions, commits what waits with the counts, and
// stops. It does not close the log.
func (c *Committer) Close() error {
	c.closing.Do(func() {
		c.queue.close()
		close(c.stop)
		c.running.Wait()
		c.journal.close()
		c.ids.clear()
	})
	return nil
}

// Acked returns the position of the newest acknowledged commit.
func (c *Committer) Acked() event.Position { return event.Position(c.acked.Load()) }

// Count adds n to a line of the ledger. It travels in the next commit, within
// about a second.
func (c *Committer) Count(site, verdict, reason string, n uint64) {
	c.ledger.add(event.Count{Site: site, Verdict: verdict, Reason: reason, N: n})
}

// Ready returns nil if a submission would be taken now, else what Commit would
// return. It lets a request be refused before its body is read.
func (c *Committer) Ready() error {
	if fault := c.fault.Load(); fault != nil {
		return *fault
	}
	return c.queue.ready()
}

// Commit stores the events of s and returns when they are durable and handed to
// the sink. Verdicts, Done and Position of s are set, also with an error. ctx
// ends the wait only while s is queued. Errors: ErrOverloaded, ErrDiskFull,
// ErrUnavailable (try again); ErrTooLarge; ErrClosed; ctx's error. With an
// error nothing beyond s.Done is stored. Safe for concurrent use.
func (c *Committer) Commit(ctx context.Context, s *Submission) error {
	s.Verdicts, s.Done, s.Position = s.Verdicts[:0], 0, 0
	if len(s.Events) == 0 && len(s.Refused) == 0 {
		return nil
	}
	w, err := c.waiter(s)
	if err != nil {
		return err
	}
	_, err = c.wait(ctx, w)
	return err
}

// Submit is Commit without the wait: done is called once, with what Commit
// would return, when it would. The caller of done is the committer, which goes
// on only when it returns. With an error of Submit itself done is not called.
func (c *Committer) Submit(s *Submission, done func(error)) error {
	s.Verdicts, s.Done, s.Position = s.Verdicts[:0], 0, 0
	if len(s.Events) == 0 && len(s.Refused) == 0 {
		done(nil)
		return nil
	}
	w, err := c.waiter(s)
	if err != nil {
		return err
	}
	w.call = done
	return c.enqueue(w)
}

// waiter makes the waiter of s.
func (c *Committer) waiter(s *Submission) (*waiter, error) {
	w := c.waiters.Get().(*waiter)
	w.sub, w.bulk = s, s.Import
	w.size, w.head = 64*len(s.Refused), 0
	w.hashes = w.hashes[:0]
	for i := range s.Events {
		ev := &s.Events[i]
		s.Verdicts = append(s.Verdicts, Verdict{})
		size := eventSize(ev)
		if size > maxItem {
			c.put(w)
			return nil, fmt.Errorf("%w: event %d has %d bytes", ErrTooLarge, i, size)
		}
		if i == 0 {
			w.head = size
		}
		w.size += size
		var id, view uint64
		if ev.ID != "" {
			id, w.scratch = c.key.hash(w.scratch, s.Site.ID, hashID, ev.ID)
		}
		if ev.View != "" {
			view, w.scratch = c.key.hash(w.scratch, s.Site.ID, hashView, ev.View)
		}
		w.hashes = append(w.hashes, id, view)
	}
	return w, nil
}

// maxItem bounds one event or fact, so that a commit with it stays within
// MaxMessage.
const maxItem = 2 << 20

// CommitFacts stores facts and returns the position of the last of them, when
// they are durable and handed to the sink. Many are spread over several
// commits. Errors as of Commit.
func (c *Committer) CommitFacts(ctx context.Context, facts ...event.Fact) (event.Position, error) {
	if len(facts) == 0 {
		return c.Acked(), nil
	}
	w := c.waiters.Get().(*waiter)
	w.facts, w.bulk, w.size = facts, false, 0
	w.head = factSize(&facts[0])
	for i := range facts {
		size := factSize(&facts[i])
		if size > maxItem {
			c.put(w)
			return 0, fmt.Errorf("%w: fact %s %q has %d bytes", ErrTooLarge, facts[i].Kind, facts[i].Key, size)
		}
		w.size += size
	}
	return c.wait(ctx, w)
}

// CommitRead stores a fact that says how things stand. The committer calls read
// once everything before is durable and with the sink, and nothing else goes to
// the log before what it returns, so that the fact holds where it stands; others
// wait meanwhile, so read is quick. With ok false there is nothing to store.
// Errors as of Commit, and read's.
func (c *Committer) CommitRead(ctx context.Context, read func() (f event.Fact, ok bool, err error)) (event.Position, error) {
	w := c.waiters.Get().(*waiter)
	w.read, w.bulk, w.size, w.head = read, false, 0, 0
	return c.wait(ctx, w)
}

// refuse makes every Commit answer err from now on. The error is the callee's
// own copy: callers of Commit read it while the gatherer goes on.
func (c *Committer) refuse(err error) { c.fault.Store(&err) }

// enqueue queues w, or gives it back to the pool and says why not.
func (c *Committer) enqueue(w *waiter) error {
	if fault := c.fault.Load(); fault != nil {
		c.put(w)
		return *fault
	}
	if err := c.queue.push(w); err != nil {
		c.put(w)
		c.stats.refused.Add(1)
		return err
	}
	return nil
}

// wait queues w, waits for its end and gives it back to the pool.
func (c *Committer) wait(ctx context.Context, w *waiter) (event.Position, error) {
	if err := c.enqueue(w); err != nil {
		return 0, err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		if w.state.CompareAndSwap(waiterQueued, waiterWithdrawn) {
			return 0, ctx.Err() // the gatherer gives w back
		}
		<-w.done
	}
	pos, err := w.position, w.err
	w.report()
	c.put(w)
	return pos, err
}

// finish ends the wait of w, which is its caller's from here on, or in the pool.
func (c *Committer) finish(w *waiter, err error) {
	if w.call == nil {
		w.err = err
		w.done <- struct{}{}
		return
	}
	done := w.call
	w.report()
	c.put(w)
	done(err)
}

// put gives a waiter back to the pool.
func (c *Committer) put(w *waiter) {
	w.sub, w.facts, w.read, w.err, w.call = nil, nil, nil, nil, nil
	w.next, w.durable, w.position = 0, 0, 0
	w.state.Store(waiterQueued)
	if cap(w.hashes) > 1<<14 {
		w.hashes = nil
	}
	c.waiters.Put(w)
}
