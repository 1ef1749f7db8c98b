package app

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/readership/readership/internal/event"
)

// TestErasedReadersLeaveTheFolder: after the daily work nothing outside the log
// names an erased reader, and the daily snapshot does not bring it back.
func TestErasedReadersLeaveTheFolder(t *testing.T) {
	dir := t.TempDir()
	c := newClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	n, stop := up(t, Config{Data: dir, Now: c.now})
	putSite(t, n, event.Site{ID: "news", Window: "2d"})
	putFact(t, n, event.Fact{Kind: event.FactAccount, Site: "news", Key: "somebody-known", Value: []byte(`{"traits":{"city":"somebody-known-city"}}`)})
	view(t, n, "news", "somebody-known", c.now())
	view(t, n, "news", "another", c.now())
	u := n.upkeep()
	if err := u.daily(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.engine.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(outsideTheLog(t, dir, "somebody-known")) == 0 {
		t.Fatal("the test proves nothing")
	}
	for _, reader := range []string{"device:somebody-known", "account:somebody-known"} {
		putFact(t, n, event.Fact{Kind: event.FactErase, Site: "news", Key: reader, Value: []byte("{}")})
	}
	c.advance(24 * time.Hour)
	if err := u.daily(t.Context()); err != nil {
		t.Fatal(err)
	}
	if files := outsideTheLog(t, dir, "somebody-known"); len(files) > 0 || n.engine.Erasures() > 0 {
		t.Fatalf("%d erasures wait; %q", n.engine.Erasures(), files)
	}
	stop()
	if files := outsideTheLog(t, dir, "somebody-known"); len(files) > 0 {
		t.Fatalf("after the stop: %q", files)
	}
	if err := os.RemoveAll(filepath.Join(dir, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	n, stop = up(t, Config{Data: dir, Now: c.now})
	defer stop()
	v, err := n.engine.Readers(t.Context(), "news", 0)
	if err != nil {
		t.Fatal(err)
	}
	for reader, known := range map[string]bool{"device:somebody-known": false, "account:somebody-known": false, "device:another": true} {
		if r, ok := v.Reader(reader); !ok || r.Known != known {
			t.Errorf("from a replay %s is known: %v", reader, r.Known)
		}
	}
}

// outsideTheLog returns the files that hold a text.
func outsideTheLog(t *testing.T, dir, text string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, filepath.Join(dir, "log")+string(filepath.Separator)) {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte(text)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
