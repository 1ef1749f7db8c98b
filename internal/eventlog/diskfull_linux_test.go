package eventlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/readership/readership/internal/event"
)

// smallDisk mounts a file system of 64 MB and returns its folder.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a small file system cannot be mounted here (%v): needs root", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// occupy fills the disk up to what is left to an ordinary file.
func occupy(t *testing.T, path string, leave int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	chunk := make([]byte, 64<<10)
	for {
		free, _, err := diskSpace(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		if free-leave <= 0 {
			return
		}
		if _, err := f.Write(chunk[:min(int64(len(chunk)), free-leave)]); err != nil {
			return
		}
	}
}

// acknowledged commits batches until one fails, and returns the ids that were
// acknowledged and the error.
func acknowledged(t *testing.T, c *Committer, prefix string, atMost int) ([]string, error) {
	t.Helper()
	var ids []string
	filler := string(make([]byte, 400))
	for i := range atMost {
		s := &Submission{Site: wallSite}
		for j := range 100 {
			e := pageView(fmt.Sprintf("%s-%d-%d", prefix, i, j), time.Now().UnixMilli())
			e.Columns[event.ColTitle] = fmt.Sprintf("%d-%d-%s", i, j, filler)
			s.Events = append(s.Events, e)
		}
		begun := time.Now()
		if err := c.Commit(context.Background(), s); err != nil {
			if d := time.Since(begun); d > time.Second {
				t.Errorf("it took %s to refuse", d)
			}
			return ids, err
		}
		for j := range s.Events {
			ids = append(ids, s.Events[j].ID)
		}
	}
	return ids, nil
}

func eventually(t *testing.T, c *Committer, prefix string) []string {
	t.Helper()
	begun := time.Now()
	for i := 0; ; i++ {
		ids, err := acknowledged(t, c, fmt.Sprintf("%s%d", prefix, i), 1)
		if err == nil {
			return ids
		}
		if time.Since(begun) > 5*time.Second {
			t.Fatalf("nothing is accepted 5 s after room was made: %v", err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func TestDiskFull(t *testing.T) {
	dir := smallDisk(t)
	l := openLog(t, Config{Dir: filepath.Join(dir, "log")})
	c := startCommitter(t, CommitterConfig{Dir: dir}, l, &memorySink{})
	for round := range 3 {
		ids := eventually(t, c, fmt.Sprintf("before%d-", round))
		filler := filepath.Join(dir, "filler")
		occupy(t, filler, 0)
		more, err := acknowledged(t, c, fmt.Sprintf("full%d", round), 10_000)
		if !errors.Is(err, ErrDiskFull) {
			t.Fatalf("on a full disk: %v", err)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		ids = append(append(ids, more...), eventually(t, c, fmt.Sprintf("after%d-", round))...)
		checkStored(t, c, l, ids)
	}
	// The log alone fills the disk.
	ids, err := acknowledged(t, c, "fill", 10_000)
	if !errors.Is(err, ErrDiskFull) {
		t.Fatalf("on a disk full of log: %v", err)
	}
	if l.broker == nil {
		t.Error("the server was broken by a full disk")
	}
	checkStored(t, c, l, ids)
}

// TestWriteError lets the server itself meet a full disk.
func TestWriteError(t *testing.T) {
	dir := smallDisk(t)
	var honest atomic.Bool
	cfg := Config{Dir: filepath.Join(dir, "log"), AckTimeout: 700 * time.Millisecond}
	cfg.free = func() (int64, int64, error) {
		if honest.Load() {
			return diskSpace(dir)
		}
		return 1 << 40, 1 << 40, nil
	}
	l := openLog(t, cfg)
	sink := &memorySink{}
	c := startCommitter(t, CommitterConfig{Dir: dir}, l, sink)
	ids := eventually(t, c, "before")
	for round := range 3 {
		filler := filepath.Join(dir, "filler")
		occupy(t, filler, 300<<10)
		more, err := acknowledged(t, c, fmt.Sprintf("full%d", round), 10_000)
		if !errors.Is(err, ErrDiskFull) && !errors.Is(err, ErrUnavailable) {
			t.Fatalf("when a write fails: %v", err)
		}
		ids = append(ids, more...)
		honest.Store(true)
		for range 3 {
			if _, err := acknowledged(t, c, "refused", 1); !errors.Is(err, ErrDiskFull) && !errors.Is(err, ErrUnavailable) {
				t.Fatalf("while the log is broken: %v", err)
			}
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, eventually(t, c, fmt.Sprintf("after%d-", round))...)
		honest.Store(false)
		checkStored(t, c, l, ids)
	}
	if n := c.Stats().Reopened; n != 3 {
		t.Errorf("the log was reopened %d times, not 3", n)
	}
	if sink.position != l.Last() {
		t.Errorf("the sink is at %s, the log at %s", sink.position, l.Last())
	}
}
