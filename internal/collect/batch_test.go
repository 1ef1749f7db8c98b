package collect

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/eventlog"
)

func gzipped(t testing.TB, body string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t testing.TB, body string) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return string(z.EncodeAll([]byte(body), nil))
}

// TestEncodings takes the same body in every coding and form.
func TestEncodings(t *testing.T) {
	lines := `{"type":"a","id":"1"}` + "\n\n" + `{"type":"b","id":"2"}` + "\r\n"
	array := `[{"type":"a","id":"1"},{"type":"b","id":"2"}]`
	for _, c := range []struct {
		name string
		call call
	}{
		{"array", call{body: array}},
		{"lines", call{headers: headers{"Content-Type": "application/x-ndjson"}, body: lines}},
		{"lines of a beacon", call{headers: headers{"Content-Type": "text/plain"}, body: lines}},
		{"gzip", call{headers: headers{"Content-Encoding": "gzip"}, body: gzipped(t, array)}},
		{"gzip that is not named", call{body: gzipped(t, array)}},
		{"two gzip members", call{headers: headers{"Content-Encoding": "gzip"}, body: gzipped(t, array[:20]) + gzipped(t, array[20:])}},
		{"gzip lines", call{headers: headers{"Content-Encoding": "gzip", "Content-Type": "application/x-ndjson"}, body: gzipped(t, lines)}},
		{"zstd", call{headers: headers{"Content-Encoding": "zstd"}, body: zstandard(t, array)}},
		{"chunked", call{reader: io.MultiReader(strings.NewReader(array[:7]), strings.NewReader(array[7:]))}},
	} {
		for _, query := range []string{"key=w-news", "key=import&site=news"} {
			t.Run(c.name+" "+query, func(t *testing.T) {
				w := newWorld(t)
				c.call.query = query
				if c.call.reader != nil {
					c.call.reader = strings.NewReader(array)
				}
				a := w.do(c.call)
				if a.Status != 200 || *a.verdict.Accepted != 2 || len(w.memory.events) != 2 || w.memory.events[0].ID != "1" {
					t.Fatalf("%d %s", a.Status, a.Body)
				}
				if c.call.reader != nil {
					return
				}
				if a = w.do(c.call); *a.verdict.Accepted != 0 || *a.verdict.Duplicates != 2 {
					t.Errorf("again: %d %s", a.Status, a.Body)
				}
			})
		}
	}
}

// TestBadEncodings refuses what cannot be decompressed and what grows too
// large.
func TestBadEncodings(t *testing.T) {
	bomb := gzipped(t, strings.Repeat(" ", 64<<20))
	zbomb := zstandard(t, strings.Repeat(" ", 64<<20))
	array := `[{"type":"a","id":"1"}]`
	ndjson := "application/x-ndjson"
	for _, c := range []struct {
		name   string
		call   call
		status int
		reason string
	}{
		{"not gzip", call{headers: headers{"Content-Encoding": "gzip"}, body: array}, 400, "malformed_encoding"},
		{"not zstd", call{headers: headers{"Content-Encoding": "zstd"}, body: array}, 400, "malformed_encoding"},
		{"cut gzip", call{headers: headers{"Content-Encoding": "gzip"}, body: gzipped(t, array)[:20]}, 400, "malformed_encoding"},
		{"cut zstd", call{headers: headers{"Content-Encoding": "zstd"}, body: zstandard(t, array)[:10]}, 400, "malformed_encoding"},
		{"gzip bomb", call{headers: headers{"Content-Encoding": "gzip"}, body: bomb}, 413, "too_large"},
		{"gzip bomb that is not named", call{body: bomb}, 413, "too_large"},
		{"zstd bomb", call{headers: headers{"Content-Encoding": "zstd"}, body: zbomb}, 413, "too_large"},
		{"gzip bomb of lines", call{headers: headers{"Content-Encoding": "gzip", "Content-Type": ndjson}, body: bomb}, 413, "too_large"},
		{"5 MB and a byte", call{body: strings.Repeat(" ", 5<<20+1)}, 413, "too_large"},
		{"5 MB and a byte, length unknown", call{reader: strings.NewReader(strings.Repeat(" ", 5<<20+1))}, 413, "too_large"},
		{"5 MB of blanks", call{body: strings.Repeat(" ", 5<<20)}, 400, "malformed_json"},
		{"connection lost", call{reader: io.MultiReader(strings.NewReader("["), failing{})}, 400, "truncated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.call.query = "key=w-news"
			a := w.do(c.call)
			if a.Status != c.status || w.count("news", "refused", c.reason) != 1 || len(w.memory.events) != 0 {
				t.Errorf("%d %.300s, ledger %v", a.Status, a.Body, w.memory.counts)
			}
			if w.c.bodies.Load() != 0 {
				t.Errorf("%d bytes are still reserved", w.c.bodies.Load())
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// TestLines rejects a line that is not JSON by itself and says where.
func TestLines(t *testing.T) {
	body := `{"type":"a","id":"1"}` + "\n" + // 22 bytes
		`{"type":"b",` + "\n" +
		"\n  \n" +
		"{\"type\":\"c\xff\"}\n" +
		`{"type":"d","id":"4"} x` + "\n" +
		`{"type":"` + strings.Repeat("x", 40<<10) + `"}` + "\n" +
		`[1]` + "\n" +
		`{"type":"e","id":"6"}`
	for _, stream := range []bool{false, true} {
		w := newWorld(t)
		var a *answer
		if stream {
			a = w.do(call{query: "site=news&key=import", headers: headers{"Content-Type": "application/x-ndjson"}, reader: strings.NewReader(body)})
		} else {
			a = w.do(call{query: "key=w-news", headers: headers{"Content-Type": "application/x-ndjson"}, body: body})
		}
		if a.Status != 200 || *a.verdict.Accepted != 2 || a.verdict.RejectedTotal != 5 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		want := []map[string]any{
			{"index": 1.0, "code": "malformed_json", "path": "", "message": "expected a name in quotes at byte 34 (line 2, column 13)"},
			{"index": 2.0, "code": "malformed_json", "path": "", "message": "the line is not UTF-8 at byte 49 (line 5, column 11)"},
			{"index": 3.0, "code": "malformed_json", "path": "", "message": "expected the end of the line at byte 75 (line 6, column 23)"},
			{"index": 4.0, "code": "too_long", "path": "", "message": "an event may have 32 KB"},
			{"index": 5.0, "code": "wrong_type", "path": "", "message": "an event must be an object"},
		}
		if d := cmp.Diff(want, a.verdict.Rejected); d != "" {
			t.Error(d)
		}
		if n := w.count("news", "rejected", "malformed_json"); n != 3 {
			t.Errorf("ledger has %v", w.memory.counts)
		}
	}
}

// TestManyRejected lists the first thousand.
func TestManyRejected(t *testing.T) {
	for _, c := range []struct{ key, kind string }{{"key=w-news", "application/x-ndjson"}, {"key=import&site=news", "application/x-ndjson"}} {
		w := newWorld(t)
		a := w.do(call{query: c.key, headers: headers{"Content-Type": c.kind}, body: strings.Repeat("{}\n", 100_000) + `{"type":"a"}`})
		if a.Status != 200 || *a.verdict.Accepted != 1 || len(a.verdict.Rejected) != 1000 || a.verdict.RejectedTotal != 100_000 ||
			a.verdict.Rejected[999]["index"] != 999.0 || w.count("news", "rejected", "missing_field") != 100_000 {
			t.Fatalf("%d %.300s", a.Status, a.Body)
		}
		a = w.do(call{query: c.key, headers: headers{"Content-Type": c.kind}, body: strings.Repeat("{}\n", 100_000)})
		if a.Status != 400 || len(a.verdict.Rejected) != 1000 || a.verdict.RejectedTotal != 100_000 || len(a.verdict.Errors) == 0 || a.verdict.Errors[0].Location != "body[0].type" {
			t.Fatalf("%d %.300s", a.Status, a.Body)
		}
	}
}

// TestArrayIsWhole stores nothing of an array that turns out not to be JSON.
func TestArrayIsWhole(t *testing.T) {
	w := newWorld(t)
	body := "[" + strings.Repeat(`{"type":"a"},`, 2500)
	if a := w.send(body + "{]"); a.Status != 400 || len(w.memory.events) != 0 {
		t.Errorf("%d %.300s, %d events", a.Status, a.Body, len(w.memory.events))
	}
	if a := w.send(body + `{"type":"z"}] x`); a.Status != 400 || len(w.memory.events) != 0 {
		t.Errorf("%d %.300s, %d events", a.Status, a.Body, len(w.memory.events))
	}
	if a := w.send(body + `{"type":"z"}]`); a.Status != 200 || len(w.memory.events) != 2501 || *a.verdict.Accepted != 2501 {
		t.Errorf("%d %.300s, %d events", a.Status, a.Body, len(w.memory.events))
	}
}

// TestCommitterRejects merges what the committer rejects, by index.
func TestCommitterRejects(t *testing.T) {
	w := newWorld(t)
	w.memory.after = func(ev *event.Event) string {
		if ev.Type() == "old" {
			return "outside_window"
		}
		return ""
	}
	a := w.imports("news", `{"type":"a","id":"1"}`+"\n{}\n"+`{"type":"old"}`+"\n{}\n"+`{"type":"old"}`+"\n"+`{"type":"a","id":"1"}`)
	var got []string
	for _, r := range a.verdict.Rejected {
		got = append(got, fmt.Sprint(r["index"], r["code"], r["path"]))
	}
	if d := cmp.Diff([]string{"1missing_fieldtype", "2outside_windowtime", "3missing_fieldtype", "4outside_windowtime"}, got); d != "" || *a.verdict.Accepted != 1 || *a.verdict.Duplicates != 1 {
		t.Error(d, string(a.Body))
	}
	if a := w.send(`{"type":"old"}`); a.Status != 400 || a.verdict.Rejected[0]["code"] != "outside_window" || a.verdict.Errors[0].Location != "body.time" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestRefusals answers when the committer takes nothing.
func TestRefusals(t *testing.T) {
	for err, code := range map[error]string{eventlog.ErrOverloaded: "overloaded", eventlog.ErrDiskFull: "disk_full",
		eventlog.ErrClosed: "shutdown", eventlog.ErrUnavailable: "unavailable", errors.New("broken"): "internal"} {
		for _, path := range []string{PathEvents, PathPixel} {
			w := newWorld(t)
			w.memory.ready = fmt.Errorf("ready: %w", err)
			c := call{path: path, query: "key=w-news&type=a", body: "this is not read"}
			if path == PathPixel {
				c.method, c.body = "GET", ""
			}
			check := func(a *answer) {
				t.Helper()
				want := 503
				if code == "internal" {
					want = 500
				}
				if a.Status != want || a.verdict.Code != code || (a.Get("Retry-After") == "") != (want == 500) || w.count("news", "refused", code) != 1 {
					t.Errorf("%s %s: %d %s, ledger %v", path, code, a.Status, a.Body, w.memory.counts)
				}
			}
			check(w.do(c))
			w = newWorld(t)
			w.memory.fail = func(int) error { return err }
			c.body = strings.Replace(c.body, "this is not read", `{"type":"a"}`, 1)
			check(w.do(c))
		}
	}
}

// TestPartly answers what was stored before a later part failed.
func TestPartly(t *testing.T) {
	for _, query := range []string{"key=w-news", "key=import&site=news"} {
		w := newWorld(t)
		w.memory.fail = func(n int) error {
			if n >= 2 {
				return eventlog.ErrDiskFull
			}
			return nil
		}
		body := string(typicalLines(20_000))
		body = strings.ReplaceAll(body, `"time"`, `"value"`)
		a := w.do(call{query: query, headers: headers{"Content-Type": "application/x-ndjson"}, body: body})
		if a.Status != 503 || a.verdict.Code != "disk_full" || a.verdict.Accepted == nil || *a.verdict.Accepted != len(w.memory.events) || *a.verdict.Accepted == 0 || a.verdict.Rejected == nil {
			t.Fatalf("%d %.300s", a.Status, a.Body)
		}
		before := *a.verdict.Accepted
		w.memory.fail = nil
		a = w.do(call{query: query, headers: headers{"Content-Type": "application/x-ndjson"}, body: body})
		if a.Status != 200 || *a.verdict.Duplicates != before || *a.verdict.Accepted != 20_000-before {
			t.Fatalf("%d %.300s", a.Status, a.Body)
		}
	}
}

// TestImportWaits lets an import wait for a busy committer.
func TestImportWaits(t *testing.T) {
	w := newWorld(t)
	w.memory.fail = func(n int) error {
		if n%2 == 0 {
			return eventlog.ErrOverloaded
		}
		return nil
	}
	a := w.do(call{query: "key=import&site=replay", headers: headers{"Content-Type": "application/x-ndjson"}, reader: bytes.NewReader(typicalLines(5000))})
	if a.Status != 200 || *a.verdict.Accepted != 5000 || len(w.memory.events) != 5000 {
		t.Fatalf("%d %.300s", a.Status, a.Body)
	}
	for i, ev := range w.memory.events {
		if ev.Time != 1507032000000+int64(i) {
			t.Fatalf("event %d has time %d", i, ev.Time)
		}
	}
}

// TestLimits refuses what would take too much memory.
func TestLimits(t *testing.T) {
	w := newWorld(t)
	w.c.limits.Bodies = 1 << 20
	if a := w.send("[" + strings.Repeat(" ", 2<<20) + "]"); a.Status != 503 || a.verdict.Code != "overloaded" || a.Get("Retry-After") == "" || !a.Close {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := w.send("[" + strings.Repeat(" ", 1<<19) + "]"); a.Status != 200 || w.c.bodies.Load() != 0 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	w.c.imports.Store(int64(w.c.limits.Imports))
	ndjson := call{query: "key=import&site=news", headers: headers{"Content-Type": "application/x-ndjson"}, reader: strings.NewReader(`{"type":"a"}`)}
	if a := w.do(ndjson); a.Status != 503 || a.verdict.Code != "overloaded" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	w.c.imports.Store(0)
	w.c.limits.Import = 1 << 20
	ndjson.reader = strings.NewReader(strings.Repeat(`{"type":"a"}`+"\n", 200_000))
	if a := w.do(ndjson); a.Status != 413 || *a.verdict.Accepted != len(w.memory.events) || *a.verdict.Accepted == 0 || w.c.imports.Load() != 0 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestStreamedLines cuts an import into blocks at any place.
func TestStreamedLines(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("y", 3*blockBytes)
	var b strings.Builder
	want := 0
	for i := range 30_000 {
		switch {
		case i%10_000 == 5000:
			fmt.Fprintf(&b, `{"type":"a","title":"%s"}`+"\n", long)
		default:
			fmt.Fprintf(&b, `{"type":"a","id":"%d"}`+"\n", i)
			want++
		}
	}
	a := w.do(call{query: "key=import&site=news", headers: headers{"Content-Type": "application/x-ndjson"}, reader: iotestOneShort(b.String())})
	if a.Status != 200 || *a.verdict.Accepted != want || a.verdict.RejectedTotal != 3 {
		t.Fatalf("%d %.300s", a.Status, a.Body)
	}
	for i, r := range a.verdict.Rejected {
		if r["index"] != float64(5000+10_000*i) || r["code"] != "too_long" {
			t.Errorf("rejected %v", r)
		}
	}
}

// iotestOneShort reads in pieces of odd sizes.
func iotestOneShort(s string) io.Reader { return &pieces{s: s} }

type pieces struct {
	s string
	n int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.s == "" {
		return 0, io.EOF
	}
	p.n = (p.n*7 + 13) % 5003
	n := copy(b[:min(len(b), p.n+1)], p.s)
	p.s = p.s[n:]
	return n, nil
}

// TestSplitAnyhow gives the same verdicts however a batch is split.
func TestSplitAnyhow(t *testing.T) {
	events := rapid.SampledFrom([]string{`{"type":"a"}`, `{"type":"b","id":"same"}`, `{}`, `{"type":1}`, `{"type":"c","color":1}`, `{"type":"d","time":0}`,
		`{"type":"e","title":"` + strings.Repeat("x", 600) + `"}`, `7`, `{"type":"f","properties":{"x":[]}}`})
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(events, 1, 40).Draw(t, "events")
		verdicts := func(batches [][]string, form int) (accepted, duplicates int, rejected, cut []string) {
			w := newWorld(&quietTB{})
			base := 0
			for _, batch := range batches {
				var c call
				switch form {
				case 0:
					c = call{query: "key=w-news", body: "[" + strings.Join(batch, ",") + "]"}
				case 1:
					c = call{query: "key=w-news", headers: headers{"Content-Type": "application/x-ndjson"}, body: strings.Join(batch, "\n")}
				case 2:
					c = call{query: "key=import&site=drop", headers: headers{"Content-Type": "application/x-ndjson"}, reader: strings.NewReader(strings.Join(batch, "\n"))}
				}
				a := w.do(c)
				accepted, duplicates = accepted+*a.verdict.Accepted, duplicates+*a.verdict.Duplicates
				for _, r := range a.verdict.Rejected {
					rejected = append(rejected, fmt.Sprint(base+int(r["index"].(float64)), r["code"], r["path"], r["message"]))
				}
				for _, r := range a.verdict.Cut {
					cut = append(cut, fmt.Sprint(base+int(r["index"].(float64)), r["path"]))
				}
				base += len(batch)
			}
			return accepted, duplicates, rejected, cut
		}
		var split [][]string
		for rest := list; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "n")
			split = append(split, rest[:n])
			rest = rest[n:]
		}
		form := rapid.IntRange(0, 2).Draw(t, "form")
		other := form
		if form < 2 {
			other = rapid.IntRange(0, 1).Draw(t, "other")
		}
		a1, d1, r1, c1 := verdicts([][]string{list}, form)
		a2, d2, r2, c2 := verdicts(split, other)
		if d := cmp.Diff(fmt.Sprint(a1, d1, r1, c1), fmt.Sprint(a2, d2, r2, c2)); d != "" {
			t.Fatal(d)
		}
	})
}

// quietTB lets a world be made inside a property.
type quietTB struct{ testing.TB }

func (*quietTB) Helper() {}

func (*quietTB) Context() context.Context { return context.Background() }

func (*quietTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }
