package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/burn"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/engine/viewid"
	"github.com/readership/readership/internal/engine/visit"
	"github.com/readership/readership/internal/event"
)

// checkpointVersion changes with the meaning of any key; a checkpoint of
// another version is set aside and the log is replayed.
//
// Version 3 had the rows of a block in one key, and is read too.
const (
	checkpointVersion = 4
	oldestCheckpoint  = 3
)

// checkpointer writes what changed since the last checkpoint as one table that
// Pebble takes in at once. Between checkpoints the log is the truth.
// docs/format/checkpoint.md lists the keys.
type checkpointer struct {
	path   string
	logger *slog.Logger
	pause  func() // between tries of a write that failed
	due    chan struct{}
	every  atomic.Int64 // bytes of log from one checkpoint to the next
	cache  atomic.Int64 // bytes the store keeps in memory

	mu     sync.Mutex // one checkpoint at a time; guards what follows
	db     *pebble.DB
	format sstable.WriterOptions
	whole  bool   // the last one failed: what it took note of is not on disk
	room   []byte // of the values, one at a time
}

// Bounds of how much log is applied before a checkpoint is due. Between them it
// is as much as the last one wrote, so that checkpoints take no more than half
// of what is written.
const (
	minCheckpointEvery = 64 << 20
	maxCheckpointEvery = 256 << 20
)

// head is the key that makes a checkpoint whole.
type head struct {
	Version  int            `json:"version"`
	Shards   int            `json:"shards"`
	Position event.Position `json:"position"`
	LogTime  int64          `json:"log_time"`
	Clocks   map[string]int64
	// Erasures is how many readers were erased of whom the checkpoint may still
	// hold something.
	Erasures int64 `json:"erasures,omitempty"`
	// Erased is when a reader was erased last, by site.
	Erased map[string]int64 `json:",omitempty"`
}

// siteHead is what a shard keeps of a site beside pages.
type siteHead struct {
	NextBlock    uint16
	NextVisit    uint32
	From, Now    int64
	Cut          string
	Rows, Copies uint64
	Columns      []columnHead
	Blocks       []uint16
	Waiting      []waitingHead
	IDSequence   uint64
	Window       int64
	LastDay      int
	Seen         map[visit.ID]int64 `json:",omitempty"`
	People       *peopleHead        `json:",omitempty"` // nil: no accounts
	Meters       []string           `json:",omitempty"` // what burns say of meters, by code from 1
}

// peopleHead is what a shard keeps of a site's accounts beside pages.
type peopleHead struct {
	NextVisit uint32
	Seen      map[visit.ID]int64 `json:",omitempty"`
}

type columnHead struct {
	Name    string
	Local   bool
	Values  int
	Decided bool `json:",omitempty"` // only decisions have it
}

type waitingHead struct {
	View   uint64
	Since  int64
	Time   int64
	Millis uint32
	Scroll uint8
	// Of engagement of no device (waiting.go).
	Foreign bool `json:",omitempty"`
	Found   bool `json:",omitempty"`
}

func openCheckpoint(dir string, e *Engine) (*checkpointer, error) {
	c := &checkpointer{path: filepath.Join(dir, "checkpoint"), logger: e.cfg.Logger, pause: e.cfg.Pause, due: make(chan struct{}, 1)}
	c.every.Store(minCheckpointEvery)
	if err := c.open(); err != nil {
		return nil, err
	}
	err := c.load(e)
	if err == nil {
		return c, nil
	}
	// A lost checkpoint only makes the replay longer.
	e.cfg.Logger.Warn("checkpoint cannot be used, the log will be replayed", "error", err)
	e.reset()
	return c, c.renew()
}

// renew begins an empty checkpoint in place of the one that is open.
func (c *checkpointer) renew() error {
	if err := c.close(); err != nil {
		return err
	}
	if err := os.RemoveAll(c.path); err != nil {
		return fmt.Errorf("remove checkpoint: %w", err)
	}
	return c.open()
}

func (c *checkpointer) open() error {
	cache := pebble.NewCache(1 << 20)
	defer cache.Unref()
	opts := &pebble.Options{DisableWAL: true, Cache: cache, MemTableSize: 1 << 20, Logger: pebbleLogger{c.logger}}
	if c.pause != nil {
		// Pebble tries a failed flush again at once, and again.
		opts.EventListener = &pebble.EventListener{BackgroundError: func(error) { c.pause() }}
	}
	db, err := pebble.Open(c.path, opts)
	if err != nil {
		c.logger.Warn("checkpoint cannot be opened, the log will be replayed", "error", err)
		if err := os.RemoveAll(c.path); err != nil {
			return fmt.Errorf("remove checkpoint: %w", err)
		}
		if db, err = pebble.Open(c.path, opts); err != nil {
			return fmt.Errorf("open checkpoint: %w", err)
		}
	}
	opts.EnsureDefaults()
	c.db, c.format = db, opts.MakeWriterOptions(0, db.TableFormat())
	return nil
}

func (c *checkpointer) close() error {
	if c.db == nil {
		return nil
	}
	db := c.db
	c.db = nil
	if err := db.Close(); err != nil {
		return fmt.Errorf("close checkpoint: %w", err)
	}
	return nil
}

// pebbleLogger sends Pebble's lines to the log of the engine.
type pebbleLogger struct{ *slog.Logger }

func (l pebbleLogger) Infof(format string, args ...any) { l.Debug(fmt.Sprintf(format, args...)) }
func (l pebbleLogger) Errorf(format string, args ...any) {
	l.Error(fmt.Sprintf(format, args...))
}
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.Error(fmt.Sprintf(format, args...))
	panic(fmt.Sprintf(format, args...))
}

// reset empties the engine before it starts.
func (e *Engine) reset() {
	e.facts, e.ledger = newFacts(e.cfg.Address), newLedger()
	e.position.Store(0)
	e.logTime.Store(0)
	e.received.Store(0)
	e.erasures.Store(0)
	clear(e.accounts)
	for i := range e.shards {
		e.shards[i] = newShard(e, i)
	}
}

// CheckpointDue tells that so much of the log was applied since the last
// checkpoint that the next is due.
func (e *Engine) CheckpointDue() <-chan struct{} {
	if e.ckpt == nil {
		return nil
	}
	return e.ckpt.due
}

// Checkpoint writes what changed since the last one. The writers only note
// which pages these are, at one border of the log; the rest happens beside
// them, at the pace of Config.Pace until ctx ends. A crash leaves the one before.
// After one that failed, the next begins anew and writes everything.
func (e *Engine) Checkpoint(ctx context.Context) error {
	return e.saveAll(ctx, e.breaks(ctx, mostBreaks))
}

// saveAll writes a checkpoint, with breaks; nil: without.
func (e *Engine) saveAll(ctx context.Context, rest func()) error {
	c := e.ckpt
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.whole {
		if err := c.renew(); err != nil {
			return err
		}
	}
	err := e.checkpoint(ctx, c.whole, 0, rest)
	c.whole = err != nil
	return err
}

// renewCheckpoint writes the checkpoint anew, after so many erased readers were
// purged.
func (e *Engine) renewCheckpoint(ctx context.Context, purged int64) error {
	c := e.ckpt
	if c == nil {
		e.erasures.Add(-purged)
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = true
	if err := c.renew(); err != nil {
		return err
	}
	if err := e.checkpoint(ctx, true, purged, e.breaks(ctx, mostWholeBreaks)); err != nil {
		return err
	}
	c.whole = false
	e.erasures.Add(-purged)
	return nil
}

// Bounds of the breaks of one checkpoint: who takes in more than usual must not wait for
// the next. One that writes everything is rare, and has more to write.
const (
	mostBreaks      = 100
	mostWholeBreaks = 10_000
)

// breaks returns what takes a break where it is time for one, so many times, until ctx
// ends. Who works beside who takes one takes it too.
func (e *Engine) breaks(ctx context.Context, most int) func() {
	if e.cfg.Pace == nil {
		return nil
	}
	next, left := e.cfg.Pace(), most
	var mu sync.Mutex
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if left == 0 {
			return
		}
		wait := next()
		if wait == nil {
			return
		}
		left--
		select {
		case <-wait:
		case <-ctx.Done():
			left = 0
		}
	}
}

// checkpoint takes note of what changed, or of everything, and writes it, with breaks;
// nil: without. So many erased readers leave nothing in it.
func (e *Engine) checkpoint(ctx context.Context, whole bool, purged int64, rest func()) error {
	h := head{Version: checkpointVersion, Shards: len(e.shards)}
	var changed []event.Fact
	var lines []ledgerSave // of the dispatcher's ledger
	parts := make([]*shardSave, len(e.shards))
	ready := make(chan struct{}, len(e.shards))
	err := e.enqueue(item{
		dispatch: func() {
			h.Position, h.LogTime = event.Position(e.received.Load()), e.LogTime()
			h.Erasures = e.erasures.Load() - purged
			if whole {
				e.facts.markUnsaved()
				e.ledger.markUnsaved()
			}
			changed, h.Clocks = e.facts.unsaved()
			h.Erased = e.facts.erased()
			if whole { // what is gone must not be named
				changed = slices.DeleteFunc(changed, func(f event.Fact) bool { return len(f.Value) == 0 })
			}
			lines = e.ledger.unsaved()
			e.sinceCheckpoint = 0
		},
		command: func(s *shard) {
			if whole {
				s.markUnsaved()
			}
			parts[s.number] = s.save()
			ready <- struct{}{}
		},
	})
	if err != nil {
		return err
	}
	for range e.shards {
		select {
		case <-ready:
		case <-ctx.Done():
			return fmt.Errorf("checkpoint: %w", ctx.Err())
		case <-e.failed:
			return ErrFailed
		case <-e.closing:
			return ErrClosed
		}
	}
	return e.ckpt.write(&h, changed, lines, parts, rest)
}

// shardSave is what a shard hands over at the border: immutable snapshots.
type shardSave struct {
	number int
	sites  []siteSave
	lines  []ledgerSave
	gone   []string // sites deleted since the last checkpoint
}

type siteSave struct {
	id       string
	head     siteHead
	blocks   []*block.Block
	dropped  []uint16
	visits   []*visit.Chunk
	noVisits []uint32
	subjects *subject.Saver
	dicts    []dictSave
	ids      []viewid.Entry
	burns    *burn.Saver
	people   *peopleSave // nil: no accounts
}

type peopleSave struct {
	devices, accounts *subject.PairsSaver
	visits            []*visit.Chunk
	noVisits          []uint32
	views             []viewid.Entry
}

type dictSave struct {
	column, from int
	view         block.DictView
}

// markUnsaved makes the next save a whole one.
func (s *shard) markUnsaved() {
	s.ledger.markUnsaved()
	for _, st := range s.applier.sites {
		for _, b := range st.order {
			b.Unsaved = true
		}
		st.visits.MarkUnsaved()
		st.subjects.MarkUnsaved()
		st.ids.MarkUnsaved()
		st.burns.table.MarkUnsaved()
		if p := st.people; p != nil {
			p.devices.MarkUnsaved()
			p.accounts.MarkUnsaved()
			p.visits.MarkUnsaved()
			p.views.MarkUnsaved()
		}
		for i := range st.columns {
			st.columns[i].saved = 0
		}
	}
}

func (s *shard) save() *shardSave {
	out := &shardSave{number: s.number, gone: s.gone, lines: s.ledger.unsaved()}
	s.gone = nil
	for _, st := range s.applier.sites {
		out.sites = append(out.sites, st.save())
	}
	return out
}

func (s *siteShard) save() siteSave {
	v := siteSave{id: s.id, dropped: s.dropped, subjects: s.subjects.Unsaved(), ids: s.ids.TakeAdded(), burns: s.burns.table.Unsaved()}
	s.dropped = nil
	h := &v.head
	h.From, h.Cut, h.Now, h.Window, h.LastDay = s.from, s.cut, s.now, s.window, s.lastDay
	h.Rows, h.Copies, h.NextBlock = s.rows, s.copies, s.nextID
	for _, b := range s.order {
		h.Blocks = append(h.Blocks, b.ID)
		if b.Unsaved {
			b.Unsaved = false
			v.blocks = append(v.blocks, b.Snapshot())
		}
	}
	s.changed = true
	s.visits.Unsaved(func(c *visit.Chunk) { v.visits = append(v.visits, c) })
	v.noVisits = s.visits.TakeGone()
	h.NextVisit, h.Seen = s.visits.Next(), s.visits.Seen()
	for i := range s.columns {
		c := &s.columns[i]
		h.Columns = append(h.Columns, columnHead{c.name, c.local, c.dict.Len(), c.decided})
		if c.dict.Len() > max(c.saved, 1) {
			v.dicts = append(v.dicts, dictSave{i, max(c.saved, 1), c.dict.View()})
			c.saved = c.dict.Len()
		}
	}
	if p := s.people; p != nil {
		h.People = &peopleHead{NextVisit: p.visits.Next(), Seen: p.visits.Seen()}
		v.people = &peopleSave{devices: p.devices.Unsaved(), accounts: p.accounts.Unsaved(), views: p.views.TakeAdded()}
		p.visits.Unsaved(func(c *visit.Chunk) { v.people.visits = append(v.people.visits, c) })
		v.people.noVisits = p.visits.TakeGone()
	}
	h.Waiting, h.Meters = s.waiting.list(), s.burns.meters.texts()
	h.IDSequence = s.idSequence
	s.idSequence++
	return v
}

// keys: one letter, shard, site, 0, then what the letter says.
func siteKey(letter byte, shard int, site string) []byte {
	return append(append([]byte{letter, byte(shard)}, site...), 0)
}

func numbered(letter byte, shard int, site string, n uint64) []byte {
	return binary.BigEndian.AppendUint64(siteKey(letter, shard, site), n)
}

// The letters of keys.
const (
	keyHead      = 'H'
	keyFact      = 'F'
	keyLedger    = 'L'
	keySite      = 'S'
	keyRows      = 'R'
	keyAttention = 'A'
	keyVisits    = 'V'
	keyTable     = 'T'
	keyDict      = 'D'
	keyIDs       = 'I'
	keyCopies    = 'J'
	keyAccounts  = 'W'
	keyBurns     = 'B'
)

var siteLetters = []byte{keySite, keyRows, keyAttention, keyVisits, keyTable, keyDict, keyIDs, keyCopies, keyAccounts, keyBurns}

// load restores the newest checkpoint; the engine stays empty if there is none.
func (c *checkpointer) load(e *Engine) error {
	value, closer, err := c.db.Get([]byte{keyHead})
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	var h head
	err = json.Unmarshal(value, &h)
	closer.Close()
	if err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	if h.Version < oldestCheckpoint || h.Version > checkpointVersion || h.Shards != len(e.shards) {
		return fmt.Errorf("checkpoint of version %d with %d shards, want %d to %d with %d", h.Version, h.Shards, oldestCheckpoint, checkpointVersion, len(e.shards))
	}
	if err := c.loadFacts(e); err != nil {
		return err
	}
	for site, now := range h.Clocks {
		e.facts.setClock(site, now)
	}
	e.facts.setErased(h.Erased)
	errs := make([]error, len(e.shards))
	var wg sync.WaitGroup
	for i, s := range e.shards {
		wg.Go(func() { errs[i] = c.loadShard(s) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, s := range e.shards {
		for id, site := range s.applier.sites {
			if site.people != nil || site.copies > 0 {
				e.accounts[id] = true
			}
		}
	}
	e.erasures.Store(h.Erasures)
	e.position.Store(uint64(h.Position))
	e.received.Store(uint64(h.Position))
	e.logTime.Store(h.LogTime)
	return nil
}

// scan calls fn with the keys under a prefix, in order, without the prefix.
func (c *checkpointer) scan(prefix []byte, fn func(rest, value []byte) error) error {
	upper := append([]byte(nil), prefix...)
	for i := len(upper) - 1; ; i-- {
		upper[i]++
		if upper[i] != 0 {
			break
		}
	}
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("scan checkpoint: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := fn(it.Key()[len(prefix):], it.Value()); err != nil {
			return errors.Join(fmt.Errorf("checkpoint key %q: %w", it.Key(), err), it.Close())
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("scan checkpoint: %w", err)
	}
	return nil
}

func (c *checkpointer) loadFacts(e *Engine) error {
	var others []event.Fact
	err := c.scan([]byte{keyFact}, func(rest, value []byte) error {
		var k []string
		if err := json.Unmarshal(rest, &k); err != nil || len(k) != 3 {
			return fmt.Errorf("fact key: %w", err)
		}
		f := event.Fact{Kind: k[0], Site: k[1], Key: k[2], Value: append([]byte(nil), value...)}
		if f.Kind == event.FactSite {
			e.facts.apply(&f, 0)
		} else {
			others = append(others, f)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range others {
		if err := e.facts.restore(&others[i]); err != nil {
			return fmt.Errorf("fact %s %q of site %q: %w", others[i].Kind, others[i].Key, others[i].Site, err)
		}
	}
	e.facts.restored()
	for _, s := range e.shards {
		if err := c.loadLedger(byte(s.number), s.ledger); err != nil {
			return err
		}
	}
	return c.loadLedger(dispatcherLedger, e.ledger)
}

func (c *checkpointer) loadLedger(shard byte, l *ledger) error {
	err := c.scan([]byte{keyLedger, shard}, func(rest, value []byte) error {
		var k []any
		if err := json.Unmarshal(rest, &k); err != nil || len(k) != 4 {
			return fmt.Errorf("ledger key: %w", err)
		}
		site, ok0 := k[0].(string)
		bucket, ok1 := k[1].(float64)
		verdict, ok2 := k[2].(string)
		reason, ok3 := k[3].(string)
		n, size := binary.Uvarint(value)
		if !ok0 || !ok1 || !ok2 || !ok3 || size <= 0 {
			return errors.New("ledger line is malformed")
		}
		l.add(int64(bucket)*ledgerBucket, &event.Count{Site: site, Verdict: verdict, Reason: reason, N: n})
		return nil
	})
	l.unsaved()
	return err
}
