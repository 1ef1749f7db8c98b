package acceptance

import (
	"context"
	"errors"
	"fmt"

	"github.com/cucumber/godog"

	"github.com/readership/readership/bench/harness"
)

func (w *world) registerPrograms(sc *godog.ScenarioContext) {
	sc.Then(`^a limit of (\d+) instead of (\d+) would newly stop (\d+) readers?$`, w.preview)
	sc.Then(`^the arms of (\d+) devices are the same after each signs in$`, w.arms)
}

// preview simulates a lower limit over the site's window.
func (w *world) preview(ctx context.Context, limit, now, stopped int) error {
	s, err := w.server.Simulate(ctx, w.site, map[string]any{"program": harness.MeterProgram(limit, "month"), "against": harness.MeterProgram(now, "month")})
	if err == nil && (s.NewlyDenied != stopped || s.NoLongerDenied != 0) {
		err = fmt.Errorf("%d readers newly denied and %d no longer", s.NewlyDenied, s.NoLongerDenied)
	}
	return err
}

// arms asks for each device before and after it signs in: the program's clauses
// say which arm it is in.
func (w *world) arms(ctx context.Context, devices int) error {
	if err := w.moveTo(ctx, w.site, "2024-03-01 10:00"); err != nil {
		return err
	}
	seen := map[string]int{}
	for i := range devices {
		device := fmt.Sprintf("device-%d", i)
		row := cells{"reader": device, "item": "a1"}
		if err := w.ask(ctx, w.site, row, true); err != nil {
			return err
		}
		arm := w.decided.Clause
		if err := w.signIn(ctx, device, "of-"+device); err != nil {
			return err
		}
		if err := w.ask(ctx, w.site, row, true); err != nil {
			return err
		}
		if w.decided.Clause != arm || w.decided.Reader != "account:of-"+device {
			return fmt.Errorf("%s is in %s, and as %s in %s", device, arm, w.decided.Reader, w.decided.Clause)
		}
		seen[arm]++
	}
	if len(seen) < 2 {
		return errors.New("all devices are in one arm")
	}
	return nil
}
