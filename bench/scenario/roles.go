package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/readership/readership/bench/harness"
)

const rolesProgram = `
meter monthly (limit: 500) = burns |> per month |> distinct item
access story (deadline: 50ms) {
  allow again   if item in monthly
  allow metered if monthly.left > 0 burns monthly
  deny  wall    offers plans
}
access closed (deadline: 50ms, fails: closed) { allow all }
`

// Roles runs edge and engine as two processes on a nats-server, stops the engine with
// SIGSTOP and kills it under load, and looks how fast pages go on by their blocks'
// policies, and whether anything that was acknowledged is missing.
func Roles(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("roles", flag.ContinueOnError)
	span := flags.Duration("span", 6*time.Second, "of each phase")
	rate := flags.Float64("rate", 1000, "decisions with commit a second")
	events := flags.Float64("events", 2000, "single events a second")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	r, err := startRoles(ctx, dir)
	if err != nil {
		return err
	}
	defer r.kill()
	fmt.Fprintf(w, "Edge and engine as two processes, the log on a nats-server (`sync_interval: always`), all on one machine: %s. "+
		"%.0f single events a second; beside them %.0f decisions a second with commit, half of them of a block that fails closed; deadline 50 ms.\n\n",
		Machine(), *events, *rate)
	fmt.Fprintln(w, "| engine | decisions | answered by the policy | p50 | p99 | slowest | events taken | refused | other answers |\n|---|---|---|---|---|---|---|---|---|")
	phase := func(name string, away bool) error {
		p := r.phase(ctx, *span, *rate, *events)
		p.print(w, name)
		return p.check(name, away)
	}
	if err := phase("there", false); err != nil {
		return err
	}
	if err := r.engine.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err = phase("stopped (SIGSTOP)", true)
	if err := r.engine.Process.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	stopped := r.back(ctx)
	if err := errors.Join(err, phase("there again", false)); err != nil {
		return err
	}
	r.engine.Kill()
	if err := phase("killed (SIGKILL)", true); err != nil {
		return err
	}
	if r.engine, err = r.engine.Restart(ctx); err != nil {
		return err
	}
	killed := r.back(ctx)
	if err := phase("started again", false); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nDecisions by the engine again %d ms after SIGCONT, %d ms after the new process was ready (it took %.1f s).\n\n",
		stopped.Milliseconds(), killed.Milliseconds(), r.engine.ReadyIn.Seconds())
	return r.count(ctx, w)
}

// roles are the processes and what they have acknowledged.
type roles struct {
	nats         *harness.NATS
	engine, edge *harness.Server
	key          string
	begin        time.Time
	phases       int

	mu      sync.Mutex
	acked   []string // ids of events
	commits []string // ids of decisions that the policy answered, with commit
}

func startRoles(ctx context.Context, dir string) (r *roles, err error) {
	r = &roles{begin: time.Now()}
	for _, name := range []string{"nats", "engine", "edge"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return nil, err
		}
	}
	if r.nats, err = harness.StartNATS(filepath.Join(dir, "nats")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.kill()
		}
	}()
	env := []string{"READERSHIP_NATS_URL=" + r.nats.URL}
	if r.engine, err = harness.Start(ctx, harness.Options{Dir: filepath.Join(dir, "engine"), Env: env, Args: []string{"--role", "engine,api,worker"}}); err != nil {
		return r, err
	}
	if r.edge, err = harness.Start(ctx, harness.Options{Dir: filepath.Join(dir, "edge"), Env: env, Args: []string{"--role", "edge", "--address-rate", "0", "--device-rate", "0"}}); err != nil {
		return r, err
	}
	if r.key, err = r.engine.CreateSite(ctx, newsSite); err != nil {
		return r, err
	}
	err = r.engine.Call(ctx, http.MethodPut, "/v1/sites/news/program", map[string]any{"files": map[string]string{"main": rolesProgram}}, nil)
	r.back(ctx)
	return r, err
}

func (r *roles) kill() {
	for _, s := range []*harness.Server{r.edge, r.engine} {
		if s != nil {
			s.Process.Signal(syscall.SIGCONT)
			s.Kill()
		}
	}
	r.nats.Kill()
}

// back waits until the engine decides again, and says how long it took.
func (r *roles) back(ctx context.Context) time.Duration {
	begin := time.Now()
	for ctx.Err() == nil {
		d, err := r.edge.Fast().Decide(ctx, "news", rolesAsk("story", "probe", "a", false))
		if err == nil && !d.Fallback {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(begin)
}

func rolesAsk(access, device, item string, commit bool) map[string]any {
	return map[string]any{"access": access, "reader": map[string]any{"device": device}, "item": map[string]any{"id": item}, "commit": commit}
}

// rolesPhase is what was seen in one phase.
type rolesPhase struct {
	took           []time.Duration // of decisions, sorted
	fallbacks      int
	wrong          int // allowed though closed, or denied though open
	failed         int
	events         int
	refused, bare  int
	others, broken int
}

// phase sends events and asks for decisions for a while.
func (r *roles) phase(ctx context.Context, span time.Duration, rate, events float64) *rolesPhase {
	r.phases++
	p := &rolesPhase{}
	var wg sync.WaitGroup
	wg.Go(func() {
		id := func(n uint64) string { return fmt.Sprintf("p%d-%d", r.phases, n) }
		var acked []string
		report, err := harness.Load{Addr: r.edge.CollectAddr, WriteKey: r.key, Connections: 16, Rate: events, Duration: span,
			Body: func(dst []byte, n uint64, _ int) []byte { return appendCrashEvents(dst, []string{id(n)}) },
			Answered: func(n uint64, a harness.Answer) {
				if a.Status == http.StatusOK {
					acked = append(acked, id(n))
				}
			}}.Run(ctx)
		if err != nil {
			p.broken++
			return
		}
		p.events, p.refused, p.bare, p.others, p.broken = len(acked), len(report.Refused), report.RefusedBare, report.Others, report.Broken
		r.acked = append(r.acked, acked...)
	})
	wg.Go(func() { r.ask(ctx, p, span, rate) })
	wg.Wait()
	slices.Sort(p.took)
	return p
}

// ask asks for decisions at a rate, whatever the answers.
func (r *roles) ask(ctx context.Context, p *rolesPhase, span time.Duration, rate float64) {
	fast := r.edge.Fast()
	var number atomic.Uint64
	begin := time.Now()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for ctx.Err() == nil {
				n := number.Add(1)
				due := begin.Add(time.Duration(float64(n) / rate * 1e9))
				if due.Sub(begin) > span {
					return
				}
				time.Sleep(time.Until(due))
				access := "story"
				if n%2 == 0 {
					access = "closed"
				}
				device := fmt.Sprintf("r%d-%d", r.phases, n%5000)
				sent := time.Now()
				d, err := fast.Decide(ctx, "news", rolesAsk(access, device, fmt.Sprint("item", n%97), true))
				r.note(p, access, d, err, time.Since(sent))
			}
		})
	}
	wg.Wait()
}

func (r *roles) note(p *rolesPhase, access string, d *harness.Decision, err error, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		p.failed++
		return
	}
	p.took = append(p.took, took)
	if !d.Fallback {
		return
	}
	p.fallbacks++
	if (access == "closed") != (d.Decision == "deny") {
		p.wrong++
	}
	r.commits = append(r.commits, d.ID)
}

func (p *rolesPhase) print(w io.Writer, name string) {
	ms := func(q float64) string {
		return fmt.Sprintf("%.1f ms", float64(harness.Quantile(p.took, q).Microseconds())/1000)
	}
	fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %d, %d without Retry-After | %d, %d broken |\n", name, thousands(float64(len(p.took))), thousands(float64(p.fallbacks)),
		ms(.5), ms(.99), ms(1), thousands(float64(p.events)), p.refused, p.bare, p.others+p.failed, p.broken)
}

// check says what of the promises is broken.
func (p *rolesPhase) check(name string, away bool) error {
	switch {
	case p.wrong > 0:
		return fmt.Errorf("%s: %d answers are not their block's policy", name, p.wrong)
	case p.failed+p.others+p.broken+p.bare > 0:
		return fmt.Errorf("%s: %d decisions and %d requests with events failed, %d without an answer, %d refusals without Retry-After", name, p.failed, p.others, p.broken, p.bare)
	case len(p.took) == 0 || p.events == 0:
		return fmt.Errorf("%s: nothing was answered", name)
	case away && p.fallbacks != len(p.took):
		return fmt.Errorf("%s: %d of %d decisions were the policy's", name, p.fallbacks, len(p.took))
	}
	return nil
}

// count compares what was acknowledged with what is stored, and looks up what came of
// commits that the policy answered.
func (r *roles) count(ctx context.Context, w io.Writer) error {
	after, err := r.edge.Position(ctx, r.key, string(appendCrashEvents(nil, []string{"last"})))
	if err != nil {
		return err
	}
	stored, err := itemCounts(ctx, r.engine, after, "p", r.begin)
	if err != nil {
		return err
	}
	missing, twice := 0, 0
	for _, id := range r.acked {
		switch stored[id] {
		case 0:
			missing++
		case 1:
		default:
			twice++
		}
	}
	const sample = 500
	asked, decided := 0, 0
	for i := 0; i < len(r.commits); i += max(1, len(r.commits)/sample) {
		var x struct {
			Commit *string `json:"commit"`
		}
		asked++
		if err := r.engine.Call(ctx, http.MethodGet, "/v1/sites/news/decisions/"+r.commits[i], nil, &x); err != nil {
			return fmt.Errorf("what came of a commit: %w", err)
		}
		if x.Commit != nil {
			decided++
		}
	}
	fmt.Fprintf(w, "| acknowledged events | of them missing | stored twice | commits that the policy answered | of %d of them decided when applied |\n|---|---|---|---|---|\n| %s | **%d** | **%d** | %s | %d |\n",
		asked, thousands(float64(len(r.acked))), missing, twice, thousands(float64(len(r.commits))), decided)
	if missing+twice > 0 {
		return errors.New("events were lost or doubled")
	}
	if decided < asked {
		return fmt.Errorf("%d of %d commits were not decided", asked-decided, asked)
	}
	return errors.Join(r.edge.Stop(), r.engine.Stop())
}
