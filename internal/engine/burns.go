package engine

import (
	"cmp"
	"slices"

	"github.com/readership/readership/internal/engine/block"
	"github.com/readership/readership/internal/engine/burn"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/event"
)

// Burn is one item that a commit has burned of a meter. Times are Unix
// milliseconds.
type Burn struct {
	Meter, Item string
	Time        int64 // of the decision
	// Limit is the meter's limit at the time, Rule stands for the expression it
	// came from.
	Limit int64
	Rule  uint64
	// Start is when the period began that the burn fell into, where that is kept.
	Start int64
	// Until is the instant of the site's clock up to which it is kept.
	Until int64
	// Device is where the burn was carried over from when its reader logged in at
	// Joined; "" for the reader's own.
	Device string
	Joined int64
}

// placedBurn is a burn with the place of its commit in the log, which names it
// among those of its reader.
type placedBurn struct {
	Burn
	position event.Position
	row      uint32
}

// burns are what a site's shard keeps of what meters have burned.
type burns struct {
	table  *burn.Table
	meters meters
	sweep  bool // the day's sweep is on its way
}

func newBurns() burns { return burns{table: burn.NewTable(), meters: newMeters()} }

const (
	// sweepBurns is how many burns are looked at with each message until the day's
	// sweep is done.
	sweepBurns = 256
	// sweptAfter is how long a burn is left after its time is over, in milliseconds: a
	// snapshot that is being written tells of every reader that had burns as it began.
	sweptAfter = 24 * 3600_000
)

// begin begins the day's sweep.
func (b *burns) begin() {
	if !b.sweep {
		b.sweep = true
		clear(b.meters.used)
	}
}

// expire takes out some of the burns whose time is over, and at the end of a sweep
// the meters that none is left of. What is left of them is part of no answer, so it
// does not matter when.
func (b *burns) expire(now int64) {
	if !b.sweep || !b.table.Sweep(sweepBurns, now-sweptAfter, func(b2 *burn.Burn) { b.meters.use(b2.Meter) }) {
		return
	}
	b.sweep = false
	b.meters.free()
}

// burn notes what a commit has burned of a subject.
func (s *siteShard) burn(owner uint32, b *Burn, position event.Position, row uint32) {
	s.burns.table.Add(owner, s.now, s.coded(&placedBurn{*b, position, row}, 0))
}

// coded is what the table keeps of a burn. device is the number of the pair that
// brought it, plus one; 0: it is the subject's own.
func (s *siteShard) coded(b *placedBurn, device uint32) burn.Burn {
	return burn.Burn{Position: b.position, Row: b.row, Time: b.Time, Until: b.Until, Start: b.Start, Joined: b.Joined, Device: device,
		Item: s.columns[event.ColItem].dict.Code(b.Item, event.KindString), Meter: s.burns.meters.code(meterOf(&b.Burn))}
}

// burned returns a burn of a subject of this shard.
func (s *siteShard) burned(b *burn.Burn) placedBurn {
	item, _ := s.columns[event.ColItem].dict.Text(b.Item)
	device := ""
	if b.Device != 0 {
		device = s.people.accounts.Name(b.Device - 1)
	}
	return placed(b, item, meterAt(s.burns.meters.list, b.Meter), device)
}

// burned is siteShard.burned of a view.
func (v *ShardView) burned(b *burn.Burn) placedBurn {
	device := ""
	if b.Device != 0 {
		device = v.Readers.accounts.Name(int(b.Device - 1))
	}
	return placed(b, v.Columns[event.ColItem].Dict.Texts[b.Item], meterAt(v.Readers.meters, b.Meter), device)
}

func placed(b *burn.Burn, item string, m meter, device string) placedBurn {
	return placedBurn{Burn{Meter: m.name, Item: item, Time: b.Time, Limit: m.limit, Rule: m.rule, Start: b.Start, Until: b.Until, Device: device, Joined: b.Joined}, b.Position, b.Row}
}

// EachBurn calls fn with what meters have burned of the reader and is kept, in
// order of time, ties in order of the log. Items are those that the catalogue
// now counts them for. The reader is given in a turn, or is that of a view that
// was asked for with Engine.Readers.
func (r *Reader) EachBurn(fn func(Burn)) {
	if !r.found {
		return
	}
	var list []placedBurn
	take := func(b *burn.Burn, read func(*burn.Burn) placedBurn) {
		if b.Until > r.Now {
			list = append(list, read(b))
		}
	}
	if r.site != nil {
		r.site.burns.table.Of(r.ordinal, func(b *burn.Burn) bool { take(b, r.site.burned); return true })
	} else {
		r.view.Readers.burns.Of(r.ordinal, func(b *burn.Burn) { take(b, r.view.burned) })
	}
	for _, b := range slices.Backward(list) {
		b.Item = r.Items.Canonical(b.Item)
		fn(b.Burn)
	}
}

// Burns appends to dst what a meter has burned of the reader at an instant or
// later, as EachBurn tells it. The reader is given in a turn. It costs as much as
// the reader has burned of any meter since then.
func (r *Reader) Burns(dst []Burn, meter string, since int64) []Burn {
	if !r.found || r.site == nil {
		return dst
	}
	from, s := len(dst), r.site
	s.burns.table.Of(r.ordinal, func(b *burn.Burn) bool {
		if b.Time < since {
			return false
		}
		if b.Until > r.Now && meterAt(s.burns.meters.list, b.Meter).name == meter {
			dst = append(dst, s.burned(b).Burn)
			last := &dst[len(dst)-1]
			last.Item = r.Items.Canonical(last.Item)
		}
		return true
	})
	slices.Reverse(dst[from:])
	return dst
}

// burnsSince returns what a device has burned at or after a place in the log, in
// order of time. A proof in a row is no commit, and one beside any row comes
// before the rows of its message.
func (s *siteShard) burnsSince(device uint32, now int64, position event.Position, row uint32) (out []placedBurn) {
	s.burns.table.Of(device, func(b *burn.Burn) bool {
		if b.Until > now && !before(b, position, row) {
			out = append(out, s.burned(b))
		}
		return true
	})
	slices.Reverse(out)
	return out
}

// before says whether a burn lies before a place in the log.
func before(b *burn.Burn, position event.Position, row uint32) bool {
	return cmp.Or(cmp.Compare(b.Position, position), cmp.Compare(b.Row, row)) < 0
}

// JoinedTo says whether nothing of a device is left for a proof to carry over to
// an account: it was proven there, and has no row without an account and no burn
// since. So a FactJoin before a decision is needed only if it is false. Of a
// device that nothing is known of a proof carries nothing. The reader is given in
// a turn.
func (r *Reader) JoinedTo(account string) bool {
	if r.Account != "" || r.site == nil || !r.found {
		return true
	}
	s := r.site
	if s.people == nil {
		return false
	}
	n, ok := s.people.devices.Find(r.ordinal, account, subject.Hash(account))
	if !ok {
		return false
	}
	pair := *s.people.devices.Ptr(n)
	joined := true
	s.burns.table.Of(r.ordinal, func(b *burn.Burn) bool {
		joined = b.Until <= r.Now || before(b, event.Position(pair.Position), pair.Row)
		return joined
	})
	if !joined {
		return false
	}
	s.subjects.Rows(r.ordinal, func(id block.RowID) bool {
		if id == pair.Last {
			return false
		}
		_, departs := s.departs(id, account)
		joined = !departs
		return joined
	})
	return joined
}
