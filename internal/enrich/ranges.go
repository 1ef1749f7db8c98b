package enrich

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// rangesEvery is how often the folder of ranges is looked at.
const rangesEvery = 10 * time.Second

// Ranges are the addresses of operators, from a folder of files as Google, OpenAI
// and others publish them: {"prefixes":[{"ipv4Prefix":"…"},{"ipv6Prefix":"…"}]}. A
// file is named OPERATOR.json or OPERATOR.ANYTHING.json, "openai.gptbot.json"; of the
// operator's name only letters and digits count, in any case. Safe for
// concurrent use.
type Ranges struct {
	folder  string
	logger  *slog.Logger
	current atomic.Pointer[map[string]*prefixes] // by operator, as plain makes it

	mu    sync.Mutex // over reading the folder
	files map[string]*rangeFile
}

// rangeFile is one file as it was read last, with the newest good content.
type rangeFile struct {
	state    fileState
	prefixes []netip.Prefix
}

// NewRanges reads a folder; "" for none. Files that cannot be used are told to
// the logger.
func NewRanges(folder string, logger *slog.Logger) *Ranges {
	r := &Ranges{folder: folder, logger: logger, files: map[string]*rangeFile{}}
	r.current.Store(&map[string]*prefixes{})
	r.Refresh()
	return r
}

// Contain says whether an address is one of an operator's.
func (r *Ranges) Contain(operator string, address netip.Addr) bool {
	all := *r.current.Load()
	if len(all) == 0 {
		return false
	}
	return all[plain(operator)].contain(address)
}

// Refresh reads the files that have changed. Of a file that cannot be used the
// content before stays.
func (r *Ranges) Refresh() {
	if r.folder == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	entries, err := os.ReadDir(r.folder)
	if err != nil {
		r.logger.Error("address ranges: the folder cannot be read", "folder", r.folder, "error", err)
		return
	}
	here, changed := map[string]bool{}, false
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".json" {
			continue
		}
		here[e.Name()] = true
		changed = r.read(e.Name()) || changed
	}
	for name := range r.files {
		if !here[name] {
			delete(r.files, name)
			changed = true
		}
	}
	if changed {
		r.publish()
	}
}

// read reads a file if it has changed, and says whether its content did.
func (r *Ranges) read(name string) bool {
	path := filepath.Join(r.folder, name)
	info, err := os.Stat(path)
	if err != nil {
		return false // it has just gone
	}
	file := r.files[name]
	if file == nil {
		file = &rangeFile{}
		r.files[name] = file
	}
	state := fileState{info.ModTime(), info.Size()}
	if file.state == state {
		return false
	}
	file.state = state
	content, err := os.ReadFile(path)
	if err == nil {
		var read []netip.Prefix
		if read, err = parseRanges(content); err == nil {
			file.prefixes = read
			return true
		}
	}
	r.logger.Error("address ranges: the file cannot be used", "file", path, "error", err, "older_in_use", file.prefixes != nil)
	return false
}

// publish makes the answers of all files.
func (r *Ranges) publish() {
	all := map[string]*prefixes{}
	for name, file := range r.files {
		operator, _, _ := strings.Cut(name, ".")
		operator = plain(operator)
		if all[operator] == nil {
			all[operator] = &prefixes{all: map[netip.Prefix]struct{}{}}
		}
		all[operator].add(file.prefixes)
	}
	r.current.Store(&all)
}

// maxRanges bounds the prefixes of one file.
const maxRanges = 100_000

// parseRanges reads a published file.
func parseRanges(content []byte) ([]netip.Prefix, error) {
	var file struct {
		Prefixes []struct {
			V4 string `json:"ipv4Prefix"`
			V6 string `json:"ipv6Prefix"`
		} `json:"prefixes"`
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, err
	}
	if len(file.Prefixes) == 0 || len(file.Prefixes) > maxRanges {
		return nil, fmt.Errorf("it has %d prefixes, 1 to %d are expected", len(file.Prefixes), maxRanges)
	}
	out := make([]netip.Prefix, 0, len(file.Prefixes))
	for _, p := range file.Prefixes {
		for _, text := range []string{p.V4, p.V6} {
			if text == "" {
				continue
			}
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, err
			}
			out = append(out, prefix.Masked())
		}
	}
	return out, nil
}

// prefixes is a set of networks.
type prefixes struct {
	all  map[netip.Prefix]struct{}
	bits []int // lengths that occur
}

func (p *prefixes) add(list []netip.Prefix) {
	for _, prefix := range list {
		p.all[prefix] = struct{}{}
	}
	lengths := map[int]bool{}
	for prefix := range p.all {
		lengths[prefix.Bits()] = true
	}
	p.bits = slices.Sorted(maps.Keys(lengths))
}

func (p *prefixes) contain(address netip.Addr) bool {
	if p == nil {
		return false
	}
	for _, bits := range p.bits {
		if prefix, err := address.Prefix(bits); err == nil {
			if _, ok := p.all[prefix]; ok {
				return true
			}
		}
	}
	return false
}

// plain is an operator's name as files are named: letters and digits in lower
// case.
func plain(name string) string {
	keep := func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}
	return strings.Map(keep, name)
}
