package acceptance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cucumber/godog"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/bench/harness"
)

func (w *world) registerClicks(sc *godog.ScenarioContext) {
	sc.Given(`^a server with the click log in a site with clock "([^"]*)" in "([^"]*)"$`, w.clickLog)
	sc.Then(`^views and visitors per day in "([^"]*)" are those of the reference$`, w.perDay)
	sc.Then(`^the hour has the reference's views, visitors, ten articles and five-minute series$`, w.hour)
	sc.Then(`^the visits of the whole log are those of the reference$`, w.visits)
	sc.Then(`^page_views, visits and events have the same sums at 5 minutes, hours and days$`, func(ctx context.Context) error { return w.sums(ctx, "UTC") })
	sc.Then(`^they have the same sums in "([^"]*)"$`, w.sums)
}

// clickLog imports the log once for all scenarios.
func (w *world) clickLog(clock, zone string) error {
	s := w.shared
	if s.server == nil && s.err == nil {
		s.server, s.err = importClicks(context.Background(), filepath.Join(s.dir, "clicks"), clock, zone)
	}
	w.server, w.site = s.server, "portal"
	return skipAbsent(s.err)
}

func importClicks(ctx context.Context, dir, clock, zone string) (*harness.Server, error) {
	clicks, err := dataset.Globo()
	if err != nil {
		return nil, err
	}
	s, err := harness.Start(ctx, harness.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	if _, err := s.CreateSite(ctx, fmt.Sprintf(`{"id":"portal","domains":["portal.example"],"timezone":%q,"window":"30d","clock":%q}`, zone, clock)); err != nil {
		s.Kill()
		return nil, err
	}
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(dataset.WriteNDJSON(pw, clicks)) }()
	v, err := s.Import(ctx, "portal", pr)
	if err == nil && v.Accepted != len(clicks) {
		err = fmt.Errorf("accepted %d of %d clicks: %+v", v.Accepted, len(clicks), v.Rejected[:min(3, len(v.Rejected))])
	}
	if err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// wholeClicks is longer than the log.
const wholeClicks = `"date_range":["2017-09-30T00:00:00Z","2017-10-29T00:00:00Z"],"limit":10000`

func (w *world) perDay(ctx context.Context, zone string) error {
	ref, err := dataset.LoadReference()
	if err != nil {
		return err
	}
	want := map[string]map[string][2]int{"UTC": ref.UTC, "America/Sao_Paulo": ref.Paulo}[zone]
	res, err := w.server.Query(ctx, w.site, fmt.Sprintf(`{"metrics":["page_views","visitors"],"dimensions":["time:day"],"timezone":%q,%s}`, zone, wholeClicks))
	if err != nil {
		return err
	}
	if len(res.Results) != len(want) {
		return fmt.Errorf("%d days, want %d", len(res.Results), len(want))
	}
	for _, row := range res.Results {
		day := row.Dimensions[0][:len(time.DateOnly)]
		if got := [2]int{int(*row.Metrics[0]), int(*row.Metrics[1])}; got != want[day] {
			return fmt.Errorf("%s: %v views and visitors, want %v", day, got, want[day])
		}
	}
	return nil
}

func (w *world) hour(ctx context.Context) error {
	ref, err := dataset.LoadReference()
	if err != nil {
		return err
	}
	const hour = `"date_range":["2017-10-03T11:00:00Z","2017-10-03T12:00:00Z"]`
	top, err := w.server.Query(ctx, w.site, `{"metrics":["page_views","visitors"],"dimensions":["item"],"limit":10,"include":{"totals":true},`+hour+`}`)
	if err != nil {
		return err
	}
	if got, want := [2]int{int(*top.Totals[0]), int(*top.Totals[1])}, [2]int{ref.Hour.Views, ref.Hour.Readers}; got != want {
		return fmt.Errorf("%v views and visitors, want %v", got, want)
	}
	if len(top.Results) != len(ref.Hour.Top) {
		return fmt.Errorf("%d articles, want %d", len(top.Results), len(ref.Hour.Top))
	}
	for i, row := range top.Results {
		item, err := strconv.Atoi(row.Dimensions[0])
		if got := [2]int{item, int(*row.Metrics[0])}; err != nil || got != ref.Hour.Top[i] {
			return fmt.Errorf("article %d: %v, want %v", i+1, got, ref.Hour.Top[i])
		}
	}
	series, err := w.server.Query(ctx, w.site, `{"metrics":["page_views"],"dimensions":["time:5min"],`+hour+`}`)
	if err != nil {
		return err
	}
	if len(series.Results) != len(ref.Hour.Series) {
		return fmt.Errorf("%d buckets of 5 minutes, want %d", len(series.Results), len(ref.Hour.Series))
	}
	for i, row := range series.Results {
		if int(*row.Metrics[0]) != ref.Hour.Series[i] {
			return fmt.Errorf("%s: %v views, want %d", row.Dimensions[0], *row.Metrics[0], ref.Hour.Series[i])
		}
	}
	return nil
}

func (w *world) visits(ctx context.Context) error {
	ref, err := dataset.LoadReference()
	if err != nil {
		return err
	}
	res, err := w.server.Query(ctx, w.site, `{"metrics":["visits","page_views"],`+wholeClicks+`}`)
	if err != nil {
		return err
	}
	if got, want := [2]int{int(*res.Results[0].Metrics[0]), int(*res.Results[0].Metrics[1])}, [2]int{ref.Visits, ref.Events}; got != want {
		return fmt.Errorf("%v visits and views, want %v", got, want)
	}
	return nil
}

func (w *world) sums(ctx context.Context, zone string) error {
	var all [][3]int
	resolutions := []string{"time:5min", "time:hour", "time:day"}
	for _, resolution := range resolutions {
		res, err := w.server.Query(ctx, w.site, fmt.Sprintf(`{"metrics":["page_views","visits","events"],"dimensions":[%q],"timezone":%q,%s}`, resolution, zone, wholeClicks))
		if err != nil {
			return err
		}
		var sum [3]int
		for _, row := range res.Results {
			for i, m := range row.Metrics {
				sum[i] += int(*m)
			}
		}
		all = append(all, sum)
	}
	if all[0] != all[1] || all[1] != all[2] {
		return fmt.Errorf("sums of page_views, visits, events at %v: %v", resolutions, all)
	}
	if all[0][0] == 0 {
		return errors.New("the sums are zero")
	}
	return nil
}
