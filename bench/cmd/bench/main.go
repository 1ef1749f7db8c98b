// Command bench measures and checks a real server: what it promises of its
// speed, its memory and its safety. Each scenario prints Markdown.
//
//	bench SCENARIO [flags]        bench SCENARIO -h lists the flags
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/readership/readership/bench/harness"
	"github.com/readership/readership/bench/scenario"
)

var scenarios = []struct {
	name, about string
	run         scenario.Run
}{
	{"generate", "write a data set as NDJSON to standard output", scenario.Generate},
	{"replay", "log into an empty engine, one thread", scenario.Replay},
	{"import", "durable import of NDJSON, client included", scenario.Import},
	{"simulate", "what access blocks would have decided about 1.5 M page views, over HTTP", scenario.Simulate},
	{"live", "1.5 M decisions with commit in time order, and what a simulation says of them", scenario.Live},
	{"edge", "single events on the fast listener against nginx and Lua", scenario.Edge},
	{"memberships", "which segments readers are in, on the fast listener", scenario.Memberships},
	{"readers-peers", "the same question about readers, of Readership, Redis and Tarantool", scenario.ReadersPeers},
	{"decide", "decisions with and without commit on the fast listener", scenario.Decide},
	{"hot-device", "a device with a million page views that sends more, and what others notice", scenario.HotDevice},
	{"midnight", "100,000 readers leave a segment of the day at midnight, decisions meanwhile", scenario.Midnight},
	{"overshoot", "100 commits at once with three left, 1,000 times and across kill -9", scenario.Overshoot},
	{"memory", "bytes per page view by kind, and RSS", scenario.Memory},
	{"restart", "start from a checkpoint, after SIGTERM and after kill -9", scenario.Restart},
	{"crash", "kill -9 at random moments under load", scenario.Crash},
	{"roles", "edge and engine as two processes, the engine stopped and killed under load", scenario.Roles},
	{"overload", "twice the capacity, server and load on a core each", scenario.Overload},
	{"sync", "each answer is preceded by a sync of the log (strace)", scenario.Sync},
	{"disk", "a full disk of 64 MB", scenario.Disk},
	{"proxy", "a page through the reverse proxy against nginx, and what a decision adds", scenario.Proxy},
	{"proxy-collect", "10,000 events/s while pages pass; client, ledger and query count the same", scenario.ProxyCollect},
	{"routes", "routes changed and an origin killed under load: no page fails", scenario.Routes},
	{"cores", "how long the host has this machine's cores while they are busy and something is synced", scenario.Cores},
	{harness.WatchGaps, "when this machine's cores were away, until standard input ends", scenario.WatchGaps},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 {
		usage()
	}
	for _, s := range scenarios {
		if s.name != os.Args[1] {
			continue
		}
		err := s.run(ctx, os.Stdout, os.Args[2:])
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		if err != nil {
			stop()
			fmt.Fprintf(os.Stderr, "bench %s: %v\n", s.name, err)
			os.Exit(1)
		}
		return
	}
	usage()
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: bench SCENARIO [flags]")
	for _, s := range scenarios {
		fmt.Fprintf(os.Stderr, "  %-13s %s\n", s.name, s.about)
	}
	os.Exit(2)
}
