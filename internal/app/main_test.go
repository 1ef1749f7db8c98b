package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// serveEnv makes the test binary a server of its own: the tests that kill one
// start themselves again with it set to a data folder.
const serveEnv = "READERSHIP_TEST_SERVE"

// natsEnv and rolesEnv are its nats-server and its roles, if it is not to be whole.
const (
	natsEnv  = "READERSHIP_TEST_NATS"
	rolesEnv = "READERSHIP_TEST_ROLES"
)

const rootKey = "root-key-of-the-tests"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveEnv); dir != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		var roles []string
		if text := os.Getenv(rolesEnv); text != "" {
			roles = strings.Split(text, ",")
		}
		err := Run(ctx, Config{Data: dir, NATS: os.Getenv(natsEnv), Roles: roles, Listen: "127.0.0.1:0", RootKey: rootKey, Now: time.Now, Random: rand.Reader,
			Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), Started: func(a, _ net.Addr) { fmt.Println(a) }})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// clock is a clock that tests move.
type clock struct{ ms atomic.Int64 }

func newClock(t time.Time) *clock {
	c := &clock{}
	c.ms.Store(t.UnixMilli())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// up starts a node on a folder; stop ends it, at the latest with the test.
func up(t testing.TB, cfg Config) (n *node, stop func()) {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	cfg.Random, cfg.RootKey = rand.Reader, rootKey
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg = cfg.WithDefaults()
	n, err := start(t.Context(), &cfg, newPoison())
	if err != nil {
		t.Fatal(err)
	}
	n.front.ready(n.api)
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		if err := n.drain(); err != nil {
			t.Errorf("drain: %v", err)
		}
		if err := n.stops.unwind(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	t.Cleanup(stop)
	return n, stop
}
