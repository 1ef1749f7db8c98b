package segment

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/readership/readership/internal/event"
)

// Change is one entry into a segment or one exit, or the activation of a
// program.
type Change struct {
	Reader  string // device:ID or account:ID
	Segment string
	Entered bool   // false: left
	At      int64  // Unix milliseconds
	Because string // event, timer, item or profile

	// Sizes is set for an activation: Version is active from At on. It stands for
	// all entries and exits that it brings.
	Version int
	Sizes   map[string]SizeChange
}

// SizeChange is how many members a segment has before and after an activation; 0
// where the program has no such segment.
type SizeChange struct {
	Before int64 `json:"before"`
	After  int64 `json:"after"`
}

// Batch is what one message changed. Reset says instead that changes before it
// are not known: what was followed must be read anew.
type Batch struct {
	Position event.Position
	Changes  []Change
	Reset    bool

	bytes int64 // of memory that Changes take
}

// batch is what a message changed in one shard.
type batch struct {
	position      event.Position
	at            int64
	version       int
	complete      bool // every reader of the shard has a state
	erased        bool // a reader was erased
	changes       []Change
	bytes         int64            // that they take, once it is published
	full          bool             // there were more than keptChanges
	before, after map[string]int64 // sizes, if a program was activated
}

// Bounds of a stream. Who is further behind than the changes that are kept begins
// anew, and all do after a message that changed more than that. Where a day ends,
// a hundred thousand readers leave more than one segment at once, perhaps in one
// message; a change takes about a hundred bytes.
const (
	keptChanges  = 1 << 18
	keptBatches  = 1 << 13         // of a shard that is ahead of the others
	aheadChanges = 2 * keptChanges // likewise
)

// add adds a change while there is room.
func (b *batch) add(c Change) {
	if b.full = b.full || len(b.changes) == keptChanges; b.full {
		b.changes = nil
		return
	}
	b.changes = append(b.changes, c)
}

// bytesOf returns the memory of changes. What their texts share is counted with the
// readers' names only.
func bytesOf(changes []Change) int64 {
	n := int64(cap(changes)) * int64(unsafe.Sizeof(Change{}))
	for i := range changes {
		n += int64(len(changes[i].Reader))
	}
	return n
}

// some says whether anything changed.
func (b *batch) some() bool { return b.full || len(b.changes) > 0 }

// stream is the changes of one site's segments, from the first time on that
// somebody asked. Shards publish what each message changed; once all have, it is
// told.
type stream struct {
	on    atomic.Bool
	bytes atomic.Int64 // of the changes that it holds

	mu     sync.Mutex
	shards [][]batch // not told yet
	ahead  []int     // changes in them
	live   bool      // all shards are complete
	ver    int       // version that is told of, if live
	kept   []Batch   // told, in order; positions differ
	n      int       // changes in kept
	size   int64     // of kept, in bytes
	gone   uint64    // batches that were dropped from kept
	since  event.Position
	told   event.Position
	wake   chan struct{} // closed when there is more
	idle   chan struct{} // closed when a shard has settled what was asked of it
}

func newStream(shards int) *stream {
	return &stream{shards: make([][]batch, shards), ahead: make([]int, shards), wake: make(chan struct{}), idle: make(chan struct{})}
}

// publish takes what a message changed in a shard.
func (s *stream) publish(shard int, b batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.shards[shard]) >= keptBatches || s.ahead[shard] > 0 && s.ahead[shard]+len(b.changes) > aheadChanges { // another does not follow
		for i := range s.shards[shard] {
			s.bytes.Add(-s.shards[shard][i].bytes)
		}
		s.shards[shard], s.ahead[shard] = nil, 0
		s.reset(b.position)
	}
	b.bytes = bytesOf(b.changes)
	s.bytes.Add(b.bytes)
	s.shards[shard] = append(s.shards[shard], b)
	s.ahead[shard] += len(b.changes)
	for s.tell() {
	}
}

// tell tells the changes of the first message that all shards have published.
func (s *stream) tell() bool {
	position := event.Position(1<<64 - 1)
	for _, list := range s.shards {
		if len(list) == 0 {
			return false
		}
		position = min(position, list[0].position)
	}
	all := batch{position: position, complete: true}
	first := true
	for i, list := range s.shards {
		if list[0].position != position {
			all.complete = false // the shard did not follow yet
			continue
		}
		all.take(&list[0], first)
		first = false
		s.ahead[i] -= len(list[0].changes)
		s.bytes.Add(-list[0].bytes)
		list[0] = batch{} // the list is let go of later
		s.shards[i] = list[1:]
	}
	s.take(&all)
	return true
}

// take adds what another shard says of the same message.
func (b *batch) take(o *batch, first bool) {
	b.complete = b.complete && o.complete && (first || b.version == o.version)
	b.version, b.at, b.erased = o.version, max(b.at, o.at), b.erased || o.erased
	if b.full = b.full || o.full || len(b.changes)+len(o.changes) > keptChanges; b.full {
		b.changes = nil
	} else {
		b.changes = append(b.changes, o.changes...)
	}
	b.before, b.after = added(b.before, o.before), added(b.after, o.after)
}

func added(a, b map[string]int64) map[string]int64 {
	if b == nil {
		return a
	}
	if a == nil {
		return maps.Clone(b)
	}
	for name, n := range b {
		a[name] += n
	}
	return a
}

// take tells what all shards say of a message.
func (s *stream) take(b *batch) {
	switch {
	case !b.complete:
		s.live = false
		return
	case !s.live || b.version != s.ver && b.before == nil:
		s.live, s.ver = true, b.version
		s.reset(b.position)
		return
	case b.version != s.ver:
		s.ver = b.version
		b.changes = append(b.changes, activation(b))
	}
	if b.full {
		s.reset(b.position)
		return
	}
	if b.erased { // nothing that names the reader is kept
		s.forget(b.position)
	}
	s.told = b.position
	if len(b.changes) == 0 {
		return
	}
	s.keep(Batch{Position: b.position, Changes: b.changes, bytes: bytesOf(b.changes)})
	for s.n > keptChanges && len(s.kept) > 1 {
		s.since, s.n = s.kept[0].Position, s.n-len(s.kept[0].Changes)
		s.grow(-s.kept[0].bytes)
		s.kept[0] = Batch{}
		s.kept = s.kept[1:]
		s.gone++
	}
	s.awake()
}

// keep keeps what is told.
func (s *stream) keep(b Batch) {
	s.kept = append(s.kept, b)
	s.n += len(b.Changes)
	s.grow(b.bytes)
}

func (s *stream) grow(bytes int64) {
	s.size += bytes
	s.bytes.Add(bytes)
}

func activation(b *batch) Change {
	c := Change{Version: b.version, At: b.at, Because: "program", Sizes: map[string]SizeChange{}}
	for name, n := range b.before {
		c.Sizes[name] = SizeChange{Before: n}
	}
	for name, n := range b.after {
		c.Sizes[name] = SizeChange{Before: b.before[name], After: n}
	}
	return c
}

// reset has all who follow begin anew.
func (s *stream) reset(at event.Position) {
	s.forget(at)
	s.told = at
	s.awake()
}

// forget drops what was told: who has not read it begins anew.
func (s *stream) forget(at event.Position) {
	s.gone += uint64(len(s.kept)) + 1
	s.kept, s.n, s.since = nil, 0, at
	s.grow(-s.size)
}

func (s *stream) awake() {
	close(s.wake)
	s.wake = make(chan struct{})
}

// rest tells who waits for it that a shard has settled.
func (s *stream) rest() {
	s.mu.Lock()
	close(s.idle)
	s.idle = make(chan struct{})
	s.mu.Unlock()
}

// resting returns a channel that is closed when a shard has settled.
func (s *stream) resting() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idle
}

// Changes are the changes of a site's segments as one caller follows them.
type Changes struct {
	stream *stream
	next   uint64 // batch, counted from the first ever; valid if begun
	begun  bool
	after  event.Position // that the caller has seen
	resume bool
}

// Next returns what the next message changed that changed anything, in order of
// the log. The first is a reset, unless the caller goes on behind what is kept. A
// batch must not be changed. The error is ctx's.
func (c *Changes) Next(ctx context.Context) (Batch, error) {
	for {
		b, ok, wake := c.take()
		if ok {
			return b, nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		}
	}
}

func (c *Changes) take() (b Batch, ok bool, wake <-chan struct{}) {
	s := c.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		return Batch{}, false, s.wake
	}
	end := s.gone + uint64(len(s.kept))
	switch {
	case !c.begun && c.resume && c.after >= s.since:
		at, _ := slices.BinarySearchFunc(s.kept, c.after+1, func(b Batch, p event.Position) int {
			if b.Position < p {
				return -1
			}
			return 1
		})
		c.begun, c.next = true, s.gone+uint64(at)
	case !c.begun || c.next < s.gone:
		c.begun, c.next = true, end
		return Batch{Position: s.told, Reset: true}, true, nil
	}
	if c.next == end {
		return Batch{}, false, s.wake
	}
	b = s.kept[c.next-s.gone]
	c.next++
	return b, true, nil
}
