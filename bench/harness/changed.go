package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Change is one place of the server's sources that says something else.
type Change struct {
	Source  string // below the top folder
	Old, To string
}

// BuildChanged builds a server in dir from the same sources as the released one
// but for changes, and returns the path of the program.
func BuildChanged(ctx context.Context, dir string, changes ...Change) (binary string, err error) {
	top, err := Top()
	if err != nil {
		return "", err
	}
	texts := map[string]string{} // by source
	said := ""
	for _, c := range changes {
		source := filepath.Join(top, filepath.FromSlash(c.Source))
		if texts[source] == "" {
			text, err := os.ReadFile(source)
			if err != nil {
				return "", err
			}
			texts[source] = string(text)
		}
		if strings.Count(texts[source], c.Old) != 1 {
			return "", fmt.Errorf("%s does not say %q once", source, c.Old)
		}
		texts[source] = strings.Replace(texts[source], c.Old, c.To, 1)
		said += c.To
	}
	replaced := map[string]string{}
	for source, text := range texts {
		replaced[source] = filepath.Join(dir, fmt.Sprintf("changed%d.go", len(replaced)))
		if err := os.WriteFile(replaced[source], []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	overlay, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "readership-changed")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": replaced})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, replace, 0o644); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-trimpath", "-o", binary, "./cmd/readership")
	cmd.Dir, cmd.Env = top, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server with %q: %w\n%s", said, err, out)
	}
	return binary, nil
}

const aheadEnv = "READERSHIP_BENCH_AHEAD"

// Shifted makes a server's clock be ahead of the machine's, which cannot be moved:
// by as much as its environment says, which is Ahead.
var Shifted = Change{"cmd/readership/serve.go", "Now: time.Now,",
	`Now: func(by time.Duration, _ error) func() time.Time { return func() time.Time { return time.Now().Add(by) } }(time.ParseDuration(c.getenv("` + aheadEnv + `"))),`}

// Ahead is what the environment of a Shifted server says.
func Ahead(by time.Duration) string { return aheadEnv + "=" + by.String() }

const haltEnv = "READERSHIP_BENCH_HALT"

// Halting makes a server's engine stand still, each shard in its next turn, as long
// as a file is there: that its environment names, which is Halt. A shard that has
// nothing to do stands still too, so nobody takes its turn meanwhile.
var Halting = []Change{
	{"internal/engine/shard.go", "import (\n", "import (\n\t\"os\"\n"},
	{"internal/engine/shard.go", "\tdefer s.turn.Unlock()\n\tif s.engine.Failure() != nil {\n",
		"\tdefer s.turn.Unlock()\n\tfor halted() { time.Sleep(time.Millisecond) }\n\tif s.engine.Failure() != nil {\n"},
	{"internal/engine/shard.go", "func (s *shard) step(w work) {\n",
		"func halted() bool { _, err := os.Stat(os.Getenv(\"" + haltEnv + "\")); return err == nil }\n\nfunc (s *shard) step(w work) {\n"},
	{"internal/engine/turn.go", "\tif !s.turn.TryLock() {\n", "\tif halted() || !s.turn.TryLock() {\n"},
}

// Halt is what the environment of a Halting server says.
func Halt(file string) string { return haltEnv + "=" + file }
