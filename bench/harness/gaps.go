package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Gap is a time in which a core ran nothing of this machine: its host had it.
type Gap struct{ From, To time.Time }

// gapFrom is from when on a gap counts: a tick of the kernel is shorter. lookEvery
// is how often a core is looked at.
const (
	gapFrom   = 500 * time.Microsecond
	lookEvery = 500 * time.Microsecond
)

// WatchGaps is the argument that has the program watch its machine's cores: see
// Gaps.
const WatchGaps = "watch-gaps"

// Gaps watches all cores until stop is called, which returns when they were away.
// A thread on each, with a real-time priority that goes before all other work,
// sleeps and wakes: if it wakes late, nothing else ran either. The threads are those
// of a process of their own, this program called with WatchGaps, so that a load does
// not share a scheduler with them. They need the right to their priority, which root
// has, and take some 2 % of each core, 4 to 7 where a wake is expensive.
func Gaps() (stop func() ([]Gap, error), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	var out bytes.Buffer
	cmd := exec.Command(self, WatchGaps)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("watch the cores: %w", err)
	}
	return func() (gaps []Gap, err error) {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			return nil, fmt.Errorf("watch the cores: %w", err)
		}
		for line := range strings.Lines(out.String()) {
			var from, to int64
			if _, err := fmt.Sscan(line, &from, &to); err != nil {
				return nil, fmt.Errorf("read the gaps: %w", err)
			}
			gaps = append(gaps, Gap{time.Unix(0, from), time.Unix(0, to)})
		}
		return gaps, nil
	}, nil
}

// PrintGaps watches all cores until in ends and then writes each gap as a line, its
// begin and its end in Unix nanoseconds.
func PrintGaps(in io.Reader, out io.Writer) error {
	cores := runtime.NumCPU()
	runtime.GOMAXPROCS(cores + 1) // each watcher keeps one
	debug.SetGCPercent(-1)
	var over atomic.Bool
	var watching sync.WaitGroup
	found, errs := make([][]Gap, cores), make([]error, cores)
	for core := range cores {
		watching.Go(func() {
			runtime.LockOSThread() // for good: the thread ends with its priority
			if errs[core] = realTime(core); errs[core] == nil {
				found[core] = watch(&over)
			}
		})
	}
	_, err := io.Copy(io.Discard, in)
	over.Store(true)
	watching.Wait()
	for _, g := range slices.Concat(found...) {
		fmt.Fprintln(out, g.From.UnixNano(), g.To.UnixNano())
	}
	return errors.Join(append(errs, err)...)
}

// realTime binds the calling thread to a core and puts it before all others.
func realTime(core int) error {
	var set unix.CPUSet
	set.Set(core)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("bind to the core: %w", err)
	}
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 50}, 0); err != nil {
		return fmt.Errorf("take a real-time priority: %w", err)
	}
	return nil
}

// watch looks at the core of the calling thread.
func watch(over *atomic.Bool) (gaps []Gap) {
	pause := unix.NsecToTimespec(int64(lookEvery))
	for last := time.Now(); !over.Load(); {
		// Without telling Go's scheduler, which would let others in before.
		_, _, _ = syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0)
		now := time.Now()
		if now.Sub(last) >= gapFrom+lookEvery {
			gaps = append(gaps, Gap{last.Add(lookEvery), now})
		}
		last = now
	}
	return gaps
}

// Share returns for what part of a time on all cores they were away, and the
// longest gap.
func Share(gaps []Gap, of time.Duration) (share float64, longest time.Duration) {
	sum := time.Duration(0)
	for _, g := range gaps {
		sum += g.To.Sub(g.From)
		longest = max(longest, g.To.Sub(g.From))
	}
	return float64(sum) / float64(of) / float64(runtime.NumCPU()), longest
}

// Span is the time from when a request was due until it was answered.
type Span struct {
	End    time.Time
	Waited time.Duration
}

// Clear returns, sorted, how long those of spans waited that met no gap.
func Clear(spans []Span, gaps []Gap) (waited []time.Duration) {
	gaps = slices.Clone(gaps)
	slices.SortFunc(gaps, func(a, b Gap) int { return a.From.Compare(b.From) })
	joined := gaps[:0]
	for _, g := range gaps {
		if n := len(joined); n > 0 && !g.From.After(joined[n-1].To) {
			if g.To.After(joined[n-1].To) {
				joined[n-1].To = g.To
			}
			continue
		}
		joined = append(joined, g)
	}
	for _, s := range spans {
		// The first gap that ends after the request was due must begin after its end.
		begin := s.End.Add(-s.Waited)
		i, _ := slices.BinarySearchFunc(joined, begin, func(g Gap, t time.Time) int {
			if g.To.After(t) {
				return 1
			}
			return -1
		})
		if i == len(joined) || joined[i].From.After(s.End) {
			waited = append(waited, s.Waited)
		}
	}
	slices.Sort(waited)
	return waited
}
