// Package feed turns clicks into messages of the log, as the committer would
// write them for an import: for benchmarks that drive the engine in process.
package feed

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/internal/event"
)

// Rows is how many clicks go into one message: about 256 KB, the size of an
// import's commit.
const Rows = 4096

// Site returns the settings of a site for replays.
func Site(id string) event.Site {
	return event.Site{ID: id, Timezone: "UTC", Window: "30d", Clock: event.ClockEvent}.WithDefaults()
}

// Messages calls fn with log messages that create the site and hold the clicks
// in their order. Stamps begin at stamp and grow by one a message. fn owns the
// message.
func Messages(site event.Site, clicks []dataset.Click, stamp int64, fn func(stamp int64, message []byte) error) error {
	settings, err := json.Marshal(site)
	if err != nil {
		return fmt.Errorf("encode site: %w", err)
	}
	var enc event.Encoder
	enc.Reset(stamp)
	enc.AddFact(event.Fact{Kind: event.FactSite, Key: site.ID, Site: site.ID, Value: settings})
	if err := fn(stamp, enc.AppendTo(nil)); err != nil {
		return err
	}
	var ev event.Event
	for from := 0; from < len(clicks); from += Rows {
		stamp++
		enc.Reset(stamp)
		part := clicks[from:min(from+Rows, len(clicks))]
		for i := range part {
			fill(&ev, &part[i])
			enc.Add(site.ID, &ev, dataset.Mix(uint64(from+i)), 0)
		}
		enc.SetClock(site.ID, part[len(part)-1].Time)
		if err := fn(stamp, enc.AppendTo(nil)); err != nil {
			return err
		}
	}
	return nil
}

// fill makes ev the page view of a click.
func fill(ev *event.Event, c *dataset.Click) {
	ev.Reset()
	ev.Time = c.Time
	ev.Device = strconv.FormatUint(uint64(c.Reader), 10)
	ev.Columns[event.ColType] = event.TypePageView
	ev.Columns[event.ColItem] = strconv.FormatUint(uint64(c.Item), 10)
	for i, code := range c.Codes() {
		ev.Properties = append(ev.Properties, event.Property{Name: dataset.PropertyNames[i], Value: codes[code]})
	}
}

// codes holds the text of every code.
var codes = func() (all [256]string) {
	for i := range all {
		all[i] = strconv.Itoa(i)
	}
	return all
}()
