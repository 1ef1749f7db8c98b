package scenario

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/bench/harness"
)

// liveArray is how many commits are asked for in one request.
const liveArray = 100

// liveSite is a site for replays whose commits are made by the clicks' own times.
const liveSite = `{"id":"live","domains":["globo.example"],"timezone":"UTC","window":"30d","clock":"event"}`

// Live decides and commits every click of the click log, in arrays in time order,
// and compares with the simulation of the same program over the same clicks.
func Live(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("live", flag.ContinueOnError)
	events := flags.Int("events", 1_539_265, "clicks; by default all of the log")
	if err := flags.Parse(args); err != nil {
		return err
	}
	clicks, source, err := Clicks(*events)
	if err != nil {
		return err
	}
	s, stop, err := clickServer(ctx, clickSite, clicks)
	if err != nil {
		return err
	}
	defer stop()
	program := harness.MeterProgram(5, "month")
	want, err := s.Simulate(ctx, "clicks", map[string]any{"program": program})
	if err != nil {
		return err
	}
	if _, err := s.CreateSite(ctx, liveSite); err != nil {
		return err
	}
	if err := s.Call(ctx, "PUT", "/v1/sites/live/program", map[string]any{"files": map[string]string{"main": program}}, nil); err != nil {
		return err
	}
	start := time.Now()
	got, err := decideAll(ctx, s, clicks)
	if err != nil {
		return err
	}
	took := time.Since(start).Seconds()
	fmt.Fprintf(w, "%s decisions with commit (%s), in arrays of %d in time order, over one connection. %s.\n\n", thousands(float64(len(clicks))), source, liveArray, Machine())
	fmt.Fprint(w, "| 5 articles per month | allowed | of them again | denied | readers denied |\n|---|---|---|---|---|\n")
	row := func(name string, f liveFigures) {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", name, thousands(float64(f.allowed)), thousands(float64(f.again)), thousands(float64(f.denied)), thousands(float64(f.readers)))
	}
	simulated := liveFigures{want.Allowed, want.ByClause["again"], want.Denied, want.ReadersDenied}
	row("decided live", got)
	row("simulated", simulated)
	fmt.Fprintf(w, "\n%.0f s, %s durable decisions/s.\n", took, thousands(float64(len(clicks))/took))
	if got != simulated {
		return fmt.Errorf("decided live: %+v, simulated: %+v", got, simulated)
	}
	return s.Stop()
}

// liveFigures are what a meter came to.
type liveFigures struct{ allowed, again, denied, readers int }

// decideAll commits the clicks, which are in time order.
func decideAll(ctx context.Context, s *harness.Server, clicks []dataset.Click) (f liveFigures, err error) {
	denied := map[string]bool{}
	for len(clicks) > 0 {
		n := min(liveArray, len(clicks))
		body := make([]map[string]any, n)
		for i, c := range clicks[:n] {
			body[i] = map[string]any{"access": "story", "reader": map[string]any{"device": strconv.Itoa(int(c.Reader))},
				"item": map[string]any{"id": strconv.Itoa(int(c.Item))}, "time": c.Time, "commit": true}
		}
		var out []harness.Decision
		if err := s.Call(ctx, "POST", "/v1/sites/live/decisions", body, &out); err != nil {
			return f, err
		}
		for i := range out {
			d := &out[i]
			switch {
			case d.Fallback:
				return f, fmt.Errorf("a decision about reader %s is a fallback", d.Reader)
			case d.Decision == "allow":
				f.allowed++
				if d.Clause == "again" {
					f.again++
				}
			default:
				f.denied++
				denied[d.Reader] = true
			}
		}
		clicks = clicks[n:]
	}
	f.readers = len(denied)
	return f, nil
}
