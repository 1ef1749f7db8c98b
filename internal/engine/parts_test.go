package engine

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine/block"
)

// TestParts: a value of several parts is read as it was written last, however long it
// was before, as one or in parts, beside its neighbours and across the bounds of parts;
// and is gone once it is dropped.
func TestParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "parts")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		c := &checkpointer{path: filepath.Join(dir, "checkpoint"), logger: slog.New(slog.DiscardHandler)}
		if err := c.open(); err != nil {
			t.Fatal(err)
		}
		defer c.close()
		sizes := rapid.OneOf(rapid.IntRange(1, 100), rapid.SampledFrom([]int{partBytes - 1, partBytes, partBytes + 1, 3 * partBytes}), rapid.IntRange(1, 5*partBytes))
		want := map[uint16][]byte{}
		for step := range rapid.IntRange(1, 6).Draw(t, "checkpoints") {
			var w changes
			s := siteSave{id: "news"}
			for id := range uint16(3) {
				switch rapid.SampledFrom([]string{"stays", "set", "dropped"}).Draw(t, "block") {
				case "set":
					value := make([]byte, sizes.Draw(t, "size"))
					for i := range value { // each part differs
						value[i] = byte(i/partBytes<<4 + step<<2 + int(id) + i%3)
					}
					put := w.makeParts
					if rapid.Bool().Draw(t, "as one") { // of version 3
						put = w.make
					}
					put(numbered(keyRows, 0, s.id, uint64(id)), func(dst []byte) []byte { return append(dst, value...) })
					s.blocks = append(s.blocks, block.NewBuilder(id, 0, block.Plain).Snapshot())
					if rapid.Bool().Draw(t, "dropped too") { // what is written counts
						s.dropped = append(s.dropped, id)
					}
					want[id] = value
				case "dropped":
					s.dropped = append(s.dropped, id)
					delete(want, id)
				}
			}
			w.pastRows(0, &s)
			path := filepath.Join(dir, "table")
			if _, err := w.table(path, c.format); err != nil {
				t.Fatal(err)
			}
			if err := c.db.Ingest(context.Background(), []string{path}); err != nil {
				t.Fatal(err)
			}
			for id := range uint16(3) {
				got, err := c.parts(nil, numbered(keyRows, 0, s.id, uint64(id)))
				if err != nil || !bytes.Equal(got, want[id]) {
					t.Fatalf("block %d: %d bytes, want %d, error %v", id, len(got), len(want[id]), err)
				}
			}
		}
	})
}
