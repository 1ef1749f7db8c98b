package event

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// message is what an Encoder is given, and what a Batch should give back.
type message struct {
	Stamp  int64
	Sites  []siteMessage
	Facts  []Fact
	Counts []Count
}

type siteMessage struct {
	Site     string
	Clock    int64
	HasClock bool
	Events   []Event
	IDs      []uint64
	Views    []uint64
}

func drawText(t *rapid.T, label string) string {
	if rapid.Bool().Draw(t, label+" is common") {
		return rapid.SampledFrom([]string{"", "a", "de", "page_view"}).Draw(t, label)
	}
	return string(rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, label))
}

func drawEvent(t *rapid.T) Event {
	e := Event{
		Time:          rapid.Int64().Draw(t, "time"),
		Device:        drawText(t, "device"),
		EngagedMillis: rapid.Uint32().Draw(t, "engaged"),
		Scroll:        rapid.Byte().Draw(t, "scroll"),
		Flags:         Flags(rapid.Uint16().Draw(t, "flags")),
		Value:         rapid.Int64().Draw(t, "value"),
	}
	for range rapid.IntRange(0, 5).Draw(t, "columns") {
		e.Columns[rapid.IntRange(0, int(NumColumns)-1).Draw(t, "column")] = drawText(t, "text")
	}
	for range rapid.IntRange(0, 4).Draw(t, "properties") {
		name := drawText(t, "name")
		if name == "" {
			name = "n"
		}
		e.Properties = append(e.Properties, Property{
			Name: name, Value: drawText(t, "value"), Kind: rapid.SampledFrom([]Kind{KindString, KindNumber, KindBool}).Draw(t, "kind"),
		})
	}
	return e
}

func drawMessage(t *rapid.T) message {
	m := message{Stamp: rapid.Int64Range(0, 1<<45).Draw(t, "stamp")}
	for i := range rapid.IntRange(0, 3).Draw(t, "sites") {
		s := siteMessage{Site: fmt.Sprint("site", i)}
		if s.HasClock = rapid.Bool().Draw(t, "has clock"); s.HasClock {
			s.Clock = rapid.Int64().Draw(t, "clock")
		}
		for range rapid.IntRange(0, 6).Draw(t, "events") {
			s.Events = append(s.Events, drawEvent(t))
			s.IDs = append(s.IDs, rapid.Uint64().Draw(t, "id"))
			s.Views = append(s.Views, rapid.Uint64Range(0, 2).Draw(t, "view"))
		}
		if s.HasClock || len(s.Events) > 0 {
			m.Sites = append(m.Sites, s)
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "facts") {
		m.Facts = append(m.Facts, Fact{Kind: drawText(t, "kind"), Site: drawText(t, "site"), Key: drawText(t, "key"), Value: []byte(drawText(t, "fact"))})
	}
	for range rapid.IntRange(0, 2).Draw(t, "counts") {
		m.Counts = append(m.Counts, Count{Site: drawText(t, "site"), Verdict: drawText(t, "verdict"), Reason: drawText(t, "reason"), N: rapid.Uint64().Draw(t, "n")})
	}
	return m
}

func encode(e *Encoder, m message) []byte {
	e.Reset(m.Stamp)
	for i := range m.Sites {
		s := &m.Sites[i]
		for j := range s.Events {
			e.Add(s.Site, &s.Events[j], s.IDs[j], s.Views[j])
		}
		if s.HasClock {
			e.SetClock(s.Site, s.Clock)
		}
	}
	for _, f := range m.Facts {
		e.AddFact(f)
	}
	for _, c := range m.Counts {
		e.AddCount(c)
	}
	return e.AppendTo(nil)
}

// at returns the i-th value of a column that may have been left out.
func at[T any](column []T, i int) (zero T) {
	if len(column) == 0 {
		return zero
	}
	return column[i]
}

// read turns a Batch back into what the encoder was given.
func read(b *Batch) message {
	m := message{Stamp: b.Stamp}
	for i := range b.Sites {
		rows := &b.Sites[i]
		s := siteMessage{Site: rows.Site, Clock: rows.Clock, HasClock: rows.HasClock}
		cells := rows.Cells
		for r := range rows.N {
			e := Event{
				Time: at(rows.Time, r), Device: b.Strings[at(rows.Device, r)], EngagedMillis: at(rows.Engaged, r),
				Scroll: uint8(at(rows.Scroll, r)), Flags: Flags(at(rows.Flags, r)), Value: at(rows.Value, r),
			}
			for _, entry := range b.Shapes[rows.Shape[r]] {
				text, kind := b.Strings[cells[0]>>2], Kind(cells[0]&3)
				cells = cells[1:]
				if c, name, builtin := ShapeColumn(entry); builtin {
					e.Columns[c] = text
				} else {
					e.Properties = append(e.Properties, Property{Name: b.Strings[name], Value: text, Kind: kind})
				}
			}
			s.Events = append(s.Events, e)
			s.IDs = append(s.IDs, at(rows.ID, r))
			s.Views = append(s.Views, at(rows.View, r))
		}
		m.Sites = append(m.Sites, s)
	}
	for _, f := range b.Facts {
		m.Facts = append(m.Facts, Fact{Kind: f.Kind, Site: f.Site, Key: f.Key, Value: append([]byte{}, f.Value...)})
	}
	m.Counts = append(m.Counts, b.Counts...)
	return m
}

// TestRoundTrip encodes messages with one Encoder and decodes them into one
// Batch, so that nothing of a message may show in the next.
func TestRoundTrip(t *testing.T) {
	var e Encoder
	var b Batch
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		data := encode(&e, m)
		if n := e.Size(); len(data) > n {
			t.Fatalf("the size is %d, estimated from above as %d", len(data), n)
		}
		if err := b.Decode(data); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, read(&b)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// decodeAny decodes bytes of any origin: it must fail as documented, or give a
// Batch whose every number can be used as an index.
func decodeAny(t interface{ Fatalf(string, ...any) }, b *Batch, data []byte) {
	if err := b.Decode(data); err != nil {
		if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrNewerFormat) {
			t.Fatalf("error is neither ErrFormat nor ErrNewerFormat: %v", err)
		}
		return
	}
	for i := range b.Sites {
		rows := &b.Sites[i]
		for _, n := range []int{len(rows.Shape), len(rows.Device), len(rows.Flags), len(rows.Time)} {
			if rows.N > 0 && n != rows.N {
				t.Fatalf("a column has %d of %d rows", n, rows.N)
			}
		}
		for _, n := range []int{len(rows.ID), len(rows.View), len(rows.Engaged), len(rows.Scroll), len(rows.Value)} {
			if n != 0 && n != rows.N {
				t.Fatalf("an optional column has %d of %d rows", n, rows.N)
			}
		}
	}
	read(b)
}

// TestDecodeAnything damages messages in one or several places.
func TestDecodeAnything(t *testing.T) {
	var b Batch
	rapid.Check(t, func(t *rapid.T) {
		var e Encoder
		data := encode(&e, drawMessage(t))
		for range rapid.IntRange(0, 4).Draw(t, "damages") {
			i := rapid.IntRange(0, len(data)-1).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "damage") {
			case 0:
				data[i] = rapid.Byte().Draw(t, "byte")
			case 1:
				data = append(data[:i:i], data[min(len(data), i+rapid.IntRange(1, 9).Draw(t, "n")):]...)
			case 2:
				data = append(data[:i:i], append(rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "bytes"), data[i:]...)...)
			}
			if len(data) == 0 {
				break
			}
		}
		decodeAny(t, &b, data)
		decodeAny(t, &b, rapid.SliceOf(rapid.Byte()).Draw(t, "noise"))
	})
}

func FuzzDecode(f *testing.F) {
	var e Encoder
	f.Add([]byte{})
	for seed := range 8 {
		f.Add(encode(&e, rapid.Custom(drawMessage).Example(seed)))
	}
	var b Batch
	f.Fuzz(func(t *testing.T, data []byte) { decodeAny(t, &b, data) })
}
