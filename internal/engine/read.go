package engine

import (
	"context"
	"fmt"

	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/event"
)

// View returns a site as of everything applied or queued when it was asked
// for, and at least as of position at. While nothing changes, it is the same
// View. Errors: ErrUnknownSite, ErrClosed, ErrFailed, the context's.
func (e *Engine) View(ctx context.Context, site string, at event.Position) (*View, error) {
	return e.viewAt(ctx, site, at, false)
}

// Readers is View for questions about single readers: View.Reader finds them.
// After it the writers copy more of what they change.
func (e *Engine) Readers(ctx context.Context, site string, at event.Position) (*View, error) {
	return e.viewAt(ctx, site, at, true)
}

// Watched is View at the place of the log where look is called in every shard's
// turn, with the site's watcher, nil where there is none. With an error of the
// context look may still be called.
func (e *Engine) Watched(ctx context.Context, site string, look func(shard int, w Watcher, l *Live)) (*View, error) {
	return e.view(ctx, site, false, func(s *shard, st *siteShard) {
		if st == nil || st.watched == nil {
			look(s.number, nil, nil)
			return
		}
		look(s.number, st.watched.Watcher, &st.watched.live)
		s.watchersWork()
	})
}

func (e *Engine) viewAt(ctx context.Context, site string, at event.Position, whole bool) (*View, error) {
	for {
		v, err := e.view(ctx, site, whole, nil)
		if err != nil || v.Position >= at {
			return v, err
		}
		if err := e.Wait(ctx, at); err != nil {
			return nil, err
		}
	}
}

// view takes a view; look, if not nil, is called in the same turn of every shard.
func (e *Engine) view(ctx context.Context, site string, whole bool, look func(*shard, *siteShard)) (*View, error) {
	v := &View{Shards: make([]*ShardView, len(e.shards))}
	type part struct {
		from int64
		cut  string
	}
	parts := make([]part, len(e.shards))
	ready := make(chan struct{}, len(e.shards))
	known := make(chan bool, 1)
	err := e.enqueue(item{
		dispatch: func() {
			s, ok := e.facts.site(site)
			if ok {
				v.Site, v.Position, v.Now, v.Items = s, event.Position(e.received.Load()), e.siteClock(s), e.facts.catalog(site)
				v.Profiles = e.facts.profilesOf(site)
			}
			known <- ok
		},
		command: func(s *shard) {
			st := s.applier.sites[site]
			if st != nil {
				v.Shards[s.number] = st.snapshot(whole)
				parts[s.number] = part{st.from, st.cut}
			} else {
				v.Shards[s.number] = &ShardView{}
			}
			if look != nil {
				look(s, st)
			}
			ready <- struct{}{}
		},
	})
	if err != nil {
		return nil, err
	}
	for range e.shards {
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, fmt.Errorf("view site %s: %w", site, ctx.Err())
		case <-e.failed:
			return nil, ErrFailed
		case <-e.closing:
			return nil, ErrClosed
		}
	}
	if !<-known {
		return nil, fmt.Errorf("%w %q", ErrUnknownSite, site)
	}
	v.From = v.Now - v.Site.WindowDuration().Milliseconds()
	for _, p := range parts {
		if p.from > v.From {
			v.From, v.Cut = p.from, p.cut
		}
	}
	return v, nil
}

// siteClock returns a site's now as of everything the dispatcher has taken.
func (e *Engine) siteClock(s *event.Site) int64 {
	if s.Clock == event.ClockEvent {
		if now, ok := e.facts.clock(s.ID); ok {
			return now
		}
	}
	return e.LogTime()
}

// Stats is what an operator asks of the engine.
type Stats struct {
	Position event.Position
	LogTime  int64
	Sites    []SiteStats
	// CheckpointCache is what the checkpoint's store keeps in memory, in bytes,
	// as of the last checkpoint.
	CheckpointCache int64
}

// SiteStats sums a site over the shards.
type SiteStats struct {
	Site             string
	Rows             uint64 // stored since the engine was empty, copies left out
	Subjects, Visits int
	Blocks           int
	IDs              int
	Waiting          int
	From             int64 // Unix ms; answers are complete from here
	Cut              string
	Bytes            SiteBytes
}

// Stats measures the engine.
func (e *Engine) Stats(ctx context.Context) (Stats, error) {
	parts := make([][]SiteStats, len(e.shards))
	err := e.all(ctx, func(s *shard) {
		for _, st := range s.applier.sites {
			parts[s.number] = append(parts[s.number], SiteStats{
				Site: st.id, Rows: st.rows, Subjects: st.subjects.Len(), Visits: st.visits.Len(), Blocks: len(st.order),
				IDs: st.ids.Len(), Waiting: st.waiting.n, From: st.from, Cut: st.cut, Bytes: st.bytes(),
			})
		}
	})
	if err != nil {
		return Stats{}, fmt.Errorf("measure engine: %w", err)
	}
	out := Stats{Position: e.Position(), LogTime: e.LogTime()}
	if e.ckpt != nil {
		out.CheckpointCache = e.ckpt.cache.Load()
	}
	for _, site := range e.Sites() {
		sum := SiteStats{Site: site.ID}
		for _, p := range parts {
			for _, st := range p {
				if st.Site == site.ID {
					sum.add(&st)
				}
			}
		}
		out.Sites = append(out.Sites, sum)
	}
	return out, nil
}

func (s *SiteStats) add(o *SiteStats) {
	s.Rows += o.Rows
	s.Subjects += o.Subjects
	s.Visits += o.Visits
	s.Blocks += o.Blocks
	s.IDs += o.IDs
	s.Waiting += o.Waiting
	if o.From > s.From {
		s.From, s.Cut = o.From, o.Cut
	}
	s.Bytes.add(&o.Bytes)
}

func (b *SiteBytes) add(o *SiteBytes) {
	b.Rows += o.Rows
	b.Subjects += o.Subjects
	b.Visits += o.Visits
	b.Dictionaries += o.Dictionaries
	b.IDs += o.IDs
	b.Waiting += o.Waiting
	b.Burns += o.Burns
	b.Watched += o.Watched
	b.Bytes.Subjects += o.Bytes.Subjects
	b.Names += o.Names
	b.Index += o.Index
	b.Chains += o.Chains
}

// EachFact calls fn with every fact but first_seen, burns and pairs, sites first:
// the daily snapshot that every retained log begins with.
func (e *Engine) EachFact(fn func(event.Fact) error) error { return e.facts.each(fn) }

// EachPair calls fn with facts that hold the accounts proven on devices of a
// site, up to about size bytes each. Like first_seen they belong to the daily
// snapshot, after it.
func (e *Engine) EachPair(ctx context.Context, site string, size int, fn func(event.Fact) error) error {
	v, err := e.Readers(ctx, site, 0)
	if err != nil {
		return err
	}
	facts := factWriter{kind: event.FactPair, site: site, size: size, fn: fn}
	for _, s := range v.Shards {
		if s.Readers == nil {
			continue
		}
		for n := range s.Readers.devices.Len() {
			pair, ok := s.Readers.devices.At(n)
			if !ok {
				continue
			}
			facts.value = AppendPair(facts.value, s.Subjects.Name(pair.Owner), s.Readers.devices.Name(n), event.Position(pair.Position), pair.Row)
			if err := facts.flush(false); err != nil {
				return err
			}
		}
	}
	return facts.flush(true)
}

// EachSeen calls fn with facts that hold the first_seen of every subject of a
// site, up to about size bytes each.
func (e *Engine) EachSeen(ctx context.Context, site string, size int, fn func(event.Fact) error) error {
	v, err := e.View(ctx, site, 0)
	if err != nil {
		return err
	}
	facts := factWriter{kind: event.FactSeen, site: site, size: size, fn: fn}
	for _, s := range v.Shards {
		for o := range s.Subjects.Len() {
			name := s.Subjects.Name(uint32(o))
			if name == "" {
				continue // erased
			}
			subj := s.Subjects.Subjects.At(o)
			if subj.FirstSeen() == subject.Unseen {
				continue
			}
			facts.value = AppendSeen(facts.value, name, subj.FirstSeen())
			if err := facts.flush(false); err != nil {
				return err
			}
		}
	}
	return facts.flush(true)
}
