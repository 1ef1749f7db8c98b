package collect

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/event"
)

// TestParsesWhatIsEncoded reads every event that the standard library encodes,
// field by field.
func TestParsesWhatIsEncoded(t *testing.T) {
	w := newWorld(t)
	texts := rapid.StringN(0, 60, 120)
	rapid.Check(t, func(t *rapid.T) {
		sent := map[string]any{"type": rapid.StringN(1, 60, 64).Draw(t, "type")}
		optional := func(name string, g *rapid.Generator[string]) string {
			if !rapid.Bool().Draw(t, name+"?") {
				return ""
			}
			s := g.Draw(t, name)
			sent[name] = s
			return s
		}
		device, account := optional("device", texts), optional("account", texts)
		id, title, view, item := optional("id", texts), optional("title", texts), optional("view", texts), optional("item", texts)
		at := rapid.Int64Range(0, nowMillis).Draw(t, "time")
		sent["time"] = at
		if rapid.Bool().Draw(t, "as text") {
			zone := time.FixedZone("", rapid.IntRange(-14*60, 14*60).Draw(t, "offset")*60)
			sent["time"] = time.UnixMilli(at).In(zone).Format("2006-01-02T15:04:05.000Z07:00")
		}
		properties := map[string]any{}
		for range rapid.IntRange(0, 10).Draw(t, "properties") {
			name := rapid.StringN(1, 30, 100).Draw(t, "name")
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				properties[name] = texts.Draw(t, "value")
			case 1:
				properties[name] = rapid.Float64().Draw(t, "value")
			case 2:
				properties[name] = rapid.Int64().Draw(t, "value")
			case 3:
				properties[name] = rapid.Bool().Draw(t, "value")
			}
		}
		sent["properties"] = properties
		sent["consent"] = map[string]any{"analytics": true}
		body, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "indented") {
			body, _ = json.MarshalIndent(sent, " ", "\t")
		}
		r := &request{collector: w.c, site: w.c.infos.of(w.sites["news"], w.c.secret), api: true, received: nowMillis, earliest: minTime}
		p := &part{random: rand.NewChaCha8([32]byte{2})}
		p.reset(r)
		s := scanner{src: body, arena: &p.arena}
		p.value(&s)
		if s.why != "" || !s.end() || len(p.events) != 1 {
			t.Fatalf("%s: %s %v", body, s.why, p.rejected)
		}
		ev := &p.events[0]
		if id != "" && ev.ID != id || ev.Time != at || ev.View != view || ev.Type() != sent["type"] || ev.Columns[event.ColTitle] != title ||
			ev.Columns[event.ColItem] != item || ev.Columns[event.ColAccount] != account || device != "" && ev.Device != device {
			t.Fatalf("%s: %+v", body, ev)
		}
		if len(ev.Properties) != len(properties) {
			t.Fatalf("%s: %v", body, ev.Properties)
		}
		for _, got := range ev.Properties {
			switch want := properties[got.Name].(type) {
			case string:
				if got.Value != want || got.Kind != event.KindString {
					t.Fatalf("%q: %v", want, got)
				}
			case bool:
				if got.Value != strconv.FormatBool(want) || got.Kind != event.KindBool {
					t.Fatalf("%v: %v", want, got)
				}
			default:
				number, err := strconv.ParseFloat(got.Value, 64)
				as, _ := want.(float64)
				if i, ok := want.(int64); ok {
					as = float64(i)
				}
				if err != nil || number != as || got.Kind != event.KindNumber {
					t.Fatalf("%v: %v", want, got)
				}
			}
		}
	})
}

func FuzzEvent(f *testing.F) {
	for _, s := range []string{pageView, typical(1), `{"type":"a","properties":{"x":"\ud83d\ude00\ud83d"},"traits":{"y":1.5e3}}`, `{"type":"a","consent":{"tcf":"` + tcfAll + `"}}`,
		`[{"type":"a"},{}, 7]`, `{"a":[[[{}]]],"b":-0.0e-1}`, `{"type":"engagement","view":"v","engaged_seconds":1,"scroll_percent":99.9}`} {
		f.Add([]byte(s))
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		// What the standard library takes for JSON, so do we, and nothing else:
		// but for what is not UTF-8 or too deep, which it does not mind.
		s := scanner{src: body, arena: &arena{}}
		if utf8.Valid(body) && len(body) > 0 {
			s.skip()
			ours := s.why == "" && s.end()
			if theirs := json.Valid(body); ours != theirs && !strings.Contains(s.why, "deep") {
				t.Fatalf("%q: valid %v, ours %v %q at %d", body, theirs, ours, s.why, s.pos)
			}
		}
		w.t = t
		w.memory.events, w.memory.ids = nil, map[string]bool{}
		for _, query := range []string{"key=w-news", "key=import&site=news"} {
			a := w.do(call{query: query, headers: headers{"Content-Type": "application/json"}, body: string(body)})
			if a.Status != 200 && a.Status != 400 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			for i := range w.memory.events {
				checkEvent(t, &w.memory.events[i])
			}
			w.do(call{query: query + "&debug=1", headers: headers{"Content-Type": "application/json"}, body: string(body)})
		}
	})
}

// FuzzLines parses a body whole and cut into blocks.
func FuzzLines(f *testing.F) {
	f.Add([]byte(typical(1)+"\n\n"+typical(2)+"\r\n{}\n{\n\xff\n"), uint16(7))
	f.Add([]byte(`{"type":"a"}`+"\n"+strings.Repeat("x", 900)+"\n{}"), uint16(0))
	w := newWorld(f)
	r := &request{collector: w.c, site: w.c.infos.of(w.sites["open"], w.c.secret), api: true, received: nowMillis, earliest: minTime}
	whole, parted := newBlock(rand.NewChaCha8([32]byte{})), newBlock(rand.NewChaCha8([32]byte{}))
	f.Fuzz(func(t *testing.T, body []byte, size uint16) {
		const long = 100
		for line := range strings.SplitSeq(string(body), "\n") {
			if len(line) >= long {
				return
			}
		}
		whole.part.reset(r)
		for l := (lines{src: body, line: 1}); l.more(); {
			whole.part.line(&l)
		}
		s := splitter{r: &pieces{s: string(body)}, left: 1 << 20, line: 1, size: long + 1 + int(size)%2000, lines: blockLines, long: long}
		n, events, messages := 0, []string{}, []string{}
		for more := true; more; {
			var err error
			if more, err = s.next(parted); err != nil {
				t.Fatal(err)
			}
			parted.part.reset(r)
			for l := (lines{src: parted.buf, line: parted.line, start: parted.start}); l.more(); {
				parted.part.line(&l)
			}
			for i := range parted.part.events {
				checkEvent(t, &parted.part.events[i])
				events = append(events, fmt.Sprint(n+int(parted.part.index[i]), clone(&parted.part.events[i]).Columns))
			}
			for _, r := range parted.part.rejected {
				messages = append(messages, fmt.Sprint(n+r.index, r.code, r.path, r.message))
			}
			n += parted.part.n
		}
		if n != whole.part.n || len(events) != len(whole.part.events) || len(messages) != len(whole.part.rejected) {
			t.Fatalf("%d lines, %d events, %d rejected; whole %d, %d, %d", n, len(events), len(messages), whole.part.n, len(whole.part.events), len(whole.part.rejected))
		}
		for i := range events {
			if want := fmt.Sprint(whole.part.index[i], whole.part.events[i].Columns); events[i] != want {
				t.Fatalf("%s, want %s", events[i], want)
			}
		}
		for i, r := range whole.part.rejected {
			if want := fmt.Sprint(r.index, r.code, r.path, r.message); messages[i] != want {
				t.Fatalf("%s, want %s", messages[i], want)
			}
		}
	})
}

func FuzzCookie(f *testing.F) {
	w := newWorld(f)
	_, value := issue(w, 1)
	f.Add("rsid=" + value)
	f.Add("a=b; rsid=\"" + value + "\";;=")
	f.Fuzz(func(t *testing.T, header string) {
		if device, ok := w.c.devices.Open(CookieValue(header, CookieName)); ok && !strings.Contains(header, device) {
			t.Fatalf("%q proves %q", header, device)
		}
	})
}

func FuzzTCF(f *testing.F) {
	f.Add(tcfAll)
	f.Add(tcfNone)
	f.Fuzz(func(t *testing.T, s string) {
		if yes, ok := tcfConsent(s); yes && !ok {
			t.Fatal("consent of what is no consent string")
		}
	})
}

// TestTimesAgree reads RFC 3339 as the standard library does.
func TestTimesAgree(t *testing.T) {
	for _, s := range []string{"2026-03-04T05:06:07Z", "2026-03-04t05:06:07z", "2026-03-04T05:06:07.1Z", "2026-03-04T05:06:07.123456789+14:00", "2024-02-29T23:59:59-23:59",
		"2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
		"2026-01-01T00:00:00", "2026-01-01", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+01", "2026-01-01 00:00:00Z", "+026-01-01T00:00:00Z", "1900-02-29T00:00:00Z", "2000-02-29T00:00:00Z"} {
		agree(t, s)
	}
}

func agree(t *testing.T, s string) {
	t.Helper()
	want, err := time.Parse(time.RFC3339, strings.ToUpper(s))
	got, ok := parseTime(s)
	if ok != (err == nil) || ok && got != want.UnixMilli() {
		t.Errorf("%q: %d %v, want %d %v", s, got, ok, want.UnixMilli(), err)
	}
}

func FuzzTime(f *testing.F) {
	f.Add("2026-03-04T05:06:07.089+01:00")
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseTime(s)
		if !ok {
			return
		}
		want, err := time.Parse(time.RFC3339, strings.ToUpper(s))
		if err != nil || want.UnixMilli() != got && math.Abs(float64(want.UnixMilli()-got)) > 0 {
			t.Errorf("%q: %d, want %v %v", s, got, want, err)
		}
	})
}
