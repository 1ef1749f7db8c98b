package simulate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/simulate"
)

// TestRoom: simulations work where there is room and nowhere else, and who does not
// wait for it any more is told so.
func TestRoom(t *testing.T) {
	if n := cap(simulate.NewRoom()); n < 1 || n > 1 && n > runtime.GOMAXPROCS(0)/2 {
		t.Errorf("room on %d of %d cores", n, runtime.GOMAXPROCS(0))
	}
	e, err := engine.Open(engine.Config{Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	site, err := json.Marshal(event.Site{ID: "news", Window: "30d"}.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	var enc event.Encoder
	enc.Reset(start)
	enc.AddFact(event.Fact{Kind: event.FactSite, Site: "news", Key: "news", Value: site})
	const views = 2000
	for i := range views {
		ev := event.Event{Device: fmt.Sprint(i), Time: start}
		ev.Columns[event.ColType], ev.Columns[event.ColItem] = event.TypePageView, "a1"
		enc.Add("news", &ev, 0, 0)
	}
	if err := e.Apply(event.MakePosition(20000, 0, 1), enc.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	view, err := e.Readers(context.Background(), "news", 0)
	if err != nil {
		t.Fatal(err)
	}
	p := rubric.CheckText(map[string]string{event.MainFile: metered}, schema.Default())
	if !p.OK() {
		t.Fatal(p.Render())
	}
	q := simulate.Question{Block: simulate.Block{Program: p.Plan, Access: p.Plan.Accesses[0]}, From: view.From, To: view.Now + 1}

	synctest.Test(t, func(t *testing.T) {
		room := make(simulate.Room, 2)
		room <- struct{}{}
		room <- struct{}{} // others work
		type result struct {
			*simulate.Result
			err error
		}
		run := func(ctx context.Context) <-chan result {
			out := make(chan result, 1)
			go func() {
				r, err := room.Run(ctx, view, q, nil)
				out <- result{r, err}
			}()
			synctest.Wait()
			return out
		}
		ctx, cancel := context.WithCancel(t.Context())
		given, waits := run(ctx), run(t.Context())
		if len(given)+len(waits) > 0 {
			t.Fatal("there was no room")
		}
		cancel()
		if r := <-given; !errors.Is(r.err, context.Canceled) {
			t.Errorf("who does not wait any more: %v", r.err)
		}
		<-room
		if r := <-waits; r.err != nil || r.Decisions != views {
			t.Errorf("with room: %+v, %v", r.Result, r.err)
		}
		if len(room) != 1 {
			t.Errorf("%d are said to work, it is one", len(room))
		}
	})
}

const metered = `meter m (limit: 5) = burns |> per month |> distinct item
access story {
  allow again   if item in m
  allow metered if m.left > 0 burns m
  deny  wall
}`
