// Package simulate answers what an access block would have decided: it goes
// through the page views of a site's window as they are known now and decides
// each once, burning as it goes. The meaning is that of package fold; the speed
// comes from going reader by reader, as decisions of different readers know
// nothing of each other.
//
//	Run ─► worker ─ a reader's rows in order ─► run ─ clauses, meters ─► Tally
//	         devices first, then accounts: they take the burns that logins carry over
//
// What a decision rests on: rows with time ≤ that of the page view, which is its
// now; traits and entitlements as they stood then; today's catalogue; of the
// request what the row says. Meters are empty at the start.
package simulate

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/rubric/plan"
)

// Block is an access block of a program.
type Block struct {
	Program *plan.Program
	Access  *plan.Access
}

// Question is what is to be simulated.
type Question struct {
	Block
	// Against is what the block is compared with; nil: nothing.
	Against *Block
	// Page views with From ≤ time < To are decided, Unix milliseconds. Those before
	// the view's From are not known.
	From, To int64
}

// Room is what simulations may take of a machine: all that share one have so many
// cores together, and take turns.
type Room chan struct{}

// NewRoom returns room for work on half of the cores: the rest stays for who waits
// for an answer.
func NewRoom() Room { return make(Room, max(1, runtime.GOMAXPROCS(0)/2)) }

// Run decides about all page views of a view that was asked for with
// Engine.Readers. Meanwhile progress is told which share of the readers is done,
// by several goroutines. The error is the context's, or says what broke.
func (room Room) Run(ctx context.Context, view *engine.View, q Question, progress func(share float64)) (*Result, error) {
	q.From = max(q.From, view.From)
	q.To = max(q.From, q.To)
	s := &simulation{room: room, view: view, question: q, blocks: []Block{q.Block}, days: daysOf(q), progress: progress}
	if q.Against != nil {
		s.blocks = append(s.blocks, *q.Against)
	}
	for i, shard := range view.Shards {
		s.shards = append(s.shards, &shardFacts{ShardView: shard, number: i, shared: shard.SharedDevices(), firsts: sync.OnceValue(shard.FirstDevices)})
		s.readers += shard.Subjects.Len()
	}
	total := newTotals(s)
	for _, of := range []func(*worker, context.Context, *shardFacts) error{(*worker).devices, (*worker).accounts} {
		if err := s.pass(ctx, total, of); err != nil {
			return nil, fmt.Errorf("simulate access block %s: %w", q.Access.Name, err)
		}
	}
	return total.result(s), nil
}

// simulation is what the workers of one simulation share.
type simulation struct {
	room     Room
	view     *engine.View
	question Question
	blocks   []Block // the one asked about, and what it is compared with
	days     []int64 // starts of the days from From to To, and the end of the last
	shards   []*shardFacts

	progress func(float64)
	readers  int // in all shards
	done     atomic.Int64

	mu      sync.Mutex
	carried map[pair][]carry // complete once all devices are done
}

// shardFacts is a shard with what is worked out once of it.
type shardFacts struct {
	*engine.ShardView
	number   int
	shared   map[uint32]bool // devices on which an account was proven
	firsts   func() map[uint32]string
	accounts []uint32 // found while looking for devices

	next atomic.Int64 // the first of its readers that no worker has taken
}

// chunk is how many readers of a shard a worker takes at a time, before another
// simulation has its turn.
const chunk = 512

// take returns the next readers that nobody has taken, of n; from is n or more at
// the end.
func (s *shardFacts) take(n int) (from, to int) {
	to = int(s.next.Add(chunk))
	return to - chunk, min(to, n)
}

// pass has all workers go through all shards.
func (s *simulation) pass(ctx context.Context, total *totals, of func(*worker, context.Context, *shardFacts) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for n := range cap(s.room) {
		workers.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					cancel(fmt.Errorf("%v\n%s", p, debug.Stack()))
				}
			}()
			w := newWorker(s)
			for i := range s.shards { // each begins with another one
				shard := s.shards[(n+i)%len(s.shards)]
				w.enter(shard)
				if of(w, ctx, shard) != nil {
					return
				}
			}
			s.collect(w, total)
		})
	}
	workers.Wait()
	for _, shard := range s.shards {
		shard.next.Store(0)
	}
	return context.Cause(ctx)
}

// collect takes what a worker has found.
func (s *simulation) collect(w *worker, total *totals) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total.add(w.totals)
	for shard, accounts := range w.found {
		shard.accounts = append(shard.accounts, accounts...)
	}
	if s.carried == nil {
		s.carried = w.carried
		return
	}
	for p, list := range w.carried {
		s.carried[p] = list
	}
}
