package acceptance

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/cucumber/godog"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/bench/harness"
)

func (w *world) serverWithSite(ctx context.Context, site, clock, zone string) (err error) {
	if w.server, err = harness.Start(ctx, harness.Options{Dir: w.t.TempDir()}); err != nil {
		return err
	}
	w.own = true
	return w.addSite(ctx, site, clock, zone)
}

func (w *world) importLog(ctx context.Context, name string) error {
	path, err := dataset.Shared(name)
	if err != nil {
		return skipAbsent(err)
	}
	return w.runImport(ctx, path)
}

func (w *world) importCopy(ctx context.Context, name string) error {
	path, err := dataset.Shared(name)
	if err != nil {
		return skipAbsent(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text)
	if err := z.Close(); err != nil {
		return err
	}
	renamed := filepath.Join(w.t.TempDir(), "another-name.log.gz")
	if err := os.WriteFile(renamed, b.Bytes(), 0o644); err != nil {
		return err
	}
	return w.runImport(ctx, renamed)
}

// summary is what the import command says at its end.
type summary struct{ stored, known, rejected int }

func (w *world) runImport(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, w.server.Binary, "import", "access-log", path, "--site", w.site, "--server", w.server.URL(""))
	cmd.Env = append(os.Environ(), "READERSHIP_API_KEY="+harness.RootKey)
	out, err := cmd.CombinedOutput()
	w.output = string(out)
	if err != nil {
		return fmt.Errorf("import: %w\n%s", err, out)
	}
	w.summary, err = parseSummary(w.output)
	return err
}

var summaryWords = regexp.MustCompile(`([\d,]+) (stored|known already|duplicates?|rejected)`)

func parseSummary(output string) (s summary, err error) {
	found := false
	for _, m := range summaryWords.FindAllStringSubmatch(output, -1) {
		n, err := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
		if err != nil {
			return s, err
		}
		switch m[2] {
		case "stored":
			s.stored, found = n, true
		case "rejected":
			s.rejected = n
		default:
			s.known = n
		}
	}
	if !found {
		return s, fmt.Errorf("the import does not say how many events it stored:\n%s", output)
	}
	return s, nil
}

func (w *world) summaryIs(stored, known, rejected int) error {
	if want := (summary{stored, known, rejected}); w.summary != want {
		return fmt.Errorf("%+v, want %+v\n%s", w.summary, want, w.output)
	}
	return nil
}

func (w *world) namesLine(line int) error {
	if !regexp.MustCompile(fmt.Sprintf(`\b%d\b`, line)).MatchString(w.output) {
		return fmt.Errorf("line %d is not named:\n%s", line, w.output)
	}
	return nil
}

const wholeLog = `"date_range":["2015-05-01T00:00:00Z","2015-06-01T00:00:00Z"]`

func (w *world) eventsBy(ctx context.Context, dimension string, table *godog.Table) error {
	res, err := w.server.Query(ctx, w.site, fmt.Sprintf(`{"metrics":["events"],"dimensions":[%q],%s}`, dimension, wholeLog))
	if err != nil {
		return err
	}
	if len(res.Results) != len(table.Rows) {
		return fmt.Errorf("%d groups, want %d: %+v", len(res.Results), len(table.Rows), res.Results)
	}
	got := map[string]int{}
	for _, row := range res.Results {
		got[row.Dimensions[0]] = int(*row.Metrics[0])
	}
	for _, row := range table.Rows {
		key, want := row.Cells[0].Value, row.Cells[1].Value
		if n, ok := got[utc(key)]; !ok || strconv.Itoa(n) != want {
			if n, ok = got[key]; !ok || strconv.Itoa(n) != want {
				return fmt.Errorf("%s: %d events, want %s", key, n, want)
			}
		}
	}
	return nil
}

// utc writes a time with the offset that answers carry in UTC.
func utc(label string) string { return strings.Replace(label, "Z", "+00:00", 1) }

func (w *world) holds(ctx context.Context, events int) error {
	res, err := w.server.Query(ctx, w.site, `{"metrics":["events"],`+wholeLog+`}`)
	if err != nil {
		return err
	}
	if n := int(*res.Results[0].Metrics[0]); n != events {
		return fmt.Errorf("the site holds %d events, want %d", n, events)
	}
	return nil
}
