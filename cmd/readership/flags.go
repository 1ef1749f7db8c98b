package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// flags is a flag set whose flags may stand before, between and after the
// other arguments, written with one dash or two.
type flags struct {
	*flag.FlagSet
	console console
	usage   string
	about   string
}

// newFlags makes the flag set of a command. usage is what stands after its
// name, about a paragraph for the help.
func newFlags(c console, name, usage, about string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet("readership "+name, flag.ContinueOnError), console: c, usage: usage, about: about}
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	return f
}

// parse reads args and returns what is no flag. --help prints the help and
// returns flag.ErrHelp; other errors are usage errors.
func (f *flags) parse(args []string) ([]string, error) {
	var rest []string
	for {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				f.help()
				return nil, err
			}
			return nil, usagef("%s", strings.ReplaceAll(err.Error(), "flag provided but not defined: -", "there is no flag --"))
		}
		left := f.Args()
		if len(left) == 0 {
			return rest, nil
		}
		if n := len(args) - len(left); n > 0 && args[n-1] == "--" {
			return append(rest, left...), nil
		}
		rest = append(rest, left[0])
		args = left[1:]
	}
}

// given tells whether a flag was set.
func (f *flags) given(name string) bool {
	found := false
	f.Visit(func(fl *flag.Flag) { found = found || fl.Name == name })
	return found
}

// help prints usage, paragraph and flags to standard output.
func (f *flags) help() {
	w := f.console.out
	fmt.Fprintf(w, "Usage: %s\n\n%s\n", strings.TrimSpace(f.Name()+" "+f.usage), f.about)
	first := true
	f.VisitAll(func(fl *flag.Flag) {
		if first {
			fmt.Fprint(w, "\nFlags:\n")
			first = false
		}
		value, about := flag.UnquoteUsage(fl)
		head := "--" + fl.Name
		if value != "" {
			head += " " + value
		}
		if fl.DefValue != "" && fl.DefValue != "false" && fl.DefValue != "0" {
			about += " (default " + fl.DefValue + ")"
		}
		if len(head) > 22 {
			fmt.Fprintf(w, "  %s\n  %-22s  %s\n", head, "", about)
			return
		}
		fmt.Fprintf(w, "  %-22s  %s\n", head, about)
	})
}

// size is a flag of bytes: 2GB, 512MiB, 1.5g, 1000000.
type size int64

// String implements flag.Value.
func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Set implements flag.Value.
func (s *size) Set(text string) error {
	n, err := parseSize(text)
	*s = size(n)
	return err
}

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {"t", 1e12}, {"b", 1}, {"", 1},
}

// parseSize reads a number of bytes with or without a unit.
func parseSize(text string) (int64, error) {
	lower := strings.ToLower(strings.TrimSpace(text))
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(lower, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || math.IsNaN(n) || n < 0 || n*u.bytes >= math.MaxInt64 || strings.ContainsAny(digits, "xpein_") {
			break
		}
		return int64(n * u.bytes), nil
	}
	return 0, fmt.Errorf("%q is no size: write bytes or a number with kB, MB, GB, TB, KiB, MiB, GiB or TiB", text)
}

// networks is a flag with address ranges, separated by commas.
type networks []netip.Prefix

// String implements flag.Value.
func (n *networks) String() string {
	list := make([]string, len(*n))
	for i, p := range *n {
		list[i] = p.String()
	}
	return strings.Join(list, ",")
}

// Set implements flag.Value.
func (n *networks) Set(text string) error {
	*n = nil
	for one := range strings.SplitSeq(text, ",") {
		p, err := netip.ParsePrefix(strings.TrimSpace(one))
		if err != nil {
			return fmt.Errorf("%q is no address range as 10.0.0.0/8", one)
		}
		*n = append(*n, p.Masked())
	}
	return nil
}
