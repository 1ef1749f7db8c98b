package acceptance

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cucumber/godog"

	"github.com/readership/readership/bench/harness"
)

func (w *world) registerParallel(sc *godog.ScenarioContext) {
	sc.When(`^"([^"]*)" reads (\d+) distinct items at once$`, w.readAtOnce)
	sc.When(`^"([^"]*)" reads (\d+) distinct items at once and the server is killed in the middle$`, w.readKilled)
	sc.Then(`^exactly (\d+) are burned and (\d+) denied$`, w.exactly)
	sc.Then(`^what was answered as burned is burned, and of all the (\d+) items (\d+) can be read$`, w.survived)
}

// atOnce is what came of parallel commits, by item; nil where no answer came.
type atOnce struct {
	reader   string
	verdicts map[string]*harness.Decision
}

func (w *world) readAtOnce(ctx context.Context, reader string, n int) error {
	w.sendAll(ctx, reader, n, func() {})
	for item, d := range w.parallel.verdicts {
		if d == nil {
			return fmt.Errorf("no answer about %s", item)
		}
	}
	return nil
}

// sendAll sends n commits in parallel and calls answered after each answer.
func (w *world) sendAll(ctx context.Context, reader string, n int, answered func()) {
	w.parallel = atOnce{reader, map[string]*harness.Decision{}}
	at := w.places[w.site].clock
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range n {
		row := cells{"reader": reader, "item": fmt.Sprintf("many-%d", i)}
		q := w.question(w.site, row, at, true)
		wg.Go(func() {
			d, err := w.server.Decide(ctx, w.site, q)
			if err != nil {
				d = nil // the server is gone
			} else {
				answered()
			}
			mu.Lock()
			w.parallel.verdicts[row["item"]] = d
			mu.Unlock()
		})
	}
	wg.Wait()
}

func (w *world) exactly(burned, denied int) error {
	got := map[string]int{}
	for _, d := range w.parallel.verdicts {
		got[d.Committed()]++
	}
	if got["burned"] != burned || got["denied"]+got["refused"] != denied {
		return fmt.Errorf("commits came to %v", got)
	}
	return nil
}

// readKilled kills the server as soon as the first commits are answered.
func (w *world) readKilled(ctx context.Context, reader string, n int) (err error) {
	var answers atomic.Int32
	server := w.server
	w.sendAll(ctx, reader, n, func() {
		if answers.Add(1) == int32(min(5, n)) {
			server.Kill()
		}
	})
	w.server, err = server.Restart(ctx)
	return err
}

func (w *world) survived(ctx context.Context, n, readable int) error {
	before := w.parallel
	if err := w.readAtOnce(ctx, before.reader, n); err != nil {
		return err
	}
	got := 0
	for item, d := range w.parallel.verdicts {
		if d.Decision == "allow" && d.Committed() != "refused" {
			got++
		}
		if was := before.verdicts[item]; was != nil && was.Committed() == "burned" && d.Committed() != "again" {
			return fmt.Errorf("%s was burned before the kill, and comes to %s after it", item, d.Committed())
		}
	}
	if got != readable {
		return fmt.Errorf("%d items can be read, want %d", got, readable)
	}
	return nil
}
