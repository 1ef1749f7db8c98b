package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// ErrAbsent says that the shared data is not on this machine. What needs it is
// skipped, saying so: the data may not be part of the project.
var ErrAbsent = errors.New("the shared data is not here")

// Shared returns the path of a file of the shared data: below the folder that
// READERSHIP_SHARED names, else below ../shared of the repository. The error
// wraps ErrAbsent where it is missing.
func Shared(name string) (string, error) {
	root := os.Getenv("READERSHIP_SHARED")
	if root == "" {
		top, err := repository()
		if err != nil {
			return "", err
		}
		root = filepath.Join(top, "..", "shared")
	}
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: %s", ErrAbsent, path)
	} else if err != nil {
		return "", err
	}
	return path, nil
}

// repository returns the top folder of the checkout, seen from a folder in it.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "bench", "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not inside the repository: set READERSHIP_SHARED")
		}
		dir = parent
	}
}

// Globo reads the real click log of the shared data, in time order. Errors
// wrap ErrAbsent where it is missing.
func Globo() ([]Click, error) {
	path, err := Shared("data/globo-clicks/clicks_h000-191.csv.zst")
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	lines := bufio.NewScanner(z)
	lines.Scan() // header
	clicks := make([]Click, 0, 1_600_000)
	for n := 2; lines.Scan(); n++ {
		c, err := parseClick(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		clicks = append(clicks, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	Sort(clicks)
	return clicks, nil
}

// parseClick reads user, session, session start, session size, article, time,
// environment, device group, os, country, region, referrer type.
func parseClick(line []byte) (Click, error) {
	var v [12]uint64
	rest := line
	for i := range v {
		field, after, _ := bytes.Cut(rest, []byte(","))
		n, err := strconv.ParseUint(string(field), 10, 64)
		if err != nil {
			return Click{}, fmt.Errorf("field %d: %w", i+1, err)
		}
		v[i], rest = n, after
	}
	return Click{Reader: uint32(v[0]), Session: v[1], Item: uint32(v[4]), Time: int64(v[5]), Env: uint8(v[6]),
		Group: uint8(v[7]), OS: uint8(v[8]), Country: uint8(v[9]), Region: uint8(v[10]), Referrer: uint8(v[11])}, nil
}

// Reference holds the answers that a separate plain program computed from the
// real click log. Pairs are views and readers.
type Reference struct {
	Events  int               `json:"events"`
	Readers int               `json:"readers"`
	Items   int               `json:"items"`
	UTC     map[string][2]int `json:"per_day UTC"`
	Paulo   map[string][2]int `json:"per_day America/Sao_Paulo"`
	Hour    struct {
		Views   int      `json:"views"`
		Readers int      `json:"readers"`
		Top     [][2]int `json:"top10"` // item, views
		Series  []int    `json:"per_5min"`
	} `json:"hour before 2017-10-03T12:00Z"`
	Visits int `json:"-"`
	// Meters are what meters of distinct articles come to, by MeterName.
	Meters map[string]Metered `json:"-"`
	// Segments are sizes at 2017-10-09T00:00Z, over the last 7 days.
	Segments struct {
		Engaged int `json:">=10 distinct articles"`
		Regular int `json:"views on >=4 UTC days"`
	} `json:"-"`
}

// Metered is what a meter would have decided about all clicks.
type Metered struct {
	Allowed       int `json:"allowed"`
	Again         int `json:"rereads"` // of those allowed
	Denied        int `json:"denied"`
	ReadersDenied int `json:"readers_denied"`
}

// MeterName is how the reference names a meter of so many articles per day or
// month of a time zone.
func MeterName(limit int, period, zone string) string {
	return fmt.Sprintf("meter %d distinct articles per %s %s", limit, period, zone)
}

// These keys have commas, which a struct tag cannot hold.
const (
	visitsKey   = "visits, 30 min of inactivity"
	segmentsKey = "segments at 2017-10-09T00:00Z, last 7 days (window open at its start, closed at its end)"
)

// LoadReference reads the answers beside the real click log.
func LoadReference() (*Reference, error) {
	path, err := Shared("data/globo-clicks/reference.json")
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, rest := new(Reference), map[string]json.RawMessage{}
	if err := errors.Join(json.Unmarshal(b, r), json.Unmarshal(b, &rest)); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if err := json.Unmarshal(rest[visitsKey], &r.Visits); err != nil {
		return nil, fmt.Errorf("read %s: visits: %w", path, err)
	}
	if err := json.Unmarshal(rest[segmentsKey], &r.Segments); err != nil {
		return nil, fmt.Errorf("read %s: segments: %w", path, err)
	}
	r.Meters = map[string]Metered{}
	for name, raw := range rest {
		if !strings.HasPrefix(name, "meter ") {
			continue
		}
		var m Metered
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, fmt.Errorf("read %s: %s: %w", path, name, err)
		}
		r.Meters[name] = m
	}
	return r, nil
}
