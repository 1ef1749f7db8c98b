package segment

import (
	"context"
	"errors"
	"fmt"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/paged"
	enginesubject "github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/incremental"
	"github.com/readership/readership/internal/rubric/plan"
)

// Answer says which segments a reader is in.
type Answer struct {
	Segments []string // in the order of the program; never nil
	At       int64    // Unix milliseconds
	Version  int      // of the program
}

// Of returns the segments that a reader, device:ID or account:ID, is in at an
// instant of the site's clock inside its window. It answers as of everything
// applied or queued when it was asked: from the state that is kept if that holds
// then, else by working it out. A reader that nothing is known of is in those
// that ask for nothing. Errors: engine.ErrUnknownSite, engine.ErrUnknownReader,
// engine.ErrClosed, engine.ErrFailed, ctx's.
func (s *Service) Of(ctx context.Context, site *event.Site, reader string, at int64) (Answer, error) {
	out, kept := Answer{At: at, Segments: []string{}}, false
	err := s.cfg.Engine.InTurn(ctx, site.ID, reader, func(r *engine.Reader) {
		watch, l := r.Watcher()
		w, ok := watch.(*watcher)
		if !ok || w.running == nil {
			return
		}
		out.Segments, kept = w.of(l, r, at, out.Segments)
		out.Version = w.running.version
	})
	if err != nil {
		return Answer{}, err // the turn may still come
	}
	if kept {
		return out, nil
	}
	active, err := s.cfg.Programs.Active(site)
	if err != nil {
		return out, err
	}
	view, err := s.cfg.Engine.Readers(ctx, site.ID, 0)
	if err != nil {
		return out, err
	}
	names, ok := Of(active.Plan, view, reader, at)
	if !ok {
		return out, fmt.Errorf("%w %q", engine.ErrUnknownReader, reader)
	}
	out.Version, out.Segments = active.Version, append([]string{}, names...)
	return out, nil
}

// momentSegments is in how many segments a reader is of whom is told at once: names of
// more are no moment's work.
const momentSegments = 256

// OfAtOnce is Of where the reader's state tells and nothing has to be waited for; ok is
// false where it is not so, and for who is in very many segments.
func (s *Service) OfAtOnce(site *event.Site, reader string, at int64) (out Answer, ok bool) {
	s.cfg.Engine.TurnAtOnce(site.ID, reader, func(r *engine.Reader, err error) {
		if err != nil {
			return
		}
		watch, l := r.Watcher()
		w, is := watch.(*watcher)
		if !is || w.running == nil || w.running.broken != nil || w.running.e == nil {
			return
		}
		members, told := w.running.kept(l, r, at)
		if n := members.Len(); told && n <= momentSegments {
			out, ok = Answer{At: at, Segments: w.running.names(members, make([]string, 0, n)), Version: w.running.version}, true
		}
	})
	return out, ok
}

// of is population.of by the active program, where its states are kept.
func (w *watcher) of(l *engine.Live, r *engine.Reader, at int64, dst []string) (names []string, kept bool) {
	defer w.contain(w.running) // then neither is set
	if w.running.broken != nil {
		return dst, false
	}
	return w.running.of(l, r, at, dst), true
}

// of appends the names of the segments that a reader is in at an instant.
func (p *population) of(l *engine.Live, r *engine.Reader, at int64, dst []string) []string {
	if p.e == nil {
		return dst
	}
	if members, ok := p.kept(l, r, at); ok {
		return p.names(members, dst)
	}
	view := p.at(l, r, at)
	for i, s := range p.plan.Segments {
		if view.Segment(i) {
			dst = append(dst, s.Name)
		}
	}
	return dst
}

// kept is what the reader's state says of an instant, valid in the turn; ok is false
// where it says nothing.
func (p *population) kept(l *engine.Live, r *engine.Reader, at int64) (members incremental.Set, ok bool) {
	n, known := r.Number()
	if !known || at < l.Now || !p.known(n, at) {
		return nil, false
	}
	return p.states.members(n), true
}

// names appends the names of segments.
func (p *population) names(of incremental.Set, dst []string) []string {
	for i, s := range p.plan.Segments {
		if of.Has(i) {
			dst = append(dst, s.Name)
		}
	}
	return dst
}

// at works a reader out at an instant.
func (p *population) at(l *engine.Live, r *engine.Reader, at int64) incremental.View {
	from := l.From()
	if at < l.Now {
		from = max(from, r.From)
	}
	return p.since(l, r, at, from)
}

// Count is how many readers are in a segment, and how many could be. A person
// counts once: a device whose newest row is an account's is left out.
type Count struct {
	Size, Readers int
	Version       int
	Position      event.Position
}

// Size counts the members of a segment at an instant of the site's clock that is
// not before now, exactly. Errors: ErrUnknownSegment, the engine's, ctx's.
func (s *Service) Size(ctx context.Context, site *event.Site, segment string, at int64) (Count, error) {
	parts, position, err := s.look(ctx, site, segment, at, false)
	if errors.Is(err, errNotKept) {
		return s.sizeByFold(ctx, site, segment, at)
	}
	if err != nil {
		return Count{}, err
	}
	out := Count{Position: position, Version: parts[0].version}
	for i := range parts {
		out.Size += int(parts[i].size)
		out.Readers += int(parts[i].people)
	}
	return out, nil
}

// SizeAt is Size at any instant of a view of the site's readers, by the plain
// evaluator.
func (s *Service) SizeAt(ctx context.Context, view *engine.View, segment string, at int64) (Count, error) {
	active, seg, err := s.activeSegment(view.Site, segment)
	if err != nil {
		return Count{}, err
	}
	out := Count{Version: active, Position: view.Position}
	out.Size, out.Readers, err = Size(ctx, seg.plan, seg.Segment, view, at)
	return out, err
}

func (s *Service) sizeByFold(ctx context.Context, site *event.Site, segment string, at int64) (Count, error) {
	view, err := s.cfg.Engine.Readers(ctx, site.ID, 0)
	if err != nil {
		return Count{}, err
	}
	return s.SizeAt(ctx, view, segment, at)
}

// Members calls emit with each member of a segment at an instant of the site's
// clock that is not before now, in no order: as of one position of the log,
// whatever comes meanwhile. An error of emit, or ctx, ends it. Errors: as Size,
// emit's.
func (s *Service) Members(ctx context.Context, site *event.Site, segment string, at int64, emit func(reader string) error) error {
	parts, _, err := s.look(ctx, site, segment, at, true)
	if errors.Is(err, errNotKept) {
		view, err := s.cfg.Engine.Readers(ctx, site.ID, 0)
		if err != nil {
			return err
		}
		return s.MembersAt(ctx, view, segment, at, emit)
	}
	for i := 0; err == nil && i < len(parts); i++ {
		err = parts[i].each(ctx, emit)
	}
	return err
}

// MembersAt is Members at any instant of a view of the site's readers, by the
// plain evaluator.
func (s *Service) MembersAt(ctx context.Context, view *engine.View, segment string, at int64, emit func(reader string) error) error {
	_, seg, err := s.activeSegment(view.Site, segment)
	if err != nil {
		return err
	}
	return Members(ctx, seg.plan, seg.Segment, view, at, emit)
}

type planned struct {
	*plan.Segment
	plan *plan.Program
}

func (s *Service) activeSegment(site *event.Site, name string) (version int, seg planned, err error) {
	active, err := s.cfg.Programs.Active(site)
	if err != nil {
		return 0, planned{}, err
	}
	found := active.Plan.Segment(name)
	if found == nil {
		return 0, planned{}, fmt.Errorf("%w %q", ErrUnknownSegment, name)
	}
	return active.Version, planned{found, active.Plan}, nil
}

// errNotKept says that the states of a site are not kept, or not settled for so
// long that the plain evaluator is asked.
var errNotKept = errors.New("segments are not kept")

// part is what one shard says of a segment.
type part struct {
	version, segment int
	width            int
	kept, settled    bool
	known            bool // the program has the segment
	size, people     int64

	// For lists of members.
	bits  paged.Snapshot[uint64]
	flags paged.Snapshot[uint8]
	names enginesubject.Snapshot
	due   map[uint32]bool // readers whose state does not hold at the instant, and whether they are members
}

const (
	// dueReaders is how many readers a shard works out in one turn whose state
	// does not hold at the instant that is asked about.
	dueReaders = 256
	// unsettled is how often it is looked whether all is settled before the plain
	// evaluator is asked.
	unsettled = 64
)

// look asks all shards about a segment at one place of the log at which their
// states hold.
func (s *Service) look(ctx context.Context, site *event.Site, segment string, at int64, list bool) ([]part, event.Position, error) {
	stream := s.streamOf(site.ID)
	for range unsettled {
		rest := stream.resting()
		parts := make([]part, s.cfg.Engine.Shards())
		position, err := s.cfg.Engine.EachWatcher(ctx, site.ID, func(shard int, watch engine.Watcher, l *engine.Live) {
			if w, ok := watch.(*watcher); ok && w.running != nil {
				parts[shard] = w.look(l, segment, at, list)
				w.asked = parts[shard].kept && !parts[shard].settled
			}
		})
		if err != nil {
			return nil, 0, err
		}
		kept, settled, known := true, true, true
		for i := range parts {
			kept, settled, known = kept && parts[i].kept && parts[i].version == parts[0].version, settled && parts[i].settled, known && parts[i].known
		}
		switch {
		case !kept:
			return nil, 0, errNotKept
		case !known:
			return nil, 0, fmt.Errorf("%w %q", ErrUnknownSegment, segment)
		case settled:
			return parts, position, nil
		}
		select {
		case <-rest:
		case <-ctx.Done():
			return nil, 0, fmt.Errorf("look at segment %s: %w", segment, ctx.Err())
		}
	}
	return nil, 0, errNotKept
}

// look is population.look by the active program, where its states are kept.
func (w *watcher) look(l *engine.Live, segment string, at int64, list bool) (out part) {
	defer w.contain(w.running)
	if w.running.broken != nil {
		return part{}
	}
	return w.running.look(l, segment, at, list)
}

// look says what a shard has of a segment.
func (p *population) look(l *engine.Live, segment string, at int64, list bool) part {
	out := part{version: p.version, kept: true}
	seg := p.plan.Segment(segment)
	if seg == nil {
		return out
	}
	out.known, out.segment = true, seg.ID
	out.size, out.people = p.states.counts[seg.ID], p.states.people
	out.settled = p.settled(l, at, func(n uint32) { out.correct(p, l, n, at) })
	if list && out.settled {
		out.bits, out.flags, out.width, out.names = p.states.bits.Snapshot(), p.states.flags.Snapshot(), p.states.width, l.Names()
	}
	return out
}

// settled tells whether the states hold at an instant, but for a few readers that
// due is called with.
func (p *population) settled(l *engine.Live, at int64, due func(n uint32)) bool {
	if !p.complete(l) || p.jobs.any() || p.states.dueBorder(at) != 0 {
		return false
	}
	left := dueReaders
	p.states.timers.due(at, func(n uint32) bool {
		if left--; left >= 0 {
			due(n)
		}
		return left >= 0
	})
	return left >= 0
}

// correct works out a reader whose state does not hold at the instant.
func (out *part) correct(p *population, l *engine.Live, n uint32, at int64) {
	r, ok := l.Reader(n)
	if !ok {
		return
	}
	if was := p.states.away(n); !was {
		out.people--
		if p.states.members(n).Has(out.segment) {
			out.size--
		}
	}
	in := false
	if !r.Away(at) {
		out.people++
		if in = p.at(l, &r, at).Segment(out.segment); in {
			out.size++
		}
	}
	if out.due == nil {
		out.due = map[uint32]bool{}
	}
	out.due[n] = in
}

// each calls emit with the members.
func (out *part) each(ctx context.Context, emit func(reader string) error) error {
	word, bit := out.segment>>6, uint64(1)<<(out.segment&63)
	for n := range out.flags.Len() {
		if n%4096 == 0 && ctx.Err() != nil {
			return fmt.Errorf("list the members of a segment: %w", ctx.Err())
		}
		in, due := out.due[uint32(n)]
		if !due {
			in = out.flags.At(n)&awayFlag == 0 && out.bits.At(n*out.width+word)&bit != 0
		}
		if !in {
			continue
		}
		if err := emit(engine.ReaderName(out.names.Name(uint32(n)))); err != nil {
			return err
		}
	}
	return nil
}
