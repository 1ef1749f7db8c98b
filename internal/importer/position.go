package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/zeebo/xxh3"
)

// position is how far a file of a log was read and acknowledged. The file is
// known by what was read of it: it may be renamed, copied and compressed.
type position struct {
	Bytes int64  `json:"bytes"`
	Head  string `json:"head,omitempty"` // XXH3 of its first 1,024 bytes, or of all if it has fewer
	Sum   string `json:"sum,omitempty"`  // XXH3 of all of them

	// Since is before a file was written to last of which nothing was read, in Unix
	// nanoseconds: it and what was written to later is new, under whatever name.
	Since int64 `json:"since,omitempty"`
}

// positions is the file that outlives a follower, one of each log.
// Format: docs/format/positions.md.
type positions struct {
	Log   string     `json:"log"`
	Files []position `json:"files"` // of those not read to their end, oldest first
	Done  []position `json:"done"`  // of the last maxDone that were
}

func hexHash(h uint64) string { return fmt.Sprintf("%016x", h) }

// positionsFile names the file of a log that is sent to a site of a server.
func positionsFile(folder, server, site, log string) string {
	return filepath.Join(folder, site+"-"+hexHash(xxh3.HashString(server+"\x00"+log))+".json")
}

// maxDone is how many files are remembered that were read to their end.
const maxDone = 32

func (p *positions) equal(q *positions) bool {
	return slices.Equal(p.Files, q.Files) && slices.Equal(p.Done, q.Done)
}

// loadPositions reads what a follower left; nothing if there was none.
func loadPositions(name string) (positions, error) {
	var p positions
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("read the position: %w", err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("read the position in %s: %w\nDelete the file to begin with the log's first line", name, err)
	}
	for _, f := range p.Files {
		if f.Bytes < 0 {
			return p, fmt.Errorf("read the position in %s: no file has %d bytes\nDelete the file to begin with the log's first line", name, f.Bytes)
		}
	}
	return p, nil
}

// save replaces the file as a whole: a reader finds the old or the new one.
func (p positions) save(name string) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the position: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("keep the position: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("keep the position: %w", err)
	}
	return nil
}
