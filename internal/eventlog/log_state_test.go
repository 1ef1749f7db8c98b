package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/event"
)

// TestLogStates compares the log with a slice under appends on passing days,
// small parts, reopening and dropped days.
func TestLogStates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "eventlog")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		cfg := Config{Dir: dir, PartBytes: 3000, Logger: quiet}
		l, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		type entry struct {
			pos  event.Position
			data []byte
		}
		var (
			kept []entry
			last event.Position
			day  = testDay
			n    int
		)
		positions := func() []event.Position {
			all := []event.Position{0}
			for _, e := range kept {
				all = append(all, e.pos)
			}
			return all
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				day += rapid.SampledFrom([]int{0, 0, 0, 0, 1, 3}).Draw(t, "days")
				n++
				data := bytes.Repeat(fmt.Append(nil, n, " "), rapid.IntRange(1, 300).Draw(t, "length"))
				pos, err := l.Append(context.Background(), testStamp(day)+int64(n), data)
				if err != nil {
					t.Fatal(err)
				}
				if pos <= last || pos.Day() != day {
					t.Fatalf("%s after %s on day %d", pos, last, day)
				}
				last = pos
				kept = append(kept, entry{pos, data})
			},
			"append to an earlier day": func(t *rapid.T) {
				if last == 0 {
					t.Skip("the log is empty")
				}
				if _, err := l.Append(context.Background(), testStamp(day-1), []byte("x")); !errors.Is(err, ErrStamp) {
					t.Fatal(err)
				}
			},
			"reopen": func(t *rapid.T) {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				if l, err = Open(cfg); err != nil {
					t.Fatal(err)
				}
			},
			"drop": func(t *rapid.T) {
				before := day - rapid.IntRange(-1, 4).Draw(t, "days back")
				if err := l.DropBefore(before); err != nil {
					t.Fatal(err)
				}
				for len(kept) > 0 && kept[0].pos.Day() < min(before, last.Day()) {
					kept = kept[1:]
				}
				// The last part stays.
				if len(kept) > 0 && l.First() > 0 && l.First() < kept[0].pos {
					t.Fatalf("first is %s, want %s", l.First(), kept[0].pos)
				}
			},
			"read": func(t *rapid.T) {
				after := rapid.SampledFrom(positions()).Draw(t, "after")
				want := kept
				for len(want) > 0 && want[0].pos <= after {
					want = want[1:]
				}
				err := l.Read(context.Background(), after, func(pos event.Position, data []byte) error {
					if len(want) == 0 || want[0].pos != pos || !bytes.Equal(want[0].data, data) {
						return fmt.Errorf("%s is not what was appended", pos)
					}
					want = want[1:]
					return nil
				})
				if err != nil || len(want) > 0 {
					t.Fatalf("%v; %d messages did not come", err, len(want))
				}
			},
			"": func(t *rapid.T) {
				if l.Last() != last {
					t.Fatalf("last is %s, want %s", l.Last(), last)
				}
				if len(kept) > 0 && l.First() != kept[0].pos {
					t.Fatalf("first is %s, want %s", l.First(), kept[0].pos)
				}
			},
		})
	})
}

func TestReadGap(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir, PartBytes: 200})
	ctx := context.Background()
	var all []event.Position
	for i := range 6 {
		pos, err := l.Append(ctx, testStamp(testDay+i/3), make([]byte, 120))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pos)
	}
	read := func(l *Log, after event.Position) error {
		return l.Read(ctx, after, func(event.Position, []byte) error { return nil })
	}
	if err := read(l, all[5]+1); !errors.Is(err, ErrGap) {
		t.Errorf("reading after a position that is not there yet: %v", err)
	}
	if err := l.broker.js.DeleteStream(ctx, l.parts[1].name()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, Config{Dir: dir})
	if err := read(l, 0); !errors.Is(err, ErrGap) {
		t.Errorf("a stream in the middle is missing: %v", err)
	}
	if err := read(l, all[1]); err != nil {
		t.Errorf("a stream before the position is missing: %v", err)
	}
	if err := l.broker.js.DeleteStream(ctx, l.parts[0].name()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, Config{Dir: dir})
	if err := read(l, 0); !errors.Is(err, ErrGap) {
		t.Errorf("the first streams are missing, and retention does not say so: %v", err)
	}
	if err := l.DropBefore(testDay + 1); err != nil {
		t.Fatal(err)
	}
	if err := read(l, 0); err != nil {
		t.Errorf("retention has dropped the first day: %v", err)
	}
}

func TestMaxSize(t *testing.T) {
	l := openLog(t, Config{Max: 10_000})
	ctx := context.Background()
	n := 0
	for ; n < 100; n++ {
		if _, err := l.Append(ctx, testStamp(testDay+n/5), make([]byte, 900)); err != nil {
			if !errors.Is(err, ErrDiskFull) {
				t.Fatal(err)
			}
			break
		}
	}
	if n != 10 || l.Size() > 10_000 {
		t.Errorf("%d messages, %d bytes", n, l.Size())
	}
	if err := l.DropBefore(testDay + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(ctx, testStamp(testDay+2), make([]byte, 900)); err != nil {
		t.Errorf("after a day was dropped: %v", err)
	}
}

func TestRoom(t *testing.T) {
	for _, c := range []struct {
		name              string
		max               int64
		free, total, held int64
		n                 int64
		full              bool
	}{
		{"a tenth of a small disk", 0, 7 << 20, 64 << 20, 57 << 20, 64 << 10, false},
		{"less than a tenth", 0, 6 << 20, 64 << 20, 57 << 20, 64 << 10, true},
		{"10 GB of a large disk", 0, 11 << 30, 4 << 40, 3 << 40, 1 << 20, false},
		{"less than 10 GB", 0, 9 << 30, 4 << 40, 3 << 40, 1 << 20, true},
		{"its own limit", 1 << 30, 1 << 40, 1 << 40, 1 << 30, 1, true},
		{"its own limit does not hold, the disk is full", 1 << 30, 100 << 20, 1 << 40, 0, 1, true},
		{"its own limit is above the margin", 1 << 40, 300 << 20, 1 << 40, 1 << 30, 1, false},
		{"a disk full of others' files", 0, 3 << 20, 64 << 20, 1 << 20, 1, true},
	} {
		l := &Log{cfg: Config{Max: c.max, free: func() (int64, int64, error) { return c.free, c.total, nil }}}
		if err := l.room(c.held, c.n); errors.Is(err, ErrDiskFull) != c.full {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
