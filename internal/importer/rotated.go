package importer

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxRotated bounds the rotated files of a log that are looked at, newest first.
const maxRotated = 64

// rotatedFile is a file that a log was renamed or copied to.
type rotatedFile struct {
	name string
	info os.FileInfo
}

// rotated lists the rotated files of a log in its folder, newest first:
// access.log.1, access.log-20260131, access-2026-01-31.log, access.log.old,
// each also with .gz or .zst.
func rotated(log string) ([]rotatedFile, error) {
	folder, base := filepath.Split(log)
	if folder == "" {
		folder = "."
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("look for rotated files of %s: %w", log, err)
	}
	name := rotatedName(base)
	var list []rotatedFile
	for _, e := range entries {
		if !name.MatchString(e.Name()) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			list = append(list, rotatedFile{filepath.Join(folder, e.Name()), info})
		}
	}
	slices.SortFunc(list, func(a, b rotatedFile) int { return b.info.ModTime().Compare(a.info.ModTime()) })
	return list[:min(len(list), maxRotated)], nil
}

func rotatedName(base string) *regexp.Regexp {
	ext := filepath.Ext(base)
	whole, stem := regexp.QuoteMeta(base), regexp.QuoteMeta(strings.TrimSuffix(base, ext))
	const when = `[.-][0-9][0-9T._-]*`
	return regexp.MustCompile(`^(` + whole + when + `|` + whole + `\.old|` + stem + when + regexp.QuoteMeta(ext) + `)(\.gz|\.zst)?$`)
}

// newer leaves the files that were written to after a time, oldest first.
func newer(files []rotatedFile, than time.Time) []rotatedFile {
	var list []rotatedFile
	for _, f := range slices.Backward(files) {
		if f.info.ModTime().After(than) {
			list = append(list, f)
		}
	}
	return list
}
