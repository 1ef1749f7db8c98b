package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/readership/readership/bench/harness"
)

// proxySite is the site whose pages are passed on.
const proxySite = `{"id":"news","domains":["news.example"],"timezone":"UTC","privacy":{"without_consent":"assume"}}`

// proxyProgram has a meter that nobody reaches.
const proxyProgram = `meter monthly (limit: 500) = burns |> per month |> distinct item
access story { allow metered if monthly.left > 0 burns monthly
  deny subscribe offers plans }
`

// pageBytes is the size of the page.
const pageBytes = 10 << 10

// nginxProcess is an nginx of one process, which can be killed.
type nginxProcess struct {
	prefix string
	cmd    *exec.Cmd
	done   chan struct{}
}

// nginxHead begins a configuration, up to what is special of its servers.
const nginxHead = `daemon off;
pid nginx.pid;
error_log error.log;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 100000000;`

// startOrigin runs an nginx that answers every path with the page and, if front
// is not empty, passes on what comes to it there.
func startOrigin(dir, address, front string, workers int) (*nginxProcess, error) {
	name := strings.NewReplacer(":", "-", ".", "-").Replace(address)
	prefix := filepath.Join(dir, "nginx-"+name)
	if err := os.MkdirAll(prefix, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(prefix, "page.html"), []byte(strings.Repeat("<p>The final. ", pageBytes/14+1)[:pageBytes]), 0o644); err != nil {
		return nil, err
	}
	master := "master_process off;"
	if workers > 1 {
		master = fmt.Sprintf("worker_processes %d;", workers)
		if os.Getuid() == 0 { // the folder is ours alone
			master += " user root;"
		}
	}
	conf := fmt.Sprintf(`%s
%s
  types { text/html html; }
  open_file_cache max=10;
  server {
    listen %s backlog=4096;
    root .;
    location / { rewrite ^ /page.html break; }
  }
`, master, nginxHead, address)
	if front != "" {
		conf += fmt.Sprintf(`  upstream origin { server %s; keepalive 64; keepalive_requests 100000000; }
  server {
    listen %s backlog=4096;
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
`, address, front)
	}
	return newNginx(prefix, strings.ReplaceAll(conf, "root .;", "root "+prefix+";")+"}\n", address)
}

// newNginx starts an nginx of a configuration, in a folder of its own.
func newNginx(prefix, conf, address string) (*nginxProcess, error) {
	if err := os.WriteFile(filepath.Join(prefix, "nginx.conf"), []byte(conf), 0o644); err != nil {
		return nil, err
	}
	p := &nginxProcess{prefix: prefix}
	return p, p.start(address)
}

// start starts it, or starts it again after kill, and waits until it answers.
func (p *nginxProcess) start(address string) error {
	p.cmd = exec.Command("nginx", "-p", p.prefix, "-c", "nginx.conf")
	p.done = make(chan struct{})
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start nginx: %w", err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	for deadline := time.Now().Add(10 * time.Second); ; {
		res, err := http.Get("http://" + address + "/")
		if err == nil {
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				p.stop()
				return fmt.Errorf("nginx answers %s", res.Status)
			}
			return nil
		}
		if time.Now().After(deadline) {
			p.stop()
			return fmt.Errorf("nginx does not answer at %s: %w", address, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// kill ends it at once (SIGKILL); a master's workers would stay, so it is stopped.
func (p *nginxProcess) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *nginxProcess) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	<-p.done
}

// startProxied starts a server that passes news.example on.
func startProxied(ctx context.Context, dir string, more ...string) (s *harness.Server, proxy, key string, err error) {
	if proxy, err = harness.FreeAddress(); err != nil {
		return nil, "", "", err
	}
	s, err = harness.Start(ctx, harness.Options{Dir: filepath.Join(dir, "data"), Args: append([]string{"--proxy-listen", proxy}, more...)})
	if err != nil {
		return nil, "", "", err
	}
	if key, err = s.CreateSite(ctx, proxySite); err == nil {
		err = s.Call(ctx, http.MethodPut, "/v1/sites/news/program", map[string]any{"files": map[string]string{"main": proxyProgram}}, nil)
	}
	if err != nil {
		s.Kill()
		return nil, "", "", err
	}
	return s, proxy, key, nil
}

// page lays out a request for a page.
func page(dst []byte, path, cookie string) []byte {
	dst = append(append(dst, "GET "...), path...)
	dst = append(dst, " HTTP/1.1\r\nHost: news.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nAccept: text/html\r\nAccept-Language: en\r\nAccept-Encoding: gzip, br\r\n"...)
	if cookie != "" {
		dst = append(append(append(dst, "Cookie: "...), cookie...), "\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// pages loads an address with requests for pages and fails if one was not
// answered 200.
func pages(ctx context.Context, address string, connections int, rate float64, duration time.Duration, request func(dst []byte, n uint64) []byte) (*harness.LoadReport, error) {
	r, err := harness.Load{Addr: address, Connections: connections, Rate: rate, Duration: duration, Request: request}.Run(ctx)
	if err != nil {
		return nil, err
	}
	if bad := r.Broken + r.Others + len(r.Refused); bad > 0 {
		return nil, fmt.Errorf("of %d pages %d broke off, %d were refused and %d answered otherwise", r.Offered, r.Broken, len(r.Refused), r.Others)
	}
	return r, nil
}

// readersOf has the server name devices, by the cookies it sets.
func readersOf(ctx context.Context, proxy string, n int) ([]string, error) {
	var cookies []string
	for range n {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+proxy+"/story/0", nil)
		if err != nil {
			return nil, err
		}
		r.Host = "news.example"
		r.Header.Set("Accept", "text/html")
		r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		for _, c := range res.Cookies() {
			if c.Name == "rsid" {
				cookies = append(cookies, c.Name+"="+c.Value)
			}
		}
	}
	if len(cookies) != n {
		return nil, fmt.Errorf("of %d readers %d were given a cookie", n, len(cookies))
	}
	return cookies, nil
}

// Proxy measures a page through the reverse proxy, in turn with nginx in its
// place, and what a decision adds.
func Proxy(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("proxy", flag.ContinueOnError)
	runs := flags.Int("runs", 5, "alternating runs")
	seconds := flags.Int("seconds", 5, "seconds a run")
	connections := flags.Int("connections", 64, "connections")
	rate := flags.Float64("rate", 1000, "pages/s, where the decision is measured")
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
	origin, err := harness.FreeAddress()
	if err != nil {
		return err
	}
	front, err := harness.FreeAddress()
	if err != nil {
		return err
	}
	peer, err := startOrigin(dir, origin, front, 2)
	if err != nil {
		return err
	}
	defer peer.stop()
	s, proxy, _, err := startProxied(ctx, dir)
	if err != nil {
		return err
	}
	defer s.Kill()
	routes := fmt.Sprintf(`[{"host":"news.example","origins":[{"url":"http://%s"}]},{"host":"news.example","path":"/story/*","origins":[{"url":"http://%s"}],"access":"story"}]`, origin, origin)
	if err := s.Call(ctx, http.MethodPut, "/v1/sites/news/routes", routes, nil); err != nil {
		return err
	}
	fmt.Fprintf(w, "A page of 10 KB, %d connections, client and origin (nginx) on the same cores, %d s a run. %s.\n\n", *connections, *seconds, Machine())
	fmt.Fprint(w, "| run | nginx pages/s | p50 ms | p99 ms | Readership pages/s | p50 ms | p99 ms | ratio | allocations a page |\n|---|---|---|---|---|---|---|---|---|\n")
	plain := func(dst []byte, n uint64) []byte { return page(dst, "/sport/a1", "") }
	duration := time.Duration(*seconds) * time.Second
	var ratios []float64
	for i := range *runs {
		base, err := pages(ctx, front, *connections, 0, duration, plain)
		if err != nil {
			return fmt.Errorf("nginx: %w", err)
		}
		before, err := mallocs(ctx, s)
		if err != nil {
			return err
		}
		ours, err := pages(ctx, proxy, *connections, 0, duration, plain)
		if err != nil {
			return err
		}
		after, err := mallocs(ctx, s)
		if err != nil {
			return err
		}
		ratio := perSecond(ours) / perSecond(base)
		ratios = append(ratios, ratio)
		fmt.Fprintf(w, "| %d | %s | %s | %s | %s | %s | %s | %.2f | %.0f |\n", i+1, thousands(perSecond(base)), ms(base.Accepted, 0.5), ms(base.Accepted, 0.99),
			thousands(perSecond(ours)), ms(ours.Accepted, 0.5), ms(ours.Accepted, 0.99), ratio, (after-before)/float64(len(ours.Accepted)))
	}
	fmt.Fprintf(w, "\nRatio, median: **%.2f**.\n\n", median(ratios))
	return decisionAdds(ctx, w, proxy, *connections, *rate, *runs, duration)
}

// decisionAdds measures pages with and without a decision at one rate, in turn.
func decisionAdds(ctx context.Context, w io.Writer, proxy string, connections int, rate float64, runs int, duration time.Duration) error {
	cookies, err := readersOf(ctx, proxy, 200)
	if err != nil {
		return err
	}
	reader := func(path string, items uint64) func(dst []byte, n uint64) []byte {
		return func(dst []byte, n uint64) []byte {
			return page(dst, fmt.Sprintf("%s%d", path, n%items), cookies[n%uint64(len(cookies))])
		}
	}
	fmt.Fprintf(w, "The same page at %.0f a second for 200 readers, without a decision, with one of a page that was counted before, and with one that is counted anew (a commit a page).\n\n", rate)
	fmt.Fprint(w, "| run | without: p50 ms | p99 ms | with: p50 ms | p99 ms | counted anew: p50 ms | p99 ms | a decision adds: p50 ms | p99 ms |\n|---|---|---|---|---|---|---|---|---|\n")
	var p50, p99 []float64
	for i := range runs {
		without, err := pages(ctx, proxy, connections, rate, duration, reader("/sport/a", 5))
		if err != nil {
			return err
		}
		with, err := pages(ctx, proxy, connections, rate, duration, reader("/story/a", 5))
		if err != nil {
			return err
		}
		anew, err := pages(ctx, proxy, connections, rate, duration, reader(fmt.Sprintf("/story/run%d-", i), 1<<40))
		if err != nil {
			return err
		}
		add50 := seconds(with.Accepted, 0.5)*1e3 - seconds(without.Accepted, 0.5)*1e3
		add99 := seconds(with.Accepted, 0.99)*1e3 - seconds(without.Accepted, 0.99)*1e3
		p50, p99 = append(p50, add50), append(p99, add99)
		fmt.Fprintf(w, "| %d | %s | %s | %s | %s | %s | %s | %.2f | %.2f |\n", i+1, ms(without.Accepted, 0.5), ms(without.Accepted, 0.99),
			ms(with.Accepted, 0.5), ms(with.Accepted, 0.99), ms(anew.Accepted, 0.5), ms(anew.Accepted, 0.99), add50, add99)
	}
	fmt.Fprintf(w, "\nA decision adds, median: **%.2f ms** at p50 (aim: 0.3), **%.2f ms** at p99 (aim: 1).\n", median(p50), median(p99))
	return nil
}

func perSecond(r *harness.LoadReport) float64 { return float64(len(r.Accepted)) / r.Took.Seconds() }

func seconds(sorted []time.Duration, q float64) float64 { return harness.Quantile(sorted, q).Seconds() }

func ms(sorted []time.Duration, q float64) string { return fmt.Sprintf("%.2f", seconds(sorted, q)*1e3) }

// ProxyCollect sends single events to the fast listener while pages pass through
// the proxy, and compares what the client, the ledger and a query count.
func ProxyCollect(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("proxy-collect", flag.ContinueOnError)
	length := flags.Duration("duration", 5*time.Minute, "how long")
	events := flags.Float64("events", 10_000, "events/s")
	rate := flags.Float64("pages", 500, "pages/s")
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
	origin, err := harness.FreeAddress()
	if err != nil {
		return err
	}
	back, err := startOrigin(dir, origin, "", 1)
	if err != nil {
		return err
	}
	defer back.stop()
	s, proxy, key, err := startProxied(ctx, dir, "--key-rate", "0", "--address-rate", "0")
	if err != nil {
		return err
	}
	defer s.Kill()
	routes := fmt.Sprintf(`[{"host":"news.example","origins":[{"url":"http://%s"}]}]`, origin)
	if err := s.Call(ctx, http.MethodPut, "/v1/sites/news/routes", routes, nil); err != nil {
		return err
	}
	begin := time.Now()
	type answer struct {
		report *harness.LoadReport
		err    error
	}
	passed := make(chan answer, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		r, err := pages(ctx, proxy, 64, *rate, *length, func(dst []byte, n uint64) []byte {
			return page(dst, fmt.Sprintf("/sport/a%d", n%20), "")
		})
		passed <- answer{r, err}
	}()
	collected, err := harness.Load{Addr: s.CollectAddr, WriteKey: key, Connections: 256, Rate: *events, Duration: *length}.Run(ctx)
	if err != nil {
		cancel()
		<-passed
		return err
	}
	read := <-passed
	if read.err != nil {
		return read.err
	}
	accepted := float64(len(collected.Accepted))
	ledger, err := ledgerStored(ctx, s, begin)
	if err != nil {
		return err
	}
	now := time.Now()
	span := []string{begin.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Minute).Format(time.RFC3339)}
	res, err := s.Query(ctx, "news", fmt.Sprintf(`{"metrics":["events"],"date_range":[%q,%q]}`, span[0], span[1]))
	if err != nil {
		return err
	}
	if len(res.Results) != 1 || res.Results[0].Metrics[0] == nil {
		return errors.New("the query has no answer")
	}
	queried := *res.Results[0].Metrics[0]
	fmt.Fprintf(w, "%.0f single events a second on the fast listener and %.0f pages of 10 KB a second through the proxy, %s, client and origin on the same cores. %s.\n\n", *events, *rate, *length, Machine())
	fmt.Fprint(w, "| | offered | answered 200 | refused | a second | p50 ms | p99 ms |\n|---|---|---|---|---|---|---|\n")
	fmt.Fprintf(w, "| events | %s | %s | %d | %s | %s | %s |\n", thousands(float64(collected.Offered)), thousands(accepted), len(collected.Refused), thousands(perSecond(collected)), ms(collected.Due, 0.5), ms(collected.Due, 0.99))
	fmt.Fprintf(w, "| pages | %s | %s | 0 | %s | %s | %s |\n", thousands(float64(read.report.Offered)), thousands(float64(len(read.report.Accepted))), thousands(perSecond(read.report)), ms(read.report.Due, 0.5), ms(read.report.Due, 0.99))
	fmt.Fprintf(w, "\nAccepted by the client: **%s**; stored by the ledger: **%s**; `events` of the query: **%s**.\n", thousands(accepted), thousands(ledger), thousands(queried))
	if collected.Broken+collected.Others > 0 {
		return fmt.Errorf("%d events broke off, %d were answered otherwise", collected.Broken, collected.Others)
	}
	if accepted != ledger || accepted != queried {
		return errors.New("the three numbers are not one")
	}
	return s.Stop()
}

// ledgerStored returns how many events the ledger says were stored since.
func ledgerStored(ctx context.Context, s *harness.Server, since time.Time) (float64, error) {
	var ledger struct {
		Verdicts []struct {
			Verdict string  `json:"verdict"`
			Count   float64 `json:"count"`
		} `json:"verdicts"`
	}
	err := s.Call(ctx, http.MethodGet, "/v1/sites/news/ledger?from="+since.Add(-time.Hour).UTC().Format(time.RFC3339), nil, &ledger)
	sum := 0.0
	for _, line := range ledger.Verdicts {
		if line.Verdict == "stored" {
			sum += line.Count
		}
	}
	return sum, err
}
