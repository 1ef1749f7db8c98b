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
// by kind and the resident memory, then loads it again with half of the memory
// that took and checks that the shorter window is answered exactly.
func Memory(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("memory", flag.ContinueOnError)
	views := flags.Int("views", 10_000_000, "page views")
	half := flags.Bool("half", true, "also run with half the memory")
	limit := flags.Int64("memory", 0, "run with this --memory only, MB")
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
	if *limit > 0 {
		_, err = loadVisits(ctx, w, v, filepath.Join(dir, "limited"), *limit<<20)
		return err
	}
	peak, err := loadVisits(ctx, w, v, filepath.Join(dir, "whole"), 0)
	if err != nil || !*half {
		return err
	}
	_, err = loadVisits(ctx, w, v, filepath.Join(dir, "half"), max(peak/2, 64<<20))
	return err
}

// loadVisits imports the data set into a new server and reports; limit is the
// server's --memory in bytes, 0 for the default. It returns the highest resident
// memory of the load.
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
	start := time.Now()
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(v.WriteNDJSON(pw)) }()
	sum, err := s.Import(ctx, "news", pr)
	took := time.Since(start)
	if err != nil {
		return 0, err
	}
	if limit == 0 && sum.Accepted != 2*v.Views {
		return 0, fmt.Errorf("accepted %d of %d events, rejected %d: %+v", sum.Accepted, 2*v.Views, sum.RejectedTotal, sum.Rejected[:min(3, len(sum.Rejected))])
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
	peak, err := s.PeakRSS()
	if err != nil {
		return 0, err
	}
	metrics, err := s.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	kinds, err := kindsOf(metrics)
	if err != nil {
		return 0, err
	}
	title := fmt.Sprintf("%s page views by %s devices, one engagement each", thousands(float64(v.Views)), thousands(float64(v.Devices)))
	if limit > 0 {
		title += fmt.Sprintf(", --memory %d MB", limit>>20)
	}
	held := printKinds(w, title, kinds, v.Views)
	ids, views := metrics["readership_known_ids"], metrics["readership_known_views"]
	idBytes, viewBytes := kinds["committer_ids"]/ids, kinds["ids"]/views
	fmt.Fprintf(w, "\nId tables: **%.1f bytes an id** of %s event ids (committer), **%.1f** of %s page views (limit 16).\n", idBytes, thousands(ids), viewBytes, thousands(views))
	against := fmt.Sprintf(" = **%.2f ×** of the sum (limit 1.3)", float64(rss)/float64(held))
	if limit > 0 {
		against = fmt.Sprintf("; **limit %d MB**", limit>>20)
	}
	fmt.Fprintf(w, "\nRSS: empty %d MB, highest %d MB, right after the load %d MB, 35 s later %d MB%s. Loaded in %.0f s. Log on disk: %.1f bytes an event. %s.\n\n",
		empty>>20, peak>>20, atOnce>>20, rss>>20, against, took.Seconds(), float64(diskUsage(filepath.Join(dir, "log")))/float64(2*v.Views), Machine())
	if limit > 0 {
		from := int64(1000 * metrics[`readership_site_window_from_seconds{site="news"}`])
		if err := checkSince(ctx, w, s, v, from); err != nil {
			return 0, err
		}
	} else if err := checkDays(ctx, w, s, v); err != nil {
		return 0, err
	}
	// A small data set has the same fixed parts and fewer rows to share them.
	if limit == 0 && v.Views >= 5_000_000 {
		if err := promised(kinds, v.Views, idBytes, viewBytes, float64(rss)/float64(held)); err != nil {
			return 0, err
		}
	}
	if limit > 0 && peak > limit {
		return 0, fmt.Errorf("RSS reached %d with --memory %d", peak, limit)
	}
	return peak, s.Stop()
}

// promisedKinds are rows and subjects; a visit lies beside the row that starts
// it.
var promisedKinds = []string{"rows", "subjects", "visits"}

// promised says which promise what is held breaks: bytes by kind of so many page views,
// of an id and of a page view's id, and RSS as a multiple of what is held.
func promised(kinds map[string]float64, views int, idBytes, viewBytes, rss float64) error {
	rows := 0.0
	for _, kind := range promisedKinds {
		rows += kinds[kind] / float64(views)
	}
	switch {
	case rows > 45:
		return fmt.Errorf("rows and subjects take %.1f bytes a page view", rows)
	case idBytes > 16 || viewBytes > 16:
		return fmt.Errorf("an id takes %.1f bytes, a page view's %.1f", idBytes, viewBytes)
	case rss > 1.3:
		return fmt.Errorf("RSS is %.2f times what is held", rss)
	}
	return nil
}

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

// engineBytes reads how many bytes of each kind the server says it holds.
func engineBytes(ctx context.Context, s *harness.Server) (map[string]float64, error) {
	metrics, err := s.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	return kindsOf(metrics)
}

// kindsOf finds the metric readership_memory_bytes by its label kind.
func kindsOf(metrics map[string]float64) (map[string]float64, error) {
	kinds := map[string]float64{}
	for name, value := range metrics {
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

// askVisits asks for page views, visitors and engaged seconds from an instant
// on, by dimensions, a list of JSON.
func askVisits(ctx context.Context, s *harness.Server, dimensions string, from int64) (*harness.Result, error) {
	return s.Query(ctx, "news", fmt.Sprintf(`{"metrics":["page_views","visitors","engaged_seconds"],"dimensions":[%s],"date_range":[%q,%q],"limit":100}`,
		dimensions, stamp(from), stamp(time.Now().UnixMilli())))
}

func counted(metrics []*float64) dataset.DayCount {
	return dataset.DayCount{Views: int(*metrics[0]), Visitors: int(*metrics[1]), Engaged: int(*metrics[2])}
}

// checkDays compares each day with a count over the data set.
func checkDays(ctx context.Context, w io.Writer, s *harness.Server, v dataset.Visits) error {
	res, err := askVisits(ctx, s, `"time:day"`, v.Start)
	if err != nil {
		return err
	}
	want := v.PerDay()
	exact := 0
	for _, row := range res.Results {
		day := row.Dimensions[0][:10]
		if got := counted(row.Metrics); got != want[day] {
			return fmt.Errorf("%s: the answer is %+v, the data set has %+v", day, got, want[day])
		}
		if want[day].Views > 0 {
			exact++
		}
	}
	if exact != len(want) {
		return fmt.Errorf("%d of %d days are answered", exact, len(want))
	}
	fmt.Fprintf(w, "Page views, visitors and engaged seconds of each of %d days equal the data set's; warnings: %s.\n\n", exact, res.Meta.Warnings)
	return nil
}

// checkSince compares the window from where the server says that it holds with
// a count over the data set. An answer about all of it must say from when it holds.
func checkSince(ctx context.Context, w io.Writer, s *harness.Server, v dataset.Visits, from int64) error {
	res, err := askVisits(ctx, s, "", from)
	if err != nil {
		return err
	}
	if len(res.Results) != 1 {
		return errors.New("the answer is not one row")
	}
	got, want := counted(res.Results[0].Metrics), v.Since(from)
	if got != want {
		return fmt.Errorf("since %s the answer is %+v, the data set has %+v", stamp(from), got, want)
	}
	whole, err := askVisits(ctx, s, "", v.Start)
	if err != nil {
		return err
	}
	if from > v.Start && len(whole.Meta.Warnings) == 0 {
		return errors.New("the window is shorter and no warning says so")
	}
	fmt.Fprintf(w, "The window holds from %s: its %s page views, %s visitors and %s engaged seconds equal the data set's. An answer about all days warns: %s.\n\n",
		stamp(from), thousands(float64(got.Views)), thousands(float64(got.Visitors)), thousands(float64(got.Engaged)), whole.Meta.Warnings)
	return nil
}
