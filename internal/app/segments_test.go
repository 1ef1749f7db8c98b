package app

import (
	"context"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestTicks: what is due happens within a second although nobody writes, with at
// most one message in 900 ms, and none while nothing is due.
func TestTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var due, logTime, ticks atomic.Int64
		due.Store(math.MaxInt64)
		logTime.Store(time.Now().UnixMilli())
		tick := &ticker{due: due.Load, logTime: logTime.Load, now: time.Now, tick: func(context.Context) error {
			ticks.Add(1)
			logTime.Store(time.Now().UnixMilli())
			if due.Load() > 0 {
				due.Store(math.MaxInt64)
			}
			return nil
		}}
		done := make(chan struct{})
		go func() { defer close(done); tick.run(ctx) }()
		time.Sleep(time.Hour)
		if n := ticks.Load(); n != 0 {
			t.Fatalf("%d ticks for nothing", n)
		}
		due.Store(time.Now().Add(time.Minute).UnixMilli())
		time.Sleep(time.Minute - time.Millisecond)
		if n := ticks.Load(); n != 0 {
			t.Fatalf("%d ticks before anything is due", n)
		}
		time.Sleep(time.Second)
		if n := ticks.Load(); n != 1 {
			t.Fatalf("%d ticks within a second, want one", n)
		}
		due.Store(0) // again and again
		time.Sleep(time.Minute)
		if n := ticks.Load(); n < 55 || n > 68 {
			t.Fatalf("%d ticks in a minute", n)
		}
		cancel()
		<-done
	})
}
