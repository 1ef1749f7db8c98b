package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/readership/readership/internal/event"
)

// poison remembers log messages that the engine could not apply. The first
// failure at a position is tried again from the checkpoint; after the second
// the position is skipped, in every later start too.
type poison struct {
	path     string
	failures map[string]int // by position
}

// skipAfter is how many failures it takes.
const skipAfter = 2

func openPoison(dir string) (*poison, error) {
	p := &poison{path: filepath.Join(dir, "skipped.json"), failures: make(map[string]int)}
	text, err := os.ReadFile(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read skipped positions: %w", err)
	}
	if err := json.Unmarshal(text, &p.failures); err != nil {
		return nil, fmt.Errorf("read skipped positions: %s: %w", p.path, err)
	}
	return p, nil
}

// skip returns the positions that the engine leaves out.
func (p *poison) skip() map[event.Position]bool {
	skip := make(map[event.Position]bool)
	for text, n := range p.failures {
		if position, err := event.ParsePosition(text); err == nil && n >= skipAfter {
			skip[position] = true
		}
	}
	return skip
}

// failed counts a failure and makes it durable, so that a restart knows.
func (p *poison) failed(position event.Position) (skipped bool, err error) {
	p.failures[position.String()]++
	text, err := json.MarshalIndent(p.failures, "", "  ")
	if err != nil {
		return false, err
	}
	next := p.path + ".new"
	file, err := os.Create(next)
	if err != nil {
		return false, fmt.Errorf("remember skipped position: %w", err)
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(next, p.path)
	}
	if err != nil {
		return false, fmt.Errorf("remember skipped position: %w", err)
	}
	return p.failures[position.String()] >= skipAfter, nil
}
