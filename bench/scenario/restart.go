package scenario

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/readership/readership/bench/harness"
)

// Restart fills a log of many gigabytes, then measures how long the server
// needs to be ready: after kill -9 while the log is being filled, after SIGTERM,
// after kill -9 at rest and under load, and with its checkpoint deleted.
func Restart(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("restart", flag.ContinueOnError)
	gigabytes := flags.Float64("log-gb", 20, "size of the log, GB")
	replay := flags.Bool("replay", false, "also delete the checkpoint and read the whole log")
	dir := flags.String("dir", "", "data folder to keep between runs; a filled one is taken as it is")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" {
		temp, remove, err := tempDir()
		if err != nil {
			return err
		}
		defer remove()
		*dir = filepath.Join(temp, "data")
	}
	s, err := harness.Start(ctx, harness.Options{Dir: *dir, Ready: 30 * time.Minute})
	if err != nil {
		return err
	}
	defer func() { s.Kill() }()
	key, err := siteKey(ctx, s)
	if err != nil {
		return err
	}
	if err := fillLog(ctx, s, *dir, int64(*gigabytes*1e9)); err != nil {
		return err
	}
	size := diskUsage(filepath.Join(*dir, "log"))
	before, err := wholeAnswer(ctx, s)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Start with a log of %.1f GB and %s page views in memory. %s.\n\n| after | ready in (limit 10 s) | same answers |\n|---|---|---|\n", float64(size)/1e9, thousands(before[0]), Machine())
	ways := []struct {
		name string
		end  func() error
	}{
		{"kill -9 as soon as the log is filled", func() error { s.Kill(); return nil }},
		{"SIGTERM", func() error { return s.Stop() }},
		{"kill -9 at rest", func() error { s.Kill(); return nil }},
		{"kill -9 under load", func() error { return killUnderLoad(ctx, s, key) }},
	}
	inTime := len(ways)
	if *replay {
		ways = append(ways, struct {
			name string
			end  func() error
		}{"kill -9, checkpoint deleted (whole log read)", func() error {
			s.Kill()
			return os.RemoveAll(filepath.Join(*dir, "checkpoint"))
		}})
	}
	var slowest time.Duration
	for i, way := range ways {
		if err := way.end(); err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		if s, err = s.Restart(ctx); err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		after, err := wholeAnswer(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		same := "yes"
		if way.name == "kill -9 under load" { // which added events
			same = "-"
			if after[0] < before[0] {
				return fmt.Errorf("%s: the answers shrank from %v to %v", way.name, before, after)
			}
			before = after
		} else if after != before {
			return fmt.Errorf("%s: the answers were %v and are %v", way.name, before, after)
		}
		if i < inTime {
			slowest = max(slowest, s.ReadyIn)
		}
		fmt.Fprintf(w, "| %s | **%.2f s** | %s |\n", way.name, s.ReadyIn.Seconds(), same)
	}
	if slowest > 10*time.Second {
		return fmt.Errorf("ready after %s", slowest)
	}
	return s.Stop()
}

// siteKey creates the site, or makes a key of the one that a filled data folder
// holds.
func siteKey(ctx context.Context, s *harness.Server) (string, error) {
	key, err := s.CreateSite(ctx, newsSite)
	var refused *harness.StatusError
	if !errors.As(err, &refused) || refused.Status != http.StatusConflict {
		return key, err
	}
	var made struct {
		Key string `json:"key"`
	}
	err = s.Call(ctx, http.MethodPost, "/v1/sites/news/write-keys", `{"name":"restart"}`, &made)
	return made.Key, err
}

// fillLog sends page views until the log has a size. Their times pass through
// the last 20 days as it grows. Their long strings come from small pools: every
// message carries them anew, memory holds them once a block.
func fillLog(ctx context.Context, s *harness.Server, dir string, size int64) error {
	r := rand.New(rand.NewPCG(11, 0x10c))
	pool := func(count, length int) []string {
		all := make([]string, count)
		for i := range all {
			b := make([]byte, length/2)
			for k := range b {
				b[k] = byte(r.Uint32())
			}
			all[i] = hex.EncodeToString(b)
		}
		return all
	}
	urls, titles := pool(2000, 1900), pool(2000, 500)
	const eventBytes = 4400 // about
	n, first := 0, time.Now().Add(-20*24*time.Hour)
	for {
		held := diskUsage(filepath.Join(dir, "log"))
		left := size - held
		if left <= 0 {
			return nil
		}
		events := max(1000, min(100_000, left/eventBytes))
		at := func(event int64) int64 {
			share := float64(held+event*eventBytes) / float64(size)
			return first.Add(time.Duration(min(share, 1) * float64(20*24*time.Hour))).UnixMilli()
		}
		pr, pw := io.Pipe()
		go func() {
			b := bufio.NewWriterSize(pw, 1<<20)
			for i := range events {
				fmt.Fprintf(b, `{"type":"page_view","id":"fill-%d","time":%d,"device":"d%d","item":"a%d","url":"https://news.example/%s","referrer":"https://other.example/%s","title":%q}`+"\n",
					n, at(i), n%100_000, n%5000, urls[r.IntN(len(urls))], urls[r.IntN(len(urls))], titles[r.IntN(len(titles))])
				n++
			}
			pw.CloseWithError(b.Flush())
		}()
		v, err := s.Import(ctx, "news", pr)
		if err != nil {
			return fmt.Errorf("fill the log: %w", err)
		}
		if v.RejectedTotal > 0 {
			return fmt.Errorf("fill the log: rejected %+v", v.Rejected[:1])
		}
	}
}

// wholeAnswer asks for page views, visitors and visits of the window's middle
// 25 days, which do not move while the scenario runs.
func wholeAnswer(ctx context.Context, s *harness.Server) (answer [3]float64, err error) {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	res, err := s.Query(ctx, "news", fmt.Sprintf(`{"metrics":["page_views","visitors","visits"],"date_range":[%q,%q]}`, stamp(today.AddDate(0, 0, -25).UnixMilli()), stamp(today.AddDate(0, 0, 1).UnixMilli())))
	if err != nil {
		return answer, err
	}
	if len(res.Results) != 1 {
		return answer, errors.New("the answer is not one row")
	}
	for i := range answer {
		answer[i] = *res.Results[0].Metrics[i]
	}
	return answer, nil
}

// killUnderLoad kills the server while it takes events.
func killUnderLoad(ctx context.Context, s *harness.Server, key string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan struct{}, 1)
	load := harness.Load{Addr: s.CollectAddr, WriteKey: key, Connections: 16, Batch: 20, Duration: time.Minute}
	load.Answered = func(n uint64, a harness.Answer) {
		if n == 2000 {
			answered <- struct{}{}
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		load.Run(ctx) // ends with an error when the server is gone
	}()
	select {
	case <-answered:
	case <-time.After(30 * time.Second):
		return errors.New("the server does not answer 2,000 requests in 30 s")
	}
	s.Kill()
	cancel()
	<-done
	return nil
}
