package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

// readConfig sets the flags that a file names and the command line does not.
// A line is NAME = VALUE, as the flag is called; # begins a comment, quotes
// around a value are taken off.
//
//	listen = 0.0.0.0:8080
//	memory = "8GB"     # of 12
//	demo   = true
func (f *flags) readConfig(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return usagef("--config: %v", err)
	}
	given := make(map[string]bool)
	f.Visit(func(fl *flag.Flag) { given[fl.Name] = true })
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		key, value, err := configLine(line)
		if err != nil {
			return usagef("%s:%d: %v", name, number, err)
		}
		switch {
		case key == "":
			continue
		case key == "config" || f.Lookup(key) == nil:
			return usagef("%s:%d: there is no setting %q", name, number, key)
		case given[key]:
			continue
		}
		if err := f.Set(key, value); err != nil {
			return usagef("%s:%d: %s: %v", name, number, key, err)
		}
	}
	return nil
}

// configLine splits a line; key is empty where it says nothing.
func configLine(line string) (key, value string, err error) {
	line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
	if line == "" || line[0] == '#' {
		return "", "", nil
	}
	key, value, ok := strings.Cut(line, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if !ok || key == "" {
		return "", "", fmt.Errorf("expected NAME = VALUE, found %q", line)
	}
	if value != "" && value[0] == '"' {
		end := strings.IndexByte(value[1:], '"')
		if end < 0 {
			return "", "", fmt.Errorf("the quotes of %s are not closed", key)
		}
		rest := strings.TrimSpace(value[end+2:])
		if rest != "" && rest[0] != '#' {
			return "", "", fmt.Errorf("expected nothing after the value of %s, found %q", key, rest)
		}
		return key, value[1 : end+1], nil
	}
	if at := strings.Index(value, " #"); at >= 0 {
		value = strings.TrimSpace(value[:at])
	}
	return key, value, nil
}
