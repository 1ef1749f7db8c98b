package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/readership/readership/bench/harness"
)

// Routes changes the table of routes under load, and kills and starts one of two
// origins meanwhile: no page may fail, and each table is served when its PUT is
// answered.
func Routes(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("routes", flag.ContinueOnError)
	changes := flags.Int("changes", 100, "changes of the table")
	kills := flags.Int("kills", 10, "how often an origin is killed (SIGKILL) and started again")
	connections := flags.Int("connections", 32, "connections")
	lasts := flags.Duration("duration", time.Minute, "`TIME` over which the changes are spread")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := need("nginx"); err != nil {
		return err
	}
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	var addresses [2]string
	var origins [2]*nginxProcess
	for i := range origins {
		if addresses[i], err = harness.FreeAddress(); err != nil {
			return err
		}
		if origins[i], err = startOrigin(dir, addresses[i], "", 1); err != nil {
			return err
		}
		defer func() { origins[i].kill() }()
	}
	s, proxy, _, err := startProxied(ctx, dir)
	if err != nil {
		return err
	}
	defer s.Kill()
	c := &changing{server: s, proxy: proxy, addresses: addresses}
	if err := c.change(ctx, 0); err != nil {
		return err
	}
	loading, stop := context.WithCancel(ctx)
	defer stop()
	type answer struct {
		report *harness.LoadReport
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		r, err := pages(loading, proxy, *connections, 0, time.Hour, func(dst []byte, n uint64) []byte { return page(dst, "/sport/a1", "") })
		done <- answer{r, err}
	}()
	work := c.work(ctx, *changes, *kills, *lasts, origins[0])
	stop()
	load := <-done
	if err := errors.Join(work, load.err); err != nil {
		return err
	}
	slices.Sort(c.took)
	fmt.Fprintf(w, "%d changes of the routes and %d times SIGKILL and start of one of two origins under the load of %d connections for %s. %s.\n\n", *changes, *kills, *connections, *lasts, Machine())
	fmt.Fprint(w, "| pages | answered 200 | failed | p50 ms | p99 ms | slowest ms | PUT of the routes, served when answered: p50 ms | p99 ms |\n|---|---|---|---|---|---|---|---|\n")
	fmt.Fprintf(w, "| %s | %s | 0 | %s | %s | %s | %s | %s |\n", thousands(float64(load.report.Offered)), thousands(float64(len(load.report.Accepted))),
		ms(load.report.Accepted, 0.5), ms(load.report.Accepted, 0.99), ms(load.report.Accepted, 1), ms(c.took, 0.5), ms(c.took, 0.99))
	return s.Stop()
}

// changing changes the routes.
type changing struct {
	server    *harness.Server
	proxy     string
	addresses [2]string
	took      []time.Duration
}

// work spreads all changes evenly over a time, with the kills between them.
func (c *changing) work(ctx context.Context, changes, kills int, lasts time.Duration, victim *nginxProcess) error {
	every := max(1, changes/max(1, kills))
	killed := 0
	due := time.NewTicker(max(1, lasts/time.Duration(max(1, changes))))
	defer due.Stop()
	for n := 1; n <= changes; n++ {
		select {
		case <-due.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if n%every == every/2 && killed < kills {
			victim.kill()
			killed++
		}
		if err := c.change(ctx, n); err != nil {
			return err
		}
		if n%every == 0 && killed > 0 {
			select {
			case <-victim.done: // it is down
				if err := victim.start(c.addresses[0]); err != nil {
					return err
				}
			default:
			}
		}
	}
	return nil
}

// change writes table n and asks at once for what only it has.
func (c *changing) change(ctx context.Context, n int) error {
	a, b := c.addresses[n%2], c.addresses[(n+1)%2]
	table := fmt.Sprintf(`[{"host":"news.example","origins":[{"url":"http://%s","weight":%d},{"url":"http://%s","weight":%d}]},`+
		`{"host":"news.example","path":"/only/%d","origins":[{"url":"http://%s"}]},{"host":"only.news.example","path":"/%d","origins":[{"url":"http://%s"}]}]`,
		a, 1+n%9, b, 1+n%4, n, c.addresses[1], n, c.addresses[1])
	begin := time.Now()
	if err := c.server.Call(ctx, http.MethodPut, "/v1/sites/news/routes", table, nil); err != nil {
		return err
	}
	c.took = append(c.took, time.Since(begin))
	for path, want := range map[string]int{fmt.Sprintf("/%d", n): 200, fmt.Sprintf("/%d", n-1): 404} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.proxy+path, nil)
		if err != nil {
			return err
		}
		r.Host = "only.news.example"
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != want {
			return fmt.Errorf("after table %d was answered, %s is answered %d", n, path, res.StatusCode)
		}
	}
	return nil
}
