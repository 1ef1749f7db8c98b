package harness

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// NATS is a nats-server that keeps the event log of servers that run apart.
type NATS struct {
	URL string
	cmd *exec.Cmd
}

// StartNATS starts bin/nats-server with its store in dir.
func StartNATS(dir string) (*NATS, error) {
	top, err := Top()
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(top, "bin", "nats-server")
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("make bin/nats-server: %w", err)
	}
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "nats.conf")
	text := fmt.Sprintf("listen: %s\nmax_payload: 8MB\njetstream { store_dir: %q, sync_interval: always }\n", address, filepath.Join(dir, "store"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	n := &NATS{URL: "nats://" + address, cmd: exec.Command(binary, "-c", config)}
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	for range 3000 {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return n, c.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	n.Kill()
	return nil, fmt.Errorf("nats-server does not listen on %s", address)
}

// Kill ends the server.
func (n *NATS) Kill() {
	n.cmd.Process.Kill()
	n.cmd.Wait()
}
