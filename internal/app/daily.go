package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/store"
)

// Kinds of facts that are the process's own.
const (
	// factSnapshot lists the log days that hold all facts: days since 1970.
	factSnapshot = "snapshot"
	// factTick only moves log time; it has no value.
	factTick = "tick"
)

// upkeep is the work that recurs, owned by one goroutine: the facts go into
// the log once a day, days of the log that nothing needs are dropped, log time
// moves on while nobody writes, checkpoints are made, what erased readers held
// is dropped, and what expired leaves the database.
type upkeep struct {
	engine *engine.Engine
	facts  *factGate
	log    keptLog
	store  store.Store
	now    func() time.Time
	logger *slog.Logger
	swept  time.Time
	purged time.Time
}

// keptLog is what is kept of the log. *eventlog.Log is one.
type keptLog interface {
	First() event.Position
	DropBefore(day int) error
}

const (
	// keepBeyond is how much longer than the longest window the log is kept.
	keepBeyond = 49 * time.Hour
	// tickAfter is how long log time may stand still.
	tickAfter  = 10 * time.Minute
	checkEvery = 30 * time.Second
	dayMillis  = 24 * 3600_000
	// snapshotBytes is about what one commit of the snapshot takes; writers of
	// facts wait for it.
	snapshotBytes = 64 << 10
	// purgeEvery is how often what erased readers held is dropped, if any was
	// erased: well within the day that their receipts name.
	purgeEvery = 20 * time.Hour
)

// run works until ctx ends.
func (u *upkeep) run(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		u.step(ctx, "daily work", u.daily)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			u.step(ctx, "checkpoint", u.engine.Checkpoint)
		case <-u.engine.CheckpointDue():
			u.step(ctx, "checkpoint", u.engine.Checkpoint)
		}
	}
}

func (u *upkeep) step(ctx context.Context, name string, do func(context.Context) error) {
	if err := do(ctx); err != nil && ctx.Err() == nil {
		u.logger.Warn(name+" failed and will be tried again", "error", err)
	}
}

// daily does what is due.
func (u *upkeep) daily(ctx context.Context) error {
	now := u.now()
	if now.Sub(u.swept) > time.Hour {
		u.swept = now
		if err := u.store.Sweep(ctx, now.UnixMilli()); err != nil {
			return fmt.Errorf("sweep database: %w", err)
		}
	}
	if u.engine.Erasures() > 0 && now.Sub(u.purged) > purgeEvery {
		if err := u.engine.Purge(ctx); err != nil {
			return err
		}
		u.purged = now
	}
	if len(u.engine.Sites()) == 0 {
		return nil
	}
	if now.Sub(time.UnixMilli(u.engine.LogTime())) >= tickAfter {
		if _, err := u.facts.CommitFacts(ctx, event.Fact{Kind: factTick}); err != nil {
			return fmt.Errorf("tick: %w", err)
		}
	}
	days := u.snapshots()
	today := int(max(now.UnixMilli(), u.engine.LogTime()) / dayMillis)
	if len(days) == 0 || days[len(days)-1] < today {
		if err := u.snapshot(ctx); err != nil {
			return fmt.Errorf("write facts into the log: %w", err)
		}
		days = u.snapshots()
	}
	return u.drop(days)
}

// snapshots returns the log days that begin with all facts, oldest first.
func (u *upkeep) snapshots() []int {
	text, ok := u.engine.Fact(factSnapshot, "", "days")
	if !ok {
		return nil
	}
	var days []int
	if json.Unmarshal(text, &days) != nil {
		return nil
	}
	return days
}

// snapshot writes every fact into the log again, a few at a time, so that who
// writes others does not wait long.
func (u *upkeep) snapshot(ctx context.Context) error {
	begin := u.now()
	_, err := u.facts.CommitRead(ctx, func() (event.Fact, bool, error) {
		f, err := u.engine.BeginSnapshot(ctx)
		return f, true, err
	})
	if err != nil {
		return err
	}
	var keys []event.Fact // without values
	err = u.engine.EachFact(func(f event.Fact) error {
		if f.Kind != factTick && f.Kind != factSnapshot {
			f.Value = nil
			keys = append(keys, f)
		}
		return nil
	})
	if err != nil {
		return err
	}
	count := len(keys)
	for len(keys) > 0 {
		n, err := u.rewrite(ctx, keys)
		if err != nil {
			return err
		}
		keys = keys[n:]
	}
	write := func(f event.Fact) error {
		count++
		_, err := u.facts.CommitFacts(ctx, f)
		return err
	}
	for _, site := range u.engine.Sites() {
		if err := u.readers(ctx, site.ID, write); err != nil && !errors.Is(err, engine.ErrUnknownSite) { // it was removed since
			return err
		}
	}
	// The day is the one it was begun on by the log: a snapshot over midnight
	// must not stand for the day after.
	days := append(u.snapshots(), int(begin.UnixMilli()/dayMillis))
	if today := int(u.engine.LogTime() / dayMillis); days[len(days)-1] < today && u.now().UnixMilli()/dayMillis < int64(today) {
		days[len(days)-1] = today // the clock was set back; log time stands
	}
	slices.Sort(days)
	days = slices.Compact(days)
	if len(days) > 500 {
		days = days[len(days)-500:]
	}
	value, err := json.Marshal(days)
	if err != nil {
		return err
	}
	position, err := u.facts.CommitFacts(ctx, event.Fact{Kind: factSnapshot, Key: "days", Value: value})
	if err != nil {
		return err
	}
	if err := u.engine.Wait(ctx, position); err != nil {
		return err
	}
	u.logger.Info("facts are in the log again", "facts", count, "took", u.now().Sub(begin))
	return nil
}

// readers writes when the readers of a site were first seen, which accounts were
// proven on which devices, and what meters have burned of them.
func (u *upkeep) readers(ctx context.Context, site string, write func(event.Fact) error) error {
	u.facts.erasing.RLock()
	defer u.facts.erasing.RUnlock()
	if err := u.engine.EachSeen(ctx, site, snapshotBytes, write); err != nil {
		return err
	}
	if err := u.engine.EachPair(ctx, site, snapshotBytes, write); err != nil {
		return err
	}
	return u.engine.EachBurns(ctx, site, snapshotBytes, func(read func() (event.Fact, bool, error)) error {
		_, err := u.facts.CommitRead(ctx, read)
		return err
	})
}

// rewrite writes the first few of the keys with the values they have now and
// returns how many. Nobody else writes facts meanwhile.
func (u *upkeep) rewrite(ctx context.Context, keys []event.Fact) (int, error) {
	u.facts.mu.Lock()
	defer u.facts.mu.Unlock()
	if err := u.engine.Wait(ctx, u.facts.Acked()); err != nil {
		return 0, err
	}
	var out []event.Fact
	n, size := 0, 0
	for ; n < len(keys) && size < snapshotBytes; n++ {
		f := keys[n]
		value, ok := u.engine.Fact(f.Kind, f.Site, f.Key)
		if !ok {
			continue // removed since
		}
		f.Value = value
		size += len(f.Site) + len(f.Key) + len(value) + 48
		out = append(out, f)
	}
	if len(out) == 0 {
		return n, nil
	}
	_, err := u.facts.committer.CommitFacts(ctx, out...)
	return n, err
}

// drop lets go of log days older than the longest window and 49 hours, but
// never beyond the last day that begins with all facts.
func (u *upkeep) drop(snapshots []int) error {
	longest := time.Duration(0)
	for _, site := range u.engine.Sites() {
		longest = max(longest, site.WindowDuration())
	}
	oldest := int((u.engine.LogTime() - (longest + keepBeyond).Milliseconds()) / dayMillis)
	keep := -1
	for _, day := range snapshots {
		if day <= oldest {
			keep = day
		}
	}
	if keep < 0 || u.log.First() == 0 || u.log.First().Day() >= keep {
		return nil
	}
	if err := u.log.DropBefore(keep); err != nil {
		return fmt.Errorf("drop log days before %d: %w", keep, err)
	}
	u.logger.Info("old log days are dropped", "before", time.Unix(int64(keep)*86400, 0).UTC().Format(time.DateOnly))
	return nil
}
