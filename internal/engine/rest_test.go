package engine

import (
	"context"
	"encoding/json"
	"runtime"
	"testing"

	"github.com/readership/readership/internal/event"
)

// TestTakesNoTurnWithOldFacts: who has read the facts does not take the turn of a
// shard that has applied a message since, nor while another has it.
func TestTakesNoTurnWithOldFacts(t *testing.T) {
	e, err := Open(Config{Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	seq := uint64(0)
	send := func(facts ...event.Fact) {
		at := sendFacts(t, e, &seq, facts...)
		if err := e.Wait(context.Background(), at); err != nil {
			t.Fatal(err)
		}
	}
	site, err := json.Marshal(event.Site{ID: "news"}.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	send(event.Fact{Kind: event.FactSite, Site: "news", Key: "news", Value: site})
	title := func(text string) event.Fact {
		return event.Fact{Kind: event.FactItem, Site: "news", Key: "a1", Value: []byte(`{"title":"` + text + `"}`)}
	}
	send(title("old"))

	said := ""
	s := e.shards[0]
	ask := func() (*turn, uint64) {
		q := &turn{engine: e, site: "news", own: "d1", reader: newReader("device:d1", "d1"), fn: func(r *Reader, err error) {
			if err != nil {
				t.Error(err)
				return
			}
			item, _ := r.Items.Item("a1")
			said = item.Title
		}}
		dispatched, rests := e.rests()
		for !rests { // the dispatcher is not quite through with the message
			runtime.Gosched()
			dispatched, rests = e.rests()
		}
		q.dispatch()
		return q, dispatched
	}
	q, dispatched := ask()
	send(title("new"))
	if q.take(s, Few{1, 1}, dispatched) {
		t.Errorf("a turn was taken with the item %q of before the message", said)
	}
	q, dispatched = ask()
	s.turn.Lock()
	if q.take(s, Few{1, 1}, dispatched) {
		t.Error("a turn was taken that another has")
	}
	s.turn.Unlock()
	if !q.take(s, Few{1, 1}, dispatched) || said != "new" {
		t.Errorf("at rest no turn was taken, or with the item %q", said)
	}
}

// TestTakesNoTurnWithNewFacts: who comes when the dispatcher is through with a message
// and its shard has not begun, while Apply has not returned, does not take the turn.
func TestTakesNoTurnWithNewFacts(t *testing.T) {
	e, err := Open(Config{Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := e.shards[0]
	held, hold := make(chan struct{}), make(chan struct{})
	s.in <- work{command: func(s *shard) { // its goroutine has no processor, and the turn is nobody's
		s.turn.Unlock()
		close(held)
		<-hold
		s.turn.Lock()
	}}
	<-held
	site, err := json.Marshal(event.Site{ID: "news"}.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	var enc event.Encoder
	enc.Reset(1_774_602_000_000)
	enc.AddFact(event.Fact{Kind: event.FactSite, Site: "news", Key: "news", Value: site})
	at := event.MakePosition(20000, 0, 1)
	before := e.dispatched.Load()
	e.room <- struct{}{}
	if err := e.enqueue(item{position: at, raw: enc.AppendTo(nil)}); err != nil { // as Apply does, up to its last line
		t.Fatal(err)
	}
	for e.dispatched.Load() != before+2 {
		runtime.Gosched()
	}
	if _, rests := e.rests(); rests {
		t.Error("the engine is said to rest with a message that its shard has not applied")
	}
	e.queued.Store(uint64(at))
	close(hold)
	if err := e.Wait(context.Background(), at); err != nil {
		t.Fatal(err)
	}
}
