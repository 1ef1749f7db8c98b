package enrich

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Place is where an address is used; "" is what is not known.
type Place struct {
	Country string // ISO 3166-1: "GB"
	Region  string // ISO 3166-2: "GB-ENG"
	City    string // its English name
}

// cachedPlaces bounds the records of a file that are kept as Places.
const cachedPlaces = 64 << 10

// Geo answers from a file in the MaxMind DB format, which may be replaced while
// it is in use. Safe for concurrent use. A nil Geo knows no place.
type Geo struct {
	name    string
	logger  *slog.Logger
	current atomic.Pointer[geoFile] // nil: none was good yet

	mu   sync.Mutex // over reading the file
	seen fileState
	err  error // of the newest reading, nil if it was good
}

// fileState tells whether a file has changed.
type fileState struct {
	modified time.Time
	size     int64
}

// geoFile is one file that was read whole, so that writing into it does no harm.
type geoFile struct {
	reader *maxminddb.Reader
	places *cache[uintptr, *Place] // by record
}

var noPlace = &Place{}

// NewGeo reads a file of places. A file that cannot be read or is broken is
// told to the logger, and read again when it changes.
func NewGeo(name string, logger *slog.Logger) *Geo {
	g := &Geo{name: name, logger: logger}
	g.Refresh()
	return g
}

// Place returns where an address is used; the result is shared.
func (g *Geo) Place(address netip.Addr) *Place {
	if g == nil || !address.IsValid() {
		return noPlace
	}
	file := g.current.Load()
	if file == nil {
		return noPlace
	}
	found := file.reader.Lookup(address.Unmap().WithZone(""))
	if !found.Found() {
		return noPlace
	}
	if known, ok := file.places.get(found.Offset()); ok {
		return known
	}
	place := placeOf(found)
	file.places.put(found.Offset(), place)
	return place
}

// placeOf reads a record: as MaxMind and who follows its model lay it out, else
// a flat one.
func placeOf(found maxminddb.Result) *Place {
	read := func(path ...any) string {
		var text string
		if found.DecodePath(&text, path...) != nil {
			return ""
		}
		return text
	}
	p := &Place{Country: read("country", "iso_code"), City: read("city", "names", "en")}
	if p.Country != "" {
		if part := read("subdivisions", 0, "iso_code"); part != "" {
			p.Region = p.Country + "-" + part
		}
		return p
	}
	if p.Country = read("country_code"); p.Country == "" {
		p.Country = read("country")
	}
	if len(p.Country) != 2 {
		return noPlace
	}
	if p.City == "" {
		p.City = read("city")
	}
	return p
}

// Refresh reads the file again if it has changed. The one before stays in use
// until the new one is known to be good, and if it is not.
func (g *Geo) Refresh() {
	g.mu.Lock()
	defer g.mu.Unlock()
	info, err := os.Stat(g.name)
	if err == nil {
		state := fileState{info.ModTime(), info.Size()}
		if state == g.seen {
			return
		}
		g.seen = state
		var file *geoFile
		if file, err = readGeo(g.name); err == nil {
			g.current.Store(file)
			g.err = nil
			g.logger.Info("places: read", "file", g.name, "type", file.reader.Metadata.DatabaseType, "made", file.reader.Metadata.BuildTime().UTC().Format(time.DateOnly))
			return
		}
	} else {
		g.seen = fileState{} // it is read when it is back, changed or not
	}
	if g.err == nil || !errors.Is(err, fs.ErrNotExist) {
		g.logger.Error("places: the file cannot be used", "file", g.name, "error", err, "older_in_use", g.current.Load() != nil)
	}
	g.err = err
}

// Err says why the newest file is not in use; nil if it is.
func (g *Geo) Err() error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// Watch refreshes until ctx ends.
func (g *Geo) Watch(ctx context.Context, every time.Duration) { repeat(ctx, every, g.Refresh) }

// repeat calls fn again and again until ctx ends.
func repeat(ctx context.Context, every time.Duration, fn func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			fn()
		}
	}
}

// readGeo reads a file and looks at all of it.
func readGeo(name string) (*geoFile, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return parseGeo(content)
}

func parseGeo(content []byte) (*geoFile, error) {
	reader, err := maxminddb.OpenBytes(content)
	if err != nil {
		return nil, err
	}
	if err := reader.Verify(); err != nil {
		return nil, fmt.Errorf("the file is broken: %w", err)
	}
	n := 0
	for found := range reader.Networks() {
		if placeOf(found).Country != "" {
			return &geoFile{reader, newCache[uintptr, *Place](cachedPlaces)}, nil
		}
		if n++; n == 10_000 {
			break
		}
	}
	return nil, fmt.Errorf("the file, of type %q, holds no countries", reader.Metadata.DatabaseType)
}
