package scenario

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/readership/readership/bench/feed"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

// Replay writes a log, then measures in a process with GOMAXPROCS=1 how fast
// an empty engine and an empty committer take it: visits, dictionaries and ids
// included.
func Replay(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	events := flags.Int("events", 1_500_000, "events")
	runs := flags.Int("runs", 3, "runs, the first one also warms the page cache")
	dir := flags.String("log", "", "replay the log in this folder once (used by the command itself)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir != "" {
		return replayOnce(ctx, w, *dir, *events)
	}
	temp, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	size, source, err := writeLog(ctx, filepath.Join(temp, "log"), *events)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Replay of %s events (%s, %d MB of log) into an empty engine and committer, GOMAXPROCS=1. %s.\n\n| run | seconds | events/s |\n|---|---|---|\n",
		thousands(float64(*events)), source, size>>20, Machine())
	var rates []float64
	for i := range *runs {
		cmd := exec.CommandContext(ctx, self, "replay", "-log", filepath.Join(temp, "log"), "-events", strconv.Itoa(*events))
		cmd.Env, cmd.Stderr = append(os.Environ(), "GOMAXPROCS=1"), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		var seconds float64
		if _, err := fmt.Sscan(string(out), &seconds); err != nil {
			return fmt.Errorf("replay answered %q: %w", out, err)
		}
		rates = append(rates, float64(*events)/seconds)
		fmt.Fprintf(w, "| %d | %.3f | %s |\n", i+1, seconds, thousands(rates[i]))
	}
	fmt.Fprintf(w, "\nMedian: **%s events/s** (to reach: 1,000,000).\n", thousands(median(rates)))
	return nil
}

// writeLog writes clicks to a new log, in commits of an import's size.
func writeLog(ctx context.Context, dir string, events int) (size int64, source string, err error) {
	clicks, source, err := Clicks(events)
	if err != nil {
		return 0, "", err
	}
	log, err := eventlog.Open(eventlog.Config{Dir: dir, Logger: quiet})
	if err != nil {
		return 0, "", err
	}
	// A committer makes the key of its ids when the log is new.
	c, err := eventlog.NewCommitter(eventlog.CommitterConfig{Dir: dir + "-ids", Logger: quiet}, log, nil)
	if err != nil {
		log.Close()
		return 0, "", err
	}
	c.Close()
	err = feed.Messages(feed.Site("globo"), clicks, time.Now().UnixMilli(), func(stamp int64, message []byte) error {
		_, err := log.Append(ctx, stamp, message)
		return err
	})
	size = log.Size()
	if closed := log.Close(); err == nil {
		err = closed
	}
	return size, source, err
}

// replayOnce prints the seconds from the first read to the last event being
// applied.
func replayOnce(ctx context.Context, w io.Writer, dir string, events int) (err error) {
	log, err := eventlog.Open(eventlog.Config{Dir: dir, Logger: quiet})
	if err != nil {
		return err
	}
	defer log.Close()
	if err := os.RemoveAll(filepath.Join(dir+"-ids", "ids")); err != nil { // the journal; the key stays
		return err
	}
	e, err := engine.Open(engine.Config{Shards: runtime.GOMAXPROCS(0), Logger: quiet})
	if err != nil {
		return err
	}
	defer e.Close()
	c, err := eventlog.NewCommitter(eventlog.CommitterConfig{Dir: dir + "-ids", Logger: quiet}, log, e)
	if err != nil {
		return err
	}
	defer c.Close()
	start := time.Now()
	err = log.Read(ctx, 0, func(position event.Position, message []byte) error {
		if err := c.Learn(position, message); err != nil {
			return err
		}
		return e.Apply(position, message)
	})
	if err != nil {
		return err
	}
	if err := e.Wait(ctx, log.Last()); err != nil {
		return err
	}
	took := time.Since(start)
	stats, err := e.Stats(ctx)
	if err != nil {
		return err
	}
	var rows uint64
	for _, s := range stats.Sites {
		rows += s.Rows
	}
	if rows != uint64(events) {
		return fmt.Errorf("the engine holds %d rows of %d", rows, events)
	}
	_, err = fmt.Fprintln(w, took.Seconds())
	return err
}

// quiet drops what parts log while they are measured.
var quiet = slog.New(slog.DiscardHandler)
