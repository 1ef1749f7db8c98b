package segment

import (
	"context"
	"fmt"
	"strings"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/paged"
	enginesubject "github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/incremental"
	"github.com/readership/readership/internal/rubric/plan"
)

// Standing says which segments the readers of a view are in, all at one instant. A
// person counts once: a device whose newest row is an account's is in none. It is
// immutable.
type Standing struct {
	Names []string // of the program's segments, in its order
	// Sets are the combinations of segments that occur: numbers of Names, from 1,
	// ascending. Sets[0] is empty.
	Sets [][]uint32
	// Subjects are the sets of the view's subjects, by shard and ordinal, as places
	// in Sets; those past the end are in none.
	Subjects [][]uint32
	// Accounts are the sets of accounts, where they are in any.
	Accounts map[string]uint32
}

// Standing returns a view of a site with the segments of its readers at now, Unix
// milliseconds, or at the view's now if that is later. Only the segments of only are
// looked at, nil is all. Errors: the engine's, ctx's.
func (s *Service) Standing(ctx context.Context, site *event.Site, now int64, only []string) (*engine.View, *Standing, error) {
	stream := s.streamOf(site.ID)
	for range unsettled {
		rest := stream.resting()
		parts := make([]standingPart, s.cfg.Engine.Shards())
		view, err := s.cfg.Engine.Watched(ctx, site.ID, func(shard int, watch engine.Watcher, l *engine.Live) {
			if w, ok := watch.(*watcher); ok && w.running != nil {
				parts[shard] = w.stand(l, max(now, l.Now))
				w.asked = parts[shard].plan != nil && !parts[shard].settled
			}
		})
		if err != nil {
			return nil, nil, err
		}
		kept, settled := true, true
		for i := range parts {
			kept = kept && parts[i].plan != nil && parts[i].version == parts[0].version
			settled = settled && parts[i].settled
		}
		if !kept {
			break
		}
		if settled {
			g := newGathering(parts[0].plan, only)
			for i := range parts {
				if err := g.shard(ctx, &parts[i]); err != nil {
					return nil, nil, err
				}
			}
			return view, g.Standing, nil
		}
		select {
		case <-rest:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("look at segments: %w", ctx.Err())
		}
	}
	return s.standingByFold(ctx, site, now, only)
}

// standingByFold is Standing by the plain evaluator.
func (s *Service) standingByFold(ctx context.Context, site *event.Site, now int64, only []string) (*engine.View, *Standing, error) {
	active, err := s.cfg.Programs.Active(site)
	if err != nil {
		return nil, nil, err
	}
	view, err := s.cfg.Engine.Readers(ctx, site.ID, 0)
	if err != nil {
		return nil, nil, err
	}
	at := max(now, view.Now)
	g := newGathering(active.Plan, only)
	for _, shard := range view.Shards {
		g.Subjects = append(g.Subjects, make([]uint32, shard.Subjects.Len()))
	}
	if len(g.segments) == 0 {
		return view, g.Standing, nil
	}
	members, n := make(incremental.Set, len(g.mask)), 0
	err = view.EachSubject(func(shard int, ordinal uint32, name string) error {
		if n++; n%256 == 0 && ctx.Err() != nil {
			return fmt.Errorf("find the segments of readers: %w", ctx.Err())
		}
		r, ok := view.Reader(name)
		if !ok || r.Away(at) {
			return nil
		}
		clear(members)
		of := View(active.Plan, &r, at)
		for _, i := range g.segments {
			if of.Segment(i) {
				members[i>>6] |= 1 << (i & 63)
			}
		}
		g.Subjects[shard][ordinal] = g.put(name, g.code(members))
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return view, g.Standing, nil
}

// standingPart is what one shard says of its readers.
type standingPart struct {
	version int
	plan    *plan.Program // nil: nothing is kept
	settled bool
	width   int
	bits    paged.Snapshot[uint64]
	flags   paged.Snapshot[uint8]
	names   enginesubject.Snapshot
	due     map[uint32]incremental.Set // readers whose state does not hold; nil: in no segment
}

// stand is population.stand by the active program, where its states are kept.
func (w *watcher) stand(l *engine.Live, at int64) (out standingPart) {
	defer w.contain(w.running)
	if w.running.broken != nil || w.running.e == nil {
		return standingPart{}
	}
	return w.running.stand(l, at)
}

// stand says what a shard has of all segments.
func (p *population) stand(l *engine.Live, at int64) standingPart {
	out := standingPart{version: p.version, plan: p.plan, width: p.states.width, due: map[uint32]incremental.Set{}}
	out.settled = p.settled(l, at, func(n uint32) { out.due[n] = p.worked(l, n, at) })
	if out.settled {
		out.bits, out.flags, out.names = p.states.bits.Snapshot(), p.states.flags.Snapshot(), l.Names()
	}
	return out
}

// worked works out the segments of a reader whose state does not hold at the
// instant; nil if it counts in none.
func (p *population) worked(l *engine.Live, n uint32, at int64) incremental.Set {
	r, ok := l.Reader(n)
	if !ok || r.Away(at) {
		return nil
	}
	members, view := make(incremental.Set, p.states.words()), p.at(l, &r, at)
	for i := range p.plan.Segments {
		if view.Segment(i) {
			members[i>>6] |= 1 << (i & 63)
		}
	}
	return members
}

// gathering makes a Standing.
type gathering struct {
	*Standing
	segments []int           // that are looked at
	mask     incremental.Set // of them
	codes    map[string]uint32
	key      []byte
}

func newGathering(p *plan.Program, only []string) *gathering {
	g := &gathering{Standing: &Standing{Names: []string{}, Sets: [][]uint32{nil}, Accounts: map[string]uint32{}},
		mask: make(incremental.Set, (len(p.Segments)+63)/64), codes: map[string]uint32{}}
	wanted := map[string]bool{}
	for _, name := range only {
		wanted[name] = true
	}
	for i, s := range p.Segments {
		g.Names = append(g.Names, s.Name)
		if only == nil || wanted[s.Name] {
			g.segments = append(g.segments, i)
			g.mask[i>>6] |= 1 << (i & 63)
		}
	}
	return g
}

// code returns the place of the set of a reader's segments.
func (g *gathering) code(members incremental.Set) uint32 {
	any := uint64(0)
	for w := range min(len(members), len(g.mask)) {
		any |= members[w] & g.mask[w]
	}
	if any == 0 {
		return 0
	}
	g.key = g.key[:0]
	for w, mask := range g.mask {
		for word, i := members[w]&mask, 0; i < 8; i++ {
			g.key = append(g.key, byte(word>>(8*i)))
		}
	}
	code, ok := g.codes[string(g.key)]
	if !ok {
		var set []uint32
		for _, i := range g.segments {
			if members.Has(i) {
				set = append(set, uint32(i)+1)
			}
		}
		code = uint32(len(g.Sets))
		g.Sets = append(g.Sets, set)
		g.codes[string(g.key)] = code
	}
	return code
}

// put notes the set of a reader, where it is an account.
func (g *gathering) put(reader string, code uint32) uint32 {
	if code != 0 {
		if account, ok := strings.CutPrefix(reader, "account:"); ok {
			g.Accounts[strings.Clone(account)] = code
		}
	}
	return code
}

// shard adds the readers of a shard.
func (g *gathering) shard(ctx context.Context, p *standingPart) error {
	codes := make([]uint32, p.flags.Len())
	for n := range codes {
		if n%4096 == 0 && ctx.Err() != nil {
			return fmt.Errorf("find the segments of readers: %w", ctx.Err())
		}
		members, due := p.due[uint32(n)]
		if !due && p.flags.At(n)&awayFlag == 0 {
			members = p.bits.Span(n*p.width, p.width)
		}
		if code := g.code(members); code != 0 {
			codes[n] = g.put(engine.ReaderName(p.names.Name(uint32(n))), code)
		}
	}
	g.Subjects = append(g.Subjects, codes)
	return nil
}
