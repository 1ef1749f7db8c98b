package engine

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/readership/readership/internal/engine/burn"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/event"
)

// appendBurns appends to the value of a FactBurns what meters have burned of a
// reader, by the name its rows are kept under.
func appendBurns(value []byte, name string, list []placedBurn) []byte {
	text := func(s string) {
		value = binary.AppendUvarint(value, uint64(len(s)))
		value = append(value, s...)
	}
	text(name)
	value = binary.AppendUvarint(value, uint64(len(list)))
	for i := range list {
		b := &list[i]
		text(b.Meter)
		text(b.Item)
		text(b.Device)
		value = binary.LittleEndian.AppendUint64(value, uint64(b.position))
		value = binary.AppendUvarint(value, uint64(b.row))
		for _, n := range [...]int64{b.Time, b.Limit, b.Start, b.Until, b.Joined} {
			value = binary.AppendVarint(value, n)
		}
		value = binary.LittleEndian.AppendUint64(value, b.Rule)
	}
	return value
}

// burnReader reads the value of a FactBurns.
type burnReader struct {
	data   []byte
	failed bool
}

// eachBurns calls fn with the burns of each reader, up to the first that cannot
// be read.
func eachBurns(value []byte, fn func(name string, list []placedBurn)) {
	r := burnReader{data: value}
	for len(r.data) > 0 {
		name := r.text()
		n := r.uvarint()
		if n > uint64(len(r.data)) {
			return
		}
		var list []placedBurn
		for range n {
			b := placedBurn{Burn: Burn{Meter: r.text(), Item: r.text(), Device: r.text()}, position: event.Position(r.fixed())}
			row := r.uvarint()
			r.failed = r.failed || row > 1<<32-1
			b.row = uint32(row)
			b.Time, b.Limit, b.Start, b.Until, b.Joined = r.varint(), r.varint(), r.varint(), r.varint(), r.varint()
			b.Rule = r.fixed()
			if r.failed || strings.IndexByte(b.Meter, 0) >= 0 || !utf8.ValidString(b.Meter) {
				return
			}
			list = append(list, b)
		}
		if r.failed || name == "" {
			return
		}
		fn(name, list)
	}
}

// take returns the next n bytes, and none if there are not so many.
func (r *burnReader) take(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.failed, r.data = true, nil
		return nil
	}
	out := r.data[:n]
	r.data = r.data[n:]
	return out
}

func (r *burnReader) text() string { return string(r.take(r.uvarint())) }

func (r *burnReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	r.take(uint64(max(n, 0)))
	r.failed = r.failed || n <= 0
	return v
}

func (r *burnReader) varint() int64 {
	v, n := binary.Varint(r.data)
	r.take(uint64(max(n, 0)))
	r.failed = r.failed || n <= 0
	return v
}

func (r *burnReader) fixed() uint64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// burnsTold applies burns of a daily snapshot: those of each reader are all that it
// has. Where the whole log was applied they say nothing new.
func (s *shard) burnsTold(f *event.Fact) {
	site := s.applier.site(f.Site)
	eachBurns(f.Value, func(name string, list []placedBurn) {
		hash := subject.Hash(name)
		if !s.applier.owns(hash) {
			return
		}
		owner, _ := site.subjects.Get(name, hash, subject.Unseen)
		if site.hasBurned(owner, list) {
			return
		}
		site.burns.table.Remove(owner, func(*burn.Burn) bool { return true })
		told := make([]burn.Burn, len(list))
		for i := range list {
			device := uint32(0)
			if b := &list[i]; b.Device != "" {
				n, _ := site.folk().accounts.Get(owner, b.Device, subject.Hash(b.Device))
				device = n + 1
			}
			told[i] = site.coded(&list[i], device)
		}
		slices.SortFunc(told, func(a, b burn.Burn) int { return a.Compare(&b) })
		site.burns.table.Add(owner, site.now, told...)
	})
	site.changed, site.view = true, nil
}

// hasBurned says whether the burns of a reader are those of a list, the oldest
// first, apart from what is over.
func (s *siteShard) hasBurned(owner uint32, list []placedBurn) bool {
	same := true
	s.burns.table.Of(owner, func(b *burn.Burn) bool {
		for len(list) > 0 && list[len(list)-1].Until <= s.now {
			list = list[:len(list)-1]
		}
		if b.Until > s.now {
			last := len(list) - 1
			if same = last >= 0 && list[last].position == b.Position && list[last].row == b.Row && list[last].Joined == b.Joined; same {
				list = list[:last]
			}
		}
		return same
	})
	return same && !slices.ContainsFunc(list, func(b placedBurn) bool { return b.Until > s.now })
}

// ownersATurn is how many readers are looked at for burns in a turn of a shard.
const ownersATurn = 1 << 16

// EachBurns writes what meters have burned of the readers of a site as facts of
// about size bytes: the last part of a daily snapshot. write is called with what
// reads the next one, in turn, and stores it where it was read: between the two
// nothing goes to the log (eventlog.Committer.CommitRead). Devices come before
// accounts, to which logins carry their burns.
func (e *Engine) EachBurns(ctx context.Context, site string, size int, write func(read func() (f event.Fact, ok bool, err error)) error) error {
	f := event.Fact{Kind: event.FactBurns, Site: site}
	if err := write(func() (event.Fact, bool, error) { return f, true, nil }); err != nil {
		return err
	}
	for _, accounts := range [...]bool{false, true} {
		for _, s := range e.shards {
			for from := 0; from >= 0; {
				next := from
				err := write(func() (event.Fact, bool, error) {
					var err error
					f.Value, next, err = e.burnsFrom(ctx, s, site, from, accounts, size)
					return f, len(f.Value) > 0, err
				})
				if err != nil {
					return err
				}
				from = next
			}
		}
	}
	return nil
}

// burnsFrom returns the value of a FactBurns of the devices or accounts of a shard
// from a number on, and where to go on; -1 at the end.
func (e *Engine) burnsFrom(ctx context.Context, of *shard, site string, from int, accounts bool, size int) (value []byte, next int, err error) {
	type part struct {
		value []byte
		next  int
	}
	out := make(chan part, 1)
	err = e.enqueue(item{one: of, command: func(s *shard) {
		p := part{next: -1}
		if st := s.applier.sites[site]; st != nil {
			p.value, p.next = st.burnsFrom(from, accounts, size)
		}
		out <- p
	}})
	if err != nil {
		return nil, 0, err
	}
	select {
	case p := <-out:
		return p.value, p.next, nil
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	case <-e.failed:
		return nil, 0, ErrFailed
	case <-e.closing:
		return nil, 0, ErrClosed
	}
}

func (s *siteShard) burnsFrom(from int, accounts bool, size int) (value []byte, next int) {
	var list []placedBurn
	next = s.burns.table.Owners(from, ownersATurn, func(owner uint32) bool {
		name := s.subjects.Name(owner)
		if isAccount(name) != accounts {
			return true
		}
		list = list[:0]
		s.burns.table.Of(owner, func(b *burn.Burn) bool {
			if b.Until > s.now {
				list = append(list, s.burned(b))
			}
			return true
		})
		slices.Reverse(list)
		value = appendBurns(value, name, list) // none, too, if the last was over since the snapshot began
		return len(value) < size
	})
	return value, next
}

// factWriter gathers what a snapshot says of many readers into facts.
type factWriter struct {
	kind, site string
	size       int // about what a fact's value takes
	fn         func(event.Fact) error
	value      []byte
}

// flush writes a fact if there is enough for one, or, at the end, anything.
func (w *factWriter) flush(end bool) error {
	if len(w.value) == 0 || !end && len(w.value) < w.size {
		return nil
	}
	f := event.Fact{Kind: w.kind, Site: w.site, Value: w.value}
	w.value = nil
	return w.fn(f)
}

// empty forgets what a meter has burned of a reader of this shard.
func (a *applier) empty(site, reader, meter string) {
	s := a.sites[site]
	name, ok := SubjectName(reader)
	if s == nil || !ok || !a.owns(subject.Hash(name)) {
		return
	}
	owner, ok := s.subjects.Find(name, subject.Hash(name))
	if !ok {
		return
	}
	s.burns.table.Remove(owner, func(b *burn.Burn) bool { return meterAt(s.burns.meters.list, b.Meter).name == meter })
	s.changed, s.view = true, nil
}
