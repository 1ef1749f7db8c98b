package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/readership/readership/bench/harness"
)

// change is one place of the server's source that says something else.
type change struct {
	source  string // below the top folder
	old, to string
}

// buildChanged builds a server in dir from the same sources as the released one
// but for one change.
func buildChanged(ctx context.Context, dir string, c change) (binary string, err error) {
	top, err := harness.Top()
	if err != nil {
		return "", err
	}
	source := filepath.Join(top, filepath.FromSlash(c.source))
	text, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	if strings.Count(string(text), c.old) != 1 {
		return "", fmt.Errorf("%s does not say %q once", source, c.old)
	}
	changed, overlay, binary := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "readership-changed")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {source: changed}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(changed, []byte(strings.Replace(string(text), c.old, c.to, 1)), 0o644), os.WriteFile(overlay, replace, 0o644)); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, "./cmd/readership")
	cmd.Dir, cmd.Env = top, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server with %q: %w\n%s", c.to, err, out)
	}
	return binary, nil
}
