// Package app is the composition root: the one package that knows all roles.
// It starts them in order, each on the ones before, and stops them in reverse.
//
//	lock ─ log ─ engine (checkpoint) ─ replay ─ committer ─ database, keys
//	     ─ collector, API ─ listeners ─ upkeep, sample newspaper
//
// Stopping drains: no new connections, what is in flight is answered, the last
// commit and a checkpoint are written.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/readership/readership/internal/event"
)

// Run serves until ctx ends, then drains and returns nil. Errors that wrap
// ErrUsage say that the configuration cannot work.
func Run(ctx context.Context, cfg Config) (err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return err
	}
	ensureProcessors()
	heap := reserve(cfg.Memory, cfg.Logger)
	if cfg.Memory > 0 {
		debug.SetMemoryLimit(heapLimit(cfg.Memory, 0))
	}
	lock, err := takeLock(cfg.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	if heap != nil {
		growing, stop := context.WithCancel(ctx)
		var running sync.WaitGroup
		running.Go(func() { heap.run(growing) })
		defer running.Wait() // for one page at most
		defer stop()
	}
	poison := newPoison()
	for {
		n, err := start(ctx, &cfg, poison)
		if err == nil {
			err = n.serve(ctx)
			err = errors.Join(err, n.drain(), unwind(&n.stops))
		}
		var failed *engineFailed
		switch {
		case errors.Is(err, event.ErrNewerFormat):
			return fmt.Errorf("%w: a newer version wrote this folder, serve it with that", err)
		case errors.As(err, &failed) && ctx.Err() == nil:
			skipped := poison.failed(failed.position, failed.cause)
			cfg.Logger.Error("the engine met a log message that it cannot apply; it starts again from its checkpoint",
				"position", failed.position, "error", failed.cause, "skipped_from_now_on", skipped)
		case errors.Is(err, errSkipped) && ctx.Err() == nil:
			cfg.Logger.Warn("the engine starts again from the log, without the messages that it skips")
		case ctx.Err() != nil && errors.Is(err, context.Canceled):
			return nil
		default:
			return err
		}
	}
}

// ensureProcessors has two threads run our code where there is one processor.
// Go lets a goroutine run for 10 ms before others; between threads the system
// shares in finer steps, so a checkpoint does not hold up every answer. Whoever
// sets GOMAXPROCS decides.
func ensureProcessors() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) == 1 {
		runtime.GOMAXPROCS(2)
	}
}

// stopTime is how long the parts may take to stop, the last checkpoint
// included. What was acknowledged is in the log whatever they do.
const stopTime = 2 * time.Minute

// unwind stops the parts; it gives up on one that does not stop.
func unwind(s *stack) error {
	done := make(chan error, 1)
	go func() { done <- s.unwind() }()
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("stopping took longer than %s", stopTime)
	}
}

// engineFailed says that the engine stands still at a position.
type engineFailed struct {
	position event.Position
	cause    error
}

func (e *engineFailed) Error() string {
	return fmt.Sprintf("the engine cannot apply the log message at %s: %v", e.position, e.cause)
}

func (e *engineFailed) Unwrap() error { return e.cause }

// url is the address a person types for a listener.
func url(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return "http://" + a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return "http://" + host + ":" + port
}
