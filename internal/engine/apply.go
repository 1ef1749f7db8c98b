package engine

import (
	"math/bits"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/engine/visit"
	"github.com/readership/readership/internal/event"
)

// typeClass says what an event type means to the engine.
type typeClass uint8

const (
	classOther typeClass = iota // the publisher's own: interactive
	classPageView
	classEngagement
	classConversion
	classPassive // neither a view nor an act of the reader
)

var typeClasses = map[string]typeClass{
	event.TypePageView:   classPageView,
	event.TypeEngagement: classEngagement,
	event.TypeConversion: classConversion,
	event.TypeImpression: classPassive,
	event.TypeRequest:    classPassive,
	event.TypeDecision:   classPassive,
	event.TypeWallShown:  classPassive,
}

// message is a decoded log message on its way to the shards.
type message struct {
	position event.Position
	event.Batch
	raw    []byte
	hashes [][]uint64 // by site, by row: hash of the device
	sites  []siteContext
	left   int32 // shards that have not applied it yet
	// exchange is where the shards meet in the middle of the message; nil: it
	// has nothing that crosses between them.
	exchange *exchange
	watched  []watchedSite // those with facts in it, for watchers
}

// siteContext is a site as of a message, which the dispatcher takes note of: it
// runs ahead of the shards. Without known there is no such site, or its time has
// not begun.
type siteContext struct {
	now, window int64
	known       bool
	site        *event.Site // nil: there is no such site
	decided     bool        // commits are decided
	prepared    []prepared  // what was looked up for them, by row
	profiles    *Profiles
	items       *Catalog
}

// applier applies the rows of messages to the sites of one shard. Its scratch
// translates the numbers of one message into the codes of one site.
type applier struct {
	shard, shards int
	journal       bool   // keep what a checkpoint needs
	seed          uint64 // of hash tables
	decider       Decider
	sites         map[string]*siteShard

	touched    uint64 // keeps the reads of touch alive
	generation uint64
	codes      []codeEntry   // a cache by text and column; its length is a power of two
	classes    []classEntry  // by number in Batch.Strings
	shapes     []shapeColumn // columns of all shapes, one after another
	shapeAt    []int32       // start of a shape in shapes; -1: not resolved

	position       event.Position // of the message
	subjects       []accountEntry // by number in Batch.Strings
	rowsOfAccounts []accountRow   // of the message, for its second half
	out            []box          // by receiving shard; nil: nothing
	commits        struct {       // scratch of the one that is decided
		commit Commit
		reader Reader
		room   []event.Property
	}
	ids  []block.RowID // scratch
	next []int         // scratch
}

// codeEntry remembers a code that a text got in a message. One text may stand
// in many columns: short numbers, "true", country and language.
type codeEntry struct {
	key        uint64 // generation, block, column, kind
	text, code uint32
}

type classEntry struct {
	generation uint64
	class      typeClass
}

type shapeColumn int32 // column number; -1: not kept

func newApplier(shard, shards int) *applier {
	return &applier{shard: shard, shards: shards, sites: map[string]*siteShard{}}
}

// site returns the state of a site, made at first use.
func (a *applier) site(id string) *siteShard {
	s := a.sites[id]
	if s == nil {
		s = newSiteShard(string(append([]byte(nil), id...)), a.seed)
		s.ids.Journal = a.journal
		a.sites[s.id] = s
	}
	return s
}

// owns says whether a subject with this hash lives in this shard.
func (a *applier) owns(hash uint64) bool {
	return ShardOf(hash, a.shards) == a.shard
}

// groups is the number of groups that partitions form.
const groups = 16

// ShardOf returns the shard of a subject: its partition's group, modulo the
// number of shards.
func ShardOf(hash uint64, shards int) int {
	return subject.Partition(hash) / (subject.Partitions / groups) % shards
}

// apply applies a message to shard s, whose applier this is; false means that
// the engine has stopped.
func (a *applier) apply(owner *shard, m *message) bool {
	a.position, a.rowsOfAccounts = m.position, a.rowsOfAccounts[:0]
	hour := m.Stamp / 3600_000
	for i := range m.Sites {
		rows := &m.Sites[i]
		s := a.site(rows.Site)
		s.advanceHour(hour)
		if c := m.sites[i]; c.known {
			s.advance(c.now, c.window)
		}
		if rows.N > 0 {
			a.begin(&m.Batch)
			a.rows(m, s, rows, i)
			s.trim(trimPerRow * rows.N)
		}
	}
	in, ok := a.meet(owner, m.exchange)
	if ok {
		a.arrive(m, in)
	}
	return ok
}

// meet hands over what this shard has for others and returns what they have, by
// shard.
func (a *applier) meet(s *shard, x *exchange) (in [][]box, ok bool) {
	out := a.out
	a.out = nil
	if x != nil {
		ok = x.meet(s, out)
		return x.boxes, ok
	}
	if out != nil && a.shards > 1 {
		panic("a message without an exchange has something for another shard")
	}
	if out == nil {
		return nil, true
	}
	return [][]box{out}, true
}

// begin forgets what was translated for the rows before.
func (a *applier) begin(b *event.Batch) {
	a.generation++
	if n := len(b.Strings); n > len(a.classes) {
		a.codes = make([]codeEntry, 4<<bits.Len(uint(n)))
		a.classes = make([]classEntry, n+n/2)
	}
	a.shapes = a.shapes[:0]
	a.shapeAt = a.shapeAt[:0]
	for range b.Shapes {
		a.shapeAt = append(a.shapeAt, -1)
	}
}

// shape returns the column numbers of a shape.
func (a *applier) shape(b *event.Batch, s *siteShard, shape uint32) []shapeColumn {
	entries := b.Shapes[shape]
	if at := a.shapeAt[shape]; at >= 0 {
		return a.shapes[at : int(at)+len(entries)]
	}
	at := len(a.shapes)
	a.shapeAt[shape] = int32(at)
	for _, entry := range entries {
		c, name, builtin := event.ShapeColumn(entry)
		if builtin {
			a.shapes = append(a.shapes, shapeColumn(c))
		} else {
			a.shapes = append(a.shapes, shapeColumn(s.property(b.Strings[name])))
		}
	}
	return a.shapes[at:]
}

func (a *applier) class(b *event.Batch, text uint32) typeClass {
	e := &a.classes[text]
	if e.generation != a.generation {
		*e = classEntry{a.generation, typeClasses[b.Strings[text]]}
	}
	return e.class
}

// rows applies the rows of the site at a place of the message that belong to
// this shard, and notes those whose account does.
func (a *applier) rows(m *message, s *siteShard, rows *event.Rows, place int) {
	b, hashes := &m.Batch, m.hashes[place]
	at := 0
	for r := 0; r < rows.N; r++ {
		if r%subject.TouchRows == 0 && rows.N-r > 8 {
			a.touch(s, rows, hashes, r)
		}
		shape := rows.Shape[r]
		width := len(b.Shapes[shape])
		cells := rows.Cells[at : at+width]
		at += width
		flags := event.Flags(rows.Flags[r])
		own := a.owns(hashes[r])
		if flags&event.FlagCommit != 0 {
			if own {
				if isAccount(b.Strings[rows.Device[r]]) { // in its place among the account's rows
					a.rowsOfAccounts = append(a.rowsOfAccounts, accountRow{place: place, row: r, cells: at - width, commit: true})
				} else {
					a.commit(m, s, place, r, at-width)
				}
			}
			continue
		}
		account := accountOf(b.Shapes[shape], cells)
		// Properties are numbered in the order of the log, whosever rows they
		// are of: so the shards of a site know the same ones.
		known := a.shapeAt[shape] >= 0
		if known && !own && flags&event.FlagNoDevice == 0 && account == 0 {
			continue
		}
		class := classOther
		if len(cells) > 0 && b.Shapes[shape][0] == uint32(event.ColType) {
			class = a.class(b, cells[0]>>2)
		}
		if class == classEngagement {
			if own || flags&event.FlagNoDevice != 0 {
				a.engage(s, rows, r, !own)
			}
			continue
		}
		columns := a.shape(b, s, shape)
		name := b.Strings[rows.Device[r]]
		switch {
		case isAccount(name):
			if own { // in its place among the account's rows of other devices
				a.rowsOfAccounts = append(a.rowsOfAccounts, accountRow{place: place, row: r, cells: at - width, account: account, class: class, own: true})
			}
			continue
		case own:
			a.row(b, s, rows, place, r, class, account, name, hashes[r], columns, cells)
		}
		if account != 0 {
			a.noteAccount(b, place, r, at-width, account, class)
		}
	}
	// The old view would keep a copy of every page that changes from here on.
	s.changed, s.view = true, nil
}

// touch brings what the next rows need into the cache.
func (a *applier) touch(s *siteShard, rows *event.Rows, hashes []uint64, r int) {
	end := min(r+subject.TouchRows, rows.N)
	var visits [subject.TouchRows]uint32
	n, sum := s.subjects.Touch(hashes[r:end], &visits)
	a.touched += sum + s.visits.Touch(visits[:n])
	if len(rows.View) == rows.N {
		a.touched += s.ids.Touch(rows.View[r:end])
	}
}

// accountOf returns the number of the row's account in Batch.Strings, 0 if it
// has none. Built-in columns stand in a shape in ascending order.
func accountOf(shape, cells []uint32) uint32 {
	for i, c := range shape {
		if c >= uint32(event.ColAccount) {
			if c == uint32(event.ColAccount) {
				return cells[i] >> 2
			}
			break
		}
	}
	return 0
}

// AccountSubject is the name of an account's subject.
func AccountSubject(account string) string { return "account:" + account }

// row appends one row and all that follows from it. account is the number of
// its account, 0 if it has none.
func (a *applier) row(b *event.Batch, s *siteShard, rows *event.Rows, place, r int, class typeClass, account uint32, name string, hash uint64, columns []shapeColumn, cells []uint32) {
	time := rows.Time[r]
	day := block.DayOf(time)
	flags := event.Flags(rows.Flags[r])
	robot := flags&event.FlagRobot != 0
	ordinal, added := s.subjects.Get(name, hash, time)
	if !added {
		s.see(ordinal, time)
	}
	subj := s.subjects.Mut(ordinal)
	if time < s.from { // the window was cut, or was shorter once
		s.lost[lossPassed]++
	}
	if int64(day+1)*block.DayMillis <= s.from {
		return // its day is gone; of the window's first day visits need all
	}
	row := block.Row{
		Time: uint32(time - int64(day)*block.DayMillis), Subject: ordinal,
		PageView: class == classPageView, Robot: robot,
		HasValue: flags&event.FlagHasValue != 0,
	}
	if row.HasValue && len(rows.Value) == rows.N {
		row.Value = rows.Value[r]
	}
	pair := subject.NoPair
	if account != 0 && flags&event.FlagProven != 0 {
		row.Marks = block.MarkProven
		if !isAccount(name) {
			pair = a.prove(s, ordinal, name, b.Strings[account], s.now, place, r)
		}
	}
	blk := s.blockFor(day, block.Plain)
	i := blk.Append(&row)
	for k, c := range columns {
		if c >= 0 {
			blk.Set(i, int(c), a.code(b, s, blk, int(c), cells[k]))
		}
	}
	id := block.MakeRowID(blk.ID, i)
	s.subjects.AddRow(subj, id)
	if pair != subject.NoPair {
		s.people.devices.Mut(pair).Last = id
	}
	s.rows++
	point := visit.Point{Time: time, Row: id, PageView: class == classPageView, Flags: pointFlags(class, robot)}
	head, late := s.visits.Add(subj.Visit, &point, s.rowTime)
	subj.Visit = head
	if s.people != nil && isAccount(name) {
		if newest, ok := s.people.newest[ordinal]; ok {
			late = max(late, newest-time)
		}
	}
	if late > int64(subj.Late) {
		subj.Late = uint32(min(late, 1<<32-1))
	}
	s.note(TouchRow, ordinal, id)
	s.noteVisits(ordinal, late)
	if class == classPageView {
		a.known(s, rows, r, id)
	}
}

func pointFlags(class typeClass, robot bool) (f uint8) {
	switch class {
	case classOther:
		f = visit.Interactive
	case classConversion:
		f = visit.Interactive | visit.Conversion
	}
	if robot {
		f |= visit.Robot
	}
	return f
}

// known remembers the row of a page view, for engagement, and applies what has
// waited for it.
func (a *applier) known(s *siteShard, rows *event.Rows, r int, id block.RowID) {
	view := uint64(0)
	if len(rows.View) == rows.N {
		view = rows.View[r]
	}
	if view == 0 {
		return
	}
	s.ids.Add(view, id)
	for _, e := range s.waiting.take(view) {
		if s.engage(id, e.engagement) {
			a.attend(s, id, view, e.engagement)
		}
	}
}

// orphan changes the number of orphans.
func (s *siteShard) orphan(by int) { s.lost[lossOrphan] += uint64(by) }

// engage applies one engagement event; foreign says that its row belongs to another
// shard (waiting.go).
func (a *applier) engage(s *siteShard, rows *event.Rows, r int, foreign bool) {
	if len(rows.View) != rows.N || rows.View[r] == 0 {
		if !foreign {
			s.orphan(1)
		}
		return
	}
	e := engagement{time: rows.Time[r]}
	if len(rows.Engaged) == rows.N {
		e.millis = rows.Engaged[r]
	}
	if len(rows.Scroll) == rows.N {
		e.scroll = uint8(min(rows.Scroll[r], 100))
	}
	view := rows.View[r]
	id, found := s.ids.Find(view)
	if found && !s.erased(id) {
		if found = s.engage(id, e); found {
			a.attend(s, id, view, e)
		}
	}
	switch {
	case !found:
		s.waiting.add(view, s.now, e, foreign, s.orphan)
	case foreign:
		s.waiting.found(view, s.now, s.orphan)
	}
}

// engage adds attention to a page view and lengthens its reader's visit.
// It reports false if the row has left; how far its block is trimmed is no part
// of the state.
func (s *siteShard) engage(id block.RowID, e engagement) bool {
	blk := s.blocks.get(id.Block())
	if blk == nil || blk.Leaving || id.Row() >= blk.N() {
		return false
	}
	total := blk.Engage(id.Row(), e.millis, e.scroll)
	reader, late := blk.SubjectOf(id.Row()), int64(0)
	subj := s.subjects.Mut(reader)
	subj.Visit, late = s.visits.Add(subj.Visit, &visit.Point{Time: e.time, Row: visit.NoRow}, s.rowTime)
	s.note(TouchAttention, reader, id)
	s.noteVisits(reader, late)
	if total >= engaged10 {
		s.visits.Mark(subj.Visit, blk.Unix(id.Row()), visit.Engaged10)
	}
	return true
}

// erased says whether a row was erased.
func (s *siteShard) erased(id block.RowID) bool {
	blk := s.blocks.get(id.Block())
	return blk != nil && id.Row() < blk.N() && blk.Unix(id.Row()) == never
}

// rowTime returns the time of a row, for late events.
func (s *siteShard) rowTime(id block.RowID) int64 {
	if b := s.blocks.get(id.Block()); b != nil && id.Row() < b.N() {
		return b.Unix(id.Row())
	}
	return -1 << 62
}

// code returns the code of a cell's value in its column.
func (a *applier) code(b *event.Batch, s *siteShard, blk *block.Builder, c int, cell uint32) uint32 {
	text, kind := cell>>2, event.Kind(cell&3)
	col := &s.columns[c]
	local := blk.HasLocal(c) || col.local && !blk.Has(c)
	key := a.generation<<28 | uint64(c)<<2 | uint64(kind)
	if local {
		key |= uint64(blk.ID)<<12 | 1<<11
	}
	e := &a.codes[(text+uint32(c)*columnStride)&uint32(len(a.codes)-1)]
	if e.key == key && e.text == text {
		return e.code
	}
	dict := col.dict
	if local {
		dict = blk.Local(c)
	}
	code := dict.Code(b.Strings[text], kind)
	*e = codeEntry{key, text, code}
	return code
}

// columnStride keeps the entries of one text in two columns apart.
const columnStride = 0x9e3779b1
