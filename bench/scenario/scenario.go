// Package scenario holds what Readership promises of its speed and its safety,
// each as a run against a real server that measures or checks it. The command
// in cmd/bench runs them at full size and prints Markdown; the acceptance
// tests run some at a small one.
package scenario

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/readership/readership/bench/dataset"
)

// Run is one scenario: it writes Markdown to w. An error says that it could
// not run or that a promise was broken.
type Run func(ctx context.Context, w io.Writer, args []string) error

// Machine describes what a figure was measured on, in one line.
func Machine() string {
	model := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores (%s), %s", runtime.NumCPU(), model, runtime.Version())
}

// Clicks returns n clicks in time order, of the real log if it is here, else
// of the synthetic one, and says which.
func Clicks(n int) (clicks []dataset.Click, source string, err error) {
	clicks, err = dataset.Globo()
	switch {
	case err == nil:
		source = "the Globo click log"
	default:
		clicks, source = dataset.Synthetic(dataset.DefaultPortal()), "the synthetic click log (seed 1)"
		fmt.Fprintln(os.Stderr, err, "- using", source)
	}
	if n > len(clicks) {
		source += ", days shifted"
	}
	return dataset.Repeat(clicks, n), source, nil
}

// tempDir makes a folder for data of a run: below $TMPDIR, removed by the
// returned function.
func tempDir() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "readership-bench-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// clicksFile writes clicks as NDJSON into dir.
func clicksFile(dir string, clicks []dataset.Click) (string, error) {
	name := filepath.Join(dir, "events.ndjson")
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	if err := dataset.WriteNDJSON(f, clicks); err != nil {
		f.Close()
		return "", err
	}
	return name, f.Close()
}

// need returns an error that names the program that is missing.
func need(programs ...string) error {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%s is needed and not installed: %w", p, err)
		}
	}
	return nil
}

// median returns the middle of values; it sorts them.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

// thousands writes a number with separators: 1,234,567.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// diskUsage returns the bytes of all files below dir.
func diskUsage(dir string) (sum int64) {
	filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum
}
