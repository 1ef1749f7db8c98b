package harness

import (
	"context"
	"encoding/json"
	"errors"
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
// but for one change, and returns the path of the program.
func BuildChanged(ctx context.Context, dir string, c Change) (binary string, err error) {
	top, err := Top()
	if err != nil {
		return "", err
	}
	source := filepath.Join(top, filepath.FromSlash(c.Source))
	text, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	if strings.Count(string(text), c.Old) != 1 {
		return "", fmt.Errorf("%s does not say %q once", source, c.Old)
	}
	changed, overlay, binary := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "readership-changed")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {source: changed}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(changed, []byte(strings.Replace(string(text), c.Old, c.To, 1)), 0o644), os.WriteFile(overlay, replace, 0o644)); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-trimpath", "-o", binary, "./cmd/readership")
	cmd.Dir, cmd.Env = top, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server with %q: %w\n%s", c.To, err, out)
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
