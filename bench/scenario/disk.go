package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/readership/readership/bench/harness"
)

// ErrNotRoot says that a scenario cannot mount the file system it needs.
var ErrNotRoot = errors.New("mounting a small file system needs root")

// DiskReport is what happened on a full disk.
type DiskReport struct {
	Refusal      time.Duration // slowest 503
	Back         time.Duration // from freed space to the next 200
	Acked        int
	Stored       int
	Detail       string // of a refusal
	RefusedFirst string // what made it full
}

// Disk fills a file system of 64 MB under the server, twice: by its own log,
// and by another program that takes the last bytes. Each time events must be
// refused within a second and taken again within five of space being freed,
// by the same process.
func Disk(ctx context.Context, w io.Writer, args []string) error {
	if err := flag.NewFlagSet("disk", flag.ContinueOnError).Parse(args); err != nil {
		return err
	}
	fmt.Fprintf(w, "A file system of 64 MB under the data folder. %s.\n\n| filled by | slowest refusal (limit 1 s) | taken again after (limit 5 s) | acknowledged | stored |\n|---|---|---|---|---|\n", Machine())
	reports, err := FullDisk(ctx)
	for _, r := range reports {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", r.RefusedFirst, r.Refusal.Round(time.Millisecond), r.Back.Round(time.Millisecond), thousands(float64(r.Acked)), thousands(float64(r.Stored)))
	}
	return err
}

// FullDisk runs both ways of filling a disk and checks the promises.
func FullDisk(ctx context.Context) ([]DiskReport, error) {
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	dir, remove, err := tempDir()
	if err != nil {
		return nil, err
	}
	defer remove()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotRoot, err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	s, err := harness.Start(ctx, harness.Options{Dir: filepath.Join(dir, "data")})
	if err != nil {
		return nil, err
	}
	defer s.Kill()
	key, err := s.CreateSite(ctx, newsSite)
	if err != nil {
		return nil, err
	}
	d := &diskRun{server: s, key: key, ballast: filepath.Join(dir, "ballast")}
	var reports []DiskReport
	for _, way := range []struct {
		name string
		fill func() error
	}{
		{"its own log, beside a file of 24 MB", func() error { return d.writeBallast(24 << 20) }},
		{"another program, to the last byte", func() error { return d.writeBallast(1 << 30) }},
	} {
		r, err := d.round(ctx, way.fill)
		r.RefusedFirst = way.name
		reports = append(reports, r)
		if err != nil {
			return reports, fmt.Errorf("filled by %s: %w", way.name, err)
		}
	}
	return reports, s.Stop()
}

type diskRun struct {
	server  *harness.Server
	key     string
	ballast string
	acked   int
	n       int
}

// writeBallast fills a file up to size, or until no byte is left.
func (d *diskRun) writeBallast(size int) error {
	f, err := os.Create(d.ballast)
	if err != nil {
		return err
	}
	defer f.Close()
	for chunk := make([]byte, 64<<10); size > 0; size -= len(chunk) {
		if _, err := f.Write(chunk); errors.Is(err, unix.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (d *diskRun) round(ctx context.Context, fill func() error) (r DiskReport, err error) {
	if err := fill(); err != nil {
		return r, err
	}
	full := false
	for start := time.Now(); !full; {
		if time.Since(start) > time.Minute {
			return r, errors.New("the disk does not get full within a minute")
		}
		took, err := d.send(ctx)
		var status *harness.StatusError
		switch {
		case errors.As(err, &status) && status.Status == http.StatusServiceUnavailable:
			if !strings.Contains(status.Body, "disk_full") || status.RetryAfter == "" {
				return r, fmt.Errorf("the refusal says neither disk_full nor Retry-After: %s", status.Body)
			}
			full, r.Detail = true, status.Body
		case err != nil:
			return r, err
		}
		r.Refusal = took
	}
	for range 20 { // while it stays full
		took, err := d.send(ctx)
		if err == nil {
			return r, errors.New("an event was taken on a full disk")
		}
		var status *harness.StatusError
		if !errors.As(err, &status) || status.Status != http.StatusServiceUnavailable {
			return r, err
		}
		r.Refusal = max(r.Refusal, took)
	}
	if r.Refusal > time.Second {
		return r, fmt.Errorf("a refusal took %s", r.Refusal)
	}
	if err := os.Remove(d.ballast); err != nil {
		return r, err
	}
	freed := time.Now()
	for {
		if _, err := d.send(ctx); err == nil {
			break
		} else if time.Since(freed) > 5*time.Second {
			return r, fmt.Errorf("not taken again 5 s after space was freed: %w", err)
		}
		time.Sleep(20 * time.Millisecond) // a client's retry
	}
	r.Back = time.Since(freed)
	views, err := d.server.Number(ctx, "news", "page_views", stamp(time.Now().Add(-time.Hour).UnixMilli()), stamp(time.Now().Add(time.Minute).UnixMilli()))
	if err != nil {
		return r, err
	}
	r.Acked, r.Stored = d.acked, int(views)
	if r.Acked != r.Stored {
		return r, fmt.Errorf("%d events were acknowledged, %d are stored", r.Acked, r.Stored)
	}
	return r, nil
}

// send sends 50 events with long, ever new titles through the API and returns
// how long the answer took.
func (d *diskRun) send(ctx context.Context) (time.Duration, error) {
	var body strings.Builder
	for range 50 {
		d.n++
		fmt.Fprintf(&body, `{"type":"page_view","id":"disk-%d","device":"d%d","item":"a1","title":"%0500d"}`+"\n", d.n, d.n%100, d.n)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	start := time.Now()
	var v harness.Verdict
	err := d.server.Call(ctx, http.MethodPost, "/v1/events?site=news", io.Reader(strings.NewReader(body.String())), &v)
	d.acked += v.Accepted
	return time.Since(start), err
}
