package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/readership/readership/internal/client"
	"github.com/readership/readership/internal/load"
)

// process is a server in a process of its own, which can be killed.
type process struct {
	cmd    *exec.Cmd
	server string
	errs   bytes.Buffer
}

func spawn(t *testing.T, dir string, env ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(append(os.Environ(), serveEnv+"="+dir), env...)
	p.cmd.Stderr = &p.errs
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		_ = p.cmd.Wait()
		t.Fatalf("the server did not start: %v\n%s", err, p.errs.String())
	}
	p.server = "http://" + strings.TrimSpace(line)
	return p
}

// TestNoAcknowledgedEventIsLostOrDoubled kills a server under load again and
// again, then compares what is stored with what was acknowledged.
func TestNoAcknowledgedEventIsLostOrDoubled(t *testing.T) {
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	dir := t.TempDir()
	p := spawn(t, dir)
	key := createSite(t, p.server)
	begin := time.Now()
	var reports []*load.Report
	for round := range rounds {
		mix := load.DefaultMix()
		mix.Numbers, mix.Engaged, mix.Items = true, 0, 200
		ctx, cancel := context.WithCancel(t.Context())
		enough := make(chan struct{})
		var once sync.Once
		o := load.Options{Server: p.server, Key: key, Connections: 16, Pipeline: 4, Batch: 1 + 9*(round%2), Seed: uint64(round), Mix: mix,
			Keep: true, Now: time.Now, Steps: []load.Step{{Rate: 0, Duration: time.Minute}},
			OnSecond: func(load.Progress) { once.Do(func() { close(enough) }) }}
		done := make(chan *load.Report, 1)
		go func() {
			report, err := load.Run(ctx, o)
			if err != nil {
				t.Error(err)
			}
			done <- report
		}()
		<-enough
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.cmd.Wait()
		cancel()
		if report := <-done; report != nil {
			reports = append(reports, report)
		}
		p = spawn(t, dir)
	}
	acknowledged := 0
	for i, report := range reports {
		v, err := report.Verify(rowsOf(t, p.server, begin))
		if err != nil {
			t.Fatal(err)
		}
		acknowledged += v.Acknowledged
		if v.Acknowledged == 0 || v.Missing > 0 || v.Doubled > 0 {
			t.Errorf("round %d: %+v", i, v)
		}
	}
	t.Logf("%d kills, %d acknowledged events", rounds, acknowledged)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, p.errs.String())
	}
}

// TestTermAnswersWhatIsInFlight stops a server under load: what was
// acknowledged is there, and the exit code is 0.
func TestTermAnswersWhatIsInFlight(t *testing.T) {
	dir := t.TempDir()
	p := spawn(t, dir)
	key := createSite(t, p.server)
	begin := time.Now()
	mix := load.DefaultMix()
	mix.Numbers, mix.Engaged = true, 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	var once sync.Once
	report, err := load.Run(ctx, load.Options{Server: p.server, Key: key, Connections: 8, Pipeline: 1, Batch: 1, Mix: mix, Keep: true,
		Now: time.Now, Steps: []load.Step{{Rate: 0, Duration: time.Minute}},
		OnSecond: func(load.Progress) {
			once.Do(func() {
				go func() {
					_ = p.cmd.Process.Signal(syscall.SIGTERM)
					ended <- p.cmd.Wait()
					cancel()
				}()
			})
		}})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("after SIGTERM: %v\n%s", err, p.errs.String())
	}
	p = spawn(t, dir)
	v, err := report.Verify(rowsOf(t, p.server, begin))
	if err != nil || v.Acknowledged == 0 || v.Missing > 0 || v.Doubled > 0 {
		t.Errorf("%+v %v", v, err)
	}
}

func createSite(t *testing.T, server string) (writeKey string) {
	t.Helper()
	c, err := client.New(server, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var site struct {
		WriteKey string `json:"write_key"`
	}
	in := json.RawMessage(`{"id":"news","domains":["news.example"]}`)
	if err := c.Do(t.Context(), "POST", "/v1/sites", nil, in, &site); err != nil {
		t.Fatal(client.Explain(err))
	}
	return site.WriteKey
}

func rowsOf(t *testing.T, server string, since time.Time) io.Reader {
	t.Helper()
	c, err := client.New(server, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := c.Rows(t.Context(), "news", since.Add(-time.Minute), time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(client.Explain(err))
	}
	t.Cleanup(func() { rows.Close(); c.Close() })
	return rows
}
