package harness

import (
	"runtime"
	"sync"
	"time"
)

// stolenFrom is from when on a gap counts: a tick of the kernel is shorter.
const stolenFrom = 500 * time.Microsecond

// Stolen spins on every core for d and returns for what share of the time, in gaps
// of half a millisecond and more, the cores were somewhere else, and the longest
// gap. On a virtual machine that is what its host takes; where it comes near 1 %,
// a p99 says more about that than about what is measured.
func Stolen(d time.Duration) (share float64, longest time.Duration) {
	cores := runtime.GOMAXPROCS(0)
	var mu sync.Mutex
	var sum time.Duration
	var spinning sync.WaitGroup
	for range cores {
		spinning.Go(func() {
			runtime.LockOSThread()
			var own, most time.Duration
			last := time.Now()
			for end := last.Add(d); last.Before(end); {
				now := time.Now()
				if gap := now.Sub(last); gap >= stolenFrom {
					own, most = own+gap, max(most, gap)
				}
				last = now
			}
			mu.Lock()
			sum, longest = sum+own, max(longest, most)
			mu.Unlock()
		})
	}
	spinning.Wait()
	return float64(sum) / float64(d) / float64(cores), longest
}
