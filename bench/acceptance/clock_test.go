package acceptance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cucumber/godog"

	"github.com/readership/readership/bench/harness"
)

func (w *world) registerClock(sc *godog.ScenarioContext) {
	sc.Given(`^a server whose own clock says "([^"]*)", with a site "([^"]*)" in "([^"]*)"$`, w.serverAhead)
	sc.When(`^the server starts again at "([^"]*)"$`, w.restartAhead)
	sc.When(`^the server starts again at "([^"]*)", and has done its daily work$`, w.anotherDay)
	sc.Then(`^its log has nothing from before "([^"]*)" any more$`, w.logBeginsOn)
}

// ahead is the environment in which a server's clock begins at a time of a zone.
func ahead(at string, zone *time.Location) ([]string, error) {
	t, err := time.ParseInLocation("2006-01-02 15:04", at, zone)
	if err != nil {
		return nil, err
	}
	return []string{harness.Ahead(time.Until(t))}, nil
}

// serverAhead starts a server with a clock of its own, as the machine's cannot be
// moved.
func (w *world) serverAhead(ctx context.Context, at, site, zone string) error {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return err
	}
	binary, err := harness.BuildChanged(ctx, w.t.TempDir(), harness.Shifted)
	if err != nil {
		return err
	}
	env, err := ahead(at, loc)
	if err != nil {
		return err
	}
	if w.server, err = harness.Start(ctx, harness.Options{Binary: binary, Dir: w.t.TempDir(), Env: env}); err != nil {
		return err
	}
	w.own = true
	return w.addSite(ctx, site, "wall", zone)
}

func (w *world) restartAhead(ctx context.Context, at string) (err error) {
	if err := w.server.Stop(); err != nil {
		return err
	}
	if w.server.Env, err = ahead(at, w.places[w.site].zone); err != nil {
		return err
	}
	w.server, err = w.server.Restart(ctx)
	return err
}

func (w *world) anotherDay(ctx context.Context, at string) error {
	if err := w.restartAhead(ctx, at); err != nil {
		return err
	}
	return w.said(ctx, "facts are in the log again")
}

// logBeginsOn waits for what the server says when it lets go of days.
func (w *world) logBeginsOn(ctx context.Context, day string) error {
	return w.said(ctx, `msg="old log days are dropped" before=`+day)
}

// said waits until the server has written something.
func (w *world) said(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !strings.Contains(w.server.Output(), text) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not say %q:\n%s", text, w.server.Output())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
