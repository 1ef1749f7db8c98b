package scenario

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/readership/readership/bench/harness"
)

// Cores tells how long the host of a virtual machine has its cores while all of them
// are busy and something is synced to the disk so many times a second: no server can
// answer then. On a machine that has its cores to itself they are never away.
func Cores(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("cores", flag.ContinueOnError)
	seconds := flags.Int("seconds", 10, "seconds a row")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	file, err := syncedFile(filepath.Join(dir, "synced"))
	if err != nil {
		return err
	}
	defer file.Close()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 2)) // each busy goroutine keeps one
	fmt.Fprintf(w, "All cores busy, 4 KB written and synced so many times a second; when the host had a core, of %d s. %s.\n\n| syncs/s | synced | cores away | a second | longest |\n|---|---|---|---|---|\n", *seconds, Machine())
	for _, rate := range []int{0, 200, 400, 800} {
		if err := coresRow(ctx, w, file, rate, time.Duration(*seconds)*time.Second); err != nil {
			return err
		}
	}
	return nil
}

const (
	syncedBytes = 4 << 10
	syncedSize  = 64 << 20
)

// syncedFile makes a file whose blocks are all written: a sync of one has nothing but
// its bytes to write.
func syncedFile(name string) (*os.File, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(make([]byte, syncedSize)); err != nil {
		return nil, err
	}
	return file, file.Sync()
}

func coresRow(ctx context.Context, w io.Writer, file *os.File, rate int, span time.Duration) error {
	stop, err := harness.Gaps()
	if err != nil {
		return err
	}
	var over atomic.Bool
	var busy sync.WaitGroup
	for range runtime.NumCPU() {
		busy.Go(func() {
			for !over.Load() {
			}
		})
	}
	synced, err := syncFor(ctx, file, rate, span)
	over.Store(true)
	busy.Wait()
	gaps, stopErr := stop()
	if err == nil {
		err = stopErr
	}
	if err != nil {
		return err
	}
	share, longest := harness.Share(gaps, span)
	fmt.Fprintf(w, "| %d | %s | %.1f %% | %s | %s |\n", rate, thousands(float64(synced)), 100*share,
		(time.Duration(share * float64(runtime.NumCPU()) * float64(time.Second))).Round(time.Millisecond), longest.Round(100*time.Microsecond))
	return nil
}

// syncFor writes and syncs rate times a second and returns how often it has.
func syncFor(ctx context.Context, file *os.File, rate int, span time.Duration) (n int, err error) {
	end := time.After(span)
	if rate == 0 {
		select {
		case <-end:
		case <-ctx.Done():
		}
		return 0, ctx.Err()
	}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for body := make([]byte, syncedBytes); ; n++ {
		select {
		case <-end:
			return n, nil
		case <-ctx.Done():
			return n, ctx.Err()
		case <-tick.C:
		}
		if _, err := file.WriteAt(body, int64(n)*syncedBytes%syncedSize); err != nil {
			return n, err
		}
		if err := unix.Fdatasync(int(file.Fd())); err != nil {
			return n, fmt.Errorf("sync %s: %w", file.Name(), err)
		}
	}
}
