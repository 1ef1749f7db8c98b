package scenario

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/bench/harness"
)

// clickSite takes old clicks: its now is the newest of them.
const clickSite = `{"id":"clicks","domains":["news.example"],"timezone":"UTC","window":"30d","clock":"event"}`

// Memberships asks the fast listener which segments readers are in, with a
// hundred segments over a whole click log.
func Memberships(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("memberships", flag.ContinueOnError)
	events := flags.Int("events", 1_500_000, "events that are loaded")
	seconds := flags.Int("seconds", 10, "seconds a run")
	connections := flags.Int("connections", 64, "connections")
	rate := flags.Float64("rate", 20_000, "requests/s of the open loop")
	if err := flags.Parse(args); err != nil {
		return err
	}
	clicks, source, err := Clicks(*events)
	if err != nil {
		return err
	}
	s, stop, err := clickServer(ctx, clickSite, clicks)
	if err != nil {
		return err
	}
	defer stop()
	var program strings.Builder
	program.WriteString("let reads = events |> where type == \"page_view\"\n")
	for i := range 100 {
		fmt.Fprintf(&program, "segment s%d = reads |> where properties.referrer_type == \"%d\" |> last %dd |> distinct item |> count >= %d\n", i, 1+i%7, 1+i%14, 1+i/7)
	}
	if err := s.Call(ctx, "PUT", "/v1/sites/clicks/program", map[string]any{"files": map[string]string{"main": program.String()}}, nil); err != nil {
		return err
	}
	load := harness.Load{Addr: s.CollectAddr, Connections: *connections, Duration: time.Duration(*seconds) * time.Second}
	load.Request = func(dst []byte, n uint64) []byte {
		dst = append(dst, "GET /v1/sites/clicks/readers/device:"...)
		dst = strconv.AppendUint(dst, uint64(clicks[n*7919%uint64(len(clicks))].Reader), 10)
		return append(dst, "/segments HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer "+harness.RootKey+"\r\n\r\n"...)
	}
	var members atomic.Int64
	load.Read = func(_ uint64, body []byte) {
		if bytes.Contains(body, []byte(`"segments":["`)) {
			members.Add(1)
		}
	}
	fmt.Fprintf(w, "100 segments, %s events of %s, %d connections, %d s a run, the generator on the same cores. %s.\n\n| | answers/s | p50 | p99 (limit 5 ms) | others |\n|---|---|---|---|---|\n",
		thousands(float64(len(clicks))), source, *connections, *seconds, Machine())
	warm := load
	warm.Duration = 2 * time.Second
	if _, err := warm.Run(ctx); err != nil {
		return err
	}
	if _, err := row(ctx, w, "as fast as they come", load); err != nil {
		return err
	}
	load.Rate = *rate
	if _, err := row(ctx, w, fmt.Sprintf("%s/s, since they were due", thousands(*rate)), load); err != nil {
		return err
	}
	if members.Load() == 0 {
		return errors.New("no reader is in any segment")
	}
	return s.Stop()
}

// clickServer starts a server with a site and clicks in it.
func clickServer(ctx context.Context, settings string, clicks []dataset.Click) (*harness.Server, func(), error) {
	dir, remove, err := tempDir()
	if err != nil {
		return nil, nil, err
	}
	s, err := harness.Start(ctx, harness.Options{Dir: filepath.Join(dir, "data")})
	if err != nil {
		remove()
		return nil, nil, err
	}
	stop := func() {
		s.Kill()
		remove()
	}
	if _, err = s.CreateSite(ctx, settings); err == nil {
		var v harness.Verdict
		if v, err = s.Import(ctx, "clicks", ndjson(clicks)); err == nil && v.Accepted != len(clicks) {
			err = fmt.Errorf("accepted %d of %d clicks", v.Accepted, len(clicks))
		}
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return s, stop, nil
}

// ndjson streams clicks.
func ndjson(clicks []dataset.Click) io.Reader {
	r, w := io.Pipe()
	go func() { _ = w.CloseWithError(dataset.WriteNDJSON(w, clicks)) }()
	return r
}

// row runs a load and writes what came of it; with a rate, since it was due.
func row(ctx context.Context, w io.Writer, name string, l harness.Load) (*harness.LoadReport, error) {
	r, err := l.Run(ctx)
	if err != nil {
		return nil, err
	}
	times := r.Accepted
	if l.Rate > 0 {
		times = r.Due
	}
	fmt.Fprintf(w, "| %s | %s | %s | **%s** | %d |\n", name, thousands(float64(len(times))/r.Took.Seconds()), millis(times, .5), millis(times, .99),
		len(r.Refused)+r.Others+r.Broken)
	return r, nil
}

// dueRow is row for an open loop, and returns the p99. With gaps, for a machine whose
// host may take its cores away, it writes beside all answers those that met no such
// gap.
func dueRow(ctx context.Context, w io.Writer, name string, l harness.Load, gaps bool) (p99 time.Duration, err error) {
	if gaps {
		return watchedRow(ctx, w, name, l)
	}
	r, err := row(ctx, w, name, l)
	if err != nil {
		return 0, err
	}
	return harness.Quantile(r.Due, .99), nil
}

// watchedRow is dueRow with gaps.
func watchedRow(ctx context.Context, w io.Writer, name string, l harness.Load) (p99 time.Duration, err error) {
	spans := make([]harness.Span, 0, int(l.Rate*l.Duration.Seconds()))
	l.Answered = func(_ uint64, a harness.Answer) {
		if a.Status == 200 {
			spans = append(spans, harness.Span{End: time.Now(), Waited: a.Waited})
		}
	}
	stop, err := harness.Gaps()
	if err != nil {
		return 0, err
	}
	r, err := l.Run(ctx)
	gaps, unwatched := stop()
	if err = errors.Join(err, unwatched); err != nil {
		return 0, err
	}
	clear := harness.Clear(spans, gaps)
	share, longest := harness.Share(gaps, r.Took)
	met := fmt.Sprintf("**%s** of %.1f %% | %.1f %%, %.0f ms", millis(clear, .99), 100*float64(len(clear))/float64(max(len(spans), 1)), 100*share, 1000*longest.Seconds())
	fmt.Fprintf(w, "| %s | %s | %s | **%s** | %s | %d |\n", name, thousands(float64(len(r.Due))/r.Took.Seconds()), millis(r.Due, .5), millis(r.Due, .99), met,
		len(r.Refused)+r.Others+r.Broken)
	return harness.Quantile(r.Due, .99), nil
}

// WatchGaps writes when the cores of this machine were away.
func WatchGaps(_ context.Context, w io.Writer, _ []string) error {
	return harness.PrintGaps(os.Stdin, w)
}

const meterProgram = `meter daily (limit: 3) = burns |> per month |> distinct item
access story {
  allow metered if daily.left > 0 burns daily
  deny  wall                      offers plans
}
`

// constantConf has nginx answer whatever is asked with the same 400 bytes: what the
// machine, its host and the generator give, for comparison.
const constantConf = `worker_processes auto;
%s
  server {
    listen %s backlog=4096;
    default_type application/json;
    location / { return 200 "%s"; }
  }
}
`

// startConstant starts that nginx.
func startConstant() (address string, stop func(), err error) {
	if err := need("nginx"); err != nil {
		return "", nil, err
	}
	if address, err = harness.FreeAddress(); err != nil {
		return "", nil, err
	}
	dir, remove, err := tempDir()
	if err != nil {
		return "", nil, err
	}
	nginx, err := newNginx(dir, fmt.Sprintf(constantConf, nginxHead, address, strings.Repeat("x", 400)), address)
	if err != nil {
		remove()
		return "", nil, err
	}
	return address, func() { nginx.stop(); remove() }, nil
}

// Decide asks for decisions, and has them committed while events arrive and an
// import runs; then it counts that no meter holds more than its limit. Each run has a
// server of its own; the median of the runs counts. Before each, nginx is sent the
// same questions and answers all alike.
func Decide(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("decide", flag.ContinueOnError)
	runs := flags.Int("runs", 5, "runs")
	seconds := flags.Int("seconds", 10, "seconds a row")
	connections := flags.Int("connections", 256, "connections")
	bare := flags.Float64("bare", 20_000, "decisions/s without commit")
	commits := flags.Float64("commits", 10_000, "decisions/s with commit")
	events := flags.Float64("events", 5_000, "events/s beside commits")
	warm := flags.Duration("warm", 0, "of decisions with commit about other readers before; 0: until the server has collected its garbage once")
	gaps := flags.Bool("gaps", false, "watch for times in which the host had the cores; that takes 2 to 7 % of each")
	if err := flags.Parse(args); err != nil {
		return err
	}
	constant, stop, err := startConstant()
	if err != nil {
		return err
	}
	defer stop()
	head, line := "", ""
	if *gaps {
		head, line = " p99 of those that met no gap of the host | cores away, longest gap |", "---|---|"
	}
	fmt.Fprintf(w, "A meter of 3, %s readers, %d connections, %d s a row, open loop, since they were due; the generator on the same cores; before each run commits about other readers %s. %s.\n\n| | answers/s | p50 | p99 |%s others |\n|---|---|---|---|%s---|\n",
		thousands(20_000), *connections, *seconds, warmth(*warm), Machine(), head, line)
	p99s := make([][]time.Duration, 3) // by row
	var nginx []time.Duration
	fallbacks, full, over := int64(0), 0, 0
	for range *runs {
		d := decider{readers: 20_000, burned: make([]atomic.Int32, 20_000)}
		same := harness.Load{Addr: constant, Connections: *connections, Duration: time.Duration(*seconds) * time.Second, Request: d.request("r", false), Rate: *bare}
		p99, err := dueRow(ctx, w, fmt.Sprintf("nginx that answers all alike, %s/s", thousands(*bare)), same, *gaps)
		if err == nil && p99 == 0 {
			err = errors.New("nginx answered nothing")
		}
		if err != nil {
			return err
		}
		nginx = append(nginx, p99)
		row, err := d.run(ctx, w, *connections, time.Duration(*seconds)*time.Second, *warm, *bare, *commits, *events, *gaps)
		if err != nil {
			return err
		}
		for i := range row {
			p99s[i] = append(p99s[i], row[i])
		}
		if n := d.unread.Load(); n > 0 {
			return fmt.Errorf("%d answers were not understood", n)
		}
		overshot, filled := d.overshoot()
		fallbacks, full, over = fallbacks+d.fallbacks.Load(), full+filled, over+overshot
	}
	for _, all := range append(p99s, nginx) {
		slices.Sort(all)
	}
	fmt.Fprintf(w, "\np99, medians of %d runs: **%s** (limit 2 ms), **%s** (5 ms), **%s** (10 ms); nginx %s. Fallbacks: %d. Readers whose meter is full: %s; burned more than 3 items: **%d** (limit 0).\n",
		*runs, millis(p99s[0], .5), millis(p99s[1], .5), millis(p99s[2], .5), millis(nginx, .5), fallbacks, thousands(float64(full)), over)
	if over > 0 || full == 0 {
		return fmt.Errorf("%d meters overshot, %d are full", over, full)
	}
	return nil
}

func warmth(span time.Duration) string {
	if span > 0 {
		return "for " + span.String()
	}
	return "until the server has collected its garbage once"
}

const (
	warmRound = 5 * time.Second
	mostWarm  = 2 * time.Minute
)

// warmUp loads a server that has just begun for span, or until it has collected the
// garbage of the load, 0: so far its heap grows, into memory that is touched for the
// first time. A host may take milliseconds to give it.
func warmUp(ctx context.Context, s *harness.Server, load harness.Load, span time.Duration) error {
	if span > 0 {
		load.Duration = span
		_, err := load.Run(ctx)
		return err
	}
	begun, err := collections(ctx, s)
	if err != nil {
		return err
	}
	load.Duration = warmRound
	request, asked := load.Request, uint64(0)
	load.Request = func(dst []byte, n uint64) []byte { return request(dst, asked+n) }
	for range mostWarm / warmRound {
		report, err := load.Run(ctx)
		if err != nil {
			return err
		}
		asked += report.Offered
		now, err := collections(ctx, s)
		if err != nil || now > begun {
			return err
		}
	}
	return fmt.Errorf("warm up: the server has not collected its garbage in %s: set -warm", mostWarm)
}

// collections is how often a server has collected its garbage.
func collections(ctx context.Context, s *harness.Server) (float64, error) {
	const name = "go_gc_duration_seconds_count"
	all, err := s.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	n, ok := all[name]
	if !ok {
		return 0, fmt.Errorf("/metrics does not tell %s", name)
	}
	return n, nil
}

// run asks a server of its own, and returns the p99 of each row.
func (d *decider) run(ctx context.Context, w io.Writer, connections int, span, warm time.Duration, bare, commits, events float64, gaps bool) (p99 [3]time.Duration, err error) {
	s, stop, err := clickServer(ctx, clickSite, nil)
	if err != nil {
		return p99, err
	}
	defer stop()
	key, err := s.CreateSite(ctx, newsSite)
	if err != nil {
		return p99, err
	}
	if err := s.Call(ctx, "PUT", "/v1/sites/news/program", map[string]any{"files": map[string]string{"main": meterProgram}}, nil); err != nil {
		return p99, err
	}
	load := harness.Load{Addr: s.CollectAddr, Connections: connections, Duration: span}
	before := load
	before.Request, before.Rate = d.request("w", true), commits
	if err := warmUp(ctx, s, before, warm); err != nil {
		return p99, err
	}
	load.Request, load.Rate = d.request("r", false), bare
	if p99[0], err = dueRow(ctx, w, fmt.Sprintf("decide, %s/s (limit 2 ms)", thousands(bare)), load, gaps); err != nil {
		return p99, err
	}
	load.Request, load.Rate, load.Read = d.request("r", true), commits, d.read
	beside := harness.Load{Addr: s.CollectAddr, WriteKey: key, Connections: 64, Rate: events, Duration: span}
	with := func(name string, others ...func(context.Context) error) (time.Duration, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var running sync.WaitGroup
		errs := make([]error, len(others))
		for i, other := range others {
			running.Go(func() { errs[i] = other(ctx) })
		}
		took, err := dueRow(ctx, w, name, load, gaps)
		cancel()
		running.Wait()
		for _, other := range errs {
			if !errors.Is(other, context.Canceled) {
				err = errors.Join(err, other)
			}
		}
		return took, err
	}
	arriving := func(ctx context.Context) error { _, err := beside.Run(ctx); return err }
	clicks, source, err := Clicks(5_000_000)
	if err != nil {
		return p99, err
	}
	importing := func(ctx context.Context) error { _, err := s.Import(ctx, "clicks", ndjson(clicks)); return err }
	if p99[1], err = with(fmt.Sprintf("decide and commit, %s/s, while %s events/s arrive (limit 5 ms)", thousands(commits), thousands(events)), arriving); err != nil {
		return p99, err
	}
	if p99[2], err = with("the same while "+source+" is imported (limit 10 ms)", arriving, importing); err != nil {
		return p99, err
	}
	return p99, s.Stop()
}

// decider asks for decisions and counts the burns of each reader.
type decider struct {
	readers   uint64
	burned    []atomic.Int32 // answers "burned", by reader
	fallbacks atomic.Int64
	unread    atomic.Int64 // of burned answers that say for whom in no way that is known
}

// request builds questions: readers at random, of names that begin alike, each about
// one item after another.
func (d *decider) request(prefix string, commit bool) func(dst []byte, n uint64) []byte {
	return func(dst []byte, n uint64) []byte {
		body := fmt.Appendf(nil, `{"access":"story","reader":{"device":"%s%d"},"item":{"id":"a%d"},"commit":%t}`, prefix, n*7919%d.readers, n/d.readers%8, commit)
		dst = fmt.Appendf(dst, "POST /v1/sites/news/decisions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", harness.RootKey, len(body))
		return append(dst, body...)
	}
}

// read counts what an answer says.
func (d *decider) read(_ uint64, body []byte) {
	switch {
	case bytes.Contains(body, []byte(`"fallback":true`)):
		d.fallbacks.Add(1)
	case bytes.Contains(body, []byte(`"commit":"burned"`)):
		// Not as JSON, which would be a tenth of what the generator takes.
		_, after, _ := bytes.Cut(body, []byte(`"reader":"device:r`))
		name, _, _ := bytes.Cut(after, []byte(`"`))
		n, err := strconv.Atoi(string(name))
		if err != nil || n < 0 || n >= len(d.burned) {
			d.unread.Add(1)
			return
		}
		d.burned[n].Add(1)
	}
}

func (d *decider) overshoot() (over, full int) {
	for i := range d.burned {
		switch n := d.burned[i].Load(); {
		case n > 3:
			over++
		case n == 3:
			full++
		}
	}
	return over, full
}
