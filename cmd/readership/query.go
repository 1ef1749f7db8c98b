package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/readership/readership/internal/client"
)

// errNothing says that an import took none of its lines.
var errNothing = errors.New("every line was rejected")

const queryUsage = "--site SITE [--metrics M,…] [--by D,…] [--range SPAN] [--filter 'COLUMN=VALUE']…"

const queryAbout = `Asks a running server about a site and prints a table, with a sparkline where
the answer is a time series.

  readership query --site news --range 24h --by item --limit 10
  readership query --site news --metrics page_views,visitors --by time:hour --range 2d
  readership query --site news --from 2026-03-01T00:00:00Z --to 2026-03-08T00:00:00Z \
      --by section --filter type=page_view --filter 'item!=home'
  readership query --site news --json < question.json      with --question -

A filter is COLUMN=VALUE, COLUMN!=VALUE, COLUMN~PART (contains), COLUMN>NUMBER
or COLUMN<NUMBER; several values are separated by |.

Environment:
  READERSHIP_API_KEY   a key with the scope query:read`

// maxRows is the greatest limit of a query.
const maxRows = 10_000

// list is a flag that may be given several times.
type list []string

// String implements flag.Value.
func (l *list) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value.
func (l *list) Set(text string) error {
	*l = append(*l, text)
	return nil
}

// query asks a server.
func query(ctx context.Context, c console, args []string) error {
	var q client.Query
	var server, site, metrics, by, span, from, to, order, question string
	var filters list
	var asJSON, asCSV, totals bool
	f := newFlags(c, "query", queryUsage, queryAbout)
	f.StringVar(&site, "site", "", "`SITE` to ask about")
	f.StringVar(&server, "server", defaultServer, "`URL` of the server")
	f.StringVar(&metrics, "metrics", "page_views,visitors", "`METRICS`, separated by commas")
	f.StringVar(&by, "by", "", "`DIMENSIONS` to break down by: time:5min, time:hour, time:day, item, section, a property …")
	f.StringVar(&span, "range", "24h", "`SPAN` up to the site's now: 90m, 24h, 7d, day, week, month, year")
	f.StringVar(&from, "from", "", "`TIME` that the range starts at, instead of --range")
	f.StringVar(&to, "to", "", "`TIME` that it ends before")
	f.Var(&filters, "filter", "`FILTER` that rows must pass; may be given several times")
	f.StringVar(&order, "order", "", "`ORDER`: metrics or dimensions, separated by commas; a leading - is descending")
	f.IntVar(&q.Limit, "limit", 0, "`ROWS` at most, 1 to 10000; left out: 100, of a time series all")
	f.StringVar(&q.Timezone, "timezone", "", "`ZONE` instead of the site's")
	f.StringVar(&q.Compare, "compare", "", "`PERIOD` to compare with: previous_period, previous_week, year")
	f.BoolVar(&totals, "totals", true, "print the totals")
	f.StringVar(&question, "question", "", "`FILE` with the body of a query, instead of the flags above; - is standard input")
	f.BoolVar(&asJSON, "json", false, "print the answer as JSON")
	f.BoolVar(&asCSV, "csv", false, "print the answer as CSV")
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	switch {
	case len(rest) > 0:
		return usagef("unexpected %q", rest[0])
	case site == "":
		return usagef("--site is missing")
	case asJSON && asCSV:
		return usagef("--json and --csv are two formats: choose one")
	case (from == "") != (to == ""):
		return usagef("--from and --to belong together")
	case f.given("limit") && (q.Limit < 1 || q.Limit > maxRows):
		return usagef("--limit is 1 to %d; with the totals alone leave --by out", maxRows)
	}
	body := []byte(nil)
	if question != "" {
		if body, err = readAll(c, question); err != nil {
			return err
		}
	} else {
		q.Metrics, q.Dimensions, q.DateRange = split(metrics), split(by), span
		if from != "" {
			q.DateRange = []string{from, to}
		}
		if q.Filters, err = client.ParseFilters(filters); err != nil {
			return usagef("%v", err)
		}
		q.OrderBy = client.ParseOrder(split(order))
		if q.Limit == 0 && client.TimeSeries(q.Dimensions) {
			q.Limit = maxRows // a series is asked for whole
		}
		q.Include = &client.Include{Totals: totals, TimeLabels: client.TimeSeries(q.Dimensions)}
		if body, err = json.Marshal(&q); err != nil {
			return err
		}
	}
	api, err := connect(c, server)
	if err != nil {
		return err
	}
	defer api.Close()
	accept := "application/json"
	if asCSV {
		accept = "text/csv"
	}
	answer, err := api.QueryText(ctx, site, body, accept)
	if err != nil {
		return errors.New(client.Explain(err))
	}
	if asJSON || asCSV {
		_, err := c.out.Write(answer)
		return err
	}
	var result client.Result
	if err := json.Unmarshal(body, &q); err != nil {
		return err
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return err
	}
	return client.WriteTable(c.out, &q, &result)
}

func split(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func readAll(c console, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(c.in, 1<<20))
	}
	return readFile(name)
}
