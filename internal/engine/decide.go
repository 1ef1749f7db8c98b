package engine

import (
	"cmp"
	"slices"
	"strings"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/event"
)

// Decider decides commits where they are applied. There is one for each shard,
// called by the shard's goroutine. What it says must follow from the commit
// alone: every engine that applies the log asks its own.
type Decider interface {
	Commit(c *Commit) Outcome
}

// Preparer is what a Decider looks up in the engine's facts, as they stand where the
// commit does: the dispatcher asks it, which runs ahead of the shards, and so do the
// facts once a shard comes to the commit. What takes long is begun here, and ends
// beside the dispatcher. There is no Reader yet.
type Preparer interface {
	// Prepare's answer goes to the one Decider that decides the commit, and is its.
	Prepare(c *Commit) any
}

// Commit is one commit of a decision, in its place among its reader's rows. It
// is valid until Decider.Commit returns.
type Commit struct {
	// Reader is whose commit it is, in the turn, with everything before the row.
	Reader   *Reader
	Site     *event.Site
	Time     int64 // of the decision, Unix milliseconds
	Position event.Position
	Row      int
	// Prepared is what the Preparer returned; nil: there is none.
	Prepared any
	// Room is empty, with memory for the Outcome's properties.
	Room []event.Property

	batch *event.Batch
	shape []uint32
	cells []uint32
}

// Text returns what the row has in a built-in column, "" if it is missing.
func (c *Commit) Text(column event.Column) string {
	for i, entry := range c.shape {
		if entry == uint32(column) {
			return c.batch.Strings[c.cells[i]>>2]
		}
	}
	return ""
}

// Property returns what the row has in a property. ok is false if it is missing.
func (c *Commit) Property(name string) (text string, kind event.Kind, ok bool) {
	for i, entry := range c.shape {
		if _, n, builtin := event.ShapeColumn(entry); !builtin && c.batch.Strings[n] == name {
			return c.batch.Strings[c.cells[i]>>2], event.Kind(c.cells[i] & 3), true
		}
	}
	return "", event.KindString, false
}

// Outcome is what came of a commit.
type Outcome struct {
	// Properties are written into the row's columns, in place of those that came
	// with it. All decisions of a site have up to 64 names; others are not kept. The
	// memory is the engine's from then on.
	Properties []event.Property
	Burn       *Burn // nil: nothing is burned
}

// commit decides the commit in a row of the message and stores its row and what
// it burns. It is no event of the reader's: no visit, first_seen or stream of
// rows knows of it.
func (a *applier) commit(m *message, s *siteShard, place, r, cellsAt int) {
	rows := &m.Sites[place]
	c := &a.commits.commit
	*c = m.commit(place, r, cellsAt)
	name, hash := m.Strings[rows.Device[r]], m.hashes[place][r]
	ordinal, _ := s.subjects.Get(name, hash, subject.Unseen)
	var out Outcome
	decided := a.decider != nil && m.sites[place].decided
	if decided {
		a.commits.reader = s.readerOf(&m.sites[place], name, ordinal)
		c.Reader, c.Prepared, c.Room = &a.commits.reader, m.sites[place].preparedFor(r), a.commits.room[:0]
		out = a.decider.Commit(c)
		a.commits.reader = Reader{} // of a site that may go
		if out.Properties != nil {
			a.commits.room = out.Properties
		}
	}
	a.decision(s, c, event.Flags(rows.Flags[r]), ordinal, decided, out.Properties)
	if out.Burn != nil {
		s.burn(ordinal, out.Burn, c.Position, uint32(r))
	}
	clear(out.Properties)
	*c = Commit{}
	s.changed, s.view = true, nil
}

// commit lays out the commit in a row of the message.
func (m *message) commit(place, r, cellsAt int) Commit {
	rows := &m.Sites[place]
	shape := m.Shapes[rows.Shape[r]]
	return Commit{Site: m.sites[place].site, Time: rows.Time[r], Position: m.position, Row: r, batch: &m.Batch, shape: shape, cells: rows.Cells[cellsAt : cellsAt+len(shape)]}
}

// prepared is what was looked up for the commit in a row.
type prepared struct {
	row  int
	what any
}

// preparedFor returns what was looked up for the commit in a row; nil: nothing was.
func (c *siteContext) preparedFor(row int) any {
	i, ok := slices.BinarySearchFunc(c.prepared, row, func(p prepared, row int) int { return cmp.Compare(p.row, row) })
	if !ok {
		return nil
	}
	return c.prepared[i].what
}

// prepareCommits looks up what the commits of a site in the message need.
func (e *Engine) prepareCommits(m *message, place int) {
	rows, c := &m.Sites[place], &m.sites[place]
	if e.cfg.Prepare == nil || !c.decided || !slices.ContainsFunc(rows.Flags, func(f uint32) bool { return event.Flags(f)&event.FlagCommit != 0 }) {
		return
	}
	for r, at := 0, 0; r < rows.N; r++ {
		if event.Flags(rows.Flags[r])&event.FlagCommit != 0 {
			e.preparing = m.commit(place, r, at)
			c.prepared = append(c.prepared, prepared{r, e.cfg.Prepare.Prepare(&e.preparing)})
		}
		at += len(m.Shapes[rows.Shape[r]])
	}
	e.preparing = Commit{}
}

// readerOf returns the subject of a name in its turn, as of a message.
func (s *siteShard) readerOf(c *siteContext, name string, ordinal uint32) Reader {
	r := newReader(ReaderName(name), name)
	r.Site, r.Items, r.Profiles = c.site, c.items, c.profiles
	if r.Now = c.now; !c.known {
		r.Now = s.now
	}
	r.From = max(r.Now-c.site.WindowDuration().Milliseconds(), s.from)
	r.turn(s, ordinal, true)
	return r
}

// decision stores the row of a commit: with what came of it, or as it came.
func (a *applier) decision(s *siteShard, c *Commit, flags event.Flags, ordinal uint32, decided bool, properties []event.Property) {
	day := block.DayOf(c.Time)
	if c.Time < s.from {
		s.lost[lossPassed]++
	}
	if int64(day+1)*block.DayMillis <= s.from {
		return // its day is gone
	}
	blk := s.blockFor(day, block.Decisions)
	row := block.Row{Time: uint32(c.Time - int64(day)*block.DayMillis), Subject: ordinal, Robot: flags&event.FlagRobot != 0}
	if flags&event.FlagProven != 0 {
		row.Marks = block.MarkProven
	}
	i := blk.Append(&row)
	for k, entry := range c.shape {
		if column, _, builtin := event.ShapeColumn(entry); builtin {
			blk.Set(i, int(column), a.code(c.batch, s, blk, int(column), c.cells[k]))
		} else if name := c.batch.Strings[entryName(entry)]; !decided && !strings.HasPrefix(name, event.PropertyDecision) {
			s.decide(blk, i, name, c.batch.Strings[c.cells[k]>>2], event.Kind(c.cells[k]&3))
		}
	}
	for k := range properties {
		p := &properties[k]
		s.decide(blk, i, p.Name, p.Value, p.Kind)
	}
	s.subjects.AddRow(s.subjects.Mut(ordinal), block.MakeRowID(blk.ID, i))
}

// decide puts a property of a decision into its row.
func (s *siteShard) decide(blk *block.Builder, row int, name, text string, kind event.Kind) {
	if column := s.decidedProperty(name); column >= 0 {
		blk.Set(row, column, s.intern(blk, column, text, kind))
	}
}

func entryName(entry uint32) uint32 { _, name, _ := event.ShapeColumn(entry); return name }
