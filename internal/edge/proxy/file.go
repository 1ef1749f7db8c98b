package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/readership/readership/internal/event"
)

// File is a file of routes: a JSON object of tables by site. What it names is
// served instead of what is stored for these sites. It is read again when it has
// changed; one that cannot be read changes nothing.
type File struct {
	name string

	mu     sync.RWMutex
	mark   fileMark
	count  uint64
	tables map[string][]event.Route
	err    error
}

// OpenFile reads a file of routes.
func OpenFile(name string) (*File, error) {
	f := &File{name: name}
	if _, err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// read reads the file if it has changed.
func (f *File) read() (changed bool, err error) {
	mark, err := markOf(f.name)
	f.mu.RLock()
	same := err == nil && mark == f.mark
	f.mu.RUnlock()
	if same {
		return false, nil
	}
	var tables map[string][]event.Route
	if err == nil {
		tables, err = readTables(f.name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err = err; err != nil {
		return false, err
	}
	f.mark, f.tables = mark, tables
	f.count++
	return true, nil
}

func readTables(name string) (map[string][]event.Route, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read routes: %w", err)
	}
	tables := map[string][]event.Route{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&tables); err != nil {
		return nil, fmt.Errorf("read routes from %s: %w", name, err)
	}
	return tables, nil
}

// Routes returns the table of a site that the file names. A nil File names none.
func (f *File) Routes(site string) ([]event.Route, bool) {
	if f == nil {
		return nil, false
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	routes, ok := f.tables[site]
	return routes, ok
}

// version changes whenever the file has been read anew.
func (f *File) version() uint64 {
	if f == nil {
		return 0
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.count
}

// failure is why the file as it is now is not in force; nil: it is.
func (f *File) failure() error {
	if f == nil {
		return nil
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.err
}

// fileMark tells versions of a file apart.
type fileMark struct {
	modified time.Time
	size     int64
}

func markOf(name string) (fileMark, error) {
	info, err := os.Stat(name)
	if err != nil {
		return fileMark{}, fmt.Errorf("look at %s: %w", name, err)
	}
	return fileMark{info.ModTime(), info.Size()}, nil
}

// lookEvery is how often files are looked at for changes.
const lookEvery = 2 * time.Second

// WatchFiles reads the file of routes and certificates again when they have
// changed, until ctx ends.
func (s *Server) WatchFiles(ctx context.Context) {
	if s.cfg.File == nil && s.cfg.Certificates == nil {
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.look()
		}
	}
}

// look reads what has changed.
func (s *Server) look() {
	if s.cfg.File != nil {
		changed, err := s.cfg.File.read()
		switch {
		case err != nil:
			s.cfg.Logger.Error("the file of routes is not in force", "error", err)
		case changed:
			s.cfg.Logger.Info("the file of routes was read again", "file", s.cfg.File.name)
			s.Refresh()
		}
	}
	if s.cfg.Certificates != nil {
		s.cfg.Certificates.look(s.cfg.Logger)
	}
}
