package engine

import (
	"math"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/subject"
)

// newestRow looks for the newest row of a device that lies in a window.
type newestRow struct {
	from, at, late int64

	time   int64 // of the row; math.MinInt64 if there is none
	proven bool  // it is an account's
	next   int64 // time of the first row after at; math.MaxInt64 if there is none
}

func newestOf(from, at, late int64) newestRow {
	return newestRow{from: from, at: at, late: late, time: math.MinInt64, next: math.MaxInt64}
}

// look takes a row, newest arrival first; it says whether no further one is
// needed.
func (n *newestRow) look(b rowSource, id block.RowID) (enough bool) {
	t := b.Unix(id.Row())
	switch {
	case t > n.at:
		n.next = min(n.next, t)
	case t > n.time && t >= n.from:
		n.time, n.proven = t, b.MarksOf(id.Row())&block.MarkProven != 0
	}
	return t+n.late <= max(n.time, n.from-1)
}

// Away says whether a device's newest row in the window, of those up to an
// instant, is an account's: whoever used it then counts as that account. An
// account is never away.
func (r *Reader) Away(at int64) bool {
	if r.Account != "" || !r.Known {
		return false
	}
	if r.site != nil {
		n := newestOf(r.From, at, int64(r.site.subjects.Ptr(r.ordinal).Late))
		r.site.eachRow(r.ordinal, func(b *block.Builder, id block.RowID) bool { return !n.look(b, id) })
		return n.proven
	}
	n := newestOf(r.From, at, int64(r.view.Readers.table.Subjects.At(int(r.ordinal)).Late))
	r.view.Readers.table.AppendRows(nil, r.ordinal, func(id block.RowID) bool {
		b := r.view.ByID[id.Block()]
		return b == nil || b.Kind != block.Decisions && n.look(b, id) // without a block its day has left, and those before
	})
	return n.proven
}

// FirstDevice returns the device, device:ID, on which an account was first
// proven. It looks at the pairs of the shard, oldest first.
func (r *Reader) FirstDevice() (device string, ok bool) {
	if r.Account == "" || !r.found {
		return "", false
	}
	if r.site != nil {
		return r.site.firstDevice(r.ordinal)
	}
	pairs := r.view.Readers.accounts
	for n := range pairs.Len() {
		if pair, ok := pairs.At(n); ok && pair.Owner == r.ordinal {
			return ReaderName(pairs.Name(n)), true
		}
	}
	return "", false
}

// firstDevice is Reader.FirstDevice from the writer's state.
func (s *siteShard) firstDevice(account uint32) (device string, ok bool) {
	if s.people == nil {
		return "", false
	}
	s.people.accounts.Of(account, func(n uint32) bool { // the newest first
		device, ok = ReaderName(s.people.accounts.Name(n)), true
		return true
	})
	return device, ok
}

// Property returns the number of a property's column for Rows; -1 if no row of
// the reader's shard has it.
func (r *Reader) Property(name string) int {
	if r.view != nil {
		return r.view.ColumnByName(name, true)
	}
	if c, ok := r.site.byName[name]; ok {
		return c
	}
	return -1
}

// EachReader calls fn with every reader of a view that was asked for with
// Engine.Readers, in no order, until fn returns an error.
func (v *View) EachReader(fn func(name string) error) error {
	return v.EachSubject(func(_ int, _ uint32, name string) error { return fn(name) })
}

// EachSubject is EachReader with the shard and the ordinal of each.
func (v *View) EachSubject(fn func(shard int, ordinal uint32, name string) error) error {
	for shard, s := range v.Shards {
		for o := range s.Subjects.Len() {
			name := s.Subjects.Name(uint32(o))
			if subj := s.Subjects.Subjects.At(o); name == "" || subj.FirstSeen() == subject.Unseen {
				continue // it was erased, or has no rows
			}
			if err := fn(shard, uint32(o), ReaderName(name)); err != nil {
				return err
			}
		}
	}
	return nil
}
