package simulate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/readership/readership/internal/simulate"
)

// A site has two jobs at a time and eight that wait, all sites four at a time; a
// job that ends makes room for the next in line.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := simulate.NewQueue[int](time.Now, slog.New(slog.DiscardHandler))
		end := map[string]chan error{}
		submit := func(site, id string) error {
			ended := make(chan error, 1)
			end[id] = ended
			err := q.Submit(site, id, func(ctx context.Context, progress func(float64)) (int, error) {
				progress(0.5)
				select {
				case err := <-ended:
					return len(id), err
				case <-ctx.Done():
					return 0, ctx.Err()
				}
			})
			synctest.Wait()
			return err
		}
		is := func(site, id string, want simulate.State) simulate.Job[int] {
			t.Helper()
			synctest.Wait()
			j, ok := q.Get(site, id)
			if !ok || j.State != want {
				t.Fatalf("%s: %v %v, want %s", id, j, ok, want)
			}
			return j
		}
		for n := range 10 {
			if err := submit("news", fmt.Sprint("n", n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := submit("news", "n10"); !errors.Is(err, simulate.ErrFull) {
			t.Errorf("the eleventh: %v", err)
		}
		if is("news", "n1", simulate.Running).Progress != 0.5 {
			t.Error("progress is not told")
		}
		is("news", "n2", simulate.Queued)
		for site := range 3 {
			if err := submit(fmt.Sprint("s", site), fmt.Sprint("s", site)); err != nil {
				t.Fatal(err)
			}
		}
		is("s1", "s1", simulate.Running)
		is("s2", "s2", simulate.Queued)
		end["n0"] <- nil
		if j := is("news", "n0", simulate.Done); j.Result != 2 || j.Progress != 1 {
			t.Errorf("done: %+v", j)
		}
		is("news", "n2", simulate.Running) // it came before s2
		end["n1"] <- errors.New("broken")
		if j := is("news", "n1", simulate.Failed); j.Err == nil {
			t.Errorf("failed: %+v", j)
		}
		for _, id := range []string{"n2", "n4"} {
			if j, ok := q.Stop("news", id); !ok || j.State != simulate.Stopped {
				t.Errorf("stop %s: %+v", id, j)
			}
		}
		is("news", "n5", simulate.Running)
		is("s2", "s2", simulate.Queued)
		if j, _ := q.Stop("news", "n0"); j.State != simulate.Done {
			t.Errorf("what is done was stopped: %+v", j)
		}
		if _, ok := q.Stop("blog", "n0"); ok {
			t.Error("another site's job was stopped")
		}
		q.Forget("news")
		if _, ok := q.Get("news", "n5"); ok {
			t.Error("a job of a site that is gone is kept")
		}
		is("s2", "s2", simulate.Running)
		end["s0"] <- nil
		is("s0", "s0", simulate.Done)
		time.Sleep(59 * time.Minute)
		is("s0", "s0", simulate.Done)
		time.Sleep(2 * time.Minute)
		if _, ok := q.Get("s0", "s0"); ok {
			t.Error("a result is kept for longer than an hour")
		}
		is("s1", "s1", simulate.Running)
		for n := range 102 {
			id := fmt.Sprint("m", n)
			if err := submit("many", id); err != nil {
				t.Fatal(err)
			}
			end[id] <- nil
			is("many", id, simulate.Done)
		}
		if _, ok := q.Get("many", "m1"); ok {
			t.Error("more than a hundred results of a site are kept")
		}
		is("many", "m2", simulate.Done)
		q.Close()
		is("s1", "s1", simulate.Stopped)
		if err := submit("news", "late"); !errors.Is(err, simulate.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// A job that panics has failed, and makes room like any other.
func TestQueuePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		q := simulate.NewQueue[int](time.Now, slog.New(slog.NewTextHandler(&log, nil)))
		defer q.Close()
		for n := range 5 {
			id := fmt.Sprint(n)
			if err := q.Submit("news", id, func(context.Context, func(float64)) (int, error) { panic("a bug") }); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if j, _ := q.Get("news", id); j.State != simulate.Failed || !strings.Contains(j.Err.Error(), "a bug") {
				t.Errorf("%+v", j)
			}
		}
		if !strings.Contains(log.String(), "a bug") {
			t.Errorf("logged: %q", log.String())
		}
	})
}
