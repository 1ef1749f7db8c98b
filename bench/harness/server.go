// Package harness starts a real server for benchmarks and acceptance tests,
// talks to it over HTTP as any client would, and watches it from outside: its
// memory, its answers, its end.
package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// RootKey is the key with every scope that servers of the harness know.
const RootKey = "rk_harness_0123456789abcdef"

// Options say how a server is started. Only Dir is required.
type Options struct {
	Binary string   // default: Build
	Dir    string   // data folder
	Prefix []string // a program to run it under: taskset -c 0, strace -f
	Args   []string // further flags
	Env    []string // further environment, NAME=value
	Log    io.Writer
	// Ready bounds the wait for readyz; 0: one minute, below 0: do not wait.
	Ready time.Duration
	// Addr and CollectAddr keep the addresses of a server that is started
	// again; "": free ports.
	Addr, CollectAddr string
}

// Server is a running server. Safe for concurrent use.
type Server struct {
	Options
	Process *os.Process // of the server itself, not of its Prefix
	Started time.Time
	ReadyIn time.Duration // from start to the first 200 of readyz

	cmd    *exec.Cmd
	done   chan struct{}
	err    error // of the process; valid when done is closed
	output *tail
	client *http.Client
}

var buildOnce sync.Map // tags → func() (string, error)

// Build compiles the server as released (without cgo), once a process and set
// of tags, and returns the path of the program. READERSHIP_BIN names a program
// that is taken instead when there are no tags.
func Build(tags string) (string, error) {
	if bin := os.Getenv("READERSHIP_BIN"); bin != "" && tags == "" {
		return bin, nil
	}
	f, _ := buildOnce.LoadOrStore(tags, sync.OnceValues(func() (string, error) {
		top, err := Top()
		if err != nil {
			return "", err
		}
		name := "readership"
		if tags != "" {
			name += "-" + tags
		}
		out := filepath.Join(top, "bin", name)
		cmd := exec.Command("go", "build", "-tags", tags, "-trimpath", "-o", out, "./cmd/readership")
		cmd.Dir, cmd.Env = top, append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build the server: %w\n%s", err, text)
		}
		return out, nil
	}))
	return f.(func() (string, error))()
}

// Top returns the top folder of the repository.
func Top() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "bench", "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("not inside the repository")
}

// Start starts a server and waits until it is ready. The caller stops it with
// Stop or Kill.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Binary == "" {
		bin, err := Build("")
		if err != nil {
			return nil, err
		}
		o.Binary = bin
	}
	for _, addr := range []*string{&o.Addr, &o.CollectAddr} {
		if *addr == "" {
			free, err := FreeAddress()
			if err != nil {
				return nil, err
			}
			*addr = free
		}
	}
	argv := append(append([]string{}, o.Prefix...), o.Binary, "serve", "--data", o.Dir, "--listen", o.Addr, "--collect-listen", o.CollectAddr)
	argv = append(argv, o.Args...)
	s := &Server{Options: o, done: make(chan struct{}), output: &tail{to: o.Log}, Started: time.Now(),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}}
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Env = append(append(os.Environ(), "READERSHIP_ROOT_KEY="+RootKey), o.Env...)
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	s.Process = s.cmd.Process
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	if o.Ready < 0 {
		return s, nil
	}
	if err := s.WaitReady(ctx); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// FreeAddress returns an address of 127.0.0.1 on which nobody listens now.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// WaitReady waits until readyz answers 200.
func (s *Server) WaitReady(ctx context.Context) error {
	limit := s.Ready
	if limit == 0 {
		limit = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	last := "no answer"
	for {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL("/readyz"), nil)
		if res, err := s.client.Do(req); err == nil {
			body, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				s.ReadyIn = time.Since(s.Started)
				return s.findProcess()
			}
			last = string(body)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server was not ready within %s: %s\n%s", limit, last, s.Output())
		case <-s.done:
			return fmt.Errorf("the server ended: %v\n%s", s.err, s.Output())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// findProcess finds the server below its Prefix (strace keeps a child, taskset
// becomes the server).
func (s *Server) findProcess() error {
	if len(s.Prefix) == 0 {
		return nil
	}
	for _, pid := range descendants(s.cmd.Process.Pid) {
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if bin, err := filepath.EvalSymlinks(s.Binary); err == nil && exe == bin {
			p, err := os.FindProcess(pid)
			s.Process = p
			return err
		}
	}
	return fmt.Errorf("the server runs under %s, but is not found", s.Prefix[0])
}

// descendants returns pid and all processes below it.
func descendants(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, name := range files {
			b, _ := os.ReadFile(name)
			for _, f := range strings.Fields(string(b)) {
				if child, err := strconv.Atoi(f); err == nil {
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// URL returns the address of a path on the main listener.
func (s *Server) URL(path string) string { return "http://" + s.Addr + path }

// CollectURL returns the address of a path on the fast listener.
func (s *Server) CollectURL(path string) string { return "http://" + s.CollectAddr + path }

// Fast returns the same server, asked through its fast listener.
func (s *Server) Fast() *Server {
	fast := *s
	fast.Addr = s.CollectAddr
	return &fast
}

// Output returns the end of what the server wrote.
func (s *Server) Output() string { return s.output.String() }

// Done is closed when the process has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Kill ends the server with SIGKILL and waits for it.
func (s *Server) Kill() {
	s.Process.Kill()
	if s.Process.Pid != s.cmd.Process.Pid {
		select {
		case <-s.done:
			return
		case <-time.After(5 * time.Second):
		}
		s.cmd.Process.Kill()
	}
	<-s.done
}

// Stop ends the server with SIGTERM and waits up to a minute for exit code 0.
func (s *Server) Stop() error {
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		s.Kill()
		return fmt.Errorf("the server did not stop within a minute\n%s", s.Output())
	}
	if s.err != nil {
		return fmt.Errorf("the server's exit: %w\n%s", s.err, s.Output())
	}
	return nil
}

// Restart starts a server with the same options and addresses.
func (s *Server) Restart(ctx context.Context) (*Server, error) { return Start(ctx, s.Options) }

// RSS returns the resident memory of the server in bytes.
func (s *Server) RSS() (int64, error) { return s.status("VmRSS:") }

// PeakRSS returns the most that RSS has been since the server's start.
func (s *Server) PeakRSS() (int64, error) { return s.status("VmHWM:") }

// status reads a line of /proc/PID/status that is in kB.
func (s *Server) status(name string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("%s is not in /proc/PID/status", name)
}

// tail keeps the last 64 KB of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
	to  io.Writer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to != nil {
		t.to.Write(p)
	}
	t.buf = append(t.buf, p...)
	if len(t.buf) > 64<<10 {
		t.buf = bytes.Clone(t.buf[len(t.buf)-32<<10:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
