package engine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/engine/viewid"
	"github.com/readership/readership/internal/engine/visit"
	"github.com/readership/readership/internal/event"
)

var errKey = errors.New("key is malformed")

// loadShard restores the sites of a shard.
func (c *checkpointer) loadShard(s *shard) error {
	return c.scan([]byte{keySite, byte(s.number)}, func(rest, value []byte) error {
		if len(rest) < 2 || rest[len(rest)-1] != 0 {
			return errKey
		}
		var h siteHead
		if err := json.Unmarshal(value, &h); err != nil {
			return fmt.Errorf("head of a site: %w", err)
		}
		st := s.applier.site(string(rest[:len(rest)-1]))
		return c.loadSite(s.number, st, &h)
	})
}

func (c *checkpointer) loadSite(shard int, st *siteShard, h *siteHead) error {
	st.from, st.cut, st.now, st.window, st.lastDay = h.From, h.Cut, h.Now, h.Window, h.LastDay
	st.rows, st.copies, st.nextID = h.Rows, h.Copies, h.NextBlock
	st.idSequence = h.IDSequence + 1
	if err := c.loadColumns(shard, st, h); err != nil {
		return err
	}
	if err := c.loadBlocks(shard, st, h); err != nil {
		return err
	}
	if err := c.loadVisits(keyVisits, shard, st, st.visits); err != nil {
		return err
	}
	st.visits.RestoreNext(h.NextVisit)
	st.visits.RestoreSeen(h.Seen)
	for _, part := range subject.Parts {
		if err := c.scan(append(siteKey(keyTable, shard, st.id), byte(part)), func(_, value []byte) error {
			return st.subjects.Load(part, value)
		}); err != nil {
			return err
		}
	}
	if h.People != nil {
		if err := c.loadPeople(shard, st, h.People); err != nil {
			return err
		}
	}
	if err := st.subjects.Loaded(func(r block.RowID) bool { return st.blocks.get(r.Block()) == nil }); err != nil {
		return err
	}
	for _, b := range st.order {
		for i := range b.N() {
			if int(b.SubjectOf(i)) >= st.subjects.Len() {
				return fmt.Errorf("block %d names subject %d of %d", b.ID, b.SubjectOf(i), st.subjects.Len())
			}
		}
	}
	if h.People != nil {
		if err := st.peopleLoaded(); err != nil {
			return err
		}
	}
	if err := c.loadBurns(shard, st, h); err != nil {
		return err
	}
	st.waiting.restore(h.Waiting)
	if h.People != nil {
		if err := c.loadIDs(keyCopies, shard, st, &st.people.views); err != nil {
			return err
		}
	}
	return c.loadIDs(keyIDs, shard, st, &st.ids)
}

// loadBurns restores what meters have burned, after everything that it names.
func (c *checkpointer) loadBurns(shard int, st *siteShard, h *siteHead) error {
	st.burns.meters.load(h.Meters)
	if err := c.scan(siteKey(keyBurns, shard, st.id), func(_, value []byte) error { return st.burns.table.Load(value) }); err != nil {
		return err
	}
	devices := 0
	if st.people != nil {
		devices = st.people.accounts.Len()
	}
	return st.burns.table.Loaded(st.subjects.Len(), st.columns[event.ColItem].dict.Len(), len(st.burns.meters.list)+1, devices)
}

// loadPeople restores the accounts of a site in a shard.
func (c *checkpointer) loadPeople(shard int, st *siteShard, h *peopleHead) error {
	p := st.folk()
	err := c.loadVisits(keyAccounts, shard, st, p.visits)
	if err != nil {
		return err
	}
	p.visits.RestoreNext(h.NextVisit)
	p.visits.RestoreSeen(h.Seen)
	for _, part := range []struct {
		letter subject.Part
		pairs  *subject.Pairs
		names  bool
	}{{subject.PartOfDevices, p.devices, false}, {subject.PartDeviceNames, p.devices, true}, {subject.PartOfAccounts, p.accounts, false}, {subject.PartAccountNames, p.accounts, true}} {
		err := c.scan(append(siteKey(keyTable, shard, st.id), byte(part.letter)), func(_, value []byte) error {
			return part.pairs.Load(part.names, value)
		})
		if err != nil {
			return err
		}
	}
	return errors.Join(p.devices.Loaded(st.subjects.Len()), p.accounts.Loaded(st.subjects.Len()))
}

// peopleLoaded verifies what rows and pairs say of each other.
func (st *siteShard) peopleLoaded() error {
	p := st.people
	for n := range p.accounts.Len() {
		if pair := p.accounts.Ptr(uint32(n)); !pair.Removed() && pair.Position > 0 {
			p.newest[pair.Owner] = max(p.newest[pair.Owner], int64(pair.Position))
		}
	}
	for _, b := range st.order {
		if b.Kind != block.Copies {
			continue
		}
		for i := range b.N() {
			if int(b.PairOf(i)) >= p.accounts.Len() {
				return fmt.Errorf("block %d names pair %d of %d", b.ID, b.PairOf(i), p.accounts.Len())
			}
		}
	}
	return nil
}

func (c *checkpointer) loadColumns(shard int, st *siteShard, h *siteHead) error {
	for i, col := range h.Columns {
		if i >= len(st.columns) {
			property := st.property
			if col.Decided {
				property = st.decidedProperty
			}
			if property(col.Name) != i {
				return fmt.Errorf("column %q stands twice", col.Name)
			}
		}
		st.columns[i].local = col.Local
	}
	return c.scan(siteKey(keyDict, shard, st.id), func(rest, value []byte) error {
		if len(rest) != 12 {
			return errKey
		}
		column, from := binary.BigEndian.Uint64(rest), int(binary.BigEndian.Uint32(rest[8:]))
		if column >= uint64(len(st.columns)) {
			return errKey
		}
		col := &st.columns[column]
		if err := col.dict.LoadTexts(value, from); err != nil {
			return err
		}
		col.saved = col.dict.Len()
		return nil
	})
}

// parts appends a value that was written in parts, or as one; nothing, if there is none.
func (c *checkpointer) parts(dst, key []byte) ([]byte, error) {
	err := c.scan(key, func(part, value []byte) error {
		if len(part) != 4 && len(part) != 0 {
			return errKey
		}
		dst = append(dst, value...)
		return nil
	})
	return dst, err
}

func (c *checkpointer) loadBlocks(shard int, st *siteShard, h *siteHead) error {
	var rows []byte
	for _, id := range h.Blocks {
		var err error
		if rows, err = c.parts(rows[:0], numbered(keyRows, shard, st.id, uint64(id))); err != nil {
			return fmt.Errorf("rows of block %d: %w", id, err)
		}
		attention, closeAttention, err := c.db.Get(numbered(keyAttention, shard, st.id, uint64(id)))
		if err != nil {
			return fmt.Errorf("attention of block %d: %w", id, err)
		}
		b, err := block.Restore(rows, attention)
		closeAttention.Close()
		if err != nil {
			return fmt.Errorf("block %d: %w", id, err)
		}
		if err := st.checkCodes(b); err != nil {
			return err
		}
		st.blocks.put(b)
		st.ids.Hold(b.ID)
		st.order = append(st.order, b)
		st.age++
		b.Age = st.age
		if !b.Sealed {
			st.open[openKey{b.Day, b.Kind}] = b
		}
	}
	return nil
}

// checkCodes verifies that a restored block's codes are in the shard's
// dictionaries.
func (s *siteShard) checkCodes(b *block.Builder) error {
	for i, c := range b.Snapshot().Columns {
		if c == nil || c.Local != nil {
			continue
		}
		if i >= len(s.columns) || int(c.Max) >= s.columns[i].dict.Len() {
			return fmt.Errorf("block %d, column %d: code %d is not in the dictionary", b.ID, i, c.Max)
		}
	}
	return nil
}

func (c *checkpointer) loadVisits(letter byte, shard int, st *siteShard, into *visit.Table) error {
	return c.scan(siteKey(letter, shard, st.id), func(_, value []byte) error {
		chunk, err := visit.DecodeChunk(value)
		if err != nil {
			return err
		}
		return into.Restore(chunk.Number, chunk.Day, chunk.Visits)
	})
}

func (c *checkpointer) loadIDs(letter byte, shard int, st *siteShard, into *viewid.Table) error {
	return c.scan(siteKey(letter, shard, st.id), func(rest, value []byte) error {
		if len(rest) != 16 || len(value)%12 != 0 {
			return errKey
		}
		hour := uint32(binary.BigEndian.Uint64(rest))
		entries := make([]viewid.Entry, 0, len(value)/12)
		for ; len(value) > 0; value = value[12:] {
			entries = append(entries, viewid.Entry{Hash: binary.LittleEndian.Uint64(value), Row: block.RowID(binary.LittleEndian.Uint32(value[8:])), Hour: hour})
		}
		into.Restore(entries)
		return nil
	})
}
