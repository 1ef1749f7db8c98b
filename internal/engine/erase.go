package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/burn"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/engine/visit"
	"github.com/readership/readership/internal/event"
)

// SubjectName returns the name under which the rows of a reader, device:ID or
// account:ID, are kept; ok is false for anything else.
func SubjectName(reader string) (name string, ok bool) {
	if device, is := strings.CutPrefix(reader, devicePrefix); is {
		return device, device != ""
	}
	return reader, isAccount(reader)
}

// ReaderName returns the reader whose rows are kept under a subject's name.
func ReaderName(name string) string {
	if isAccount(name) {
		return name
	}
	return devicePrefix + name
}

// eraser takes everything of one reader out of a site's shard.
type eraser struct {
	s    *siteShard
	gone map[block.RowID]bool
}

// erase forgets a reader: its rows, wherever they are; the rows of others that
// name it; its name. What the rows held stays in memory until Purge.
//
// A device's rows are its own and their copies in accounts; an account's are
// the copies, what devices brought it, and the rows of devices that name it.
// With burns it is the same.
// What a device did without the account stays the device's.
func (a *applier) erase(site, reader string) {
	s := a.sites[site]
	name, ok := SubjectName(reader)
	if s == nil || !ok {
		return
	}
	e := eraser{s, map[block.RowID]bool{}}
	hash := subject.Hash(name)
	self, known := uint32(0), false
	if a.owns(hash) {
		if self, known = s.subjects.Find(name, hash); known {
			s.subjects.Rows(self, func(id block.RowID) bool { e.gone[id] = true; return true })
		}
	}
	account, ofAccount := strings.CutPrefix(name, accountPrefix)
	if known {
		e.burns(self, func(*burn.Burn) bool { return true })
	}
	if ofAccount {
		e.named(account)
	} else if s.people != nil {
		e.copiesOf(name)
	}
	e.drop()
	if s.people != nil {
		e.pairs(name, account, ofAccount, self, known)
	}
	if known {
		s.visits.Repair(s.subjects.Ptr(self).Visit, nil)
		s.subjects.Erase(self)
		s.note(TouchErased, self, 0)
	}
	s.changed, s.view = true, nil
}

// named adds the rows that name an account.
func (e *eraser) named(account string) {
	for _, b := range e.s.order {
		if !b.HasLocal(int(event.ColAccount)) {
			continue // accounts have a dictionary in each block
		}
		code := b.Local(int(event.ColAccount)).Search(account)
		if code == 0 {
			continue
		}
		for row := range b.N() {
			if b.CodeOf(row, int(event.ColAccount)) == code {
				e.gone[block.MakeRowID(b.ID, row)] = true
			}
		}
	}
}

// copiesOf adds the rows of accounts that came from a device.
func (e *eraser) copiesOf(device string) {
	s := e.s
	s.people.accounts.Named(device, func(n uint32) {
		s.subjects.Rows(s.people.accounts.Ptr(n).Owner, func(id block.RowID) bool {
			if b := s.blocks.get(id.Block()); b != nil && b.Kind == block.Copies && b.PairOf(id.Row()) == n {
				e.gone[id] = true
			}
			return true
		})
	})
}

// drop takes the rows out of blocks, chains and visits.
func (e *eraser) drop() {
	s := e.s
	rows := map[*block.Builder][]int{}
	touched := map[uint32]bool{}
	for id := range e.gone {
		if b := s.blocks.get(id.Block()); b != nil {
			rows[b] = append(rows[b], id.Row())
			touched[b.SubjectOf(id.Row())] = true
		}
	}
	for b, list := range rows {
		b.Erase(list, func(row int) bool { return s.classOf(b, row) == classPageView })
	}
	for o := range touched {
		s.subjects.Trim(o, func(id block.RowID) bool { return e.gone[id] })
		e.repair(o)
		s.note(TouchAll, o, 0)
	}
}

// classOf returns the class of a row's type.
func (s *siteShard) classOf(b *block.Builder, row int) typeClass {
	text, _ := s.textOf(b, row, int(event.ColType))
	return typeClasses[text]
}

// repair makes the sums of a subject's visits anew.
func (e *eraser) repair(o uint32) {
	s := e.s
	var own []visit.Point
	copies := map[uint32][]visit.Point{}
	s.subjects.Rows(o, func(id block.RowID) bool {
		b := s.blocks.get(id.Block())
		if b == nil || b.Kind == block.Decisions {
			return true
		}
		class := s.classOf(b, id.Row())
		p := visit.Point{Time: b.Unix(id.Row()), Row: id, PageView: class == classPageView,
			Flags: pointFlags(class, b.CodeOf(id.Row(), int(event.ColBotClass)) != 0)}
		if b.EngagedMillis(id.Row()) >= engaged10 {
			p.Flags |= visit.Engaged10
		}
		if b.Kind == block.Copies {
			copies[b.PairOf(id.Row())] = append(copies[b.PairOf(id.Row())], p)
		} else {
			own = append(own, p)
		}
		return true
	})
	s.visits.Repair(s.subjects.Ptr(o).Visit, own)
	if s.people != nil {
		s.people.accounts.Of(o, func(n uint32) bool {
			s.people.visits.Repair(s.people.accounts.Ptr(n).Visit, copies[n])
			return true
		})
	}
}

// burns takes out burns of a subject.
func (e *eraser) burns(owner uint32, drop func(*burn.Burn) bool) {
	e.s.burns.table.Remove(owner, func(b *burn.Burn) bool {
		if !drop(b) {
			return false
		}
		e.s.lose(int(event.ColItem), b.Item)
		return true
	})
}

// pairs removes the pairs that the reader is one side of.
func (e *eraser) pairs(name, account string, ofAccount bool, self uint32, known bool) {
	p := e.s.people
	remove := func(from *subject.Pairs, list []uint32) {
		for _, n := range list {
			if from == p.accounts {
				p.visits.Repair(from.Ptr(n).Visit, nil)
			}
			from.Remove(n)
		}
	}
	var owned, named []uint32
	own, other := p.devices, p.accounts
	if ofAccount {
		own, other, name = p.accounts, p.devices, account
	}
	if known {
		own.Of(self, func(n uint32) bool { owned = append(owned, n); return true })
		if ofAccount {
			delete(p.newest, self)
		}
	}
	other.Named(name, func(n uint32) {
		named = append(named, n)
		e.s.note(TouchAll, other.Ptr(n).Owner, 0)
	})
	if !ofAccount {
		for _, n := range named {
			e.burns(other.Ptr(n).Owner, func(b *burn.Burn) bool { return b.Device == n+1 })
		}
	}
	remove(own, owned)
	remove(other, named)
}

// Erasures returns how many readers were erased whose values are still in
// memory and in the checkpoint; Purge drops them.
func (e *Engine) Erasures() int { return int(e.erasures.Load()) }

// Purge drops what the rows of erased readers held and writes the checkpoint
// anew, so that nothing of them is left outside the log. Between the blocks it
// works on the writers go on with their events. While it writes there is no
// checkpoint: a crash then makes the replay longer.
func (e *Engine) Purge(ctx context.Context) error {
	pending := e.erasures.Load()
	for more := true; more; {
		left := make([]bool, len(e.shards))
		if err := e.all(ctx, func(s *shard) { left[s.number] = s.applier.purge() }); err != nil {
			return fmt.Errorf("purge erased readers: %w", err)
		}
		more = false
		for _, l := range left {
			more = more || l
		}
	}
	if err := e.renewCheckpoint(ctx, pending); err != nil {
		return fmt.Errorf("purge erased readers: %w", err)
	}
	return nil
}

// purge works on one block, or on the dictionaries once all blocks are done; it
// says whether there is more to do.
func (a *applier) purge() (more bool) {
	for _, s := range a.sites {
		for _, b := range s.order {
			if b.Purge(s.lose) {
				s.changed, s.view = true, nil
				return true
			}
		}
		s.purgeTexts()
	}
	return false
}

// lose notes that an erased row had a value of the shard's dictionary.
func (s *siteShard) lose(column int, code uint32) {
	if s.losing == nil {
		s.losing = map[int]map[uint32]bool{}
	}
	if s.losing[column] == nil {
		s.losing[column] = map[uint32]bool{}
	}
	s.losing[column][code] = true
}

// purgeTexts drops values that only erased rows had.
func (s *siteShard) purgeTexts() {
	for c, codes := range s.losing {
		for _, b := range s.order {
			b.Used(c, codes)
		}
		if c == int(event.ColItem) {
			s.burns.table.Each(func(b *burn.Burn) { delete(codes, b.Item) })
		}
		if len(codes) == 0 {
			continue
		}
		list := make([]uint32, 0, len(codes))
		for code := range codes {
			list = append(list, code)
		}
		col := &s.columns[c]
		col.dict, col.saved = col.dict.Without(list), 0
		s.changed, s.view = true, nil
	}
	s.losing = nil
}
