package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/readership/readership/bench/harness"
)

// Overload offers twice what the server can take, from another core, and
// checks that it refuses in time, keeps its memory, serves what it accepts,
// and is itself again right after.
func Overload(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("overload", flag.ContinueOnError)
	seconds := flags.Int("seconds", 60, "seconds of overload")
	batch := flags.Int("batch", 20, "events a request")
	connections := flags.Int("connections", 2048, "connections; too few make the loop a closed one")
	factor := flags.Float64("factor", 2, "offered ÷ capacity")
	memory := flags.String("memory", "768MB", "the server's --memory: it is filled up first, since what is accepted is stored; \"\": an empty server with the default")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := need("taskset"); err != nil {
		return err
	}
	if runtime.NumCPU() < 2 {
		return errors.New("overload needs two cores")
	}
	var other unix.CPUSet
	other.Set(1)
	runtime.LockOSThread()
	if err := unix.SchedSetaffinity(0, &other); err != nil { // threads made from here on inherit it
		return fmt.Errorf("bind the generator to core 1: %w", err)
	}
	runtime.GOMAXPROCS(1)
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	o := harness.Options{Dir: filepath.Join(dir, "data"), Prefix: []string{"taskset", "-c", "0"}}
	if *memory != "" {
		o.Args = []string{"--memory", *memory}
	}
	s, err := harness.Start(ctx, o)
	if err != nil {
		return err
	}
	defer s.Kill()
	key, err := s.CreateSite(ctx, newsSite)
	if err != nil {
		return err
	}
	t := overload{server: s, full: *memory != "", load: harness.Load{Addr: s.CollectAddr, WriteKey: key, Connections: 64, Batch: *batch}}
	r := overloadReport{batch: *batch}
	for _, step := range []func() error{
		func() error { return t.settle(ctx, &r) },
		func() error { return t.flood(ctx, &r, *connections, time.Duration(*seconds)*time.Second, *factor) },
		func() error { return t.recover(ctx, &r, dir) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "Server on core 0, open-loop generator on core 1, batches of %d, %d connections, %d s. %s.\n\n| | |\n|---|---|\n", *batch, *connections, *seconds, Machine())
	r.print(w)
	if err := r.check(); err != nil {
		return err
	}
	return s.Stop()
}

// overload is one server on its way through the scenario.
type overload struct {
	server *harness.Server
	full   bool // it is filled to its memory first
	load   harness.Load
}

// run sends for a while: at a rate of requests a second, or, with 0, as fast as
// the connections allow.
func (t *overload) run(ctx context.Context, l harness.Load, d time.Duration, rate float64) (*harness.LoadReport, error) {
	l.Duration, l.Rate = d, rate
	return l.Run(ctx)
}

// settle warms the server up, fills it, and measures its capacity and memory.
func (t *overload) settle(ctx context.Context, r *overloadReport) error {
	warm := func() error { _, err := t.run(ctx, t.load, 5*time.Second, 0); return err }
	err := warm()
	if err == nil && t.full {
		r.before, err = fill(t.server, warm)
	}
	if err != nil {
		return err
	}
	closed, err := t.run(ctx, t.load, 10*time.Second, 0)
	if err != nil {
		return err
	}
	r.capacity = float64(len(closed.Accepted)) / closed.Took.Seconds()
	rss, err := t.server.RSS()
	r.before = max(r.before, rss)
	return err
}

// flood offers factor times the capacity.
func (t *overload) flood(ctx context.Context, r *overloadReport, connections int, d time.Duration, factor float64) error {
	stored, err := storedBytes(ctx, t.server)
	if err != nil {
		return err
	}
	peak, stopWatching := watchRSS(t.server)
	l := t.load
	l.Connections = connections
	r.over, err = t.run(ctx, l, d, factor*r.capacity)
	r.highest = stopWatching(peak)
	if err != nil || t.full {
		return err
	}
	after, err := storedBytes(ctx, t.server)
	r.grown = max(0, after-stored) // what was accepted and stored is not overload's
	return err
}

// overloadReport is what was measured; rates are requests a second, memory is
// in bytes.
type overloadReport struct {
	batch            int
	capacity, after  float64
	over             *harness.LoadReport
	before, highest  int64
	grown            int64 // rows newly stored, of a server that began empty
	recovered        recoveryReport
	slowest, stalled float64 // disk, in the two seconds after
}

func (r *overloadReport) print(w io.Writer) {
	events := func(requests float64) string { return thousands(requests * float64(r.batch)) }
	took := r.over.Took.Seconds()
	offered := float64(r.over.Offered) / took
	fmt.Fprintf(w, "| capacity (closed loop) | %s events/s |\n| offered | %s events/s (%.2f ×) |\n", events(r.capacity), events(offered), offered/r.capacity)
	fmt.Fprintf(w, "| accepted | %s events/s; since they were sent p50 %s, **p99 %s** (limit 250 ms); since they were due p99 %s |\n", events(float64(len(r.over.Accepted))/took),
		millis(r.over.Accepted, .5), millis(r.over.Accepted, .99), millis(r.over.Due, .99))
	fmt.Fprintf(w, "| refused | %s requests, **p99 %s**, slowest %s (limit 50 ms), %d without Retry-After |\n", thousands(float64(len(r.over.Refused))),
		millis(r.over.Refused, .99), millis(r.over.Refused, 1), r.over.RefusedBare)
	fmt.Fprintf(w, "| other answers, broken connections | %d, %d |\n", r.over.Others, r.over.Broken)
	fmt.Fprintf(w, "| memory before, highest | %d MB, %d MB: **%.2f ×** (limit 1.2); let off for rows newly stored: %d MB |\n", r.before>>20, r.highest>>20, float64(r.highest)/float64(r.before), r.grown>>20)
	fmt.Fprintf(w, "| in the two seconds after | %s events/s (%.2f of capacity), %d refused; full speed %s (limit 2 s); slowest sync of the disk itself %.0f ms, %.1f %% of the time in syncs over 10 ms |\n", events(r.after), r.after/r.capacity, r.recovered.refused, r.recovered, r.slowest, 100*r.stalled)
}

func (r *overloadReport) check() error {
	switch {
	case harness.Quantile(r.over.Accepted, .99) > 250*time.Millisecond:
		return errors.New("accepted requests took too long")
	case harness.Quantile(r.over.Refused, .99) > 50*time.Millisecond:
		return errors.New("refusals took too long")
	case r.over.RefusedBare+r.over.Others+r.over.Broken > 0:
		return errors.New("answers were neither 200 nor refusals with Retry-After")
	case r.recovered.in == 0 || r.recovered.in > 2*time.Second:
		return errors.New("full speed was not reached within two seconds")
	case float64(r.highest-r.grown) > 1.2*float64(r.before):
		return errors.New("memory grew by more than what was stored and a fifth")
	}
	return nil
}

// fill loads a server until its memory grows no more, at most 5 minutes, and
// returns the most that it took.
func fill(s *harness.Server, load func() error) (highest int64, err error) {
	for level, i := 0, 0; level < 6 && i < 60; i++ {
		peak, stopWatching := watchRSS(s)
		err := load()
		rss := stopWatching(peak)
		if err != nil {
			return 0, err
		}
		if level++; rss > highest+highest/50 {
			highest, level = rss, 0
		}
	}
	return highest, nil
}

// millis writes a quantile of sorted durations.
func millis(sorted []time.Duration, q float64) string {
	return harness.Quantile(sorted, q).Round(100 * time.Microsecond).String()
}

// storedBytes returns what the engine says it holds, 0 if it does not say.
func storedBytes(ctx context.Context, s *harness.Server) (int64, error) {
	kinds, err := engineBytes(ctx, s)
	var sum float64
	for _, bytes := range kinds {
		sum += bytes
	}
	return int64(sum), err
}

// watchRSS samples the server's memory ten times a second until stopped.
func watchRSS(s *harness.Server) (highest chan int64, stop func(chan int64) int64) {
	highest = make(chan int64)
	quit := make(chan struct{})
	go func() {
		var top int64
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if rss, err := s.RSS(); err == nil {
					top = max(top, rss)
				}
			case <-quit:
				highest <- top
				return
			}
		}
	}()
	return highest, func(c chan int64) int64 {
		close(quit)
		return <-c
	}
}

type recoveryReport struct {
	refused int
	in      time.Duration // 0: not in the two seconds
}

// String says when full speed was reached.
func (r recoveryReport) String() string {
	if r.in == 0 {
		return "not reached"
	}
	return "after " + r.in.Round(time.Millisecond).String()
}

// recover sends at full speed in slices of 200 ms for two seconds and finds the
// first one that reaches nine tenths of the capacity.
func (t *overload) recover(ctx context.Context, r *overloadReport, dir string) error {
	disk, err := watchDisk(dir)
	if err != nil {
		return err
	}
	const slices, slice = 10, 200 * time.Millisecond
	accepted, start := 0, time.Now()
	for range slices {
		one, err := t.run(ctx, t.load, slice, 0)
		if err != nil {
			return err
		}
		accepted += len(one.Accepted)
		r.recovered.refused += len(one.Refused)
		if r.recovered.in == 0 && float64(len(one.Accepted))/one.Took.Seconds() >= 0.9*r.capacity {
			r.recovered.in = time.Since(start)
		}
	}
	r.after = float64(accepted) / time.Since(start).Seconds()
	r.slowest, r.stalled, err = disk()
	return err
}
