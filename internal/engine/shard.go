package engine

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/event"
)

// shard is one writer: a goroutine that owns its readers' state, but for the time in
// which somebody else has the turn.
type shard struct {
	turn    sync.Mutex // held by whoever uses the state below
	engine  *Engine
	number  int
	in      chan work
	applier *applier
	ledger  *ledger  // what this shard lost
	since   int      // rows since memory was measured
	gone    []string // sites deleted since the last checkpoint

	newWatcher func(shard int, site string) Watcher // nil: nobody watches
	watchers   []*watched
	logTime    int64 // greatest stamp, once there are watchers
	left       Left  // that watchers have to do
	pace       func() <-chan time.Time
	pause      <-chan time.Time // until it tells, work that can wait is held up; nil: it is not
	due        atomic.Int64     // when something happens without a message
	facts      []event.Fact     // scratch
}

// work is one step of a shard, in order.
type work struct {
	message  *message
	command  func(*shard)
	position event.Position // of the message that a command is part of; 0: none
	join     *joinStep
}

func newShard(e *Engine, number int) *shard {
	s := &shard{engine: e, number: number, in: make(chan work, 16), applier: newApplier(number, e.cfg.Shards), ledger: newLedger()}
	s.applier.journal, s.applier.seed = e.cfg.Dir != "", e.cfg.Seed
	if e.cfg.Pace != nil {
		s.pace = e.cfg.Pace()
	}
	if e.cfg.Decide != nil {
		s.applier.decider = e.cfg.Decide(number)
	}
	s.due.Store(math.MaxInt64)
	return s
}

// send queues work; false means that the engine has stopped.
func (s *shard) send(w work) bool {
	select {
	case s.in <- w:
		return true
	case <-s.engine.failed:
		return false
	case <-s.engine.closing:
		return false
	}
}

// run applies work until the dispatcher closes the queue.
func (s *shard) run() {
	for {
		w, ok := s.next()
		if !ok {
			return
		}
		s.step(w)
	}
}

// next returns what is done next: what watchers have left to do when nothing
// else is, and not while it is held up.
func (s *shard) next() (w work, ok bool) {
	if s.left == LeftNothing || s.engine.Failure() != nil {
		w, ok = <-s.in
		return w, ok
	}
	if s.left == LeftAtOnce {
		s.pause = nil
	}
	select {
	case w, ok = <-s.in:
		return w, ok
	default:
	}
	if s.pause != nil {
		select {
		case w, ok = <-s.in:
			return w, ok
		case <-s.pause:
			s.pause = nil
		}
	}
	runtime.Gosched() // whoever asks need not wait until this goroutine's time is over
	return work{command: (*shard).spare}, true
}

// spare has watchers work, and others go before what can wait of it.
func (s *shard) spare() {
	s.watchersWork()
	if s.left == LeftAtLeisure && s.pace != nil {
		s.pause = s.pace()
	}
}

func (s *shard) step(w work) {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.engine.Failure() != nil {
		return
	}
	position := w.position
	switch {
	case w.message != nil:
		position = w.message.position
	case w.join != nil:
		position = w.join.position
	}
	defer func() {
		if p := recover(); p != nil {
			s.engine.fail(position, fmt.Errorf("apply message: panic: %v", p))
		}
	}()
	if w.command != nil {
		w.command(s)
		return
	}
	if w.join != nil {
		s.applier.join(s, w.join)
		return
	}
	if !s.applier.apply(s, w.message) {
		return
	}
	s.applied(w.message)
	s.losses(w.message.Stamp)
	for i := range w.message.Sites {
		s.since += w.message.Sites[i].N
	}
	s.engine.release(w.message)
	if s.since >= measureEvery {
		s.since = 0
		s.fit()
	}
}

// losses moves what was lost since the last message into the shard's ledger.
func (s *shard) losses(stamp int64) {
	for _, site := range s.applier.sites {
		for i, n := range site.lost {
			if n > 0 {
				site.lost[i] = 0
				s.ledger.add(stamp, &event.Count{Site: site.id, Verdict: lossNames[i].verdict, Reason: lossNames[i].reason, N: n})
			}
		}
	}
}

// measureEvery is after how many rows a shard looks at its memory.
const measureEvery = 1 << 15

// fit drops the oldest blocks once the shard takes more than its part of the
// memory: a few at a time, since a reader's rows of all of them are then taken
// out of its chain at once.
func (s *shard) fit() {
	limit := s.engine.memory.Load() / int64(s.engine.cfg.Shards)
	if limit <= 0 || s.need() <= limit {
		return
	}
	for s.need() > limit-limit/16 {
		var oldest *siteShard
		for _, site := range s.applier.sites {
			if len(site.order) > 1 && (oldest == nil || site.order[0].Day < oldest.order[0].Day) {
				oldest = site
			}
		}
		if oldest == nil {
			return
		}
		oldest.cutOldest()
	}
}

// cutOldest drops the oldest block for want of memory and remembers from when
// answers are complete.
func (s *siteShard) cutOldest() {
	b := s.order[0]
	lost := 0
	from := s.from
	for i := range b.N() {
		if t := b.Unix(i); t >= s.from {
			lost++
			from = max(from, t+1)
		}
	}
	s.lost[lossLeft] += uint64(lost)
	s.from, s.cut = from, "memory"
	if s.notes != nil {
		s.notes.cut = true
	}
	s.drop(0)
	s.ids.Sweep(sweepTables)
}

// sweepTables is how many tables of ids give back the ids of rows that have
// left with each block that is dropped for want of memory.
const sweepTables = 64

// need is what the shard holds, and what it will copy while a checkpoint is
// written: readers come in no order, so that soon all their pages are touched.
func (s *shard) need() int64 {
	var n int64
	for _, site := range s.applier.sites {
		b := site.bytes()
		n += b.Rows + b.Subjects + b.Visits + b.Dictionaries + b.IDs + b.Waiting + b.Burns + b.Watched
		if s.applier.journal {
			n += b.Bytes.Subjects + b.Chains
		}
	}
	return n
}

// seen applies the daily snapshot of first_seen: names and times of subjects.
func (s *shard) seen(f *event.Fact) {
	site := s.applier.site(f.Site)
	for data := f.Value; len(data) > 0; {
		n, k := binary.Uvarint(data)
		if k <= 0 || uint64(len(data)-k) < n+8 {
			return
		}
		name := string(data[k : k+int(n)])
		time := int64(binary.LittleEndian.Uint64(data[k+int(n):]))
		data = data[k+int(n)+8:]
		hash := subject.Hash(name)
		if !s.applier.owns(hash) {
			continue
		}
		if ordinal, added := site.subjects.Get(name, hash, time); !added {
			site.see(ordinal, time)
		}
	}
	site.changed = true
}

// AppendSeen appends a subject to the value of a FactSeen.
func AppendSeen(value []byte, name string, firstSeen int64) []byte {
	value = binary.AppendUvarint(value, uint64(len(name)))
	value = append(value, name...)
	return binary.LittleEndian.AppendUint64(value, uint64(firstSeen))
}
