package scenario

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/bench/harness"
)

// eventSite is a site for replays of old logs.
const eventSite = `{"id":"globo","domains":["globo.example"],"timezone":"UTC","window":"30d","clock":"event"}`

// Import measures the durable import of NDJSON by the import command, client
// included: from starting the command to its end, when everything was
// acknowledged.
func Import(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("import", flag.ContinueOnError)
	events := flags.Int("events", 1_500_000, "events to import")
	runs := flags.Int("runs", 3, "runs, each into an empty server")
	if err := flags.Parse(args); err != nil {
		return err
	}
	clicks, source, err := Clicks(*events)
	if err != nil {
		return err
	}
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	file, err := clicksFile(dir, clicks)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	var rates []float64
	fmt.Fprintf(w, "Import of %s events (%s, %d MB of NDJSON) into an empty server, client included. %s.\n\n| run | seconds | events/s |\n|---|---|---|\n",
		thousands(float64(len(clicks))), source, info.Size()>>20, Machine())
	for i := range *runs {
		took, err := importOnce(ctx, fmt.Sprintf("%s/data%d", dir, i), file, clicks)
		if err != nil {
			return err
		}
		rates = append(rates, float64(len(clicks))/took.Seconds())
		fmt.Fprintf(w, "| %d | %.2f | %s |\n", i+1, took.Seconds(), thousands(rates[i]))
	}
	fmt.Fprintf(w, "\nMedian: **%s events/s** (to reach: 250,000).\n", thousands(median(rates)))
	return nil
}

// importOnce imports a file into a new server and checks that all of it is
// there.
func importOnce(ctx context.Context, dir, file string, clicks []dataset.Click) (time.Duration, error) {
	s, err := harness.Start(ctx, harness.Options{Dir: dir})
	if err != nil {
		return 0, err
	}
	defer s.Kill()
	if _, err := s.CreateSite(ctx, eventSite); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, s.Binary, "import", "events", file, "--site", "globo", "--server", s.URL(""))
	cmd.Env = append(os.Environ(), "READERSHIP_API_KEY="+harness.RootKey)
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("import: %w\n%s", err, out)
	}
	took := time.Since(start)
	views, err := s.Number(ctx, "globo", "page_views", stamp(clicks[0].Time), stamp(clicks[len(clicks)-1].Time+1))
	if err != nil {
		return 0, err
	}
	if int(views) != len(clicks) {
		return 0, fmt.Errorf("%d of %d events are stored", int(views), len(clicks))
	}
	return took, s.Stop()
}

// stamp writes Unix milliseconds as RFC 3339 in UTC.
func stamp(millis int64) string {
	return time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
