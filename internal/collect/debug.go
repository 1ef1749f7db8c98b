package collect

import (
	"strconv"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/jsontext"
)

// debugged is the list of events that ?debug=1 answers, as they would be
// stored.
type debugged struct {
	json []byte
	n    int
}

func (d *debugged) reset() {
	if cap(d.json) > keepBody {
		d.json = nil
	}
	d.json, d.n = d.json[:0], 0
}

// add appends the events of a part whose first event has the index base.
func (d *debugged) add(p *part, base int) {
	for i := range p.events {
		if d.n == MaxListed {
			return
		}
		if d.n > 0 {
			d.json = append(d.json, ',')
		}
		d.json = appendEvent(d.json, &p.events[i], base+int(p.index[i]))
		d.n++
	}
}

// flagNames name what is special about an event.
var flagNames = []struct {
	flag event.Flags
	name string
}{
	{event.FlagClock, "clock"}, {event.FlagCookieless, "cookieless"}, {event.FlagClaimedDevice, "claimed_device"},
	{event.FlagRobot, "robot"}, {event.FlagNoDevice, "no_device"}, {event.FlagItemFromURL, "item_from_url"}, {event.FlagProven, "proven"},
}

func appendEvent(b []byte, ev *event.Event, index int) []byte {
	b = append(b, `{"index":`...)
	b = strconv.AppendInt(b, int64(index), 10)
	text := func(name, value string) {
		if value != "" {
			b = append(append(append(b, `,"`...), name...), `":`...)
			b = jsontext.Append(b, value)
		}
	}
	number := func(name string, value float64) {
		b = append(append(append(b, `,"`...), name...), `":`...)
		b = strconv.AppendFloat(b, value, 'f', -1, 64)
	}
	text("id", ev.ID)
	b = append(b, `,"time":"`...)
	b = time.UnixMilli(ev.Time).UTC().AppendFormat(b, "2006-01-02T15:04:05.999Z07:00")
	b = append(b, '"')
	text("device", ev.Device)
	text("view", ev.View)
	for c, value := range ev.Columns {
		text(event.Column(c).String(), value)
	}
	if ev.EngagedMillis > 0 {
		number("engaged_seconds", float64(ev.EngagedMillis)/1000)
	}
	if ev.Scroll > 0 {
		number("scroll_percent", float64(ev.Scroll))
	}
	if ev.Flags&event.FlagHasValue != 0 {
		number("value", float64(ev.Value)/1e6)
	}
	b = append(b, `,"properties":{`...)
	for i := range ev.Properties {
		p := &ev.Properties[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(jsontext.Append(b, p.Name), ':')
		if p.Kind == event.KindString {
			b = jsontext.Append(b, p.Value)
		} else {
			b = append(b, p.Value...)
		}
	}
	b = append(b, `},"marks":[`...)
	n := 0
	for _, f := range flagNames {
		if ev.Flags&f.flag != 0 {
			if n++; n > 1 {
				b = append(b, ',')
			}
			b = jsontext.Append(b, f.name)
		}
	}
	return append(b, `]}`...)
}
