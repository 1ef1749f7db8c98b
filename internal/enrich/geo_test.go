package enrich

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// geoNames are the databases of places among the real data; the others hold
// something else or are broken.
var geoNames = []string{"GeoIP2-City-Shield-Test", "GeoIP2-City-Test", "GeoIP2-Country-Shield-Test", "GeoIP2-Country-Test", "GeoIP2-Enterprise-Shield-Test",
	"GeoIP2-Enterprise-Test", "GeoIP2-Precision-Enterprise-Shield-Test", "GeoIP2-Precision-Enterprise-Test", "GeoLite2-City-Test", "GeoLite2-Country-Test"}

func TestEveryDatabase(t *testing.T) {
	shared(t, "fx-maxmind/NOTICE")
	files, err := filepath.Glob(filepath.Join(sharedFolder(), "fx-maxmind", "test-data", "*.mmdb"))
	if err != nil || len(files) == 0 {
		t.Skip("no databases")
	}
	used, refused := 0, 0
	for _, name := range files {
		var log bytes.Buffer
		g := NewGeo(name, slog.New(slog.NewTextHandler(&log, nil)))
		base, good := strings.TrimSuffix(filepath.Base(name), ".mmdb"), false
		for _, n := range geoNames {
			good = good || n == base
		}
		if (g.Err() == nil) != good {
			t.Errorf("%s: %v", base, g.Err())
		}
		if good {
			used++
			continue
		}
		refused++
		if g.Place(netip.MustParseAddr("81.2.69.142")) != noPlace || !strings.Contains(log.String(), "cannot be used") {
			t.Errorf("%s is refused without a word: %s", base, &log)
		}
	}
	t.Logf("databases: %d used, %d refused and reported (broken, or without places)", used, refused)
}

func TestPlaces(t *testing.T) {
	g := NewGeo(writeGeo(t, t.TempDir(), "GeoIP2-City-Test"), slog.New(slog.DiscardHandler))
	for address, want := range map[string]Place{
		"81.2.69.142":        {"GB", "GB-ENG", "London"},
		"::ffff:81.2.69.142": {"GB", "GB-ENG", "London"},
		"89.160.20.112":      {"SE", "SE-E", "Linköping"},
		"216.160.83.56":      {"US", "US-WA", "Milton"},
		"2001:218::1":        {"JP", "", ""},
		"10.1.2.3":           {},
		"127.0.0.1":          {},
		"fe80::1%eth0":       {},
	} {
		if got := g.Place(netip.MustParseAddr(address)); *got != want {
			t.Errorf("%s: %+v, want %+v", address, *got, want)
		}
	}
	if got := g.Place(netip.Addr{}); *got != (Place{}) {
		t.Errorf("no address: %+v", got)
	}
	if got := (*Geo)(nil).Place(netip.MustParseAddr("81.2.69.142")); *got != (Place{}) {
		t.Errorf("no file: %+v", got)
	}
	london := netip.MustParseAddr("81.2.69.142")
	if n := testing.AllocsPerRun(100, func() { g.Place(london) }); n != 0 {
		t.Errorf("%v allocations for a place that is known", n)
	}
}

// sharedFolder is where the real data lies.
func sharedFolder() string {
	folder := os.Getenv("READERSHIP_SHARED")
	if folder == "" {
		folder = "../../../shared"
	}
	return filepath.Join(folder, "data")
}

// writeGeo puts a database of the real data into a folder, as places.mmdb.
func writeGeo(t *testing.T, folder, name string) string {
	t.Helper()
	content := shared(t, "fx-maxmind/test-data/"+name+".mmdb")
	file := filepath.Join(folder, "places.mmdb")
	if err := os.WriteFile(file+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	return file
}

// A file is replaced while it is asked: every question is answered, by the file
// before or the one after, and broken ones change nothing.
func TestPlacesAreReplaced(t *testing.T) {
	folder := t.TempDir()
	file := writeGeo(t, folder, "GeoIP2-City-Test")
	var log bytes.Buffer
	g := NewGeo(file, slog.New(slog.NewTextHandler(&log, nil)))
	london := netip.MustParseAddr("81.2.69.142")
	stop, asked := make(chan struct{}), sync.WaitGroup{}
	for range 4 {
		asked.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if p := g.Place(london); p.Country != "GB" {
					t.Errorf("%+v", p)
					return
				}
			}
		})
	}
	stamp := time.Now().Add(-time.Hour)
	change := func() {
		stamp = stamp.Add(time.Second)
		if err := os.Chtimes(file, stamp, stamp); err != nil {
			t.Fatal(err)
		}
		g.Refresh()
	}
	for _, c := range []struct {
		name string
		city string
		good bool
	}{{"GeoIP2-Country-Test", "", true}, {"GeoIP2-City-Test-Broken-Double-Format", "", false}, {"MaxMind-DB-test-broken-pointers-24", "", false},
		{"GeoLite2-ASN-Test", "", false}, {"GeoLite2-City-Test", "London", true}, {"GeoIP2-City-Test-Invalid-Node-Count", "London", false}, {"GeoIP2-City-Test", "London", true}} {
		writeGeo(t, folder, c.name)
		change()
		if p := g.Place(london); p.City != c.city || (g.Err() == nil) != c.good {
			t.Errorf("%s: %+v, %v", c.name, p, g.Err())
		}
	}
	for _, move := range []struct {
		from, to string
		good     bool
	}{{file, file + ".away", false}, {file + ".away", file, true}} { // gone, and back as it was
		if err := os.Rename(move.from, move.to); err != nil {
			t.Fatal(err)
		}
		g.Refresh()
		if (g.Err() == nil) != move.good || g.Place(london).City != "London" {
			t.Errorf("moved to %s: %v, %+v", move.to, g.Err(), g.Place(london))
		}
	}
	content := shared(t, "fx-maxmind/test-data/GeoIP2-Country-Test.mmdb")
	if err := os.WriteFile(file, content[:len(content)/2], 0o600); err != nil { // half written, in place
		t.Fatal(err)
	}
	change()
	if g.Err() == nil || g.Place(london).City != "London" {
		t.Errorf("half a file: %v, %+v", g.Err(), g.Place(london))
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	g.Refresh()
	if g.Err() == nil || g.Place(london).City != "London" {
		t.Errorf("no file: %v, %+v", g.Err(), g.Place(london))
	}
	close(stop)
	asked.Wait()
	if n := strings.Count(log.String(), "cannot be used"); n < 5 {
		t.Errorf("%d faults are reported:\n%s", n, &log)
	}
}

// No file makes anything but an error.
func FuzzGeo(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(sharedFolder(), "fx-maxmind", "test-data", "*.mmdb"))
	for _, name := range files {
		if content, err := os.ReadFile(name); err == nil && len(content) < 8<<10 {
			f.Add(content)
		}
	}
	f.Add([]byte("\xab\xcd\xefMaxMind.com"))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := parseGeo(content)
		if err != nil {
			return
		}
		g := &Geo{}
		g.current.Store(file)
		for _, address := range []string{"81.2.69.142", "::1", "2001:218::1", "255.255.255.255"} {
			a := netip.MustParseAddr(address)
			if first, second := *g.Place(a), *g.Place(a); first != second {
				t.Errorf("%s: %+v, then %+v", address, first, second)
			}
		}
	})
}
