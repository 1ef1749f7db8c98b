package eventlog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/readership/readership/internal/event"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func openLog(tb testing.TB, cfg Config) *Log {
	tb.Helper()
	if cfg.Dir == "" {
		cfg.Dir = tb.TempDir()
	}
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
	l, err := Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

const testDay = 20412

func testStamp(day int) int64 { return int64(day) * dayMillis }

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{200, 4 << 10, 64 << 10, 256 << 10, 900 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			l := openLog(b, Config{})
			message := randomBytes(size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Append(context.Background(), testStamp(testDay), message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

func BenchmarkReplayRead(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			l := openLog(b, Config{})
			message := randomBytes(size)
			total := 256 << 20
			if size < 64<<10 {
				total = 16 << 20
			}
			n := total / size
			for range n {
				if _, err := l.Append(context.Background(), testStamp(testDay), message); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(n * size))
			for b.Loop() {
				got := 0
				err := l.Read(context.Background(), 0, func(event.Position, []byte) error { got++; return nil })
				if err != nil || got != n {
					b.Fatal(got, err)
				}
			}
		})
	}
}

func TestAppendRead(t *testing.T) {
	start := time.Now()
	l := openLog(t, Config{})
	t.Log("open", time.Since(start))
	for i := range 10 {
		start = time.Now()
		pos, err := l.Append(context.Background(), testStamp(testDay+i/5), fmt.Appendf(nil, "m%d", i))
		if err != nil {
			t.Fatal(err)
		}
		t.Log(pos, time.Since(start))
	}
	if err := l.Read(context.Background(), 0, func(p event.Position, m []byte) error { t.Log(p, string(m)); return nil }); err != nil {
		t.Fatal(err)
	}
}
