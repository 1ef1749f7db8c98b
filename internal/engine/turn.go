package engine

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/burn"
	"github.com/readership/readership/internal/engine/subject"
)

// Turn is InTurn without the wait: fn is called in the turn, perhaps before Turn
// returns, with the reader or with ErrUnknownSite; never, if the engine stops before;
// again with ErrPanic, if it panics. Where the reader has few rows and burns it may be
// called by whoever asks, who then does the work. If the queue is full Turn waits for
// room as long as ctx lasts, or returns ErrBusy. Errors: ErrBusy, ErrUnknownReader,
// ErrClosed, ErrFailed, the context's; with one fn is not called.
func (e *Engine) Turn(ctx context.Context, site, name string, wait bool, few Few, fn func(*Reader, error)) error {
	t, s, err := e.turn(site, name, fn)
	if err != nil {
		return err
	}
	if few != (Few{}) && t.atOnce(s, few) {
		return nil
	}
	it := item{one: s, dispatch: t.dispatch, command: t.run}
	if wait {
		return e.enqueueWithin(ctx, it)
	}
	return e.tryEnqueue(it)
}

// TurnAtOnce is Turn for whoever asks only where it can take the turn now, however many
// rows and burns the reader has: true if fn was called, which is to take a moment, and
// is called again with ErrPanic if it panics.
func (e *Engine) TurnAtOnce(site, name string, fn func(*Reader, error)) (taken bool) {
	t, s, err := e.turn(site, name, fn)
	return err == nil && t.atOnce(s, anybody)
}

// anybody is whoever has whatever rows and burns.
var anybody = Few{math.MaxInt, math.MaxInt}

// turn makes the turn of a reader, and finds the shard.
func (e *Engine) turn(site, name string, fn func(*Reader, error)) (*turn, *shard, error) {
	own, ok := SubjectName(name)
	if !ok {
		return nil, nil, fmt.Errorf("%w %q", ErrUnknownReader, name)
	}
	if err := e.stopped(); err != nil {
		return nil, nil, err
	}
	t := &turn{engine: e, site: site, own: own, hash: subject.Hash(own), fn: fn, reader: newReader(name, own)}
	return t, e.shards[ShardOf(t.hash, len(e.shards))], nil
}

// Few says that whoever asks takes the turn itself about a reader with fewer rows and
// fewer burns than these: it is a moment's work then. The zero value says never.
type Few struct{ Rows, Burns int }

// turn is a question about one reader, asked in the turn of its shard.
type turn struct {
	engine    *Engine
	site, own string
	hash      uint64
	fn        func(*Reader, error)
	reader    Reader
	known     bool // the site
}

// dispatch takes what is known beside the rows, as it is in the dispatcher's turn.
func (t *turn) dispatch() {
	r, f := &t.reader, t.engine.facts
	if r.Site, t.known = f.site(t.site); t.known {
		r.Items, r.Profiles, r.Now = f.catalog(t.site), f.profilesOf(t.site), t.engine.siteClock(r.Site)
		r.From = r.Now - r.Site.WindowDuration().Milliseconds()
	}
}

// atOnce has whoever asks take the turn itself, without the ways through two queues
// and their goroutines: if every message that was queued is applied, no other is on
// its way to the shards, and the shard rests. Otherwise it returns false, and fn was
// not called.
func (t *turn) atOnce(s *shard, few Few) (taken bool) {
	defer func() {
		if p := recover(); p != nil {
			t.panicked(p)
			taken = true
		}
	}()
	dispatched, rests := t.engine.rests()
	if !rests {
		return false
	}
	t.dispatch()
	return t.take(s, few, dispatched)
}

// rests says whether nothing is on its way through the dispatcher, and how much had
// come through it by then.
func (e *Engine) rests() (dispatched uint64, rests bool) {
	dispatched = e.dispatched.Load()
	position := e.position.Load()
	return dispatched, dispatched%2 == 0 && e.received.Load() <= position && e.queued.Load() <= position
}

// take takes the turn of a shard that nobody has, if nothing was dispatched since the
// facts were read: they are then of the same place in the log as the shard's rows, and
// what is dispatched from now on waits for the shard.
func (t *turn) take(s *shard, few Few, dispatched uint64) bool {
	if !s.turn.TryLock() {
		return false
	}
	defer s.turn.Unlock()
	if t.engine.dispatched.Load() != dispatched || t.engine.Failure() != nil || !t.has(s, few) {
		return false
	}
	t.run(s)
	return true
}

// has says whether the reader has few rows and burns.
func (t *turn) has(s *shard, few Few) bool {
	st := s.applier.sites[t.site]
	if st == nil {
		return true
	}
	ordinal, found := st.subjects.Find(t.own, t.hash)
	if !found {
		return true
	}
	rows, burns := 0, 0
	if few.Rows < math.MaxInt {
		st.subjects.Rows(ordinal, func(block.RowID) bool {
			rows++
			return rows < few.Rows
		})
	}
	if few.Burns < math.MaxInt {
		st.burns.table.Of(ordinal, func(*burn.Burn) bool {
			burns++
			return burns < few.Burns
		})
	}
	return rows < few.Rows && burns < few.Burns
}

// run calls fn in the turn of the shard.
func (t *turn) run(s *shard) {
	if !t.known {
		t.fn(nil, fmt.Errorf("%w %q", ErrUnknownSite, t.site))
		return
	}
	r := &t.reader
	defer func() {
		if p := recover(); p != nil {
			t.panicked(p)
		}
	}()
	if st := s.applier.sites[t.site]; st != nil {
		r.From = max(r.From, st.from)
		ordinal, found := st.subjects.Find(t.own, t.hash)
		r.turn(st, ordinal, found)
	}
	t.fn(r, nil)
}

// panicked tells of a panic where the work is done.
func (t *turn) panicked(p any) {
	name := t.reader.Name
	t.engine.cfg.Logger.Error("a question has panicked", "site", t.site, "reader", name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	t.fn(nil, fmt.Errorf("reader %s: %w: %v", name, ErrPanic, p))
}
