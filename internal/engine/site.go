package engine

import (
	"cmp"
	"slices"
	"strings"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/engine/viewid"
	"github.com/readership/readership/internal/engine/visit"
	"github.com/readership/readership/internal/event"
)

// MaxColumns bounds the properties of a site that are columns; further names
// stay in the log and cannot be asked for.
const MaxColumns = int(event.NumColumns) + 256

// localFrom is the number of values in a block from which the next blocks get
// a dictionary of their own for the column.
const localFrom = 4096

// siteShard is one site in one shard: all its state, owned by the shard.
type siteShard struct {
	id       string
	seed     uint64  // of hash tables
	people   *people // nil: the site has no accounts here
	subjects *subject.Table
	visits   *visit.Table
	ids      viewid.Table
	waiting  waiting
	burns    burns

	columns []column
	byName  map[string]int
	decided int // columns that only decisions have

	blocks  blockTable
	order   []*block.Builder // by day, then age
	open    map[openKey]*block.Builder
	recent  [block.NumKinds]*block.Builder // the one of open that took the last row of the kind
	nextID  uint16
	age     uint32           // of the block made last
	leaving []*block.Builder // out of every view; their rows still in chains
	trimmed int              // rows of leaving[0] whose subjects are trimmed
	clean   []uint64         // bits of the subjects trimmed for the first covered of leaving
	covered int

	from    int64 // rows before it are not part of answers (Unix ms)
	cut     string
	window  int64 // length in ms
	now     int64 // the site's clock as of the last message
	lastDay int   // UTC day of now

	dropped    []uint16 // blocks gone since the last checkpoint
	idSequence uint64   // of the checkpoint's next list of ids

	lost    [numLosses]uint64 // since the engine last took them
	view    *ShardView
	losing  map[int]map[uint32]bool // by column: codes that erased rows had
	changed bool
	rows    uint64
	copies  uint64

	watched *watched // nil: nobody watches the site
	notes   *notes   // of watched, while it follows the site; nil: none are taken
}

// blockTable finds the blocks of a site by their ID: a pointer for each ID up
// to the greatest.
type blockTable []*block.Builder

func (t blockTable) get(id uint16) *block.Builder {
	if int(id) < len(t) {
		return t[id]
	}
	return nil
}

func (t *blockTable) put(b *block.Builder) {
	for len(*t) <= int(b.ID) {
		*t = append(*t, nil)
	}
	(*t)[b.ID] = b
}

func (t blockTable) remove(id uint16) { t[id] = nil }

type openKey struct {
	day  int
	kind block.Kind
}

// column is a column of the site in this shard.
type column struct {
	name  string
	dict  *block.Dict
	local bool // new blocks get a dictionary of their own
	saved int  // values of dict that are in the checkpoint
	// decided says that only decisions have it so far. Such columns are the
	// shard's own: they do not count against MaxColumns, which all shards of a
	// site must reach with the same names.
	decided bool
}

// loss is something that became of a stored event later.
type loss int

const (
	lossOrphan      loss = iota // engagement whose view never came
	lossLeft                    // rows dropped before their time, for memory
	lossPassed                  // rows from before the window: it was shorter once
	lossQuarantined             // rows of a message that was skipped
	numLosses
)

var lossNames = [numLosses]struct{ verdict, reason string }{
	lossOrphan:      {"orphan", "view_unknown"},
	lossLeft:        {"left", "memory"},
	lossPassed:      {"left", "window"},
	lossQuarantined: {"quarantined", "message"},
}

// isLoss says whether lines with a verdict are of events that are counted as
// stored already.
func isLoss(verdict string) bool {
	for _, l := range lossNames {
		if l.verdict == verdict {
			return true
		}
	}
	return false
}

func newSiteShard(id string, seed uint64) *siteShard {
	s := &siteShard{
		id: id, seed: seed, subjects: subject.NewTable(seed), visits: visit.NewTable(),
		byName: map[string]int{}, open: map[openKey]*block.Builder{},
		waiting: newWaiting(), burns: newBurns(), changed: true,
	}
	for c := range event.NumColumns {
		s.columns = append(s.columns, column{name: c.String(), dict: block.NewDict()})
	}
	for _, c := range []event.Column{event.ColURL, event.ColTitle, event.ColReferrer, event.ColAccount} {
		s.columns[c].local = true
	}
	return s
}

// property returns the number of the column of a row's property, -1 past
// MaxColumns.
func (s *siteShard) property(name string) int {
	c, ok := s.byName[name]
	if ok && !s.columns[c].decided {
		return c
	}
	if s.full() {
		return -1
	}
	if !ok {
		return s.addColumn(name, false)
	}
	s.columns[c].decided = false
	s.decided--
	return c
}

// full says that no further property of rows becomes a column.
func (s *siteShard) full() bool { return len(s.columns)-s.decided == MaxColumns }

// maxDecided bounds the columns that only decisions have.
const maxDecided = 64

// decidedProperty returns the number of the column of a decision's property, -1
// past maxDecided.
func (s *siteShard) decidedProperty(name string) int {
	if c, ok := s.byName[name]; ok {
		return c
	}
	if s.decided == maxDecided {
		return -1
	}
	return s.addColumn(name, true)
}

func (s *siteShard) addColumn(name string, decided bool) int {
	own := strings.Clone(name)
	s.byName[own] = len(s.columns)
	// What begins so is of one decision: a dictionary of the shard would keep it.
	single := decided && strings.HasPrefix(own, event.PropertyDecision)
	s.columns = append(s.columns, column{name: own, dict: block.NewDict(), local: single, decided: decided})
	if decided {
		s.decided++
	}
	return len(s.columns) - 1
}

// blockFor returns the open block of a day for rows of a kind.
func (s *siteShard) blockFor(day int, kind block.Kind) *block.Builder {
	recent := &s.recent[kind]
	if b := *recent; b != nil && b.Day == day && b.N() < block.MaxRows {
		return b
	}
	key := openKey{day, kind}
	if b := s.open[key]; b != nil {
		if b.N() < block.MaxRows {
			*recent = b
			return b
		}
		s.seal(b)
	}
	// Names of blocks are taken in turn; 65,535 is visit.NoRow's block.
	for s.blocks.get(s.nextID) != nil || s.nextID == 1<<16-1 {
		s.nextID++
	}
	b := block.NewBuilder(s.nextID, day, kind)
	s.nextID++
	s.age++
	b.Age = s.age
	s.blocks.put(b)
	s.ids.Hold(b.ID)
	if s.people != nil {
		s.people.views.Hold(b.ID)
	}
	at, _ := slices.BinarySearchFunc(s.order, day+1, func(o *block.Builder, day int) int { return cmp.Compare(o.Day, day) })
	s.order = slices.Insert(s.order, at, b)
	s.open[key], *recent = b, b
	return b
}

func (s *siteShard) seal(b *block.Builder) {
	for c := range s.columns {
		if c != int(event.ColItem) && !s.columns[c].local && b.Distinct(c) > localFrom {
			s.columns[c].local = true
		}
	}
	b.Seal()
	s.shut(b)
}

// shut takes a block out of those that rows go to.
func (s *siteShard) shut(b *block.Builder) {
	delete(s.open, openKey{b.Day, b.Kind})
	s.recent = [block.NumKinds]*block.Builder{}
}

// sealAfter is how long after its day a block stays open for late rows.
const sealAfter = 49 * 60 * 60 * 1000

// advance moves the site's clock: blocks are sealed, days leave.
func (s *siteShard) advance(now, window int64) {
	s.now, s.window = now, window
	s.visits.Advance(now)
	if s.people != nil {
		s.people.visits.Advance(now)
	}
	if from := now - window; from > s.from {
		s.from = from
		s.cut = ""
	}
	if day := int(now / block.DayMillis); day != s.lastDay {
		s.lastDay = day
		s.burns.begin()
		for key, b := range s.open {
			if int64(key.day+1)*block.DayMillis+sealAfter <= now {
				s.seal(b)
			}
		}
	}
	for len(s.order) > 0 && int64(s.order[0].Day+1)*block.DayMillis <= s.from {
		s.drop(0)
	}
	s.waiting.expire(now, s.orphan)
	s.burns.expire(now)
	s.trim(trimRows)
}

// drop takes a block out of every later view.
func (s *siteShard) drop(i int) {
	b := s.order[i]
	s.order = slices.Delete(s.order, i, i+1)
	s.shut(b)
	b.Leaving = true
	s.leaving = append(s.leaving, b)
	s.dropped = append(s.dropped, b.ID)
	first := int(s.from / block.DayMillis)
	if len(s.order) == 0 || s.order[0].Day > b.Day {
		if s.notes != nil {
			s.notes.visitsLeft = true
		}
		s.visits.DropBefore(min(first, b.Day+1))
		if s.people != nil {
			s.people.visits.DropBefore(min(first, b.Day+1))
		}
	}
	s.changed = true
}

// So many rows of leaving blocks have their subject's chain trimmed with each
// message and with each of its rows, so that a day that leaves holds nobody up
// and is gone before as many rows have come.
const (
	trimRows   = 512
	trimPerRow = 2
)

// trim takes up to n rows of leaving blocks out of the chains.
func (s *siteShard) trim(n int) {
	if len(s.leaving) == 0 {
		return
	}
	gone := func(r block.RowID) bool {
		b := s.blocks.get(r.Block())
		return b == nil || b.Leaving
	}
	for range n {
		b := s.leaving[0]
		if s.trimmed >= b.N() {
			s.blocks.remove(b.ID)
			s.ids.Release(b.ID)
			if s.people != nil {
				s.people.views.Release(b.ID)
			}
			s.leaving = s.leaving[1:]
			s.trimmed = 0
			if s.covered--; s.covered == 0 {
				s.clean = nil
			}
			if len(s.leaving) == 0 {
				s.subjects.Compact()
				return
			}
			continue
		}
		// A subject once trimmed has no row of any block that was leaving then.
		// New subjects have none either.
		if s.clean == nil {
			s.clean, s.covered = make([]uint64, s.subjects.Len()/64+1), len(s.leaving)
		}
		if word, bit := b.SubjectOf(s.trimmed)/64, uint64(1)<<(b.SubjectOf(s.trimmed)%64); s.clean[word]&bit == 0 {
			s.clean[word] |= bit
			s.subjects.Trim(b.SubjectOf(s.trimmed), gone)
		}
		s.trimmed++
	}
}

// snapshot returns the site as readers of this shard see it; whole says that
// single readers are asked for.
func (s *siteShard) snapshot(whole bool) *ShardView {
	if s.view != nil && !s.changed {
		if whole && s.view.Readers == nil {
			v := *s.view
			v.Readers = s.readersView()
			s.view = &v
		}
		return s.view
	}
	v := &ShardView{
		Columns:  make([]ColumnView, len(s.columns)),
		Full:     s.full(),
		Blocks:   make([]*block.Block, len(s.order)),
		ByID:     make(map[uint16]*block.Block, len(s.order)),
		Visits:   s.visits.Snapshot(),
		Seen:     s.visits.Seen(),
		Subjects: s.subjects.Snapshot(),
	}
	for i := range s.columns {
		v.Columns[i] = ColumnView{Name: s.columns[i].name, Dict: s.columns[i].dict.View()}
	}
	for i, b := range s.order {
		v.Blocks[i] = b.Snapshot()
		v.ByID[b.ID] = v.Blocks[i]
	}
	if whole {
		v.Readers = s.readersView()
	}
	s.view, s.changed = v, false
	return v
}

func (s *siteShard) readersView() *ReadersView {
	v := &ReadersView{table: s.subjects.Readers(), burns: s.burns.table.View(), meters: s.burns.meters.list}
	if p := s.people; p != nil {
		v.devices, v.accounts, v.visits = p.devices.View(), p.accounts.View(), p.visits.Snapshot()
	}
	return v
}

// SiteBytes is the memory of one site in one shard, by part.
type SiteBytes struct {
	Rows, Subjects, Visits, Dictionaries, IDs, Waiting, Burns int64
	Watched                                                   int64 // states of readers: segments
	subject.Bytes                                                   // the parts of Subjects
}

func (s *siteShard) bytes() SiteBytes {
	var b SiteBytes
	for _, blk := range s.blocks {
		if blk != nil && !blk.Leaving {
			b.Rows += blk.Bytes()
		}
	}
	for i := range s.columns {
		b.Dictionaries += s.columns[i].dict.Bytes()
	}
	b.Bytes = s.subjects.Bytes()
	b.Subjects = b.Bytes.Subjects + b.Names + b.Index + b.Chains
	b.Visits = s.visits.Bytes()
	b.IDs = s.ids.Bytes()
	b.Waiting = s.waiting.bytes()
	b.Burns = s.burns.table.Bytes() + s.burns.meters.bytes()
	if p := s.people; p != nil {
		b.Subjects += p.devices.Bytes() + p.accounts.Bytes() + 24*int64(len(p.newest))
		b.Visits += p.visits.Bytes()
		b.IDs += p.views.Bytes()
	}
	if s.watched != nil {
		b.Watched = s.watched.Bytes()
	}
	return b
}
