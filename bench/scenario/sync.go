package scenario

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/readership/readership/bench/harness"
)

// Sync checks, system call by system call, that each answer is preceded by a
// returned sync of the log's file that holds its batch; and that the same
// check fails on a server built with synced writes off.
func Sync(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("sync", flag.ContinueOnError)
	answers := flags.Int("answers", 100, "requests")
	if err := flags.Parse(args); err != nil {
		return err
	}
	synced, err := TraceSyncs(ctx, *answers, true)
	if err != nil {
		return err
	}
	unsynced, err := TraceSyncs(ctx, *answers, false)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Under strace, each answer is preceded by a returned sync of the log file that holds its batch. %s.\n\n| server | answers | preceded by the sync |\n|---|---|---|\n", Machine())
	fmt.Fprintf(w, "| as released | %d | **%d** |\n| built with synced writes off | %d | %d |\n", *answers, synced, *answers, unsynced)
	switch {
	case synced < *answers:
		return errors.New("an answer went out before its batch was synced")
	case unsynced == *answers:
		return errors.New("the check does not notice a server without syncs")
	}
	return nil
}

// TraceSyncs sends single events one after the other to a server under strace,
// and returns of how many answers it can show the sync. Without synced, the
// server is built with the log's SyncAlways off.
func TraceSyncs(ctx context.Context, answers int, synced bool) (shown int, err error) {
	if err := need("strace"); err != nil {
		return 0, err
	}
	dir, remove, err := tempDir()
	if err != nil {
		return 0, err
	}
	defer remove()
	binary, err := harness.Build("")
	if !synced {
		binary, err = harness.BuildChanged(ctx, dir, harness.Change{Source: "internal/eventlog/server.go", Old: "SyncAlways: true", To: "SyncAlways: false"})
	}
	if err != nil {
		return 0, err
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return 0, err
	}
	trace := filepath.Join(dir, "trace")
	s, err := harness.Start(ctx, harness.Options{Binary: binary, Dir: filepath.Join(dir, "data"), Prefix: []string{"strace", "-f", "-y", "-s", "65536", "-o", trace,
		"-e", "signal=none", "-e", "trace=write,pwrite64,writev,pwritev,sendto,sendmsg,fsync,fdatasync"}})
	if err != nil {
		return 0, err
	}
	defer s.Kill()
	key, err := s.CreateSite(ctx, newsSite)
	if err != nil {
		return 0, err
	}
	load := harness.Load{Addr: s.CollectAddr, WriteKey: key, Connections: 1, Duration: time.Minute,
		Body: func(dst []byte, n uint64, _ int) []byte {
			return fmt.Appendf(dst, `{"type":"page_view","id":"i%d","device":"d%d","item":"%s"}`, n, n, marker(int(n)))
		}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wrong := 0
	load.Answered = func(n uint64, a harness.Answer) {
		if a.Status != http.StatusOK {
			wrong++
		}
		if n+1 >= uint64(answers) {
			cancel()
		}
	}
	if _, err := load.Run(ctx); err != nil {
		return 0, err
	}
	if wrong > 0 {
		return 0, fmt.Errorf("%d of %d requests were not accepted", wrong, answers)
	}
	if err := s.Stop(); err != nil {
		return 0, err
	}
	f, err := os.Open(trace)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return syncedAnswers(f, answers)
}

// marker is the item of request n; it stands in the log as it is.
func marker(n int) string { return fmt.Sprintf("mark-%06d-mark", n) }

// call is one system call of a trace. Its place is the number of the line on
// which it began and of the one on which it returned.
type call struct {
	name, file  string
	data        string
	begin, done int
	ok          bool
}

var (
	callBegin   = regexp.MustCompile(`^(\d+) +(\w+)\(\d+(?:<([^>]*)>)?(.*)$`)
	callResumed = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
)

// parseTrace reads the output of strace -f -y -o.
func parseTrace(r io.Reader) ([]*call, error) {
	var calls []*call
	open := map[string]*call{} // by thread
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if m := callResumed.FindStringSubmatch(line); m != nil {
			if c := open[m[1]]; c != nil {
				c.done, c.ok = n, succeeded(m[3])
				c.data += m[3]
				delete(open, m[1])
			}
			continue
		}
		m := callBegin.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		c := &call{name: m[2], file: m[3], data: m[4], begin: n, done: n}
		calls = append(calls, c)
		if strings.HasSuffix(line, "<unfinished ...>") {
			c.done = 0
			open[m[1]] = c
		} else {
			c.ok = succeeded(m[4])
		}
	}
	return calls, lines.Err()
}

func succeeded(rest string) bool {
	i := strings.LastIndex(rest, ") = ")
	if i < 0 {
		i = strings.LastIndex(rest, ")")
	}
	return i >= 0 && !strings.Contains(rest[i:], "= -1 ")
}

// syncedAnswers counts the answers before which the batch was written to a
// file of the log and that file's sync, begun after the write, had returned.
func syncedAnswers(trace io.Reader, answers int) (shown int, err error) {
	calls, err := parseTrace(trace)
	if err != nil {
		return 0, err
	}
	var replies []*call
	for _, c := range calls {
		if strings.Contains(c.data, `HTTP/1.1 200`) && strings.Contains(c.data, `\"accepted\":1`) {
			replies = append(replies, c)
		}
	}
	if len(replies) != answers {
		return 0, fmt.Errorf("the trace shows %d answers, want %d", len(replies), answers)
	}
	for n, reply := range replies {
		if batchSynced(calls, marker(n), reply) {
			shown++
		}
	}
	return shown, nil
}

func batchSynced(calls []*call, mark string, reply *call) bool {
	written := map[string]int{} // file of the log → line on which the write returned
	for _, c := range calls {
		if c.begin >= reply.begin {
			return false
		}
		switch c.name {
		case "fsync", "fdatasync":
			if at, ok := written[c.file]; ok && c.ok && c.begin > at && c.done > 0 && c.done < reply.begin {
				return true
			}
		default:
			if strings.HasSuffix(c.file, ".blk") && c.ok && c.done > 0 && c.done < reply.begin && strings.Contains(c.data, mark) {
				written[c.file] = c.done
			}
		}
	}
	return false
}
