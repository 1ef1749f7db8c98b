// Package demo is a newspaper with simulated readers, so that every screen
// lives at once: a catalogue that grows by the day, people who come back,
// searchers and passers-by, a day and a week of a newspaper's readers. Its
// past is written when it starts, oldest first, and its present as it happens,
// both through the committer as if it had been collected.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

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

// state is what the file remembers.
type state struct {
	// Until is the time of the newest event written, Unix milliseconds.
	Until int64 `json:"until"`
}

// batch is how many events of the past go into one submission.
const batch = 4000

// Run writes the newspaper until ctx ends. The site must exist. It returns nil
// when ctx ended it.
func Run(ctx context.Context, cfg Config) error {
	zone, err := time.LoadLocation(Site().Timezone)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	now := cfg.Now()
	from := now.AddDate(0, 0, -cfg.Days).Add(10 * time.Minute) // well inside the window
	var last state
	if text, err := os.ReadFile(cfg.State); err == nil && json.Unmarshal(text, &last) == nil && last.Until > from.UnixMilli() {
		from = time.UnixMilli(last.Until)
		if from.After(now) {
			from = now
		}
	}
	p := &paper{cfg: cfg, sim: New(cfg.Seed, from, zone), until: from.UnixMilli()}
	err = p.run(ctx, now)
	if ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, p.save())
}

// paper is a newspaper being written.
type paper struct {
	cfg   Config
	sim   *Simulator
	until int64 // of the newest event that is durable
	saved int64
}

func (p *paper) run(ctx context.Context, now time.Time) error {
	if err := p.publish(ctx, append([]*Article{nil}, p.sim.Articles()...)); err != nil {
		return err
	}
	begin := p.cfg.Now()
	events, err := p.past(ctx, now)
	if err != nil {
		return err
	}
	if err := p.save(); err != nil {
		return err
	}
	if p.cfg.Past != nil {
		p.cfg.Past(events, p.cfg.Now().Sub(begin))
	}
	return p.present(ctx)
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
	return p.again(ctx, func() error {
		_, err := p.cfg.Committer.CommitFacts(ctx, facts...)
		return err
	})
}

// again repeats what the committer refuses for a while: too much work at once,
// a full disk.
func (p *paper) again(ctx context.Context, do func() error) error {
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

// past writes the events up to now as an import.
func (p *paper) past(ctx context.Context, now time.Time) (int, error) {
	sub := &eventlog.Submission{Import: true, Events: make([]event.Event, batch)}
	total, end := 0, now.UnixMilli()
	for done := false; !done; {
		n := 0
		var published []*Article
		for n < batch && !done {
			published = append(published, p.sim.Next(&sub.Events[n])...)
			done = sub.Events[n].Time > end
			n++
		}
		if err := p.publish(ctx, published); err != nil {
			return total, err
		}
		if err := p.commit(ctx, sub, n); err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// commit writes the first n events of sub.
func (p *paper) commit(ctx context.Context, sub *eventlog.Submission, n int) error {
	site, ok := p.cfg.Site()
	if !ok {
		return fmt.Errorf("demo: site %q is gone", SiteID)
	}
	whole := sub.Events
	defer func() { sub.Events = whole }()
	sub.Site, sub.Events = site, whole[:n]
	err := p.again(ctx, func() error { return p.cfg.Committer.Commit(ctx, sub) })
	if err != nil {
		return err
	}
	p.until = max(p.until, whole[n-1].Time)
	return nil
}

// present writes each event when it happens.
func (p *paper) present(ctx context.Context) error {
	sub := &eventlog.Submission{Events: make([]event.Event, 1)}
	e := &sub.Events[0]
	for {
		published := p.sim.Next(e)
		if d := time.UnixMilli(e.Time).Sub(p.cfg.Now()); d > 0 && !wait(ctx, d) {
			return nil
		}
		if err := p.publish(ctx, published); err != nil {
			return err
		}
		if err := p.commit(ctx, sub, 1); err != nil {
			return err
		}
		if e.Time-p.saved > time.Minute.Milliseconds() {
			if err := p.save(); err != nil {
				p.cfg.Logger.Warn("demo: how far the newspaper was written is not remembered", "error", err)
			}
		}
	}
}

// save remembers how far the newspaper was written.
func (p *paper) save() error {
	p.saved = p.until
	text, err := json.Marshal(state{Until: p.until})
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
