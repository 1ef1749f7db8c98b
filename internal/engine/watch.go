package engine

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/event"
)

// Watcher keeps what follows from the rows and facts of one site up to date for
// the readers of one shard: who is in which segment. It is told of every message
// and works between messages. It belongs to whoever has the shard's turn.
type Watcher interface {
	// Follows says whether the watcher asks for every message and for what it
	// touches. If not, it is only told of messages with facts of its site.
	Follows() bool
	// Applied is told of a message that the shard has applied.
	Applied(l *Live, c *Changes)
	// Work does a little of what is left to do, so little that a message can wait
	// for it, and reports what is left then. It is called between messages as long
	// as anything is, and once after Engine.Wake.
	Work(l *Live) Left
	// Due returns the first instant of the site's clock at which something happens
	// by itself; 0 if a message is needed at once, math.MaxInt64 if nothing does.
	Due() int64
	// Bytes returns the memory that the watcher takes.
	Bytes() int64
}

// Left is what a watcher has left to do.
type Left uint8

// What is left to do is done at once, or at the pace of Config.Pace where every
// answer is right meanwhile.
const (
	LeftNothing Left = iota
	LeftAtLeisure
	LeftAtOnce
)

// Changes is what a message changed for the readers of a site in a shard. It is
// valid during the call.
type Changes struct {
	Position event.Position
	Facts    []event.Fact // of the site, its settings and removal among them
	Touched  []Touch      // in the order in which it happened
	// VisitsLeft says that visits of days before the window are forgotten, Cut
	// that rows have left before their time.
	VisitsLeft, Cut bool
}

// TouchKind is what happened to a reader.
type TouchKind uint8

// What happens to readers. Row is set for the first two.
const (
	TouchRow       TouchKind = iota // a row came, perhaps one that is not in the reader's stream
	TouchAttention                  // a row got attention
	TouchVisits                     // visits were cut anew, other rows' too
	TouchFacts                      // when it was first seen, or its first device
	TouchAll                        // rows were erased
	TouchErased                     // the reader was erased
)

// Touch says what happened to a reader.
type Touch struct {
	Reader uint32
	Row    block.RowID
	Kind   TouchKind
}

// Live is one site in one shard as its writer has it, for a Watcher in its turn.
type Live struct {
	// Site are its settings, Items its catalogue, Profiles what is proven of its
	// readers, as of the message applied last.
	Site     *event.Site
	Items    *Catalog
	Profiles *Profiles
	Now      int64 // the site's clock, Unix milliseconds

	s       *siteShard
	address func(*event.Site, string) string
}

// From returns the instant from which rows are held, Unix milliseconds: what
// lies before it has left.
func (l *Live) From() int64 { return l.s.from }

// Readers returns how many readers are known. They are numbered in order of
// appearance.
func (l *Live) Readers() int { return l.s.subjects.Len() }

// Reader returns a reader by its number; known is false if it was erased, or has
// no rows.
func (l *Live) Reader(n uint32) (r Reader, known bool) {
	name := l.s.subjects.Name(n)
	if name == "" || l.s.subjects.Ptr(n).FirstSeen() == subject.Unseen {
		return Reader{}, false
	}
	r = newReader(ReaderName(name), name)
	l.fill(&r, n)
	return r, true
}

func (l *Live) fill(r *Reader, n uint32) {
	r.Site, r.Items, r.Profiles, r.Now = l.Site, l.Items, l.Profiles, l.Now
	r.From = max(l.s.from, l.Now-l.Site.WindowDuration().Milliseconds())
	r.turn(l.s, n, true)
}

// Find returns the number of a reader by its subject's name (SubjectName).
func (l *Live) Find(name string) (n uint32, ok bool) {
	return l.s.subjects.Find(name, subject.Hash(name))
}

// Names returns the names of the readers' subjects (SubjectName) as they are now,
// by number; "" where one was erased.
func (l *Live) Names() subject.Snapshot { return l.s.subjects.Snapshot() }

// Late returns the longest that a row of a reader came after a newer one, in
// milliseconds.
func (l *Live) Late(n uint32) int64 { return int64(l.s.subjects.Ptr(n).Late) }

// RowsFrom calls fn with the rows that a reader has in the window from a time on,
// with their times, newest arrival first, until it returns false. It stops where
// all that came before are older.
func (l *Live) RowsFrom(n uint32, from int64, fn func(b *block.Builder, id block.RowID, time int64) bool) {
	type placed struct {
		block *block.Builder
		id    block.RowID
		time  int64
	}
	var few [16]placed
	late, blocks := l.Late(n), l.s.blocks
	l.s.subjects.Chunks(n, func(rows []uint32) bool {
		// Times are mostly not in the cache: nothing depends on one until all are
		// asked for, and what the day of the block tells is not asked for.
		got, all := few[:0], false
		for i := len(rows) - 1; i >= 0 && !all; i-- {
			id := block.RowID(rows[i])
			b := blocks.get(id.Block())
			if b == nil || b.Leaving || b.Kind == block.Decisions {
				continue
			}
			if all = int64(b.Day+1)*block.DayMillis+late <= from; !all {
				got = append(got, placed{b, id, b.Unix(id.Row())})
			}
		}
		for i := range got {
			p := &got[i]
			if p.time+late < from || p.time >= from && !fn(p.block, p.id, p.time) {
				return false
			}
		}
		return !all
	})
}

// Block returns the block of a row, to be read.
func (l *Live) Block(id block.RowID) *block.Builder { return l.s.blocks.get(id.Block()) }

// Numbered returns the blocks by their IDs, nil where there is none, to be read.
func (l *Live) Numbered() []*block.Builder { return l.s.blocks }

// Blocks returns the blocks of the window, to be read.
func (l *Live) Blocks() []*block.Builder { return l.s.order }

// Dict returns the shard's dictionary of a column, to be read.
func (l *Live) Dict(column int) *block.Dict { return l.s.columns[column].dict }

// Property returns the number of a property's column, -1 if no row has it.
func (l *Live) Property(name string) int {
	if c, ok := l.s.byName[name]; ok {
		return c
	}
	return -1
}

// Away is Reader.Away for a device at the site's now, with the first instant at
// which it may be otherwise without another row; math.MaxInt64 if it stays.
func (l *Live) Away(n uint32) (away bool, until int64) {
	if l.s.people == nil {
		return false, math.MaxInt64
	}
	window := l.Site.WindowDuration().Milliseconds()
	row := newestOf(max(l.s.from, l.Now-window), l.Now, l.Late(n))
	l.s.eachRow(n, func(b *block.Builder, id block.RowID) bool { return !row.look(b, id) })
	if row.proven {
		row.next = min(row.next, row.time+window+1)
	}
	return row.proven, row.next
}

// Addresses returns the addresses that an entry of the catalogue claims, as rows
// name them.
func (l *Live) Addresses(item *event.Item) []string { return addressesOf(l.address, l.Site, item) }

// One makes rows hold one row; ok is false if it has left. Rows of one reader may
// follow each other; before one of another reader, or when visits may have
// changed, Forget comes first.
func (l *Live) One(rows *Rows, id block.RowID) (ok bool) {
	b := l.s.blocks.get(id.Block())
	if b == nil || id.Row() >= b.N() {
		return false
	}
	rows.site, rows.reader = l.s, b.SubjectOf(id.Row())
	rows.list = append(rows.list[:0], rowRef{b, b.Unix(id.Row()), id})
	return true
}

// Forget lets rows go.
func (r *Rows) Forget() { r.reset() }

// eachRow calls fn with the rows of a reader that are in the window, newest
// arrival first, until it returns false. Decisions are no rows of a stream.
func (s *siteShard) eachRow(n uint32, fn func(b *block.Builder, id block.RowID) bool) {
	var last *block.Builder
	s.subjects.Rows(n, func(id block.RowID) bool {
		if last == nil || last.ID != id.Block() {
			if last = s.blocks.get(id.Block()); last == nil || last.Leaving {
				last = nil
				return true
			}
		}
		return last.Kind == block.Decisions || fn(last, id)
	})
}

// notes are what a message has changed so far, for the watcher.
type notes struct {
	touched         []Touch
	visitsLeft, cut bool
}

// note takes note of what happened to a reader.
func (s *siteShard) note(kind TouchKind, reader uint32, row block.RowID) {
	if s.notes != nil {
		s.notes.touched = append(s.notes.touched, Touch{reader, row, kind})
	}
}

// Pending calls fn with what has happened to a reader that the watcher was not
// told of yet, while a message is being applied, until it returns false. It
// returns false then, and where rows or visits have left.
func (l *Live) Pending(n uint32, fn func(Touch) bool) bool {
	notes := l.s.notes
	if notes == nil {
		return true
	}
	if notes.cut || notes.visitsLeft {
		return false
	}
	for i := range notes.touched {
		if notes.touched[i].Reader == n && !fn(notes.touched[i]) {
			return false
		}
	}
	return true
}

// noteVisits takes note that visits of a reader were cut anew, if an event came
// late.
func (s *siteShard) noteVisits(reader uint32, late int64) {
	if late > 0 {
		s.note(TouchVisits, reader, 0)
	}
}

// see lowers when a reader was first seen.
func (s *siteShard) see(n uint32, time int64) {
	if time < s.subjects.Ptr(n).FirstSeen() {
		s.subjects.Mut(n).Seen(time)
		s.note(TouchFacts, n, 0)
	}
}

// watched is a watcher with what it looks at.
type watched struct {
	Watcher
	live  Live
	notes notes
}

// watchedSite is a site with facts in a message, as of it.
type watchedSite struct {
	site     *event.Site
	items    *Catalog
	profiles *Profiles
}

// Watch sets what makes the watcher of a site in a shard; it is called for the
// sites that there are and for each that is added, and may return nil. Each
// watcher is first told, as of a message, of the facts FactActive and FactPrepare
// of its site. Errors: ErrClosed, ErrFailed, the context's.
func (e *Engine) Watch(ctx context.Context, make func(shard int, site string) Watcher) error {
	var sites []watchedSite
	var facts []event.Fact
	var position event.Position
	var stamp int64
	err := e.everyShard(ctx, func() {
		e.watching = true
		position, stamp = event.Position(e.received.Load()), e.LogTime()
		for _, site := range e.facts.list() {
			sites = append(sites, e.watchedSite(site))
			for _, kind := range []string{event.FactActive, event.FactPrepare} {
				if value, ok := e.Fact(kind, site.ID, ""); ok {
					facts = append(facts, event.Fact{Kind: kind, Site: site.ID, Value: value})
				}
			}
		}
	}, func(s *shard) {
		s.newWatcher, s.logTime = make, stamp
		for i := range sites {
			s.learn(&sites[i])
			s.tell(s.applier.site(sites[i].site.ID), position, factsOf(sites[i].site.ID, facts, nil))
		}
		s.watchersWork()
	})
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}

// Wake has every watcher work once. Errors: ErrClosed, ErrFailed.
func (e *Engine) Wake() error {
	return e.enqueue(item{command: func(s *shard) { s.watchersWork() }})
}

// Due returns the first instant of log time at which something happens without a
// message: a message must come then so that it does. math.MaxInt64: nothing.
func (e *Engine) Due() int64 {
	due := int64(math.MaxInt64)
	for _, s := range e.shards {
		due = min(due, s.due.Load())
	}
	return due
}

// Watcher returns what watches the reader's site in its shard, for the reader of
// a turn; nil if nothing does.
func (r *Reader) Watcher() (w Watcher, l *Live) {
	if r.site == nil || r.site.watched == nil {
		return nil, nil
	}
	return r.site.watched.Watcher, &r.site.watched.live
}

// Number returns the reader's number in its shard; ok is false if it is not
// known.
func (r *Reader) Number() (n uint32, ok bool) { return r.ordinal, r.Known }

// EachWatcher calls fn with the watcher of a site in each shard, in the shard's
// turn, all at one place of the log, and returns when all have been called.
// Where there is none, w is nil. Calls are concurrent. Errors: ErrClosed,
// ErrFailed, the context's; with the context's fn may still be called.
func (e *Engine) EachWatcher(ctx context.Context, site string, fn func(shard int, w Watcher, l *Live)) (event.Position, error) {
	var position event.Position
	err := e.everyShard(ctx, func() { position = event.Position(e.received.Load()) }, func(s *shard) {
		if st := s.applier.sites[site]; st != nil && st.watched != nil {
			fn(s.number, st.watched.Watcher, &st.watched.live)
			s.watchersWork()
		} else {
			fn(s.number, nil, nil)
		}
	})
	return position, err
}

// watchedSite returns a site as watchers know it.
func (e *Engine) watchedSite(site *event.Site) watchedSite {
	return watchedSite{site, e.facts.catalog(site.ID), e.facts.profilesOf(site.ID)}
}

// watchSites takes note of the sites with facts in a message.
func (e *Engine) watchSites(m *message) {
	m.watched = m.watched[:0]
	if !e.watching {
		return
	}
	for i := range m.Facts {
		id := siteOf(&m.Facts[i])
		if slices.ContainsFunc(m.watched, func(w watchedSite) bool { return w.site.ID == id }) {
			continue
		}
		if site, ok := e.facts.site(id); ok {
			m.watched = append(m.watched, e.watchedSite(site))
		}
	}
}

// siteOf returns the site that a fact is about.
func siteOf(f *event.Fact) string {
	if f.Kind == event.FactSite {
		return f.Key
	}
	return f.Site
}

// factsOf appends the facts of a site to dst.
func factsOf(site string, facts, dst []event.Fact) []event.Fact {
	for i := range facts {
		if siteOf(&facts[i]) == site {
			dst = append(dst, facts[i])
		}
	}
	return dst
}

// applied tells the watchers of a message.
func (s *shard) applied(m *message) {
	if s.newWatcher == nil {
		return
	}
	s.logTime = max(s.logTime, m.Stamp)
	for i := range m.watched {
		s.learn(&m.watched[i])
	}
	for _, w := range s.watchers {
		facts := factsOf(w.live.s.id, m.Facts, s.facts[:0])
		s.facts = facts
		if len(facts) > 0 || w.live.s.notes != nil {
			s.tell(w.live.s, m.position, facts)
		}
	}
	s.watchersWork()
}

// learn takes over what a message says of a site, and makes its watcher.
func (s *shard) learn(site *watchedSite) {
	st := s.applier.site(site.site.ID)
	if st.watched == nil {
		w := s.newWatcher(s.number, st.id)
		if w == nil {
			return
		}
		st.watched = &watched{Watcher: w, live: Live{s: st, address: s.engine.facts.address}}
		s.watchers = append(s.watchers, st.watched)
	}
	l := &st.watched.live
	l.Site, l.Items, l.Profiles = site.site, site.items, site.profiles
}

// tell tells the watcher of a site of a message.
func (s *shard) tell(st *siteShard, position event.Position, facts []event.Fact) {
	w := st.watched
	if w == nil {
		return
	}
	w.live.Now = s.logTime
	if w.live.Site.Clock == event.ClockEvent && st.now > 0 {
		w.live.Now = st.now
	}
	w.Applied(&w.live, &Changes{Position: position, Facts: facts, Touched: w.notes.touched, VisitsLeft: w.notes.visitsLeft, Cut: w.notes.cut})
	w.notes = notes{touched: w.notes.touched[:0]}
	s.listen(st)
}

// listen has a site's shard take notes if its watcher follows it.
func (s *shard) listen(st *siteShard) {
	switch follows := st.watched.Follows(); {
	case !follows:
		st.notes = nil
	case st.notes == nil:
		st.notes = &st.watched.notes
	}
}

// watchersWork has each watcher work once, and notes when something is due.
func (s *shard) watchersWork() {
	s.left = LeftNothing
	due := int64(math.MaxInt64)
	for _, w := range s.watchers {
		s.left = max(s.left, w.Work(&w.live))
		s.listen(w.live.s)
		// Log time does not move a clock of events, but a message may be needed now.
		if at := w.Due(); at <= 0 || w.live.Site.Clock != event.ClockEvent {
			due = min(due, at)
		}
	}
	s.due.Store(due)
}

// unwatch lets go of the watcher of a site that is removed.
func (s *shard) unwatch(st *siteShard) {
	if st == nil || st.watched == nil {
		return
	}
	for i, w := range s.watchers {
		if w == st.watched {
			s.watchers = slices.Delete(s.watchers, i, i+1)
			break
		}
	}
	st.watched = nil
}
