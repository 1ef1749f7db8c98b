package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/readership/readership/internal/event"
)

// reopenEvery is how often a log that broke is tried to be reopened.
const reopenEvery = 200 * time.Millisecond

// sinkError says that a durable message could not be handed over.
type sinkError struct{ cause error }

func (e *sinkError) Error() string { return "hand commit to the engine: " + e.cause.Error() }
func (e *sinkError) Unwrap() error { return e.cause }

// runWriter is the goroutine that appends commits. It ends the waits of a
// commit that is durable; of one that is not, the gatherer does, after it has
// taken back its ids.
func (g *gatherer) runWriter() {
	for b := range g.write {
		begun := time.Now()
		var err error
		b.position, err = g.c.log.Append(context.Background(), b.stamp, b.message)
		if err == nil {
			g.c.stats.commitNanos.Add(uint64(time.Since(begun)))
			if applyErr := g.c.sink.Apply(b.position, b.message); applyErr != nil {
				err = &sinkError{applyErr}
			}
			g.c.acked.Store(uint64(b.position))
			for i := range b.shares {
				s := &b.shares[i]
				s.w.durable, s.w.position = s.upTo, b.position
				if s.last {
					g.c.finish(s.w, nil)
				}
				s.w = nil
			}
		}
		b.message, b.err = nil, err
		g.written <- b
	}
}

// settle takes back a commit from the writer.
func (g *gatherer) settle(b *commit) {
	g.flying = nil
	var unknown *UnknownError
	var sink *sinkError
	switch err := b.err; {
	case err == nil:
		g.learn(b)
	case errors.As(err, &sink):
		g.learn(b)
		g.die(err)
	case errors.As(err, &unknown), errors.Is(err, ErrUnavailable):
		g.recover(b, fault(err))
	case errors.Is(err, ErrDiskFull):
		g.fail(b, err)
		g.giveBack(b)
	default:
		g.fail(b, err)
		g.die(err)
	}
	b.reset()
	g.spare = b
}

// learn keeps what a durable commit taught.
func (g *gatherer) learn(b *commit) {
	c := g.c
	c.learned = b.position
	for _, k := range b.clocks {
		c.clockOf(k.site).durable = durableClock(k.now)
	}
	c.journal.add(b.position, b.stamp, b.ids, b.clocks)
	c.ids.sweep(sweepStep)
	c.stats.stamp.Store(b.stamp)
	c.stats.commits.Add(1)
	c.stats.events.Add(uint64(b.rows))
	c.stats.bytes.Add(uint64(b.size))
}

// fail takes back the ids and clocks of b and of the open commit, which may
// have called events of b duplicates, and ends the waits of both with err.
func (g *gatherer) fail(b *commit, err error) {
	c := g.c
	for _, p := range []*commit{b, g.open} {
		for _, id := range p.ids {
			c.ids.remove(id)
		}
		for _, k := range p.clocks {
			c.clockOf(k.site).undo()
		}
		for _, s := range p.shares {
			if !s.w.marked {
				s.w.marked = true
				g.failing = append(g.failing, s.w)
			}
		}
	}
	for _, k := range g.touched {
		k.touched = false
		k.undo()
	}
	g.open.reset()
	g.clearOpen()
	for lane := range g.lanes {
		// Only the first of a lane can be in a commit with a part of it.
		if waiting := g.lanes[lane]; len(waiting) > 0 && waiting[0].marked {
			c.queue.left(waiting[0])
			g.lanes[lane] = waiting[1:]
		}
	}
	for _, w := range g.failing {
		w.marked = false
		g.c.finish(w, err)
	}
	clear(g.failing)
	g.failing = g.failing[:0]
}

// giveBack returns the counts of a commit that was not stored to the ledger.
// At the end nobody would take them again.
func (g *gatherer) giveBack(b *commit) {
	if g.stopping {
		return
	}
	for _, c := range b.counts {
		g.c.ledger.add(c)
	}
}

// failQueued ends the waits of everything that no commit has taken.
func (g *gatherer) failQueued(err error) {
	for lane := range g.lanes {
		g.lanes[lane] = g.c.queue.take(lane, g.lanes[lane])
		for _, w := range g.lanes[lane] {
			g.c.queue.left(w)
			if w.next == 0 && !w.state.CompareAndSwap(waiterQueued, waiterTaken) {
				g.c.put(w)
				continue
			}
			g.c.finish(w, err)
		}
		clear(g.lanes[lane])
		g.lanes[lane] = g.lanes[lane][:0]
	}
}

// die ends committing for good: something is wrong that waiting cannot mend.
func (g *gatherer) die(err error) {
	err = fmt.Errorf("%w: %w", ErrClosed, err)
	g.c.cfg.Logger.Error("committer stopped", "error", err)
	g.dead = err
	g.c.refuse(err)
	b := new(commit)
	g.fail(b, err)
	g.failQueued(err)
}

// fault is the error that callers get while the log is being reopened.
func fault(err error) error {
	if errors.Is(err, ErrDiskFull) {
		return fmt.Errorf("%w: the log is reopened as soon as there is room", ErrDiskFull)
	}
	return ErrUnavailable
}

// recover ends the waits of b, whose append may or may not have been stored,
// and of all others, and refuses commits until the log has been reopened and
// read from the last known position. So no id is judged before it is certain
// which are stored.
func (g *gatherer) recover(b *commit, err error) {
	c := g.c
	c.cfg.Logger.Error("event log broke down, it is being reopened", "error", b.err)
	c.refuse(err)
	g.fail(b, err)
	before := c.learned
	for {
		g.failQueued(err)
		reopened := c.log.Reopen()
		if reopened == nil {
			reopened = g.catchUp()
		}
		var sink *sinkError
		switch {
		case reopened == nil:
			if c.learned == before {
				g.giveBack(b)
			}
			c.cfg.Logger.Info("event log reopened", "position", c.learned.String())
			c.stats.reopened.Add(1)
			c.fault.Store(nil)
			return
		case errors.As(reopened, &sink), errors.Is(reopened, ErrGap), errors.Is(reopened, ErrClosed):
			g.die(reopened)
			return
		case !errors.Is(reopened, ErrDiskFull):
			c.cfg.Logger.Error("event log could not be reopened", "error", reopened)
		}
		err = fault(reopened)
		c.refuse(err)
		select {
		case <-time.After(reopenEvery):
		case <-c.stop:
			g.failQueued(ErrClosed)
			g.dead = ErrClosed
			return
		}
	}
}

// catchUp learns and hands over what the log holds after the last position.
func (g *gatherer) catchUp() error {
	c := g.c
	return c.log.Read(context.Background(), c.learned, func(pos event.Position, message []byte) error {
		if err := c.Learn(pos, message); err != nil {
			return err
		}
		if err := c.sink.Apply(pos, message); err != nil {
			return &sinkError{err}
		}
		c.acked.Store(uint64(pos))
		return nil
	})
}
