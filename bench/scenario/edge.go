package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/bench/harness"
)

// newsSite takes what browsers send.
const newsSite = `{"id":"news","domains":["news.example"],"timezone":"UTC","window":"30d","clock":"wall"}`

// optionsScript makes wrk send preflights, which the fast listener answers
// with 204 without reading anything: what this machine can answer at all.
const optionsScript = `wrk.method = "OPTIONS"
wrk.headers["Origin"] = "https://news.example"
wrk.headers["Access-Control-Request-Method"] = "POST"
`

// Edge measures single-event collection on the fast listener, durable and
// applied, in turn with nginx and Lua that keep nothing.
func Edge(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("edge", flag.ContinueOnError)
	runs := flags.Int("runs", 5, "alternating runs")
	seconds := flags.Int("seconds", 10, "seconds a run")
	connections := flags.Int("connections", 256, "connections")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := need("wrk", "nginx"); err != nil {
		return err
	}
	script, err := dataset.Shared("baseline/event.lua")
	if err != nil {
		return err
	}
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	stop, err := startNginx(ctx, dir)
	if err != nil {
		return err
	}
	defer stop()
	s, err := harness.Start(ctx, harness.Options{Dir: filepath.Join(dir, "data")})
	if err != nil {
		return err
	}
	defer s.Kill()
	key, err := s.CreateSite(ctx, newsSite)
	if err != nil {
		return err
	}
	options := filepath.Join(dir, "options.lua")
	if err := os.WriteFile(options, []byte(optionsScript), 0o644); err != nil {
		return err
	}
	load := wrk{key: key, seconds: *seconds, connections: *connections}
	fmt.Fprintf(w, "Single events, wrk with one thread and %d connections on the same cores, %d s a run. %s.\n\n", *connections, *seconds, Machine())
	fmt.Fprint(w, "| run | nginx+Lua events/s | p99 ms | Readership events/s | p99 ms | ratio | nginx 204/s | Readership 204/s | disk: slowest sync ms, time in syncs over 10 ms |\n|---|---|---|---|---|---|---|---|---|\n")
	var ratios, p99, allocs []float64
	stored := 0.0
	for i := range *runs {
		base, err := load.run(ctx, script, "http://127.0.0.1:9003/events")
		if err != nil {
			return err
		}
		disk, err := watchDisk(dir)
		if err != nil {
			return err
		}
		before, err := mallocs(ctx, s)
		if err != nil {
			return err
		}
		ours, err := load.run(ctx, script, s.CollectURL("/v1/events"))
		if err != nil {
			return err
		}
		after, err := mallocs(ctx, s)
		if err != nil {
			return err
		}
		slowest, stalled, err := disk()
		if err != nil {
			return err
		}
		allocs = append(allocs, (after-before)/ours.requests)
		none, err := load.run(ctx, script, "http://127.0.0.1:9003/none")
		if err != nil {
			return err
		}
		ceiling, err := load.run(ctx, options, s.CollectURL("/v1/events"))
		if err != nil {
			return err
		}
		ratios, p99 = append(ratios, ours.rate/base.rate), append(p99, ours.p99)
		stored += ours.requests
		fmt.Fprintf(w, "| %d | %s | %.1f | %s | %.1f | %.2f | %s | %s | %.0f, %.1f %% |\n", i+1, thousands(base.rate), base.p99,
			thousands(ours.rate), ours.p99, ours.rate/base.rate, thousands(none.rate), thousands(ceiling.rate), slowest, 100*stalled)
	}
	now := time.Now()
	views, err := s.Number(ctx, "news", "page_views", now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Minute).Format(time.RFC3339))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nRatio, median: **%.2f** (to reach: 0.7; aim: 1.0). p99, median: **%.1f ms** (limit: 15). Answered 200: %s, stored and in the next query: %s.\n",
		median(ratios), median(p99), thousands(stored), thousands(views))
	fmt.Fprintf(w, "Allocations of the whole process an event, from request to applied row, median: **%.2f** (aim: 0).\n", median(allocs))
	// wrk drops the answers that are under way when its time is up.
	if views < stored {
		return fmt.Errorf("%.0f events were acknowledged, %.0f are stored", stored, views)
	}
	return s.Stop()
}

// mallocs returns how many objects the server has ever allocated.
func mallocs(ctx context.Context, s *harness.Server) (float64, error) {
	all, err := s.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	for _, name := range []string{"go_memstats_mallocs_total", "go_gc_heap_allocs_objects_total"} {
		if v, ok := all[name]; ok {
			return v, nil
		}
	}
	return 0, errors.New("the server does not say how many objects it allocated")
}

// startNginx runs the baseline from a copy of its folder.
func startNginx(ctx context.Context, dir string) (stop func(), err error) {
	conf, err := dataset.Shared("baseline/nginx.conf")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(conf)
	if err != nil {
		return nil, err
	}
	prefix := filepath.Join(dir, "nginx")
	if err := os.MkdirAll(prefix, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(prefix, "nginx.conf"), text, 0o644); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "nginx", "-p", prefix, "-c", "nginx.conf").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("start nginx: %w\n%s", err, out)
	}
	return func() { exec.Command("nginx", "-p", prefix, "-c", "nginx.conf", "-s", "stop").Run() }, nil
}

// wrk drives an address with a script.
type wrk struct {
	key                  string
	seconds, connections int
}

type wrkReport struct{ requests, rate, p99 float64 }

var (
	wrkRate     = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkRequests = regexp.MustCompile(`(\d+) requests in`)
	wrkP99      = regexp.MustCompile(`99%\s+([\d.]+)(us|ms|s)`)
	wrkBad      = regexp.MustCompile(`Non-2xx or 3xx responses: \d+|Socket errors: .*`)
)

func (k wrk) run(ctx context.Context, script, url string) (r wrkReport, err error) {
	cmd := exec.CommandContext(ctx, "wrk", "-t1", fmt.Sprintf("-c%d", k.connections), fmt.Sprintf("-d%ds", k.seconds), "--latency", "-s", script, url)
	cmd.Env = append(os.Environ(), "WRITE_KEY="+k.key)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return r, fmt.Errorf("wrk %s: %w\n%s", url, err, out)
	}
	if bad := wrkBad.Find(out); bad != nil {
		return r, fmt.Errorf("wrk %s: %s", url, bad)
	}
	number := func(re *regexp.Regexp) float64 {
		m := re.FindSubmatch(out)
		if m == nil {
			err = errors.Join(err, fmt.Errorf("wrk %s: no %s in\n%s", url, re, out))
			return 0
		}
		v, _ := strconv.ParseFloat(string(m[1]), 64)
		if len(m) > 2 {
			v *= map[string]float64{"us": 1e-3, "ms": 1, "s": 1e3}[string(m[2])]
		}
		return v
	}
	r = wrkReport{requests: number(wrkRequests), rate: number(wrkRate), p99: number(wrkP99)}
	return r, err
}
