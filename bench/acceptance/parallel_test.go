package acceptance

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cucumber/godog"

	"github.com/readership/readership/bench/harness"
)

func (w *world) registerParallel(sc *godog.ScenarioContext) {
	sc.When(`^"([^"]*)" reads (\d+) distinct items at once$`, w.readAtOnce)
	sc.When(`^"([^"]*)" reads "([^"]*)" (\d+) times at once$`, w.readOneAtOnce)
	sc.When(`^"([^"]*)" reads (\d+) distinct items at once and the server is killed in the middle$`, w.readKilled)
	sc.Then(`^exactly (\d+) (?:is|are) burned and (\d+) (denied|again)$`, w.exactly)
	sc.Then(`^what was answered as burned is burned, and of all the (\d+) items (\d+) can be read$`, w.survived)
}

// atOnce is what came of parallel commits, by their place; nil where no answer
// came.
type atOnce struct {
	reader   string
	verdicts []*harness.Decision
}

// distinct are the items of n parallel commits.
func distinct(n int) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf("many-%d", i)
	}
	return items
}

func (w *world) readAtOnce(ctx context.Context, reader string, n int) error {
	return w.readAll(ctx, reader, distinct(n))
}

func (w *world) readOneAtOnce(ctx context.Context, reader, item string, n int) error {
	return w.readAll(ctx, reader, slices.Repeat([]string{item}, n))
}

func (w *world) readAll(ctx context.Context, reader string, items []string) error {
	w.sendAll(ctx, reader, items, func() {})
	for i, d := range w.parallel.verdicts {
		if d == nil {
			return fmt.Errorf("no answer about %s", items[i])
		}
	}
	return nil
}

// sendAll sends commits in parallel and calls answered after each answer.
func (w *world) sendAll(ctx context.Context, reader string, items []string, answered func()) {
	w.parallel = atOnce{reader, make([]*harness.Decision, len(items))}
	at := w.places[w.site].clock
	var wg sync.WaitGroup
	for i, item := range items {
		q := w.question(w.site, cells{"reader": reader, "item": item}, at, true)
		wg.Go(func() {
			d, err := w.server.Decide(ctx, w.site, q)
			if err != nil {
				return // the server is gone
			}
			answered()
			w.parallel.verdicts[i] = d
		})
	}
	wg.Wait()
}

func (w *world) exactly(burned, others int, what string) error {
	got := map[string]int{}
	for _, d := range w.parallel.verdicts {
		got[d.Committed()]++
	}
	n := got[what]
	if what == "denied" {
		n += got["refused"]
	}
	if got["burned"] != burned || n != others {
		return fmt.Errorf("commits came to %v", got)
	}
	return nil
}

// readKilled kills the server as soon as the first commits are answered.
func (w *world) readKilled(ctx context.Context, reader string, n int) (err error) {
	var answers atomic.Int32
	server := w.server
	w.sendAll(ctx, reader, distinct(n), func() {
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
	for i, d := range w.parallel.verdicts {
		if d.Decision == "allow" && d.Committed() != "refused" {
			got++
		}
		if was := before.verdicts[i]; was != nil && was.Committed() == "burned" && d.Committed() != "again" {
			return fmt.Errorf("%s was burned before the kill, and comes to %s after it", distinct(n)[i], d.Committed())
		}
	}
	if got != readable {
		return fmt.Errorf("%d items can be read, want %d", got, readable)
	}
	return nil
}
