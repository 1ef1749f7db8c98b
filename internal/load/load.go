// Package load offers a server a rate of events and reports what it made of
// them. It is an open-loop generator: a request is due at its time whether or
// not the ones before it were answered, and latency counts from when it was
// due, so a stall of the server is seen by every request that it delays.
package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Step is a constant rate for a time.
type Step struct {
	Rate     float64 // requests per second; 0: as fast as the connections allow
	Duration time.Duration
}

// Options say what is offered to whom.
type Options struct {
	Server      string // http://host:port; plain HTTP only
	Key         string // a write key
	Steps       []Step
	Connections int // 1..65535
	Pipeline    int // requests that a connection behind its time may send at once
	Batch       int // events a request
	Seed        uint64
	Mix         Mix
	Keep        bool // remember which events were acknowledged, for Verify
	Now         func() time.Time
	OnSecond    func(Progress) // told once a second, if set
}

// Progress is the state of a run under way.
type Progress struct {
	Step     int
	Elapsed  time.Duration
	Answered uint64
	Accepted uint64 // events
	Errors   uint64
}

// MaxConnections bounds the connections of one run.
const MaxConnections = 1<<16 - 1

// Validate says what is wrong with the options.
func (o *Options) Validate() error {
	switch {
	case o.Connections < 1 || o.Connections > MaxConnections:
		return fmt.Errorf("connections are %d, must be 1 to %d", o.Connections, MaxConnections)
	case o.Batch < 1 || o.Batch > 10_000:
		return fmt.Errorf("batch is %d events, must be 1 to 10,000", o.Batch)
	case o.Pipeline < 1 || o.Pipeline > 1024:
		return fmt.Errorf("pipeline is %d requests, must be 1 to 1,024", o.Pipeline)
	case len(o.Steps) == 0:
		return errors.New("no rate is given")
	}
	for _, s := range o.Steps {
		if s.Rate < 0 || s.Rate > 1e7 || s.Duration <= 0 {
			return fmt.Errorf("a step of %g requests/s for %s: the rate must be 0 to 10,000,000 and the duration above 0", s.Rate, s.Duration)
		}
	}
	return nil
}

// Run offers the steps one after the other. It returns what was measured also
// when ctx ends it early; an error means that it could not begin.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	target, err := url.Parse(o.Server)
	if err != nil || target.Scheme != "http" || target.Hostname() == "" {
		return nil, fmt.Errorf("server %q is not an http://host:port address", o.Server)
	}
	address := target.Host
	if target.Port() == "" {
		address = net.JoinHostPort(target.Hostname(), "80")
	}
	run := uint32(rand.Uint64())
	c := newCorpus(o.Seed, o.Mix, o.Batch, requestHead(target.Host, o.Key))
	g := &load{o: o, address: address, corpus: c, run: run}
	for i := range o.Connections {
		w := &worker{load: g, number: uint16(i), rng: rand.New(rand.NewPCG(o.Seed, uint64(i)+2))}
		w.next = c.starts[w.rng.IntN(len(c.starts))]
		if w.wire, err = dial(address); err != nil {
			g.close()
			return nil, fmt.Errorf("connect: %w", err)
		}
		g.workers = append(g.workers, w)
	}
	report := &Report{Connections: o.Connections, Batch: o.Batch, Seed: o.Seed, Run: fmt.Sprintf("%08x", run)}
	for i, step := range o.Steps {
		if ctx.Err() != nil {
			break
		}
		report.Steps = append(report.Steps, g.step(ctx, i, step))
	}
	g.close()
	if o.Keep {
		report.acked = g.acked()
	}
	return report, nil
}

// load is one run.
type load struct {
	o       Options
	address string
	corpus  *corpus
	run     uint32
	workers []*worker

	answered, accepted, errors atomic.Uint64
}

func (g *load) close() {
	for _, w := range g.workers {
		if w.wire != nil {
			w.wire.Close()
		}
	}
}

// step offers one rate and waits for its answers.
func (g *load) step(ctx context.Context, number int, s Step) StepReport {
	start := g.o.Now()
	deadline := start.Add(s.Duration)
	var wg sync.WaitGroup
	for i, w := range g.workers {
		w.step = new(tally)
		wg.Go(func() { w.offer(ctx, s, start, deadline, i) })
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	g.watch(number, start, done)
	took := g.o.Now().Sub(start)
	var sum tally
	for _, w := range g.workers {
		sum.add(w.step)
	}
	return sum.report(s, min(took, s.Duration), g.o.Batch)
}

// watch reports once a second until done.
func (g *load) watch(step int, start time.Time, done <-chan struct{}) {
	if g.o.OnSecond == nil {
		<-done
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			g.o.OnSecond(Progress{Step: step, Elapsed: g.o.Now().Sub(start),
				Answered: g.answered.Load(), Accepted: g.accepted.Load(), Errors: g.errors.Load()})
		}
	}
}

// worker owns one connection.
type worker struct {
	load   *load
	number uint16
	rng    *rand.Rand
	wire   *wire
	next   int    // template
	event  uint64 // number of the next event
	acks   []bool // by request, with Keep
	buf    []byte
	due    []time.Time
	first  []uint64 // number of the first event of each request in flight
	step   *tally
}

// offer sends the worker's share of a step: every connections-th request.
func (w *worker) offer(ctx context.Context, s Step, start, deadline time.Time, index int) {
	every := time.Duration(0)
	due := start
	if s.Rate > 0 {
		every = time.Duration(float64(w.load.o.Connections) / s.Rate * float64(time.Second))
		due = start.Add(time.Duration(float64(index) / s.Rate * float64(time.Second)))
	}
	now := w.load.o.Now()
	for ctx.Err() == nil && due.Before(deadline) && now.Before(deadline) {
		waited := false
		if d := due.Sub(now); d > 0 {
			waited = true
			if !sleep(ctx, d) {
				break
			}
			now = w.load.o.Now()
			w.step.lag.Record(now.Sub(due))
		}
		w.due, w.buf, w.first = w.due[:0], w.buf[:0], w.first[:0]
		for len(w.due) < w.load.o.Pipeline && !due.After(now) && due.Before(deadline) {
			from := due
			if waited || every == 0 {
				// The connection was idle: what is late here is our own timer.
				from = now
			}
			w.due = append(w.due, from)
			w.append()
			if every == 0 {
				due = now
				break
			}
			due = due.Add(every)
		}
		w.step.offered += uint64(len(w.due))
		if !w.exchange(ctx, now) {
			break
		}
		now = w.load.o.Now()
		if every == 0 {
			due = now
		}
	}
	if every > 0 && ctx.Err() == nil {
		for ; due.Before(deadline); due = due.Add(every) {
			w.step.unsent++
		}
	}
}

// append adds the next request to the buffer.
func (w *worker) append() {
	w.first = append(w.first, w.event)
	w.buf = w.load.corpus.appendRequest(w.buf, w.next, w.load.run, w.number, w.event)
	w.event += uint64(w.load.o.Batch)
	if w.next++; w.next == len(w.load.corpus.templates) {
		w.next = 0
	}
}

// exchange writes the buffer and reads its answers. It returns false when ctx
// ended.
func (w *worker) exchange(ctx context.Context, now time.Time) bool {
	if w.wire == nil && !w.redial(ctx) {
		return false
	}
	_ = w.wire.conn.SetDeadline(now.Add(timeoutFor))
	_, err := w.wire.conn.Write(w.buf)
	var a answer
	for i := range w.due {
		if err == nil {
			err = w.wire.read(&a)
		}
		if err != nil {
			w.step.failed(err)
			w.load.errors.Add(1)
			continue
		}
		done := w.load.o.Now()
		w.step.answered(&a, done.Sub(w.due[i]), done.Sub(now))
		w.load.answered.Add(1)
		w.load.accepted.Add(uint64(a.accepted))
		if w.load.o.Keep && a.status == 200 {
			w.acknowledge(w.first[i])
		}
		if a.close {
			err = errors.New("closed by the server")
		}
	}
	if err != nil {
		w.wire.Close()
		w.wire = nil
		return w.redial(ctx)
	}
	return true
}

// redial connects again, with growing pauses, until ctx ends.
func (w *worker) redial(ctx context.Context) bool {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		wire, err := dial(w.load.address)
		if err == nil {
			w.wire = wire
			return true
		}
		w.step.redials++
		if !sleep(ctx, pause) {
			return false
		}
	}
}

func (w *worker) acknowledge(first uint64) {
	request := int(first) / w.load.o.Batch
	for len(w.acks) <= request {
		w.acks = append(w.acks, false)
	}
	w.acks[request] = true
}

// sleep waits for d; it returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d < 20*time.Millisecond {
		time.Sleep(d)
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
