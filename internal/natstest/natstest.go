// Package natstest runs a real nats-server beside a test, as a process of its own.
package natstest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// Server is a nats-server with JetStream that listens on this machine.
type Server struct {
	URL string

	t      testing.TB
	binary string
	config string
	cmd    *exec.Cmd
}

// Start starts a server with an empty store; it ends with the test. The test is
// skipped where bin/nats-server was not built.
func Start(t testing.TB) *Server {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	s := &Server{t: t, binary: filepath.Join(filepath.Dir(file), "..", "..", "bin", "nats-server")}
	if _, err := os.Stat(s.binary); err != nil {
		t.Skip("bin/nats-server is not there: make bin/nats-server")
	}
	dir := t.TempDir()
	port := freePort(t)
	s.URL = fmt.Sprintf("nats://127.0.0.1:%d", port)
	s.config = filepath.Join(dir, "nats.conf")
	config := fmt.Sprintf("listen: 127.0.0.1:%d\nmax_payload: 8MB\njetstream { store_dir: %s, sync_interval: always }\n", port, strconv.Quote(filepath.Join(dir, "store")))
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Run()
	t.Cleanup(s.Kill)
	return s
}

// Run starts the server again, with the store it had, and waits until it listens.
func (s *Server) Run() {
	s.t.Helper()
	s.cmd = exec.Command(s.binary, "-c", s.config)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	address := s.URL[len("nats://"):]
	for deadline := time.Now().Add(30 * time.Second); ; {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("nats-server does not listen: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Kill ends the server without a warning, as kill -9.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
