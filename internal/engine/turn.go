package engine

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/subject"
)

// Turn is InTurn without the wait: fn is called in the turn, perhaps before Turn
// returns, with the reader or with ErrUnknownSite; never, if the engine stops before;
// again with ErrPanic, if it panics. If the queue is full Turn waits for room as long
// as ctx lasts, or returns ErrBusy. Errors: ErrBusy, ErrUnknownReader, ErrClosed,
// ErrFailed, the context's; with one fn is not called.
func (e *Engine) Turn(ctx context.Context, site, name string, wait bool, fn func(*Reader, error)) error {
	own, ok := SubjectName(name)
	if !ok {
		return fmt.Errorf("%w %q", ErrUnknownReader, name)
	}
	if err := e.stopped(); err != nil {
		return err
	}
	t := &turn{engine: e, site: site, own: own, hash: subject.Hash(own), fn: fn, reader: newReader(name, own)}
	s := e.shards[ShardOf(t.hash, len(e.shards))]
	if t.atOnce(s) {
		return nil
	}
	it := item{one: s, dispatch: t.dispatch, command: t.run}
	if wait {
		return e.enqueueWithin(ctx, it)
	}
	return e.tryEnqueue(it)
}

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

// fewRows is how many rows a reader has at most about whom is asked at once: more
// take so long that whoever asks had better not do the work itself.
const fewRows = 256

// atOnce has whoever asks take the turn itself, without the ways through two queues
// and their goroutines: if every message that was queued is applied, no other is on
// its way to the shards, and the shard rests. Otherwise it returns false, and fn was
// not called.
func (t *turn) atOnce(s *shard) bool {
	dispatched, rests := t.engine.rests()
	if !rests {
		return false
	}
	t.dispatch()
	return t.take(s, dispatched)
}

// rests says whether nothing is on its way through the dispatcher, and how much had
// come through it by then.
func (e *Engine) rests() (dispatched uint64, rests bool) {
	dispatched = e.dispatched.Load()
	return dispatched, dispatched%2 == 0 && e.queued.Load() <= e.position.Load()
}

// take takes the turn of a shard that nobody has, if nothing was dispatched since the
// facts were read: they are then of the same place in the log as the shard's rows, and
// what is dispatched from now on waits for the shard.
func (t *turn) take(s *shard, dispatched uint64) bool {
	if !s.turn.TryLock() {
		return false
	}
	defer s.turn.Unlock()
	if t.engine.dispatched.Load() != dispatched || t.engine.Failure() != nil || !t.few(s) {
		return false
	}
	t.run(s)
	return true
}

// few says whether the reader has few rows.
func (t *turn) few(s *shard) bool {
	st := s.applier.sites[t.site]
	if st == nil {
		return true
	}
	ordinal, found := st.subjects.Find(t.own, t.hash)
	rows := 0
	if found {
		st.subjects.Rows(ordinal, func(block.RowID) bool {
			rows++
			return rows <= fewRows
		})
	}
	return rows <= fewRows
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
			t.engine.cfg.Logger.Error("a question has panicked", "site", t.site, "reader", r.Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			t.fn(nil, fmt.Errorf("reader %s: %w: %v", r.Name, ErrPanic, p))
		}
	}()
	if st := s.applier.sites[t.site]; st != nil {
		r.From = max(r.From, st.from)
		ordinal, found := st.subjects.Find(t.own, t.hash)
		r.turn(st, ordinal, found)
	}
	t.fn(r, nil)
}
