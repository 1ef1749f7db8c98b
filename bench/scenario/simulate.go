package scenario

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/readership/readership/bench/harness"
)

// simulated are the access blocks that are simulated, from what only asks a
// meter to what reads the reader's rows at each decision.
var simulated = []struct{ about, program string }{
	{"5 articles per month", harness.MeterProgram(5, "month")},
	{"5 articles per day", harness.MeterProgram(5, "day")},
	{"5 articles in 24 hours", `meter articles (limit: 5) = burns |> last 24h |> distinct item
access story { allow again if item in articles  allow metered if articles.left > 0 burns articles  deny wall }`},
	{"by segment: 10 for who read 10 articles in 7 days, else 3", `segment engaged = events |> where type == "page_view" |> last 7d |> distinct item |> count >= 10
meter articles (limit: if engaged then 10 else 3) = burns |> per month |> distinct item
access story { allow again if item in articles  allow metered if articles.left > 0 burns articles  deny wall }`},
	{"by the item asked for: not more than 3 views of it a day", `access story {
  deny  often if (events |> where item.id == request.item.id |> per day |> count) > 3
  allow others }`},
}

// Simulate measures simulations over HTTP, from the request to the answer that it
// is done.
func Simulate(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	events := flags.Int("events", 1_500_000, "page views in the window")
	runs := flags.Int("runs", 3, "simulations of each block")
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
	fmt.Fprintf(w, "Simulations of %s page views (%s) over HTTP, every view one decision with commit. %s.\n\n| access block | denied | seconds, median of %d | ns a decision |\n|---|---|---|---|\n",
		thousands(float64(len(clicks))), source, Machine(), *runs)
	for _, b := range simulated {
		var seconds []float64
		var got harness.Simulation
		for range *runs {
			start := time.Now()
			if got, err = s.Simulate(ctx, "clicks", map[string]any{"program": b.program}); err != nil {
				return err
			}
			seconds = append(seconds, time.Since(start).Seconds())
			if got.Decisions != len(clicks) {
				return fmt.Errorf("%d decisions about %d page views", got.Decisions, len(clicks))
			}
		}
		took := median(seconds)
		fmt.Fprintf(w, "| %s | %s | %.2f | %.0f |\n", b.about, thousands(float64(got.Denied)), took, took*1e9/float64(len(clicks)))
	}
	fmt.Fprintf(w, "\nTo reach: 1.5 M decisions of a meter in 3 s on 2 cores.\n")
	return s.Stop()
}
