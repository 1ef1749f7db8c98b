package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/readership/readership/internal/app"
)

const serveUsage = "[--config FILE] [--data DIR] [--listen ADDR] [--collect-listen ADDR] [--role ROLES] [--memory SIZE] [--log-max SIZE] [--geo FILE] [--crawler-ranges DIR] [--proxy-listen ADDR] [--proxy-tls-listen ADDR] [--demo]"

const serveAbout = `Collects events, keeps the window in memory, answers queries and serves the
dashboard, all in one process. SIGTERM and SIGINT drain: what is in flight is
answered, the last commit and a checkpoint are written, the exit code is 0.

Environment:
  READERSHIP_ROOT_KEY   a key with every scope, for provisioning
  READERSHIP_NATS_URL   nats-server with JetStream that keeps the event log in
                        place of the data folder, as nats://127.0.0.1:4222`

// serve runs the server until a signal.
func serve(ctx context.Context, c console, args []string) error {
	cfg := app.Config{Out: c.out, Now: time.Now, Random: rand.Reader, Version: programVersion(), RootKey: c.getenv("READERSHIP_ROOT_KEY")}
	var memory, logMax size
	var roles, level, config string
	f := newFlags(c, "serve", serveUsage, serveAbout)
	f.StringVar(&config, "config", "", "`FILE` with flags, one NAME = VALUE a line; the command line wins")
	f.StringVar(&cfg.Data, "data", "./data", "`DIR` that all state lies under")
	f.StringVar(&cfg.Listen, "listen", "127.0.0.1:8080", "`ADDR` that serves everything")
	f.StringVar(&cfg.CollectListen, "collect-listen", "", "`ADDR` of the fast listener: events, decisions, segments of a reader")
	f.Var((*networks)(&cfg.PageNetworks), "page-networks", "`CIDRS` of private networks that sites' pages may be fetched from, separated by commas")
	f.StringVar(&cfg.Tracker, "tracker", "rs.js", "`NAME` of the script that pages load, as /NAME")
	f.StringVar(&roles, "role", "", "`ROLES` to run: edge, or engine,api,worker, on one READERSHIP_NATS_URL; all of them if left out")
	f.Var(&memory, "memory", "`SIZE` that the process may take, as 2GB or 512MiB; 70 % of the machine's if left out")
	f.Var(&logMax, "log-max", "`SIZE` that the event log may take on disk; what is free, less 10 GB or a tenth, if left out")
	f.IntVar(&cfg.Connections, "connections", 16_384, "`N` connections at once at most, of each listener")
	f.IntVar(&cfg.AddressConnections, "address-connections", 2_048, "`N` connections at once at most of one address, of each listener; a private network's and a trusted proxy's has no such bound")
	f.IntVar(&cfg.Rates.Key, "key-rate", app.DefaultRates.Key, "`N` collecting requests a second at most with one key; 0 for no bound")
	f.IntVar(&cfg.Rates.Address, "address-rate", app.DefaultRates.Address, "`N` collecting requests a second at most of one reader's address; 0 for no bound")
	f.IntVar(&cfg.Rates.Device, "device-rate", app.DefaultRates.Device, "`N` events a second at most of one device, from pages and apps; 0 for no bound")
	f.IntVar(&cfg.DecisionRate, "decision-rate", app.DefaultDecisionRate, "`N` requests for decisions a second at most with one key; 0 for no bound")
	f.IntVar(&cfg.QueryRate, "query-rate", app.DefaultQueryRate, "`N` questions a second at most with one key or of one person; 0 for no bound")
	f.StringVar(&cfg.Geo, "geo", "", "`FILE` of places in the MaxMind DB format (.mmdb); read again when it changes")
	f.StringVar(&cfg.CrawlerRanges, "crawler-ranges", "", "`DIR` with the address ranges that operators of crawlers publish, as OPERATOR.json; read again when they change")
	proxied := proxyFlags(f, &cfg.Proxy)
	f.BoolVar(&cfg.Demo, "demo", false, "write a sample newspaper with simulated readers")
	f.StringVar(&level, "log-level", "info", "least `LEVEL` of what is logged: debug, info, warn, error")
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("unexpected %q", rest[0])
	}
	if config != "" {
		if err := f.readConfig(config); err != nil {
			return err
		}
	}
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return usagef("--log-level %q: it is debug, info, warn or error", level)
	}
	cfg.NATS = c.getenv("READERSHIP_NATS_URL")
	for _, name := range []string{"READERSHIP_DATABASE_URL", "READERSHIP_ARCHIVE_URL"} {
		if c.getenv(name) != "" {
			return usagef("%s is set, but this version keeps everything under --data: unset it", name)
		}
	}
	cfg.Roles = listed(roles)
	proxied()
	cfg.Memory, cfg.LogMax = int64(memory), int64(logMax)
	cfg.Logger = slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: least}))
	slog.SetDefault(cfg.Logger)
	err = app.Run(ctx, cfg)
	if errors.Is(err, app.ErrUsage) {
		return usagef("%s", strings.TrimPrefix(err.Error(), app.ErrUsage.Error()+": "))
	}
	return err
}
