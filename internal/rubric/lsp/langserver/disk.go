package langserver

import (
	"io"
	"os"
	"path/filepath"

	"github.com/readership/readership/internal/rubric/source"
)

// Disk reads files of the machine's file system.
type Disk struct{}

// Read implements lsp.Files; a file that is too large for a program is none.
func (Disk) Read(path string) (string, bool) {
	file := filepath.FromSlash(path)
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return "", false
	}
	f, err := os.Open(file)
	if err != nil {
		return "", false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, source.MaxBytes+1))
	return string(data), err == nil && len(data) <= source.MaxBytes
}

// Folder implements lsp.Files.
func (Disk) Folder(path string) []string {
	entries, err := os.ReadDir(filepath.FromSlash(path))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".rubric" {
			out = append(out, filepath.ToSlash(filepath.Join(path, e.Name())))
		}
	}
	return out
}
