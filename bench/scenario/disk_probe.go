package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// watchDisk syncs a small write to a file of its own in dir every 100 ms until
// stop is called, and tells how the disk itself fared meanwhile: what waits for
// the disk cannot be faster than it. slowest is in milliseconds, stalled the
// part of the time that went into syncs of over 10 ms.
func watchDisk(dir string) (stop func() (slowest, stalled float64, err error), err error) {
	f, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		return nil, fmt.Errorf("watch the disk: %w", err)
	}
	type report struct {
		slowest, stalled time.Duration
		err              error
	}
	quit, result := make(chan struct{}), make(chan report)
	start := time.Now()
	go func() {
		defer f.Close()
		var r report
		block := make([]byte, 4<<10)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for r.err == nil {
			select {
			case <-tick.C:
				begun := time.Now()
				if _, r.err = f.WriteAt(block, 0); r.err == nil {
					r.err = unix.Fdatasync(int(f.Fd()))
				}
				took := time.Since(begun)
				r.slowest = max(r.slowest, took)
				if took > 10*time.Millisecond {
					r.stalled += took
				}
				continue
			case <-quit:
			}
			break
		}
		result <- r
	}()
	return func() (float64, float64, error) {
		close(quit)
		r := <-result
		return float64(r.slowest.Microseconds()) / 1000, r.stalled.Seconds() / time.Since(start).Seconds(), r.err
	}, nil
}
