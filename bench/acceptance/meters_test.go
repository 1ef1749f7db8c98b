package acceptance

import (
	"context"
	"fmt"

	"github.com/cucumber/godog"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/bench/harness"
)

func (w *world) registerMeters(sc *godog.ScenarioContext) {
	sc.When(`^a meter of (\d+) articles per (day|month) in "([^"]*)" is simulated$`, w.simulateMeter)
	sc.When(`^a meter of (\d+) articles per month is simulated against one of (\d+)$`, w.simulateAgainst)
	sc.Then(`^reads allowed and denied, reads again and readers denied are those of the reference$`, w.meterIs)
	sc.Then(`^the readers newly denied are those that the reference has more of$`, w.newlyDenied)
	sc.When(`^the site has the segments of the reference$`, w.putSegments)
	sc.Then(`^their sizes at 2017-10-09T00:00Z are those of the reference$`, w.segmentSizes)
}

// simulated is a simulation and what it is compared with.
type simulated struct {
	meters [2]string // as the reference names them
	got    harness.Simulation
}

func (w *world) simulateMeter(ctx context.Context, limit int, period, zone string) (err error) {
	w.simulated.meters[0] = dataset.MeterName(limit, period, zone)
	w.simulated.got, err = w.server.Simulate(ctx, w.site, map[string]any{"program": harness.MeterProgram(limit, period), "access": "story", "timezone": zone})
	return err
}

func (w *world) simulateAgainst(ctx context.Context, limit, other int) (err error) {
	w.simulated.meters = [2]string{dataset.MeterName(limit, "month", "UTC"), dataset.MeterName(other, "month", "UTC")}
	w.simulated.got, err = w.server.Simulate(ctx, w.site, map[string]any{"program": harness.MeterProgram(limit, "month"), "against": harness.MeterProgram(other, "month")})
	return err
}

func (w *world) meterIs() error {
	ref, err := dataset.LoadReference()
	if err != nil {
		return err
	}
	want, ok := ref.Meters[w.simulated.meters[0]]
	if !ok {
		return fmt.Errorf("the reference has no %s", w.simulated.meters[0])
	}
	s := &w.simulated.got
	if got := (dataset.Metered{Allowed: s.Allowed, Again: s.ByClause["again"], Denied: s.Denied, ReadersDenied: s.ReadersDenied}); got != want {
		return fmt.Errorf("%s: %+v, want %+v", w.simulated.meters[0], got, want)
	}
	if s.Decisions != ref.Events || s.Allowed+s.Denied != s.Decisions {
		return fmt.Errorf("%d decisions, %d allowed and %d denied of %d clicks", s.Decisions, s.Allowed, s.Denied, ref.Events)
	}
	return nil
}

func (w *world) newlyDenied() error {
	ref, err := dataset.LoadReference()
	if err != nil {
		return err
	}
	more := ref.Meters[w.simulated.meters[0]].ReadersDenied - ref.Meters[w.simulated.meters[1]].ReadersDenied
	if s := &w.simulated.got; s.NewlyDenied != more || s.NoLongerDenied != 0 {
		return fmt.Errorf("%d readers newly denied and %d no longer, want %d and 0", s.NewlyDenied, s.NoLongerDenied, more)
	}
	return nil
}

func (w *world) putSegments(ctx context.Context) error {
	return w.server.Call(ctx, "PUT", "/v1/sites/"+w.site+"/program", map[string]any{"files": map[string]string{"main": `
let reads = events |> where type == "page_view" |> last 7d
segment engaged = reads |> distinct item |> count >= 10
segment regular = reads |> distinct day |> count >= 4
access story { allow everyone }`}}, nil)
}

func (w *world) segmentSizes(ctx context.Context) error {
	ref, err := dataset.LoadReference()
	if err != nil {
		return err
	}
	for name, want := range map[string]int{"engaged": ref.Segments.Engaged, "regular": ref.Segments.Regular} {
		var got struct{ Size int }
		if err := w.server.Call(ctx, "GET", "/v1/sites/"+w.site+"/segments/"+name+"?at=2017-10-09T00:00:00Z", nil, &got); err != nil {
			return err
		}
		if got.Size != want || want == 0 {
			return fmt.Errorf("segment %s: %d readers, want %d", name, got.Size, want)
		}
	}
	return nil
}
