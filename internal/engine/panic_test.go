package engine

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/readership/readership/internal/event"
)

// TestPanicsHaveAPlace: what a message does outside of its rows fails at it too,
// so that it can be skipped; a question that panics fails alone.
func TestPanicsHaveAPlace(t *testing.T) {
	ctx := context.Background()
	var logged strings.Builder
	e, err := Open(Config{Shards: 2, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	site, err := json.Marshal(event.Site{ID: "news"}.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	seq := uint64(0)
	send := func(facts ...event.Fact) event.Position { return sendFacts(t, e, &seq, facts...) }
	send(event.Fact{Kind: event.FactSite, Site: "news", Key: "news", Value: site})
	err = e.InTurn(ctx, "news", "device:d1", func(*Reader) { panic("a bug") })
	if !errors.Is(err, ErrPanic) || e.Failure() != nil {
		t.Fatalf("a question that panics: %v, failure %v", err, e.Failure())
	}
	if said := logged.String(); !strings.Contains(said, "a bug") || !strings.Contains(said, "panic_test.go") || strings.Contains(err.Error(), ".go") {
		t.Errorf("the log, not the answer, says where: %q, %v", said, err)
	}
	if err := e.InTurn(ctx, "news", "device:d1", func(*Reader) {}); err != nil {
		t.Fatal(err)
	}
	if err := e.all(ctx, func(s *shard) { s.applier.sites = nil }); err != nil { // a write to it panics
		t.Fatal(err)
	}
	at := send(event.Fact{Kind: event.FactSeen, Site: "news", Value: AppendSeen(nil, "d1", 5)})
	<-e.Failed()
	if got := e.Failure().Position; got != at {
		t.Errorf("failed at %s, want %s", got, at)
	}
}

// sendFacts applies a message of facts, the next of those that seq counts.
func sendFacts(t *testing.T, e *Engine, seq *uint64, facts ...event.Fact) event.Position {
	t.Helper()
	var enc event.Encoder
	enc.Reset(1_774_602_000_000)
	for _, f := range facts {
		enc.AddFact(f)
	}
	*seq++
	at := event.MakePosition(20000, 0, *seq)
	if err := e.Apply(at, enc.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	return at
}
