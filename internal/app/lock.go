package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// errHeld says that another process holds a lock.
var errHeld = errors.New("lock is held")

// lock is the exclusive right to a data folder. The operating system gives it
// back when the process ends, however it ends.
type lock struct{ file *os.File }

// takeLock creates the data folder and takes its lock.
func takeLock(dir string) (*lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create data folder: %w", err)
	}
	path := filepath.Join(dir, "lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := lockFile(file); err != nil {
		holder := make([]byte, 32)
		n, _ := file.Read(holder)
		file.Close()
		if !errors.Is(err, errHeld) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		who := "another process"
		if pid := strings.TrimSpace(string(holder[:n])); pid != "" {
			who += " (" + pid + ")"
		}
		return nil, fmt.Errorf("data folder %s is in use by %s: one process serves a folder at a time; stop it or name another folder with --data", dir, who)
	}
	if err := errors.Join(file.Truncate(0), writeAt(file, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		file.Close()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return &lock{file}, nil
}

func writeAt(file *os.File, text string) error {
	_, err := file.WriteAt([]byte(text), 0)
	return err
}

func (l *lock) release() error { return l.file.Close() }
