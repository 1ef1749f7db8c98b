package eventlog

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/readership/readership/internal/event"
)

// childDir tells the test binary to be the process that is killed: it commits
// into that folder and prints the ids that were acknowledged.
const childDir = "EVENTLOG_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := runChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runChild(dir string) error {
	l, err := Open(Config{Dir: dir + "/log", PartBytes: 1 << 20, Logger: quiet})
	if err != nil {
		return err
	}
	c, err := NewCommitter(CommitterConfig{Dir: dir, Logger: quiet}, l, nullSink{})
	if err != nil {
		return err
	}
	if err := c.Start(context.Background()); err != nil {
		return err
	}
	var (
		wg    sync.WaitGroup
		print sync.Mutex
		run   = time.Now().UnixNano()
	)
	for worker := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				s := &Submission{Site: wallSite, Import: worker == 0}
				for j := range 1 + 40*(i%7)/6 {
					s.Events = append(s.Events, pageView(fmt.Sprintf("%d-%d-%d-%d", run, worker, i, j), time.Now().UnixMilli()))
				}
				if err := c.Commit(context.Background(), s); err != nil {
					panic(err)
				}
				var lines strings.Builder
				for j := range s.Events {
					fmt.Fprintln(&lines, s.Events[j].ID)
				}
				print.Lock()
				_, _ = os.Stdout.WriteString(lines.String())
				print.Unlock()
			}
		})
	}
	wg.Wait()
	return nil
}

// TestKill kills a process that commits, again and again in the same folder,
// and looks for what it had acknowledged.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var ids []string
	for round := range 6 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childDir+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			ids = append(ids, lines.Text())
			if n == 500+1777*round {
				if err := child.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait()
	}
	l := openLog(t, Config{Dir: dir + "/log", PartBytes: 1 << 20})
	sink := &memorySink{}
	c, err := NewCommitter(CommitterConfig{Dir: dir, Logger: quiet}, l, sink)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d acknowledged; the journal ends at %s, the log at %s", len(ids), c.LearnedPosition(), l.Last())
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	checkStored(t, c, l, ids)
	stored := &memorySink{}
	if err := l.Read(context.Background(), 0, stored.Apply); err != nil {
		t.Fatal(err)
	}
	for _, n := range stored.ids {
		if n > 1 {
			t.Fatal("an event is in the log twice")
		}
	}
	// Sent again, all of them are known.
	for len(ids) > 0 {
		s := &Submission{Site: wallSite}
		for _, id := range ids[:min(1000, len(ids))] {
			s.Events = append(s.Events, pageView(id, time.Now().UnixMilli()))
		}
		ids = ids[len(s.Events):]
		if err := c.Commit(context.Background(), s); err != nil {
			t.Fatal(err)
		}
		for i, v := range s.Verdicts {
			if v.Outcome != Duplicate {
				t.Fatalf("%s was acknowledged and is now %s", s.Events[i].ID, v.Outcome)
			}
		}
	}
	if n := sink.counts[event.Count{Site: wallSite.ID, Verdict: "stored"}]; n > 0 {
		t.Errorf("%d stored again", n)
	}
}
