package main

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1000000": 1000000, "1kB": 1000, "2GB": 2e9, "512MiB": 512 << 20, "1.5g": 15e8, "4 KiB": 4096, "3b": 3, "1TiB": 1 << 40,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GB", "-1", "1XB", "1e9", "0x10", "NaN", "inf", "99999999999TB", "1_000"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%s: %d", text, got)
		}
	}
}

func TestFlagsStandAnywhere(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		rest []string
		site string
	}{
		{"before", []string{"--site", "s", "a", "b"}, []string{"a", "b"}, "s"},
		{"between", []string{"a", "-site=s", "b"}, []string{"a", "b"}, "s"},
		{"after", []string{"a", "b", "--site", "s"}, []string{"a", "b"}, "s"},
		{"standard input", []string{"a", "-", "--site", "s"}, []string{"a", "-"}, "s"},
		{"end of flags", []string{"a", "--", "--site", "s"}, []string{"a", "--site", "s"}, ""},
		{"none", nil, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var site string
			f := newFlags(console{out: &bytes.Buffer{}}, "test", "", "")
			f.StringVar(&site, "site", "", "`SITE`")
			rest, err := f.parse(tt.args)
			if err != nil || site != tt.site {
				t.Errorf("site %q, %v", site, err)
			}
			if diff := cmp.Diff(tt.rest, rest); diff != "" {
				t.Error(diff)
			}
		})
	}
	var wrong *usageError
	if _, err := newFlags(console{out: &bytes.Buffer{}}, "test", "", "").parse([]string{"--what"}); !errors.As(err, &wrong) || wrong.text != "there is no flag --what" {
		t.Errorf("%v", err)
	}
}

func TestConfigLine(t *testing.T) {
	for line, want := range map[string][2]string{
		"":                              {},
		"  # nothing":                   {},
		"listen = 0.0.0.0:80\n":         {"listen", "0.0.0.0:80"},
		"memory=8GB # of 12":            {"memory", "8GB"},
		`data = "/srv/a # b"  # folder`: {"data", "/srv/a # b"},
		"demo =":                        {"demo", ""},
	} {
		key, value, err := configLine(line)
		if err != nil || key != want[0] || value != want[1] {
			t.Errorf("%q: %q %q %v", line, key, value, err)
		}
	}
	for _, line := range []string{"listen", "= x", `data = "a`, `data = "a" b`} {
		if _, _, err := configLine(line); err == nil {
			t.Errorf("%q passed", line)
		}
	}
}
