package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/bench/harness"
)

// upkeep is a little more than the server's period of housekeeping.
const upkeep = 35 * time.Second

// Memory loads the data set of the memory promise, lists the bytes a page view
// by kind and the resident memory, then loads it again with half the memory
// and checks that the shorter window is answered exactly.
func Memory(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("memory", flag.ContinueOnError)
	views := flags.Int("views", 10_000_000, "page views")
	half := flags.Bool("half", true, "also run with half the memory")
	if err := flags.Parse(args); err != nil {
		return err
	}
	end := time.Now().UTC().Truncate(24 * time.Hour).UnixMilli()
	v := dataset.DefaultVisits(end)
	v.Devices = v.Devices * *views / v.Views
	v.Views = *views
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	held, err := loadVisits(ctx, w, v, filepath.Join(dir, "whole"), 0)
	if err != nil || !*half {
		return err
	}
	_, err = loadVisits(ctx, w, v, filepath.Join(dir, "half"), max(held/2, 64<<20))
	return err
}

// loadVisits imports the data set into a new server and reports; limit is the
// server's --memory in bytes, 0 for the default. It returns the bytes that the server says it holds.
func loadVisits(ctx context.Context, w io.Writer, v dataset.Visits, dir string, limit int64) (int64, error) {
	o := harness.Options{Dir: dir}
	if limit > 0 {
		o.Args = []string{"--memory", strconv.FormatInt(limit, 10)}
	}
	s, err := harness.Start(ctx, o)
	if err != nil {
		return 0, err
	}
	defer s.Kill()
	empty, err := s.RSS()
	if err != nil {
		return 0, err
	}
	if _, err := s.CreateSite(ctx, newsSite); err != nil {
		return 0, err
	}
	highest, stop := watchRSS(s)
	start := time.Now()
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(v.WriteNDJSON(pw)) }()
	sum, err := s.Import(ctx, "news", pr)
	took := time.Since(start)
	peak := stop(highest)
	if err != nil {
		return 0, err
	}
	if limit == 0 && sum.Accepted != 2*v.Views {
		return 0, fmt.Errorf("accepted %d of %d events, rejected %d: %+v", sum.Accepted, 2*v.Views, sum.RejectedTotal, sum.Rejected[:min(3, len(sum.Rejected))])
	}
	kinds, err := engineBytes(ctx, s)
	if err != nil {
		return 0, err
	}
	atOnce, err := s.RSS()
	if err != nil {
		return 0, err
	}
	// The server looks at its garbage every 30 s.
	select {
	case <-time.After(upkeep):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	rss, err := s.RSS()
	if err != nil {
		return 0, err
	}
	title := fmt.Sprintf("%s page views by %s devices, one engagement each", thousands(float64(v.Views)), thousands(float64(v.Devices)))
	if limit > 0 {
		title += ", --memory " + strconv.FormatInt(limit, 10)
	}
	held := printKinds(w, title, kinds, v.Views)
	fmt.Fprintf(w, "\nRSS: empty %d MB, highest while loading %d MB, right after it %d MB, 35 s later %d MB = **%.2f ×** of the sum (limit 1.3). Loaded in %.0f s. Log on disk: %.1f bytes an event. %s.\n\n",
		empty>>20, peak>>20, atOnce>>20, rss>>20, float64(rss)/float64(held), took.Seconds(), float64(diskUsage(filepath.Join(dir, "log")))/float64(2*v.Views), Machine())
	if err := checkWindow(ctx, w, s, v, limit > 0); err != nil {
		return 0, err
	}
	// A small data set has the same fixed parts and fewer rows to share them.
	if limit == 0 && v.Views >= 5_000_000 {
		promised := 0.0
		for _, kind := range promisedKinds {
			promised += kinds[kind] / float64(v.Views)
		}
		if promised > 45 {
			return 0, fmt.Errorf("rows and subjects take %.1f bytes a page view", promised)
		}
		if float64(rss) > 1.3*float64(held) {
			return 0, fmt.Errorf("RSS is %.2f times what is held", float64(rss)/float64(held))
		}
	}
	if limit > 0 && peak > limit {
		return 0, fmt.Errorf("RSS reached %d with --memory %d", peak, limit)
	}
	return held, s.Stop()
}

// promisedKinds are rows and subjects; a visit lies beside the row that starts
// it.
var promisedKinds = []string{"rows", "subjects", "visits"}

func printKinds(w io.Writer, title string, kinds map[string]float64, views int) (sum int64) {
	fmt.Fprintf(w, "%s.\n\n| kind | MB | bytes a page view |\n|---|---|---|\n", title)
	promised := 0.0
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		bytes := kinds[kind]
		sum += int64(bytes)
		if slices.Contains(promisedKinds, kind) {
			promised += bytes
		}
		fmt.Fprintf(w, "| %s | %.1f | %.1f |\n", kind, bytes/(1<<20), bytes/float64(views))
	}
	fmt.Fprintf(w, "| **rows, subjects, visits** (limit 45, aim 36) | %.1f | **%.1f** |\n| sum | %.1f | %.1f |\n",
		promised/(1<<20), promised/float64(views), float64(sum)/(1<<20), float64(sum)/float64(views))
	return sum
}

// engineBytes reads how many bytes of each kind the server says it holds: the
// metric readership_memory_bytes with the label kind.
func engineBytes(ctx context.Context, s *harness.Server) (map[string]float64, error) {
	all, err := s.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	kinds := map[string]float64{}
	for name, value := range all {
		rest, ok := strings.CutPrefix(name, "readership_memory_bytes{")
		if !ok {
			continue
		}
		for label := range strings.SplitSeq(strings.TrimSuffix(rest, "}"), ",") {
			if kind, ok := strings.CutPrefix(label, `kind="`); ok {
				kinds[strings.TrimSuffix(kind, `"`)] += value
			}
		}
	}
	if len(kinds) == 0 {
		return nil, errors.New("the server does not say what it holds (readership_memory_bytes)")
	}
	return kinds, nil
}

// checkWindow compares the page views and visitors of each day with a count
// over the data set. With a shortened window the days before it are empty, and
// the answer says from when it holds.
func checkWindow(ctx context.Context, w io.Writer, s *harness.Server, v dataset.Visits, shortened bool) error {
	res, err := s.Query(ctx, "news", fmt.Sprintf(`{"metrics":["page_views","visitors","engaged_seconds"],"dimensions":["time:day"],"date_range":[%q,%q],"limit":100}`,
		stamp(v.Start), stamp(time.Now().UnixMilli())))
	if err != nil {
		return err
	}
	want := v.PerDay()
	exact, short := 0, 0
	for _, row := range res.Results {
		day := row.Dimensions[0][:10]
		got := dataset.DayCount{Views: int(*row.Metrics[0]), Visitors: int(*row.Metrics[1]), Engaged: int(*row.Metrics[2])}
		if got == want[day] {
			exact++
		} else if got.Views < want[day].Views && short == 0 {
			short++ // the day in which the window begins
		} else {
			return fmt.Errorf("%s: the answer is %+v, the data set has %+v", day, got, want[day])
		}
	}
	if !shortened && (exact != len(want) || short > 0) {
		return fmt.Errorf("%d of %d days are answered exactly", exact, len(want))
	}
	if exact < len(want) && len(res.Meta.Warnings) == 0 {
		return errors.New("the window is shorter and no warning says so")
	}
	fmt.Fprintf(w, "Page views, visitors and engaged seconds of %d of %d days equal the data set's; warnings: %s.\n\n", exact, len(want), res.Meta.Warnings)
	return nil
}
