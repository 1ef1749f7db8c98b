package engine

import (
	"encoding/binary"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/burn"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/engine/viewid"
	"github.com/readership/readership/internal/engine/visit"
	"github.com/readership/readership/internal/event"
)

// people is what a site's shard keeps so that accounts have streams of their
// own: copies of the rows that name them, and the rows that devices had before
// the account was proven on them. A site without accounts has none.
type people struct {
	// devices are the accounts proven on devices of this shard, with up to where
	// the device's rows are joined.
	devices *subject.Pairs
	// accounts are the devices of accounts of this shard.
	accounts *subject.Pairs
	newest   map[uint32]int64 // account → time of its newest copy
	// visits are those of accounts, by device. They are never counted.
	visits *visit.Table
	// views finds the copy of a page view, for attention: by its view, or by
	// joinedKey.
	views viewid.Table
}

// folk returns the state of accounts, made at first use.
func (s *siteShard) folk() *people {
	if s.people == nil {
		s.people = &people{devices: subject.NewPairs(s.seed), accounts: subject.NewPairs(s.seed), newest: map[uint32]int64{}, visits: visit.NewTable()}
		s.people.views.Journal = s.ids.Journal
		s.people.views.Advance(s.ids.Hour())
		for _, b := range s.order {
			s.people.views.Hold(b.ID)
		}
		s.subjects.OnTrim = s.joinedUpTo
	}
	return s.people
}

// joinedUpTo moves the marks of a device whose rows are about to leave: a mark
// on a row that leaves goes to the next older one that stays.
func (s *siteShard) joinedUpTo(device uint32, gone func(block.RowID) bool) {
	s.people.devices.Of(device, func(n uint32) bool {
		last := s.people.devices.Ptr(n).Last
		if last == subject.NoRow || !gone(last) {
			return true
		}
		older, passed := subject.NoRow, false
		s.subjects.Rows(device, func(id block.RowID) bool {
			passed = passed || id == last
			if passed && !gone(id) {
				older = id
				return false
			}
			return true
		})
		s.people.devices.Mut(n).Last = older
		return true
	})
}

// advanceHour sets log time, in hours since 1970.
func (s *siteShard) advanceHour(hour int64) {
	s.ids.Advance(hour)
	if s.people != nil {
		s.people.views.Advance(hour)
	}
}

// isAccount says whether a subject is an account's.
func isAccount(name string) bool {
	return len(name) > len(accountPrefix) && name[:len(accountPrefix)] == accountPrefix
}

// shardOf returns the shard of an account.
func (a *applier) shardOf(account string) int {
	return ShardOf(subject.Hash(AccountSubject(account)), a.shards)
}

// boxFor returns the box for the shard of an account.
func (a *applier) boxFor(account string) *box {
	if a.out == nil {
		a.out = make([]box, a.shards)
	}
	return &a.out[a.shardOf(account)]
}

// prove notes that an account is proven on a device, in a row of the message or
// before all of them (row -1), and sends the device's rows without an account and
// its burns that are newer than the last proof. It returns the pair, whose Last
// the caller sets once the row of the proof is in the chain. now is the site's
// clock.
func (a *applier) prove(s *siteShard, device uint32, name, account string, now int64, place, row int) (pair uint32) {
	devices := s.folk().devices
	n, added := devices.Get(device, account, subject.Hash(account))
	p := devices.Mut(n)
	c := carry{site: s.id, place: place, row: row, device: name, account: account, now: now}
	c.burns = s.burnsSince(device, now, event.Position(p.Position), p.Row)
	p.Position, p.Row = uint64(a.position), uint32(max(row, 0))
	newest, ok := s.subjects.Newest(device)
	if !ok {
		newest = subject.NoRow
	}
	if last := p.Last; added || last != newest || len(c.burns) > 0 {
		p.Last = newest
		a.depart(s, device, last, c)
	}
	return n
}

// depart puts the rows of a device that came after last and have no proven
// account into c, and c into the box of its account.
func (a *applier) depart(s *siteShard, device uint32, last block.RowID, c carry) {
	a.ids = a.ids[:0]
	s.subjects.Rows(device, func(id block.RowID) bool {
		if id == last {
			return false
		}
		a.ids = append(a.ids, id)
		return true
	})
	account := subject.Hash(c.account)
	for i := len(a.ids) - 1; i >= 0; i-- {
		if b, ok := s.departs(a.ids[i], c.account); ok {
			c.add(s, b, a.ids[i].Row(), joinedKey(a.shard, a.ids[i], account))
		}
	}
	to := a.boxFor(c.account)
	to.carries = append(to.carries, c)
}

// departs says whether a login takes a device's row over to an account, and
// returns its block.
func (s *siteShard) departs(id block.RowID, account string) (*block.Builder, bool) {
	b := s.blocks.get(id.Block())
	if b == nil || b.Leaving || b.Kind != block.Plain || b.Unix(id.Row()) < s.from || b.Unix(id.Row()) == never || b.MarksOf(id.Row())&block.MarkProven != 0 {
		return nil, false
	}
	claim, _ := s.textOf(b, id.Row(), int(event.ColAccount))
	return b, claim != account // of a claim the account has its copy
}

// add appends a row with all its values.
func (c *carry) add(s *siteShard, b *block.Builder, row int, source uint64) {
	r := carriedRow{time: b.Unix(row), source: source, millis: b.EngagedMillis(row), scroll: b.ScrollPercent(row)}
	r.value, r.valued = b.ValueOf(row)
	for column := range s.columns {
		code := b.CodeOf(row, column)
		if code == 0 {
			continue
		}
		text, kind := s.text(b, column, code)
		cell := carriedCell{column: column, text: text, kind: kind}
		if column >= int(event.NumColumns) {
			cell.column, cell.property = -1, s.columns[column].name
		}
		c.cells = append(c.cells, cell)
		r.cells++
		switch event.Column(column) {
		case event.ColType:
			r.class = typeClasses[text]
		case event.ColBotClass:
			r.robot = true
		}
	}
	c.rows = append(c.rows, r)
}

// text returns the value with a code of a column in a block.
func (s *siteShard) text(b *block.Builder, column int, code uint32) (string, event.Kind) {
	if b.HasLocal(column) {
		return b.Local(column).Text(code)
	}
	return s.columns[column].dict.Text(code)
}

// textOf returns a row's value in a column, "" if it is missing.
func (s *siteShard) textOf(b *block.Builder, row, column int) (string, event.Kind) {
	code := b.CodeOf(row, column)
	if code == 0 {
		return "", event.KindString
	}
	return s.text(b, column, code)
}

// attend sends attention of a page view to its copies.
func (a *applier) attend(s *siteShard, id block.RowID, view uint64, e engagement) {
	b := s.blocks.get(id.Block())
	device := b.SubjectOf(id.Row())
	if b.Has(int(event.ColAccount)) {
		name := s.subjects.Name(device)
		if isAccount(name) {
			return // its rows have no copies
		}
		if account, _ := s.textOf(b, id.Row(), int(event.ColAccount)); account != "" {
			to := a.boxFor(account)
			to.forwards = append(to.forwards, forward{s.id, copyKey(view, subject.Hash(name)), e})
		}
	}
	if s.people == nil || b.MarksOf(id.Row())&block.MarkProven != 0 {
		return
	}
	s.people.devices.Of(device, func(n uint32) bool {
		if s.isJoined(device, id, s.people.devices.Ptr(n).Last) {
			account := s.people.devices.Name(n)
			to := a.boxFor(account)
			to.forwards = append(to.forwards, forward{s.id, joinedKey(a.shard, id, subject.Hash(account)), e})
		}
		return true
	})
}

// isJoined says whether a row of a device is not newer than the row last.
func (s *siteShard) isJoined(device uint32, id, last block.RowID) (joined bool) {
	if last == subject.NoRow {
		return false
	}
	s.subjects.Rows(device, func(r block.RowID) bool {
		joined = r == last
		return !joined && r != id
	})
	return joined
}

// accountRow is a row of the message whose account belongs to this shard.
type accountRow struct {
	place, row int
	cells      int // where its cells begin
	account    uint32
	class      typeClass
	own        bool // it names no device: the account's own, no copy
	commit     bool // of the account's own
}

// accountEntry remembers of a text of the message what it is as an account.
type accountEntry struct {
	generation uint64
	subject    string
	hash       uint64
}

// account returns the subject of an account by its number in Batch.Strings.
func (a *applier) account(b *event.Batch, text uint32) *accountEntry {
	if n := len(b.Strings); n > len(a.subjects) {
		a.subjects = make([]accountEntry, n+n/2)
	}
	e := &a.subjects[text]
	if e.generation != a.generation {
		name := AccountSubject(b.Strings[text])
		*e = accountEntry{a.generation, name, subject.Hash(name)}
	}
	return e
}

// noteAccount remembers a row whose account belongs to this shard, for the
// second half of the message.
func (a *applier) noteAccount(b *event.Batch, place, row, cells int, account uint32, class typeClass) {
	if a.owns(a.account(b, account).hash) {
		a.rowsOfAccounts = append(a.rowsOfAccounts, accountRow{place: place, row: row, cells: cells, account: account, class: class})
	}
}

// arrive is the second half of a message: rows of this shard's accounts, what
// devices had before, and attention, in the order of the message.
func (a *applier) arrive(m *message, in [][]box) {
	next, at := a.next[:0], -1
	for range in {
		next = append(next, 0)
	}
	a.next = next
	var s *siteShard
	for i := range a.rowsOfAccounts {
		r := &a.rowsOfAccounts[i]
		rows := &m.Sites[r.place]
		if r.place != at {
			at, s = r.place, a.site(rows.Site)
			a.begin(&m.Batch)
			s.changed, s.view = true, nil
		}
		for from, boxes := range in {
			if boxes == nil {
				continue
			}
			list := boxes[a.shard].carries
			for ; next[from] < len(list) && list[next[from]].place == r.place && list[next[from]].row == r.row; next[from]++ {
				s.take(&list[next[from]])
			}
		}
		if r.commit {
			a.commit(m, s, r.place, r.row, r.cells)
			continue
		}
		if r.own {
			shape := rows.Shape[r.row]
			a.row(&m.Batch, s, rows, r.place, r.row, r.class, r.account, m.Strings[rows.Device[r.row]], m.hashes[r.place][r.row],
				a.shape(&m.Batch, s, shape), rows.Cells[r.cells:r.cells+len(m.Shapes[shape])])
			continue
		}
		a.copyRow(&m.Batch, s, rows, r, m.hashes[r.place][r.row])
	}
	a.attention(in)
}

// attention gives copies what their page views got.
func (a *applier) attention(in [][]box) {
	for _, boxes := range in {
		if boxes == nil {
			continue
		}
		for i := range boxes[a.shard].forwards {
			f := &boxes[a.shard].forwards[i]
			a.site(f.site).engageCopy(f)
		}
	}
}

// copyRow stores the row of an account in the account's own partition.
func (a *applier) copyRow(b *event.Batch, s *siteShard, rows *event.Rows, r *accountRow, device uint64) {
	time := rows.Time[r.row]
	day := block.DayOf(time)
	flags := event.Flags(rows.Flags[r.row])
	e := a.account(b, r.account)
	ordinal, added := s.subjects.Get(e.subject, e.hash, time)
	if !added {
		s.see(ordinal, time)
	}
	if int64(day+1)*block.DayMillis <= s.from {
		return // its day is gone
	}
	pair, _ := s.folk().accounts.Get(ordinal, b.Strings[rows.Device[r.row]], device)
	blk := s.blockFor(day, block.Copies)
	row := block.Row{Time: uint32(time - int64(day)*block.DayMillis), Subject: ordinal, Pair: pair,
		PageView: r.class == classPageView, Robot: flags&event.FlagRobot != 0, HasValue: flags&event.FlagHasValue != 0}
	if row.HasValue && len(rows.Value) == rows.N {
		row.Value = rows.Value[r.row]
	}
	if flags&event.FlagProven != 0 {
		row.Marks = block.MarkProven
	}
	i := blk.Append(&row)
	shape := rows.Shape[r.row]
	cells := rows.Cells[r.cells : r.cells+len(b.Shapes[shape])]
	for k, c := range a.shape(b, s, shape) {
		if c >= 0 {
			blk.Set(i, int(c), a.code(b, s, blk, int(c), cells[k]))
		}
	}
	key := uint64(0)
	if len(rows.View) == rows.N && rows.View[r.row] != 0 {
		key = copyKey(rows.View[r.row], device)
	}
	s.copied(pair, block.MakeRowID(blk.ID, i), time, r.class, row.Robot, key)
}

// take applies the rows that a device brings to an account of this shard.
func (s *siteShard) take(c *carry) {
	name := AccountSubject(c.account)
	first := int64(never)
	for i := range c.rows {
		first = min(first, c.rows[i].time)
	}
	hash := subject.Hash(name)
	ordinal, ok := s.subjects.Find(name, hash)
	if !ok && len(c.rows) == 0 && len(c.burns) == 0 && c.row >= 0 {
		return // the row of the proof makes the account known
	}
	if !ok {
		ordinal, _ = s.subjects.Get(name, hash, min(first, subject.Unseen))
	}
	s.see(ordinal, first)
	s.changed, s.view = true, nil
	pair, _ := s.folk().accounts.Get(ordinal, c.device, subject.Hash(c.device))
	if len(c.burns) > 0 {
		brought := make([]burn.Burn, len(c.burns))
		for i := range c.burns {
			c.burns[i].Joined = c.now
			brought[i] = s.coded(&c.burns[i], pair+1)
		}
		s.burns.table.Add(ordinal, c.now, brought...)
	}
	cells := c.cells
	for i := range c.rows {
		r := &c.rows[i]
		s.joinRow(ordinal, pair, r, cells[:r.cells])
		cells = cells[r.cells:]
	}
}

// joinRow stores one row that a device brings.
func (s *siteShard) joinRow(account, pair uint32, r *carriedRow, cells []carriedCell) {
	day := block.DayOf(r.time)
	if int64(day+1)*block.DayMillis <= s.from {
		return
	}
	blk := s.blockFor(day, block.Copies)
	i := blk.Append(&block.Row{Time: uint32(r.time - int64(day)*block.DayMillis), Subject: account, Pair: pair, Marks: block.MarkJoined,
		PageView: r.class == classPageView, Robot: r.robot, HasValue: r.valued, Value: r.value, Engaged: r.millis, Scroll: r.scroll})
	for _, c := range cells {
		column := c.column
		if column < 0 {
			column = s.property(c.property)
		}
		if column >= 0 {
			blk.Set(i, column, s.intern(blk, column, c.text, c.kind))
		}
	}
	s.copied(pair, block.MakeRowID(blk.ID, i), r.time, r.class, r.robot, r.source)
	if r.millis >= engaged10 {
		s.people.visits.Mark(s.people.accounts.Ptr(pair).Visit, r.time, visit.Engaged10)
	}
}

// intern returns the code of a value in a block's column.
func (s *siteShard) intern(blk *block.Builder, column int, text string, kind event.Kind) uint32 {
	if blk.HasLocal(column) || s.columns[column].local && !blk.Has(column) {
		return blk.Local(column).Code(text, kind)
	}
	return s.columns[column].dict.Code(text, kind)
}

// copied does what follows from a copy: the account's chain, how late its rows
// come, its visits, and where attention finds it (key; 0: nowhere).
func (s *siteShard) copied(pair uint32, id block.RowID, time int64, class typeClass, robot bool, key uint64) {
	p := s.people.accounts.Mut(pair)
	account := s.subjects.Mut(p.Owner)
	newest, known := s.people.newest[p.Owner]
	if _, end, ok := s.visits.Bounds(account.Visit); ok && (!known || end > newest) {
		newest, known = end, true // its rows without a device
	}
	if known && newest > time {
		account.Late = max(account.Late, uint32(min(newest-time, 1<<32-1)))
	}
	if !known || time > s.people.newest[p.Owner] {
		s.people.newest[p.Owner] = time
	}
	p.Position = uint64(max(int64(p.Position), time))
	s.subjects.AddRow(account, id)
	s.copies++
	late, point := int64(0), visit.Point{Time: time, Row: id, PageView: class == classPageView, Flags: pointFlags(class, robot)}
	p.Visit, late = s.people.visits.Add(p.Visit, &point, s.rowTime)
	s.note(TouchRow, p.Owner, id)
	s.noteVisits(p.Owner, late)
	if class != classPageView || key == 0 {
		return
	}
	if old, ok := s.people.views.Find(key); ok && s.erased(old) {
		s.people.views.Replace(key, id) // the copy was erased, the page view was not
		return
	}
	s.people.views.Add(key, id)
}

// engageCopy adds attention to a copy and lengthens its account's visit.
func (s *siteShard) engageCopy(f *forward) {
	if s.people == nil {
		return
	}
	id, ok := s.people.views.Find(f.key)
	if !ok || s.erased(id) {
		return
	}
	blk := s.blocks.get(id.Block())
	if blk == nil || blk.Leaving || id.Row() >= blk.N() {
		return
	}
	total := blk.Engage(id.Row(), f.millis, f.scroll)
	p := s.people.accounts.Mut(blk.PairOf(id.Row()))
	late := int64(0)
	p.Visit, late = s.people.visits.Add(p.Visit, &visit.Point{Time: f.time, Row: visit.NoRow}, s.rowTime)
	s.note(TouchAttention, p.Owner, id)
	s.noteVisits(p.Owner, late)
	if total >= engaged10 {
		s.people.visits.Mark(p.Visit, blk.Unix(id.Row()), visit.Engaged10)
	}
	s.changed, s.view = true, nil
}

// engaged10 is the attention of a page view that is no bounce, in milliseconds.
const engaged10 = 10_000

// joinStep is a proof beside any row, between two messages.
type joinStep struct {
	position              event.Position
	stamp, now            int64 // now is the site's clock
	site, device, account string
	exchange              *exchange // nil: there is one shard
}

// join applies a proof beside any row to shard s, whose applier this is. A
// device that nothing is known of brings nothing.
func (a *applier) join(s *shard, j *joinStep) {
	a.position = j.position
	hash := subject.Hash(j.device)
	site := a.site(j.site)
	site.advanceHour(j.stamp / 3600_000)
	if a.owns(hash) && !isAccount(j.device) {
		if device, ok := site.subjects.Find(j.device, hash); ok {
			a.prove(site, device, j.device, j.account, j.now, 0, -1)
			site.changed, site.view = true, nil
		}
	}
	in, ok := a.meet(s, j.exchange)
	if !ok {
		return
	}
	for _, boxes := range in {
		if boxes == nil {
			continue
		}
		for i := range boxes[a.shard].carries {
			c := &boxes[a.shard].carries[i]
			a.site(c.site).take(c)
		}
	}
}

// AppendPair appends to the value of a FactPair that an account was proven on a
// device, last at position, in this row of the message.
func AppendPair(value []byte, device, account string, position event.Position, row uint32) []byte {
	for _, name := range [...]string{device, account} {
		value = binary.AppendUvarint(value, uint64(len(name)))
		value = append(value, name...)
	}
	value = binary.LittleEndian.AppendUint64(value, uint64(position))
	return binary.LittleEndian.AppendUint32(value, row)
}

// eachPair calls fn with the pairs of a FactPair's value, up to the first that
// cannot be read.
func eachPair(value []byte, fn func(device, account string, position event.Position, row uint32)) {
	text := func() (name string, ok bool) {
		n, k := binary.Uvarint(value)
		if k <= 0 || n > uint64(len(value)-k) {
			return "", false
		}
		name = string(value[k : k+int(n)])
		value = value[k+int(n):]
		return name, true
	}
	for len(value) > 0 {
		device, ok := text()
		account, also := text()
		if !ok || !also || len(value) < 12 || device == "" || account == "" {
			return
		}
		fn(device, account, event.Position(binary.LittleEndian.Uint64(value)), binary.LittleEndian.Uint32(value[8:]))
		value = value[12:]
	}
}

// pairs applies the daily snapshot of pairs. One that is known already was told
// by the log itself; of another all rows that the log has are newer.
func (s *shard) pairs(f *event.Fact) {
	site := s.applier.site(f.Site)
	eachPair(f.Value, func(device, account string, position event.Position, row uint32) {
		if hash := subject.Hash(device); s.applier.owns(hash) {
			o, _ := site.subjects.Get(device, hash, subject.Unseen) // it may have burns alone, which come later
			if n, added := site.folk().devices.Get(o, account, subject.Hash(account)); added {
				p := site.folk().devices.Mut(n)
				p.Position, p.Row = uint64(position), row
			}
		}
		name := AccountSubject(account)
		if hash := subject.Hash(name); s.applier.owns(hash) {
			o, _ := site.subjects.Get(name, hash, subject.Unseen)
			site.folk().accounts.Get(o, device, subject.Hash(device))
			site.note(TouchFacts, o, 0)
		}
	})
	site.changed, site.view = true, nil
}
