package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/readership/readership/internal/client"
	"github.com/readership/readership/internal/load"
)

const loadUsage = "--key WRITE_KEY [--server URL] [--rate N | --steps N,N,…] [--duration TIME]"

const loadAbout = `Offers a server a rate of events, whatever it answers, and reports latency from
the instant each request was due. The address may be the fast listener's.

  readership load --key KEY --rate 10000 --connections 256 --duration 30s
  readership load --key KEY --steps 1000,5000,20000 --duration 10s --batch 20
  readership load --key KEY --rate 2000 --verify news      reads the rows back

Environment:
  READERSHIP_WRITE_KEY  the write key, instead of --key
  READERSHIP_API_KEY    for --verify: a key with the scope events:read`

// generate offers events.
func generate(ctx context.Context, c console, args []string) error {
	o := load.Options{Now: time.Now, Mix: load.DefaultMix()}
	var api, rate, steps, verify string
	var duration time.Duration
	var asJSON bool
	f := newFlags(c, "load", loadUsage, loadAbout)
	f.StringVar(&o.Server, "server", defaultServer, "`URL` that events are sent to")
	f.StringVar(&o.Key, "key", "", "write `KEY` of the site")
	f.StringVar(&rate, "rate", "1000", "`REQUESTS` a second; max sends as fast as the connections allow")
	f.StringVar(&steps, "steps", "", "`RATES` one after the other, separated by commas, instead of --rate")
	f.DurationVar(&duration, "duration", 10*time.Second, "`TIME` of each rate")
	f.IntVar(&o.Connections, "connections", 64, "`N` connections")
	f.IntVar(&o.Batch, "batch", 1, "`N` events a request")
	f.IntVar(&o.Pipeline, "pipeline", 16, "`N` requests that a connection behind its time may send at once")
	f.Uint64Var(&o.Seed, "seed", 1, "`SEED` of what the simulated readers do")
	f.IntVar(&o.Mix.Devices, "devices", o.Mix.Devices, "`N` devices, which return")
	f.IntVar(&o.Mix.Items, "items", o.Mix.Items, "`N` items, read by a Zipf law")
	f.StringVar(&o.Mix.Host, "host", "", "`HOST` of the pages' addresses, one of the site's domains; without it events name no address")
	f.StringVar(&verify, "verify", "", "`SITE` whose rows are read back: each acknowledged event must be there once")
	f.StringVar(&api, "api", "", "`URL` that --verify reads from, where it is not the server's")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("unexpected %q", rest[0])
	}
	if o.Key == "" {
		o.Key = c.getenv("READERSHIP_WRITE_KEY")
	}
	if o.Key == "" {
		return usagef("--key is missing: it is the write key of the site")
	}
	if steps == "" {
		steps = rate
	}
	for _, text := range split(steps) {
		n := 0.0
		if text != "max" {
			if n, err = strconv.ParseFloat(text, 64); err != nil || n <= 0 {
				return usagef("%q is no rate: it is a number of requests a second, or max", text)
			}
		}
		o.Steps = append(o.Steps, load.Step{Rate: n, Duration: duration})
	}
	if verify != "" {
		o.Keep, o.Mix.Numbers, o.Mix.Engaged = true, true, 0
	}
	if err := o.Validate(); err != nil {
		return usagef("%v", err)
	}
	if c.tty && !asJSON {
		o.OnSecond = func(p load.Progress) {
			fmt.Fprintf(c.err, "\r\x1b[Kstep %d  %s  %d answered  %d events accepted  %d failed", p.Step+1, p.Elapsed.Round(time.Second), p.Answered, p.Accepted, p.Errors)
		}
	}
	begin := time.Now()
	report, err := load.Run(ctx, o)
	if o.OnSecond != nil {
		fmt.Fprint(c.err, "\r\x1b[K")
	}
	if err != nil {
		return err
	}
	write := report.Text
	if asJSON {
		write = report.JSON
	}
	if err := write(c.out); err != nil {
		return err
	}
	if report.Failed() {
		return errors.New("not one request was accepted")
	}
	if verify == "" {
		return nil
	}
	if api == "" {
		api = o.Server
	}
	return check(ctx, c, report, api, verify, begin)
}

// check reads the site's rows back and compares them with what was
// acknowledged.
func check(ctx context.Context, c console, report *load.Report, server, site string, since time.Time) error {
	api, err := connect(c, server)
	if err != nil {
		return err
	}
	defer api.Close()
	rows, err := api.Rows(ctx, site, since.Add(-time.Minute), time.Now().Add(time.Minute))
	if err != nil {
		return fmt.Errorf("read rows: %s", client.Explain(err))
	}
	defer rows.Close()
	v, err := report.Verify(rows)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.err, "%d events acknowledged, %d stored, %d missing, %d doubled\n", v.Acknowledged, v.Found, v.Missing, v.Doubled)
	if v.Missing > 0 || v.Doubled > 0 {
		return errors.New("what is stored is not what was acknowledged")
	}
	return nil
}

// readFile reads a small file.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 1<<20))
}
