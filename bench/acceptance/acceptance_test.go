// Package acceptance runs the features of the repository's features folder
// against a real server. Scenarios whose data is not on this machine are
// skipped and say so.
package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cucumber/godog"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/bench/harness"
)

func TestFeatures(t *testing.T) {
	top, err := harness.Top()
	if err != nil {
		t.Fatal(err)
	}
	shared, built := &sharedServer{dir: t.TempDir()}, t.TempDir()
	shared.halting = sync.OnceValues(func() (string, error) {
		return harness.BuildChanged(context.Background(), built, harness.Halting...)
	})
	defer shared.stop()
	suite := godog.TestSuite{
		ScenarioInitializer: func(sc *godog.ScenarioContext) { newWorld(t, shared).register(sc) },
		Options: &godog.Options{Format: "pretty", Paths: []string{filepath.Join(top, "features")}, TestingT: t, Strict: true,
			NoColors: os.Getenv("NO_COLOR") != "" || os.Getenv("CI") != ""},
	}
	if suite.Run() != 0 {
		t.Fatal("features failed")
	}
}

// sharedServer is one server for the scenarios that only read the click log.
type sharedServer struct {
	dir    string
	server *harness.Server
	err    error
	// halting is a server whose engine can stand still; it is built once.
	halting func() (binary string, err error)
}

func (s *sharedServer) stop() {
	if s.server != nil {
		s.server.Kill()
	}
}

// world is the state of one scenario.
type world struct {
	t       *testing.T
	shared  *sharedServer
	server  *harness.Server
	site    string
	output  string // of the last import
	summary summary
	own     bool // the server is this scenario's

	simulated simulated

	places  map[string]*place  // by site
	readers map[[2]string]bool // of a site: who was named
	items   map[[2]string]bool // of a site: what was asked for
	links   map[string]string  // tokens
	devices map[string]string  // tokens
	stored  map[string]any     // the answer to the last program
	decided struct {
		*harness.Decision // the last
		text              json.RawMessage
		site              string
		err               error
	}
	parallel atOnce
	edge     edge
	binary   string   // of the scenario's server, if it is not the usual one
	env      []string // of it
	args     []string // of it
	halt     string   // file that makes its engine stand still
}

func newWorld(t *testing.T, shared *sharedServer) *world {
	return &world{t: t, shared: shared, places: map[string]*place{}, readers: map[[2]string]bool{}, items: map[[2]string]bool{},
		links: map[string]string{}, devices: map[string]string{}}
}

func (w *world) register(sc *godog.ScenarioContext) {
	sc.Given(`^a server with a site "([^"]*)" with clock "([^"]*)" in "([^"]*)"$`, w.serverWithSite)
	sc.When(`^the access log "([^"]*)" is imported$`, w.importLog)
	sc.When(`^a renamed and gzipped copy of the access log "([^"]*)" is imported$`, w.importCopy)
	sc.Then(`^(\d+) events are new, (\d+) known and (\d+) rejected$`, w.summaryIs)
	sc.Then(`^the import names line (\d+) as rejected$`, w.namesLine)
	sc.Then(`^the events by "([^"]*)" are$`, w.eventsBy)
	sc.Then(`^the site holds (\d+) events$`, w.holds)
	w.registerClicks(sc)
	w.registerMeters(sc)
	w.registerSite(sc)
	w.registerReaders(sc)
	w.registerDecisions(sc)
	w.registerPrograms(sc)
	w.registerParallel(sc)
	w.registerPages(sc)
	w.registerLinks(sc)
	w.registerRetries(sc)
	w.registerReplay(sc)
	w.registerClock(sc)
	w.registerEdge(sc)
	sc.After(func(ctx context.Context, s *godog.Scenario, err error) (context.Context, error) {
		if err == nil && replayed(s) {
			err = w.sameAfterReplay(ctx)
		}
		if w.own && w.server != nil {
			err = errors.Join(err, w.server.Stop())
		}
		return ctx, err
	})
}

// skipAbsent turns missing data into a skipped scenario.
func skipAbsent(err error) error {
	if errors.Is(err, dataset.ErrAbsent) {
		return errors.Join(godog.ErrSkip, err)
	}
	return err
}
