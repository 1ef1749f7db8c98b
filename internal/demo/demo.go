// Package demo is a newspaper with simulated readers, so that every screen
// lives at once: a catalogue that grows by the day, people who come back,
// searchers and passers-by, a day and a week of a newspaper's readers. Its
// past is written when it starts, oldest first, and beside it its present as it
// happens, both through the committer as if they had been collected.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// Committer is what the newspaper writes through.
type Committer interface {
	Commit(ctx context.Context, s *eventlog.Submission) error
	CommitFacts(ctx context.Context, facts ...event.Fact) (event.Position, error)
}

// Config says where the newspaper is written and how much of it.
type Config struct {
	Committer Committer
	// Site returns the site's settings; false while there is none.
	Site func() (*event.Site, bool)
	// State is the file that remembers how far the newspaper was written.
	State string
	// Days of the past that a new newspaper gets.
	Days   int
	Seed   uint64
	Now    func() time.Time
	Logger *slog.Logger
	// Past is called when the past is written, with the number of its events.
	Past func(events int, took time.Duration)
}

// Site returns the settings of the newspaper's site.
func Site() event.Site {
	return event.Site{ID: SiteID, Name: siteName, Domains: []string{domain}, Timezone: "Europe/Berlin", Window: "30d", Clock: event.ClockWall}.WithDefaults()
}

// state is what the file remembers, in Unix milliseconds: the past was written
// up to Past and will be up to PastEnd, the present up to Present.
type state struct {
	Past    int64 `json:"past"`
	PastEnd int64 `json:"past_end"`
	Present int64 `json:"present"`
}

const (
	// batch is how many events go into one submission.
	batch = 4000
	// recent is written first, so that the live board lives while the past is
	// still being written.
	recent = 15 * time.Minute
	// saveEvery is how much is forgotten at most when the process is killed.
	saveEvery = time.Minute
)

// Run writes the newspaper until ctx ends. The site must exist. It returns nil
// when ctx ended it.
func Run(ctx context.Context, cfg Config) error {
	zone, err := time.LoadLocation(Site().Timezone)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	now := cfg.Now()
	p := &paper{cfg: cfg, zone: zone, state: plan(cfg, now)}
	group, both := errgroup.WithContext(ctx)
	group.Go(func() error { return p.present(both, now) })
	group.Go(func() error { return p.past(both, now) })
	if err = group.Wait(); ctx.Err() != nil {
		err = nil // whoever was stopped, it was meant
	}
	return errors.Join(err, p.save())
}

// plan goes on with what the file remembers, or begins anew.
func plan(cfg Config, now time.Time) state {
	// A little inside the window, so that nothing has left it when it arrives.
	first := now.AddDate(0, 0, -cfg.Days).Add(10 * time.Minute).UnixMilli()
	var s state
	if text, err := os.ReadFile(cfg.State); err == nil && json.Unmarshal(text, &s) == nil && s.Present > first {
		s.Present = min(s.Present, now.UnixMilli())
		s.Past = max(s.Past, min(first, s.PastEnd))
		return s
	}
	border := now.Add(-recent).UnixMilli()
	return state{Past: first, PastEnd: border, Present: border}
}

// paper is a newspaper being written, by one goroutine for the past and one
// for the present.
type paper struct {
	cfg  Config
	zone *time.Location

	mu    sync.Mutex // over state and its file
	state state
}

// writer is what writes one of the two.
type writer struct {
	*paper
	sim *Simulator
	sub eventlog.Submission
}

func (p *paper) writer(ctx context.Context, from int64, size int) (*writer, error) {
	w := &writer{paper: p, sim: New(p.cfg.Seed, time.UnixMilli(from), p.zone)}
	w.sub.Events = make([]event.Event, size)
	return w, w.publish(ctx, append([]*Article{nil}, w.sim.Articles()...))
}

// past writes, oldest first, what a new newspaper would have had.
func (p *paper) past(ctx context.Context, now time.Time) error {
	if p.state.Past >= p.state.PastEnd {
		return nil
	}
	w, err := p.writer(ctx, p.state.Past, batch)
	if err != nil {
		return err
	}
	w.sim.Close(time.UnixMilli(p.state.PastEnd))
	begin := p.cfg.Now()
	events, err := w.fill(ctx, now.UnixMilli(), func(s *state, t int64) { s.Past = min(t, s.PastEnd) })
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.state.Past = p.state.PastEnd
	p.mu.Unlock()
	if p.cfg.Past != nil {
		p.cfg.Past(events, p.cfg.Now().Sub(begin))
	}
	return p.save()
}

// present catches up with now, then writes each event when it happens.
func (p *paper) present(ctx context.Context, now time.Time) error {
	w, err := p.writer(ctx, p.state.Present, batch)
	if err != nil {
		return err
	}
	wrote := func(s *state, t int64) { s.Present = t }
	if _, err := w.fill(ctx, now.UnixMilli(), wrote); err != nil {
		return err
	}
	saved := now
	w.sub.Import = false
	e := &w.sub.Events[0]
	for {
		// fill has left the first event after now in its place.
		if d := time.UnixMilli(e.Time).Sub(p.cfg.Now()); d > 0 && !wait(ctx, d) {
			return context.Cause(ctx)
		}
		if err := w.commit(ctx, 1, wrote); err != nil {
			return err
		}
		if now := p.cfg.Now(); now.Sub(saved) > saveEvery {
			saved = now
			if err := p.save(); err != nil {
				p.cfg.Logger.Warn("demo: how far the newspaper was written is not remembered", "error", err)
			}
		}
		published, _ := w.sim.Next(e)
		if err := w.publish(ctx, published); err != nil {
			return err
		}
	}
}

// fill writes the events up to end as an import and returns how many. The one
// after end, if the simulator is not closed, is left in place 0.
func (w *writer) fill(ctx context.Context, end int64, wrote func(*state, int64)) (int, error) {
	w.sub.Import = true
	for total := 0; ; {
		n, done := 0, false
		var published []*Article
		for n < batch && !done {
			news, ok := w.sim.Next(&w.sub.Events[n])
			published = append(published, news...)
			if done = !ok || w.sub.Events[n].Time > end; !done {
				n++
			}
		}
		if err := w.publish(ctx, published); err != nil {
			return total, err
		}
		if err := ctx.Err(); err != nil {
			return total, err
		}
		if n > 0 {
			if err := w.commit(ctx, n, wrote); err != nil {
				return total, err
			}
		}
		total += n
		if done {
			w.sub.Events[0] = w.sub.Events[n]
			return total, nil
		}
	}
}

// commit writes the first n events.
func (w *writer) commit(ctx context.Context, n int, wrote func(*state, int64)) error {
	site, ok := w.cfg.Site()
	if !ok {
		return fmt.Errorf("demo: site %q is gone", SiteID)
	}
	whole := w.sub.Events
	defer func() { w.sub.Events = whole }()
	w.sub.Site, w.sub.Events = site, whole[:n]
	if err := again(ctx, func() error { return w.cfg.Committer.Commit(ctx, &w.sub) }); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	wrote(&w.state, whole[n-1].Time)
	return nil
}

// publish writes entries of the catalogue; nil stands for the front page.
func (p *paper) publish(ctx context.Context, articles []*Article) error {
	if len(articles) == 0 {
		return nil
	}
	facts := make([]event.Fact, 0, len(articles))
	for _, a := range articles {
		item := homeItem()
		if a != nil {
			item = a.item()
		}
		value, err := json.Marshal(item)
		if err != nil {
			return fmt.Errorf("demo: encode item %s: %w", item.ID, err)
		}
		facts = append(facts, event.Fact{Kind: event.FactItem, Site: SiteID, Key: item.ID, Value: value})
	}
	return again(ctx, func() error {
		_, err := p.cfg.Committer.CommitFacts(ctx, facts...)
		return err
	})
}

// again repeats what the committer refuses for a while: too much work at once,
// a full disk.
func again(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil || !errors.Is(err, eventlog.ErrOverloaded) && !errors.Is(err, eventlog.ErrDiskFull) && !errors.Is(err, eventlog.ErrUnavailable) {
			return err
		}
		if !wait(ctx, time.Second) {
			return context.Cause(ctx)
		}
	}
}

// save remembers how far the newspaper was written.
func (p *paper) save() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	text, err := json.Marshal(p.state)
	if err != nil {
		return err
	}
	next := p.cfg.State + ".new"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return fmt.Errorf("demo: write %s: %w", filepath.Base(next), err)
	}
	return os.Rename(next, p.cfg.State)
}

// wait returns false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
