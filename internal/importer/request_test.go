package importer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func mustBeEvent(t fataler, text []byte) map[string]any {
	t.Helper()
	var event map[string]any
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return event
}

func TestRequestEvent(t *testing.T) {
	line := `1.2.3.4 - - ` + stamp + ` "GET /a HTTP/1.1" 200 17 "http://x.example/\"" "agent"`
	tr := requestEvents{parser: Parser{Format: Combined}, typ: "request"}
	out, skip, err := tr.translate(nil, []byte(line))
	if err != nil || skip {
		t.Fatal(skip, err)
	}
	got := mustBeEvent(t, out)
	id, _ := got["id"].(string)
	if len(id) != idLen {
		t.Errorf("id %q", id)
	}
	delete(got, "id")
	want := map[string]any{
		"type": "request", "time": float64(1431857103000), "url": "/a", "referrer": `http://x.example/"`,
		"ip": "1.2.3.4", "user_agent": "agent",
		"properties": map[string]any{"status": 200.0, "bytes": 17.0, "method": "GET", "protocol": "HTTP/1.1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestHosts(t *testing.T) {
	for _, tt := range []struct {
		name, host, line, want string
		format                 Format
	}{
		{"path alone", "", `1.2.3.4 - - ` + stamp + ` "GET /a HTTP/1.1" 200 1`, "/a", Common},
		{"named host", "news.example", `1.2.3.4 - - ` + stamp + ` "GET /a HTTP/1.1" 200 1`, "https://news.example/a", Common},
		{"host of the log", "news.example", `m.example:80 1.2.3.4 - - ` + stamp + ` "GET /a HTTP/1.1" 200 1 "-" "-"`, "https://m.example/a", VHost},
		{"proxy", "news.example", `1.2.3.4 - - ` + stamp + ` "GET http://o.example/b HTTP/1.1" 200 1`, "http://o.example/b", Common},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := requestEvents{parser: Parser{Format: tt.format}, typ: "request", host: tt.host}
			out, _, err := tr.translate(nil, []byte(tt.line))
			if err != nil {
				t.Fatal(err)
			}
			if got := mustBeEvent(t, out)["url"]; got != tt.want {
				t.Errorf("url %v, want %s", got, tt.want)
			}
		})
	}
}

func TestPagesOnly(t *testing.T) {
	for request, want := range map[string]bool{
		`"GET /a HTTP/1.1" 200`: true, `"GET / HTTP/1.1" 304`: true, `"GET /a.html?x=.css HTTP/1.1" 200`: true,
		`"GET /a.CSS HTTP/1.1" 200`: false, `"GET /a.js?v=1 HTTP/1.1" 200`: false, `"POST /a HTTP/1.1" 200`: false, `"GET /a HTTP/1.1" 404`: false,
	} {
		tr := requestEvents{parser: Parser{Format: Common}, typ: "page_view", pages: true}
		_, skip, err := tr.translate(nil, []byte(`1.2.3.4 - - `+stamp+` `+request+` 1`))
		if err != nil || skip == want {
			t.Errorf("%s: skip %v, %v", request, skip, err)
		}
	}
}

func TestEventLines(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"with id", `{"id":"a","type":"x"}`, `{"id":"a","type":"x"}`},
		{"id later", `{"type":"x", "id" : "a"}`, `{"type":"x", "id" : "a"}`},
		{"not JSON", `hello`, `hello`},
		{"without", `{"type":"x"}`, `{"id":"ID","type":"x"}`},
		{"id below", `{"properties":{"id":"a"},"type":"x"}`, `{"id":"ID","properties":{"id":"a"},"type":"x"}`},
		{"id in a text", `{"title":"\"id\":1","type":"x"}`, `{"id":"ID","title":"\"id\":1","type":"x"}`},
		{"empty", `{ }`, `{"id":"ID" }`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l, again eventLines
			out, _, err := l.translate(nil, []byte(tt.line))
			if err != nil {
				t.Fatal(err)
			}
			id := string(again.ids.append(nil, []byte(tt.line)))
			if got := strings.ReplaceAll(string(out), id, "ID"); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestLineIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.StringN(0, 2, -1)).Draw(t, "lines")
		var a lineIDs
		seen := make(map[string]bool)
		var ids []string
		for _, line := range lines {
			id := string(a.append(nil, []byte(line)))
			if seen[id] {
				t.Fatalf("id %s twice", id)
			}
			seen[id] = true
			ids = append(ids, id)
		}
		cut := rapid.IntRange(0, len(lines)).Draw(t, "cut")
		var b lineIDs
		for i, line := range lines[:cut] {
			if id := string(b.append(nil, []byte(line))); id != ids[i] {
				t.Fatalf("line %d of the cut file has another id", i)
			}
		}
		var tail lineIDs
		for _, line := range lines[cut:] {
			if !seen[string(tail.append(nil, []byte(line)))] {
				t.Fatalf("a line of the cut file's rest is new")
			}
		}
	})
}

func TestLineIDsGrow(t *testing.T) {
	var ids lineIDs
	for round := range uint64(3) {
		for hash := range uint64(20_000) {
			if got := ids.before(hash * 0x9e3779b97f4a7c15); got != round {
				t.Fatalf("hash %d came %d times before, want %d", hash, got, round)
			}
		}
	}
}

func TestEventTime(t *testing.T) {
	for line, want := range map[string]int64{
		`{"time":1507031999123,"type":"x"}`:               1507031999123,
		`{"type":"x","time":"2017-10-03T12:00:00+02:00"}`: 1507024800000,
		`{"properties":{"time":5},"time" : 7}`:            7,
		`{"title":"\"time\":1","time":8}`:                 8,
		`{"time":-5}`:                                     -5,
	} {
		if got, ok := eventTime([]byte(line)); !ok || got != want {
			t.Errorf("%s: %d, %v", line, got, ok)
		}
	}
	for _, line := range []string{`{"type":"x"}`, `{"time":`, `{"time":"yesterday"}`, `{"a":{"time":1}}`, `{"time":99999999999999999999}`} {
		if got, ok := eventTime([]byte(line)); ok {
			t.Errorf("%s: %d", line, got)
		}
	}
}

func FuzzEventLine(f *testing.F) {
	f.Add([]byte(`{"type":"x","time":1}`))
	f.Add([]byte(`{"title":"\"id\":1","properties":{"id":[{"id":2}]}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if len(line) == 0 {
			return
		}
		eventTime(line)
		var l eventLines
		out, _, err := l.translate(nil, line)
		if err != nil {
			t.Fatal(err)
		}
		var before map[string]json.RawMessage
		if json.Unmarshal(line, &before) != nil || line[0] != '{' {
			return
		}
		after := make(map[string]json.RawMessage)
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatalf("%s became %s: %v", line, out, err)
		}
		if len(after["id"]) == 0 {
			t.Fatalf("%s has no id", out)
		}
	})
}
