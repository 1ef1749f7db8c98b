package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/engine/visit"
	"github.com/readership/readership/internal/event"
)

// Reader is one reader: who it is, and where its rows are. A reader that nothing
// is known of is a Reader too, without rows. It comes from a View, and lasts as
// long as that, or is given for the time of a turn of its shard.
//
// A device's rows are those without a proven account; an account's are all that
// name it, proven or claimed, and those that devices brought it. So a device
// that is logged in has its rows from before, and what it did since is the
// account's.
type Reader struct {
	Name    string // device:ID or account:ID
	Known   bool   // it has or had rows; what a commit leaves is none
	Account string // "" for a device
	// FirstSeen is the time of its first row ever, Unix ms; valid if Known.
	FirstSeen int64
	// Site are the settings of its site, Items the catalogue, Profiles what is
	// proven of the site's readers; Now is the site's clock, and rows before From
	// are not part of any answer, Unix ms.
	Site      *event.Site
	Items     *Catalog
	Profiles  *Profiles
	Now, From int64

	view    *ShardView // what holds the rows: a view,
	site    *siteShard // or the writer's state
	ordinal uint32
	found   bool // there is an ordinal
}

// Registered says whether the reader is an account: only proof makes a request
// that account's.
func (r *Reader) Registered() bool { return r.Account != "" }

// Reader finds a reader, device:ID or account:ID, in a view that was asked for
// with Engine.Readers. ok is false for a name that is none.
func (v *View) Reader(name string) (r Reader, ok bool) {
	own, ok := SubjectName(name)
	if !ok {
		return Reader{}, false
	}
	r = v.about(name, own)
	hash := subject.Hash(own)
	r.view = v.Shards[ShardOf(hash, len(v.Shards))]
	if r.view.Readers == nil {
		return r, true
	}
	if r.ordinal, r.found = r.view.Readers.table.Find(own, hash); r.found {
		r.seen(r.view.Readers.table.Subjects.At(int(r.ordinal)))
	}
	return r, true
}

// seen notes what its subject says of the reader.
func (r *Reader) seen(s subject.Subject) {
	if t := s.FirstSeen(); t < subject.Unseen {
		r.Known, r.FirstSeen = true, t
	}
}

// turn gives the reader the writer's state, in its turn.
func (r *Reader) turn(s *siteShard, ordinal uint32, found bool) {
	if r.site, r.ordinal, r.found = s, ordinal, found; found {
		r.seen(*s.subjects.Ptr(ordinal))
	}
}

// about makes the reader of a name, with what the view knows of its site.
func (v *View) about(name, own string) Reader {
	r := newReader(name, own)
	r.Site, r.Items, r.Profiles, r.Now, r.From = v.Site, v.Items, v.Profiles, v.Now, v.From
	return r
}

// newReader makes the reader of a name whose rows are kept under own.
func newReader(name, own string) Reader {
	r := Reader{Name: name}
	if isAccount(own) {
		r.Name, r.Account = own, own[len(accountPrefix):]
	}
	return r
}

// InTurn calls fn with a reader, device:ID or account:ID, in the turn of the
// reader's shard, after everything that was applied or queued when it was asked
// for. It takes no view, so the writers need not copy anything for it; while fn
// runs its shard applies nothing. Errors: ErrUnknownSite, ErrUnknownReader,
// ErrClosed, ErrFailed, ErrPanic where fn has panicked, the context's; with the
// context's fn may still run.
func (e *Engine) InTurn(ctx context.Context, site, name string, fn func(*Reader)) error {
	done := make(chan error, 1)
	err := e.Turn(ctx, site, name, true, Few{}, func(r *Reader, err error) {
		if err == nil {
			fn(r)
		}
		done <- err
	})
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("reader %s: %w", name, ctx.Err())
	case <-e.failed:
		return ErrFailed
	case <-e.closing:
		return ErrClosed
	}
}

// Profile returns what is proven of the reader at an instant of the site's
// clock inside its window; nil for a device, and for an account of which
// nothing was known then.
func (r *Reader) Profile(t int64) *Account {
	if r.Account == "" {
		return nil
	}
	return r.Profiles.AccountAt(r.Account, t)
}

// Login returns the account that a device is logged in to.
func (r *Reader) Login() (account string, ok bool) {
	if r.Account != "" {
		return "", false
	}
	return r.Profiles.Login(r.Name[len(devicePrefix):])
}

// Others calls fn with the accounts that were proven on a device, or with the
// devices of an account, in no order. It looks at all pairs of the shard.
func (r *Reader) Others(fn func(name string)) {
	if !r.Known {
		return
	}
	each := func(n int, pair subject.Pair, name string) {
		switch {
		case pair.Removed() || pair.Owner != r.ordinal:
		case r.Account != "":
			fn(ReaderName(name))
		default:
			fn(AccountSubject(name))
		}
	}
	if r.site != nil {
		if p := r.site.people; p != nil {
			pairs := p.devices
			if r.Account != "" {
				pairs = p.accounts
			}
			pairs.Of(r.ordinal, func(n uint32) bool { each(int(n), *pairs.Ptr(n), pairs.Name(n)); return true })
		}
		return
	}
	pairs := r.view.Readers.devices
	if r.Account != "" {
		pairs = r.view.Readers.accounts
	}
	for n := range pairs.Len() {
		if pair, ok := pairs.At(n); ok && pair.Owner == r.ordinal {
			each(n, pair, pairs.Name(n))
		}
	}
}

// Rows are the rows of one reader in order of time, ties in order of arrival: a
// row that a login brought arrived with it. An account's own rows come after those
// of its devices. A Rows can be loaded again and again; then it allocates nothing. It is valid as long as what it was loaded from.
type Rows struct {
	list []rowRef
	ids  []block.RowID

	view   *ShardView // what the rows are of: a view,
	site   *siteShard // or the writer's state
	reader uint32
	visits []span32
	pairs  []uint32 // whose visits are among them
}

// rowRef is a row at its place.
type rowRef struct {
	source rowSource
	time   int64
	id     block.RowID
}

// rowSource is a block, as a reader or as its writer has it.
type rowSource interface {
	Unix(row int) int64
	MarksOf(row int) uint8
	CodeOf(row, column int) uint32
	LocalText(column int, code uint32) (text string, kind event.Kind, ok bool)
	EngagedMillis(row int) uint32
	ScrollPercent(row int) uint8
	ValueOf(row int) (micros int64, ok bool)
	PairOf(row int) uint32
	KindOf() block.Kind
}

var (
	_ rowSource = (*block.Block)(nil)
	_ rowSource = (*block.Builder)(nil)
)

// span32 is a visit: what belongs to it, and its name.
type span32 struct {
	pair       uint32 // subject.NoPair: of a device
	start, end int64
	first      block.RowID
	id         uint32
}

// Rows loads the reader's rows with from ≤ time ≤ to into rows. Rows before From
// are never among them.
func (r *Reader) Rows(from, to int64, into *Rows) { r.load(from, to, into, r.Account == "") }

// History is Rows with what accounts did on a device since they were proven on
// it, Rows.Proven.
func (r *Reader) History(from, to int64, into *Rows) { r.load(from, to, into, false) }

// load is Rows; own leaves rows of proven accounts out.
func (r *Reader) load(from, to int64, into *Rows, own bool) {
	into.reset()
	if !r.Known {
		return
	}
	into.view, into.site, into.reader = r.view, r.site, r.ordinal
	from = max(from, r.From)
	if r.site != nil {
		r.live(from, to, into, own)
		return
	}
	late := int64(r.view.Readers.table.Subjects.At(int(r.ordinal)).Late)
	var last *block.Block
	into.ids = r.view.Readers.table.AppendRows(into.ids, r.ordinal, func(id block.RowID) bool {
		if last == nil || last.ID != id.Block() {
			if last = r.view.ByID[id.Block()]; last == nil {
				return false // its day has left
			}
		}
		return last.Kind != block.Decisions && into.offer(last, id, from, to, late, own)
	})
	into.order(late, r.Account == "")
}

// live is load from the writer's state.
func (r *Reader) live(from, to int64, into *Rows, own bool) {
	late := int64(r.site.subjects.Ptr(r.ordinal).Late)
	r.site.eachRow(r.ordinal, func(b *block.Builder, id block.RowID) bool {
		return !into.offer(b, id, from, to, late, own)
	})
	into.order(late, r.Account == "")
}

func (r *Rows) reset() {
	clear(r.list)
	r.list, r.ids, r.visits, r.pairs = r.list[:0], r.ids[:0], r.visits[:0], r.pairs[:0]
	r.view, r.site = nil, nil
}

// offer takes a row, newest arrival first, if it is asked for; it says whether
// no further one is.
func (r *Rows) offer(source rowSource, id block.RowID, from, to, late int64, own bool) (enough bool) {
	t := source.Unix(id.Row())
	if t+late < from {
		return true // the rows before it are older still
	}
	if t >= from && t <= to && !(own && source.MarksOf(id.Row())&block.MarkProven != 0) {
		r.list = append(r.list, rowRef{source, t, id})
	}
	return false
}

// order puts the rows, which came newest arrival first, in order.
func (r *Rows) order(late int64, device bool) {
	slices.Reverse(r.list)
	if late == 0 && device {
		return
	}
	slices.SortStableFunc(r.list, func(a, b rowRef) int {
		if a.time != b.time {
			return cmp.Compare(a.time, b.time)
		}
		return cmp.Compare(ownLast(a.source), ownLast(b.source))
	})
}

// ownLast is greater for an account's own rows than for those of its devices.
func ownLast(s rowSource) int {
	if s.KindOf() == block.Copies {
		return 0
	}
	return 1
}

// Len returns the number of rows.
func (r *Rows) Len() int { return len(r.list) }

// Time returns the time of a row in Unix milliseconds.
func (r *Rows) Time(i int) int64 { return r.list[i].time }

// ID names a row within its shard.
func (r *Rows) ID(i int) block.RowID { return r.list[i].id }

// Code returns a row's code in a column of the site (View's ShardView.Columns);
// 0 if it is missing. local says that the code is of the block's own dictionary:
// then only its text means anything beyond the block.
func (r *Rows) Code(i, column int) (code uint32, local bool) {
	ref := &r.list[i]
	if code = ref.source.CodeOf(ref.id.Row(), column); code == 0 {
		return 0, false
	}
	_, _, local = ref.source.LocalText(column, code)
	return code, local
}

// Has says whether a row has a value in a column.
func (r *Rows) Has(i, column int) bool {
	ref := &r.list[i]
	return ref.source.CodeOf(ref.id.Row(), column) != 0
}

// Text returns a row's value in a column as text; ok is false if it is missing.
func (r *Rows) Text(i, column int) (text string, kind event.Kind, ok bool) {
	ref := &r.list[i]
	code := ref.source.CodeOf(ref.id.Row(), column)
	if code == 0 {
		return "", event.KindString, false
	}
	if text, kind, ok = ref.source.LocalText(column, code); ok {
		return text, kind, true
	}
	if r.site != nil {
		text, kind = r.site.columns[column].dict.Text(code)
	} else {
		d := &r.view.Columns[column].Dict
		text, kind = d.Texts[code], d.Kinds[code]
	}
	return text, kind, true
}

// Each calls fn with every value of a row: the number and name of its column, and
// the text. Properties come after the built-in columns.
func (r *Rows) Each(i int, fn func(column int, name, text string, kind event.Kind)) {
	n := 0
	if r.site != nil {
		n = len(r.site.columns)
	} else if r.view != nil {
		n = len(r.view.Columns)
	}
	for column := range n {
		if text, kind, ok := r.Text(i, column); ok {
			name := ""
			if r.site != nil {
				name = r.site.columns[column].name
			} else {
				name = r.view.Columns[column].Name
			}
			fn(column, name, text, kind)
		}
	}
}

// EngagedMillis returns the attention of a row in milliseconds.
func (r *Rows) EngagedMillis(i int) uint32 {
	return r.list[i].source.EngagedMillis(r.list[i].id.Row())
}

// ScrollPercent returns the greatest scroll of a row.
func (r *Rows) ScrollPercent(i int) uint8 {
	return r.list[i].source.ScrollPercent(r.list[i].id.Row())
}

// Value returns the value of a row in micro-units of its currency.
func (r *Rows) Value(i int) (micros int64, ok bool) {
	return r.list[i].source.ValueOf(r.list[i].id.Row())
}

// Proven says whether a row's account was proven, Joined whether a login
// brought the row.
func (r *Rows) Proven(i int) bool { return r.marks(i)&block.MarkProven != 0 }

// Joined says whether a login brought the row to the account.
func (r *Rows) Joined(i int) bool { return r.marks(i)&block.MarkJoined != 0 }

func (r *Rows) marks(i int) uint8 { return r.list[i].source.MarksOf(r.list[i].id.Row()) }

// Device returns the device of a row, of a row without one account:ID.
func (r *Rows) Device(i int) string {
	ref := &r.list[i]
	pair := r.pair(ref)
	switch {
	case r.site != nil && pair != subject.NoPair:
		return r.site.people.accounts.Name(pair)
	case r.site != nil:
		return r.site.subjects.Name(r.reader)
	case pair != subject.NoPair:
		return r.view.Readers.accounts.Name(int(pair))
	}
	return r.view.Subjects.Name(r.reader)
}

// DeviceKey is a number for the device of a row: rows of one reader have the
// same number if they have the same device.
func (r *Rows) DeviceKey(i int) uint32 { return r.pair(&r.list[i]) }

func (r *Rows) pair(ref *rowRef) uint32 {
	if ref.source.KindOf() == block.Copies {
		return ref.source.PairOf(ref.id.Row())
	}
	return subject.NoPair
}

// Visit returns a name of the visit that a row belongs to, and whether the row
// starts it. A device's visits are cut on all it does, an account's on what it
// does on each device.
func (r *Rows) Visit(i int) (visit uint32, starts bool) {
	ref := &r.list[i]
	pair := r.pair(ref)
	if !slices.Contains(r.pairs, pair) {
		r.loadVisits(pair)
	}
	n, _ := slices.BinarySearchFunc(r.visits, pair, func(v span32, pair uint32) int { return cmp.Compare(v.pair, pair) })
	for ; n < len(r.visits) && r.visits[n].pair == pair; n++ {
		if v := &r.visits[n]; ref.time >= v.start && ref.time <= v.end {
			return v.id, v.first == ref.id
		}
	}
	return 0, false
}

// loadVisits notes the visits of the reader, or of an account on a device.
func (r *Rows) loadVisits(pair uint32) {
	r.pairs = append(r.pairs, pair)
	for id := r.headOf(pair); id != 0; {
		v, start, ok := r.visitAt(pair, id)
		if !ok {
			break
		}
		if v.Counted() {
			r.visits = append(r.visits, span32{pair, start, start + int64(v.Duration), v.Row, id})
		}
		id = v.Prev
	}
	slices.SortFunc(r.visits, func(a, b span32) int { return cmp.Or(cmp.Compare(a.pair, b.pair), cmp.Compare(a.start, b.start)) })
}

// headOf returns the newest visit of the reader, or of an account on a device.
func (r *Rows) headOf(pair uint32) visit.ID {
	switch {
	case r.site != nil && pair != subject.NoPair:
		return r.site.people.accounts.Ptr(pair).Visit
	case r.site != nil:
		return r.site.subjects.Ptr(r.reader).Visit
	case pair != subject.NoPair:
		p, _ := r.view.Readers.accounts.At(int(pair))
		return p.Visit
	}
	return r.view.Subjects.Subjects.At(int(r.reader)).Visit
}

// visitAt returns a visit and its start in Unix milliseconds.
func (r *Rows) visitAt(pair uint32, id visit.ID) (v visit.Visit, start int64, ok bool) {
	if r.site != nil {
		table := r.site.visits
		if pair != subject.NoPair {
			table = r.site.people.visits
		}
		return table.At(id)
	}
	chunks := r.view.Visits
	if pair != subject.NoPair {
		chunks = r.view.Readers.visits
	}
	return visit.Find(chunks, id)
}
