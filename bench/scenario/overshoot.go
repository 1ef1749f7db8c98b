package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/bench/harness"
)

// Overshoot asks for 100 distinct items at once for readers with three left, again
// and again, in each way that a commit comes; and with kill -9 in the midst of
// the commits. Exactly three are burned, and what was answered stays answered.
func Overshoot(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("overshoot", flag.ContinueOnError)
	repetitions := flags.Int("repetitions", 1000, "of 100 commits at once")
	kills := flags.Int("kills", 100, "in the midst of the commits of four readers")
	seed := flags.Uint64("seed", 1, "of the moments of the kills")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	s, err := harness.Start(ctx, harness.Options{Dir: filepath.Join(dir, "data")})
	if err != nil {
		return err
	}
	defer func() { s.Kill() }()
	if _, err := s.CreateSite(ctx, newsSite); err != nil {
		return err
	}
	if err := s.Call(ctx, http.MethodPut, "/v1/sites/news/program", map[string]any{"files": map[string]string{"main": overshootProgram}}, nil); err != nil {
		return err
	}
	fmt.Fprintf(w, "A meter of 5, two items read, %d commits for distinct items at once. %s.\n\n", overshootItems, Machine())
	if err := overshootParallel(ctx, w, s, *repetitions); err != nil {
		return err
	}
	if s, err = overshootKilled(ctx, w, s, *kills, rand.New(rand.NewPCG(*seed, 0x0b0e))); err != nil {
		return err
	}
	return s.Stop()
}

const (
	overshootItems = 100
	overshootLeft  = 3
	// The deadline is no part of what is asked: a fallback answers without the engine.
	overshootProgram = `
meter monthly (limit: 5) = burns |> per month |> distinct item
access story (deadline: 10s) {
  allow again   if item in monthly
  allow metered if monthly.left > 0 burns monthly
  deny  wall
}`
)

// overshootWays are the ways in which commits come.
var overshootWays = [...]string{"decided and committed in one, main listener", "the same, fast listener", "decided, then committed by id"}

// overshootParallel repeats 100 commits at once, in one way after the other.
func overshootParallel(ctx context.Context, w io.Writer, s *harness.Server, repetitions int) error {
	var done [len(overshootWays)]struct{ repetitions, exact, burned, stopped int }
	begin := time.Now()
	for n := range repetitions {
		way := n % len(overshootWays)
		r, err := newOvershooter(ctx, s, fmt.Sprintf("parallel-%d", n), way == 2)
		if err != nil {
			return err
		}
		server := s
		if way == 1 {
			server = s.Fast()
		}
		got := r.all(ctx, server, func() {})
		burned, stopped := r.count(got)
		kept, err := r.burned(ctx, s)
		if err != nil {
			return err
		}
		d := &done[way]
		d.repetitions++
		d.burned += burned
		d.stopped += stopped
		if burned == overshootLeft && burned+stopped == overshootItems && len(kept) == 2+overshootLeft {
			d.exact++
		}
	}
	took := time.Since(begin)
	fmt.Fprintf(w, "| commits | repetitions | exactly %d burned | burned | denied or refused |\n|---|---|---|---|---|\n", overshootLeft)
	exact := 0
	for way, d := range done {
		fmt.Fprintf(w, "| %s | %d | **%d** | %s | %s |\n", overshootWays[way], d.repetitions, d.exact, thousands(float64(d.burned)), thousands(float64(d.stopped)))
		exact += d.exact
	}
	fmt.Fprintf(w, "\n%s repetitions in %.0f s.\n\n", thousands(float64(repetitions)), took.Seconds())
	if exact < repetitions {
		return fmt.Errorf("%d of %d repetitions did not burn exactly %d", repetitions-exact, repetitions, overshootLeft)
	}
	return nil
}

// overshootSum counts what became of the commits of killed servers.
type overshootSum struct {
	burned, missing int // answered as burned; of them not there any more
	stopped         int // answered as refused
	changed         int // another commit afterwards than was answered
	open            int // without an answer
	openBurned      int // of them burned all the same
	readers, over   int // over: with more than three
	inexact         int // readers with other than three in the end
}

// overshootKilled kills the server while readers commit, starts it again and looks
// at every id. It returns the server that runs then.
func overshootKilled(ctx context.Context, w io.Writer, s *harness.Server, kills int, random *rand.Rand) (*harness.Server, error) {
	var sum overshootSum
	for n := range kills {
		readers := make([]*overshooter, 4)
		for i := range readers {
			var err error
			if readers[i], err = newOvershooter(ctx, s, fmt.Sprintf("killed-%d-%d", n, i), true); err != nil {
				return s, err
			}
		}
		got := commitAndKill(ctx, s, readers, random, n%2 == 0)
		var err error
		if s, err = s.Restart(ctx); err != nil {
			return s, fmt.Errorf("kill %d: %w", n, err)
		}
		for i, r := range readers {
			if err := r.check(ctx, s, got[i], &sum); err != nil {
				return s, fmt.Errorf("kill %d: %w", n, err)
			}
		}
	}
	fmt.Fprintf(w, "kill -9 at %d moments in the midst of the commits by id of 4 readers, each followed by a restart, a look at every id, and all commits again.\n\n", kills)
	fmt.Fprintf(w, "| readers | with more than %d | answered as burned | of them missing | as refused | answered otherwise afterwards | without an answer | of them burned | readers without exactly %d in the end |\n|---|---|---|---|---|---|---|---|---|\n", overshootLeft, overshootLeft)
	fmt.Fprintf(w, "| %d | **%d** | %s | **%d** | %s | **%d** | %s | %s | **%d** |\n", sum.readers, sum.over, thousands(float64(sum.burned)), sum.missing,
		thousands(float64(sum.stopped)), sum.changed, thousands(float64(sum.open)), thousands(float64(sum.openBurned)), sum.inexact)
	if sum.over+sum.missing+sum.changed+sum.inexact > 0 {
		return s, errors.New("a kill has changed what was answered, or a meter overshot")
	}
	return s, nil
}

// commitAndKill lets readers commit all their items at once and kills the server
// meanwhile: after some answer, or, early on, at some moment.
func commitAndKill(ctx context.Context, s *harness.Server, readers []*overshooter, random *rand.Rand, answered bool) [][]*harness.Decision {
	got := make([][]*harness.Decision, len(readers))
	last, wait := int32(1+random.IntN(len(readers)*overshootItems/2)), time.Duration(random.IntN(3000))*time.Microsecond
	if !answered {
		last, wait = math.MaxInt32, time.Duration(random.IntN(30_000))*time.Microsecond
	}
	var answers atomic.Int32
	var all sync.WaitGroup
	for i, r := range readers {
		all.Go(func() {
			got[i] = r.all(ctx, s, func() {
				if answers.Add(1) == last {
					time.Sleep(wait)
					s.Kill()
				}
			})
		})
	}
	if !answered {
		time.Sleep(wait) // the random moment
		s.Kill()
	}
	all.Wait()
	s.Kill() // if so many answers did not come
	return got
}

// overshooter is a reader with three left, who is about to open 100 items.
type overshooter struct {
	name string
	ids  []string // of bare decisions, by item; nil: decided with the commit
}

// newOvershooter makes a reader: two items are read. With ids every item is shown
// already, and waits for its commit.
func newOvershooter(ctx context.Context, s *harness.Server, name string, ids bool) (*overshooter, error) {
	r := &overshooter{name: name}
	read := []map[string]any{r.question("read-1", true), r.question("read-2", true)}
	if err := s.Call(ctx, http.MethodPost, "/v1/sites/news/decisions", read, nil); err != nil || !ids {
		return r, err
	}
	questions := make([]map[string]any, overshootItems)
	for i := range questions {
		questions[i] = r.question(item(i), false)
	}
	var shown []harness.Decision
	if err := s.Call(ctx, http.MethodPost, "/v1/sites/news/decisions", questions, &shown); err != nil {
		return nil, err
	}
	for i := range shown {
		if shown[i].Decision != "allow" {
			return nil, fmt.Errorf("%s may not read %s: %+v", name, item(i), shown[i])
		}
		r.ids = append(r.ids, shown[i].ID)
	}
	return r, nil
}

func item(i int) string { return fmt.Sprintf("item-%d", i) }

func (r *overshooter) question(item string, commit bool) map[string]any {
	return map[string]any{"access": "story", "reader": map[string]string{"device": r.name}, "item": map[string]string{"id": item}, "commit": commit}
}

// all commits every item at once and calls answered after each answer. Where none
// came the verdict is nil.
func (r *overshooter) all(ctx context.Context, s *harness.Server, answered func()) []*harness.Decision {
	got := make([]*harness.Decision, overshootItems)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			var d *harness.Decision
			var err error
			if r.ids != nil {
				d, err = s.Commit(ctx, "news", r.ids[i])
			} else {
				d, err = s.Decide(ctx, "news", r.question(item(i), true))
			}
			if err == nil {
				got[i] = d
				answered()
			}
		})
	}
	all.Wait()
	return got
}

// count counts verdicts.
func (r *overshooter) count(got []*harness.Decision) (burned, stopped int) {
	for _, d := range got {
		switch {
		case d == nil:
		case d.Committed() == "burned":
			burned++
		case d.Committed() == "denied" || d.Committed() == "refused":
			stopped++
		}
	}
	return burned, stopped
}

// burned returns what the reader's meter has.
func (r *overshooter) burned(ctx context.Context, s *harness.Server) (map[string]bool, error) {
	var export struct{ Burned []struct{ Item string } }
	if err := s.Call(ctx, http.MethodGet, "/v1/sites/news/readers/"+url.PathEscape("device:"+r.name), nil, &export); err != nil {
		return nil, err
	}
	items := map[string]bool{}
	for _, b := range export.Burned {
		items[b.Item] = true
	}
	if len(items) != len(export.Burned) {
		return nil, fmt.Errorf("%s has burned an item twice: %+v", r.name, export.Burned)
	}
	return items, nil
}

// check looks at every commit of a reader whose server was killed, and sends all of
// them again.
func (r *overshooter) check(ctx context.Context, s *harness.Server, before []*harness.Decision, sum *overshootSum) error {
	kept, err := r.burned(ctx, s)
	if err != nil {
		return err
	}
	sum.readers++
	if len(kept) > 2+overshootLeft {
		sum.over++
	}
	for i, d := range before {
		switch {
		case d == nil:
			sum.open++
			if kept[item(i)] {
				sum.openBurned++
			}
			continue
		case d.Committed() == "burned":
			sum.burned++
		default:
			sum.stopped++
		}
		var x struct{ Commit *string }
		if err := s.Call(ctx, http.MethodGet, "/v1/sites/news/decisions/"+r.ids[i], nil, &x); err != nil {
			return err
		}
		switch burned := d.Committed() == "burned"; {
		case x.Commit != nil && *x.Commit == d.Committed() && kept[item(i)] == burned:
		case burned:
			sum.missing++
		default:
			sum.changed++
		}
	}
	after := r.all(ctx, s, func() {})
	for i, d := range after {
		if d == nil {
			return fmt.Errorf("no answer about %s of %s", item(i), r.name)
		}
		if before[i] != nil && before[i].Committed() != d.Committed() {
			sum.changed++
		}
	}
	if burned, stopped := r.count(after); burned != overshootLeft || burned+stopped != overshootItems {
		sum.inexact++
	}
	return nil
}
