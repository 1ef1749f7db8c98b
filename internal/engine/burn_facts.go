package engine

import (
	"context"
	"encoding/binary"
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

// burnsTold applies the daily snapshot of burns. Those that are known already
// were told by the log itself.
func (s *shard) burnsTold(f *event.Fact) {
	site := s.applier.site(f.Site)
	eachBurns(f.Value, func(name string, list []placedBurn) {
		hash := subject.Hash(name)
		if !s.applier.owns(hash) {
			return
		}
		owner, _ := site.subjects.Get(name, hash, subject.Unseen)
		for i := range list {
			b := &list[i]
			if site.burns.table.Has(owner, b.position, b.row) {
				continue
			}
			device := uint32(0)
			if b.Device != "" {
				n, _ := site.folk().accounts.Get(owner, b.Device, subject.Hash(b.Device))
				device = n + 1
			}
			site.burn(owner, &b.Burn, b.position, b.row, device)
		}
	})
	site.changed, site.view = true, nil
}

// EachBurns calls fn with facts that hold what meters have burned of the readers
// of a site, up to about size bytes each. Like first_seen they belong to the
// daily snapshot, after it and before pairs.
func (e *Engine) EachBurns(ctx context.Context, site string, size int, fn func(event.Fact) error) error {
	v, err := e.Readers(ctx, site, 0)
	if err != nil {
		return err
	}
	facts := factWriter{kind: event.FactBurns, site: site, size: size, fn: fn}
	for _, s := range v.Shards {
		if s.Readers == nil {
			continue
		}
		s.Readers.burns.Owners(func(owner uint32) bool {
			var list []placedBurn
			s.Readers.burns.Of(owner, func(b *burn.Burn) {
				if b.Until > v.Now {
					list = append(list, s.burned(b))
				}
			})
			if len(list) > 0 {
				facts.value = appendBurns(facts.value, s.Subjects.Name(owner), list)
				err = facts.flush(false)
			}
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	return facts.flush(true)
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
	s.burns.table.Remove(owner, func(b *burn.Burn) bool { return s.burned(b).Meter == meter })
	s.changed, s.view = true, nil
}
