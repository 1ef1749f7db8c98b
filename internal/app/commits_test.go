package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// three is a Decider that burns up to three items.
type three struct{}

func (three) Commit(c *engine.Commit) (out engine.Outcome) {
	if len(c.Reader.Burns(nil, "m", 0)) < 3 {
		out.Burn = &engine.Burn{Meter: "m", Item: c.Text(event.ColItem), Time: c.Time, Until: c.Time + dayMillis}
	}
	return out
}

// TestParallelCommits: of a hundred commits at once, with three left, three burn,
// through the committer and the log, and in a replay. At a site with clock
// "event" they move its clock, and no further than an event may.
func TestParallelCommits(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	log, err := eventlog.Open(eventlog.Config{Dir: t.TempDir(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	open := func(shards int) *engine.Engine {
		e, err := engine.Open(engine.Config{Shards: shards, Decide: func(int) engine.Decider { return three{} }})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := open(2)
	defer func() { _ = e.Close() }()
	committer, err := eventlog.NewCommitter(eventlog.CommitterConfig{Dir: t.TempDir(), Now: time.Now, Logger: quiet}, log, e)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = committer.Close() }()
	if err := committer.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	site := event.Site{ID: "news", Clock: event.ClockEvent}.WithDefaults()
	value, err := json.Marshal(&site)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := committer.CommitFacts(t.Context(), event.Fact{Kind: event.FactSite, Site: "news", Key: "news", Value: value}); err != nil {
		t.Fatal(err)
	}
	began := time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC).UnixMilli()
	commit := func(id string, at int64) *eventlog.Submission {
		ev := event.Event{ID: id, Time: at, Device: "account:7", Flags: event.FlagCommit}
		ev.Columns[event.ColType], ev.Columns[event.ColItem] = event.TypeDecision, id
		s := &eventlog.Submission{Site: &site, Events: []event.Event{ev}}
		if err := committer.Commit(context.Background(), s); err != nil {
			t.Error(err)
		}
		return s
	}
	var all sync.WaitGroup
	for n := range 100 {
		all.Go(func() {
			for range 2 { // sent again, it is known
				commit(fmt.Sprint("item", n), began+int64(n))
			}
		})
	}
	all.Wait()
	if v := commit("far", began+8*dayMillis).Verdicts[0]; v.Outcome != eventlog.Rejected || v.Code != eventlog.CodeTimeJump {
		t.Errorf("a commit eight days on: %+v", v)
	}
	burned := func(e *engine.Engine) (items []string) {
		if err := e.Wait(t.Context(), committer.Acked()); err != nil {
			t.Fatal(err)
		}
		err := e.InTurn(t.Context(), "news", "account:7", func(r *engine.Reader) {
			var rows engine.Rows
			if r.Decisions(1000, &rows); rows.Len() != 100 || r.Now != began+99 {
				t.Errorf("%d decisions as of %d", rows.Len(), r.Now-began)
			}
			r.EachBurn(func(b engine.Burn) { items = append(items, b.Item) })
		})
		if err != nil {
			t.Fatal(err)
		}
		return items
	}
	want := burned(e)
	if len(want) != 3 {
		t.Errorf("%d of 100 have burned", len(want))
	}
	again := open(1)
	defer func() { _ = again.Close() }()
	if err := log.Read(t.Context(), 0, again.Apply); err != nil {
		t.Fatal(err)
	}
	if got := burned(again); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("a replay has %v, want %v", got, want)
	}
}
